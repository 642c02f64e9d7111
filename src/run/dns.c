/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/dns.h"

#ifdef SMTPBLAME_DNS /* else dns_none.c */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unbound.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "probe/tls.h"

#define CLASS_IN 1
enum rr_type {
	TYPE_A = 1,
	TYPE_SOA = 6,
	TYPE_MX = 15,
	TYPE_TXT = 16,
	TYPE_AAAA = 28,
	TYPE_TLSA = 52,
};
enum rcode { RCODE_OK = 0, RCODE_NXDOMAIN = 3 };

#define MAX_NAMESERVERS 3              /* as many as the C library asks (resolv.conf(5)) */
#define MAX_LINES       1000           /* of a resolv.conf */
#define MAX_RECORDS     256            /* of one answer that are looked at */
#define CHECK_GRACE_NS  (1 * NS_PER_S) /* how long signatures may hold up an answer */

/*
 * Two contexts: one checks signatures, the other takes what the resolvers say.
 * A resolver that strips signatures makes everything bogus to the first, and
 * must not make plain answers disappear.
 */
struct dns {
	struct ub_ctx *plain, *checked; /* checked: NULL without a trust anchor */
	bool no_resolver;               /* none is named, and this host has none of its own */
	int root_passes;                /* do the resolvers pass signatures on? -1: not asked yet */
};

/* One question to one context. */
struct query {
	bool asked, done;
	int id, error;
	struct ub_result *result;
};

/* One question to both, and what came of it. */
struct lookup {
	char name[DNS_NAME_MAX + 32]; /* with room for a prefix like _25._tcp. */
	enum rr_type type;
	struct query plain, checked;
	enum dns_status status;
	enum dns_trust trust;
	const struct ub_result *answer; /* when DNS_FOUND */
};

/* ---- opening ---- */

static const char *const anchor_places[] = {
	"/usr/share/dns/root.key",   /* dns-root-data */
	"/var/lib/unbound/root.key", /* unbound-anchor */
	"/etc/unbound/root.key",
};

static const char *find_anchor(void)
{
	for (size_t i = 0; i < sizeof(anchor_places) / sizeof(anchor_places[0]); i++)
		if (access(anchor_places[i], R_OK) == 0)
			return anchor_places[i];
	return NULL;
}

/* The kernel tells at once when nobody listens on loopback: reading gets the error of what was sent,
 * a question for the root's name servers. */
static bool is_silent_loopback(const struct addr *a)
{
	static const uint8_t question[] = {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1};
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(a, 53, &sa);
	char answer;
	int fd = addr_is_loopback(a) ? socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
				     : -1;
	bool refused = fd >= 0 && connect(fd, (struct sockaddr *)&sa, len) == 0 &&
		       send(fd, question, sizeof(question), 0) > 0 &&
		       recv(fd, &answer, 1, 0) < 0 && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return refused;
}

/* The C library's rules: without a nameserver it is this host's own. libunbound by itself would
 * then go and ask the root servers. */
static int set_resolvers(struct ub_ctx *ctx, bool *none)
{
	FILE *f = fopen("/etc/resolv.conf", "re");
	char line[512], word[ADDR_TEXT_MAX];
	struct addr a = addr_v4("\x7f\0\0\1");
	unsigned n = 0, silent = 0;

	for (int i = 0; f && i < MAX_LINES && n < MAX_NAMESERVERS && fgets(line, sizeof(line), f);
	     i++)
		if (sscanf(line, "nameserver %79s", word) == 1 && addr_parse(&a, word) &&
		    ub_ctx_set_fwd(ctx, addr_text(&a, word)) == 0) {
			n++;
			silent += is_silent_loopback(&a);
		}
	if (f)
		fclose(f);
	*none = n ? silent == n : is_silent_loopback(&a);
	return n > 0 ? 0 : ub_ctx_set_fwd(ctx, "127.0.0.1");
}

static struct ub_ctx *open_context(const char *anchor_file, bool *no_resolver)
{
	struct ub_ctx *ctx = ub_ctx_create();
	/* Names for private use, which libunbound otherwise denies by itself: whether there are
	 * any is for the resolvers to say. */
	static const char *const own_zones[] = {"test.", "home.arpa.", "invalid.", "onion."};

	if (!ctx)
		return NULL;
	ub_ctx_debugout(ctx, NULL); /* standard error is for our own words */
	int failed = ub_ctx_async(ctx, 1) || set_resolvers(ctx, no_resolver) ||
		     ub_ctx_set_option(ctx, "do-not-query-localhost:", "no") ||
		     (anchor_file ? ub_ctx_add_ta_file(ctx, anchor_file)
				  : ub_ctx_set_option(ctx, "module-config:", "iterator"));
	for (size_t i = 0; i < sizeof(own_zones) / sizeof(own_zones[0]); i++)
		failed = failed || ub_ctx_zone_add(ctx, own_zones[i], "nodefault");
	if (failed) {
		ub_ctx_delete(ctx);
		return NULL;
	}
	return ctx;
}

int dns_open(struct dns **out, const char *anchor_file, struct err *e)
{
	struct dns *d;

	*out = NULL;
	if (anchor_file && access(anchor_file, R_OK) != 0)
		return err_set(e, ERR_USAGE, "%s: %s", anchor_file, strerror(errno));
	if (!anchor_file)
		anchor_file = find_anchor();
	d = xcalloc(1, sizeof(*d));
	d->root_passes = -1;
	d->plain = open_context(NULL, &d->no_resolver);
	if (anchor_file)
		d->checked = open_context(anchor_file, &d->no_resolver);
	if (!d->plain) {
		dns_close(d);
		return err_set(e, ERR_RUN, "libunbound cannot be started");
	}
	*out = d;
	return 0;
}

void dns_close(struct dns *d)
{
	if (!d)
		return;
	if (d->checked)
		ub_ctx_delete(d->checked);
	if (d->plain)
		ub_ctx_delete(d->plain);
	free(d);
}

/* ---- asking ---- */

static void answered(void *mydata, int error, struct ub_result *result)
{
	struct query *q = mydata;

	q->done = true;
	q->error = error;
	q->result = result;
}

static void ask(struct ub_ctx *ctx, struct query *q, const char *name, enum rr_type type)
{
	if (!ctx)
		return;
	q->asked = ub_resolve_async(ctx, name, (int)type, CLASS_IN, q, answered, &q->id) == 0;
}

static bool pending(const struct query *q)
{
	return q->asked && !q->done;
}

static void wait_for_more(const struct dns *d, int64_t deadline_ns)
{
	int64_t left = deadline_ns - clock_mono_ns();
	struct pollfd fds[2] = {
		{.fd = ub_fd(d->plain), .events = POLLIN},
		{.fd = d->checked ? ub_fd(d->checked) : -1, .events = POLLIN},
	};
	int ms = left <= 0 ? 0 : left / NS_PER_MS > 60000 ? 60000 : (int)(left / NS_PER_MS) + 1;

	if (poll(fds, 2, ms) <= 0)
		return;
	if (fds[0].revents)
		ub_process(d->plain);
	if (fds[1].revents)
		ub_process(d->checked);
}

/* All plain answers have come, and those with checked signatures, or these had their time. */
static bool nothing_pending(const struct lookup *l, unsigned n, int64_t *grace_end)
{
	bool plain = false, checked = false;
	int64_t now = clock_mono_ns();

	for (unsigned i = 0; i < n; i++) {
		plain = plain || pending(&l[i].plain);
		checked = checked || pending(&l[i].checked);
	}
	if (!plain && *grace_end == 0)
		*grace_end = now + CHECK_GRACE_NS;
	return !plain && (!checked || now >= *grace_end);
}

static void wait_for_answers(const struct dns *d, struct lookup *l, unsigned n, int64_t deadline_ns)
{
	int64_t grace_end = 0;

	while (!nothing_pending(l, n, &grace_end) && clock_mono_ns() < deadline_ns)
		wait_for_more(d, grace_end && grace_end < deadline_ns ? grace_end : deadline_ns);
}

static void give_up(struct ub_ctx *ctx, struct query *q)
{
	if (pending(q))
		ub_cancel(ctx, q->id); /* its callback is not called any more */
	q->asked = false;
}

static bool usable(const struct query *q)
{
	return q->result && (q->result->rcode == RCODE_OK || q->result->rcode == RCODE_NXDOMAIN);
}

static bool is_bogus(const struct query *q)
{
	return q->result && q->result->bogus;
}

/* Whether the resolvers pass on what a validator needs: the root zone always validates then. */
static bool root_passes(struct dns *d, int64_t deadline_ns)
{
	struct query q = {0};

	if (d->root_passes >= 0 || !d->checked)
		return d->root_passes > 0;
	ask(d->checked, &q, ".", TYPE_SOA);
	while (pending(&q) && clock_mono_ns() < deadline_ns)
		wait_for_more(d, deadline_ns);
	if (q.done)
		d->root_passes = q.result && q.result->secure;
	give_up(d->checked, &q);
	ub_resolve_free(q.result);
	return d->root_passes > 0;
}

static enum dns_status status_of(const struct ub_result *r)
{
	return r->havedata                                 ? DNS_FOUND
	       : r->nxdomain || r->rcode == RCODE_NXDOMAIN ? DNS_NO_NAME
							   : DNS_NO_DATA;
}

static void conclude(struct dns *d, struct lookup *l, int64_t deadline_ns)
{
	bool bogus = is_bogus(&l->checked) && root_passes(d, deadline_ns);

	if (usable(&l->checked) && !l->checked.result->bogus) {
		l->answer = l->checked.result;
		l->trust = l->answer->secure ? DNS_SECURE : DNS_UNSIGNED;
	} else if (usable(&l->plain)) {
		l->answer = l->plain.result;
		l->trust = bogus ? DNS_FORGED : DNS_UNCHECKED;
	}
	l->status = l->answer ? status_of(l->answer)
		    /* a resolver that is silent may have kept back what would validate, too */
		    : bogus && l->plain.result          ? DNS_BOGUS
		    : l->plain.result || l->plain.error ? DNS_FAILED
							: DNS_SILENT;
}

static void ask_all(struct dns *d, struct lookup *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		ask(d->plain, &l[i].plain, l[i].name, l[i].type);
		ask(d->checked, &l[i].checked, l[i].name, l[i].type);
	}
}

static void conclude_all(struct dns *d, struct lookup *l, unsigned n, int64_t deadline_ns)
{
	for (unsigned i = 0; i < n; i++) {
		give_up(d->plain, &l[i].plain);
		give_up(d->checked, &l[i].checked);
	}
	for (unsigned i = 0; i < n; i++)
		conclude(d, &l[i], deadline_ns);
}

static void lookup_all(struct dns *d, struct lookup *l, unsigned n, int64_t deadline_ns)
{
	ask_all(d, l, n);
	wait_for_answers(d, l, n, deadline_ns);
	conclude_all(d, l, n, deadline_ns);
}

static void lookup_free(struct lookup *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		ub_resolve_free(l[i].plain.result);
		ub_resolve_free(l[i].checked.result);
	}
}

static struct lookup make_lookup(enum rr_type type, const char *prefix, const char *name)
{
	struct lookup l = {.type = type};

	snprintf(l.name, sizeof(l.name), "%s%s", prefix, name);
	return l;
}

/* The data of the record number i, or NULL behind the last. */
static const uint8_t *record(const struct lookup *l, unsigned i, size_t *len)
{
	if (!l->answer || i >= MAX_RECORDS || !l->answer->data || !l->answer->data[i] ||
	    l->answer->len[i] < 0)
		return NULL;
	*len = (size_t)l->answer->len[i];
	return (const uint8_t *)l->answer->data[i];
}

/* The validator's words hold names as they came. */
static void copy_clean(char *out, size_t size, const char *words)
{
	struct arena a = {0};

	snprintf(out, size, "%s", words ? text_clean(&a, words, strlen(words), size - 1) : "");
	arena_clear(&a);
}

/* ---- exchangers ---- */

static int take_exchangers(const struct lookup *l, struct dns_mx *out, struct err *e)
{
	const uint8_t *data;
	bool null_mx = false;
	size_t len;

	for (unsigned i = 0; (data = record(l, i, &len)); i++)
		dns_mx_add(out, data, len, &null_mx);
	if (out->n > 0)
		return 0;
	if (null_mx)
		return err_set(e, ERR_USAGE, "it accepts no mail (null MX, RFC 7505)");
	return err_set(e, ERR_USAGE, "none of its MX records names a host");
}

static int failure_words(const struct lookup *l, struct err *e)
{
	char why[200] = "";

	switch (l->status) {
	case DNS_NO_NAME: return err_set(e, ERR_USAGE, "no such domain");
	case DNS_BOGUS:
		copy_clean(why, sizeof(why), l->checked.result->why_bogus);
		return err_set(e, ERR_USAGE, "DNSSEC validation fails%s%s", *why ? ": " : "", why);
	case DNS_FAILED: return err_set(e, ERR_USAGE, "the resolver reports a failure");
	case DNS_SILENT: return err_set(e, ERR_USAGE, "the resolver does not answer");
	case DNS_FOUND:
	case DNS_NO_DATA:
	case DNS_STATUS_COUNT: break;
	}
	return err_set(e, ERR_USAGE, "no answer");
}

static void copy_domain(char out[DNS_NAME_MAX], const char *domain)
{
	size_t n = strlen(domain);

	n -= n > 1 && domain[n - 1] == '.';
	memcpy(out, domain, n);
	out[n] = '\0';
}

int dns_mx(struct dns *d, const char *domain, int64_t deadline_ns, struct dns_mx *out,
	   struct err *e)
{
	struct lookup l = make_lookup(TYPE_MX, "", domain);
	int result;

	*out = (struct dns_mx){0};
	if (strlen(domain) >= DNS_NAME_MAX)
		return err_set(e, ERR_USAGE, "no such domain");
	lookup_all(d, &l, 1, deadline_ns);
	out->trust = l.trust;
	if (l.status == DNS_FOUND) {
		result = take_exchangers(&l, out, e);
	} else if (l.status == DNS_NO_DATA) {
		out->implicit = true;
		out->n = 1;
		copy_domain(out->list[0].name, domain);
		result = 0;
	} else {
		result = failure_words(&l, e);
	}
	lookup_free(&l, 1);
	return result;
}

/* ---- why a name has no address ---- */

enum dns_status dns_explain(struct dns *d, const char *name, int64_t deadline_ns, char *why,
			    size_t why_size)
{
	struct lookup l[2] = {make_lookup(TYPE_A, "", name), make_lookup(TYPE_AAAA, "", name)};
	enum dns_status status;

	why[0] = '\0';
	if (strlen(name) >= DNS_NAME_MAX)
		return DNS_NO_NAME;
	lookup_all(d, l, 2, deadline_ns);
	/* an address counts, of either family; else what is said of IPv4 */
	status = l[0].status == DNS_FOUND || l[1].status == DNS_FOUND ? DNS_FOUND : l[0].status;
	if (status == DNS_BOGUS)
		copy_clean(why, why_size, l[0].checked.result->why_bogus);
	lookup_free(l, 2);
	return status;
}

/* ---- what the DNS promises ---- */

static void take_tlsa(const struct lookup *l, struct dns_facts *out)
{
	const uint8_t *data;
	size_t len;

	for (unsigned i = 0; out->n_tlsa < DNS_MAX_TLSA && (data = record(l, i, &len)); i++) {
		struct dns_tlsa *t = &out->tlsa[out->n_tlsa];
		if (len < 4)
			continue;
		*t = (struct dns_tlsa){data[0], data[1], data[2], (uint16_t)(len - 3), {0}};
		if (t->matching == 0)
			tls_sha256(data + 3, t->len, t->data);
		else
			memcpy(t->data, data + 3,
			       t->len < DNS_TLSA_DATA_MAX ? t->len : DNS_TLSA_DATA_MAX);
		out->n_tlsa++;
	}
}

/* Records that do not begin with v=STSv1 are somebody else's; of several policies none holds. */
static void take_mta_sts(const struct lookup *l, struct dns_facts *out)
{
	const uint8_t *data;
	unsigned n = 0;
	size_t len;

	for (unsigned i = 0; (data = record(l, i, &len)); i++)
		n += dns_mta_sts_parse(data, len, out->mta_sts_id);
	out->mta_sts = n == 1;
	if (n != 1)
		out->mta_sts_id[0] = '\0';
}

/* ---- several questions at once ---- */

#define QUESTIONS_MAX 3

struct dns_pending {
	struct lookup lookups[QUESTIONS_MAX];
	enum dns_record record[QUESTIONS_MAX];
	unsigned n;
	struct query root; /* answers what d->root_passes is about */
	int64_t grace_end;
};

static void add_question(struct dns_pending *p, enum dns_record record, enum rr_type type,
			 const char *prefix, const char *name)
{
	p->record[p->n] = record;
	p->lookups[p->n++] = make_lookup(type, prefix, name);
}

struct dns_pending *dns_begin(struct dns *d, const struct dns_question *q)
{
	char prefix[24];

	if (d->no_resolver || strlen(q->name) >= DNS_NAME_MAX || (q->domain && strlen(q->domain) >= DNS_NAME_MAX))
		return NULL;
	struct dns_pending *p = xcalloc(1, sizeof(*p));
	snprintf(prefix, sizeof(prefix), "_%u._tcp.", q->port);
	if (q->address != ADDR_NONE)
		add_question(p, DNS_RECORD_CHECKED, q->address == ADDR_V4 ? TYPE_A : TYPE_AAAA, "",
			     q->name);
	if (q->port)
		add_question(p, DNS_RECORD_TLSA, TYPE_TLSA, prefix, q->name);
	if (q->domain)
		add_question(p, DNS_RECORD_MTA_STS, TYPE_TXT, "_mta-sts.", q->domain);
	ask_all(d, p->lookups, p->n);
	/* a signature that does not hold means something only where others do */
	if (d->root_passes < 0)
		ask(d->checked, &p->root, ".", TYPE_SOA);
	return p;
}

bool dns_step(struct dns *d, struct dns_pending *p)
{
	bool bogus = false;

	wait_for_more(d, 0);
	if (!nothing_pending(p->lookups, p->n, &p->grace_end))
		return false;
	for (unsigned i = 0; i < p->n; i++)
		bogus = bogus || is_bogus(&p->lookups[i].checked);
	/* what that is worth, the root's answer tells: conclude() */
	return !bogus || !pending(&p->root) || clock_mono_ns() >= p->grace_end;
}

static void take_answer(struct lookup *l, enum dns_record record, struct dns_facts *out)
{
	out->said[record] = (struct dns_said){true, l->status, l->trust};
	if (record == DNS_RECORD_TLSA)
		take_tlsa(l, out);
	else if (record == DNS_RECORD_MTA_STS)
		take_mta_sts(l, out);
}

void dns_end(struct dns *d, struct dns_pending *p, struct dns_facts *out)
{
	*out = (struct dns_facts){0};
	if (p->root.done && d->root_passes < 0)
		d->root_passes = p->root.result && p->root.result->secure;
	give_up(d->checked, &p->root);
	ub_resolve_free(p->root.result);
	conclude_all(d, p->lookups, p->n, 0);
	for (unsigned i = 0; i < p->n; i++)
		take_answer(&p->lookups[i], p->record[i], out);
	lookup_free(p->lookups, p->n);
	free(p);
}

#endif
