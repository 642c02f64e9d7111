/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/again.h"

#include <string.h>

#include "base/clock.h"

struct line {
	struct arena *a;
	const char *text;
	bool broken;
};

/* A saved case may bring anything: what is pasted must stay one word to a shell, and a command within
 * a sentence ends at a backquote (model/report.h). */
static const char *quoted(struct line *l, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/:,@%+=";
	const char *out = "'";

	for (const char *p = word; *p; p++)
		l->broken |= (unsigned char)*p < 0x20 || *p == 0x7f || *p == '`';
	if (*word && word[strspn(word, plain)] == '\0')
		return word;
	for (const char *quote; (quote = strchr(word, '\'')); word = quote + 1)
		out = arena_printf(l->a, "%s%.*s'\\''", out, (int)(quote - word), word);
	return arena_printf(l->a, "%s%s'", out, word);
}

/* "--name=" keeps a value that begins with a dash one. */
static void option(struct line *l, const char *name, const char *value)
{
	if (!value)
		return;
	const char *glue = *value != '-' ? " " : name[1] == '-' ? "=" : "";
	l->text = arena_printf(l->a, "%s %s%s%s", l->text, name, glue, quoted(l, value));
}

static const char *port_list(struct line *l, const struct plan *plan, bool tested)
{
	const char *list = "";

	for (unsigned i = 0; i < plan->n_ports; i++) {
		const struct plan_port *p = &plan->ports[i];
		if (p->tested == tested)
			list = arena_printf(l->a, "%s%s%u%s", list, *list ? "," : "", p->port,
					    p->implicit_tls && p->port != 465 ? "/tls" : "");
	}
	return list;
}

/* The usual controls are those of cli/options.c, without what is tested itself. */
static const char *usual_controls(struct line *l, const struct plan *plan)
{
	static const uint16_t usual[] = {443, 80};
	const char *list = "";

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		bool tested = false;
		for (unsigned k = 0; k < plan->n_ports; k++)
			tested |= plan->ports[k].tested && plan->ports[k].port == usual[i];
		if (!tested)
			list = arena_printf(l->a, "%s%s%u", list, *list ? "," : "", usual[i]);
	}
	return list;
}

static void ports(struct line *l, const struct plan *plan)
{
	const char *tested = port_list(l, plan, true), *controls = port_list(l, plan, false);

	if (strcmp(tested, "25,465,587") != 0)
		option(l, "-p", tested);
	if (*controls && strcmp(controls, usual_controls(l, plan)) != 0)
		option(l, "--control", controls);
}

const char *again_command(struct arena *a, const struct again *w)
{
	const struct plan *plan = w->plan;
	struct line l = {.a = a, .text = w->ticket ? "smtpblame --ticket" : "smtpblame"};
	char source[ADDR_TEXT_MAX];

	option(&l, "--uid", w->user ? w->user : plan->user);
	if (w->family)
		l.text = arena_printf(a, "%s %s", l.text, plan->target.family == ADDR_V6 ? "-6" : "-4");
	ports(&l, plan);
	option(&l, "-i", plan->interface);
	if (addr_is_set(&plan->source))
		option(&l, "-s", addr_text(&plan->source, source));
	option(&l, "--netns", plan->netns);
	if (plan->repeat > 1)
		l.text = arena_printf(a, "%s --repeat %u --interval %g", l.text, plan->repeat,
				      (double)plan->interval_ns / (double)NS_PER_S);
	option(&l, "--ehlo", plan->ehlo_name);
	option(&l, "--expect-banner", plan->expect_banner);
	option(&l, "--expect-name", plan->expect_name);
	if (plan->starttls_required)
		l.text = arena_printf(a, "%s --starttls-required", l.text);
	option(&l, "--mail-from", plan->mail_from);
	option(&l, "--rcpt-to", plan->rcpt_to);
	l.text = arena_printf(a, "%s %s", l.text, quoted(&l, w->target));
	return l.broken ? NULL : l.text;
}
