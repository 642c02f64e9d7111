/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The live tap, on the loopback of a network namespace of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "capture/capture.h"
#include "capture/source.h"

#define SYNC_MS 2000

/* ---- traffic and helpers ----------------------------------------------------------------- */

/* One SYN to our own address and, as nobody listens, one RST back. Both have passed the tap when
 * this returns: loopback is delivered within the call. */
static void knock(uint16_t port)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), -1);
	assert_true(errno == EINPROGRESS || errno == ECONNREFUSED);
	close(fd);
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

static struct capture *open_live(size_t queue_size)
{
	struct capture *c = NULL;
	struct err e = {.text = ""};

	struct capture_room room = capture_room_one;

	room.queue = queue_size;
	if (capture_open_live(&c, &room, &e) != 0)
		fail_msg("%s", e.text);
	return c;
}

static void start(struct capture *c, const char *filter)
{
	struct err e = {.text = ""};

	if (capture_start(c, filter, &e) != 0)
		fail_msg("%s", e.text);
}

static void stop(struct capture *c)
{
	struct err e = {.text = ""};

	if (capture_stop(c, &e) != 0)
		fail_msg("%s", e.text);
}

static int run(const char *const *argv)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Without libcap: a child of the test has nothing to keep. */
static void drop_all_capabilities(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	if (syscall(SYS_capset, &h, none) != 0)
		_exit(99);
}

/* ---- tests ------------------------------------------------------------------------------- */

static void test_sees_syn_and_rst(void **state)
{
	struct capture *c = open_live(16);
	struct packet p[4];
	int64_t before = clock_wall_ns();

	(void)state;
	start(c, "tcp port 25");
	knock(25);
	knock(26);
	assert_true(readable(capture_fd(c), SYNC_MS));
	assert_true(capture_sync(c, SYNC_MS));
	int64_t after = clock_wall_ns();

	assert_int_equal(capture_take(c, p, NULL, 1), 1);
	assert_true(readable(capture_fd(c), 0));
	assert_int_equal(capture_take(c, p + 1, NULL, 3), 1);
	assert_false(readable(capture_fd(c), 0));
	assert_int_equal(p[0].kind, PACKET_TCP);
	assert_int_equal(p[0].tcp.flags, TCP_SYN);
	assert_int_equal(p[0].tcp.dport, 25);
	assert_int_equal(p[1].tcp.flags, TCP_RST | TCP_ACK);
	assert_int_equal(p[1].tcp.sport, 25);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(p[i].number, i + 1);
		assert_int_equal(p[i].ifindex, 1);
		assert_int_equal(p[i].dir, PACKET_IN);
		assert_true(p[i].loopback);
		assert_null(p[i].payload);
		assert_true(p[i].t_ns >= before && p[i].t_ns <= after);
	}
	assert_true(p[0].t_ns <= p[1].t_ns);
	stop(c);
	capture_free(c);
}

static void test_sync_is_complete(void **state)
{
	struct capture *c = open_live(4096);
	struct packet p[64];

	(void)state;
	start(c, "tcp port 25");
	for (int i = 0; i < 200; i++) {
		knock(25);
		assert_true(capture_sync(c, SYNC_MS));
		assert_int_equal(capture_take(c, p, NULL, 64), 2);
	}
	stop(c);
	assert_true(capture_sync(c, 0)); /* nothing more can come */
	capture_free(c);
}

static void test_restart_with_another_filter(void **state)
{
	struct capture *c = open_live(64);
	struct capture_stats stats;
	struct packet p[64];

	(void)state;
	knock(25); /* between open and start: no business of ours */
	start(c, "tcp port 25");
	knock(25);
	stop(c);
	capture_get_stats(c, &stats);
	assert_int_equal(stats.received, 2);
	/* what was read stays to be taken */
	assert_int_equal(capture_take(c, p, NULL, 1), 1);
	knock(25);
	knock(26);
	knock(27);

	start(c, "tcp port 26");
	assert_false(readable(capture_fd(c), 0));
	assert_true(capture_sync(c, SYNC_MS));
	assert_int_equal(capture_take(c, p, NULL, 64), 0);
	knock(25);
	knock(26);
	assert_true(capture_sync(c, SYNC_MS));
	assert_int_equal(capture_take(c, p, NULL, 64), 2);
	assert_int_equal(p[0].tcp.dport, 26);
	assert_int_equal(p[0].number, 3); /* runs on */
	capture_get_stats(c, &stats);
	assert_int_equal(stats.received, 2);
	assert_int_equal(stats.dropped_kernel + stats.dropped_queue + stats.undecodable, 0);
	stop(c);
	stop(c);
	capture_free(c);
}

static void test_full_queue_drops_and_counts(void **state)
{
	struct capture *c = open_live(4);
	struct capture_stats stats;
	struct packet p[16];

	(void)state;
	start(c, "tcp port 25");
	for (int i = 0; i < 20; i++)
		knock(25);
	assert_true(capture_sync(c, SYNC_MS));
	capture_get_stats(c, &stats);
	assert_int_equal(stats.received, 40);
	assert_int_equal(stats.dropped_queue, 36);
	assert_int_equal(capture_take(c, p, NULL, 16), 4);
	assert_int_equal(p[0].number, 1);
	assert_int_equal(p[3].number, 4);
	knock(25); /* and goes on, around the end of the ring */
	assert_true(capture_sync(c, SYNC_MS));
	assert_int_equal(capture_take(c, p, NULL, 16), 2);
	assert_int_equal(p[0].number, 41);
	stop(c);
	capture_free(c);
}

/* Every packet is either received or counted as dropped, however many there are. */
static void test_burst_is_accounted_for(void **state)
{
	const int n = 3000;
	struct capture *c = open_live(8192);
	struct capture_stats stats;

	(void)state;
	start(c, "tcp port 25");
	for (int i = 0; i < n; i++)
		knock(25);
	assert_true(capture_sync(c, SYNC_MS));
	capture_get_stats(c, &stats);
	/* on lo the tap sees each packet leave and arrive, and libpcap passes over the first: one
	 * that finds no room is counted up to twice */
	assert_in_range(stats.received, 1, 2 * n);
	assert_in_range(stats.received + stats.dropped_kernel, 2 * n, 4 * n);
	assert_int_equal(stats.dropped_queue, 0);
	print_message("burst of %d: %llu lost in the kernel's ring\n", 2 * n,
		      (unsigned long long)stats.dropped_kernel);
	stop(c);
	capture_free(c);
}

static void test_bad_filter(void **state)
{
	struct capture *c = open_live(4);
	struct err e;

	(void)state;
	assert_int_equal(capture_start(c, "tcp prot 25", &e), -1);
	assert_int_equal(e.status, ERR_RUN);
	assert_non_null(strstr(e.text, "capture filter"));
	start(c, "tcp port 25"); /* no harm done */
	assert_int_equal(capture_start(c, "tcp", &e), -1);
	stop(c);
	capture_free(c);
}

static void test_file_is_read_again(void **state)
{
	char path[] = "/tmp/smtpblame-test-XXXXXX";
	struct capture *c = open_live(64), *file = NULL;
	struct packet live[64], again;
	struct err e;
	size_t n = 0;

	(void)state;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(capture_write_to(c, path, &e), 0);
	start(c, "tcp port 25");
	assert_int_equal(capture_write_to(c, path, &e), -1);
	knock(25);
	knock(26);
	stop(c);
	n += capture_take(c, live, NULL, 64);
	start(c, "tcp port 26"); /* the file goes on */
	knock(25);
	knock(26);
	stop(c);
	n += capture_take(c, live + n, NULL, 64 - n);
	assert_int_equal(n, 4);

	uint32_t head[6];
	assert_int_equal(read(fd, head, sizeof(head)), sizeof(head));
	assert_int_equal(head[0], 0xa1b23c4d); /* nanoseconds, this machine's byte order */
	assert_int_equal(head[5], 276);        /* LINKTYPE_LINUX_SLL2 */
	close(fd);

	assert_int_equal(capture_open_file(&file, path, &e), 0);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(capture_next(file, &again, &e), 1);
		again.payload = NULL;
		again.payload_caplen = live[i].payload_caplen;
		assert_int_equal(again.number, live[i].number);
		assert_true(again.t_ns == live[i].t_ns);
		assert_int_equal(again.ifindex, live[i].ifindex);
		assert_int_equal(again.tcp.sport, live[i].tcp.sport);
		assert_int_equal(again.tcp.flags, live[i].tcp.flags);
	}
	assert_int_equal(capture_next(file, &again, &e), 0);
	capture_free(file);

	/* a second file starts counting anew */
	assert_int_equal(capture_write_to(c, path, &e), 0);
	start(c, "tcp port 25");
	knock(25);
	stop(c);
	assert_int_equal(capture_take(c, live, NULL, 64), 2);
	assert_int_equal(live[0].number, 1);
	capture_free(c);
	unlink(path);
}

static void test_file_errors(void **state)
{
	struct capture *c = open_live(64);
	struct err e;

	(void)state;
	assert_int_equal(capture_write_to(c, "/nonexistent/x.pcap", &e), -1);
	assert_int_equal(e.status, ERR_USAGE);
	assert_string_equal(e.text, "/nonexistent/x.pcap: No such file or directory");
	if (capture_write_to(c, "/dev/full", &e) == 0) {
		start(c, "tcp port 25");
		knock(25);
		stop(c); /* what was seen is worth no less */
		assert_int_equal(capture_written(c, &e), -1);
		assert_int_equal(e.status, ERR_RUN);
		assert_string_equal(e.text, "-w /dev/full: No space left on device");
	}
	capture_free(c);
}

/* A file that is there keeps what it holds until something is captured; one that was made for nothing
 * is not left. */
static void test_file_before_the_start(void **state)
{
	char path[] = "/tmp/smtpblame-test-XXXXXX", held[8];
	struct capture *c = open_live(4);
	struct stat st;
	struct err e;

	(void)state;
	int fd = mkstemp(path);
	assert_int_equal(write(fd, "older", 5), 5);
	assert_int_equal(capture_write_to(c, path, &e), 0);
	capture_free(c);
	assert_int_equal(pread(fd, held, sizeof(held), 0), 5);
	close(fd);
	unlink(path);

	c = open_live(4);
	assert_int_equal(capture_write_to(c, path, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	capture_free(c);
	assert_int_equal(stat(path, &st), -1);

	/* a run that captured nothing is a capture, too */
	c = open_live(4);
	assert_int_equal(capture_write_to(c, path, &e), 0);
	assert_int_equal(capture_written(c, &e), 0);
	capture_free(c);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 24);
	unlink(path);
}

static void test_thread_is_named_and_deaf(void **state)
{
	struct capture *c = open_live(4);
	bool found = false;
	struct dirent *d;
	sigset_t mask;

	(void)state;
	start(c, "tcp port 25");
	assert_true(capture_sync(c, SYNC_MS));
	DIR *dir = opendir("/proc/self/task");
	assert_non_null(dir);
	while ((d = readdir(dir))) {
		char path[300], line[256];
		bool ours = false;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status", d->d_name);
		FILE *f = d->d_name[0] == '.' ? NULL : fopen(path, "r");
		while (f && fgets(line, sizeof(line), f)) {
			unsigned long long blocked;
			if (strcmp(line, "Name:\tsmtpblame-cap\n") == 0)
				ours = found = true;
			/* signals 1 to 31 but KILL (9) and STOP (19) */
			if (ours && sscanf(line, "SigBlk: %llx", &blocked) == 1)
				assert_int_equal(blocked & 0x7fffffff, 0x7ffbfeff);
		}
		if (f)
			fclose(f);
	}
	closedir(dir);
	assert_true(found);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	assert_false(sigismember(&mask, SIGINT)); /* ours is as it was */
	stop(c);
	capture_free(c);
}

static void test_children_inherit_nothing(void **state)
{
	struct capture *c = open_live(4);
	struct dirent *d;
	int n = 0;

	(void)state;
	DIR *dir = opendir("/proc/self/fd");
	assert_non_null(dir);
	while ((d = readdir(dir))) {
		char target[64] = "", path[300];
		snprintf(path, sizeof(path), "/proc/self/fd/%s", d->d_name);
		if (readlink(path, target, sizeof(target) - 1) <= 0)
			continue;
		if (strncmp(target, "socket:", 7) != 0 && !strstr(target, "eventfd"))
			continue;
		int flags = fcntl(atoi(d->d_name), F_GETFD);
		/* libpcap's own wake-up eventfd is not ours to change, and gives nothing away */
		if (strncmp(target, "socket:", 7) == 0)
			assert_true(flags & FD_CLOEXEC);
		n++;
	}
	closedir(dir);
	assert_true(n >= 3);
	capture_free(c);
}

/* `any` must not care about one interface. */
static void test_interface_goes_away(void **state)
{
	static const char *const add[] = {"ip",   "link", "add",  "tv0", "type",
					  "veth", "peer", "name", "tv1", NULL};
	static const char *const up[] = {"ip", "link", "set", "tv0", "up", NULL};
	static const char *const down[] = {"ip", "link", "set", "tv0", "down", NULL};
	static const char *const del[] = {"ip", "link", "del", "tv0", NULL};
	struct capture *c = open_live(64);
	struct packet p[8];

	(void)state;
	start(c, "tcp port 25");
	if (run(add) != 0) {
		print_message("no veth here: not tried\n");
	} else {
		assert_int_equal(run(up), 0);
		assert_int_equal(run(down), 0);
		assert_int_equal(run(del), 0);
	}
	knock(25);
	assert_true(capture_sync(c, SYNC_MS));
	assert_int_equal(capture_take(c, p, NULL, 8), 2);
	stop(c);
	capture_free(c);
}

static void test_no_privilege(void **state)
{
	int status;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		struct capture *c;
		struct err e = {.text = ""};
		char self[256] = "";
		if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
			_exit(1);
		drop_all_capabilities();
		/* root of a container, whom sudo does not help */
		if (geteuid() == 0 && (capture_open_live(&c, &capture_room_one, &e) != -1 ||
				       !strstr(e.text, "--cap-add NET_RAW") || strstr(e.text, "sudo")))
			_exit(4);
		/* root without a capability may become nobody else, but in a user namespace of its own */
		if (geteuid() == 0 && unshare(CLONE_NEWUSER) != 0)
			_exit(5);
		if (capture_open_live(&c, &capture_room_one, &e) != -1 || e.status != ERR_RUN)
			_exit(2);
		if (!strstr(e.text, "CAP_NET_RAW") || !strstr(e.text, "`sudo smtpblame ...`") ||
		    !strstr(e.text, "`sudo setcap cap_net_raw,cap_net_admin+ep /") ||
		    !strstr(e.text, self)) {
			fprintf(stderr, "%s\n", e.text);
			_exit(3);
		}
		_exit(0);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_int_equal(status, 0);
}

/* Opened once with privilege, used for every target without. */
static void test_runs_without_privilege(void **state)
{
	int status;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		struct capture *c = open_live(64);
		struct capture_stats stats;
		struct packet p[8];
		struct err e;
		drop_all_capabilities();
		for (uint16_t port = 25; port < 28; port++) {
			char filter[32];
			snprintf(filter, sizeof(filter), "tcp port %u", port);
			if (capture_start(c, filter, &e) != 0)
				_exit(1);
			knock(port);
			knock(99);
			if (!capture_sync(c, SYNC_MS) || capture_take(c, p, NULL, 8) != 2)
				_exit(2);
			if (p[0].tcp.dport != port || p[0].tcp.flags != TCP_SYN)
				_exit(3);
			if (capture_stop(c, &e) != 0)
				_exit(4);
			capture_get_stats(c, &stats);
			if (stats.received != 2)
				_exit(5);
		}
		capture_free(c);
		_exit(0);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_int_equal(status, 0);
}

static void test_cost(void **state)
{
	int64_t t0 = clock_mono_ns();
	struct capture *c = open_live(4096);
	int64_t t1 = clock_mono_ns(), worst = 0, sum = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		int64_t s = clock_mono_ns();
		start(c, "tcp port 25 or icmp");
		stop(c);
		s = clock_mono_ns() - s;
		sum += s;
		if (s > worst)
			worst = s;
	}
	int64_t t2 = clock_mono_ns();
	capture_free(c);
	int64_t t3 = clock_mono_ns();
	print_message("open %.1f ms, start+stop mean %.2f ms worst %.2f ms, free %.1f ms\n",
		      (double)(t1 - t0) / 1e6, (double)sum / 20e6, (double)worst / 1e6,
		      (double)(t3 - t2) / 1e6);
	assert_true(sum / 20 < 100 * NS_PER_MS); /* generous: sanitizers, busy machines */
}

static bool own_namespace(void)
{
	/* as root, else as root of a user namespace where the kernel lets us */
	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return false;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	bool ok = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sees_syn_and_rst),
	    cmocka_unit_test(test_sync_is_complete),
	    cmocka_unit_test(test_restart_with_another_filter),
	    cmocka_unit_test(test_full_queue_drops_and_counts),
	    cmocka_unit_test(test_burst_is_accounted_for),
	    cmocka_unit_test(test_bad_filter),
	    cmocka_unit_test(test_file_is_read_again),
	    cmocka_unit_test(test_file_errors),
	    cmocka_unit_test(test_file_before_the_start),
	    cmocka_unit_test(test_thread_is_named_and_deaf),
	    cmocka_unit_test(test_children_inherit_nothing),
	    cmocka_unit_test(test_interface_goes_away),
	    cmocka_unit_test(test_no_privilege),
	    cmocka_unit_test(test_runs_without_privilege),
	    cmocka_unit_test(test_cost),
	};

	if (!own_namespace()) {
		printf("skipped: no network namespace of our own: %s\n", strerror(errno));
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
