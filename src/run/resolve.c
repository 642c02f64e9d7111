/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

static void take_family(const struct addrinfo *list, int family, struct resolved *out)
{
	for (; list; list = list->ai_next) {
		struct addr a;
		if (list->ai_family != family || out->n == RESOLVE_MAX ||
		    !addr_from_sockaddr(&a, NULL, list->ai_addr))
			continue;
		out->addresses[out->n++] = a;
	}
}

/* The request of a resolver thread that is still at work must stay: it is left to the process. */
struct request {
	struct gaicb cb;
	struct addrinfo hints;
	char name[256];
};

int resolve_name(const char *name, enum addr_family family, int64_t deadline_ns,
		 struct resolved *out, struct err *e)
{
	struct request *r = xcalloc(1, sizeof(*r));
	struct gaicb *list[1] = {&r->cb};
	const struct gaicb *wait_list[1] = {&r->cb};

	out->n = 0;
	strncpy(r->name, name, sizeof(r->name) - 1);
	r->hints.ai_family = family == ADDR_V4 ? AF_INET : family == ADDR_V6 ? AF_INET6 : AF_UNSPEC;
	r->hints.ai_socktype = SOCK_STREAM;
	r->hints.ai_flags = AI_IDN;
	r->cb.ar_name = r->name;
	r->cb.ar_request = &r->hints;
	int status = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
	while (status == 0 && (status = gai_error(&r->cb)) == EAI_INPROGRESS) {
		int64_t left = deadline_ns - clock_mono_ns();
		struct timespec ts = {left / NS_PER_S, left % NS_PER_S};
		if (left <= 0) {
			/* only a request that could be taken back may be freed */
			if (gai_cancel(&r->cb) == EAI_CANCELED)
				free(r);
			return err_set(e, ERR_USAGE, "the resolver did not answer in time");
		}
		gai_suspend(wait_list, 1, &ts);
		status = 0;
	}
	if (status == 0) {
		take_family(r->cb.ar_result, AF_INET, out);
		take_family(r->cb.ar_result, AF_INET6, out);
	} else {
		err_set(e, ERR_USAGE, "%s",
			status == EAI_SYSTEM ? strerror(errno) : gai_strerror(status));
	}
	freeaddrinfo(r->cb.ar_result);
	free(r);
	if (status == 0 && out->n == 0)
		return err_set(e, ERR_USAGE, "it has no address");
	return status == 0 ? 0 : -1;
}
