/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/nft_ruleset.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h> /* before the kernel's own */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/msg.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/nfnl.h"

#define RECEIVE_SIZE 65536 /* the kernel fills 32 KiB of a dump at once, when it may */
#define DUMPS_MAX    32    /* chains that are read in part, each with a socket */
#define CHAINS_MAX   100000
#define TABLES_MAX   4096
#define SETS_MAX     65536
#define DEVICES_MAX  256

/* ---- attributes */

bool nft_attributes(const void *head, size_t len, const struct nlattr **table, int max,
		    bool *foreign)
{
	const uint8_t *p = head;

	memset(table, 0, sizeof(*table) * ((size_t)max + 1));
	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const struct nlattr *)(const void *)p;
		size_t step = NLA_ALIGN(a->nla_len);
		int type = a->nla_type & NLA_TYPE_MASK;
		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			return false;
		if (type <= max)
			table[type] = a;
		else
			*foreign = true;
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
	return true;
}

static size_t payload(const struct nlattr *a)
{
	return a->nla_len - (size_t)NLA_HDRLEN;
}

static const void *content(const struct nlattr *a)
{
	return (const uint8_t *)a + NLA_HDRLEN;
}

bool nft_nested(const struct nlattr *nest, const struct nlattr **table, int max, bool *foreign)
{
	if (!nest) {
		memset(table, 0, sizeof(*table) * ((size_t)max + 1));
		return false;
	}
	return nft_attributes(content(nest), payload(nest), table, max, foreign);
}

uint32_t nft_u32(const struct nlattr *a, uint32_t absent)
{
	uint32_t v;

	if (!a || payload(a) < sizeof(v))
		return absent;
	memcpy(&v, content(a), sizeof(v));
	return be32toh(v);
}

struct nft_verdict nft_read_verdict(struct nft_ruleset *r, const struct nlattr *verdict)
{
	const struct nlattr *t[NFTA_VERDICT_MAX + 1];
	struct nft_verdict v = {.code = NFT_OTHER};
	bool foreign = false;

	if (!nft_nested(verdict, t, NFTA_VERDICT_MAX, &foreign) || !t[NFTA_VERDICT_CODE])
		return v;
	int code = (int)nft_u32(t[NFTA_VERDICT_CODE], 0);
	switch (code) {
	case NFT_CONTINUE: v.code = NFT_GO_ON; break;
	case NFT_JUMP: v.code = NFT_JUMPS; break;
	case NFT_GOTO: v.code = NFT_GOES; break;
	case NFT_RETURN: v.code = NFT_RETURNS; break;
	case NF_ACCEPT: v.code = NFT_ACCEPTS; break;
	case NF_DROP: v.code = NFT_DROPS; break;
	default:
		if (code >= 0 && (code & NF_VERDICT_MASK) == NF_QUEUE) {
			v.code = NFT_QUEUES;
			v.queue = (uint16_t)((unsigned)code >> NF_VERDICT_QBITS);
			v.bypass = code & NF_VERDICT_FLAG_QUEUE_BYPASS;
		}
	}
	if (v.code == NFT_JUMPS || v.code == NFT_GOES)
		v.chain = arena_strdup(&r->names, nfnl_str(t[NFTA_VERDICT_CHAIN]));
	return v;
}

const struct nlattr *nft_rule_attributes(const struct nlmsghdr *m, size_t *len)
{
	const size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));

	*len = m->nlmsg_len > head ? m->nlmsg_len - head : 0;
	return (const struct nlattr *)(const void *)((const uint8_t *)m + head);
}

/* ---- questions */

struct request {
	_Alignas(8) uint8_t bytes[1024];
};

static void begin(struct nft_ruleset *r, struct request *q, int type, int flags, uint8_t family)
{
	struct nlmsghdr h = {
		.nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)),
		.nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
		.nlmsg_seq = ++r->seq,
	};
	struct nfgenmsg g = {.nfgen_family = family, .version = NFNETLINK_V0};

	memset(q, 0, sizeof(*q));
	memcpy(q->bytes, &h, sizeof(h));
	memcpy(q->bytes + NLMSG_HDRLEN, &g, sizeof(g));
}

static uint32_t length(const struct request *q)
{
	uint32_t len;

	memcpy(&len, q->bytes, sizeof(len));
	return len;
}

/* Returns where the attribute begins. What would not fit is left out: the kernel refuses then. */
static size_t put(struct request *q, int type, const void *data, size_t len)
{
	uint32_t at = length(q);
	uint32_t end = at + (uint32_t)(NLA_HDRLEN + len);
	struct nlattr a = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = (uint16_t)type};

	if (NLMSG_ALIGN(end) > sizeof(q->bytes))
		return at;
	memcpy(q->bytes + at, &a, sizeof(a));
	if (len)
		memcpy(q->bytes + at + NLA_HDRLEN, data, len);
	end = NLMSG_ALIGN(end); /* a nest ends with its last attribute's padding */
	memcpy(q->bytes, &end, sizeof(end));
	return at;
}

static void put_string(struct request *q, int type, const char *s)
{
	put(q, type, s, strlen(s) + 1);
}

static void end_nest(struct request *q, size_t at)
{
	uint16_t len = (uint16_t)(length(q) - at);

	memcpy(q->bytes + at, &len, sizeof(len));
}

static int open_socket(struct err *e)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0)
		err_set(e, ERR_RUN, "netlink: %s", strerror(errno));
	return fd;
}

static int ask(int fd, const struct request *q, struct err *e)
{
	if (send(fd, q->bytes, length(q), 0) < 0)
		return err_set(e, ERR_RUN, "nf_tables: %s", strerror(errno));
	return 0;
}

/* One datagram into r->buffer; 0: the time is over, or the socket failed. */
static size_t receive(struct nft_ruleset *r, int fd)
{
	for (;;) {
		int64_t left = r->deadline - clock_mono_ns();
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (left <= 0)
			return 0;
		int rc = poll(&p, 1, (int)(left / NS_PER_MS) + 1);
		if (rc == 0 || (rc < 0 && errno != EINTR))
			return 0;
		ssize_t n = recv(fd, r->buffer, RECEIVE_SIZE, MSG_DONTWAIT | MSG_TRUNC);
		if (n > RECEIVE_SIZE || n == 0)
			return 0;
		if (n > 0)
			return (size_t)n;
		if (errno != EINTR && errno != EAGAIN)
			return 0;
	}
}

/* ERROR's or DONE's errno. */
static int answer_errno(const struct nlmsghdr *m)
{
	int32_t code = 0;

	if (m->nlmsg_len >= NLMSG_LENGTH(sizeof(code)))
		memcpy(&code, nlmsg_data(m), sizeof(code));
	return -code;
}

typedef void on_message(struct nft_ruleset *r, const struct nlmsghdr *m, void *arg);

/* Asks q of r->fd; every message of the answer goes to `on`. *answer: 0 or an errno; EAGAIN when it
 * is not whole. */
static int question(struct nft_ruleset *r, const struct request *q, on_message *on, void *arg,
		    int *answer, struct err *e)
{
	const struct nlmsghdr *asked = (const void *)q->bytes;
	bool dump = asked->nlmsg_flags & NLM_F_DUMP;

	*answer = EAGAIN;
	if (ask(r->fd, q, e) != 0)
		return -1;
	for (;;) {
		size_t n = receive(r, r->fd);
		if (n == 0)
			return 0;
		int left = (int)n;
		for (struct nlmsghdr *m = (void *)r->buffer; nlmsg_ok(m, left);
		     m = nlmsg_next(m, &left)) {
			if (m->nlmsg_seq != asked->nlmsg_seq)
				continue; /* the rest of an answer that came too late */
			if (m->nlmsg_flags & NLM_F_DUMP_INTR)
				r->changed = true;
			if (m->nlmsg_type == NLMSG_ERROR || m->nlmsg_type == NLMSG_DONE) {
				*answer = answer_errno(m);
				return 0;
			}
			on(r, m, arg);
			if (!dump) {
				*answer = 0;
				return 0;
			}
		}
	}
}

/* ---- tables and chains */

static void grow(void **list, size_t n, size_t *size, size_t one)
{
	if (n < *size)
		return;
	*size = *size ? *size * 2 : 32;
	*list = xrealloc(*list, *size * one);
}

static void on_generation(struct nft_ruleset *r, const struct nlmsghdr *m, void *arg)
{
	const struct nlattr *t[NFTA_GEN_MAX + 1];
	bool foreign = false;
	size_t len;
	const struct nlattr *a = nft_rule_attributes(m, &len);

	(void)r;
	if (nft_attributes(a, len, t, NFTA_GEN_MAX, &foreign))
		*(uint32_t *)arg = nft_u32(t[NFTA_GEN_ID], 0);
}

static int ask_generation(struct nft_ruleset *r, uint32_t *out, int *answer, struct err *e)
{
	struct request q;

	begin(r, &q, NFT_MSG_GETGEN, 0, AF_UNSPEC);
	return question(r, &q, on_generation, out, answer, e);
}

static void on_table(struct nft_ruleset *r, const struct nlmsghdr *m, void *arg)
{
	const struct nlattr *t[NFTA_TABLE_MAX + 1];
	const struct nfgenmsg *g = nlmsg_data(m);
	bool foreign = false;
	size_t len;
	const struct nlattr *a = nft_rule_attributes(m, &len);

	(void)arg;
	if (!nft_attributes(a, len, t, NFTA_TABLE_MAX, &foreign))
		return;
	if (r->n_tables >= TABLES_MAX) {
		r->cut = true;
		return;
	}
	grow((void **)&r->tables, r->n_tables, &r->size_tables, sizeof(*r->tables));
	r->tables[r->n_tables++] = (struct nft_table){
		.family = g->nfgen_family,
		.name = arena_strdup(&r->names, nfnl_str(t[NFTA_TABLE_NAME])),
		.handle = nfnl_u64(t[NFTA_TABLE_HANDLE]),
		.dormant = nft_u32(t[NFTA_TABLE_FLAGS], 0) & NFT_TABLE_F_DORMANT,
	};
}

static void add_device(struct nft_ruleset *r, struct nft_chain *c, const struct nlattr *a,
		       bool prefix)
{
	const char *name = nfnl_str(a);
	size_t n = a ? payload(a) : 0;

	/* a prefix comes without its NUL */
	if (!a || c->n_devices >= DEVICES_MAX || (!prefix && !*name) || n == 0)
		return;
	if (!c->devices)
		c->devices = arena_alloc(&r->names, DEVICES_MAX * sizeof(*c->devices));
	char *out = c->devices[c->n_devices++];
	if (prefix) {
		n = strnlen(content(a), n);
		snprintf(out, IFNAMSIZ, "%.*s*", (int)(n > IFNAMSIZ - 2 ? IFNAMSIZ - 2 : n),
			 (const char *)content(a));
	} else {
		snprintf(out, IFNAMSIZ, "%s", name);
	}
}

static void read_hook(struct nft_ruleset *r, struct nft_chain *c, const struct nlattr *hook)
{
	const struct nlattr *t[NFTA_HOOK_MAX + 1];
	bool foreign = false;

	if (!nft_nested(hook, t, NFTA_HOOK_MAX, &foreign))
		return;
	c->base = true;
	c->hook = nft_u32(t[NFTA_HOOK_HOOKNUM], UINT32_MAX);
	c->priority = (int32_t)nft_u32(t[NFTA_HOOK_PRIORITY], 0);
	add_device(r, c, t[NFTA_HOOK_DEV], false);
	if (!t[NFTA_HOOK_DEVS])
		return;
	const uint8_t *p = content(t[NFTA_HOOK_DEVS]);
	size_t len = payload(t[NFTA_HOOK_DEVS]);
	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const void *)p;
		size_t step = NLA_ALIGN(a->nla_len);
		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			break;
		/* 2: NFTA_DEVICE_PREFIX, newer than some systems' headers */
		add_device(r, c, a, (a->nla_type & NLA_TYPE_MASK) == 2);
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
}

static void on_chain(struct nft_ruleset *r, const struct nlmsghdr *m, void *arg)
{
	const struct nlattr *t[NFTA_CHAIN_MAX + 1];
	const struct nfgenmsg *g = nlmsg_data(m);
	bool foreign = false;
	size_t len;
	const struct nlattr *a = nft_rule_attributes(m, &len);

	(void)arg;
	if (!nft_attributes(a, len, t, NFTA_CHAIN_MAX, &foreign))
		return;
	if (r->n_chains >= CHAINS_MAX) {
		r->cut = true;
		return;
	}
	grow((void **)&r->chains, r->n_chains, &r->size_chains, sizeof(*r->chains));
	struct nft_chain *c = &r->chains[r->n_chains++];
	*c = (struct nft_chain){
		.family = g->nfgen_family,
		.table = arena_strdup(&r->names, nfnl_str(t[NFTA_CHAIN_TABLE])),
		.name = arena_strdup(&r->names, nfnl_str(t[NFTA_CHAIN_NAME])),
		.handle = nfnl_u64(t[NFTA_CHAIN_HANDLE]),
		.policy_drop = nft_u32(t[NFTA_CHAIN_POLICY], NF_ACCEPT) == NF_DROP,
		.type = arena_strdup(&r->names, nfnl_str(t[NFTA_CHAIN_TYPE])),
		.fd = -1,
	};
	if (t[NFTA_CHAIN_HOOK])
		read_hook(r, c, t[NFTA_CHAIN_HOOK]);
}

static int by_place(const void *a, const void *b)
{
	const struct nft_chain *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	int d = strcmp(x->table, y->table);
	return d ? d : strcmp(x->name, y->name);
}

static void join_tables(struct nft_ruleset *r)
{
	for (size_t i = 0; i < r->n_chains; i++)
		for (size_t j = 0; j < r->n_tables && !r->chains[i].in; j++)
			if (r->tables[j].family == r->chains[i].family &&
			    strcmp(r->tables[j].name, r->chains[i].table) == 0)
				r->chains[i].in = &r->tables[j];
}

static int dump_all(struct nft_ruleset *r, int type, on_message *on, struct err *e)
{
	struct request q;
	int answer;

	begin(r, &q, type, NLM_F_DUMP, AF_UNSPEC);
	if (question(r, &q, on, NULL, &answer, e) != 0)
		return -1;
	if (answer == EAGAIN)
		r->cut = true;
	else if (answer)
		return err_set(e, ERR_RUN, "nf_tables: %s", strerror(answer));
	return 0;
}

int nft_ruleset_open(struct nft_ruleset *r, int64_t deadline, struct err *e)
{
	int answer;

	*r = (struct nft_ruleset){.deadline = deadline, .buffer = xcalloc(1, RECEIVE_SIZE)};
	r->fd = open_socket(e);
	if (r->fd < 0)
		return errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT ? 1 : -1;
	if (ask_generation(r, &r->generation, &answer, e) != 0)
		return -1;
	if (answer == EPERM)
		return err_set(e, ERR_RUN, "nf_tables rules: needs CAP_NET_ADMIN");
	if (answer == EINVAL || answer == EOPNOTSUPP)
		return 1;
	if (answer)
		return err_set(e, ERR_RUN, "nf_tables: %s", strerror(answer));
	if (dump_all(r, NFT_MSG_GETTABLE, on_table, e) != 0 ||
	    dump_all(r, NFT_MSG_GETCHAIN, on_chain, e) != 0)
		return -1;
	if (r->n_chains)
		qsort(r->chains, r->n_chains, sizeof(*r->chains), by_place);
	join_tables(r);
	return 0;
}

void nft_ruleset_close(struct nft_ruleset *r)
{
	for (size_t i = 0; i < r->n_chains; i++) {
		if (r->chains[i].fd >= 0)
			close(r->chains[i].fd);
		free(r->chains[i].rules);
	}
	free(r->buffer);
	free(r->tables);
	free(r->chains);
	free(r->sets);
	arena_clear(&r->names);
	if (r->fd >= 0)
		close(r->fd);
	*r = (struct nft_ruleset){.fd = -1};
}

bool nft_ruleset_same(struct nft_ruleset *r)
{
	uint32_t now = 0;
	struct err e;
	int answer;

	if (r->changed)
		return false;
	/* a moment for this one, however late it is */
	if (r->deadline < clock_mono_ns() + 50 * NS_PER_MS)
		r->deadline = clock_mono_ns() + 50 * NS_PER_MS;
	return ask_generation(r, &now, &answer, &e) == 0 && answer == 0 && now == r->generation;
}

struct nft_chain *nft_find_chain(struct nft_ruleset *r, uint8_t family, const char *table,
				 const char *name)
{
	const struct nft_chain key = {.family = family, .table = table, .name = name};

	if (!r->n_chains || !name)
		return NULL;
	return bsearch(&key, r->chains, r->n_chains, sizeof(*r->chains), by_place);
}

/* ---- rules */

static void begin_chain(struct nft_ruleset *r, struct nft_chain *c)
{
	struct request q;
	struct err e;

	c->begun = true;
	c->fd = open_socket(&e);
	begin(r, &q, NFT_MSG_GETRULE, NLM_F_DUMP, c->family);
	put_string(&q, NFTA_RULE_TABLE, c->table);
	put_string(&q, NFTA_RULE_CHAIN, c->name);
	if (c->fd >= 0 && ask(c->fd, &q, &e) == 0) {
		r->n_dumps++;
		return;
	}
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	r->cut = true;
}

static void end_dump(struct nft_ruleset *r, struct nft_chain *c)
{
	close(c->fd);
	c->fd = -1;
	r->n_dumps--;
}

/* A kernel that doesn't filter by chain sends all of them. */
static bool is_of(const struct nft_chain *c, const struct nlmsghdr *m)
{
	const struct nlattr *t[NFTA_RULE_MAX + 1];
	const struct nfgenmsg *g = nlmsg_data(m);
	bool foreign = false;
	size_t len;
	const struct nlattr *a = nft_rule_attributes(m, &len);

	return (m->nlmsg_type & 0xff) == NFT_MSG_NEWRULE && g->nfgen_family == c->family &&
	       nft_attributes(a, len, t, NFTA_RULE_MAX, &foreign) &&
	       strcmp(nfnl_str(t[NFTA_RULE_TABLE]), c->table) == 0 &&
	       strcmp(nfnl_str(t[NFTA_RULE_CHAIN]), c->name) == 0;
}

static bool keep_rule(struct nft_ruleset *r, struct nft_chain *c, const struct nlmsghdr *m)
{
	size_t step = NLMSG_ALIGN(m->nlmsg_len);

	if (r->n_rules >= NFT_RULES_MAX)
		return false;
	if (c->len + step > c->size) {
		size_t size = c->size ? c->size * 2 : 4096;
		while (size < c->len + step)
			size *= 2;
		if (r->memory - c->size + size > NFT_MEMORY_MAX)
			return false;
		r->memory += size - c->size;
		c->rules = xrealloc(c->rules, size);
		c->size = size;
	}
	memset(c->rules + c->len, 0, step);
	memcpy(c->rules + c->len, m, m->nlmsg_len);
	c->len += step;
	r->n_rules++;
	return true;
}

static void read_more(struct nft_ruleset *r, struct nft_chain *c)
{
	size_t n = receive(r, c->fd);
	int left = (int)n;

	for (struct nlmsghdr *m = (void *)r->buffer; nlmsg_ok(m, left); m = nlmsg_next(m, &left)) {
		if (m->nlmsg_flags & NLM_F_DUMP_INTR)
			r->changed = true;
		if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR) {
			int code = answer_errno(m);
			c->whole = code == 0;
			r->changed |= code == ENOENT; /* the chain is gone */
			r->cut |= code != 0;
			end_dump(r, c);
			return;
		}
		if (is_of(c, m) && !keep_rule(r, c, m)) {
			n = 0;
			break;
		}
	}
	if (n == 0) {
		r->cut = true;
		end_dump(r, c);
	}
}

const struct nlmsghdr *nft_next_rule(struct nft_ruleset *r, struct nft_chain *c, size_t *offset)
{
	if (!c->begun)
		begin_chain(r, c);
	/* sockets are few: with many chains in part, each is read to its end */
	while (c->fd >= 0 && (*offset >= c->len || r->n_dumps > DUMPS_MAX))
		read_more(r, c);
	if (*offset >= c->len)
		return NULL;
	const struct nlmsghdr *m = (const void *)(c->rules + *offset);
	*offset += NLMSG_ALIGN(m->nlmsg_len);
	return m;
}

/* ---- sets */

static size_t hash(uint8_t family, const char *table, const char *name)
{
	size_t h = 1469598103934665603ULL ^ family;

	for (const char *p = table; *p; p++)
		h = (h ^ (uint8_t)*p) * 1099511628211ULL;
	for (const char *p = name; *p; p++)
		h = (h ^ (uint8_t)*p) * 1099511628211ULL;
	return h;
}

/* Where it is, or would be. */
static size_t slot(const struct nft_ruleset *r, uint8_t family, const char *table, const char *name)
{
	size_t i = hash(family, table, name) & (r->size_sets - 1);

	for (; r->sets[i]; i = (i + 1) & (r->size_sets - 1))
		if (r->sets[i]->family == family && strcmp(r->sets[i]->name, name) == 0 &&
		    strcmp(r->sets[i]->table, table) == 0)
			break;
	return i;
}

static void grow_sets(struct nft_ruleset *r)
{
	struct nft_set **old = r->sets;
	size_t n = r->size_sets;

	if (r->n_sets * 2 < r->size_sets)
		return;
	r->size_sets = n ? n * 2 : 64;
	r->sets = xcalloc(r->size_sets, sizeof(struct nft_set *));
	for (size_t i = 0; i < n; i++)
		if (old[i])
			r->sets[slot(r, old[i]->family, old[i]->table, old[i]->name)] = old[i];
	free(old);
}

static void on_set(struct nft_ruleset *r, const struct nlmsghdr *m, void *arg)
{
	const struct nlattr *t[NFTA_SET_MAX + 1];
	struct nft_set *s = arg;
	bool foreign = false;
	size_t len;
	const struct nlattr *a = nft_rule_attributes(m, &len);

	(void)r;
	if (!nft_attributes(a, len, t, NFTA_SET_MAX, &foreign))
		return;
	s->flags = nft_u32(t[NFTA_SET_FLAGS], 0);
	s->key_len = nft_u32(t[NFTA_SET_KEY_LEN], 0);
	s->data_len = nft_u32(t[NFTA_SET_DATA_LEN], 0);
	s->verdicts =
		(s->flags & NFT_SET_MAP) && nft_u32(t[NFTA_SET_DATA_TYPE], 0) == NFT_DATA_VERDICT;
	s->objects = s->flags & NFT_SET_OBJECT;
}

struct nft_set *nft_find_set(struct nft_ruleset *r, uint8_t family, const char *table,
			     const char *name)
{
	struct request q;
	struct err e;
	int answer;

	grow_sets(r);
	size_t i = slot(r, family, table, name);
	if (!r->sets[i]) {
		if (r->n_sets >= SETS_MAX)
			return NULL;
		struct nft_set *s = arena_alloc(&r->names, sizeof(*s));
		s->family = family;
		s->table = arena_strdup(&r->names, table);
		s->name = arena_strdup(&r->names, name);
		s->catchall = -1;
		begin(r, &q, NFT_MSG_GETSET, 0, family);
		put_string(&q, NFTA_SET_TABLE, table);
		put_string(&q, NFTA_SET_NAME, name);
		if (question(r, &q, on_set, s, &answer, &e) != 0 || answer != 0)
			s->key_len = 0;
		r->sets[i] = s;
		r->n_sets++;
	}
	return r->sets[i]->key_len && r->sets[i]->key_len <= NFT_DATA_MAX ? r->sets[i] : NULL;
}

static bool counts_only(const struct nlattr *expr)
{
	const struct nlattr *t[NFTA_EXPR_MAX + 1];
	bool foreign = false;

	if (!nft_nested(expr, t, NFTA_EXPR_MAX, &foreign))
		return false;
	const char *name = nfnl_str(t[NFTA_EXPR_NAME]);
	return strcmp(name, "counter") == 0 || strcmp(name, "last") == 0;
}

static bool all_count_only(const struct nlattr *list)
{
	const uint8_t *p = content(list);
	size_t len = payload(list);

	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const void *)p;
		size_t step = NLA_ALIGN(a->nla_len);
		if (a->nla_len < NLA_HDRLEN || a->nla_len > len || !counts_only(a))
			return false;
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
	return true;
}

static void read_element(struct nft_ruleset *r, const struct nft_set *set,
			 const struct nlattr *element, struct nft_stored *out)
{
	const struct nlattr *t[NFTA_SET_ELEM_MAX + 1], *d[NFTA_DATA_MAX + 1];
	struct nft_element *v = &out->value;
	bool foreign = false;

	*out = (struct nft_stored){.value = {.verdict = {.code = NFT_OTHER}}};
	if (!nft_nested(element, t, NFTA_SET_ELEM_MAX, &foreign)) {
		v->conditional = true;
		return;
	}
	out->interval_end = nft_u32(t[NFTA_SET_ELEM_FLAGS], 0) & NFT_SET_ELEM_INTERVAL_END;
	out->fields = t[NFTA_SET_ELEM_KEY_END];
	if (nft_nested(t[NFTA_SET_ELEM_KEY], d, NFTA_DATA_MAX, &foreign) && d[NFTA_DATA_VALUE] &&
	    payload(d[NFTA_DATA_VALUE]) == set->key_len)
		out->key = content(d[NFTA_DATA_VALUE]);
	v->conditional =
		foreign || (t[NFTA_SET_ELEM_EXPR] && !counts_only(t[NFTA_SET_ELEM_EXPR])) ||
		(t[NFTA_SET_ELEM_EXPRESSIONS] && !all_count_only(t[NFTA_SET_ELEM_EXPRESSIONS]));
	if (!nft_nested(t[NFTA_SET_ELEM_DATA], d, NFTA_DATA_MAX, &foreign))
		return;
	if (d[NFTA_DATA_VERDICT])
		v->verdict = nft_read_verdict(r, d[NFTA_DATA_VERDICT]);
	if (d[NFTA_DATA_VALUE] && payload(d[NFTA_DATA_VALUE]) <= sizeof(v->data)) {
		v->data_len = payload(d[NFTA_DATA_VALUE]);
		memcpy(v->data, content(d[NFTA_DATA_VALUE]), v->data_len);
	}
}

struct elements {
	const struct nft_set *set;
	struct nft_element *first; /* of a single question */
	unsigned n, max;
	void (*each)(void *arg, const struct nft_stored *e);
	void *arg;
};

static void on_elements(struct nft_ruleset *r, const struct nlmsghdr *m, void *arg)
{
	const struct nlattr *t[NFTA_SET_ELEM_LIST_MAX + 1];
	struct elements *l = arg;
	bool foreign = false;
	size_t len;
	const struct nlattr *attributes = nft_rule_attributes(m, &len);

	if (!nft_attributes(attributes, len, t, NFTA_SET_ELEM_LIST_MAX, &foreign) ||
	    !t[NFTA_SET_ELEM_LIST_ELEMENTS])
		return;
	const uint8_t *p = content(t[NFTA_SET_ELEM_LIST_ELEMENTS]);
	len = payload(t[NFTA_SET_ELEM_LIST_ELEMENTS]);
	while (len >= NLA_HDRLEN && l->n <= l->max) {
		const struct nlattr *a = (const void *)p;
		size_t step = NLA_ALIGN(a->nla_len);
		struct nft_stored e;
		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			return;
		read_element(r, l->set, a, &e);
		if (l->first && l->n == 0)
			*l->first = e.value;
		if (++l->n <= l->max && l->each)
			l->each(l->arg, &e);
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
}

static int ask_element(struct nft_ruleset *r, const struct nft_set *s, const uint8_t *key,
		       struct nft_element *out)
{
	const uint32_t catchall = htobe32(NFT_SET_ELEM_CATCHALL);
	struct elements l = {.set = s, .first = out, .max = 1};
	struct request q;
	struct err e;
	int answer;

	begin(r, &q, NFT_MSG_GETSETELEM, 0, s->family);
	put_string(&q, NFTA_SET_ELEM_LIST_TABLE, s->table);
	put_string(&q, NFTA_SET_ELEM_LIST_SET, s->name);
	size_t list = put(&q, NLA_F_NESTED | NFTA_SET_ELEM_LIST_ELEMENTS, NULL, 0);
	size_t elem = put(&q, NLA_F_NESTED | NFTA_LIST_ELEM, NULL, 0);
	if (key) {
		size_t at = put(&q, NLA_F_NESTED | NFTA_SET_ELEM_KEY, NULL, 0);
		put(&q, NFTA_DATA_VALUE, key, s->key_len);
		end_nest(&q, at);
	} else {
		put(&q, NFTA_SET_ELEM_FLAGS, &catchall, sizeof(catchall));
	}
	end_nest(&q, elem);
	end_nest(&q, list);
	if (question(r, &q, on_elements, &l, &answer, &e) != 0)
		return EIO;
	return answer == 0 && l.n == 0 ? EIO : answer;
}

enum nft_found nft_find_element(struct nft_ruleset *r, struct nft_set *set, const uint8_t *key,
				struct nft_element *out)
{
	int answer = ask_element(r, set, key, out);

	if (answer == 0)
		return NFT_FOUND;
	if (answer != ENOENT)
		return NFT_UNKNOWN;
	if (set->catchall == 0)
		return NFT_ABSENT;
	answer = ask_element(r, set, NULL, out);
	/* EINVAL: a kernel that knows of no such elements (before 5.13) */
	set->catchall = answer != ENOENT && answer != EINVAL;
	if (answer == 0)
		return NFT_FOUND;
	return set->catchall ? NFT_UNKNOWN : NFT_ABSENT;
}

bool nft_each_element(struct nft_ruleset *r, const struct nft_set *set, unsigned max,
		      void (*each)(void *arg, const struct nft_stored *e), void *arg)
{
	struct elements l = {.set = set, .max = max, .each = each, .arg = arg};
	struct request q;
	struct err e;
	int answer;

	begin(r, &q, NFT_MSG_GETSETELEM, NLM_F_DUMP, set->family);
	put_string(&q, NFTA_SET_ELEM_LIST_TABLE, set->table);
	put_string(&q, NFTA_SET_ELEM_LIST_SET, set->name);
	return question(r, &q, on_elements, &l, &answer, &e) == 0 && answer == 0 && l.n <= max;
}
