/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Connections of a capture with what is to be said of each: every row of the table of captures, and the
 * healthy ones that look like something else.
 */
#ifndef SB_TESTS_DIAG_CASES_CAPTURE_H
#define SB_TESTS_DIAG_CASES_CAPTURE_H

#include "conns.h"
#include "diag/capture.h"

static const struct signature signature_list[] = {
	{SIGNATURE_ISSUER, "*CN=Evil Mail Shield*", "Evil Mail Shield", true, "test"},
};
static const struct signatures signatures = {signature_list, 1};

/* What else the capture holds, before the one that is judged. */
enum around {
	ALONE,
	SERVER_ANSWERS,      /* on another port, without loss */
	PORT_ANSWERS_FAR,    /* another port answers from far away */
	OTHER_PORTS_SILENT,
	OTHERS_SILENT,       /* three other servers don't answer the client, one answers on another port */
	SERVER_FAR_AND_SLOW, /* as SERVER_ANSWERS; round trip 40 ms */
};

struct test_case {
	const char *name, *rule; /* NULL: open */
	enum place place;
	enum around around;
	void (*make)(struct sample *s);
};

/* ---- connections ---- */

static void healthy(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
	sample_reply(s, STAGE_MAIL, 250, "2.1.0 Ok", mark(9, 90));
	sample_command(s, STAGE_RCPT, 30, mark(10, 91));
	sample_reply(s, STAGE_RCPT, 250, "2.1.5 Ok", mark(11, 111));
	s->smtp.rcpt_ok = 1;
	sample_command(s, STAGE_QUIT, 6, mark(12, 112));
	sample_reply(s, STAGE_QUIT, 221, "2.0.0 Bye", mark(13, 132));
	sample_fin(s, CONN_SERVER, mark(14, 132));
	sample_fin(s, CONN_CLIENT, mark(15, 133));
}

static void greeted_only(struct sample *s)
{
	sample_greeted(s);
}

static void reset_after_quit(struct sample *s)
{
	healthy(s);
	s->c.phase = CONN_PHASE_CLOSING;
	sample_rst(s, CONN_SERVER, TCP_RST, 250, mark(16, 134));
}

static void client_reset_after_ehlo(struct sample *s)
{
	sample_ehlo(s);
	sample_rst(s, CONN_CLIENT, TCP_RST | TCP_ACK, 64, mark(8, 70));
}

/* 116 against 244, 123 against 59, 39 against 231: one distance, different initial values. */
static void natural_ttls(struct sample *s)
{
	healthy(s);
	s->c.n_rsts = 0;
	s->c.synack_print.ttl = s->c.half[CONN_SERVER].ttl_min = s->c.half[CONN_SERVER].ttl_max = 116;
	s->c.phase = CONN_PHASE_MORE;
	sample_rst(s, CONN_SERVER, TCP_RST, 244, mark(16, 134));
}

static void unknown_user(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
	sample_reply(s, STAGE_MAIL, 250, "2.1.0 Ok", mark(9, 90));
	sample_command(s, STAGE_RCPT, 30, mark(10, 91));
	sample_reply(s, STAGE_RCPT, 550, "5.1.1 no such user", mark(11, 111));
	s->smtp.rcpt_bad = 1;
}

static void idle_timeout(struct sample *s)
{
	sample_ehlo(s);
	sample_reply(s, STAGE_EHLO, 421, "4.4.2 mx.example.net Error: timeout exceeded", mark(8, 300000));
	s->smtp.replies[STAGE_EHLO] = (struct conn_reply){.at = mark(7, 66), .code = 250, .text = say(s, SAMPLE_EHLO)};
	sample_fin(s, CONN_SERVER, mark(9, 300000));
}

static void inside_tls(struct sample *s)
{
	sample_starttls(s);
	s->tls.server_hello = mark(11, 108);
	s->tls.version = 0x0304;
	s->tls.cipher = 0x1302;
	s->tls.app_data[CONN_SERVER] = mark(11, 108);
	s->tls.app_data[CONN_CLIENT] = mark(12, 110);
	sample_words(s, mark(13, 130), 500);
}

static void mid_dialogue_cut(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
}

static void lossy(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
	s->c.half[CONN_CLIENT].stuck = (struct conn_stuck){.first = mark(8, 70), .last = mark(12, 3000), .repeats = 4, .size = 30, .bytes = 30};
	s->c.half[CONN_CLIENT].resent = 6; /* others of its packets got lost, and came through in the end */
	sample_until(s, 3100);
}

static void middle_working(struct sample *s)
{
	sample_ehlo(s);
	s->c.begin = CONN_FROM_MIDDLE;
	s->c.syn = s->c.synack = s->c.established = (struct conn_mark){0};
	s->c.syns = s->c.synacks = 0;
	s->smtp.replies[STAGE_GREETING] = (struct conn_reply){0};
}

static void host_reset(struct sample *s)
{
	sample_syn(s);
	s->c.syn = s->c.syn_last = (struct conn_mark){0};
	s->c.syns = 0;
	s->c.half[CONN_CLIENT] = (struct conn_half){0};
	s->c.begin = CONN_FROM_MIDDLE;
	s->c.loopback = true;
	sample_rst(s, CONN_SERVER, TCP_RST | TCP_ACK, 64, mark(1, 0));
}

static void host_icmp(struct sample *s)
{
	sample_syn(s);
	s->c.syn = s->c.syn_last = (struct conn_mark){0};
	s->c.syns = 0;
	s->c.half[CONN_CLIENT] = (struct conn_half){0};
	s->c.begin = CONN_FROM_ICMP;
	s->c.loopback = true;
	sample_icmp(s, s->c.client, 3, 3, 64, 64)->seq_known = false;
}

static void host_unreachable(struct sample *s)
{
	host_icmp(s);
	s->icmp[0].code = 1;
}

static void host_drop_in(struct sample *s)
{
	sample_syn(s);
	sample_synack(s, 20, 57);
	s->c.syns = 4;
	s->c.syns_after_synack = 3;
	s->c.half[CONN_CLIENT].packets = 4;
	s->c.syn_after_synack = mark(3, 1000);
	s->c.syn_last = s->c.half[CONN_CLIENT].last = mark(7, 7000);
	s->c.synacks = 4;
	s->c.synack_last = mark(8, 7020);
	sample_until(s, 7100);
}

static void answer_lost(struct sample *s)
{
	host_drop_in(s);
	s->c.syn_print.ttl = s->c.half[CONN_CLIENT].ttl_min = s->c.half[CONN_CLIENT].ttl_max = 60;
}

static void answer_in_vain(struct sample *s)
{
	sample_syn(s);
	sample_synack(s, 0.1, 64);
	s->c.synacks = 5;
	s->c.synack_last = mark(9, 31000);
	sample_until(s, 40000);
}

static void host_session(struct sample *s)
{
	sample_connected(s);
	sample_reply(s, STAGE_GREETING, 220, "mx.example.net ESMTP", mark(4, 45));
	sample_stuck(s, CONN_SERVER, 26, 5, mark(4, 45), mark(12, 12000));
}

static void probes(struct sample *s)
{
	sample_syn(s);
	sample_syns(s, 4);
	s->c.half[CONN_CLIENT].ttl_min = 1;
	s->c.half[CONN_CLIENT].ttl_max = 8;
}

static void probe_expired(struct sample *s)
{
	sample_syn(s);
	s->c.syn_print.ttl = s->c.half[CONN_CLIENT].ttl_min = s->c.half[CONN_CLIENT].ttl_max = 3;
	sample_icmp(s, v4(203, 0, 113, 9), 11, 0, 62, 1);
}

static void answer_nearer(struct sample *s)
{
	healthy(s);
	s->c.synack_print.ttl = s->c.half[CONN_SERVER].ttl_min = s->c.half[CONN_SERVER].ttl_max = 63;
}

static void two_answers(struct sample *s)
{
	sample_connected(s);
	s->c.synack_other = mark(4, 21);
	s->c.synacks_other = 1;
	s->c.synack_other_print = print_of(62);
}

static void syn_reset(struct sample *s, unsigned flags, uint8_t ttl, double ms)
{
	sample_syn(s);
	sample_rst(s, CONN_SERVER, flags, ttl, mark(2, ms))->provoked = 1;
}

static void syn_reset_forged(struct sample *s)
{
	syn_reset(s, TCP_RST | TCP_ACK, 62, 2);
	struct conn_half server = s->c.half[CONN_SERVER];
	sample_synack(s, 20, 57);
	s->c.synack = mark(3, 20);
	server.after_rst = mark(3, 20);
	s->c.half[CONN_SERVER].rsts = server.rsts;
}

static void syn_reset_both(struct sample *s)
{
	syn_reset(s, TCP_RST, 57, 2);
	sample_rst(s, CONN_SERVER, TCP_RST | TCP_ACK, 57, mark(3, 2.1))->provoked = 1;
}

static void syn_reset_bare(struct sample *s)
{
	syn_reset(s, TCP_RST, 57, 20);
}

static void syn_reset_burst(struct sample *s)
{
	syn_reset(s, TCP_RST | TCP_ACK, 57, 20);
	sample_rst(s, CONN_SERVER, TCP_RST | TCP_ACK, 57, mark(3, 20.1))->provoked = 1;
	sample_rst(s, CONN_SERVER, TCP_RST | TCP_ACK, 57, mark(4, 20.2))->provoked = 1;
}

static void syn_reset_soon(struct sample *s)
{
	syn_reset(s, TCP_RST | TCP_ACK, 57, 5);
}

static void syn_reset_nearer(struct sample *s)
{
	syn_reset(s, TCP_RST | TCP_ACK, 63, 25);
}

static void syn_reset_link(struct sample *s)
{
	syn_reset(s, TCP_RST | TCP_ACK, 64, 1);
}

static void refused(struct sample *s)
{
	syn_reset(s, TCP_RST | TCP_ACK, 57, 20);
}

static void refused_neighbour(struct sample *s)
{
	syn_reset(s, TCP_RST | TCP_ACK, 64, 1);
	s->c.server = v4(10, 1, 0, 9);
}

static void icmp_case(struct sample *s, struct addr from, unsigned code, uint8_t ttl, uint8_t quoted)
{
	sample_syn(s);
	sample_icmp(s, from, 3, code, ttl, quoted);
}

static void icmp_refused(struct sample *s)
{
	icmp_case(s, v4(198, 51, 100, 25), 3, 57, 57);
}

static void icmp_destination(struct sample *s)
{
	icmp_case(s, v4(198, 51, 100, 25), 13, 57, 57);
}

static void icmp_destination_unreachable(struct sample *s)
{
	icmp_case(s, v4(198, 51, 100, 25), 1, 57, 57);
}

static void icmp_loop(struct sample *s)
{
	sample_syn(s);
	sample_icmp(s, v4(203, 0, 113, 9), 11, 0, 61, 1);
}

static void icmp_gateway(struct sample *s)
{
	icmp_case(s, v4(10, 1, 0, 1), 13, 64, 63);
}

static void icmp_isp(struct sample *s)
{
	icmp_case(s, v4(100, 64, 0, 1), 13, 63, 62);
}

static void icmp_far(struct sample *s)
{
	icmp_case(s, v4(203, 0, 113, 9), 13, 60, 59);
}

static void icmp_near_destination(struct sample *s)
{
	icmp_case(s, v4(198, 51, 100, 1), 13, 58, 57);
}

static void icmp_unreachable_isp(struct sample *s)
{
	icmp_case(s, v4(100, 64, 0, 1), 1, 63, 62);
}

static void icmp_unreachable_far(struct sample *s)
{
	icmp_case(s, v4(203, 0, 113, 9), 1, 60, 59);
}

static void icmp_forged(struct sample *s)
{
	icmp_case(s, v4(203, 0, 113, 9), 13, 60, 59);
	s->icmp[0].seq_sent = false;
}

static void silent(struct sample *s)
{
	sample_syn(s);
	sample_syns(s, 5);
}

static void silent_short(struct sample *s)
{
	sample_syn(s);
	sample_until(s, 400);
}

static void gave_up(struct sample *s)
{
	sample_syn(s);
	sample_synack(s, 20, 57);
	sample_rst(s, CONN_CLIENT, TCP_RST, 64, mark(3, 20.1));
}

static void starttls_masked(struct sample *s)
{
	sample_greeted(s);
	sample_command(s, STAGE_EHLO, 24, mark(6, 46));
	sample_reply(s, STAGE_EHLO, 250, "mx.example.net\nSIZE 1000\nXXXXXXXA", mark(7, 66));
}

static void banner_masked(struct sample *s)
{
	sample_connected(s);
	sample_reply(s, STAGE_GREETING, 220, "*************************0*2******", mark(4, 45));
}

static void ehlo_masked(struct sample *s)
{
	sample_greeted(s);
	sample_command(s, STAGE_EHLO, 24, mark(6, 46));
	sample_reply(s, STAGE_EHLO, 250, "mx.example.net\nSTARTTLS\nXXXXXXXXXX", mark(7, 66));
}

static void tls_interceptor(struct sample *s)
{
	inside_tls(s);
	s->tls.version = 0x0303;
	s->tls.issuer = say(s, "CN=Evil Mail Shield Root,O=Evil");
	s->tls.certificate = mark(11, 108);
}

static void reset_then_data(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
	sample_rst(s, CONN_SERVER, TCP_RST | TCP_ACK, 57, mark(9, 75));
	s->c.half[CONN_SERVER].after_rst = mark(10, 90);
	s->c.half[CONN_SERVER].last_data = s->c.half[CONN_SERVER].last_new = mark(10, 90);
}

/* Sent before the RST, and overtaken by it. */
static void reset_overtakes_data(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
	sample_rst(s, CONN_SERVER, TCP_RST | TCP_ACK, 57, mark(9, 92))->seq_off = 14;
	s->c.half[CONN_SERVER].after_rst = mark(10, 92.3);
	s->c.half[CONN_SERVER].last_data = s->c.half[CONN_SERVER].last_new = mark(10, 92.3);
}

static void reset_seq(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
	sample_rst(s, CONN_SERVER, TCP_RST, 57, mark(9, 92))->seq = 1000;
	struct conn_rst *r = sample_rst(s, CONN_SERVER, TCP_RST, 57, mark(10, 92.1));
	r->seq = 2460;
	r->seq_off = 1460;
}

static void reset_ack(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
	sample_rst(s, CONN_SERVER, TCP_RST | TCP_ACK, 57, mark(9, 92))->ack = 1000;
	struct conn_rst *r = sample_rst(s, CONN_SERVER, TCP_RST | TCP_ACK, 57, mark(10, 92.1));
	r->ack = 5380;
	r->ack_off = 4380;
}

static void reset_burst(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
	for (unsigned i = 0; i < 3; i++)
		sample_rst(s, CONN_SERVER, TCP_RST | TCP_ACK, 57, mark(9 + i, 92))->provoked = 1;
}

static void reset_soon(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
	sample_rst(s, CONN_SERVER, TCP_RST | TCP_ACK, 57, mark(9, 73));
}

static void reset_nearer(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
	sample_rst(s, CONN_SERVER, TCP_RST, 255 - 1, mark(9, 92));
}

static void reset_strange(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
	struct conn_rst *r = sample_rst(s, CONN_SERVER, TCP_RST | TCP_ACK, 57, mark(9, 92));
	r->has_prev = true;
	r->print.df = false;
}

static void client_reset_forged(struct sample *s)
{
	sample_ehlo(s);
	s->c.syn_print.ttl = s->c.half[CONN_CLIENT].ttl_min = s->c.half[CONN_CLIENT].ttl_max = 57;
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
	sample_rst(s, CONN_CLIENT, TCP_RST | TCP_ACK, 62, mark(9, 71));
}

static void rejected(struct sample *s)
{
	sample_connected(s);
	sample_reply(s, STAGE_GREETING, 554, "5.7.1 go away, see https://bl.example", mark(4, 45));
	sample_fin(s, CONN_SERVER, mark(5, 46));
}

static void ehlo_rejected(struct sample *s)
{
	sample_greeted(s);
	sample_command(s, STAGE_EHLO, 24, mark(6, 46));
	sample_reply(s, STAGE_EHLO, 550, "you again", mark(7, 66));
}

static void auth_rejected(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_AUTH, 30, mark(8, 70));
	sample_reply(s, STAGE_AUTH, 535, "5.7.8 authentication failed", mark(9, 90));
}

static void mail_rejected(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_MAIL, 30, mark(8, 70));
	sample_reply(s, STAGE_MAIL, 250, "2.1.0 Ok", mark(9, 90));
	sample_command(s, STAGE_RCPT, 30, mark(10, 91));
	sample_reply(s, STAGE_RCPT, 554, "5.7.1 Service unavailable; client blocked using bl.example", mark(11, 111));
}

static void not_smtp(struct sample *s)
{
	sample_connected(s);
	sample_words(s, mark(4, 45), 30);
	s->smtp.not_smtp = mark(4, 45);
	s->smtp.server_first = say(s, "SSH-2.0-OpenSSH_9.2\r\n");
}

static void starttls_rejected(struct sample *s)
{
	sample_ehlo(s);
	sample_command(s, STAGE_STARTTLS, 10, mark(8, 67));
	sample_reply(s, STAGE_STARTTLS, 454, "4.7.0 TLS not available", mark(9, 87));
	sample_command(s, STAGE_QUIT, 6, mark(10, 90));
}

static void tls_failed(struct sample *s)
{
	sample_starttls(s);
	s->tls.alerts[s->tls.n_alerts++] = (struct conn_alert){.at = mark(11, 108), .side = CONN_SERVER, .level = 2, .description = 40};
	sample_words(s, mark(11, 108), 7);
}

static void tls_client(struct sample *s)
{
	sample_starttls(s);
	s->tls.server_hello = mark(11, 108);
	s->tls.version = 0x0303;
	sample_words(s, mark(11, 108), 2000);
	s->tls.alerts[s->tls.n_alerts++] = (struct conn_alert){.at = mark(12, 109), .side = CONN_CLIENT, .level = 2, .description = 48};
}

static void reset_greeting(struct sample *s)
{
	sample_connected(s);
	sample_rst(s, CONN_SERVER, TCP_RST | TCP_ACK, 57, mark(4, 45));
}

static void reset_tls(struct sample *s)
{
	sample_starttls(s);
	sample_rst(s, CONN_SERVER, TCP_RST, 57, mark(11, 110));
}

static void reset_ehlo(struct sample *s)
{
	sample_greeted(s);
	sample_command(s, STAGE_EHLO, 24, mark(6, 46));
	sample_rst(s, CONN_SERVER, TCP_RST, 57, mark(7, 66));
}

static void closed(struct sample *s)
{
	sample_connected(s);
	sample_fin(s, CONN_SERVER, mark(4, 45));
	sample_fin(s, CONN_CLIENT, mark(5, 46));
}

static void mtu(struct sample *s)
{
	sample_starttls(s);
	sample_stuck(s, CONN_CLIENT, 1448, 5, mark(10, 88), mark(18, 7000));
	s->c.half[CONN_CLIENT].size_acked = 30;
}

static void window(struct sample *s)
{
	sample_greeted(s);
	s->c.half[CONN_SERVER].zero_window = mark(4, 45);
	s->c.half[CONN_SERVER].zero_windows = 7;
	s->c.half[CONN_SERVER].window_last = 0;
	sample_until(s, 60000);
}

static void stuck(struct sample *s)
{
	sample_greeted(s);
	sample_command(s, STAGE_EHLO, 24, mark(6, 46));
	sample_stuck(s, CONN_CLIENT, 24, 5, mark(6, 46), mark(12, 7000));
}

static void stuck_server(struct sample *s)
{
	sample_connected(s);
	s->c.syn_print.ttl = s->c.half[CONN_CLIENT].ttl_min = s->c.half[CONN_CLIENT].ttl_max = 57;
	sample_reply(s, STAGE_GREETING, 220, "mx.example.net ESMTP", mark(4, 45));
	sample_stuck(s, CONN_SERVER, 26, 6, mark(4, 45), mark(14, 24000));
}

static void drip(struct sample *s)
{
	sample_connected(s);
	for (unsigned i = 0; i < 20; i++)
		sample_words(s, mark(4 + i, 1000 * i), 1);
	sample_fin(s, CONN_CLIENT, mark(40, 21000));
}

static void stall_greeting(struct sample *s)
{
	sample_connected(s);
	sample_fin(s, CONN_CLIENT, mark(4, 8000));
}

static void stall_ehlo(struct sample *s)
{
	sample_greeted(s);
	sample_command(s, STAGE_EHLO, 24, mark(6, 46));
	sample_fin(s, CONN_CLIENT, mark(8, 9000));
}

static void stall_tls(struct sample *s)
{
	sample_starttls(s);
	sample_fin(s, CONN_CLIENT, mark(12, 9000));
}

static void one_sided(struct sample *s)
{
	sample_syn(s);
	s->c.half[CONN_CLIENT].packets = 8;
	s->c.half[CONN_CLIENT].segments = 3;
	sample_until(s, 900);
}

static void client_reset(struct sample *s)
{
	sample_connected(s);
	sample_rst(s, CONN_CLIENT, TCP_RST | TCP_ACK, 64, mark(4, 30));
}

static void client_left(struct sample *s)
{
	sample_connected(s);
	sample_fin(s, CONN_CLIENT, mark(4, 900));
}

static void no_beginning(struct sample *s)
{
	sample_syn(s);
	s->c.syn = s->c.syn_last = (struct conn_mark){0};
	s->c.syns = 0;
	s->c.begin = CONN_FROM_MIDDLE;
	s->c.half[CONN_SERVER].packets = 1;
}

static void cut_off(struct sample *s)
{
	sample_connected(s);
	sample_until(s, 1000);
}

static void undecided(struct sample *s)
{
	sample_connected(s);
	s->c.end = CONN_REPLACED;
}

#define UNKNOWN PLACE_UNKNOWN

static const struct test_case cases[] = {
	/* healthy, however it looks */
	{"healthy", NULL, UNKNOWN, ALONE, healthy},
	{"greeting, then the capture ends", NULL, UNKNOWN, ALONE, greeted_only},
	{"RST of the server after QUIT", NULL, UNKNOWN, ALONE, reset_after_quit},
	{"RST of the client after EHLO", NULL, UNKNOWN, ALONE, client_reset_after_ehlo},
	{"TTL 116 against 244", NULL, UNKNOWN, ALONE, natural_ttls},
	{"unknown user", NULL, UNKNOWN, ALONE, unknown_user},
	{"421 after an idle hour", NULL, UNKNOWN, ALONE, idle_timeout},
	{"a session inside TLS", NULL, UNKNOWN, ALONE, inside_tls},
	{"the capture ends amid a command", NULL, UNKNOWN, ALONE, mid_dialogue_cut},
	{"a lossy path", NULL, UNKNOWN, ALONE, lossy},
	{"begun before the capture, and working", NULL, UNKNOWN, ALONE, middle_working},
	/* one for each row, in the table's order */
	{"reject by RST on loopback", "capture-host-reset", PLACE_HOST, ALONE, host_reset},
	{"reject by ICMP on loopback", "capture-host-icmp", PLACE_HOST, ALONE, host_icmp},
	{"no neighbour", "capture-host-unreachable", UNKNOWN, ALONE, host_unreachable},
	{"input drop", "capture-host-drop-in", PLACE_HOST, ALONE, host_drop_in},
	{"input drop after the handshake", "capture-host-session", PLACE_HOST, ALONE, host_session},
	{"probes", "capture-probes", UNKNOWN, ALONE, probes},
	{"a probe whose TTL ran out", "capture-probes", UNKNOWN, ALONE, probe_expired},
	{"transparent proxy", "capture-answer-nearer", PLACE_ISP, PORT_ANSWERS_FAR, answer_nearer},
	{"two SYN-ACKs", "capture-two-answers", UNKNOWN, ALONE, two_answers},
	{"RST, then SYN-ACK", "capture-syn-reset-forged", UNKNOWN, ALONE, syn_reset_forged},
	{"RST and RST+ACK", "capture-syn-reset-both", UNKNOWN, ALONE, syn_reset_both},
	{"RST without ACK", "capture-syn-reset-bare", UNKNOWN, ALONE, syn_reset_bare},
	{"three RSTs", "capture-syn-reset-burst", UNKNOWN, ALONE, syn_reset_burst},
	{"RST too soon", "capture-syn-reset-soon", UNKNOWN, SERVER_FAR_AND_SLOW, syn_reset_soon},
	{"RST from nearer", "capture-syn-reset-nearer", PLACE_ISP, SERVER_ANSWERS, syn_reset_nearer},
	{"RST from the link", "capture-syn-reset-link", PLACE_GATEWAY, OTHERS_SILENT, syn_reset_link},
	{"RST from the link, or through a NAT", "capture-syn-reset-unplaced", UNKNOWN, ALONE, syn_reset_link},
	{"refused", "capture-refused-alike", PLACE_DESTINATION, SERVER_ANSWERS, refused},
	{"refused, nothing to compare", "capture-refused", PLACE_DESTINATION, ALONE, refused},
	{"refused by a neighbour", "capture-refused", PLACE_DESTINATION, ALONE, refused_neighbour},
	{"port unreachable", "capture-icmp-refused", PLACE_DESTINATION, ALONE, icmp_refused},
	{"prohibited by the server", "capture-icmp-destination", PLACE_DESTINATION, ALONE, icmp_destination},
	{"forwarded to nobody", "capture-icmp-destination-unreachable", PLACE_DESTINATION, ALONE, icmp_destination_unreachable},
	{"routing loop", "capture-icmp-loop", UNKNOWN, ALONE, icmp_loop},
	{"prohibited by the gateway", "capture-icmp-placed", PLACE_GATEWAY, ALONE, icmp_gateway},
	{"prohibited by the provider", "capture-icmp-placed", PLACE_ISP, ALONE, icmp_isp},
	{"prohibited near the server", "capture-icmp-placed", PLACE_DESTINATION_NETWORK, ALONE, icmp_near_destination},
	{"prohibited somewhere", "capture-icmp", UNKNOWN, ALONE, icmp_far},
	{"unreachable, but alive, at the provider", "capture-icmp-alive-placed", PLACE_ISP, SERVER_ANSWERS, icmp_unreachable_isp},
	{"unreachable, but alive", "capture-icmp-alive", UNKNOWN, SERVER_ANSWERS, icmp_unreachable_far},
	{"unreachable, says the provider", "capture-icmp-unreachable-placed", PLACE_ISP, ALONE, icmp_unreachable_isp},
	{"unreachable", "capture-icmp-unreachable", UNKNOWN, ALONE, icmp_unreachable_far},
	{"an error about a packet never sent", "capture-cut-off", UNKNOWN, ALONE, icmp_forged},
	{"silence, another port answers", "capture-silence-alive", UNKNOWN, SERVER_ANSWERS, silent},
	{"silence of all servers", "capture-silence-everywhere", UNKNOWN, OTHERS_SILENT, silent},
	{"silence of all ports", "capture-silence-all-ports", UNKNOWN, OTHER_PORTS_SILENT, silent},
	{"silence", "capture-silence", UNKNOWN, ALONE, silent},
	{"one SYN", "capture-silence-short", UNKNOWN, ALONE, silent_short},
	{"SYN-ACK lost behind the capture", "capture-answer-lost", UNKNOWN, ALONE, answer_lost},
	{"SYN-ACK in vain", "capture-answer-in-vain", UNKNOWN, ALONE, answer_in_vain},
	{"half-open scan", "capture-client-gave-up", UNKNOWN, ALONE, gave_up},
	{"XXXXXXXA", "capture-starttls-masked", UNKNOWN, ALONE, starttls_masked},
	{"asterisks", "capture-banner-masked", UNKNOWN, ALONE, banner_masked},
	{"XXXXXXXXXX", "capture-ehlo-masked", UNKNOWN, ALONE, ehlo_masked},
	{"known issuer", "capture-tls-interceptor", UNKNOWN, ALONE, tls_interceptor},
	{"RST, then data", "capture-reset-then-data", UNKNOWN, ALONE, reset_then_data},
	{"RST that overtook data", "capture-reset", PLACE_DESTINATION, ALONE, reset_overtakes_data},
	{"RSTs that run ahead", "capture-reset-seq", UNKNOWN, ALONE, reset_seq},
	{"RSTs with wild acknowledgements", "capture-reset-ack", UNKNOWN, ALONE, reset_ack},
	{"RSTs unprovoked", "capture-reset-burst", UNKNOWN, ALONE, reset_burst},
	{"RST that knows too much", "capture-reset-soon", UNKNOWN, ALONE, reset_soon},
	{"RST from nearer, later", "capture-reset-nearer", PLACE_ISP, ALONE, reset_nearer},
	{"forged RST of the client", "capture-client-reset-forged", UNKNOWN, ALONE, client_reset_forged},
	{"554", "capture-rejected", PLACE_DESTINATION, ALONE, rejected},
	{"550 to EHLO", "capture-ehlo-rejected", PLACE_DESTINATION, ALONE, ehlo_rejected},
	{"535", "capture-auth-rejected", PLACE_DESTINATION, ALONE, auth_rejected},
	{"554 to RCPT", "capture-mail-rejected", PLACE_DESTINATION, ALONE, mail_rejected},
	{"SSH", "capture-not-smtp", PLACE_DESTINATION, ALONE, not_smtp},
	{"454", "capture-starttls-rejected", PLACE_DESTINATION, ALONE, starttls_rejected},
	{"the server's alert", "capture-tls-failed", PLACE_DESTINATION, ALONE, tls_failed},
	{"the client's alert", "capture-tls-client", UNKNOWN, ALONE, tls_client},
	{"RST without DF", "capture-reset-strange", UNKNOWN, ALONE, reset_strange},
	{"RST before a greeting", "capture-reset-greeting", PLACE_DESTINATION, ALONE, reset_greeting},
	{"RST after ClientHello", "capture-reset-tls", PLACE_DESTINATION, ALONE, reset_tls},
	{"RST after EHLO", "capture-reset", PLACE_DESTINATION, ALONE, reset_ehlo},
	{"closed", "capture-closed", PLACE_DESTINATION, ALONE, closed},
	{"large packets", "capture-mtu", UNKNOWN, ALONE, mtu},
	{"zero window", "capture-window", PLACE_DESTINATION, ALONE, window},
	{"EHLO in vain", "capture-stuck", UNKNOWN, ALONE, stuck},
	{"greeting in vain", "capture-stuck-server", UNKNOWN, ALONE, stuck_server},
	{"byte by byte", "capture-drip", PLACE_DESTINATION, ALONE, drip},
	{"no greeting", "capture-stall-greeting", PLACE_DESTINATION, ALONE, stall_greeting},
	{"no reply to EHLO", "capture-stall", PLACE_DESTINATION, ALONE, stall_ehlo},
	{"no answer to ClientHello", "capture-stall-tls", UNKNOWN, ALONE, stall_tls},
	{"one direction", "capture-one-sided", UNKNOWN, ALONE, one_sided},
	{"the client resets", "capture-client-reset", UNKNOWN, ALONE, client_reset},
	{"the client leaves", "capture-client-left", UNKNOWN, ALONE, client_left},
	{"no beginning", "capture-no-beginning", UNKNOWN, ALONE, no_beginning},
	{"no end", "capture-cut-off", UNKNOWN, ALONE, cut_off},
	{"nothing", "capture-undecided", UNKNOWN, ALONE, undecided},
};

#define N_CASES (sizeof(cases) / sizeof(cases[0]))

#endif
