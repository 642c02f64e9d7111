/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Many targets at once: names are looked up ahead, runs begin as there is room, reports come out as
 * they are done. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/call.h"
#include "cli/printer.h"
#include "cli/terminal.h"
#include "run/fleet.h"
#include "run/names.h"

/* Names looked up, and addresses that wait for their turn. */
#define AHEAD 64
/* A target waits so long for its turn to have its way looked at. */
#define PATIENCE_NS (40 * NS_PER_S)
/* The progress line is written anew so often. */
#define PROGRESS_NS (200 * NS_PER_MS)

/* An address to judge, by one way out. */
struct item {
	struct crowd_call *cc;
	struct arena arena; /* holds the target's strings */
	struct call_target target;
	struct addr address;
	unsigned way;
	int64_t spent_ns; /* of its time, by looking up its name */
	struct item *next;
};

struct crowd_call {
	struct call *c;
	struct fleet *fleet;
	struct names *names;
	struct printer *printer; /* NULL: reports are printed here */
	unsigned next_target;
	unsigned n_asked;           /* names under way */
	struct item *first, **last; /* ready */
	unsigned n_ready;
	unsigned n_done, n_begun; /* runs */
	unsigned n_cut;           /* ... that an interruption ended before their first packet */
	int64_t begin_ns, next_progress;
	struct err failure; /* of a run: what ends the call */
	bool failed;
};

/* For what is known to be printed; a reader that takes none of it does not keep the program alive. */
#define INTERRUPTED_SECONDS 3

/* The first signal ends what is under way, and prints what is known; the next one is deadly. */
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
	signal(number, SIG_DFL);
	alarm(INTERRUPTED_SECONDS);
}

static void on_alarm(int number)
{
	(void)number;
	raise(interrupted);
}

/* ---- addresses to judge ---- */

static void add_item(struct crowd_call *cc, const struct call_target *target,
		     const struct addr *address, unsigned way, int64_t spent_ns)
{
	struct item *item = xcalloc(1, sizeof(*item));
	struct arena *a = &item->arena;

	item->cc = cc;
	item->target = (struct call_target){
		.input = arena_strdup(a, target->input),
		.name = arena_strdup(a, target->name),
		.domain = arena_strdup(a, target->domain),
		.mx_words = arena_strdup(a, target->mx_words),
		.address_words = arena_strdup(a, target->address_words),
		.mx_trust = target->mx_trust,
	};
	item->address = *address;
	item->way = way;
	item->spent_ns = spent_ns;
	*cc->last = item;
	cc->last = &item->next;
	cc->n_ready++;
}

static void free_item(struct item *item)
{
	arena_clear(&item->arena);
	free(item);
}

static void add_addresses(struct crowd_call *cc, const struct call_target *target,
			  const struct resolved *all, int64_t spent_ns)
{
	struct resolved chosen;

	if (call_choose(&cc->c->opt, all, &chosen) == 0)
		call_target_failed(cc->c, target->input, call_no_address(&cc->c->opt, target->input));
	for (unsigned i = 0; i < chosen.n; i++)
		for (unsigned w = 0; w < call_n_ways(cc->c); w++) {
			struct way way = call_way(cc->c, w);
			if (!addr_is_set(&way.source) ||
			    way.source.family == chosen.addresses[i].family)
				add_item(cc, target, &chosen.addresses[i], w,
					 i || w ? 0 : spent_ns);
		}
}

/* ---- names ---- */

/* What the request for a name is about. */
struct asked {
	struct arena arena;
	struct call_target target; /* name: of the request, where that is an exchanger's */
	bool exchanger;
};

static void ask_name(struct crowd_call *cc, enum name_kind kind, const char *text,
		     const struct call_target *target, bool exchanger)
{
	struct name_request *r = xcalloc(1, sizeof(*r));
	struct asked *asked = xcalloc(1, sizeof(*asked));
	struct arena *a = &asked->arena;

	asked->exchanger = exchanger;
	asked->target = (struct call_target){
		.input = arena_strdup(a, target->input),
		.domain = arena_strdup(a, target->domain),
		.mx_words = arena_strdup(a, target->mx_words),
		.mx_trust = target->mx_trust,
	};
	r->kind = kind;
	snprintf(r->text, sizeof(r->text), "%s", text);
	r->family = call_family(cc->c);
	r->timeout_ns = cc->c->opt.timeout_ns;
	r->arg = asked;
	cc->n_asked++;
	names_ask(cc->names, r);
}

static void free_asked(struct asked *asked)
{
	arena_clear(&asked->arena);
	free(asked);
}

static void take_exchangers(struct crowd_call *cc, struct asked *asked,
			    const struct name_request *r)
{
	asked->target.domain = r->text;
	asked->target.mx_words = call_mx_words(&asked->arena, &r->mx);
	asked->target.mx_trust = r->mx.trust;
	call_check_exchangers(cc->c, asked->target.input, &r->mx);
	for (unsigned i = 0; i < r->mx.n; i++)
		ask_name(cc, NAME_HOST, r->mx.list[i].name, &asked->target, true);
}

static void take_host(struct crowd_call *cc, struct asked *asked, const struct name_request *r)
{
	asked->target.name = r->text;
	asked->target.address_words = call_address_words(&asked->arena, &r->addresses);
	add_addresses(cc, &asked->target, &r->addresses, r->took_ns);
}

static void take_name(struct crowd_call *cc, struct asked *asked, const struct name_request *r)
{
	if (r->failed && r->kind == NAME_DOMAIN)
		call_no_exchangers(cc->c, asked->target.input, r->error.text);
	else if (r->failed)
		call_unresolved(cc->c, asked->target.input, asked->exchanger ? r->text : NULL,
				r->error.text);
	else if (r->kind == NAME_DOMAIN)
		take_exchangers(cc, asked, r);
	else
		take_host(cc, asked, r);
}

static void take_names(struct crowd_call *cc)
{
	struct name_request *r;

	while ((r = names_take(cc->names))) {
		cc->n_asked--;
		take_name(cc, r->arg, r);
		free_asked(r->arg);
		free(r);
	}
}

/* ---- targets ---- */

static void take_target(struct crowd_call *cc, const char *raw)
{
	struct arena scratch = {0};
	const char *input = text_clean(&scratch, raw, strlen(raw), CALL_TARGET_MAX);
	const char *why = call_why_no_target(raw), *at = strrchr(raw, '@');
	struct call_target target = {.input = input};
	struct resolved one = {.n = 1};

	if (why)
		call_target_failed(cc->c, input, why);
	else if (call_is_address(raw, &one.addresses[0]))
		add_addresses(cc, &target, &one, 0);
	else
		ask_name(cc, at ? NAME_DOMAIN : NAME_HOST, at ? at + 1 : input, &target, false);
	arena_clear(&scratch);
}

/* As far ahead as keeps the engine busy. */
static void take_targets(struct crowd_call *cc)
{
	const struct options *o = &cc->c->opt;

	while (cc->next_target < o->n_targets && cc->n_asked + cc->n_ready < AHEAD && !interrupted)
		take_target(cc, o->targets[cc->next_target++]);
}

/* ---- runs ---- */

static void on_done(void *arg, const struct plan *plan, struct report *r, struct saved_case *saved,
		    const struct err *e)
{
	struct item *item = arg;
	struct crowd_call *cc = item->cc;

	(void)plan;
	cc->n_done++;
	if (r && !cc->failed && cc->printer) {
		call_count(cc->c, r);
		cc->failed = printer_give(cc->printer, r, &cc->failure) != 0;
		r = NULL;
	} else if (r && !cc->failed) {
		call_progress(cc->c, "");
		cc->failed = call_report(cc->c, r, saved, &cc->failure) != 0;
	} else if (e && !cc->failed && !interrupted) {
		cc->failure = *e;
		cc->failed = true;
	} else if (e && interrupted) {
		cc->n_cut++;
	}
	report_free(r);
	free_item(item);
}

static void begin_runs(struct crowd_call *cc)
{
	while (cc->first && fleet_room(cc->fleet) > 0 && !interrupted) {
		struct item *item = cc->first;
		struct way way = call_way(cc->c, item->way);
		struct plan plan =
			call_plan(cc->c, &item->arena, &item->target, &item->address, &way);
		int64_t left = plan.timeout_ns - item->spent_ns;

		cc->first = item->next;
		if (!cc->first)
			cc->last = &cc->first;
		cc->n_ready--;
		cc->n_begun++;
		fleet_submit(cc->fleet, &plan, left > 0 ? left : 0, on_done, item);
	}
}

/* ---- the loop ---- */

static bool is_over(const struct crowd_call *cc)
{
	if (interrupted)
		return fleet_in_flight(cc->fleet) == 0;
	return cc->next_target == cc->c->opt.n_targets && !cc->n_asked && !cc->first &&
	       fleet_in_flight(cc->fleet) == 0;
}

static void show_progress(struct crowd_call *cc)
{
	int64_t now = clock_mono_ns();
	char line[200];

	if (now < cc->next_progress)
		return;
	cc->next_progress = now + PROGRESS_NS;
	double seconds = (double)(now - cc->begin_ns) / (double)NS_PER_S;
	double rate = seconds > 0 ? cc->n_done / seconds : 0;
	unsigned waiting = cc->c->opt.n_targets - cc->next_target + cc->n_asked + cc->n_ready +
			   fleet_in_flight(cc->fleet);
	int n = snprintf(line, sizeof(line), "%u done, %u under way, %u to go", cc->n_done,
			 fleet_in_flight(cc->fleet), waiting);
	if (rate > 0 && seconds > 1)
		snprintf(line + n, sizeof(line) - (size_t)n, "; %.0f a second, %.0f s left", rate,
			 waiting / rate);
	call_progress(cc->c, line);
}

static int loop(struct crowd_call *cc, struct err *e)
{
	while (!is_over(cc) && !cc->failed) {
		take_names(cc);
		take_targets(cc);
		begin_runs(cc);
		show_progress(cc);
		if (interrupted)
			fleet_hurry(cc->fleet);
		int64_t until = clock_mono_ns() + PROGRESS_NS;
		if (fleet_run(cc->fleet, until, e) != 0)
			return -1;
	}
	call_progress(cc->c, "");
	if (cc->printer && !cc->failed)
		cc->failed = printer_finish(cc->printer, &cc->failure) != 0;
	if (cc->failed)
		*e = cc->failure;
	return cc->failed ? -1 : 0;
}

unsigned call_all_ports(const struct call *c, uint16_t ports[PLAN_MAX_PORTS])
{
	struct arena none = {0};
	struct call_target target = {0};
	struct addr any = {.family = ADDR_V4};
	struct way way = {0};
	struct plan plan = call_plan(c, &none, &target, &any, &way);

	for (unsigned i = 0; i < plan.n_ports; i++)
		ports[i] = plan.ports[i].port;
	return plan.n_ports;
}

static int print_overview(const struct crowd_call *cc, struct err *e)
{
	const struct options *o = &cc->c->opt;
	struct text_options text = terminal_text_options(o);
	struct overview_end end = {
		.tool_version = SMTPBLAME_VERSION,
		.elapsed_ms = (double)(clock_mono_ns() - cc->begin_ns) / NS_PER_MS,
		.interrupted = interrupted != 0,
		.left = o->n_targets - cc->next_target + cc->n_asked + cc->n_ready + cc->n_cut,
	};
	int failed = o->json		     ? overview_json(cc->c->overview, &end, stdout)
		     : o->quiet || o->ticket || o->nagios ? 0
					     : overview_text(cc->c->overview, &end, &text, stdout);

	return failed ? err_set(e, ERR_RUN, "cannot write the summary: %s", strerror(errno)) : 0;
}

int call_in_crowd(struct call *c, struct err *e)
{
	struct crowd_call cc = {.c = c, .begin_ns = clock_mono_ns()};
	struct fleet_options opt = {.concurrency = call_concurrency(c), .rate = c->opt.rate,
				     .patience_ns = PATIENCE_NS};
	uint16_t ports[PLAN_MAX_PORTS];
	int result = -1;

	c->overview = overview_new();
	/* a case and a page need the report here, and no line may get between two of a terminal */
	if (c->opt.json && !c->store && !c->page.page && !isatty(STDOUT_FILENO))
		cc.printer = printer_new();
	cc.last = &cc.first;
	opt.ports = ports;
	opt.n_ports = call_all_ports(c, ports);
	if (fleet_new(&cc.fleet, c->live, &opt, e) != 0 || names_new(&cc.names, e) != 0 ||
	    fleet_watch(cc.fleet, names_fd(cc.names), e) != 0)
		goto out;
	if (c->opt.concurrency > fleet_room(cc.fleet))
		fprintf(stderr,
			"smtpblame: %u at a time instead of %u: open files (ulimit -n) or source ports "
			"(net.ipv4.ip_local_port_range) allow no more\n",
			fleet_room(cc.fleet), c->opt.concurrency);
	/* restarted: a write under way goes on, and the loop notices all the same */
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	signal(SIGALRM, on_alarm);
	result = loop(&cc, e);
	if (result == 0)
		result = call_compare(c, e) != 0 ? -1 : print_overview(&cc, e);
	if (interrupted)
		c->status = 128 + interrupted;
out:
	printer_free(cc.printer);
	overview_free(c->overview);
	c->overview = NULL;
	fleet_free(cc.fleet);
	names_free(cc.names);
	while (cc.first) {
		struct item *next = cc.first->next;
		free_item(cc.first);
		cc.first = next;
	}
	return result;
}
