/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where a connection of ours went, when it was turned on this host: the source
 * of its answers, by connection tracking; a socket here that owns the address
 * that was called (TPROXY leaves the packets as they are, and conntrack sees
 * nothing of it).
 */
#include <time.h>

#include "base/clock.h"
#include "host/ask.h"
#include "host/conntrack.h"
#include "host/owner.h"
#include "host/settings.h"

#define ACCEPT_TRIES    8
#define ACCEPT_PAUSE_MS 5

static bool is_own(const struct addr *a)
{
	struct host *h = NULL;
	struct err e;
	bool yes = false;

	if (host_open(&h, &e) != 0 || host_has_address(h, a, &yes, NULL, &e) != 0)
		yes = false;
	host_free(h);
	return yes;
}

/* The socket that has the connection knows best who answers; until a program has accepted it, the
 * one that listens. */
static bool find_server(const struct conntrack_flow *reply, struct host_owner *out)
{
	struct host_owner listener;
	bool connected = owner_find(&reply->src, reply->sport, &reply->dst, reply->dport,
				    OWNER_CONNECTED, out);

	if (connected && out->pid)
		return true;
	if (!owner_find(&reply->src, reply->sport, &reply->dst, reply->dport, OWNER_LISTENER,
			&listener))
		return connected;
	*out = listener;
	return true;
}

static void emit_owner(const struct host_owner *o, host_emit *emit, void *arg)
{
	struct host_record r = watch_record(HOST_OWNER);

	r.owner = *o;
	emit(arg, &r);
}

static void emit_server(const struct conntrack_flow *reply, host_emit *emit, void *arg)
{
	struct host_owner owner;

	if (find_server(reply, &owner))
		emit_owner(&owner, emit, arg);
}

static void emit_translation(const struct host_watch *w, uint16_t lport, uint16_t rport,
			     const struct conntrack_flow *reply, host_emit *emit, void *arg)
{
	struct host_record r = watch_record(HOST_TRANSLATION);

	r.translation.lport = lport;
	r.translation.called = w->remote;
	r.translation.called_port = rport;
	r.translation.actual = reply->src;
	r.translation.actual_port = reply->sport;
	r.translation.local = is_own(&reply->src);
	emit(arg, &r);
	if (r.translation.local)
		emit_server(reply, emit, arg);
}

/* A program accepts at once, or is not there any more. */
static bool find_transparent(const struct conntrack_flow *answers, struct host_owner *out)
{
	const struct timespec pause = {.tv_nsec = ACCEPT_PAUSE_MS * NS_PER_MS};

	for (int i = 0; i < ACCEPT_TRIES; i++) {
		if (!owner_find(&answers->src, answers->sport, &answers->dst, answers->dport,
				OWNER_CONNECTED, out))
			return false;
		if (out->pid)
			break;
		nanosleep(&pause, NULL);
	}
	out->transparent = true;
	return true;
}

static void emit_untranslated(const struct host_watch *w, uint16_t lport, uint16_t rport,
			      host_emit *emit, void *arg)
{
	const struct conntrack_flow answers = {
		.src = w->remote,
		.dst = ask_source(w),
		.sport = rport,
		.dport = lport,
	};
	struct host_owner owner;

	if (is_own(&w->remote)) {
		emit_server(&answers, emit, arg);
	} else if (addr_is_set(&answers.dst) && find_transparent(&answers, &owner)) {
		emit_owner(&owner, emit, arg);
	}
}

void translation_emit(const struct host_watch *w, uint16_t lport, uint16_t rport, host_emit *emit,
		      void *arg)
{
	struct conntrack_flow reply;
	struct err e;
	int found = conntrack_find(w, lport, rport, &reply, &e);

	if (found < 0)
		watch_not_looked(emit, arg, HOST_LOOK_CONNTRACK, "%.200s",
				 e.text);
	if (found > 0 && (reply.sport != rport || !addr_equal(&reply.src, &w->remote)))
		emit_translation(w, lport, rport, &reply, emit, arg);
	else
		emit_untranslated(w, lport, rport, emit, arg);
}
