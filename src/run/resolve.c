/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "run/dns.h"

#define EXPLAIN_NS (2 * NS_PER_S) /* for finding out why, where the C library did not say */

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

/* The C library has one word for every trouble with a resolver: ask once more, and look. */
static int explain(const char *name, int64_t deadline_ns, struct err *e)
{
	int64_t until = clock_mono_ns() + EXPLAIN_NS;
	enum dns_status status = DNS_FAILED;
	struct dns *d = NULL;
	char why[200] = "";

	if (dns_open(&d, NULL, e) == 0)
		status = dns_explain(d, name, until < deadline_ns ? until : deadline_ns, why,
				     sizeof(why));
	dns_close(d);
	switch (status) {
	case DNS_BOGUS:
		return err_set(e, ERR_USAGE, "DNSSEC validation fails%s%s", *why ? ": " : "", why);
	case DNS_SILENT:
		return err_set(e, ERR_USAGE, "the resolver does not answer");
	case DNS_NO_NAME:
		return err_set(e, ERR_USAGE, "no such name");
	case DNS_FOUND: /* better luck now: but not what this host's programs were given */
	case DNS_NO_DATA:
	case DNS_FAILED:
	case DNS_STATUS_COUNT:
		break;
	}
	return err_set(e, ERR_USAGE, "the resolver reports a failure");
}

static int failed(int status, int error, const char *name, int64_t deadline_ns, struct err *e)
{
	switch (status) {
	case EAI_AGAIN:
	case EAI_FAIL:
		return explain(name, deadline_ns, e);
	case EAI_NONAME:
		return err_set(e, ERR_USAGE, "no such name");
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return err_set(e, ERR_USAGE, "it has no address");
	case EAI_SYSTEM:
		return err_set(e, ERR_USAGE, "%s", strerror(error));
	default:
		return err_set(e, ERR_USAGE, "%s", gai_strerror(status));
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
			return err_set(e, ERR_USAGE, "the resolver does not answer");
		}
		gai_suspend(wait_list, 1, &ts);
		status = 0;
	}
	if (status == 0) {
		take_family(r->cb.ar_result, AF_INET, out);
		take_family(r->cb.ar_result, AF_INET6, out);
	}
	int error = errno;
	freeaddrinfo(r->cb.ar_result);
	free(r);
	if (status == 0 && out->n == 0)
		return err_set(e, ERR_USAGE, "it has no address");
	return status == 0 ? 0 : failed(status, error, name, deadline_ns, e);
}
