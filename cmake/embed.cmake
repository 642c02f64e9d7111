# SPDX-License-Identifier: GPL-3.0-or-later
# Writes each text file of FILES into OUT as `const char filter_NAME[]`.
set(text "/* generated from bpf/ by cmake/embed.cmake */\n")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(APPEND text "extern const char filter_${name}[];\nconst char filter_${name}[] = {${bytes}0};\n")
endforeach()
file(WRITE ${OUT} "${text}")
