/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names looked up by threads: every request comes back once, with what was found, or why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "run/names.h"

#define MANY 200

/* ---- lookups that wait for the test ---- */

static sem_t slow_may_end;

int __real_resolve_name(const char *name, enum addr_family family, int64_t deadline_ns, struct resolved *out,
			struct err *e);
int __wrap_resolve_name(const char *name, enum addr_family family, int64_t deadline_ns, struct resolved *out,
			struct err *e);

int __wrap_resolve_name(const char *name, enum addr_family family, int64_t deadline_ns, struct resolved *out,
			struct err *e)
{
	if (strcmp(name, "127.9.9.9") == 0)
		sem_wait(&slow_may_end);
	return __real_resolve_name(name, family, deadline_ns, out, e);
}

static void ask(struct names *n, const char *text, void *arg)
{
	struct name_request *r = calloc(1, sizeof(*r));

	r->kind = NAME_HOST;
	r->family = ADDR_V4;
	r->timeout_ns = 5 * NS_PER_S;
	r->arg = arg;
	snprintf(r->text, sizeof(r->text), "%s", text);
	names_ask(n, r);
}

static struct name_request *wait_for_one(struct names *n)
{
	struct pollfd fd = {.fd = names_fd(n), .events = POLLIN};
	struct name_request *r;

	while (!(r = names_take(n)))
		assert_int_equal(poll(&fd, 1, 20000), 1);
	return r;
}

/* Addresses in text need no resolver: nothing leaves this machine. */
static void test_many(void **state)
{
	struct names *n;
	struct err e;
	unsigned seen[MANY] = {0};
	char text[40];

	(void)state;
	assert_int_equal(names_new(&n, &e), 0);
	assert_null(names_take(n));
	for (uintptr_t i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "127.0.%u.%u", (unsigned)i / 100, (unsigned)i % 100 + 1);
		ask(n, text, &seen[i]);
	}
	for (unsigned i = 0; i < MANY; i++) {
		struct name_request *r = wait_for_one(n);
		char got[ADDR_TEXT_MAX];
		++*(unsigned *)r->arg;
		assert_false(r->failed);
		assert_int_equal(r->addresses.n, 1);
		assert_string_equal(addr_text(&r->addresses.addresses[0], got), r->text);
		free(r);
	}
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(seen[i], 1);
	/* all are taken: there is nothing to read, and nothing to take */
	struct pollfd fd = {.fd = names_fd(n), .events = POLLIN};
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_null(names_take(n));
	names_free(n);
}

static void test_failure(void **state)
{
	struct names *n;
	struct err e;

	(void)state;
	assert_int_equal(names_new(&n, &e), 0);
	ask(n, "::1", NULL); /* not of the family that was asked for */
	struct name_request *r = wait_for_one(n);
	assert_true(r->failed);
	assert_true(strlen(r->error.text) > 0);
	free(r);
	names_free(n);
}

/* What is not taken is not lost as memory, and a thread under way is not waited for. */
static void test_left(void **state)
{
	struct names *n;
	struct err e;

	(void)state;
	assert_int_equal(names_new(&n, &e), 0);
	names_free(n);
	assert_int_equal(names_new(&n, &e), 0);
	ask(n, "127.0.0.1", NULL);
	struct pollfd fd = {.fd = names_fd(n), .events = POLLIN};
	assert_int_equal(poll(&fd, 1, 20000), 1);
	names_free(n);
}

/* One that is slow keeps nobody waiting, though a thread that had nothing to do was there for it: the next
 * request comes before that has woken up. */
static void test_slow_one(void **state)
{
	struct names *n;
	struct err e;

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(sem_init(&slow_may_end, 0, 0), 0);
		assert_int_equal(names_new(&n, &e), 0);
		ask(n, "127.0.0.1", NULL);
		free(wait_for_one(n));
		usleep(2000); /* the thread that did it waits for more */
		ask(n, "127.9.9.9", NULL);
		ask(n, "127.0.0.2", NULL);
		struct name_request *r = wait_for_one(n);
		assert_string_equal(r->text, "127.0.0.2");
		free(r);
		sem_post(&slow_may_end);
		free(wait_for_one(n));
		names_free(n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_slow_one),
		cmocka_unit_test(test_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
