/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"

struct host_record watch_record(enum host_record_kind kind)
{
	struct host_record r;

	memset(&r, 0, sizeof(r)); /* all of it: it crosses a socket as bytes */
	r.t_ns = clock_wall_ns();
	r.kind = kind;
	return r;
}

void watch_not_looked(host_emit *emit, void *arg, enum host_look what, const char *fmt, ...)
{
	struct host_record r = watch_record(HOST_NOT_LOOKED);
	va_list ap;

	r.not_looked.what = what;
	va_start(ap, fmt);
	vsnprintf(r.not_looked.why, sizeof(r.not_looked.why), fmt, ap);
	va_end(ap);
	emit(arg, &r);
}

void watch_interface(char out[IFNAMSIZ], unsigned ifindex)
{
	char name[IFNAMSIZ];

	out[0] = '\0';
	if (ifindex && if_indextoname(ifindex, name))
		watch_text(out, IFNAMSIZ, name, strlen(name));
}

void watch_text(char *out, size_t size, const char *bytes, size_t len)
{
	struct arena a = {0};
	const char *clean = text_clean(&a, bytes, len, len);
	size_t n = strlen(clean);

	if (n < size) {
		memcpy(out, clean, n + 1);
	} else {
		n = size - 4;
		while (n && (clean[n] & 0xc0) == 0x80) /* not within a character */
			n--;
		memcpy(out, clean, n);
		memcpy(out + n, "...", 4);
	}
	arena_clear(&a);
}
