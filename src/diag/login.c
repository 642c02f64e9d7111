/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/login.h"

#include <string.h>

#define NOT_TRIED "not tried: " /* what probe/session.c puts in the place of a reply */

static bool same(const char *x, const char *y)
{
	return x == y || (x && y && strcmp(x, y) == 0);
}

/* The password goes to nobody whom no certificate vouches for: what would make it vouch. */
static const char *how_to_trust(struct arena *a, const struct plan *plan, const struct ev_tls *tls)
{
	bool other_name = tls->error && (strstr(tls->error, "hostname") || strstr(tls->error, "IP address"));

	if (other_name && plan->name && tls->names && tls->names[0])
		return arena_printf(a, "give the name that the certificate bears (%s) in place of %s, if it is the same "
				       "server's", tls->names[0], plan->name);
	if (other_name)
		return "give the server's name, which its certificate bears, in place of the address";
	if (tls->error && strstr(tls->error, "expired"))
		return "have the certificate renewed: whoever trusts it as it is gives the password away some day";
	/* the only one that vouches for itself; OpenSSL 1.1 and 3 spell it unlike */
	bool own = tls->error && (strcmp(tls->error, "self-signed certificate") == 0 ||
				  strcmp(tls->error, "self signed certificate") == 0);
	return arena_printf(a, "give %s by --ca-file FILE, if you know that it is the right one%s",
			    own ? "the server's certificate" : "the certificate of the authority that has signed it",
			    plan->name ? "" : ", and the server's name, which it bears, in place of the address");
}

static const char *how_to_try(struct builder *b, const struct flow *f)
{
	const struct tracker *t = &b->d->tracker;

	if (!f->has_tls)
		return "try a port with TLS (-p 465,587): the password is never sent in the clear";
	const struct ev_tls *tls = &t->log->events[f->tls_event].tls;
	return tls->verified ? NULL : how_to_trust(&b->r->arena, t->plan, tls);
}

static const char *why_not(struct builder *b, const struct flow *f, const struct stage_reply *reply)
{
	struct arena *a = &b->r->arena;
	const char *text = reply->t_ns && reply->text ? reply->text : "the session did not come to it";

	if (strncmp(text, NOT_TRIED, strlen(NOT_TRIED)) == 0)
		text += strlen(NOT_TRIED);
	const char *error = f->has_tls ? b->d->tracker.log->events[f->tls_event].tls.error : NULL;
	return error ? arena_printf(a, "%s (%s)", text, error) : arena_strdup(a, text);
}

void login_of_port(struct builder *b, const struct port_facts *p, struct report_port *out)
{
	const struct flow *f = p->flow;

	/* elsewhere a finding says what is the matter, a login that was refused among them */
	if (!b->d->tracker.plan->auth_user || out->state != STATE_OPEN || !f)
		return;
	const struct stage_reply *reply = &f->replies[STAGE_AUTH];
	out->login.asked = true;
	out->login.works = reply->code >= 200 && reply->code < 300;
	if (out->login.works)
		return;
	out->login.why = why_not(b, f, reply);
	out->login.how = how_to_try(b, f);
}

static bool alike(const struct report_login *x, const struct report_login *y)
{
	return x->asked == y->asked && x->works == y->works && same(x->why, y->why) && same(x->how, y->how);
}

/* "port 25", "ports 465 and 587": those whose login went as that of `first`; NULL: told before. */
static const char *ports_alike(struct arena *a, const struct report *r, unsigned first, unsigned *n)
{
	const struct report_login *login = &r->ports[first].login;
	const char *list = "";
	unsigned told = 0;

	*n = 0;
	for (unsigned i = 0; i < r->n_ports; i++) {
		if (i < first && alike(&r->ports[i].login, login))
			return NULL;
		*n += alike(&r->ports[i].login, login);
	}
	for (unsigned i = first; i < r->n_ports; i++) {
		if (!alike(&r->ports[i].login, login))
			continue;
		told++;
		list = arena_printf(a, "%s%s%u", list, told == 1 ? "" : told == *n ? " and " : ", ", r->ports[i].port);
	}
	return arena_printf(a, "port%s %s", *n > 1 ? "s" : "", list);
}

const char *login_overall(struct arena *a, const struct report *r)
{
	const char *out = "";
	unsigned n_asked = 0;

	for (unsigned i = 0; i < r->n_ports; i++)
		n_asked += r->ports[i].login.asked;
	for (unsigned i = 0; i < r->n_ports; i++) {
		const struct report_login *login = &r->ports[i].login;
		unsigned n;
		const char *ports = login->asked ? ports_alike(a, r, i, &n) : NULL;
		if (!ports)
			continue;
		ports = n == n_asked ? "" : arena_printf(a, " on %s", ports);
		out = login->works ? arena_printf(a, "%s; the login works%s", out, ports)
				   : arena_printf(a, "%s; the login was not tried%s: %s", out, ports, login->why);
	}
	return out;
}

const char *login_note(struct arena *a, const struct report *r, unsigned first)
{
	const struct report_login *login = &r->ports[first].login;
	unsigned n;
	const char *ports = login->asked ? ports_alike(a, r, first, &n) : NULL;

	if (!ports)
		return NULL;
	if (login->works)
		return arena_printf(a, "the login works on %s", ports);
	return arena_printf(a, "the login on %s was not tried, and open says nothing of it: %s%s%s", ports, login->why,
			    login->how ? "; to try it, " : "", login->how ? login->how : "");
}
