/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the model's structs consist of, as tables: for whoever has to treat every
 * member alike (writing a case and reading it again, cleaning strings). Each
 * member is a row of fields.c; the test model-fields finds one that was forgotten.
 */
#ifndef SB_MODEL_FIELDS_H
#define SB_MODEL_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "model/event.h"
#include "model/plan.h"

enum field_type {
	FIELD_BOOL,
	FIELD_UINT,    /* of 1, 2, 4 or 8 bytes */
	FIELD_INT,     /* of 4 or 8 bytes */
	FIELD_ERRNO,   /* int; 0 none */
	FIELD_ENUM,
	FIELD_STRING,  /* const char *, may be NULL */
	FIELD_STRINGS, /* const char *const *, NULL at its end; may be NULL */
	FIELD_CHARS,   /* char[size], with a NUL */
	FIELD_BYTES,   /* uint8_t[size] */
	FIELD_ADDR,
	FIELD_ADDRS,   /* struct addr[], ADDR_NONE behind the last one in use */
	FIELD_STRUCT,
	FIELD_ARRAY,   /* of structs, the first `count` of which are in use */
};

/* Words of an enum, at the index of their value. */
struct field_words {
	const char *const *list;
	unsigned n;
};

struct fields;

struct field {
	const char *name;
	enum field_type type;
	size_t offset, size;             /* size: of one element of an array */
	bool required;                   /* a string that is never NULL */
	const struct field_words *words; /* FIELD_ENUM */
	const struct fields *of;         /* FIELD_STRUCT, FIELD_ARRAY */
	size_t count_offset, max;        /* FIELD_ARRAY: of its unsigned count */
};

struct fields {
	const struct field *list;
	unsigned n;
};

/* What a line of facts.jsonl can be about: an event other than a packet. */
struct fact_kind {
	const char *name;
	enum event_kind event;
	enum host_record_kind record; /* of an EV_HOST */
	size_t offset;                /* in struct event, of what the event holds */
	size_t size;                  /* 0: the facts; else that of the struct that a pointer there leads to */
	size_t inner;                 /* where the facts are in that */
	const struct fields *fields;
};

extern const struct fact_kind fact_kinds[];
extern const unsigned n_fact_kinds;

/* NULL for a packet. */
const struct fact_kind *fact_kind_of(const struct event *ev);

/* Where the facts are: in *ev, or in what it points to (NULL: nowhere yet). */
void *fact_data(const struct fact_kind *kind, struct event *ev);

extern const struct fields *const model_plan; /* without its signatures and the password */
extern const struct fields *const model_signature;

/* Elements in use of a FIELD_ARRAY of *data. */
unsigned *field_count(const struct field *f, void *data);

/* Returns s itself, or what is to stand there instead. */
typedef const char *fields_visit(void *arg, const struct field *f, const char *s);

/* Shows every string of *data (none is NULL). New lists of strings are allocated in *a. */
void fields_each_string(const struct fields *f, void *data, fields_visit *visit, void *arg,
			struct arena *a);

/* Makes every string clean (base/text.h) that is not; the new ones are allocated in *a. */
void fields_clean(const struct fields *f, void *data, struct arena *a);

#endif
