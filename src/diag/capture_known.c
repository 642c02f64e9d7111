/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/capture_known.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

#define SETS 4096 /* a power of two; with WAYS entries of 100 to 200 bytes each: 4 MB in all */
#define WAYS 4
#define PORTS_MAX 4
#define RECENT_MAX 4
#define PROBERS 64
#define LOSS_MAX 1000 /* older records are halved away: a path changes */

/* How an address fares on one port. */
struct known_port {
	uint16_t port;      /* 0: free */
	int8_t distance;    /* hops, -1 unknown */
	uint32_t rtt_us;    /* shortest; 0 unknown */
	int64_t alive_ns;   /* latest answer; 0 never */
	int64_t silent_ns;  /* latest silence */
};

struct server {
	int64_t used_ns;
	unsigned sent, answered; /* packets to it that were acknowledged in the end; without repetition */
	struct known_port ports[PORTS_MAX];
};

/* How servers answer a client on one port. */
struct client_port {
	uint16_t port;
	uint16_t answers;
	uint8_t n_silent; /* different servers in a row that did not; saturates */
	uint64_t silent[RECENT_MAX];
};

struct client {
	int64_t used_ns;
	bool far_seen;
	struct client_port ports[PORTS_MAX];
};

struct probed {
	uint64_t key;
	int64_t t_ns; /* of the latest probe */
};

struct capture_known {
	uint64_t seed;
	/* those of a set side by side, so that who is looked for costs a line of the cache, or two; 0: free */
	uint64_t server_keys[SETS][WAYS], client_keys[SETS][WAYS];
	struct server servers[SETS][WAYS];
	struct client clients[SETS][WAYS];
	uint64_t probers[PROBERS]; /* the latest addresses with ports that probed a path; 0 none */
	unsigned next_prober;
	struct probed probed[PROBERS]; /* the latest clients with the server's port that they probed; key 0: none */
	unsigned next_probed;
};

struct capture_known *capture_known_new(uint64_t seed)
{
	struct capture_known *k = xcalloc(1, sizeof(*k));

	k->seed = seed;
	return k;
}

void capture_known_free(struct capture_known *k)
{
	free(k);
}

void capture_known_clear(struct capture_known *k)
{
	memset(k->server_keys, 0, sizeof(k->server_keys));
	memset(k->client_keys, 0, sizeof(k->client_keys));
	memset(k->probers, 0, sizeof(k->probers));
	memset(k->probed, 0, sizeof(k->probed));
}

/* Good enough that nobody who does not know the seed finds two addresses of one key. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Its set does not depend on the seed: who is forgotten when a set is full is the same in every run, and so is
 * what the same file says. Who fills a set on purpose makes no more forgotten than who fills all of them. */
static uint64_t key_of(const struct capture_known *k, const struct addr *a)
{
	uint64_t half[2];

	memcpy(half, a->bytes, sizeof(half));
	uint64_t set = mix(mix(half[0] ^ a->family, half[1] ^ 0x9e3779b97f4a7c15), 0xd6e8feb86659fd93) % SETS;
	uint64_t key = mix(half[0] ^ k->seed ^ a->family, half[1] ^ 0x9e3779b97f4a7c15);
	key = mix(key ^ k->seed, 0xd6e8feb86659fd93) / SETS;
	return (key ? key : 1) * SETS + set;
}

/* ---- lookup ---- */

/* WAYS: none. */
static unsigned way_of(const uint64_t set[WAYS], uint64_t key)
{
	unsigned way = 0;

	while (way < WAYS && set[way] != key)
		way++;
	return way;
}

static const struct server *find_server(const struct capture_known *k, uint64_t key)
{
	unsigned way = way_of(k->server_keys[key % SETS], key);

	return way < WAYS ? &k->servers[key % SETS][way] : NULL;
}

static const struct client *find_client(const struct capture_known *k, uint64_t key)
{
	unsigned way = way_of(k->client_keys[key % SETS], key);

	return way < WAYS ? &k->clients[key % SETS][way] : NULL;
}

/* Its entry: a free one, or that of the one seen longest ago in its place. */
static struct server *take_server(struct capture_known *k, uint64_t key)
{
	struct server *set = k->servers[key % SETS];
	uint64_t *keys = k->server_keys[key % SETS];
	unsigned way = way_of(keys, key), place = 0;

	if (way < WAYS)
		return &set[way];
	for (unsigned i = 1; i < WAYS && keys[place]; i++)
		if (!keys[i] || set[i].used_ns < set[place].used_ns)
			place = i;
	keys[place] = key;
	set[place] = (struct server){0};
	return &set[place];
}

static struct client *take_client(struct capture_known *k, uint64_t key)
{
	struct client *set = k->clients[key % SETS];
	uint64_t *keys = k->client_keys[key % SETS];
	unsigned way = way_of(keys, key), place = 0;

	if (way < WAYS)
		return &set[way];
	for (unsigned i = 1; i < WAYS && keys[place]; i++)
		if (!keys[i] || set[i].used_ns < set[place].used_ns)
			place = i;
	keys[place] = key;
	set[place] = (struct client){0};
	return &set[place];
}

/* NULL where all places are taken by other ports. */
static struct known_port *server_port(struct server *s, uint16_t port)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct known_port *p = &s->ports[i];
		if (p->port == 0)
			*p = (struct known_port){.port = port, .distance = -1};
		if (p->port == port)
			return p;
	}
	return NULL;
}

static struct client_port *client_port(struct client *s, uint16_t port)
{
	for (unsigned i = 0; i < PORTS_MAX; i++) {
		struct client_port *p = &s->ports[i];
		if (p->port == 0)
			p->port = port;
		if (p->port == port)
			return p;
	}
	return NULL;
}

/* ---- learning ---- */

static bool answered(const struct conn *c)
{
	return conn_seen(c->synack) || conn_seen(c->established) || c->half[CONN_SERVER].segments > 0;
}

static bool was_silent(const struct conn *c)
{
	return c->syns >= CAPTURE_SILENCE_MIN_SYNS && c->half[CONN_SERVER].packets == 0 &&
	       c->half[CONN_SERVER].rsts == 0 && c->n_icmp == 0 && c->half[CONN_CLIENT].packets == c->syns;
}

static void learn_loss(struct server *s, const struct conn *c)
{
	const struct conn_half *client = &c->half[CONN_CLIENT];
	unsigned stuck = client->stuck.bytes ? client->stuck.repeats : 0;
	unsigned once = client->segments + (c->syns > 0);
	unsigned again = (client->resent > stuck ? client->resent - stuck : 0u) + (c->syns > 1 ? c->syns - 1u : 0u);

	s->answered += once < LOSS_MAX ? once : LOSS_MAX;
	s->sent += (once < LOSS_MAX ? once : LOSS_MAX) + (again < LOSS_MAX ? again : LOSS_MAX);
	while (s->sent > LOSS_MAX) {
		s->sent /= 2;
		s->answered /= 2;
	}
}

static void learn_server(struct server *s, const struct conn *c)
{
	struct known_port *p = server_port(s, c->server_port);

	s->used_ns = c->last_ns;
	if (!answered(c)) {
		if (p && was_silent(c))
			p->silent_ns = c->last_ns;
		return;
	}
	learn_loss(s, c);
	if (!p)
		return;
	p->alive_ns = c->last_ns;
	uint8_t ttl = conn_seen(c->synack) ? c->synack_print.ttl : c->half[CONN_SERVER].ttl_max;
	p->distance = (int8_t)(capture_distance(ttl) < INT8_MAX ? capture_distance(ttl) : INT8_MAX);
	if (c->syns != 1 || !conn_before(c->syn, c->synack))
		return;
	int64_t rtt_us = (conn_ns(c, c->synack) - conn_ns(c, c->syn)) / 1000;
	if (rtt_us > 0 && (p->rtt_us == 0 || rtt_us < p->rtt_us))
		p->rtt_us = (uint32_t)(rtt_us < UINT32_MAX ? rtt_us : UINT32_MAX);
}

static void learn_client(struct client *s, const struct conn *c, uint64_t server)
{
	struct client_port *p = client_port(s, c->server_port);

	s->used_ns = c->last_ns;
	if (conn_seen(c->synack) && capture_distance(c->synack_print.ttl) >= RST_NEARER_HOPS)
		s->far_seen = true;
	if (!p)
		return;
	if (answered(c)) {
		p->answers += p->answers < UINT16_MAX;
		p->n_silent = 0;
	} else if (was_silent(c)) {
		for (unsigned i = 0; i < p->n_silent && i < RECENT_MAX; i++)
			if (p->silent[i] == server)
				return;
		p->silent[p->n_silent % RECENT_MAX] = server;
		p->n_silent += p->n_silent < UINT8_MAX;
	}
}

static uint64_t prober_key(const struct capture_known *k, const struct conn *c)
{
	uint64_t key = mix(key_of(k, &c->client) ^ c->client_port, 0xa0761d6478bd642f);

	return key ? key : 1;
}

static bool is_prober(const struct capture_known *k, const struct conn *c)
{
	uint64_t key = k->probers[0] ? prober_key(k, c) : 0;

	for (unsigned i = 0; i < PROBERS && k->probers[i]; i++)
		if (k->probers[i] == key)
			return true;
	return false;
}

static uint64_t probed_key(const struct capture_known *k, const struct conn *c)
{
	uint64_t key = mix(key_of(k, &c->client) ^ 0xe7037ed1a0b428db, key_of(k, &c->server) ^ c->server_port);

	return key ? key : 1;
}

static void learn_probed(struct capture_known *k, const struct conn *c)
{
	uint64_t key = probed_key(k, c);
	unsigned i = 0;

	while (i < PROBERS && k->probed[i].key != key)
		i++;
	if (i == PROBERS)
		i = k->next_probed++ % PROBERS;
	k->probed[i] = (struct probed){key, c->last_ns};
}

void capture_known_learn(struct capture_known *k, const struct conn *c)
{
	if (capture_is_probe(c)) {
		learn_probed(k, c);
		if (!is_prober(k, c))
			k->probers[k->next_prober++ % PROBERS] = prober_key(k, c);
		return; /* what it meets tells of the path's routers, not of the server */
	}

	uint64_t server = key_of(k, &c->server);

	learn_server(take_server(k, server), c);
	learn_client(take_client(k, key_of(k, &c->client)), c, server);
}

void capture_known_expect(const struct capture_known *k, const struct conn *c)
{
	uint64_t server = key_of(k, &c->server) % SETS, client = key_of(k, &c->client) % SETS;

	/* mostly the first entry is the one */
	__builtin_prefetch(k->server_keys[server]);
	__builtin_prefetch(k->client_keys[client]);
	for (size_t at = 0; at < sizeof(k->servers[0][0]); at += 64)
		__builtin_prefetch((const char *)k->servers[server] + at);
	for (size_t at = 0; at < sizeof(k->clients[0][0]); at += 64)
		__builtin_prefetch((const char *)k->clients[client] + at);
}

/* ---- telling ---- */

static bool is_near(int64_t t_ns, const struct conn *c)
{
	return t_ns && t_ns >= c->start_ns - CAPTURE_CONTROL_NEAR_NS &&
	       t_ns <= c->until_ns + CAPTURE_CONTROL_NEAR_NS;
}

/* Whoever probes the path to a port looks whether the port answers, too. Only unheard SYNs ask. */
static bool is_probed(const struct capture_known *k, const struct conn *c)
{
	const struct conn_half *server = &c->half[CONN_SERVER];

	if (!k->probed[0].key || c->syns != 1 || server->packets || server->rsts || c->n_icmp)
		return false;
	uint64_t key = probed_key(k, c);
	for (unsigned i = 0; i < PROBERS && k->probed[i].key; i++)
		if (k->probed[i].key == key)
			return is_near(k->probed[i].t_ns, c);
	return false;
}

static void tell_server(const struct server *s, const struct conn *c, struct capture_context *out)
{
	unsigned silent = 0, alive = 0;

	out->loss = (struct loss_sample){.sent = s->sent, .answered = s->answered};
	for (unsigned i = 0; i < PORTS_MAX && s->ports[i].port; i++) {
		const struct known_port *p = &s->ports[i];
		bool other = p->port != c->server_port;
		silent += is_near(p->silent_ns, c);
		if (p->alive_ns && (out->distance < 0 || other))
			out->distance = p->distance;
		if (p->rtt_us && (out->rtt_ns == 0 || p->rtt_us * 1000LL < out->rtt_ns))
			out->rtt_ns = p->rtt_us * 1000LL;
		if (other && p->alive_ns) {
			out->other_distance = p->distance;
			out->other_rtt_ns = p->rtt_us * 1000LL;
			out->other_port = p->port;
		}
		if (!is_near(p->alive_ns, c))
			continue;
		alive++;
		out->alive = true;
		out->other_port_alive |= other;
		if (!out->alive_port || other)
			out->alive_port = p->port;
	}
	out->all_ports_silent = silent > 1 && alive == 0;
}

static void tell_client(const struct client *s, const struct conn *c, struct capture_context *out)
{
	out->far_seen = s->far_seen;
	for (unsigned i = 0; i < PORTS_MAX && s->ports[i].port; i++) {
		const struct client_port *p = &s->ports[i];
		if (p->port != c->server_port) {
			out->client_alive |= p->answers > 0;
			continue;
		}
		out->dead_servers = p->n_silent;
		out->port_dead = p->answers == 0 && p->n_silent >= CAPTURE_DEAD_SERVERS;
	}
}

void capture_known_context(const struct capture_known *k, const struct conn *c,
			   struct capture_context *out)
{
	const struct server *server = find_server(k, key_of(k, &c->server));
	const struct client *client = find_client(k, key_of(k, &c->client));

	*out = (struct capture_context){.distance = -1, .other_distance = -1, .prober = is_prober(k, c) || is_probed(k, c)};
	if (server)
		tell_server(server, c, out);
	if (client)
		tell_client(client, c, out);
}
