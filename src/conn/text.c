/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "conn/engine_private.h"

size_t text_room(struct engine *e, struct track *t, size_t want)
{
	struct body *b = t->body;
	size_t room = b->text_size - b->text_len, got;

	if (room >= want)
		return room;
	if (b->text_size == CONN_TEXT_MAX) {
		t->text_full = true;
		return room;
	}
	size_t size = b->text_len + want < CONN_TEXT_MAX ? b->text_len + want : CONN_TEXT_MAX;
	char *larger = engine_take_block(e, size, &got);
	if (!larger) {
		t->text_full = true;
		return room;
	}
	if (b->text_size) {
		memcpy(larger, b->text, b->text_len);
		blocks_give(&e->blocks, b->text, b->text_size);
	}
	b->text = larger;
	b->text_size = (uint32_t)got;
	return b->text_size - b->text_len;
}

struct conn_text text_add(struct engine *e, struct track *t, const void *bytes, size_t len)
{
	struct body *b = t->body;

	if (len == 0 || text_room(e, t, len) < len)
		return (struct conn_text){0, 0};
	struct conn_text text = {.at = (uint16_t)b->text_len, .len = (uint16_t)len};
	memcpy(b->text + b->text_len, bytes, len);
	b->text_len += (uint32_t)len;
	return text;
}
