# SPDX-License-Identifier: GPL-3.0-or-later
#
# The eBPF program that hears of dropped packets (bpf/drops.bpf.c) goes into the
# program as bytes. It needs clang, which compiles for eBPF, and libbpf, which
# loads it; without them the program is built all the same, and says at run time
# that it has no kernel drop reasons.
option(SMTPBLAME_DROPS "Kernel drop reasons by eBPF (clang, libbpf)" ON)

# drops_add(TARGET)
function(drops_add target)
  if(SMTPBLAME_DROPS)
    pkg_check_modules(LIBBPF QUIET IMPORTED_TARGET libbpf>=1.0)
    find_program(BPF_CLANG NAMES clang DOC "clang that compiles for eBPF")
  endif()
  if(NOT SMTPBLAME_DROPS OR NOT LIBBPF_FOUND OR NOT BPF_CLANG)
    message(STATUS "Without clang or libbpf: no kernel drop reasons")
    return()
  endif()
  set(bpf ${PROJECT_SOURCE_DIR}/bpf)
  set(object ${CMAKE_BINARY_DIR}/generated/drops.o)
  set(bytes ${CMAKE_BINARY_DIR}/generated/drops_object.c)
  set(includes ${LIBBPF_INCLUDE_DIRS})
  list(TRANSFORM includes PREPEND -I)
  # -g: the offsets of the running kernel are put in by type information
  add_custom_command(OUTPUT ${object}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated
    COMMAND ${BPF_CLANG} -target bpf -O2 -g -Wall -Wextra ${includes}
            -ffile-prefix-map=${PROJECT_SOURCE_DIR}=. -fdebug-compilation-dir=. -c ${bpf}/drops.bpf.c -o ${object}
    DEPENDS ${bpf}/drops.bpf.c ${bpf}/drops.h VERBATIM)
  add_custom_command(OUTPUT ${bytes}
    COMMAND ${CMAKE_COMMAND} -DIN=${object} -DOUT=${bytes} -DNAME=drops_object
            -P ${PROJECT_SOURCE_DIR}/cmake/embed_bytes.cmake
    DEPENDS ${object} ${PROJECT_SOURCE_DIR}/cmake/embed_bytes.cmake VERBATIM)
  # "bpf/drops.h", and nothing else of the source tree
  set(shared ${CMAKE_BINARY_DIR}/generated/include)
  file(MAKE_DIRECTORY ${shared})
  file(CREATE_LINK ${bpf} ${shared}/bpf SYMBOLIC)
  target_include_directories(${target} PRIVATE ${shared})
  target_sources(${target} PRIVATE ${bytes})
  target_compile_definitions(${target} PRIVATE SMTPBLAME_DROPS)
  target_link_libraries(${target} PUBLIC PkgConfig::LIBBPF)
endfunction()
