# SPDX-License-Identifier: GPL-3.0-or-later
# Run by cpack over the tree that it packs: what Debian wants to have otherwise (its policy, 12.1 the
# manual page, 12.5 the copyright, 12.7 the changelog). Names and dates of files stay out of what is
# compressed.
set(share ${CPACK_TEMPORARY_INSTALL_DIRECTORY}${CPACK_PACKAGING_INSTALL_PREFIX}/share)
set(doc ${share}/doc/${CPACK_PACKAGE_NAME})
file(COPY_FILE ${CMAKE_CURRENT_LIST_DIR}/copyright ${doc}/copyright)
file(WRITE ${doc}/changelog "${CPACK_PACKAGE_NAME} (${CPACK_PACKAGE_VERSION}) unstable; urgency=medium

  * Built from the sources of that version, which tell the rest.

 -- ${CPACK_PACKAGE_CONTACT}  Thu, 01 Jan 2026 00:00:00 +0000
")
# deb-systemd-helper knows only what packages have switched on, and this one switches nothing on
file(WRITE ${share}/lintian/overrides/${CPACK_PACKAGE_NAME}
     "${CPACK_PACKAGE_NAME}: maintainer-script-calls-systemctl [prerm:*]\n")
file(GLOB pages ${share}/man/man8/*.8)
execute_process(COMMAND gzip -9 -n -f ${pages} ${doc}/changelog COMMAND_ERROR_IS_FATAL ANY)
