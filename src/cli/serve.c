/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `serve`: requests in (serve/server.h), names looked up (run/names.h), runs (run/fleet.h), answers
 * out, all in one loop. */
#include "cli/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/call.h"
#include "cli/terminal.h"
#include "run/fleet.h"
#include "run/names.h"
#include "run/share.h"
#include "serve/server.h"

#define LISTEN_DEFAULT "127.0.0.1:9725"
/* Addresses of one target that are judged: the first of each family. */
#define ADDRESSES_MAX 2
#define LOOP_NS NS_PER_S
/* A run with less than that shows nothing. */
#define LEAST_NS (480 * NS_PER_MS)
/* Requests that ask the same share a run when they would be given up within so long. */
#define SHARE_NS (2 * NS_PER_S)

struct exporter {
	struct call call;
	struct allow allow;
	struct server *server;
	struct fleet *fleet;
	struct names *names;
	struct question *questions; /* all that are not over */
};

/* A request. */
struct waiter {
	struct server_job *job;
	int64_t latest_ns;
	struct waiter *next;
};

/* What is asked for, by one request or by several at the same time. Its strings live until all that
 * was begun for it is over, which may be after the requests were answered. */
struct question {
	struct exporter *x;
	struct question *next;
	struct waiter *waiters; /* not answered yet */
	char target[SERVER_TARGET_MAX + 1];
	int64_t begun_ns;
	struct server_question q; /* of the first request; its target is the one above */
	const char *name; /* NULL: an address */
	struct arena arena; /* strings of its plans */
	struct report *reports[ADDRESSES_MAX];
	unsigned n_reports, n_open; /* done, and under way: runs, or the lookup of its name */
	bool judging;               /* its runs have begun */
	enum server_trouble trouble;
	char error[300];
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = number;
}

/* ---- a question's way ---- */

static void answer(struct question *qn, struct waiter *w, enum server_trouble trouble,
		   const char *error)
{
	server_answer(w->job, qn->reports, qn->n_reports, trouble, error);
	free(w);
}

static void forget(struct question *qn)
{
	struct question **at = &qn->x->questions;

	while (*at != qn)
		at = &(*at)->next;
	*at = qn->next;
	for (unsigned i = 0; i < qn->n_reports; i++)
		report_free(qn->reports[i]);
	arena_clear(&qn->arena);
	free(qn);
}

/* Its requests stay the server's. */
static void drop(struct question *qn)
{
	for (struct waiter *w = qn->waiters, *next; w; w = next) {
		next = w->next;
		free(w);
	}
	forget(qn);
}

static void finish(struct question *qn)
{
	struct waiter *w;

	if (qn->n_open > 0)
		return;
	while ((w = qn->waiters)) {
		qn->waiters = w->next;
		answer(qn, w, qn->trouble, qn->error);
	}
	forget(qn);
}

static void refuse(struct question *qn)
{
	struct waiter *w;

	while ((w = qn->waiters)) {
		qn->waiters = w->next;
		server_refuse(w->job, "this target is not on the exporter's list (--allow)\n");
		free(w);
	}
	forget(qn);
}

static void note_trouble(struct question *qn, enum server_trouble trouble, const char *why)
{
	struct arena scratch = {0};

	qn->trouble = trouble;
	snprintf(qn->error, sizeof(qn->error), "%s",
		 text_clean(&scratch, why, strlen(why), sizeof(qn->error) - 1));
	arena_clear(&scratch);
}

static void fail(struct question *qn, enum server_trouble trouble, const char *why)
{
	note_trouble(qn, trouble, why);
	finish(qn);
}

static void on_done(void *arg, const struct plan *plan, struct report *r, struct saved_case *saved,
		    const struct err *e)
{
	struct question *qn = arg;

	(void)plan;
	(void)saved;
	qn->n_open--;
	if (r)
		qn->reports[qn->n_reports++] = r;
	else
		note_trouble(qn, strcmp(e->text, FLEET_NO_TIME) == 0 ? SERVER_TIME : SERVER_EXPORTER,
			     e->text);
	finish(qn);
}

/* Of the ports that the exporter was started with, those that are asked for; false: another one. */
static bool choose_ports(const struct port_list *all, const struct server_question *q,
			 struct port_list *out)
{
	*out = *all;
	if (q->n_ports == 0)
		return true;
	out->n = 0;
	for (unsigned i = 0; i < q->n_ports; i++) {
		unsigned k = 0;
		while (k < all->n && all->ports[k] != q->ports[i])
			k++;
		if (k == all->n)
			return false;
		out->ports[out->n] = all->ports[k];
		out->tls[out->n++] = all->tls[k];
	}
	return true;
}

static bool may_probe(const struct question *qn, const struct resolved *addresses)
{
	if (qn->name && allow_name(&qn->x->allow, qn->name))
		return true;
	for (unsigned i = 0; i < addresses->n; i++)
		if (!allow_address(&qn->x->allow, &addresses->addresses[i]))
			return false;
	return true;
}

static void submit(struct question *qn, const struct addr *address, const char *words)
{
	struct call *c = &qn->x->call;
	const struct way way = {.interface = NULL};
	struct call_target target = {
		.input = qn->target, .name = qn->name, .address_words = words};
	const struct port_list all = c->opt.tested;
	int64_t left = qn->q.deadline_ns - clock_mono_ns();

	choose_ports(&all, &qn->q, &c->opt.tested);
	struct plan plan = call_plan(c, &qn->arena, &target, address, &way);
	c->opt.tested = all;
	plan.timeout_ns = left > 0 ? left : 0;
	qn->n_open++;
	fleet_submit_until(qn->x->fleet, &plan, qn->q.deadline_ns, on_done, qn);
}

static void judge(struct question *qn, const struct resolved *addresses)
{
	struct call *c = &qn->x->call;
	struct resolved chosen;

	c->opt.only_v4 = qn->q.family == ADDR_V4;
	c->opt.only_v6 = qn->q.family == ADDR_V6;
	if (call_choose(&c->opt, addresses, &chosen) == 0) {
		fail(qn, SERVER_TARGET, CALL_NO_ADDRESS);
		return;
	}
	if (!may_probe(qn, &chosen)) {
		refuse(qn);
		return;
	}
	/* what is left would show too little: no greeting in half a second says nothing of a server */
	if (qn->q.deadline_ns - clock_mono_ns() < (qn->q.deadline_ns - qn->begun_ns) / 4) {
		fail(qn, SERVER_TIME, "looking up its name took most of the time");
		return;
	}
	const char *words = qn->name ? call_address_words(&qn->arena, addresses) : NULL;
	qn->judging = true;
	qn->n_open = 1; /* until all are submitted */
	for (unsigned i = 0; i < chosen.n && i < ADDRESSES_MAX; i++)
		submit(qn, &chosen.addresses[i], words);
	qn->n_open--;
	finish(qn);
}

static void ask_name(struct question *qn)
{
	struct name_request *r = xcalloc(1, sizeof(*r));

	qn->n_open++;
	r->kind = NAME_HOST;
	snprintf(r->text, sizeof(r->text), "%s", qn->name);
	r->family = qn->q.family;
	r->timeout_ns = qn->q.deadline_ns - clock_mono_ns();
	r->arg = qn;
	names_ask(qn->x->names, r);
}

static void take_names(struct exporter *x)
{
	struct name_request *r;

	while ((r = names_take(x->names))) {
		struct question *qn = r->arg;
		qn->n_open--;
		if (!qn->waiters) /* all were answered meanwhile */
			finish(qn);
		else if (r->failed)
			fail(qn, SERVER_TARGET, r->error.text);
		else
			judge(qn, &r->addresses);
		free(r);
	}
}

/* One that asks the same, and will be over in time for this one without having had much less. */
static struct question *same_question(const struct exporter *x, const struct server_question *q)
{
	for (struct question *qn = x->questions; qn; qn = qn->next) {
		int64_t earlier = q->deadline_ns - qn->q.deadline_ns;
		if (qn->waiters && earlier >= 0 && earlier <= SHARE_NS &&
		    qn->q.family == q->family && qn->q.n_ports == q->n_ports &&
		    memcmp(qn->q.ports, q->ports, q->n_ports * sizeof(q->ports[0])) == 0 &&
		    strcasecmp(qn->target, q->target) == 0)
			return qn;
	}
	return NULL;
}

static void add_waiter(struct question *qn, struct server_job *job, const struct server_question *q)
{
	struct waiter *w = xcalloc(1, sizeof(*w));

	*w = (struct waiter){.job = job, .latest_ns = q->latest_ns, .next = qn->waiters};
	qn->waiters = w;
}

static struct question *new_question(struct exporter *x, const struct server_question *q)
{
	struct question *qn = xcalloc(1, sizeof(*qn));

	*qn = (struct question){.x = x, .begun_ns = clock_mono_ns(), .q = *q, .next = x->questions};
	snprintf(qn->target, sizeof(qn->target), "%s", q->target);
	qn->q.target = qn->target;
	x->questions = qn;
	return qn;
}

/* Of server_options. Never more than --queue at a time. */
static void on_question(void *arg, struct server_job *job, const struct server_question *q)
{
	struct exporter *x = arg;
	struct question *qn = same_question(x, q);
	struct resolved one = {.n = 1};
	struct port_list ports;
	const char *why = call_why_no_target(q->target);

	if (qn) {
		server_count_shared(x->server);
		add_waiter(qn, job, q);
		return;
	}
	qn = new_question(x, q);
	add_waiter(qn, job, q);
	if (!choose_ports(&x->call.opt.tested, q, &ports))
		why = "one of the ports is not among those that the exporter was started with (-p)";
	if (why) {
		fail(qn, SERVER_TARGET, why);
	} else if (q->deadline_ns - qn->begun_ns < LEAST_NS) {
		fail(qn, SERVER_TIME, "the scraper gives less than a second");
	} else if (call_is_address(q->target, &one.addresses[0])) {
		judge(qn, &one);
	} else if (strchr(q->target, '@')) {
		fail(qn, SERVER_TARGET, "one host at a time: name an exchanger of that domain");
	} else {
		qn->name = qn->target;
		ask_name(qn);
	}
}

/* Whose scraper waits no longer is answered with what there is. Returns when to look again. */
static int64_t answer_late(struct exporter *x)
{
	int64_t now = clock_mono_ns(), next = INT64_MAX;

	for (struct question *qn = x->questions; qn; qn = qn->next)
		for (struct waiter **at = &qn->waiters; *at;) {
			struct waiter *w = *at;
			if (w->latest_ns > now) {
				next = w->latest_ns < next ? w->latest_ns : next;
				at = &w->next;
				continue;
			}
			*at = w->next;
			answer(qn, w, SERVER_TIME,
			       qn->judging ? "not done in the time that the scraper gives"
					   : "its name was not looked up in the time that the scraper gives");
		}
	return next;
}

/* ---- the loop ---- */

static int loop(struct exporter *x, struct err *e)
{
	while (!stopped) {
		int64_t wake, until = clock_mono_ns() + LOOP_NS;

		server_dispatch(x->server, &wake);
		take_names(x);
		int64_t late = answer_late(x);
		if (late < wake)
			wake = late;
		if (wake < until)
			until = wake;
		if (fleet_run(x->fleet, until, e) != 0)
			return -1;
	}
	return 0;
}

/* ---- the verb ---- */

static int parse_listen(const char *text, struct sockaddr_storage *out, bool *loopback, struct err *e)
{
	const char *colon = strrchr(text, ':');
	struct addr a;
	char address[ADDR_TEXT_MAX], *end;
	size_t len = colon ? (size_t)(colon - text) : 0;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

	if (!colon || len >= sizeof(address) || colon[1] < '0' || colon[1] > '9' || *end ||
	    port < 1 || port > 65535)
		goto wrong;
	memcpy(address, text, len);
	address[len] = '\0';
	if (!addr_parse(&a, address) || (a.family == ADDR_V6 && address[0] != '['))
		goto wrong;
	addr_to_sockaddr(&a, (uint16_t)port, out);
	*loopback = addr_is_loopback(&a);
	return 0;
wrong:
	return err_set(e, ERR_USAGE, "--listen: '%.80s' is no address and port like 127.0.0.1:9725 or [::1]:9725",
		       text);
}

static int read_allowed(struct exporter *x, bool loopback, struct err *e)
{
	const struct options *o = &x->call.opt;

	for (unsigned i = 0; i < o->n_allow; i++)
		if (allow_add(&x->allow, o->allow[i], e) != 0)
			return -1;
	if (o->n_allow > 0)
		return 0;
	if (!loopback)
		return err_set(e, ERR_USAGE,
			       "--listen beyond this machine: say whom it may probe for others, "
			       "--allow 192.0.2.0/24, --allow '*.example.net' or --allow '*'");
	return allow_add(&x->allow, "*", e);
}

/* An exporter is to run without root: the unit that is installed with it gives it what it lacks. */
static int how_to_serve(struct err *e)
{
	struct err why = *e;

	if (e->status != ERR_RUN || !strstr(e->text, "capability") || geteuid() == 0)
		return -1;
	return err_set(e, ERR_RUN,
		       "%.450s; as a service, `systemctl enable --now smtpblame` runs it with just that "
		       "(smtpblame.service)", why.text);
}

static int serve(struct exporter *x, struct err *e)
{
	struct call *c = &x->call;
	const char *listen = c->opt.listen ? c->opt.listen : LISTEN_DEFAULT;
	struct server_options server = {.max_waiting = c->opt.queue,
					.timeout_ns = c->opt.timeout_ns,
					.version = SMTPBLAME_VERSION,
					.ask = on_question,
					.arg = x};
	uint16_t ports[PLAN_MAX_PORTS];
	struct fleet_options fleet = {
		.concurrency = c->opt.concurrency, .lasting = true, .ports = ports};
	bool loopback = true;

	if (parse_listen(listen, &server.listen, &loopback, e) != 0 ||
	    read_allowed(x, loopback, e) != 0)
		return -1;
	gethostname(c->hostname, sizeof(c->hostname) - 1);
	if (call_open(c, SANDBOX_CONNECT | SANDBOX_LISTEN, e) != 0)
		return how_to_serve(e);
	if (!c->opt.no_sandbox)
		terminal_tell_sandbox(&c->sandbox);
	fleet.n_ports = call_all_ports(c, ports);
	if (server_new(&x->server, &server, e) != 0 || names_new(&x->names, e) != 0 ||
	    fleet_new(&x->fleet, c->live, &fleet, e) != 0 ||
	    fleet_watch(x->fleet, server_fd(x->server), e) != 0 ||
	    fleet_watch(x->fleet, names_fd(x->names), e) != 0)
		return -1;
	fprintf(stderr, "smtpblame: listening on %s\n", listen);
	return loop(x, e);
}

int serve_main(int argc, char **argv, int *status, struct err *e)
{
	struct exporter *x = xcalloc(1, sizeof(*x));
	struct sigaction stop = {.sa_handler = on_signal};
	int result = -1;

	if (options_parse_serve(&x->call.opt, argc, argv, e) != 0)
		goto out;
	*status = 0;
	if (x->call.opt.help) {
		options_print_serve_help(stdout);
		result = 0;
		goto out;
	}
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	result = serve(x, e);
out:
	/* the runs' callbacks answer what is under way, so the server goes last */
	fleet_free(x->fleet);
	names_free(x->names);
	while (x->questions)
		drop(x->questions);
	server_free(x->server);
	dns_close(x->call.dns);
	run_free(x->call.live);
	options_clear(&x->call.opt);
	free(x);
	return result;
}
