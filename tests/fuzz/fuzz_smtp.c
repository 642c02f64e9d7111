/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One byte chooses the split pattern; the rest is what the server says, reply after reply. The
 * replies must be the same in one piece and in many. */
#include <stdlib.h>
#include <string.h>

#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_same(const struct smtp_parser *a, const struct smtp_parser *b)
{
	require(a->status == b->status && a->code == b->code && a->n_lines == b->n_lines);
	require(a->bare_lf == b->bare_lf && a->mixed_codes == b->mixed_codes);
	require(a->text_cut == b->text_cut && a->text_len == b->text_len);
	require(memcmp(a->text, b->text, a->text_len) == 0);
	require(a->bytes == b->bytes);
}

static void check(const struct smtp_parser *p)
{
	require(p->text_len <= SMTP_TEXT_MAX && p->line_len <= SMTP_LINE_MAX);
	require(p->bytes <= SMTP_REPLY_BYTES_MAX && p->n_lines <= SMTP_LINES_MAX);
	if (p->status == SMTP_REPLY)
		require(p->code >= 200 && p->code <= 599 && p->n_lines >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_parser whole, parts;

	if (size < 1)
		return 0;
	size_t step = data[0] ? data[0] : 1;
	const uint8_t *bytes = data + 1;
	size_t len = size - 1;

	do {
		size_t used, part_used, total = 0;

		smtp_parser_init(&whole);
		smtp_parser_init(&parts);
		smtp_feed(&whole, bytes, len, &used);
		check(&whole);
		do {
			size_t n = len - total < step ? len - total : step;
			smtp_feed(&parts, bytes + total, n, &part_used);
			total += part_used;
		} while (parts.status == SMTP_MORE && total < len);
		check_same(&whole, &parts);
		require(total == used);
		bytes += used;
		len -= used;
	} while (whole.status == SMTP_REPLY && len > 0);
	return 0;
}
