/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the trace behaves: gone when it is over or killed, beside others, where nothing can be traced. */
#include "trace_world.h"

static void ruleset(char *out, size_t size)
{
	output_of("nft -s -a list ruleset", out, size);
}

/* Open, or killed while open: gone, and nothing else touched. */
static void test_killed(void **state)
{
	static char before[1 << 15], during[1 << 16], after[1 << 15];
	struct world *w = *state;
	int ready[2], status;
	char c, name[64];

	shell_do("nft flush ruleset");
	assert_int_equal(load(NESTED_DROP), 0);
	assert_int_equal(load("table netdev keep { chain i { type filter hook ingress device v0 "
			      "priority 0; counter; }; }"),
			 0);
	ruleset(before, sizeof(before));
	prepare(w, false, REMOTE4); /* only for a watch */
	close_attempt(w);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e;
		bool ok = trace_open(&w->trace, &w->watch, &e) == 0;
		if (write(ready[1], ok ? "x" : "-", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	ruleset(during, sizeof(during));
	snprintf(name, sizeof(name), "table inet smtpblame-%d {", (int)pid);
	assert_non_null(strstr(during, name));
	snprintf(name, sizeof(name), "table netdev smtpblame-%d {", (int)pid);
	assert_non_null(strstr(during, name));
	assert_non_null(strstr(during, "flags owner"));
	/* others can't take it away by name, and don't by flushing */
	snprintf(name, sizeof(name), "nft delete table inet smtpblame-%d 2>/dev/null", (int)pid);
	assert_int_not_equal(shell(name), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	for (int i = 0; i < 200; i++) { /* the kernel may be a little later than wait() */
		ruleset(after, sizeof(after));
		if (strcmp(before, after) == 0)
			break;
		poll(NULL, 0, 5);
	}
	assert_string_equal(before, after);
	close(ready[0]);
	close(ready[1]);

	prepare(w, false, REMOTE4);
	close_attempt(w);
	ruleset(after, sizeof(after));
	assert_string_equal(before, after);
}

/* Two at once, and a stranger who traces everything: each knows its own packets only. */
static void test_side_by_side(void **state)
{
	struct world *w = *state, *other = calloc(1, sizeof(*other));

	assert_non_null(other);
	other->sock = -1;
	shell_do("nft flush ruleset");
	assert_int_equal(
		load("table inet f { chain t { type filter hook output priority -400; "
		     "meta nftrace set 1; }; "
		     "chain o { type filter hook output priority 0; tcp dport 587 drop; }; }"),
		0);
	prepare(w, false, REMOTE4);
	prepare(other, false, REMOTE4); /* the same process: the same pid, another name */
	assert_int_equal(go(other, 587, 60), ETIMEDOUT);
	assert_int_equal(go(w, 25, 1000), 0);
	assert_int_equal(w->n, 2);
	for (unsigned i = 0; i < w->n; i++) {
		const struct host_packet *p = &w->records[i].packet;
		assert_false(p->stopped);
		assert_int_equal(p->inbound ? p->dport : p->sport, w->lport);
		assert_int_equal(p->inbound ? p->sport : p->dport, 25);
	}
	assert_int_equal(other->n, 1);
	assert_true(other->records[0].packet.stopped);
	assert_string_equal(other->records[0].packet.stop.table, "f");
	assert_int_equal(other->records[0].packet.sport, other->lport);
	/* what the other does meanwhile is not ours */
	w->n = 0;
	trace_emit(w->trace, take_record, w);
	assert_int_equal(w->n, 0);
	close_attempt(other);
	free(other);
}

static void test_no_conntrack(void **state)
{
	struct world *w = *state;
	char count[16] = "";

	shell_do("nft flush ruleset");
	prepare(w, false, REMOTE4);
	assert_int_equal(go(w, 25, 1000), 0);
	output_of("cat /proc/sys/net/netfilter/nf_conntrack_count 2>/dev/null || echo 0", count,
		  sizeof(count));
	assert_int_equal(atoi(count), 0);
}

/* Too many matching rules for the socket's memory: it is said, and nothing is made up. */
static void test_loss(void **state)
{
	struct world *w = *state;

	shell_do("nft flush ruleset");
	shell_do("(echo 'table ip f { chain o { type filter hook output priority 0;'; "
		 "yes counter | head -n 30000; echo '}; }') | nft -f -");
	prepare(w, false, REMOTE4);
	assert_int_equal(go(w, 25, 1000), 0);
	assert_true(w->n > 0);
	assert_int_equal(w->records[0].kind, HOST_NOT_LOOKED);
	assert_int_equal(w->records[0].not_looked.what, HOST_LOOK_TRACE);
	for (unsigned i = 0; i < w->n; i++)
		if (w->records[i].kind == HOST_PACKET)
			assert_false(w->records[i].packet.stopped);
}

static void test_large_ruleset(void **state)
{
	struct world *w = *state;
	int64_t began;

	shell_do("nft flush ruleset");
	shell_do("(echo 'table ip f { chain o { type filter hook output priority 0;'; "
		 "for i in $(seq 100); do yes \"ip daddr 192.0.2.$i drop\" | head -n 50; done; "
		 "echo 'tcp dport 25 drop; }; }') | nft -f -");
	began = clock_mono_ns();
	prepare(w, false, REMOTE4);
	assert_true(clock_mono_ns() - began < 500 * NS_PER_MS);
	assert_int_equal(go(w, 25, 60), ETIMEDOUT);
	const struct host_packet *p = packet_of(w, false, true);
	assert_non_null(p);
	assert_handle(&p->stop, "tcp dport 25 drop");
}

/* Without CAP_NET_ADMIN the words say what is missing. */
static void test_no_privilege(void **state)
{
	struct world *w = *state;
	int status;

	prepare(w, false, REMOTE4);
	close_attempt(w);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e = {.text = ""};
		if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
			_exit(77);
		int rc = trace_open(&w->trace, &w->watch, &e);
		_exit(rc == -1 && e.status == ERR_RUN && strstr(e.text, "CAP_NET_ADMIN") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip(); /* one user only in this user namespace */
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_killed),
		TEST(test_side_by_side),
		TEST(test_no_conntrack),
		TEST(test_loss),
		TEST(test_large_ruleset),
		TEST(test_no_privilege),
	};

	if (netns_possible() &&
	    shell("nft -f /dev/null 2>/dev/null && nft add table inet probe 2>/dev/null") != 0) {
		printf("skipped: no nft, or no nf_tables for us\n");
		return 77;
	}
	return netns_main(tests, sizeof(tests) / sizeof(tests[0]));
}
