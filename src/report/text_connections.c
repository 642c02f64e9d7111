/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections of captures for a person: a table, or all about the only one. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stream.h"
#include "base/text.h"
#include "report/connection_words.h"
#include "report/connections.h"
#include "report/pen.h"
#include "report/phrase.h"
#include "report/text_page.h"

#define MIN_WIDTH 40
#define STATE_COLUMN 10
#define TEXT_COLUMN 24
#define LABEL_COLUMN 14
#define GREETING_LEAST 16 /* columns below which a cut greeting says nothing */

struct text_connections {
	FILE *out; /* borrowed */
	struct text_options opt;
	struct arena scratch;
	uint64_t n;
	char *first;    /* the first one in the table, until a second comes */
	char *details;  /* ... and all about it, in case none comes */
	char day[11];   /* of the latest line */
	char *file;     /* of the latest line */
};

struct text_connections *text_connections_new(const struct text_options *opt, FILE *out)
{
	struct text_connections *t = xcalloc(1, sizeof(*t));

	t->out = out;
	t->opt = *opt;
	if (t->opt.width < MIN_WIDTH)
		t->opt.width = MIN_WIDTH;
	return t;
}

void text_connections_free(struct text_connections *t)
{
	if (!t)
		return;
	free(t->first);
	free(t->details);
	free(t->file);
	arena_clear(&t->scratch);
	free(t);
}

static struct pen pen_to(struct text_connections *t, FILE *out)
{
	return (struct pen){.out = out, .scratch = &t->scratch, .colour = t->opt.colour, .width = t->opt.width};
}

/* ---- phrases ---- */

static const char *encryption(struct arena *a, const struct connection *c)
{
	const struct report_tls *t = &c->smtp.tls;

	if (!c->has_smtp)
		return "";
	if (c->smtp.has_tls && t->version)
		return arena_printf(a, ", %s", t->version);
	return same_text(c->smtp.starttls, "offered") ? ", no TLS" : "";
}

/* "220 mx.example.com ESMTP", cut to the columns that are left of the line; "" where those are few. */
static const char *greeting(struct arena *a, const struct connection *c, size_t room)
{
	const struct report_smtp *s = &c->smtp;
	size_t n = 0, seen = 0;

	if (!c->has_smtp || !s->code || room < GREETING_LEAST)
		return "";
	const char *text = arena_printf(a, ", %d %s", s->code, s->banner ? s->banner : "");
	if (text_width(text) <= room)
		return text;
	for (; text[n]; n++)
		if (((unsigned char)text[n] & 0xc0) != 0x80 && seen++ == room - 3)
			break;
	return arena_printf(a, "%.*s...", (int)n, text);
}

/* ---- the table ---- */

static void print_row(struct text_connections *t, FILE *out, const struct connection *c)
{
	struct arena *a = &t->scratch;
	struct pen pen = pen_to(t, out);
	char start[CLOCK_TEXT_MAX];

	clock_utc_text(c->start_ns, start);
	if (strncmp(start, t->day, 10) != 0) {
		memcpy(t->day, start, 10);
		pen_paragraph(&pen, 0, STYLE_BOLD, arena_printf(a, "%.10s, UTC", start));
	}
	pen_start(&pen, 0, TEXT_COLUMN);
	pen_text(&pen, STYLE_PLAIN, "%.8s", start + 11);
	pen_column(&pen, STATE_COLUMN);
	pen_text(&pen, page_state_style(c->state), "%s", state_name(c->state));
	pen_column(&pen, TEXT_COLUMN);
	const char *who = arena_printf(a, "%s > %s%s", connection_endpoint(a, &c->client), connection_endpoint(a, &c->server),
				       c->n_findings == 0 ? encryption(a, c) : "");
	size_t used = TEXT_COLUMN + text_width(who);
	pen_text(&pen, STYLE_PLAIN, "%s", who);
	if (c->n_findings == 0 && used < t->opt.width)
		pen_text(&pen, STYLE_PLAIN, "%s", greeting(a, c, t->opt.width - used));
	for (unsigned i = 0; i < c->n_findings; i++) {
		const struct finding *f = &c->findings[i];
		pen_text(&pen, STYLE_PLAIN, "%s %s", i ? " Then:" : ":", f->summary);
		if (f->place != PLACE_UNKNOWN)
			pen_text(&pen, STYLE_PLAIN, " (At %s: %s)", connection_place(f->place),
				 phrase_confidence(a, f->confidence));
	}
	pen_end(&pen);
}

/* ---- all about one ---- */

static void label(struct pen *pen, const char *name)
{
	pen_start(pen, 2, LABEL_COLUMN);
	pen_text(pen, STYLE_PLAIN, "%s", name);
	pen_column(pen, LABEL_COLUMN);
}

static void labelled(struct pen *pen, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	label(pen, name);
	pen_text(pen, STYLE_PLAIN, "%s", text);
	pen_end(pen);
}

static void heading(struct pen *pen, const char *text)
{
	pen_blank(pen);
	pen_paragraph(pen, 0, STYLE_BOLD, text);
}

static void print_remedy(struct pen *pen, const char *text)
{
	/* a command has a line of its own, for copying */
	if (group_is_command(text))
		pen_code(pen, PEN_CODE_INDENT, text);
	else
		pen_advice(pen, text);
}

static void print_finding(struct text_connections *t, struct pen *pen, const struct finding *f)
{
	struct arena *a = &t->scratch;
	bool own_words = f->culprit.kind == CULPRIT_SERVER && f->culprit.code;

	pen_blank(pen);
	labelled(pen, "What", phrase_mechanism(f->mechanism));
	label(pen, "Where");
	pen_text(pen, STYLE_BOLD, "%s", connection_place(f->place));
	if (f->place != PLACE_UNKNOWN)
		pen_text(pen, STYLE_PLAIN, ", %s", phrase_confidence(a, f->confidence));
	if (f->n_candidates > 1)
		pen_text(pen, STYLE_PLAIN, "; else %s", connection_candidates(a, f));
	pen_end(pen);
	labelled(pen, own_words ? "Its words" : "Why", f->culprit.text);
	if (f->direction == DIR_INBOUND)
		labelled(pen, "Direction", "from the server to the client");
	if (f->n_remedy > 0)
		heading(pen, "What to do");
	for (unsigned i = 0; i < f->n_remedy; i++)
		print_remedy(pen, f->remedy[i]);
}

static void print_lines(struct pen *pen, const char *title, const struct group_line *lines, unsigned n)
{
	if (n)
		heading(pen, title);
	for (unsigned i = 0; i < n; i++)
		labelled(pen, lines[i].label, lines[i].text);
}

static void print_evidence(struct text_connections *t, struct pen *pen, const struct connection *c)
{
	struct arena *a = &t->scratch;

	if (c->n_evidence > 0)
		heading(pen, "Evidence");
	for (unsigned i = 0; i < c->n_evidence; i++) {
		const struct report_evidence *e = &c->evidence[i];
		const char *ms = arena_printf(a, "%.1f ms", e->t_ms);
		size_t width = strlen(ms);
		pen_start(pen, 2, 20);
		pen_text(pen, STYLE_PLAIN, "e%u", e->number);
		pen_column(pen, 5 + (width < 13 ? 13 - (unsigned)width : 0));
		pen_text(pen, STYLE_PLAIN, "%s", ms);
		pen_column(pen, 20);
		pen_text(pen, STYLE_PLAIN, "%s", e->text);
		pen_end(pen);
	}
}

static void print_details(struct text_connections *t, FILE *out, const struct connection *c)
{
	struct arena *a = &t->scratch;
	struct pen pen = pen_to(t, out);
	const struct group_line *lines;
	unsigned n;

	pen_start(&pen, 0, 2);
	pen_text(&pen, STYLE_BOLD, "%s > %s:", connection_endpoint(a, &c->client), connection_endpoint(a, &c->server));
	pen_text(&pen, STYLE_PLAIN, " ");
	pen_text(&pen, page_state_style(c->state), "%s", state_name(c->state));
	pen_text(&pen, STYLE_PLAIN, ". %s", c->summary);
	pen_end(&pen);
	pen_blank(&pen);
	labelled(&pen, "Seen", connection_seen(a, c));
	labelled(&pen, "File", c->file);
	for (unsigned i = 0; i < c->n_findings; i++)
		print_finding(t, &pen, &c->findings[i]);
	n = connection_smtp(a, c, &lines);
	print_lines(&pen, "What was said", lines, n);
	print_evidence(t, &pen, c);
	n = c->pair ? connection_other_point(a, c->pair, &lines) : 0;
	print_lines(&pen, "The other capture point", lines, n);
}

/* ---- one by one ---- */

typedef void print_fn(struct text_connections *t, FILE *out, const struct connection *c);

static char *printed(struct text_connections *t, print_fn *print, const struct connection *c)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = stream_to_memory(&text, &size);

	print(t, out, c);
	stream_to_memory_end(out, &text);
	return text;
}

static void print_first(struct text_connections *t, const char *text)
{
	if (text)
		fputs(text, t->out);
	free(t->first);
	free(t->details);
	t->first = t->details = NULL;
}

static void new_file(struct text_connections *t, const struct connection *c)
{
	struct pen pen = pen_to(t, t->out);

	if (t->file && strcmp(t->file, c->file) == 0)
		return;
	if (t->file) {
		pen_blank(&pen);
		pen_paragraph(&pen, 0, STYLE_BOLD, c->file);
		memset(t->day, 0, sizeof(t->day));
	}
	free(t->file);
	t->file = xstrdup(c->file);
}

void text_connection(struct text_connections *t, const struct connection *c)
{
	arena_reset(&t->scratch);
	if (t->n++ == 0 && !t->opt.verbose) {
		t->first = printed(t, print_row, c);
		t->details = printed(t, print_details, c);
		t->file = xstrdup(c->file);
		return;
	}
	print_first(t, t->first);
	new_file(t, c);
	if (t->opt.verbose) {
		if (t->n > 1)
			fputc('\n', t->out);
		print_details(t, t->out, c);
	} else {
		print_row(t, t->out, c);
	}
	if (strcmp(c->file, "-") == 0)
		fflush(t->out); /* somebody may be watching a pipe */
}

/* ---- the end ---- */

static void print_counts(struct text_connections *t, struct pen *pen, const struct read_summary *s)
{
	struct arena *a = &t->scratch;
	bool begun = false;

	pen_start(pen, 0, 2);
	pen_text(pen, STYLE_BOLD, "%s", connection_count(a, s));
	pen_text(pen, STYLE_PLAIN, "%s", connection_count_of(a, s));
	for (int i = 0; i < STATE_COUNT; i++) {
		if (!s->states[i])
			continue;
		pen_text(pen, STYLE_PLAIN, begun ? ", " : ": ");
		pen_text(pen, page_state_style((enum state)i), "%llu %s", (unsigned long long)s->states[i],
			 state_name((enum state)i));
		begun = true;
	}
	pen_end(pen);
}

static void print_group(struct text_connections *t, struct pen *pen, const struct read_group *g)
{
	struct arena *a = &t->scratch;
	const char *number = arena_printf(a, "%llu", (unsigned long long)g->connections);
	size_t width = strlen(number);

	pen_start(pen, width < 10 ? 10 - (unsigned)width : 0, 12);
	pen_text(pen, STYLE_PLAIN, "%s", number);
	pen_column(pen, 12);
	pen_text(pen, page_state_style(g->state), "%s", state_name(g->state));
	pen_text(pen, STYLE_PLAIN, "%s", connection_fate(a, g));
	pen_end(pen);
	pen_start(pen, 14, 16);
	pen_text(pen, STYLE_PLAIN, "%s", connection_servers(a, g));
	pen_end(pen);
}

static void print_warnings(struct text_connections *t, struct pen *pen, const struct read_summary *s)
{
	struct arena *a = &t->scratch;

	if (s->undecodable)
		pen_paragraph(pen, 0, STYLE_PLAIN, connection_undecodable(a, s));
	if (s->path_probes)
		pen_paragraph(pen, 0, STYLE_PLAIN, connection_probes(a, s));
	if (s->evicted)
		pen_paragraph(pen, 0, STYLE_PLAIN, connection_evicted(a, s));
	for (unsigned i = 0; i < s->n_warnings; i++) {
		pen_start(pen, 0, 2);
		pen_text(pen, STYLE_YELLOW, "Warning:");
		pen_text(pen, STYLE_PLAIN, " %s", s->warnings[i]);
		pen_end(pen);
	}
}

int text_connections_end(struct text_connections *t, const struct read_summary *s, bool brief)
{
	struct pen pen = pen_to(t, t->out);

	if (!brief && t->details)
		print_first(t, t->details);
	if (!brief && t->n > 0)
		pen_blank(&pen);
	arena_reset(&t->scratch);
	print_counts(t, &pen, s);
	for (unsigned i = 0; brief && i < s->n_groups; i++) {
		pen_blank(&pen);
		print_group(t, &pen, &s->groups[i]);
	}
	if (brief && (s->n_warnings || s->undecodable || s->evicted || s->path_probes))
		pen_blank(&pen);
	print_warnings(t, &pen, s);
	return fflush(t->out) != 0 || ferror(t->out) ? -1 : 0;
}
