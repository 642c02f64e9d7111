/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "case/store.h"

static char place[64]; /* a folder of this test's own */

static const struct case_file files[] = {
	{"packets.pcap", {"head", "frames"}, {4, 6}},
	{"report.json", {"{}\n", NULL}, {3, 0}},
	{"facts.jsonl", {"facts\n", NULL}, {6, 0}},
};
#define N_FILES 3

static int make_place(void **unused)
{
	(void)unused;
	strcpy(place, "/tmp/test-store-XXXXXX");
	return mkdtemp(place) ? 0 : -1;
}

static int remove_place(void **unused)
{
	char command[100];

	(void)unused;
	snprintf(command, sizeof(command), "rm -rf '%s'", place);
	return system(command);
}

static const char *in_place(const char *name)
{
	static char path[2][200];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", place, name);
	return path[turn];
}

static void assert_holds(const char *name, const char *text)
{
	char got[100] = "";
	FILE *f = fopen(in_place(name), "r");

	assert_non_null(f);
	got[fread(got, 1, sizeof(got) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(got, text);
}

static unsigned entries(const char *name)
{
	DIR *dir = opendir(in_place(name));
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static struct case_store *store(const char *name)
{
	struct case_store *s = NULL;
	struct err e;

	if (case_store_create(&s, in_place(name), (uid_t)-1, (gid_t)-1, &e) != 0)
		fail_msg("%s", e.text);
	return s;
}

static void assert_refused(const char *name, const char *says)
{
	struct case_store *s = NULL;
	struct err e = {0};

	assert_int_equal(case_store_create(&s, in_place(name), (uid_t)-1, (gid_t)-1, &e), -1);
	assert_null(s);
	assert_int_equal(e.status, ERR_USAGE);
	if (!strstr(e.text, says))
		fail_msg("%s: %s", name, e.text);
}

static void test_one_case_is_the_folder(void **unused)
{
	struct case_store *s = store("one");
	struct stat st;
	struct err e;

	(void)unused;
	assert_int_equal(case_store_check(s, &e), 0);
	assert_int_equal(case_store_add(s, "192.0.2.1", files, N_FILES, &e), 0);
	case_store_free(s);
	assert_int_equal(entries("one"), 3);
	assert_holds("one/packets.pcap", "headframes");
	assert_holds("one/facts.jsonl", "facts\n");
	assert_int_equal(stat(in_place("one"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(in_place("one/packets.pcap"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_further_cases_have_folders(void **unused)
{
	struct case_store *s = store("several");
	struct err e;

	(void)unused;
	assert_int_equal(case_store_add(s, "192.0.2.1", files, N_FILES, &e), 0);
	assert_int_equal(case_store_add(s, "2001:db8::1-eth0", files, N_FILES, &e), 0);
	assert_int_equal(case_store_add(s, "../..", files, N_FILES, &e), 0);
	case_store_free(s);
	assert_int_equal(entries("several"), 5);
	assert_holds("several/facts.jsonl", "facts\n");
	assert_holds("several/0002-2001-db8--1-eth0/facts.jsonl", "facts\n");
	assert_holds("several/0003-..-../facts.jsonl", "facts\n");
}

static void test_what_is_there_stays(void **unused)
{
	(void)unused;
	assert_int_equal(mkdir(in_place("full"), 0700), 0);
	assert_int_equal(mkdir(in_place("full/x"), 0700), 0);
	assert_refused("full", "it has something in it already");
	assert_int_equal(entries("full"), 1);
	assert_int_equal(mknod(in_place("file"), S_IFREG | 0600, 0), 0);
	assert_refused("file", "Not a directory");
	assert_refused("no/such", "No such file");
	assert_int_equal(symlink("nowhere", in_place("dangling")), 0);
	assert_refused("dangling", "No such file");
}

static void test_an_empty_folder_serves(void **unused)
{
	struct err e;

	(void)unused;
	assert_int_equal(mkdir(in_place("empty"), 0755), 0);
	struct case_store *s = store("empty");
	assert_int_equal(case_store_add(s, "192.0.2.1", files, N_FILES, &e), 0);
	case_store_free(s);
	assert_holds("empty/report.json", "{}\n");
}

static void test_nothing_stays_of_nothing(void **unused)
{
	(void)unused;
	case_store_free(store("unused"));
	assert_int_equal(access(in_place("unused"), F_OK), -1);
	assert_int_equal(mkdir(in_place("given"), 0700), 0);
	case_store_free(store("given")); /* that one is not ours */
	assert_int_equal(access(in_place("given"), F_OK), 0);
}

/* A full disk, as a limit of what a file may hold. */
static void test_half_a_case_is_none(void **unused)
{
	struct rlimit old, small = {.rlim_cur = 5, .rlim_max = RLIM_INFINITY};
	struct case_store *s = store("disk");
	struct err e;

	(void)unused;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int first = case_store_add(s, "192.0.2.1", files, N_FILES, &e);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(first, -1);
	assert_int_equal(e.status, ERR_RUN);
	assert_non_null(strstr(e.text, "disk/packets.pcap: File too large"));
	assert_int_equal(entries("disk"), 0);

	assert_int_equal(case_store_add(s, "192.0.2.1", files, N_FILES, &e), 0);
	setrlimit(RLIMIT_FSIZE, &small);
	int second = case_store_add(s, "192.0.2.2", files, N_FILES, &e);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(second, -1);
	assert_int_equal(entries("disk"), 3); /* the first one */
	case_store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_case_is_the_folder),
		cmocka_unit_test(test_further_cases_have_folders),
		cmocka_unit_test(test_what_is_there_stays),
		cmocka_unit_test(test_an_empty_folder_serves),
		cmocka_unit_test(test_nothing_stays_of_nothing),
		cmocka_unit_test(test_half_a_case_is_none),
	};

	return cmocka_run_group_tests(tests, make_place, remove_place);
}
