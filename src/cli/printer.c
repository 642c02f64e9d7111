/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/printer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "report/render.h"

/* What waits to be written takes memory: some 20 KB each. */
#define QUEUE_MAX 64

struct printer {
	pthread_t thread;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t moved; /* something was given or taken, or `over` was set */
	struct report *queue[QUEUE_MAX];
	unsigned first, n; /* n: with the one being written */
	bool over;         /* no more will be given */
	bool drop;         /* nor is anything to be written */
	int failed;        /* errno of a write, 0 none */
};

static int print(const struct report *r)
{
	errno = 0;
	return render_json(r, stdout) == 0 ? 0 : errno ? errno : EIO;
}

static void *printer_main(void *printer)
{
	struct printer *p = printer;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (p->n == 0 && !p->over)
			pthread_cond_wait(&p->moved, &p->lock);
		if (p->n == 0)
			break;
		struct report *r = p->queue[p->first];
		bool skip = p->drop || p->failed;
		pthread_mutex_unlock(&p->lock);
		int failed = skip ? 0 : print(r);
		report_free(r);
		pthread_mutex_lock(&p->lock);
		p->failed = failed ? failed : p->failed;
		p->first = (p->first + 1) % QUEUE_MAX;
		p->n--;
		pthread_cond_broadcast(&p->moved);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct printer *printer_new(void)
{
	struct printer *p = xcalloc(1, sizeof(*p));
	sigset_t all, old;

	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->moved, NULL);
	/* signals are the main thread's, which they wake */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int failed = pthread_create(&p->thread, NULL, printer_main, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!failed)
		return p;
	free(p);
	return NULL;
}

static int result_of(const struct printer *p, struct err *e)
{
	return p->failed ? err_set(e, ERR_RUN, "cannot write the report: %s", strerror(p->failed)) : 0;
}

int printer_give(struct printer *p, struct report *r, struct err *e)
{
	pthread_mutex_lock(&p->lock);
	while (p->n == QUEUE_MAX)
		pthread_cond_wait(&p->moved, &p->lock);
	p->queue[(p->first + p->n++) % QUEUE_MAX] = r;
	pthread_cond_broadcast(&p->moved);
	int result = result_of(p, e);
	pthread_mutex_unlock(&p->lock);
	return result;
}

int printer_finish(struct printer *p, struct err *e)
{
	pthread_mutex_lock(&p->lock);
	while (p->n)
		pthread_cond_wait(&p->moved, &p->lock);
	int result = result_of(p, e);
	pthread_mutex_unlock(&p->lock);
	return result;
}

void printer_free(struct printer *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->over = p->drop = true;
	pthread_cond_broadcast(&p->moved);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->moved);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
