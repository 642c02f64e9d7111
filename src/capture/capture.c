/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "capture/capture.h"

#include <stdlib.h>

#include "base/clock.h"
#include "capture/source.h"
#include "wire/decode.h"

/* A pcapng file may claim any 64-bit time: keep the product inside int64_t (year 2262). */
static int64_t stamp_ns(const struct timeval *ts)
{
	const int64_t max_s = INT64_MAX / NS_PER_S - 1;
	int64_t s = ts->tv_sec, ns = ts->tv_usec; /* nanoseconds: PCAP_TSTAMP_PRECISION_NANO */

	if (s < 0 || ns < 0)
		return 0;
	if (s > max_s)
		s = max_s;
	return s * NS_PER_S + (ns < NS_PER_S ? ns : NS_PER_S - 1);
}

bool capture_decode(struct capture *c, const struct pcap_pkthdr *h, const uint8_t *frame,
		    struct packet *out)
{
	c->number++;
	if (wire_decode(c->link_type, frame, h->caplen, h->len, out) != DECODE_OK)
		return false;
	out->t_ns = stamp_ns(&h->ts);
	out->number = c->number;
	return true;
}

void capture_free(struct capture *c)
{
	if (!c)
		return;
	if (c->live)
		live_free(c);
	if (c->pcap)
		pcap_close(c->pcap);
	free(c->read_buffer);
	free(c->path);
	free(c);
}
