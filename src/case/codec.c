/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "case/codec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define ERRNO_MAX 4095 /* the kernel's own limit (MAX_ERRNO) */
#define DIGITS_MAX 24
#define KEY_SHOWN_MAX 60

/* ---- writing ---- */

static uint64_t get_uint(const void *at, size_t size)
{
	uint16_t half;
	uint32_t word;
	uint64_t all;

	switch (size) {
	case 1: return *(const uint8_t *)at;
	case 2: memcpy(&half, at, 2); return half;
	case 4: memcpy(&word, at, 4); return word;
	}
	memcpy(&all, at, 8);
	return all;
}

static int64_t get_int(const void *at, size_t size)
{
	uint64_t bits = get_uint(at, size);

	return size == 4 ? (int32_t)(uint32_t)bits : (int64_t)bits;
}

/* A JSON integer of jansson's has 63 bits and a sign: what is larger is a string. */
static json_t *encode_uint(uint64_t n)
{
	char digits[DIGITS_MAX];

	if (n <= INT64_MAX)
		return json_integer((json_int_t)n);
	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	return json_string(digits);
}

static json_t *encode_errno(int error)
{
	const char *word = error > 0 ? strerrorname_np(error) : NULL;

	return word ? json_string(word) : json_integer(error);
}

/* "fe80::1%3": the zone is the interface's number. */
static json_t *encode_addr(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	addr_text(a, text);
	return a->scope ? json_sprintf("%s%%%u", text, a->scope) : json_string(text);
}

static json_t *encode_addrs(const struct addr *list, size_t max)
{
	json_t *array = json_array();

	for (size_t i = 0; i < max && addr_is_set(&list[i]); i++)
		if (json_array_append_new(array, encode_addr(&list[i])) != 0)
			goto fail;
	return array;
fail:
	json_decref(array);
	return NULL;
}

static json_t *encode_bytes(const uint8_t *bytes, size_t size)
{
	json_t *out = NULL;
	char *hex = xcalloc(2 * size + 1, 1);

	for (size_t i = 0; i < size; i++)
		sprintf(hex + 2 * i, "%02x", bytes[i]);
	out = json_string(hex);
	free(hex);
	return out;
}

static json_t *encode_strings(const char *const *list)
{
	json_t *array = json_array();

	for (; *list; list++)
		if (json_array_append_new(array, json_string(*list)) != 0)
			goto fail;
	return array;
fail:
	json_decref(array);
	return NULL;
}

static json_t *encode_struct(const struct fields *f, const void *data)
{
	json_t *object = json_object();

	if (codec_encode(object, f, data) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *encode_array(const struct field *f, const char *at, unsigned n)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < n; i++)
		if (json_array_append_new(array, encode_struct(f->of, at + i * f->size)) != 0)
			goto fail;
	return array;
fail:
	json_decref(array);
	return NULL;
}

static bool is_zero(const char *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (at[i])
			return false;
	return true;
}

/* What an absent member means. */
static bool left_out(const struct field *f, const char *at, unsigned count)
{
	switch (f->type) {
	case FIELD_BOOL:
	case FIELD_UINT:
	case FIELD_INT:
	case FIELD_ERRNO:
	case FIELD_BYTES: return is_zero(at, f->size);
	case FIELD_ENUM: return false; /* its first word says something, too */
	case FIELD_STRING: return !*(const char *const *)(const void *)at;
	case FIELD_STRINGS: return !*(const char *const *const *)(const void *)at;
	case FIELD_CHARS: return !*at;
	case FIELD_ADDR:
	case FIELD_ADDRS: return !addr_is_set((const struct addr *)(const void *)at);
	case FIELD_STRUCT: return is_zero(at, f->size);
	case FIELD_ARRAY: return count == 0;
	}
	return false;
}

static json_t *encode_field(const struct field *f, const char *at, unsigned count)
{
	const void *value = at;
	unsigned word;

	switch (f->type) {
	case FIELD_BOOL: return json_boolean(*(const bool *)value);
	case FIELD_UINT: return encode_uint(get_uint(at, f->size));
	case FIELD_INT: return json_integer(get_int(at, f->size));
	case FIELD_ERRNO: return encode_errno(*(const int *)value);
	case FIELD_ENUM:
		word = (unsigned)get_uint(at, f->size);
		return json_string(word < f->words->n ? f->words->list[word] : "");
	case FIELD_STRING: return json_string(*(const char *const *)value);
	case FIELD_STRINGS: return encode_strings(*(const char *const *const *)value);
	case FIELD_CHARS: return json_string(at);
	case FIELD_BYTES: return encode_bytes(value, f->size);
	case FIELD_ADDR: return encode_addr(value);
	case FIELD_ADDRS: return encode_addrs(value, f->size / sizeof(struct addr));
	case FIELD_STRUCT: return encode_struct(f->of, at);
	case FIELD_ARRAY: return encode_array(f, at, count);
	}
	return NULL;
}

int codec_encode(json_t *object, const struct fields *fields, const void *data)
{
	for (unsigned i = 0; i < fields->n; i++) {
		const struct field *f = &fields->list[i];
		const char *at = (const char *)data + f->offset;
		unsigned count = 0;
		if (f->type == FIELD_ARRAY)
			memcpy(&count, (const char *)data + f->count_offset, sizeof(count));
		if (!left_out(f, at, count) &&
		    json_object_set_new(object, f->name, encode_field(f, at, count)) != 0)
			return -1;
	}
	return 0;
}

/* ---- reading ---- */

struct reader {
	struct arena *arena;
	struct err *e;
};

static int wrong(const struct reader *r, const struct field *f, const char *wanted)
{
	return err_set(r->e, ERR_USAGE, "%s: not %s", f->name, wanted);
}

static int decode_uint(const struct reader *r, const struct field *f, const json_t *value,
		       void *at)
{
	uint64_t n, most = f->size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * f->size)) - 1;
	const char *digits = json_string_value(value);
	char *end;

	errno = 0;
	if (json_is_integer(value) && json_integer_value(value) >= 0)
		n = (uint64_t)json_integer_value(value);
	else if (digits && digits[0] >= '0' && digits[0] <= '9' &&
		 (n = strtoull(digits, &end, 10), !*end && !errno))
		;
	else
		return wrong(r, f, "a whole number of 0 or more");
	if (n > most)
		return wrong(r, f, "in its range");
	if (f->size == 1)
		*(uint8_t *)at = (uint8_t)n;
	else if (f->size == 2)
		*(uint16_t *)at = (uint16_t)n;
	else if (f->size == 4)
		*(uint32_t *)at = (uint32_t)n;
	else
		*(uint64_t *)at = n;
	return 0;
}

static int decode_int(const struct reader *r, const struct field *f, const json_t *value, void *at)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || (f->size == 4 && (n < INT32_MIN || n > INT32_MAX)))
		return wrong(r, f, "a whole number in its range");
	if (f->size == 4)
		*(int *)at = (int)n;
	else
		*(int64_t *)at = n;
	return 0;
}

static int decode_errno(const struct reader *r, const struct field *f, const json_t *value,
			int *at)
{
	const char *text = json_string_value(value);

	if (!text)
		return decode_int(r, f, value, at);
	for (int error = 1; error <= ERRNO_MAX; error++) {
		const char *word = strerrorname_np(error);
		if (word && strcmp(word, text) == 0) {
			*at = error;
			return 0;
		}
	}
	return wrong(r, f, "an error that this system knows");
}

static int decode_enum(const struct reader *r, const struct field *f, const json_t *value,
		       unsigned *at)
{
	const char *text = json_string_value(value);

	for (unsigned i = 0; text && i < f->words->n; i++)
		if (strcmp(f->words->list[i], text) == 0) {
			*at = i;
			return 0;
		}
	return wrong(r, f, "one of the words that this version knows");
}

static int decode_string(const struct reader *r, const struct field *f, const json_t *value,
			 const char **at)
{
	if (!json_is_string(value))
		return wrong(r, f, "text");
	*at = arena_strdup(r->arena, json_string_value(value));
	return 0;
}

static int decode_strings(const struct reader *r, const struct field *f, const json_t *value,
			  const char *const **at)
{
	size_t n = json_array_size(value);
	const char **list = arena_alloc(r->arena, (n + 1) * sizeof(*list));

	if (!json_is_array(value))
		return wrong(r, f, "a list of texts");
	for (size_t i = 0; i < n; i++)
		if (decode_string(r, f, json_array_get(value, i), &list[i]) != 0)
			return -1;
	*at = list;
	return 0;
}

static int decode_chars(const struct reader *r, const struct field *f, const json_t *value,
			char *at)
{
	if (!json_is_string(value) || json_string_length(value) >= f->size)
		return wrong(r, f, "text, or too long");
	strcpy(at, json_string_value(value));
	return 0;
}

static int decode_bytes(const struct reader *r, const struct field *f, const json_t *value,
			uint8_t *at)
{
	const char *hex = json_string_value(value);

	if (!hex || json_string_length(value) != 2 * f->size ||
	    strspn(hex, "0123456789abcdef") != 2 * f->size)
		return wrong(r, f, "bytes in hexadecimal of the right number");
	for (size_t i = 0; i < f->size; i++)
		sscanf(hex + 2 * i, "%2hhx", &at[i]);
	return 0;
}

/* addr_parse() would look up a zone among this host's interfaces. */
static int decode_addr(const struct reader *r, const struct field *f, const json_t *value,
		       struct addr *at)
{
	const char *text = json_string_value(value);
	size_t len = text ? strcspn(text, "%") : 0;
	unsigned long scope = 0;
	char bare[ADDR_TEXT_MAX], *end = NULL;

	if (!text || len >= sizeof(bare))
		return wrong(r, f, "an address");
	memcpy(bare, text, len);
	bare[len] = '\0';
	if (text[len])
		scope = strtoul(text + len + 1, &end, 10);
	if ((end && *end) || scope > UINT32_MAX || !addr_parse(at, bare))
		return wrong(r, f, "an address");
	at->scope = (uint32_t)scope;
	return 0;
}

static int decode_addrs(const struct reader *r, const struct field *f, const json_t *value,
			struct addr *at)
{
	size_t n = json_array_size(value);

	if (!json_is_array(value) || n > f->size / sizeof(struct addr))
		return wrong(r, f, "a list, or too long");
	for (size_t i = 0; i < n; i++)
		if (decode_addr(r, f, json_array_get(value, i), &at[i]) != 0)
			return -1;
	return 0;
}

static int decode_array(const struct reader *r, const struct field *f, const json_t *value,
			char *at, unsigned *count)
{
	size_t n = json_array_size(value);

	if (!json_is_array(value) || n > f->max)
		return wrong(r, f, "a list, or too long");
	for (size_t i = 0; i < n; i++)
		if (codec_decode(json_array_get(value, i), f->of, NULL, at + i * f->size, r->arena,
				 r->e) != 0)
			return err_prefix(r->e, f->name);
	*count = (unsigned)n;
	return 0;
}

static int decode_field(const struct reader *r, const struct field *f, const json_t *value,
			char *data)
{
	char *at = data + f->offset;
	void *to = at;

	switch (f->type) {
	case FIELD_BOOL:
		*(bool *)to = json_is_true(value);
		return json_is_boolean(value) ? 0 : wrong(r, f, "true or false");
	case FIELD_UINT: return decode_uint(r, f, value, to);
	case FIELD_INT: return decode_int(r, f, value, to);
	case FIELD_ERRNO: return decode_errno(r, f, value, to);
	case FIELD_ENUM: return decode_enum(r, f, value, to);
	case FIELD_STRING: return decode_string(r, f, value, to);
	case FIELD_STRINGS: return decode_strings(r, f, value, to);
	case FIELD_CHARS: return decode_chars(r, f, value, at);
	case FIELD_BYTES: return decode_bytes(r, f, value, to);
	case FIELD_ADDR: return decode_addr(r, f, value, to);
	case FIELD_ADDRS: return decode_addrs(r, f, value, to);
	case FIELD_STRUCT:
		if (codec_decode(value, f->of, NULL, at, r->arena, r->e) != 0)
			return err_prefix(r->e, f->name);
		return 0;
	case FIELD_ARRAY: return decode_array(r, f, value, at, field_count(f, data));
	}
	return 0;
}

static bool is_known(const char *key, const struct fields *fields, const char *const *others)
{
	for (; others && *others; others++)
		if (strcmp(*others, key) == 0)
			return true;
	for (unsigned i = 0; i < fields->n; i++)
		if (strcmp(fields->list[i].name, key) == 0)
			return true;
	return false;
}

int codec_decode(const json_t *object, const struct fields *fields, const char *const *others,
		 void *data, struct arena *a, struct err *e)
{
	struct reader r = {a, e};
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return err_set(e, ERR_USAGE, "not a JSON object");
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
		if (!is_known(key, fields, others))
			return err_set(e, ERR_USAGE, "'%s' is nothing that this version knows",
				       text_clean(a, key, strlen(key), KEY_SHOWN_MAX));
	for (unsigned i = 0; i < fields->n; i++) {
		const struct field *f = &fields->list[i];
		const json_t *member = json_object_get(object, f->name);
		if (member && decode_field(&r, f, member, data) != 0)
			return -1;
		if (!member && f->required)
			return err_set(e, ERR_USAGE, "%s: missing", f->name);
	}
	return 0;
}
