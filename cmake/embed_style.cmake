# SPDX-License-Identifier: GPL-3.0-or-later
# Writes the style sheet IN into OUT as `const char html_style[]`, and its SHA-256 in
# base64 as `const char html_style_sha256[]`: the page's own policy lets in no other.
set(alphabet ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
file(READ ${IN} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(SHA256 ${IN} hash)
set(base64 "")
string(APPEND hash "0000") # 32 bytes are ten groups of three, and two bytes more
foreach(at RANGE 0 60 6)
  string(SUBSTRING ${hash} ${at} 6 group)
  foreach(shift 18 12 6 0)
    math(EXPR index "(0x${group} >> ${shift}) & 63")
    string(SUBSTRING ${alphabet} ${index} 1 letter)
    string(APPEND base64 ${letter})
  endforeach()
endforeach()
string(SUBSTRING ${base64} 0 43 base64)
file(WRITE ${OUT} "/* generated from ${IN} by cmake/embed_style.cmake */
extern const char html_style[], html_style_sha256[];
const char html_style[] = {${bytes}0};
const char html_style_sha256[] = \"${base64}=\";
")
