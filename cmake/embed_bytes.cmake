# SPDX-License-Identifier: GPL-3.0-or-later
# Writes the file IN into OUT as `const unsigned char NAME[]` and `const size_t NAME_size`.
file(READ ${IN} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
file(WRITE ${OUT} "/* generated from ${NAME} by cmake/embed_bytes.cmake */
#include <stddef.h>
extern const unsigned char ${NAME}[];
extern const size_t ${NAME}_size;
/* libbpf reads it as an ELF file: 8 is the widest of its fields */
_Alignas(8) const unsigned char ${NAME}[] = {${bytes}};
const size_t ${NAME}_size = ${size};
")
