/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Capture files of every kind, whole, cut at every byte, and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef SMTPBLAME_ZLIB
#include <zlib.h>
#endif
#ifdef SMTPBLAME_ZSTD
#include <zstd.h>
#endif
#ifdef SMTPBLAME_LZMA
#include <lzma.h>
#endif

#include "base/clock.h"
#include "capture/reader.h"
#include "model/packet.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct file {
	uint8_t bytes[65536];
	size_t len;
	bool big; /* byte order */
};

static void put16(struct file *f, unsigned v)
{
	f->bytes[f->len++] = (uint8_t)(f->big ? v >> 8 : v);
	f->bytes[f->len++] = (uint8_t)(f->big ? v : v >> 8);
}

static void put32(struct file *f, uint32_t v)
{
	put16(f, f->big ? v >> 16 : v & 0xffff);
	put16(f, f->big ? v & 0xffff : v >> 16);
}

static void fill(struct file *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		f->bytes[f->len++] = (uint8_t)i;
}

struct seen {
	size_t n;
	struct frame last;
	uint8_t first_byte;
	char fault[300];
	bool truncated;
	int opened;
	char error[600];
};

/* The same again, one and then what is there already, into two buffers. */
static void read_by_turns(int fd, const struct seen *expected)
{
	uint8_t *buffers[2] = {malloc(READER_BUFFER), malloc(READER_BUFFER)};
	struct frame frames[3];
	struct reader *r;
	bool truncated;
	struct err e;
	size_t n, seen = 0;

	lseek(fd, 0, SEEK_SET);
	assert_int_equal(reader_open(&r, fd, "test", &e), 0);
	for (unsigned turn = 0;; turn++) {
		reader_turn(r, buffers[turn % 2]);
		n = reader_next(r, frames, 1);
		if (n == 0)
			break;
		n += reader_more(r, frames + 1, COUNT(frames) - 1);
		seen += n;
		assert_int_equal(frames[n - 1].number, seen);
	}
	assert_int_equal(seen, expected->n);
	const char *fault = reader_fault(r, &truncated);
	assert_string_equal(fault ? fault : "", expected->fault);
	assert_int_equal(truncated, expected->truncated);
	reader_free(r);
	free(buffers[0]);
	free(buffers[1]);
}

/* Reads them from a descriptor, a few at a time. */
static void read_bytes(const void *bytes, size_t len, struct seen *s)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);
	struct frame frames[3];
	struct reader *r;
	struct err e;
	size_t n;

	*s = (struct seen){0};
	assert_int_equal(write(fd, bytes, len), len);
	lseek(fd, 0, SEEK_SET);
	s->opened = reader_open(&r, fd, "test", &e);
	if (s->opened != 0) {
		strcpy(s->error, e.text);
		close(fd);
		return;
	}
	while ((n = reader_next(r, frames, COUNT(frames))) > 0) {
		s->n += n;
		s->last = frames[n - 1];
		s->first_byte = s->last.caplen ? s->last.bytes[0] : 0xff;
	}
	const char *fault = reader_fault(r, &s->truncated);
	if (fault)
		strcpy(s->fault, fault);
	reader_free(r);
	read_by_turns(fd, s);
	close(fd);
}

/* ---- pcap ---- */

static void pcap(struct file *f, bool big, uint32_t magic, unsigned packets)
{
	*f = (struct file){.big = big};
	put32(f, magic);
	put16(f, 2);
	put16(f, 4);
	put32(f, 0);
	put32(f, 0);
	put32(f, 65535);
	put32(f, 101);
	for (unsigned i = 0; i < packets; i++) {
		put32(f, 1700000000 + i);
		put32(f, 7);
		put32(f, 10 + i);
		put32(f, 100 + i);
		if (magic == 0xa1b2cd34)
			fill(f, 8);
		fill(f, 10 + i);
	}
}

static void pcap_kinds(void **state)
{
	static const struct {
		uint32_t magic;
		int64_t ns;
	} kinds[] = {{0xa1b2c3d4, 7000}, {0xa1b23c4d, 7}, {0xa1b2cd34, 7000}};
	struct file f;
	struct seen s;

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		for (int big = 0; big < 2; big++) {
			pcap(&f, big, kinds[i].magic, 5);
			read_bytes(f.bytes, f.len, &s);
			assert_int_equal(s.n, 5);
			assert_string_equal(s.fault, "");
			assert_int_equal(s.last.caplen, 14);
			assert_int_equal(s.last.wire_len, 104);
			assert_int_equal(s.last.link_type, 101);
			assert_int_equal(s.last.t_ns, 1700000004 * NS_PER_S + kinds[i].ns);
			assert_int_equal(s.first_byte, 0);
		}
	}
}

/* Each byte more brings as many frames or one more, and the end is told. */
static void cut_anywhere(const struct file *f, size_t frames)
{
	size_t before = 0;
	struct seen s;

	for (size_t len = 0; len <= f->len; len++) {
		read_bytes(f->bytes, len, &s);
		if (s.opened != 0) {
			assert_int_equal(before, 0);
			continue;
		}
		assert_true(s.n == before || s.n == before + 1);
		before = s.n;
		assert_true((s.fault[0] != '\0') == s.truncated);
	}
	assert_int_equal(before, frames);
	assert_false(s.truncated);
}

static void pcap_cut(void **state)
{
	struct file f;

	(void)state;
	pcap(&f, false, 0xa1b2c3d4, 3);
	cut_anywhere(&f, 3);
}

static void pcap_broken(void **state)
{
	struct file f;
	struct seen s;

	(void)state;
	pcap(&f, false, 0xa1b2c3d4, 3);
	memset(f.bytes + 24 + 16 + 10 + 8, 0xee, 4); /* the second one's length */
	read_bytes(f.bytes, f.len, &s);
	assert_int_equal(s.n, 1);
	assert_false(s.truncated);
	assert_non_null(strstr(s.fault, "byte 50"));
	read_bytes("", 0, &s);
	assert_int_equal(s.opened, -1);
	assert_non_null(strstr(s.error, "empty"));
	read_bytes("From: somebody <a@example.org>\n", 31, &s);
	assert_non_null(strstr(s.error, "neither pcap nor pcapng"));
}

/* ---- pcapng ---- */

static void section(struct file *f)
{
	put32(f, 0x0a0d0d0a);
	put32(f, 28);
	put32(f, 0x1a2b3c4d);
	put32(f, 1);
	put32(f, 0xffffffff);
	put32(f, 0xffffffff);
	put32(f, 28);
}

/* resolution: if_tsresol, 0 to leave it out */
static void interface(struct file *f, unsigned link, uint32_t snaplen, uint8_t resolution)
{
	uint32_t len = resolution ? 32 : 20;

	put32(f, 1);
	put32(f, len);
	put16(f, link);
	put16(f, 0);
	put32(f, snaplen);
	if (resolution) {
		put16(f, 9);
		put16(f, 1);
		f->bytes[f->len++] = resolution;
		memset(f->bytes + f->len, 0, 3);
		f->len += 3;
		put32(f, 0);
	}
	put32(f, len);
}

static void enhanced(struct file *f, uint32_t interface_id, uint64_t stamp, uint32_t caplen)
{
	uint32_t padded = (caplen + 3) / 4 * 4;

	put32(f, 6);
	put32(f, 32 + padded);
	put32(f, interface_id);
	put32(f, (uint32_t)(stamp >> 32));
	put32(f, (uint32_t)stamp);
	put32(f, caplen);
	put32(f, caplen + 50);
	fill(f, padded);
	put32(f, 32 + padded);
}

static void unknown(struct file *f, uint32_t len)
{
	put32(f, 0x7777);
	put32(f, len);
	fill(f, len - 12);
	put32(f, len);
}

static void pcapng_interfaces(void **state)
{
	struct file f = {0};
	struct seen s;

	(void)state;
	for (int big = 0; big < 2; big++) {
		f.len = 0;
		f.big = big;
		section(&f);
		interface(&f, 1, 96, 0);
		interface(&f, 101, 262144, 9);
		unknown(&f, 4000);
		enhanced(&f, 0, 1700000000000001, 30);
		read_bytes(f.bytes, f.len, &s);
		assert_int_equal(s.n, 1);
		assert_int_equal(s.last.link_type, 1);
		assert_int_equal(s.last.t_ns, 1700000000000001000);
		enhanced(&f, 1, 1700000000000000002, 41);
		read_bytes(f.bytes, f.len, &s);
		assert_int_equal(s.n, 2);
		assert_int_equal(s.last.link_type, 101);
		assert_int_equal(s.last.interface, 1);
		assert_int_equal(s.last.caplen, 41);
		assert_int_equal(s.last.wire_len, 91);
		assert_int_equal(s.last.t_ns, 1700000000000000002);
		/* a packet of an interface that nobody described */
		enhanced(&f, 7, 0, 20);
		read_bytes(f.bytes, f.len, &s);
		assert_int_equal(s.n, 3);
		assert_int_equal(s.last.link_type, UINT16_MAX);
		/* another section, of the other byte order, counts its interfaces anew */
		f.big = !f.big;
		section(&f);
		interface(&f, 113, 0, 0x80 | 10);
		enhanced(&f, 0, 1024 * 5 + 512, 16);
		read_bytes(f.bytes, f.len, &s);
		assert_int_equal(s.n, 4);
		assert_string_equal(s.fault, "");
		assert_int_equal(s.last.link_type, 113);
		assert_int_equal(s.last.interface, 2);
		assert_int_equal(s.last.t_ns, 5 * NS_PER_S + NS_PER_S / 2);
		cut_anywhere(&f, 4);
	}
}

static void pcapng_broken(void **state)
{
	struct file f = {0};
	struct seen s;

	(void)state;
	section(&f);
	interface(&f, 1, 0, 0);
	enhanced(&f, 0, 1, 30);
	size_t second = f.len;
	enhanced(&f, 0, 2, 30);
	f.bytes[second + 4] ^= 1; /* its length */
	read_bytes(f.bytes, f.len, &s);
	assert_int_equal(s.n, 1);
	assert_non_null(strstr(s.fault, "impossible length"));
	f.bytes[second + 4] ^= 1;
	f.bytes[f.len - 4] ^= 4; /* the length behind it */
	read_bytes(f.bytes, f.len, &s);
	assert_int_equal(s.n, 1);
	assert_non_null(strstr(s.fault, "lengths of a block differ"));
}

/* ---- compressed ---- */

typedef size_t pack(const struct file *f, uint8_t *out, size_t size);

#ifdef SMTPBLAME_ZLIB
static size_t gzip(const struct file *f, uint8_t *out, size_t size)
{
	z_stream z = {0};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (uint8_t *)(uintptr_t)f->bytes;
	z.avail_in = (uInt)f->len;
	z.next_out = out;
	z.avail_out = (uInt)size;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}
#endif

#ifdef SMTPBLAME_ZSTD
static size_t zstd(const struct file *f, uint8_t *out, size_t size)
{
	return ZSTD_compress(out, size, f->bytes, f->len, 3);
}
#endif

#ifdef SMTPBLAME_LZMA
static size_t xz(const struct file *f, uint8_t *out, size_t size)
{
	size_t n = 0;

	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, f->bytes, f->len, out,
						 &n, size),
			 LZMA_OK);
	return n;
}
#endif

/* Whole, cut at every byte, broken, and in two parts one behind the other, as parallel packers write. */
static void unpacks(pack *p)
{
	struct file f;
	struct seen s;
	uint8_t packed[65536], broken[65536];
	size_t len;

	pcap(&f, false, 0xa1b2c3d4, 40);
	len = p(&f, packed, sizeof(packed));
	read_bytes(packed, len, &s);
	assert_int_equal(s.n, 40);
	assert_string_equal(s.fault, "");
	for (size_t cut = 1; cut < len; cut++) {
		read_bytes(packed, cut, &s);
		assert_true(s.opened != 0 || s.truncated || s.fault[0]);
	}
	/* of zstd and xz nothing comes then: it is all one block */
	read_bytes(packed, len - 20, &s);
	assert_true(s.opened != 0 || s.truncated);
	assert_non_null(strstr(s.opened != 0 ? s.error : s.fault, "middle"));
	memcpy(broken, packed, len);
	broken[len / 2] ^= 0x55;
	read_bytes(broken, len, &s);
	assert_true(s.opened != 0 || s.fault[0]);

	struct file first = f, second = f;
	first.len = f.len / 2;
	memmove(second.bytes, f.bytes + first.len, f.len - first.len);
	second.len = f.len - first.len;
	len = p(&first, packed, sizeof(packed));
	len += p(&second, packed + len, sizeof(packed) - len);
	read_bytes(packed, len, &s);
	assert_int_equal(s.n, 40);
	assert_string_equal(s.fault, "");
}

static void compressed(void **state)
{
	static const struct {
		const char *name, *magic;
		size_t len;
		pack *p; /* NULL: not built in, and said so */
	} table[] = {
		{"gzip", "\x1f\x8b\x08\0\0\0\0\0", 8,
#ifdef SMTPBLAME_ZLIB
		 gzip
#else
		 NULL
#endif
		},
		{"zstd", "\x28\xb5\x2f\xfd\0\0\0\0", 8,
#ifdef SMTPBLAME_ZSTD
		 zstd
#else
		 NULL
#endif
		},
		{"xz", "\xfd" "7zXZ\0\0\0", 8,
#ifdef SMTPBLAME_LZMA
		 xz
#else
		 NULL
#endif
		},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct seen s;
		if (table[i].p) {
			unpacks(table[i].p);
			continue;
		}
		read_bytes(table[i].magic, table[i].len, &s);
		assert_int_equal(s.opened, -1);
		assert_non_null(strstr(s.error, table[i].name));
		assert_non_null(strstr(s.error, "this build cannot read"));
	}
}

/* ---- sifted ---- */

/* An Ethernet frame of TCP from port 40000 to `port`. */
static void put_tcp(struct file *f, unsigned port)
{
	static const uint8_t ip[] = {0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 192, 0, 2, 1};
	uint8_t bytes[54] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};

	memcpy(bytes + 14, ip, sizeof(ip));
	bytes[34] = 0x9c;
	bytes[35] = 0x40;
	bytes[36] = (uint8_t)(port >> 8);
	bytes[37] = (uint8_t)port;
	bytes[46] = 0x50;
	memcpy(f->bytes + f->len, bytes, sizeof(bytes));
	f->len += sizeof(bytes);
}

/* `wanted`: the number of the one packet to port 25, 0 none. */
static void sifted_file(struct file *f, bool big, unsigned packets, unsigned wanted)
{
	pcap(f, big, 0xa1b2c3d4, 0);
	f->bytes[big ? 23 : 20] = 1; /* Ethernet */
	f->bytes[big ? 20 : 23] = 0;
	for (unsigned i = 1; i <= packets; i++) {
		put32(f, 1700000000 + i);
		put32(f, 0);
		put32(f, 54);
		put32(f, 54);
		put_tcp(f, i == wanted ? 25 : 443);
	}
}

static void check_sifted(bool big, unsigned packets, unsigned wanted, const unsigned *expected)
{
	static struct file f;
	struct port_set ports = {0};
	struct frame frames[2];
	struct reader *r;
	struct err e;
	size_t n;

	sifted_file(&f, big, packets, wanted);
	ports.bits[0] = UINT64_C(1) << 25;
	int fd = memfd_create("capture", MFD_CLOEXEC);
	assert_int_equal(write(fd, f.bytes, f.len), f.len);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(reader_open(&r, fd, "test", &e), 0);
	reader_sift(r, &ports);
	while ((n = reader_next(r, frames, COUNT(frames))) > 0) {
		for (size_t i = 0; i < n; i++, expected++) {
			assert_int_equal(frames[i].number, *expected);
			assert_int_equal(frames[i].t_ns, (1700000000 + *expected) * NS_PER_S);
			/* the first may come whole */
			if (*expected == wanted)
				assert_int_equal(frames[i].bytes[37], 25);
			else if (*expected > 1)
				assert_null(frames[i].bytes);
		}
	}
	assert_int_equal(*expected, 0);
	bool truncated;
	assert_null(reader_fault(r, &truncated));
	reader_free(r);
	close(fd);
}

/* Of what is of no interest the first, the last and each 64th keep their time. */
static void sifted(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		check_sifted(big, 200, 100, (const unsigned[]){1, 64, 100, 128, 192, 200, 0});
		check_sifted(big, 200, 200, (const unsigned[]){1, 64, 128, 192, 200, 0});
		check_sifted(big, 128, 128, (const unsigned[]){1, 64, 128, 0});
		check_sifted(big, 128, 0, (const unsigned[]){1, 64, 128, 0});
		check_sifted(big, 2, 0, (const unsigned[]){1, 2, 0});
		check_sifted(big, 1, 0, (const unsigned[]){1, 0});
	}
}

/* ---- buffers by turns ---- */

#define TURN_PACKETS 3000
#define TURN_FRAMES  64

/* Mostly small ones, and some that are longer than what is read at a time. */
static uint32_t turn_len(unsigned number)
{
	return number % 1000 == 0 ? 200000 : number * 7919 % 1500;
}

static int file_of_many(bool big)
{
	static uint8_t bytes[200000];
	static struct file head;
	int fd = memfd_create("capture", MFD_CLOEXEC);

	pcap(&head, big, 0xa1b2c3d4, 0);
	assert_int_equal(write(fd, head.bytes, head.len), head.len);
	for (unsigned i = 1; i <= TURN_PACKETS; i++) {
		head.len = 0;
		put32(&head, 1700000000 + i);
		put32(&head, 0);
		put32(&head, turn_len(i));
		put32(&head, turn_len(i));
		memset(bytes, (int)i, turn_len(i));
		assert_int_equal(write(fd, head.bytes, head.len), head.len);
		assert_int_equal(write(fd, bytes, turn_len(i)), turn_len(i));
	}
	lseek(fd, 0, SEEK_SET);
	return fd;
}

struct turn {
	uint8_t *buffer;
	struct frame frames[TURN_FRAMES];
	size_t n;
};

static void check_turn(const struct turn *t, unsigned *number)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct frame *f = &t->frames[i];
		assert_int_equal(f->number, ++*number);
		assert_int_equal(f->caplen, turn_len(*number));
		for (size_t k = 0; k < f->caplen; k++)
			if (f->bytes[k] != (uint8_t)*number)
				fail_msg("packet %u: byte %zu is %u", *number, k, f->bytes[k]);
	}
}

/* The frames of a buffer stay while the next ones are filled. */
static void turns(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		struct turn turn[3] = {0};
		struct reader *r;
		struct err e;
		unsigned number = 0, at = 0;
		int fd = file_of_many(big);
		assert_int_equal(reader_open(&r, fd, "test", &e), 0);
		for (unsigned i = 0; i < COUNT(turn); i++)
			turn[i].buffer = malloc(READER_BUFFER);
		for (bool over = false; !over; at++) {
			struct turn *t = &turn[at % COUNT(turn)];
			check_turn(t, &number);
			reader_turn(r, t->buffer);
			t->n = reader_next(r, t->frames, at % 5 + 1);
			over = t->n == 0;
			for (size_t n = 1; n > 0 && t->n < TURN_FRAMES; t->n += n)
				n = reader_more(r, t->frames + t->n, at % 7 ? TURN_FRAMES - t->n : 1);
		}
		for (unsigned i = 0; i < COUNT(turn); i++)
			check_turn(&turn[(at + i) % COUNT(turn)], &number);
		assert_int_equal(number, TURN_PACKETS);
		bool truncated;
		assert_null(reader_fault(r, &truncated));
		reader_free(r);
		for (unsigned i = 0; i < COUNT(turn); i++)
			free(turn[i].buffer);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcap_kinds),    cmocka_unit_test(pcap_cut),      cmocka_unit_test(sifted),
		cmocka_unit_test(turns),
		cmocka_unit_test(pcap_broken),   cmocka_unit_test(pcapng_interfaces),
		cmocka_unit_test(pcapng_broken), cmocka_unit_test(compressed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
