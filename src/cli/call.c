/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/call.h"

#include <stdio.h>
#include <string.h>

#include "cli/compare.h"
#include "cli/output.h"
#include "cli/save.h"
#include "cli/watch.h"
#include "report/render.h"
#include "smtp/ehlo.h"

/* ---- output ---- */

void call_count(struct call *c, const struct report *r)
{
	c->status = exit_status_worse(c->status, report_exit_status(r));
	c->n_reports++;
	if (c->overview)
		overview_add(c->overview, r);
	if (c->nagios)
		nagios_add(c->nagios, r);
	if (c->compare)
		views_add(&c->views, r, NULL, 0);
}

static void keep_greeting(struct call *c, const struct report *r)
{
	c->greeted_as[0] = '\0';
	c->greeted_from = r->target;
	for (unsigned i = 0; i < r->n_ports && !c->greeted_as[0]; i++)
		if (r->ports[i].has_smtp && r->ports[i].smtp.banner &&
		    !smtp_greeting_name(r->ports[i].smtp.banner, c->greeted_as, sizeof(c->greeted_as)))
			c->greeted_as[0] = '\0';
}

/* Where that fails, the other targets are looked at, and saved, all the same. */
static void save_one(struct call *c, const struct report *r, struct saved_case *saved)
{
	struct err why;
	int failed = c->opt.redact ? save_redacted(c->store, saved, r, NULL, &why)
				   : save_case(c->store, saved, r, &why);

	if (failed && !c->unsaved)
		c->why_unsaved = why;
	c->unsaved |= failed != 0;
}

int call_saved(const struct call *c, struct err *e)
{
	if (c->unsaved)
		*e = c->why_unsaved;
	return c->unsaved ? -1 : 0;
}

int call_report(struct call *c, const struct report *r, struct saved_case *saved,
		struct err *e)
{
	bool first = c->n_reports == 0;

	call_count(c, r);
	keep_greeting(c, r);
	if (c->watching)
		return watch_report(c->watching, r, e);
	if (!c->nagios && (c->overview ? output_one_of_many : output_report)(&c->opt, r, first, e) != 0)
		return -1;
	if (c->page.page)
		html_add(c->page.page, r);
	if (saved)
		save_one(c, r, saved);
	return 0;
}

int call_compare(struct call *c, struct err *e)
{
	unsigned n;
	int failed = c->compare ? compare_views(&c->opt, &c->page, &c->views, &n, e) : 0;

	views_clear(&c->views);
	return failed;
}

void call_target_failed(struct call *c, const char *input, const char *why)
{
	call_progress(c, "");
	if (c->nagios)
		nagios_add_error(c->nagios, input, why);
	else
		fprintf(stderr, "smtpblame: %s: %s\n", input, why);
	if (c->overview)
		overview_add_failed(c->overview);
	if (c->opt.json) {
		render_json_error(input, why, stdout);
		fflush(stdout);
	}
	if (c->page.page)
		html_add_error(c->page.page, input, why);
	c->status = exit_status_worse(c->status, ERR_USAGE);
}

void call_unresolved(struct call *c, const char *input, const char *name, const char *why)
{
	char text[ERR_TEXT_MAX + DNS_NAME_MAX + 60];

	snprintf(text, sizeof(text), "%s%scannot be resolved: %s", name ? name : "",
		 name ? " " : "", why);
	call_target_failed(c, input, text);
}

void call_no_exchangers(struct call *c, const char *input, const char *why)
{
	char text[ERR_TEXT_MAX + 40];

	snprintf(text, sizeof(text), "no mail exchangers: %s", why);
	call_target_failed(c, input, text);
}

void call_check_exchangers(struct call *c, const char *input, const struct dns_mx *mx)
{
	char text[100];

	if (mx->unusable == 0 && mx->left_out == 0)
		return;
	snprintf(text, sizeof(text), "%u of its exchangers are no host names, %u too many",
		 mx->unusable, mx->left_out);
	call_target_failed(c, input, text);
}

void call_progress(const struct call *c, const char *what)
{
	if (!c->progress)
		return;
	fprintf(stderr, "\r\033[K%s", what);
	fflush(stderr);
}

/* ---- plan ---- */

static void add_port(struct plan *plan, uint16_t port, bool tested, bool tls)
{
	for (unsigned i = 0; i < plan->n_ports; i++)
		if (plan->ports[i].port == port)
			return;
	if (plan->n_ports == PLAN_MAX_PORTS)
		return;
	plan->ports[plan->n_ports++] =
		(struct plan_port){.port = port, .tested = tested, .implicit_tls = tls};
}

unsigned call_n_ways(const struct call *c)
{
	const struct options *o = &c->opt;
	unsigned n = o->n_interfaces > o->n_sources ? o->n_interfaces : o->n_sources;

	return n ? n : 1;
}

/* Only one of the two is given several times. */
struct way call_way(const struct call *c, unsigned i)
{
	const struct options *o = &c->opt;
	struct way way = {0};

	if (o->n_interfaces)
		way.interface = o->interfaces[o->n_interfaces > 1 ? i : 0];
	if (o->n_sources) {
		unsigned k = o->n_sources > 1 ? i : 0;
		way.source = o->sources[k];
		way.source_link = c->source_link[k][0] ? c->source_link[k] : NULL;
	}
	return way;
}

/* By what it is told from the others; NULL: it is the only one. */
static const char *way_name(const struct call *c, struct arena *a, const struct way *way)
{
	char text[ADDR_TEXT_MAX];

	if (c->opt.n_interfaces > 1)
		return way->interface;
	return c->opt.n_sources > 1 ? arena_strdup(a, addr_text(&way->source, text)) : NULL;
}

/* "mx.example.net." is absolute for a resolver; certificates, SNI and mail programs know no such
 * dot. */
static const char *host_name(struct arena *a, const char *name)
{
	size_t len = strlen(name);

	return len > 1 && name[len - 1] == '.' ? arena_strndup(a, name, len - 1) : name;
}

struct plan call_plan(const struct call *c, struct arena *a, const struct call_target *target,
		      const struct addr *address, const struct way *way)
{
	struct plan plan = {
		.input = target->input,
		.name = target->name ? host_name(a, target->name) : NULL,
		.target = *address,
		.interface = way->interface,
		.domain = target->domain,
		.mx_words = target->mx_words,
		.mx_trust = target->mx_trust,
		.sibling = addr_equal(address, &target->sibling_address) ? NULL : target->sibling,
		.sibling_greeting =
			addr_equal(address, &target->sibling_address) ? NULL : target->sibling_greeting,
		.address_words = target->name ? target->address_words : NULL,
		.source = way->source,
		.source_link = way->source_link,
		.way = way_name(c, a, way),
		.netns = c->opt.netns,
		.hostname = c->hostname,
		.timeout_ns = c->opt.timeout_ns,
		.no_path = c->opt.no_path,
		.no_inject = c->opt.no_inject,
		.no_canary = c->opt.no_canary,
		.no_trace = c->opt.no_trace,
		.ehlo_name = c->opt.ehlo_name,
		.signatures = c->signatures,
		.starttls_required = c->opt.starttls_required,
		.auth_user = c->opt.auth_user,
		.auth_secret = c->opt.auth_user ? c->password : NULL,
		.expect_banner = c->opt.expect_banner,
		.expect_banner_regex = c->opt.expect_banner_regex,
		.expect_name = c->opt.expect_name,
		.mail_from = c->opt.mail_from,
		.rcpt_to = c->opt.rcpt_to,
		.user = c->user.name,
		.repeat = c->opt.repeat,
		.interval_ns = c->opt.interval_ns,
		.packets = c->page.page != NULL || c->opt.ticket,
		.sandbox = c->sandbox.missing[0] ? c->sandbox.missing : NULL,
		.max_hops = c->opt.max_hops < PLAN_MAX_HOPS ? c->opt.max_hops : PLAN_MAX_HOPS,
	};

	for (unsigned i = 0; i < c->opt.tested.n; i++)
		add_port(&plan, c->opt.tested.ports[i], true, c->opt.tested.tls[i]);
	for (unsigned i = 0; i < c->opt.control.n; i++)
		add_port(&plan, c->opt.control.ports[i], false, false);
	return plan;
}

/* ---- targets ---- */

static bool source_reaches(const struct options *o, const struct addr *a)
{
	bool reaches = o->n_sources == 0;

	for (unsigned i = 0; i < o->n_sources; i++)
		reaches |= o->sources[i].family == a->family;
	return reaches;
}

unsigned call_choose(const struct options *o, const struct resolved *all, struct resolved *out)
{
	bool have[2] = {false, false};

	out->n = 0;
	for (unsigned i = 0; i < all->n; i++) {
		const struct addr *a = &all->addresses[i];
		bool v6 = a->family == ADDR_V6;
		if ((o->only_v4 && !o->only_v6 && v6) || (o->only_v6 && !o->only_v4 && !v6) ||
		    (have[v6] && !o->all_addresses) || !source_reaches(o, a))
			continue;
		have[v6] = true;
		out->addresses[out->n++] = *a;
	}
	return out->n;
}

const char *call_no_address(const struct options *o, const char *input)
{
	struct addr a;

	if (!call_is_address(input, &a))
		return CALL_NO_ADDRESS;
	if (a.family == ADDR_V4 && o->only_v6 && !o->only_v4)
		return "is an IPv4 address, and -6 was given";
	if (a.family == ADDR_V6 && o->only_v4 && !o->only_v6)
		return "is an IPv6 address, and -4 was given";
	return CALL_NO_ADDRESS;
}

/* A domain whose exchangers can be looked up, or an address in brackets. */
static const char *why_no_domain(const char *domain)
{
	if (*domain == '\0')
		return "no domain after the @";
	for (const char *p = domain; *p; p++)
		if ((unsigned char)*p >= 0x80)
			return "give the domain in its ASCII form (xn--...)";
	return NULL;
}

/* "mx.example.net:25", "[2001:db8::25]:25"; an IPv6 address has colons of its own. */
static bool has_port(const char *input)
{
	const char *colon = strrchr(input, ':');
	struct addr a;

	return colon && colon[1] && colon[1 + strspn(colon + 1, "0123456789")] == '\0' &&
	       !call_is_address(input, &a);
}

const char *call_why_no_target(const char *input)
{
	const char *at = strchr(input, '@');
	size_t len = strlen(input);

	if (len == 0)
		return "an empty target";
	if (len > CALL_TARGET_MAX || strpbrk(input, " \t\r\n/\\\"'<>|;"))
		return "neither a host name nor an address";
	if (has_port(input))
		return "a port is given by -p, as in -p 25, and not behind the target";
	if (at && strchr(at + 1, '@'))
		return "more than one @";
	return at ? why_no_domain(at + 1) : NULL;
}

bool call_is_address(const char *input, struct addr *out)
{
	const char *at = strrchr(input, '@');

	return addr_parse(out, at && at[1] == '[' ? at + 1 : input);
}

unsigned call_concurrency(const struct call *c)
{
	const struct options *o = &c->opt;

	if (c->inspect || o->repeat > 1)
		return 1;
	if (o->concurrency)
		return o->concurrency;
	return o->n_targets > CALL_IN_TURN ? CALL_AT_ONCE : 1;
}

enum addr_family call_family(const struct call *c)
{
	const struct options *o = &c->opt;

	return o->only_v4 == o->only_v6 ? ADDR_NONE : o->only_v4 ? ADDR_V4 : ADDR_V6;
}

const char *call_address_words(struct arena *a, const struct resolved *all)
{
	char text[ADDR_TEXT_MAX];
	const char *out = "";

	for (unsigned i = 0; i < all->n; i++)
		out = arena_printf(a, "%s%s%s", out, i ? ", " : "",
				   addr_text(&all->addresses[i], text));
	return out;
}

const char *call_mx_words(struct arena *a, const struct dns_mx *mx)
{
	const char *out = "";

	if (mx->implicit)
		return "none: the domain's own host takes its mail";
	for (unsigned i = 0; i < mx->n; i++)
		out = arena_printf(a, "%s%s%u %s", out, i ? ", " : "", mx->list[i].preference,
				   mx->list[i].name);
	return out;
}
