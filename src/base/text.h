/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Foreign bytes made harmless, once, where they enter.
 *
 * What comes from the network or a file may hold terminal escapes, NULs or
 * broken UTF-8. text_clean() is the only door: its result is valid UTF-8, one
 * line, without control characters (C0, DEL, C1), without the invisible
 * direction and format characters that make a terminal or a page lie. What it
 * replaces stays readable as \xNN or \u{NNNN}, a backslash as itself.
 */
#ifndef SB_BASE_TEXT_H
#define SB_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* At most max_bytes of input are used; "..." marks what was cut. */
char *text_clean(struct arena *a, const void *bytes, size_t len, size_t max_bytes);

/* The same into out[len * TEXT_MAX_GROWTH], without a NUL at the end; returns its length. */
#define TEXT_MAX_GROWTH 10 /* "\u{10FFFF}" for four bytes, "\xNN" for one */
size_t text_clean_into(char *out, const void *bytes, size_t len);

/* Printable ASCII only: clean as it stands. */
bool text_is_plain(const void *bytes, size_t len);

/* Copies them to out[len]. False: they are not plain, or have a '"' or '\\' among them, and may not stand
 * between quotation marks, in JSON for one. */
bool text_copy_quotable(char *out, const void *bytes, size_t len);

/* Whether text_clean() would leave it as it is. */
bool text_is_clean(const char *s);

/* Number of terminal columns of clean text, counting each code point as one. */
size_t text_width(const char *clean);

#endif
