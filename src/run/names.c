/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/names.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"

struct list {
	struct name_request *first, **last;
};

struct names {
	int ready_fd;         /* eventfd: `answered` is not empty */
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t more;
	struct list asked, answered;
	unsigned n_asked;     /* that no thread has taken yet */
	unsigned n_threads, n_idle, n_users; /* users: threads, and names_free()'s caller */
	bool stop;
};

static void append(struct list *l, struct name_request *r)
{
	r->next = NULL;
	*l->last = r;
	l->last = &r->next;
}

static struct name_request *take_first(struct list *l)
{
	struct name_request *r = l->first;

	if (!r)
		return NULL;
	l->first = r->next;
	if (!l->first)
		l->last = &l->first;
	return r;
}

/* ---- threads ---- */

static void look_up_domain(struct name_request *r, struct dns **dns, int64_t deadline)
{
	r->failed = (!*dns && dns_open(dns, NULL, &r->error) != 0) ||
		    dns_mx(*dns, r->text, deadline, &r->mx, &r->error) != 0;
}

static void look_up(struct name_request *r, struct dns **dns)
{
	int64_t begin = clock_mono_ns(), deadline = begin + r->timeout_ns;

	switch (r->kind) {
	case NAME_HOST:
		r->failed =
			resolve_name(r->text, r->family, deadline, &r->addresses, &r->error) != 0;
		break;
	case NAME_DOMAIN: look_up_domain(r, dns, deadline); break;
	}
	r->took_ns = clock_mono_ns() - begin;
}

static void destroy(struct names *n)
{
	struct name_request *r;

	while ((r = take_first(&n->asked)) || (r = take_first(&n->answered)))
		free(r);
	close(n->ready_fd);
	pthread_cond_destroy(&n->more);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

/* Gives the lock back. */
static void leave(struct names *n)
{
	bool last = --n->n_users == 0;

	pthread_mutex_unlock(&n->lock);
	if (last)
		destroy(n);
}

/* With the lock held. */
static void answer(struct names *n, struct name_request *r)
{
	append(&n->answered, r);
	if (eventfd_write(n->ready_fd, 1) != 0)
		return; /* the counter is full: readable anyway */
}

static void *names_main(void *arg)
{
	struct names *n = arg;
	struct dns *dns = NULL;

	pthread_mutex_lock(&n->lock);
	while (!n->stop) {
		struct name_request *r = take_first(&n->asked);
		if (!r) {
			n->n_idle++;
			pthread_cond_wait(&n->more, &n->lock);
			n->n_idle--;
			continue;
		}
		n->n_asked--;
		pthread_mutex_unlock(&n->lock);
		look_up(r, &dns);
		pthread_mutex_lock(&n->lock);
		answer(n, r);
	}
	pthread_mutex_unlock(&n->lock);
	dns_close(dns);
	pthread_mutex_lock(&n->lock);
	leave(n);
	return NULL;
}

/* Threads come with the requests that need them: one that was woken for an earlier request is idle no
 * more, though it may not know yet. With the lock held. */
static void start_thread(struct names *n)
{
	sigset_t all, old;
	pthread_t thread;

	if (n->n_idle > n->n_asked || n->n_threads == NAMES_WORKERS)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&thread, NULL, names_main, n) == 0) {
		pthread_detach(thread);
		n->n_threads++;
		n->n_users++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* ---- main thread ---- */

int names_new(struct names **out, struct err *e)
{
	struct names *n = xcalloc(1, sizeof(*n));

	n->asked.last = &n->asked.first;
	n->answered.last = &n->answered.first;
	n->n_users = 1;
	n->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->ready_fd < 0) {
		free(n);
		return err_set(e, ERR_RUN, "eventfd: %s", strerror(errno));
	}
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->more, NULL);
	*out = n;
	return 0;
}

void names_free(struct names *n)
{
	if (!n)
		return;
	pthread_mutex_lock(&n->lock);
	n->stop = true;
	pthread_cond_broadcast(&n->more);
	leave(n);
}

void names_ask(struct names *n, struct name_request *r)
{
	pthread_mutex_lock(&n->lock);
	start_thread(n);
	if (n->n_threads > 0) {
		append(&n->asked, r);
		n->n_asked++;
		pthread_cond_signal(&n->more);
	} else {
		r->failed = true;
		err_set(&r->error, ERR_USAGE, "no thread can be made to look it up");
		answer(n, r);
	}
	pthread_mutex_unlock(&n->lock);
}

struct name_request *names_take(struct names *n)
{
	eventfd_t count;

	pthread_mutex_lock(&n->lock);
	struct name_request *r = take_first(&n->answered);
	/* with the last one only: this is asked in every turn of a loop */
	if (r && !n->answered.first && eventfd_read(n->ready_fd, &count) != 0)
		count = 0; /* nothing to clear */
	pthread_mutex_unlock(&n->lock);
	return r;
}

int names_fd(const struct names *n)
{
	return n->ready_fd;
}
