/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The live source: one thread between libpcap and the main loop. Locking: see capture.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "capture/capture.h"
#include "capture/dump.h"
#include "capture/source.h"

/*
 * Immediate mode means TPACKET_V2, whose ring has slots of one size: header
 * (about 100 bytes) plus snap length, as many as fit into a page, never across
 * pages. Up to 1960 bytes two slots fit into 4 KiB, one byte more halves their
 * number and doubles the memory that the ring really takes. 1920 holds any
 * frame of a 1500-byte link whole, and 4 MiB of them are 2064 packets: with the
 * filter in the kernel that is seconds of one probe run, and the ring counts
 * as this process's memory. Many runs at once bring tens of thousands of packets
 * a second, and this process may have to wait for a processor for 100 ms and
 * more: 400 bytes hold all headers, and those of an ICMP error's quote; eight
 * such slots fit into a page.
 *
 * The queue takes what the kernel's ring holds twice over, 208 bytes a packet,
 * touched as it fills: the main loop may sleep through a burst. While the thread
 * naps, nobody waits at the tap, and a packet costs no wake-up: that is as much
 * as all the rest of what a packet costs.
 */
const struct capture_room capture_room_one = {1920, 4 << 20, 4096, 0};
const struct capture_room capture_room_many = {400, 8 << 20, 32768, 2000};
const struct capture_room capture_room_many_whole = {1920, 32 << 20, 32768, 2000};
/* An exporter is idle most of the time, and has some hundred runs at once at the worst. */
const struct capture_room capture_room_lasting = {400, 2 << 20, 8192, 2000};

/* Between two looks for a request to stop. */
#define DISPATCH_BATCH 256

struct live {
	/* main thread only */
	bool running;
	size_t slots;   /* of the kernel's ring, about */
	unsigned nap_us;
	pthread_t thread;
	int ready_fd;   /* eventfd: the queue is not empty, or the capture has failed */
	int control_fd; /* eventfd: stop or sync_asked has changed */

	/* capture thread while it runs, else main thread */
	struct dump *dump; /* of -w, or NULL */
	unsigned drop_before; /* kernel drops before this start: the kernel never sets them back */

	pthread_mutex_t lock; /* guards the rest, and c->stats */
	pthread_cond_t synced;
	bool stop;
	bool failed;
	char failure[PCAP_ERRBUF_SIZE];
	uint64_t sync_asked, sync_done;
	bool is_ready; /* ready_fd can be read: no need to say so twice, nor to clear it twice */
	struct packet *queue;       /* ring of queue_size */
	struct frame_copy **frames; /* their frames, at the same places; NULL: none are kept */
	size_t queue_size, queue_head, queue_len;
};

static void signal_fd(int fd)
{
	/* EAGAIN means the counter is full: readable anyway */
	if (eventfd_write(fd, 1) != 0)
		return;
}

/* With the lock held. */
static void set_ready(struct live *l)
{
	if (!l->is_ready)
		signal_fd(l->ready_fd);
	l->is_ready = true;
}

static void clear_fd(int fd)
{
	eventfd_t n;

	if (eventfd_read(fd, &n) != 0)
		return;
}

/* ---- capture thread ---------------------------------------------------------------------- */

static struct frame_copy *copy_of(const struct pcap_pkthdr *h, const u_char *frame)
{
	struct frame_copy *copy = xcalloc(1, sizeof(*copy) + h->caplen);

	copy->caplen = h->caplen;
	copy->wire_len = h->len;
	memcpy(copy->bytes, frame, h->caplen);
	return copy;
}

static void on_frame(u_char *user, const struct pcap_pkthdr *h, const u_char *frame)
{
	struct capture *c = (struct capture *)user;
	struct live *l = c->live;
	struct packet p;

	if (l->dump)
		dump_write(l->dump, h, frame);
	bool ok = capture_decode(c, h, frame, &p);
	if (ok)
		p.t_ns = clock_of_stamp(p.t_ns);

	pthread_mutex_lock(&l->lock);
	c->stats.received++;
	if (!ok) {
		c->stats.undecodable++;
	} else if (l->queue_len == l->queue_size) {
		c->stats.dropped_queue++;
	} else {
		p.payload = NULL; /* the slot goes back to the kernel */
		p.payload_caplen = 0;
		size_t at = (l->queue_head + l->queue_len) % l->queue_size;
		l->queue[at] = p;
		if (l->frames)
			l->frames[at] = copy_of(h, frame);
		if (l->queue_len++ == 0)
			set_ready(l);
	}
	pthread_mutex_unlock(&l->lock);
}

static void fail(struct live *l, const char *text)
{
	pthread_mutex_lock(&l->lock);
	l->failed = true;
	snprintf(l->failure, sizeof(l->failure), "%s", text);
	pthread_cond_broadcast(&l->synced);
	set_ready(l);
	pthread_mutex_unlock(&l->lock);
}

static int count_drops(struct capture *c)
{
	struct live *l = c->live;
	struct pcap_stat s;

	if (pcap_stats(c->pcap, &s) != 0)
		return -1;
	pthread_mutex_lock(&l->lock);
	c->stats.dropped_kernel = s.ps_drop + s.ps_ifdrop - l->drop_before;
	pthread_mutex_unlock(&l->lock);
	return 0;
}

/* Reads what the ring holds now: at most its size, so that a flood can't keep us here. */
static int read_ring(struct capture *c)
{
	for (size_t seen = 0; seen < c->live->slots;) {
		int n = pcap_dispatch(c->pcap, DISPATCH_BATCH, on_frame, (u_char *)c);
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		seen += (size_t)n;
	}
	return 0;
}

/*
 * Everything that the tap had seen before now. The kernel reserves a slot, then
 * copies the packet, then marks the slot: a packet that another CPU is copying
 * at this moment hides the finished ones behind it. A copy takes well below a
 * microsecond; a second look after a tenth of a millisecond is past it.
 */
static int read_all(struct capture *c)
{
	const struct timespec pause = {.tv_nsec = 100000};

	if (read_ring(c) != 0)
		return -1;
	nanosleep(&pause, NULL);
	if (read_ring(c) != 0)
		return -1;
	return count_drops(c);
}

static void *capture_main(void *arg)
{
	struct capture *c = arg;
	struct live *l = c->live;
	struct pollfd fds[2] = {{.fd = pcap_get_selectable_fd(c->pcap), .events = POLLIN},
				{.fd = l->control_fd, .events = POLLIN}};

	prctl(PR_SET_NAME, "smtpblame-cap");
	for (;;) {
		if (poll(fds, 2, -1) < 0) { /* no EINTR: signals are blocked here */
			fail(l, strerror(errno));
			return NULL;
		}
		if (fds[1].revents)
			clear_fd(l->control_fd);
		pthread_mutex_lock(&l->lock);
		bool stop = l->stop;
		uint64_t asked = l->sync_asked;
		bool all = stop || asked != l->sync_done;
		pthread_mutex_unlock(&l->lock);

		if ((all ? read_all(c) : read_ring(c)) != 0) {
			fail(l, pcap_geterr(c->pcap));
			return NULL;
		}
		if (all) {
			pthread_mutex_lock(&l->lock);
			l->sync_done = asked;
			pthread_cond_broadcast(&l->synced);
			set_ready(l);
			pthread_mutex_unlock(&l->lock);
		}
		if (stop)
			return NULL;
		if (l->nap_us)
			nanosleep(&(struct timespec){.tv_nsec = l->nap_us * 1000L}, NULL);
	}
}

/* ---- main thread ------------------------------------------------------------------------- */

static int no_privilege(struct err *e)
{
	char self[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	if (geteuid() == 0)
		return err_set(e, ERR_RUN,
			       "capturing packets needs the capability CAP_NET_RAW, which root does not have "
			       "here: a container must be started with it (--cap-add NET_RAW --cap-add "
			       "NET_ADMIN), and a user namespace must own the network namespace, too "
			       "(unshare --map-root-user --net)");
	return err_set(
	    e, ERR_RUN,
	    "capturing packets needs the capability CAP_NET_RAW, which this process does "
	    "not have: run `sudo smtpblame ...`, or grant it once with "
	    "`sudo setcap cap_net_raw,cap_net_admin+ep %s`",
	    n > 0 ? self : "PATH-OF-SMTPBLAME");
}

/* A tap without a filter takes every packet of the host from the moment of activation on. */
static int let_nothing_in(struct capture *c)
{
	struct bpf_insn refuse = BPF_STMT(BPF_RET | BPF_K, 0);
	struct bpf_program none = {.bf_len = 1, .bf_insns = &refuse};

	return pcap_setfilter(c->pcap, &none);
}

static int open_tap(struct capture *c, const struct capture_room *room, struct err *e)
{
	char text[PCAP_ERRBUF_SIZE];

	c->pcap = pcap_create("any", text);
	if (!c->pcap)
		return err_set(e, ERR_RUN, "capture: %s", text);
	pcap_set_snaplen(c->pcap, (int)room->snaplen);
	pcap_set_buffer_size(c->pcap, (int)room->buffer);
	pcap_set_immediate_mode(c->pcap, 1);
	pcap_set_promisc(c->pcap, 0);
	if (pcap_set_tstamp_precision(c->pcap, PCAP_TSTAMP_PRECISION_NANO) != 0)
		return err_set(e, ERR_RUN, "capture: this libpcap has no nanosecond stamps");

	int rc = pcap_activate(c->pcap);
	if (rc == PCAP_ERROR_PERM_DENIED)
		return no_privilege(e);
	if (rc < 0)
		return err_set(e, ERR_RUN, "capture: %s: %s", pcap_statustostr(rc),
			       pcap_geterr(c->pcap));
	/* first of all: what comes now already fills the ring */
	if (let_nothing_in(c) != 0)
		return err_set(e, ERR_RUN, "capture filter: %s", pcap_geterr(c->pcap));
	if (pcap_set_datalink(c->pcap, DLT_LINUX_SLL2) != 0)
		return err_set(e, ERR_RUN, "capture: no link type SLL2: %s", pcap_geterr(c->pcap));
	if (pcap_setnonblock(c->pcap, 1, text) != 0)
		return err_set(e, ERR_RUN, "capture: %s", text);
	c->link_type = DLT_LINUX_SLL2;
	/* libpcap leaves it to be inherited, and this program starts others */
	if (fcntl(pcap_get_selectable_fd(c->pcap), F_SETFD, FD_CLOEXEC) != 0)
		return err_set(e, ERR_RUN, "capture: %s", strerror(errno));
	return 0;
}

int capture_open_live(struct capture **out, const struct capture_room *room, struct err *e)
{
	struct capture *c = xcalloc(1, sizeof(*c));
	struct live *l = xcalloc(1, sizeof(*l));
	pthread_condattr_t attr;

	c->live = l;
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->synced, &attr);
	pthread_condattr_destroy(&attr);
	l->slots = room->buffer / room->snaplen + 1;
	l->nap_us = room->nap_us;
	l->queue_size = room->queue;
	l->queue = xcalloc(room->queue, sizeof(*l->queue));
	l->control_fd = -1;
	l->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->ready_fd < 0) {
		err_set(e, ERR_RUN, "eventfd: %s", strerror(errno));
		goto out;
	}
	l->control_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->control_fd < 0) {
		err_set(e, ERR_RUN, "eventfd: %s", strerror(errno));
		goto out;
	}
	if (open_tap(c, room, e) != 0)
		goto out;
	*out = c;
	return 0;
out:
	capture_free(c);
	return -1;
}

int capture_write_to(struct capture *c, const char *path, struct err *e)
{
	struct live *l = c->live;

	if (l->running)
		return err_set(e, ERR_RUN, "%s: the capture is running", path);
	if (capture_written(c, e) != 0)
		return -1;
	dump_close(l->dump);
	l->dump = NULL;
	if (dump_open(&l->dump, path, e) != 0)
		return -1;
	c->number = 0;
	return 0;
}

int capture_written(struct capture *c, struct err *e)
{
	struct dump *d = c->live->dump;

	if (!d)
		return 0;
	dump_begin(d, c->pcap); /* a run that captured nothing leaves an empty capture */
	return dump_flush(d, e);
}

static void forget_queue(struct live *l)
{
	for (size_t i = 0; l->frames && i < l->queue_size; i++) {
		free(l->frames[i]);
		l->frames[i] = NULL;
	}
	l->queue_head = l->queue_len = 0;
}

static void discard_frame(u_char *user, const struct pcap_pkthdr *h, const u_char *frame)
{
	(void)user;
	(void)h;
	(void)frame;
}

/* Empties ring and queue of what is left of an earlier run, and lets `filter` in. */
static int set_filter(struct capture *c, const char *filter, struct err *e)
{
	struct bpf_program program;
	struct pcap_stat before;
	int rc = 0, n;

	if (pcap_compile(c->pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0)
		return err_set(e, ERR_RUN, "capture filter: %s", pcap_geterr(c->pcap));
	do { /* ends: nothing new comes in since capture_open_live() or capture_stop() */
		n = pcap_dispatch(c->pcap, DISPATCH_BATCH, discard_frame, NULL);
	} while (n > 0);
	if (n < 0 || pcap_stats(c->pcap, &before) != 0 || pcap_setfilter(c->pcap, &program) != 0)
		rc = err_set(e, ERR_RUN, "capture: %s", pcap_geterr(c->pcap));
	else
		c->live->drop_before = before.ps_drop + before.ps_ifdrop;
	pcap_freecode(&program);
	return rc;
}

int capture_start(struct capture *c, const char *filter, struct err *e)
{
	struct live *l = c->live;
	sigset_t all, old;

	if (l->running)
		return err_set(e, ERR_RUN, "capture: started twice");
	if (set_filter(c, filter, e) != 0)
		return -1;
	if (l->dump)
		dump_begin(l->dump, c->pcap);

	/* no thread, no lock */
	clear_fd(l->ready_fd);
	clear_fd(l->control_fd);
	forget_queue(l);
	l->is_ready = false;
	l->stop = l->failed = false;
	l->sync_asked = l->sync_done = 0;
	memset(&c->stats, 0, sizeof(c->stats));

	/* the thread inherits the mask: no signal meets it before it could block them */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(&l->thread, NULL, capture_main, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0) {
		let_nothing_in(c);
		return err_set(e, ERR_RUN, "capture thread: %s%s", strerror(rc),
			       rc == EAGAIN ? " (too many processes: ulimit -u)" : "");
	}
	l->running = true;
	return 0;
}

int capture_fd(const struct capture *c)
{
	return c->live->ready_fd;
}

void capture_keep_frames(struct capture *c)
{
	struct live *l = c->live;

	if (!l->frames)
		l->frames = xcalloc(l->queue_size, sizeof(struct frame_copy *));
}

size_t capture_take(struct capture *c, struct packet *out, struct frame_copy **frames, size_t max)
{
	struct live *l = c->live;
	size_t n = 0;

	pthread_mutex_lock(&l->lock);
	for (; n < max && l->queue_len > 0; n++) {
		struct frame_copy **kept = l->frames ? &l->frames[l->queue_head] : NULL;
		out[n] = l->queue[l->queue_head];
		if (frames)
			frames[n] = kept ? *kept : NULL;
		else if (kept)
			free(*kept);
		if (kept)
			*kept = NULL;
		l->queue_head = (l->queue_head + 1) % l->queue_size;
		l->queue_len--;
	}
	if (l->queue_len == 0) {
		l->queue_head = 0; /* the rest of it is never touched where it is never needed */
		if (l->is_ready)
			clear_fd(l->ready_fd);
		l->is_ready = false;
	}
	pthread_mutex_unlock(&l->lock);
	return n;
}

bool capture_sync(struct capture *c, int timeout_ms)
{
	struct live *l = c->live;
	int64_t until = clock_mono_ns() + timeout_ms * NS_PER_MS;
	const struct timespec ts = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};
	int rc = 0;

	pthread_mutex_lock(&l->lock);
	if (l->running) {
		uint64_t mine = ++l->sync_asked;
		signal_fd(l->control_fd);
		while (!l->failed && l->sync_done < mine && rc == 0)
			rc = pthread_cond_timedwait(&l->synced, &l->lock, &ts);
	}
	bool ok = !l->failed && l->sync_done == l->sync_asked;
	pthread_mutex_unlock(&l->lock);
	return ok;
}

uint64_t capture_sync_ask(struct capture *c)
{
	struct live *l = c->live;

	pthread_mutex_lock(&l->lock);
	uint64_t mine = ++l->sync_asked;
	pthread_mutex_unlock(&l->lock);
	signal_fd(l->control_fd);
	return mine;
}

bool capture_synced(struct capture *c, uint64_t number)
{
	struct live *l = c->live;

	pthread_mutex_lock(&l->lock);
	bool done = l->failed || l->sync_done >= number;
	pthread_mutex_unlock(&l->lock);
	return done;
}

bool capture_has_failed(struct capture *c)
{
	pthread_mutex_lock(&c->live->lock);
	bool failed = c->live->failed;
	pthread_mutex_unlock(&c->live->lock);
	return failed;
}

void capture_get_stats(struct capture *c, struct capture_stats *out)
{
	if (c->live)
		pthread_mutex_lock(&c->live->lock);
	*out = c->stats;
	if (c->live)
		pthread_mutex_unlock(&c->live->lock);
}

int capture_stop(struct capture *c, struct err *e)
{
	struct live *l = c->live;

	if (!l->running)
		return 0;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_mutex_unlock(&l->lock);
	signal_fd(l->control_fd);
	pthread_join(l->thread, NULL);
	l->running = false;

	if (l->failed)
		return err_set(e, ERR_RUN, "capture: %s", l->failure);
	if (let_nothing_in(c) != 0)
		return err_set(e, ERR_RUN, "capture filter: %s", pcap_geterr(c->pcap));
	if (l->dump) { /* what is wrong with it, capture_written() says */
		struct err later;
		dump_flush(l->dump, &later);
	}
	return 0;
}

void live_free(struct capture *c)
{
	struct live *l = c->live;
	struct err ignored;

	capture_stop(c, &ignored);
	dump_close(l->dump);
	if (l->ready_fd >= 0)
		close(l->ready_fd);
	if (l->control_fd >= 0)
		close(l->control_fd);
	pthread_cond_destroy(&l->synced);
	pthread_mutex_destroy(&l->lock);
	forget_queue(l);
	free(l->frames);
	free(l->queue);
	free(l);
	c->live = NULL;
}
