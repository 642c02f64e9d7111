# SPDX-License-Identifier: GPL-3.0-or-later
# The manual page and the shells' completions, made by tools/cli_docs.c from the
# program's own tables of options, and installed. They are part of the target
# smtpblame, so that whatever builds it can be installed.
function(docs_add)
  if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
    message(STATUS "cross compiling: no manual page and no completions")
    return()
  endif()
  set(out ${CMAKE_BINARY_DIR}/generated)
  set(template ${PROJECT_SOURCE_DIR}/docs/smtpblame.8.in)
  file(MAKE_DIRECTORY ${out})
  add_executable(cli-docs ${PROJECT_SOURCE_DIR}/tools/cli_docs.c)
  target_link_libraries(cli-docs PRIVATE ${rooms})
  add_custom_command(OUTPUT ${out}/smtpblame.8 ${out}/smtpblame.bash ${out}/_smtpblame ${out}/smtpblame.fish
    COMMAND cli-docs man ${template} > ${out}/smtpblame.8
    COMMAND cli-docs bash > ${out}/smtpblame.bash
    COMMAND cli-docs zsh > ${out}/_smtpblame
    COMMAND cli-docs fish > ${out}/smtpblame.fish
    DEPENDS cli-docs ${template} VERBATIM)
  add_custom_target(cli-docs-files DEPENDS ${out}/smtpblame.8)
  add_dependencies(smtpblame cli-docs-files)
  install(FILES ${out}/smtpblame.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
  install(FILES ${out}/smtpblame.bash RENAME smtpblame
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
  install(FILES ${out}/_smtpblame DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
  install(FILES ${out}/smtpblame.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endfunction()
