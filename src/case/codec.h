/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The model's structs as JSON objects, by the tables of model/fields.h. A member
 * that has its zero value is left out; what is left out is zero.
 */
#ifndef SB_CASE_CODEC_H
#define SB_CASE_CODEC_H

#include <jansson.h>

#include "base/err.h"
#include "model/fields.h"

/* Adds the members of *data to the object. -1: there was no memory. */
int codec_encode(json_t *object, const struct fields *f, const void *data);

/* Fills the zeroed *data; strings are allocated in *a and not cleaned. The object may have, besides,
 * the members that `others` names (NULL at its end). ERR_USAGE in words that begin with the member
 * that is wrong: unknown, of another type, beyond its range, missing. */
int codec_decode(const json_t *object, const struct fields *f, const char *const *others,
		 void *data, struct arena *a, struct err *e);

#endif
