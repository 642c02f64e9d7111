/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/fleet.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/arena.h"
#include "capture/filter.h"
#include "run/crowd.h"
#include "run/target.h"

#define TAKE_AT_ONCE 64
/* A run in a crowd is looked at so long after the first of several things that happened to it: most
 * come in bursts, and judging anew costs more than hearing. */
#define GATHER_NS (5 * NS_PER_MS)
/* Runs begin so far apart at least: nobody's queues shall overflow by our SYNs. */
#define GAP_NS   (NS_PER_S / 4000)
#define BURST_NS (16 * GAP_NS) /* so much delay is caught up */
/* Lasting: who asks is answered between two slices of work. */
#define SLICE_NS (50 * NS_PER_MS)
/* Lasting: without a run for so long, the tap rests, and what runs have shown is forgotten. */
#define REST_NS (10 * NS_PER_S)

struct job {
	struct plan plan;
	int64_t time_ns;     /* from when it begins, */
	int64_t deadline_ns; /* but no later than that, whenever it begins */
	int64_t wait_until, begin_until; /* of one with a deadline */
	fleet_done *done;
	void *arg;
	struct run *run;  /* NULL: not begun */
	struct job *next; /* in the queue */
};

struct fleet {
	struct live *live;
	struct fleet_options opt;
	int epoll;
	struct crowd crowd;
	bool capturing; /* for the crowd */
	int64_t rest_at; /* lasting, and none under way */
	struct job *first, **last; /* not begun */
	unsigned n_queued;
	unsigned most;     /* at the same time */
	struct job **jobs; /* under way */
	int64_t *wake;     /* of each */
	unsigned n;
	unsigned next_step; /* the slot above the next one to look at */
	int64_t next_start; /* not before */
	bool hurry;
	bool something_done; /* since fleet_run() began */
};

/* ---- making one ---- */

static int watch(int epoll, int fd, struct err *e)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) != 0)
		return err_set(e, ERR_RUN, "epoll: %s", strerror(errno));
	return 0;
}

/* The tap of a crowd. */
static int wake_up(struct fleet *g, struct err *e)
{
	g->crowd = (struct crowd){0};
	if (crowd_begin(&g->crowd, g->live, g->opt.ports, g->opt.n_ports, g->opt.concurrency, e) !=
	    0) {
		crowd_end(&g->crowd, g->live);
		return -1;
	}
	g->capturing = true;
	g->crowd.patience_ns = g->opt.patience_ns;
	g->crowd.lasting = g->opt.lasting;
	g->crowd.turns.good_ns = g->opt.lasting ? CROWD_GOOD_NS : 0;
	g->most = g->crowd.most;
	return 0;
}

static void rest(struct fleet *g)
{
	crowd_end(&g->crowd, g->live);
	g->capturing = false;
	malloc_trim(0);
}

int fleet_new(struct fleet **out, struct live *l, const struct fleet_options *opt, struct err *e)
{
	struct fleet *g = xcalloc(1, sizeof(*g));

	g->live = l;
	g->opt = *opt;
	g->last = &g->first;
	g->most = opt->concurrency;
	g->jobs = xcalloc(opt->concurrency, sizeof(*g->jobs));
	g->wake = xcalloc(opt->concurrency, sizeof(*g->wake));
	g->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (g->epoll < 0) {
		err_set(e, ERR_RUN, "epoll: %s", strerror(errno));
		goto out;
	}
	if (watch(g->epoll, prober_share_fd(l->probers), e) != 0 ||
	    watch(g->epoll, capture_fd(l->capture), e) != 0)
		goto out;
	if (opt->concurrency > 1 && !opt->lasting && wake_up(g, e) != 0)
		goto out;
	*out = g;
	return 0;
out:
	fleet_free(g);
	return -1;
}

static void end_job(struct job *job, struct report *r, const struct err *e)
{
	struct saved_case saved;
	bool save = r && job->run->live->opt.save;

	saved_case_init(&saved);
	if (save)
		target_save(job->run, &saved);
	target_free(job->run);
	job->done(job->arg, &job->plan, r, save ? &saved : NULL, e);
	saved_case_clear(&saved);
	free(job);
}

void fleet_free(struct fleet *g)
{
	const struct err e = {.status = ERR_RUN, .text = "interrupted"};

	if (!g)
		return;
	for (unsigned i = 0; i < g->n; i++)
		end_job(g->jobs[i], NULL, &e);
	while (g->first) {
		struct job *next = g->first->next;
		end_job(g->first, NULL, &e);
		g->first = next;
	}
	if (g->capturing)
		crowd_end(&g->crowd, g->live);
	if (g->epoll >= 0)
		close(g->epoll);
	free(g->jobs);
	free(g->wake);
	free(g);
}

/* ---- beginning ---- */

unsigned fleet_room(const struct fleet *g)
{
	unsigned busy = g->n + g->n_queued;

	return busy < g->most ? g->most - busy : 0;
}

unsigned fleet_in_flight(const struct fleet *g)
{
	return g->n + g->n_queued;
}

static struct job *add_job(struct fleet *g, const struct plan *plan, fleet_done *done, void *arg)
{
	struct job *job = xcalloc(1, sizeof(*job));

	*job = (struct job){.plan = *plan,
			    .deadline_ns = INT64_MAX,
			    .wait_until = INT64_MAX,
			    .begin_until = INT64_MAX,
			    .done = done,
			    .arg = arg};
	*g->last = job;
	g->last = &job->next;
	g->n_queued++;
	return job;
}

void fleet_submit(struct fleet *g, const struct plan *plan, int64_t time_ns, fleet_done *done,
		  void *arg)
{
	add_job(g, plan, done, arg)->time_ns = time_ns;
}

void fleet_submit_until(struct fleet *g, const struct plan *plan, int64_t deadline_ns,
			fleet_done *done, void *arg)
{
	struct job *job = add_job(g, plan, done, arg);

	int64_t now = clock_mono_ns(), left = deadline_ns - now;

	job->deadline_ns = deadline_ns;
	job->time_ns = INT64_MAX;
	job->wait_until = now + left / 4;
	job->begin_until = now + left / 2;
}

static struct job *take_queued(struct fleet *g)
{
	struct job *job = g->first;

	g->first = job->next;
	if (!g->first)
		g->last = &g->first;
	g->n_queued--;
	return job;
}

static int64_t gap_ns(const struct fleet *g)
{
	int64_t gap = g->opt.rate > 0 ? (int64_t)((double)NS_PER_S / g->opt.rate) : 0;

	return gap > GAP_NS ? gap : GAP_NS;
}

static int begin(struct fleet *g, struct job *job, struct err *e)
{
	int64_t now = clock_mono_ns();
	int64_t deadline =
		job->time_ns < job->deadline_ns - now ? now + job->time_ns : job->deadline_ns;

	if (g->opt.concurrency > 1 && !g->capturing && wake_up(g, e) != 0)
		return -1;
	bool sample = g->capturing && crowd_wants_sample(&g->crowd);

	job->plan.thrifty = g->capturing && !sample && !crowd_is_thorough(&g->crowd);
	job->plan.no_canary |= job->plan.thrifty;
	if (target_start(&job->run, g->live, &job->plan, deadline, e) != 0)
		return -1;
	job->run->slot = g->n;
	job->run->fleet = g;
	job->run->sample = sample;
	if (g->capturing)
		crowd_join(&g->crowd, job->run);
	g->jobs[g->n] = job;
	g->wake[g->n++] = 0;
	return 0;
}

/* Who has stood in the queue for so much of its time that the rest would show too little: no greeting in
 * half a second says nothing of a server. */
static void end_late(struct fleet *g, int64_t now)
{
	const struct err e = {.status = ERR_RUN, .text = FLEET_NO_TIME};

	for (struct job **at = &g->first; *at;) {
		struct job *job = *at;
		if (job->begin_until > now) {
			at = &job->next;
			continue;
		}
		*at = job->next;
		if (!*at)
			g->last = at;
		g->n_queued--;
		g->something_done = true;
		end_job(job, NULL, &e);
	}
}

/* Those whose turn it is. */
static void begin_some(struct fleet *g)
{
	int64_t now = clock_mono_ns(), gap = gap_ns(g);

	end_late(g, now);
	if (g->next_start < now - BURST_NS)
		g->next_start = now - BURST_NS;
	while (g->first && g->n < g->most &&
	       (g->hurry || (g->next_start <= now &&
			     (!crowd_waits(&g->crowd, now) || now >= g->first->wait_until)))) {
		struct err e = {.status = ERR_RUN, .text = "interrupted"};
		struct job *job = take_queued(g);
		g->next_start += gap;
		if (g->hurry || begin(g, job, &e) != 0) {
			g->something_done = true;
			end_job(job, NULL, &e);
		}
	}
}

/* ---- going on ---- */

static void wake_at(struct fleet *g, const struct run *r, int64_t t_ns)
{
	if (g->wake[r->slot] > t_ns)
		g->wake[r->slot] = t_ns;
}

/* Something happened to it. */
static void touch(struct run *r)
{
	struct fleet *g = r->fleet;
	bool soon = !g->capturing || prober_is_idle(r->prober);

	wake_at(g, r, soon ? 0 : clock_mono_ns() + GATHER_NS);
}

static void touched(void *owner)
{
	touch(owner);
}

static void give(struct run *r, const struct packet *p, const struct frame_copy *frame)
{
	target_take_packet(r, p, frame);
	touch(r);
}

static void take_packets(struct fleet *g)
{
	struct packet packets[TAKE_AT_ONCE];
	struct frame_copy *frames[TAKE_AT_ONCE];
	size_t n;

	while (g->capturing &&
	       (n = capture_take(g->live->capture, packets, frames, TAKE_AT_ONCE)) > 0)
		for (size_t i = 0; i < n; i++) {
			crowd_give(&g->crowd, &packets[i], frames[i], give);
			free(frames[i]);
		}
	for (unsigned i = 0; !g->capturing && i < g->n; i++) {
		target_take_packets(g->jobs[i]->run);
		g->wake[i] = 0;
	}
}

/* Takes it from among those under way. */
static struct job *remove_job(struct fleet *g, unsigned slot)
{
	struct job *job = g->jobs[slot];

	if (g->capturing)
		crowd_leave(&g->crowd, job->run);
	g->n--;
	g->jobs[slot] = g->jobs[g->n];
	g->wake[slot] = g->wake[g->n];
	g->jobs[slot]->run->slot = slot;
	return job;
}

/* What it has shown of the way may be news for those who wait. */
static void learn(struct fleet *g, struct run *r, const struct report *report)
{
	bool news = r->turn.has;

	crowd_learn(&g->crowd, r, report);
	for (unsigned i = 0; news && i < g->n; i++)
		if (g->jobs[i]->run->turn.waiting)
			g->wake[i] = 0;
}

static void step(struct fleet *g, unsigned slot)
{
	struct run *r = g->jobs[slot]->run;
	int64_t wake = INT64_MAX;
	struct err e;

	if (g->hurry)
		target_hurry(r);
	int failed = target_step(r, &wake, &e);
	g->wake[slot] = wake;
	if (failed) {
		g->something_done = true;
		end_job(remove_job(g, slot), NULL, &e);
	} else if (r->phase == PHASE_OVER) {
		struct report *report = target_report(r);
		if (g->capturing)
			learn(g, r, report);
		g->something_done = true;
		end_job(remove_job(g, slot), report, NULL);
	}
}

/* All that are to go on; no longer than SLICE_NS where others wait, and then whoever comes next is the
 * first of the next slice. */
static void step_some(struct fleet *g, int64_t now)
{
	int64_t until = g->opt.lasting ? now + SLICE_NS : INT64_MAX;

	for (unsigned left = g->n; left > 0 && g->n > 0 && clock_mono_ns() < until; left--) {
		if (g->next_step == 0 || g->next_step > g->n)
			g->next_step = g->n;
		/* downwards: a run that is over makes room for the last one */
		unsigned slot = --g->next_step;
		if (g->wake[slot] <= now || g->hurry)
			step(g, slot);
	}
}

static int64_t next_wake(const struct fleet *g, int64_t now)
{
	int64_t wake = INT64_MAX;

	/* the last of the samples may end before that: then something is done */
	if (g->first && g->n < g->most)
		wake = !crowd_waits(&g->crowd, now)                      ? g->next_start
		       : g->first->wait_until < g->crowd.sample_until ? g->first->wait_until
								      : g->crowd.sample_until;
	for (const struct job *job = g->first; job; job = job->next)
		if (job->begin_until < wake)
			wake = job->begin_until;
	if (g->capturing && g->opt.lasting && g->n == 0 && g->rest_at < wake)
		wake = g->rest_at;
	for (unsigned i = 0; i < g->n; i++)
		if (g->wake[i] < wake)
			wake = g->wake[i];
	return wake;
}

/* The tap has told all that some run waits for. */
static void wake_synced(struct fleet *g)
{
	for (unsigned i = 0; g->capturing && i < g->n; i++)
		if (g->jobs[i]->run->syncing &&
		    capture_synced(g->live->capture, g->jobs[i]->run->sync))
			g->wake[i] = 0;
}

static void wake_drawn(struct fleet *g, int64_t now)
{
	struct turn *drawn = NULL;
	uint32_t lot;

	if (!g->capturing || !g->crowd.turns.n_line)
		return;
	if (getrandom(&lot, sizeof(lot), 0) != sizeof(lot))
		lot = (uint32_t)now;
	drawn = turns_draw(&g->crowd.turns, now, lot);
	if (drawn)
		wake_at(g, drawn->owner, 0);
}

/* What can be done now. *wake: clock_mono_ns(), INT64_MAX when nothing is under way. */
static int dispatch(struct fleet *g, int64_t *wake, struct err *e)
{
	begin_some(g);
	take_packets(g);
	prober_share_dispatch(g->live->probers, touched);
	if (g->capturing && capture_has_failed(g->live->capture))
		return capture_stop(g->live->capture, e) != 0
			       ? -1
			       : err_set(e, ERR_RUN, "the capture has ended");
	int64_t now = clock_mono_ns();
	wake_drawn(g, now);
	wake_synced(g);
	step_some(g, now);
	if (g->n > 0 || g->first)
		g->rest_at = clock_mono_ns() + REST_NS;
	else if (g->capturing && g->opt.lasting && now >= g->rest_at)
		rest(g);
	*wake = next_wake(g, now);
	return 0;
}

int fleet_watch(struct fleet *g, int fd, struct err *e)
{
	return watch(g->epoll, fd, e);
}

int fleet_run(struct fleet *g, int64_t until, struct err *e)
{
	struct epoll_event ready[4];
	int64_t wake = until;

	g->something_done = false;
	if (dispatch(g, &wake, e) != 0)
		return -1;
	if (g->something_done)
		return 0;
	wake = wake < until ? wake : until;
	int64_t left = wake - clock_mono_ns();
	int ms = left <= 0                 ? 0
		 : left > 1000 * NS_PER_MS ? 1000
					   : (int)((left + NS_PER_MS - 1) / NS_PER_MS);
	if (epoll_wait(g->epoll, ready, 4, ms) < 0 && errno != EINTR)
		return err_set(e, ERR_RUN, "epoll: %s", strerror(errno));
	return 0;
}

void fleet_hurry(struct fleet *g)
{
	g->hurry = true;
}

/* ---- one alone ---- */

struct waiting {
	struct report *report;
	struct saved_case *saved;
	struct err err;
	bool over;
};

static void on_over(void *arg, const struct plan *plan, struct report *r, struct saved_case *saved,
		    const struct err *e)
{
	struct waiting *w = arg;

	(void)plan;
	w->over = true;
	w->report = r;
	if (e)
		w->err = *e;
	if (!w->saved || !saved)
		return;
	saved_case_clear(w->saved);
	*w->saved = *saved;
	saved_case_init(saved);
}

int run_judge(struct live *l, const struct plan *plan, int64_t deadline_ns,
	      struct saved_case *saved, struct report **out, struct err *e)
{
	const struct fleet_options opt = {.concurrency = 1};
	struct waiting w = {.saved = saved};
	struct fleet *g;
	int result = 0;

	if (fleet_new(&g, l, &opt, e) != 0)
		return -1;
	fleet_submit(g, plan, deadline_ns - clock_mono_ns(), on_over, &w);
	while (result == 0 && !w.over)
		result = fleet_run(g, INT64_MAX, e);
	fleet_free(g);
	if (result == 0 && !w.report) {
		*e = w.err;
		result = -1;
	}
	*out = w.report;
	return result;
}
