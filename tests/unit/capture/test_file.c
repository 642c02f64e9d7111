/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Captures from files, good and bad ones, written here byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/capture.h"

/* 10.0.0.2:40000 > 198.51.100.25:25 [S] over Ethernet */
/* clang-format off */
static const uint8_t syn[60] = {
	2,    0,    0,    0,   0,   1,    2,    0,    0,    0, 0, 2, 8, 0,        /* Ethernet */
	0x45, 0,    0,    44,  0,   1,    0x40, 0,    64,   6, 0, 0,              /* IPv4 */
	10,   0,    0,    2,   198, 51,   100,  25,                               /* addresses */
	0x9c, 0x40, 0,    25,  0,   0,    0,    1,    0,    0, 0, 0, 0x60, TCP_SYN, /* TCP */
	0xfa, 0xf0, 0,    0,   0,   0,    2,    4,    5,    0xb4};
static const uint8_t arp[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6};
/* clang-format on */

struct file {
	char path[40];
	FILE *f;
};

static void begin(struct file *file)
{
	strcpy(file->path, "/tmp/smtpblame-test-XXXXXX");
	int fd = mkstemp(file->path);
	assert_true(fd >= 0);
	file->f = fdopen(fd, "wb");
	assert_non_null(file->f);
}

static void put(struct file *file, const void *bytes, size_t n)
{
	assert_int_equal(fwrite(bytes, 1, n, file->f), n);
}

static void put32(struct file *file, uint32_t v)
{
	put(file, &v, sizeof(v));
}

static void pcap_head(struct file *file, uint32_t magic, uint32_t link_type)
{
	const uint32_t head[6] = {magic, 4u << 16 | 2, 0, 0, 65535, link_type};

	put(file, head, sizeof(head));
}

static void pcap_frame(struct file *file, uint32_t s, uint32_t fraction, const uint8_t *frame,
		       uint32_t len)
{
	const uint32_t head[4] = {s, fraction, len, len};

	put(file, head, sizeof(head));
	put(file, frame, len);
}

static struct capture *finish(struct file *file, struct err *e)
{
	struct capture *c = NULL;

	fclose(file->f);
	if (capture_open_file(&c, file->path, e) != 0)
		c = NULL;
	unlink(file->path);
	return c;
}

static void test_pcap_both_precisions(void **state)
{
	static const uint32_t magics[] = {0xa1b2c3d4, 0xa1b23c4d};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct capture_stats stats;
		struct file file;
		struct packet p;
		struct err e;
		begin(&file);
		pcap_head(&file, magics[i], 1);
		pcap_frame(&file, 1700000000, 123456, syn, sizeof(syn));
		pcap_frame(&file, 1700000000, 123457, arp, sizeof(arp));
		pcap_frame(&file, 1700000001, 0, syn, sizeof(syn));
		struct capture *c = finish(&file, &e);
		assert_non_null(c);
		assert_int_equal(capture_next(c, &p, &e), 1);
		assert_true(p.t_ns == 1700000000000000000LL + (i ? 123456 : 123456000));
		assert_int_equal(p.number, 1);
		assert_int_equal(p.tcp.dport, 25);
		assert_int_equal(capture_next(c, &p, &e), 1);
		assert_int_equal(p.number, 3); /* the ARP frame counts */
		assert_true(p.t_ns == 1700000001000000000LL);
		assert_int_equal(capture_next(c, &p, &e), 0);
		assert_int_equal(capture_next(c, &p, &e), 0);
		capture_get_stats(c, &stats);
		assert_int_equal(stats.received, 3);
		assert_int_equal(stats.undecodable, 1);
		capture_free(c);
	}
}

static void pcapng_head(struct file *file, uint8_t tsresol)
{
	/* section header; interface: Ethernet, option if_tsresol */
	const uint32_t section[7] = {0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28};
	const uint32_t interface[8] = {1, 32, 1, 65535, 1u << 16 | 9, tsresol, 0, 32};

	put(file, section, sizeof(section));
	put(file, interface, sizeof(interface));
}

static void pcapng_frame(struct file *file, uint64_t stamp)
{
	const uint32_t len = 32 + sizeof(syn);

	put32(file, 6);
	put32(file, len);
	put32(file, 0);
	put32(file, (uint32_t)(stamp >> 32));
	put32(file, (uint32_t)stamp);
	put32(file, sizeof(syn));
	put32(file, sizeof(syn));
	put(file, syn, sizeof(syn));
	put32(file, len);
}

static void test_pcapng(void **state)
{
	struct file file;
	struct packet p;
	struct err e;

	(void)state;
	begin(&file);
	pcapng_head(&file, 9);
	pcapng_frame(&file, 1700000000123456789ULL);
	struct capture *c = finish(&file, &e);
	assert_non_null(c);
	assert_int_equal(capture_next(c, &p, &e), 1);
	assert_true(p.t_ns == 1700000000123456789LL);
	assert_int_equal(p.tcp.sport, 40000);
	assert_int_equal(capture_next(c, &p, &e), 0);
	capture_free(c);
}

/* Stamps in whole seconds reach far beyond what nanoseconds in 64 bits can hold. */
static void test_absurd_time(void **state)
{
	static const uint64_t stamps[] = {UINT64_MAX, UINT64_MAX / 2, 9223372036ULL, 1ULL << 40};
	struct file file;
	struct packet p;
	struct err e;

	(void)state;
	begin(&file);
	pcapng_head(&file, 0);
	for (size_t i = 0; i < 4; i++)
		pcapng_frame(&file, stamps[i]);
	struct capture *c = finish(&file, &e);
	assert_non_null(c);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(capture_next(c, &p, &e), 1);
		assert_true(p.t_ns >= 0);
	}
	capture_free(c);
}

static void test_truncated(void **state)
{
	struct file file;
	struct packet p;
	struct err e;

	(void)state;
	begin(&file);
	pcap_head(&file, 0xa1b2c3d4, 1);
	pcap_frame(&file, 1, 0, syn, sizeof(syn));
	pcap_frame(&file, 2, 0, syn, sizeof(syn));
	fflush(file.f);
	assert_int_equal(ftruncate(fileno(file.f), 24 + 2 * 16 + 60 + 59), 0);
	struct capture *c = finish(&file, &e);
	assert_non_null(c);
	assert_int_equal(capture_next(c, &p, &e), 1); /* what came before it stays */
	assert_int_equal(capture_next(c, &p, &e), -1);
	assert_int_equal(e.status, ERR_USAGE);
	assert_non_null(strstr(e.text, file.path));
	assert_non_null(strstr(e.text, "truncated"));
	capture_free(c);
}

static void test_refused(void **state)
{
	struct capture *c;
	struct file file;
	struct err e;

	(void)state;
	assert_int_equal(capture_open_file(&c, "/nonexistent/x.pcap", &e), -1);
	assert_int_equal(e.status, ERR_USAGE);
	assert_string_equal(e.text, "/nonexistent/x.pcap: No such file or directory");

	begin(&file);
	put(&file, "GIF89a and so on, longer than any header of a capture file", 58);
	assert_null(finish(&file, &e));
	assert_int_equal(e.status, ERR_USAGE);
	assert_non_null(strstr(e.text, file.path));

	begin(&file); /* empty */
	assert_null(finish(&file, &e));
	assert_int_equal(e.status, ERR_USAGE);

	begin(&file);
	pcap_head(&file, 0xa1b2c3d4, 195); /* IEEE 802.15.4 */
	assert_null(finish(&file, &e));
	assert_int_equal(e.status, ERR_USAGE);
	assert_non_null(strstr(e.text, "IEEE802_15_4"));

	assert_int_equal(capture_open_file(&c, "/tmp", &e), -1);
	assert_int_equal(e.status, ERR_USAGE);
}

static void test_stdin(void **state)
{
	struct capture *c = NULL;
	struct file file;
	struct packet p;
	struct err e;

	(void)state;
	begin(&file);
	pcap_head(&file, 0xa1b2c3d4, 1);
	pcap_frame(&file, 1, 0, syn, sizeof(syn));
	fclose(file.f);
	int saved = dup(STDIN_FILENO), fd = open(file.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	close(fd);
	assert_int_equal(capture_open_file(&c, "-", &e), 0);
	assert_int_equal(capture_next(c, &p, &e), 1);
	assert_int_equal(capture_next(c, &p, &e), 0);
	capture_free(c);
	if (saved >= 0) {
		dup2(saved, STDIN_FILENO);
		close(saved);
	}
	unlink(file.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pcap_both_precisions),
	    cmocka_unit_test(test_pcapng),
	    cmocka_unit_test(test_absurd_time),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_stdin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
