# SPDX-License-Identifier: GPL-3.0-or-later
# A Debian package: `cpack -G DEB` in the build directory. It holds what `cmake
# --install` installs, under /usr, in the form that Debian wants, and starts nothing.
install(FILES ${PROJECT_SOURCE_DIR}/COPYING DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(FILES ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
# where README.md points to
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs
        FILES_MATCHING PATTERN "*.md" PATTERN "*.json" PATTERN "adding.md" EXCLUDE)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "smtpblame")
# Who makes a package for others is whom they write to: as Debian's own tools are told
if("$ENV{DEBFULLNAME}" STREQUAL "" OR "$ENV{DEBEMAIL}" STREQUAL "")
  set(maintainer "the smtpblame developers <smtpblame@localhost>")
else()
  set(maintainer "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
endif()
set(CPACK_PACKAGE_CONTACT "${maintainer}" CACHE STRING "The package's maintainer: NAME <ADDRESS>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "says who stops your mail, with proof")
set(CPACK_PACKAGE_DESCRIPTION
    "Connects to the SMTP ports of a server, watches from four places what
becomes of it (socket, own network stack, wire, every router on the way), and
says for each port whether it is open, and if not: by which mechanism it is
stopped, at which place, how sure that is, and on which evidence.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON) # by dpkg-shlibdeps (package dpkg-dev)
# rules in their own words, and what remedies name; the trust anchor of the DNS
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "nftables, iproute2, dns-root-data")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "iptables, bpftool")
set(debian ${PROJECT_SOURCE_DIR}/cmake/debian)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${debian}/postinst ${debian}/prerm ${debian}/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PRE_BUILD_SCRIPTS ${debian}/tree.cmake)
include(CPack)
