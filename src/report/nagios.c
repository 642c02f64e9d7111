/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/nagios.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "report/phrase.h"

#define LINE_MAX_BYTES 400
#define PERF_MAX 60 /* values */

struct nagios {
	struct arena arena;
	enum nagios_status worst;
	unsigned n;             /* reports and errors */
	unsigned by_status[4];
	const char *headline;   /* of the worst so far */
	const char *details[4][NAGIOS_DETAILS_MAX]; /* by status */
	const char *perf;
	unsigned n_perf;
};

struct nagios *nagios_new(void)
{
	struct nagios *n = xcalloc(1, sizeof(*n));

	n->perf = "";
	return n;
}

void nagios_free(struct nagios *n)
{
	if (!n)
		return;
	arena_clear(&n->arena);
	free(n);
}

/* Of one line, without what has a meaning to the plugin's host. */
static const char *plain(struct arena *a, const char *s)
{
	char *text = arena_strdup(a, text_clean(a, s, strlen(s), LINE_MAX_BYTES));

	for (char *p = text; *p; p++)
		if (*p == '|')
			*p = '/';
	return text;
}

/* Labels of performance data stand in quotes. */
static const char *label(struct arena *a, const char *s)
{
	char *text = arena_strdup(a, plain(a, s));

	for (char *p = text; *p; p++)
		if (*p == '\'' || *p == '=' || *p == '"')
			*p = '_';
	return text;
}

/* A worse one first: UNKNOWN is no worse than what is known to be broken. */
static int badness(enum nagios_status s)
{
	static const int order[] = {
		[NAGIOS_OK] = 0, [NAGIOS_WARNING] = 1, [NAGIOS_UNKNOWN] = 2, [NAGIOS_CRITICAL] = 3};

	return order[s];
}

static enum nagios_status worse(enum nagios_status a, enum nagios_status b)
{
	return badness(a) > badness(b) ? a : b;
}

/* 4yz is a refusal for now (RFC 5321 section 4.2.1): a greylist, a limit, a busy server. */
static enum nagios_status status_of_port(const struct report_port *p)
{
	const struct culprit *c = p->n_findings ? &p->findings[0].culprit : NULL;

	switch (p->state) {
	case STATE_OPEN:
		/* who asks for a login is not to read OK of one that nobody tried */
		return p->login.asked && !p->login.works ? NAGIOS_WARNING : NAGIOS_OK;
	case STATE_INCONCLUSIVE:
		return NAGIOS_UNKNOWN;
	case STATE_REJECTED:
		return c && c->code >= 400 && c->code < 500 ? NAGIOS_WARNING : NAGIOS_CRITICAL;
	default:
		return NAGIOS_CRITICAL;
	}
}

static void add_line(struct nagios *n, enum nagios_status s, const char *line)
{
	if (n->n == 0 || badness(s) > badness(n->worst)) {
		n->worst = s;
		n->headline = line;
	}
	if (n->by_status[s] < NAGIOS_DETAILS_MAX)
		n->details[s][n->by_status[s]] = line;
	n->by_status[s]++;
	n->n++;
}

static void add_perf(struct nagios *n, const char *who, const struct report_port *p)
{
	struct arena *a = &n->arena;

	if (n->n_perf + 2 > PERF_MAX)
		return;
	n->perf = arena_printf(a, "%s '%s %u open'=%d;;;0;1", n->perf, who, p->port, p->state == STATE_OPEN);
	n->n_perf++;
	if (p->connect_ms >= 0 && p->state == STATE_OPEN) {
		n->perf = arena_printf(a, "%s '%s %u connect'=%.1fms;;;0", n->perf, who, p->port, p->connect_ms);
		n->n_perf++;
	}
}

void nagios_add(struct nagios *n, const struct report *r)
{
	enum nagios_status s = NAGIOS_OK;
	char address[ADDR_TEXT_MAX];
	struct arena *a = &n->arena;

	addr_text(&r->target, address);
	const char *input = r->target_input ? r->target_input : address;
	bool same = strcmp(input, address) == 0;
	const char *who = same ? address : arena_printf(a, "%s [%s]", plain(a, input), address);
	const char *values = same ? address : arena_printf(a, "%s %s", input, address);
	if (r->way) {
		who = arena_printf(a, "%s by %s", who, r->way);
		values = arena_printf(a, "%s %s", values, r->way);
	}
	for (unsigned i = 0; i < r->n_ports; i++) {
		s = worse(s, status_of_port(&r->ports[i]));
		add_perf(n, label(a, values), &r->ports[i]);
	}
	add_line(n, s, arena_printf(a, "%s: %s", who, plain(a, r->summary ? r->summary : "")));
}

void nagios_add_error(struct nagios *n, const char *input, const char *why)
{
	struct arena *a = &n->arena;

	add_line(n, NAGIOS_UNKNOWN, arena_printf(a, "%s: %s", plain(a, input), plain(a, why)));
}

static const char *const words[] = {
	[NAGIOS_OK] = "OK", [NAGIOS_WARNING] = "WARNING", [NAGIOS_CRITICAL] = "CRITICAL", [NAGIOS_UNKNOWN] = "UNKNOWN"};

int nagios_finish(const struct nagios *n, FILE *out)
{
	static const enum nagios_status order[] = {NAGIOS_CRITICAL, NAGIOS_UNKNOWN, NAGIOS_WARNING, NAGIOS_OK};
	unsigned told = 0;

	if (n->n == 0)
		return nagios_failed("no target was judged", out);
	fprintf(out, "SMTPBLAME %s - %s", words[n->worst], n->headline);
	if (n->n > 1)
		fprintf(out, " (%u of %u are not OK)", n->n - n->by_status[NAGIOS_OK], n->n);
	if (n->perf[0])
		fprintf(out, " |%s", n->perf);
	fputc('\n', out);
	for (unsigned i = 0; n->n > 1 && i < 4; i++)
		for (unsigned k = 0; k < n->by_status[order[i]] && k < NAGIOS_DETAILS_MAX && told < NAGIOS_DETAILS_MAX; k++, told++)
			fprintf(out, "%s: %s\n", words[order[i]], n->details[order[i]][k]);
	if (n->n > 1 && told < n->n)
		fprintf(out, "and %u more\n", n->n - told);
	return fflush(out) != 0 || ferror(out) ? -1 : (int)n->worst;
}

int nagios_failed(const char *why, FILE *out)
{
	struct arena a = {0};

	fprintf(out, "SMTPBLAME UNKNOWN - %s\n", plain(&a, why));
	arena_clear(&a);
	return fflush(out) != 0 || ferror(out) ? -1 : NAGIOS_UNKNOWN;
}
