# SPDX-License-Identifier: GPL-3.0-or-later
#
# Libraries that the program can do without: what one is for is then said to be missing at run time,
# where it is asked for. -DSMTPBLAME_NAME=OFF leaves out one that is installed.

# optional_library(NAME LIBRARY PURPOSE): where it is there and wanted, the target optional-NAME,
# which defines SMTPBLAME_NAME for what is linked with it.
function(optional_library name library purpose)
  option(SMTPBLAME_${name} "With ${purpose} (${library})" ON)
  if(SMTPBLAME_${name} AND library STREQUAL unbound)
    # its pkg-config file asks for packages that only static linking needs
    find_path(UNBOUND_INCLUDE unbound.h)
    find_library(UNBOUND_LIBRARY unbound)
    if(UNBOUND_INCLUDE AND UNBOUND_LIBRARY)
      add_library(optional-${name} INTERFACE IMPORTED GLOBAL)
      target_link_libraries(optional-${name} INTERFACE ${UNBOUND_LIBRARY})
      target_include_directories(optional-${name} SYSTEM INTERFACE ${UNBOUND_INCLUDE})
    endif()
  elseif(SMTPBLAME_${name})
    pkg_check_modules(OPTIONAL_${name} QUIET IMPORTED_TARGET GLOBAL ${library})
    if(OPTIONAL_${name}_FOUND)
      add_library(optional-${name} INTERFACE IMPORTED GLOBAL)
      target_link_libraries(optional-${name} INTERFACE PkgConfig::OPTIONAL_${name})
    endif()
  endif()
  if(TARGET optional-${name})
    target_compile_definitions(optional-${name} INTERFACE SMTPBLAME_${name})
  else()
    message(STATUS "Without ${library}: no ${purpose}")
  endif()
endfunction()
