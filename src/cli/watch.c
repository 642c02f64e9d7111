/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/call.h"
#include "cli/terminal.h"
#include "report/watch_lines.h"
#include "run/history.h"

struct watching {
	struct call *call;
	struct history *history;
	bool full_said;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = number;
}

/* ---- one report ---- */

/* The hour and the number of the day in local time: whoever switches a block goes by the clock on the
 * wall. */
static void local_hour(int64_t t_ns, unsigned *hour, int64_t *day)
{
	time_t s = (time_t)(t_ns / NS_PER_S);
	struct tm tm;

	*hour = 0;
	*day = 0;
	if (!localtime_r(&s, &tm))
		return;
	*hour = (unsigned)tm.tm_hour;
	*day = (int64_t)tm.tm_year * 366 + tm.tm_yday;
}

static int cannot_print(struct err *e)
{
	return err_set(e, ERR_RUN, "standard output: %s", strerror(errno ? errno : EIO));
}

int watch_report(struct watching *w, const struct report *r, struct err *e)
{
	int64_t now = clock_set_ns();
	struct watch_change change;
	unsigned hour;
	int64_t day;
	const struct history_subject of = {.input = r->target_input, .way = r->way, .address = r->target};

	local_hour(now, &hour, &day);
	for (unsigned i = 0; i < r->n_ports; i++) {
		if (!history_add(w->history, &of, &r->ports[i], now, hour, day, &change))
			continue;
		if ((w->call->opt.json ? watch_change_json(&change, stdout) : watch_change_text(&change, stdout)) != 0)
			return cannot_print(e);
	}
	if (history_full(w->history) && !w->full_said) {
		fprintf(stderr, "smtpblame: more than %d ports of addresses: the rest is looked at and not remembered\n",
			HISTORY_MAX);
		w->full_said = true;
	}
	return 0;
}

/* ---- look after look ---- */

static void sleep_until(int64_t mono_ns)
{
	while (!stopped && clock_mono_ns() < mono_ns) {
		int64_t left = mono_ns - clock_mono_ns();
		/* a signal ends it, but for one that has come since `stopped` was looked at */
		left = left < 0 ? 0 : left < NS_PER_S ? left : NS_PER_S;
		struct timespec t = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
		nanosleep(&t, NULL);
	}
}

/* What lasts for one look is freed after it: this may go on for months. */
static int look(struct call *c, struct err *e)
{
	struct arena round = {0};

	c->arena = &round;
	c->status = 0;
	int failed = call_in_turn(c, e);
	c->arena = NULL;
	arena_clear(&round);
	return failed;
}

static int look_and_look(struct call *c, struct err *e)
{
	int64_t next = clock_mono_ns();

	for (unsigned n = 0; !stopped && (!c->opt.count || n < c->opt.count); n++) {
		sleep_until(next);
		if (stopped)
			break;
		if (look(c, e) != 0)
			return -1;
		/* a look that took longer than the interval is followed at once, and none is made up for */
		next += c->opt.interval_ns;
		if (next < clock_mono_ns())
			next = clock_mono_ns();
	}
	return 0;
}

static int tell_end(const struct watching *w, struct err *e)
{
	for (unsigned i = 0; i < history_count(w->history); i++) {
		const struct watch_port *p = history_port(w->history, i);
		if ((w->call->opt.json ? watch_end_json(p, stdout) : watch_end_text(p, stdout)) != 0)
			return cannot_print(e);
	}
	return 0;
}

/* Not restarted: a signal ends the sleep between two looks. A look is finished first. */
static void take_signals(void)
{
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
}

int watch_main(int argc, char **argv, int *status, struct err *e)
{
	struct call c = {0};
	struct watching w = {.call = &c, .history = history_new()};
	int result = -1;

	if (options_parse_watch(&c.opt, argc, argv, e) != 0)
		goto out;
	if (c.opt.help) {
		options_print_watch_help(stdout);
		*status = result = 0;
		goto out;
	}
	gethostname(c.hostname, sizeof(c.hostname) - 1);
	tzset(); /* the file is read before files are out of reach */
	c.watching = &w;
	if (call_open(&c, SANDBOX_CONNECT, e) != 0)
		goto out;
	if (!c.opt.no_sandbox)
		terminal_tell_sandbox(&c.sandbox);
	take_signals();
	if (look_and_look(&c, e) != 0 || tell_end(&w, e) != 0)
		goto out;
	*status = c.status;
	result = run_finish(c.live, e);
out:
	call_close(&c);
	history_free(w.history);
	return result;
}
