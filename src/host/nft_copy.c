/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/nft_copy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"

#define SETS_MAX     8         /* that one rule refers to, their references included */
#define ELEMENTS_MAX (2 << 20) /* bytes */
#define OUTPUT_MAX   (4 << 20)
#define ASK_MS       200

/* ---- what a rule is made of ---- */

bool nft_has_line(const struct nlattr *a)
{
	static const char line[] = "\n\t\t";

	return a && memmem(nla_data(a), (size_t)nla_len(a), line, strlen(line));
}

void nft_rule_each(const struct nft_rule *r, nft_expr_visit *visit, void *arg)
{
	struct nlattr *tb[NFTA_EXPR_MAX + 1], *a;
	int rest;

	if (!r->expressions)
		return;
	nla_for_each_nested(a, (struct nlattr *)(uintptr_t)r->expressions, rest)
	{
		if (!nfnl_parse_nested(a, tb, NFTA_EXPR_MAX))
			continue;
		const struct nft_expr x = {nfnl_str(tb[NFTA_EXPR_NAME]), tb[NFTA_EXPR_DATA]};
		visit(arg, &x);
	}
}

struct copying {
	struct nfnl *n;
	const struct nft_rule *rule;
	struct nfnl_bytes batch;
	struct nfnl_bytes elements; /* of the set under way */
	char sets[SETS_MAX][NFT_SET_MAXNAMELEN];
	unsigned n_sets;
	uint32_t objects_type; /* of the set under way: what its elements stand for */
	int64_t deadline;
	bool failed;
	struct err *e;
};

static void fail(struct copying *c, const char *why)
{
	if (!c->failed)
		err_set(c->e, ERR_RUN, "a copy of the rule can't be made: %s", why);
	c->failed = true;
}

static int ask(struct copying *c, struct nfnl_bytes *question, nfnl_handler *on, void *arg)
{
	int answer = -1;

	if (!c->failed && clock_mono_ns() > c->deadline)
		fail(c, "it takes too long");
	if (c->failed)
		return -1;
	if (nfnl_ask(c->n, question, on, arg, ASK_MS, &answer, c->e) != 0)
		c->failed = true;
	else if (answer != 0)
		fail(c, strerror(answer));
	return c->failed ? -1 : 0;
}

/* ---- chains, objects, sets ---- */

static void add_chain(struct copying *c, const char *name)
{
	nfnl_begin(&c->batch, NFT_MSG_NEWCHAIN, c->rule->family, NLM_F_CREATE);
	nfnl_put_str(&c->batch, NFTA_CHAIN_TABLE, c->rule->table);
	nfnl_put_str(&c->batch, NFTA_CHAIN_NAME, name);
	nfnl_end(&c->batch);
}

static bool on_base_chain(const struct nlmsghdr *m, void *arg)
{
	struct nlattr *tb[NFTA_CHAIN_MAX + 1];
	struct copying *c = arg;

	if (!nfnl_parse(m, tb, NFTA_CHAIN_MAX))
		return false;
	nfnl_begin(&c->batch, NFT_MSG_NEWCHAIN, c->rule->family, NLM_F_CREATE);
	nfnl_put_str(&c->batch, NFTA_CHAIN_TABLE, c->rule->table);
	nfnl_put_str(&c->batch, NFTA_CHAIN_NAME, c->rule->chain);
	nfnl_put_attr(&c->batch, tb[NFTA_CHAIN_HOOK]);
	if (tb[NFTA_CHAIN_HOOK]) {
		nfnl_put_attr(&c->batch, tb[NFTA_CHAIN_TYPE]);
		nfnl_put_attr(&c->batch, tb[NFTA_CHAIN_POLICY]);
	}
	nfnl_end(&c->batch);
	return true;
}

static void add_base_chain(struct copying *c)
{
	struct nfnl_bytes q = {0};

	nfnl_begin(&q, NFT_MSG_GETCHAIN, c->rule->family, 0);
	nfnl_put_str(&q, NFTA_CHAIN_TABLE, c->rule->table);
	nfnl_put_str(&q, NFTA_CHAIN_NAME, c->rule->chain);
	nfnl_end(&q);
	ask(c, &q, on_base_chain, c);
	nfnl_bytes_free(&q);
}

static bool on_object(const struct nlmsghdr *m, void *arg)
{
	static const int taken[] = {NFTA_OBJ_TABLE, NFTA_OBJ_NAME, NFTA_OBJ_TYPE, NFTA_OBJ_DATA};
	struct nlattr *tb[NFTA_OBJ_MAX + 1];
	struct copying *c = arg;

	if (!nfnl_parse(m, tb, NFTA_OBJ_MAX))
		return false;
	nfnl_begin(&c->batch, NFT_MSG_NEWOBJ, c->rule->family, NLM_F_CREATE);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		nfnl_put_attr(&c->batch, tb[taken[i]]);
	nfnl_end(&c->batch);
	return true;
}

static void add_object(struct copying *c, const char *name, uint32_t type)
{
	struct nfnl_bytes q = {0};

	nfnl_begin(&q, NFT_MSG_GETOBJ, c->rule->family, 0);
	nfnl_put_str(&q, NFTA_OBJ_TABLE, c->rule->table);
	nfnl_put_str(&q, NFTA_OBJ_NAME, name);
	nfnl_put_u32(&q, NFTA_OBJ_TYPE, type);
	nfnl_end(&q);
	ask(c, &q, on_object, c);
	nfnl_bytes_free(&q);
}

/* The chain of a verdict within NFTA_*_DATA, "" when there is none. */
static const char *verdict_chain(const struct nlattr *data)
{
	struct nlattr *tb[NFTA_DATA_MAX + 1], *v[NFTA_VERDICT_MAX + 1];

	if (!nfnl_parse_nested(data, tb, NFTA_DATA_MAX) ||
	    !nfnl_parse_nested(tb[NFTA_DATA_VERDICT], v, NFTA_VERDICT_MAX))
		return "";
	return nfnl_str(v[NFTA_VERDICT_CHAIN]);
}

static void add_what_element_names(struct copying *c, const struct nlattr *element)
{
	struct nlattr *tb[NFTA_SET_ELEM_MAX + 1];

	if (!nfnl_parse_nested(element, tb, NFTA_SET_ELEM_MAX))
		return;
	if (nft_has_line(tb[NFTA_SET_ELEM_USERDATA]))
		fail(c, "a comment has several lines");
	if (*verdict_chain(tb[NFTA_SET_ELEM_DATA]))
		add_chain(c, verdict_chain(tb[NFTA_SET_ELEM_DATA]));
	if (tb[NFTA_SET_ELEM_OBJREF])
		add_object(c, nfnl_str(tb[NFTA_SET_ELEM_OBJREF]), c->objects_type);
}

/* No question is asked here: the answer to this one is still under way. */
static bool on_elements(const struct nlmsghdr *m, void *arg)
{
	struct nlattr *tb[NFTA_SET_ELEM_LIST_MAX + 1];
	struct copying *c = arg;

	if (!nfnl_parse(m, tb, NFTA_SET_ELEM_LIST_MAX))
		return true;
	nfnl_begin(&c->elements, NFT_MSG_NEWSETELEM, c->rule->family, NLM_F_CREATE);
	nfnl_put_attr(&c->elements, tb[NFTA_SET_ELEM_LIST_TABLE]);
	nfnl_put_attr(&c->elements, tb[NFTA_SET_ELEM_LIST_SET]);
	nfnl_put_attr(&c->elements, tb[NFTA_SET_ELEM_LIST_ELEMENTS]);
	nfnl_end(&c->elements);
	if (c->elements.len > ELEMENTS_MAX)
		fail(c, "its set is too large");
	return !c->failed;
}

static void get_elements(struct copying *c, const char *set)
{
	struct nfnl_bytes q = {0};

	c->elements.len = 0;
	nfnl_begin(&q, NFT_MSG_GETSETELEM, c->rule->family, NLM_F_DUMP);
	nfnl_put_str(&q, NFTA_SET_ELEM_LIST_TABLE, c->rule->table);
	nfnl_put_str(&q, NFTA_SET_ELEM_LIST_SET, set);
	nfnl_end(&q);
	ask(c, &q, on_elements, c);
	nfnl_bytes_free(&q);
}

static void add_what_elements_name(struct copying *c)
{
	struct nlattr *tb[NFTA_SET_ELEM_LIST_MAX + 1], *a;
	int rest;

	for (size_t at = 0; at < c->elements.len;) {
		const struct nlmsghdr *m = (void *)(c->elements.data + at);
		at += NLMSG_ALIGN(m->nlmsg_len);
		if (!nfnl_parse(m, tb, NFTA_SET_ELEM_LIST_MAX) || !tb[NFTA_SET_ELEM_LIST_ELEMENTS])
			continue;
		nla_for_each_nested(a, tb[NFTA_SET_ELEM_LIST_ELEMENTS], rest)
			add_what_element_names(c, a);
	}
}

static void add_elements(struct copying *c)
{
	struct nfnl_bytes *b = &c->batch;

	if (c->failed || c->elements.len == 0)
		return;
	if (b->len + c->elements.len > b->size) {
		b->size = b->len + c->elements.len;
		b->data = xrealloc(b->data, b->size);
	}
	memcpy(b->data + b->len, c->elements.data, c->elements.len);
	b->message = b->len;
	b->len += c->elements.len;
	b->too_long |= c->elements.too_long;
}

/* As the kernel tells it, without what it tells but does not take. */
static bool on_set(const struct nlmsghdr *m, void *arg)
{
	static const int taken[] = {
		NFTA_SET_TABLE,    NFTA_SET_NAME,      NFTA_SET_FLAGS,       NFTA_SET_KEY_TYPE,
		NFTA_SET_KEY_LEN,  NFTA_SET_DATA_TYPE, NFTA_SET_DATA_LEN,    NFTA_SET_POLICY,
		NFTA_SET_DESC,     NFTA_SET_TIMEOUT,   NFTA_SET_GC_INTERVAL, NFTA_SET_USERDATA,
		NFTA_SET_OBJ_TYPE, NFTA_SET_EXPR,      NFTA_SET_EXPRESSIONS,
	};
	struct nlattr *tb[NFTA_SET_MAX + 1];
	struct copying *c = arg;
	struct nfnl_bytes *b = &c->elements; /* for the time being */

	b->len = 0;
	if (!nfnl_parse(m, tb, NFTA_SET_MAX))
		return false;
	if (nft_has_line(tb[NFTA_SET_USERDATA]))
		fail(c, "a comment has several lines");
	nfnl_begin(b, NFT_MSG_NEWSET, c->rule->family, NLM_F_CREATE);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		nfnl_put_attr(b, tb[taken[i]]);
	nfnl_put_u32(b, NFTA_SET_ID, c->n_sets);
	nfnl_end(b);
	c->objects_type = nfnl_u32(tb[NFTA_SET_OBJ_TYPE]);
	return true;
}

static bool set_is_known(const struct copying *c, const char *name)
{
	for (unsigned i = 0; i < c->n_sets; i++)
		if (strcmp(c->sets[i], name) == 0)
			return true;
	return false;
}

/* What nobody named is printed with its elements. */
static bool is_anonymous(const struct nfnl_bytes *set)
{
	struct nlattr *tb[NFTA_SET_MAX + 1];

	return nfnl_parse((void *)set->data, tb, NFTA_SET_MAX) &&
	       (nfnl_u32(tb[NFTA_SET_FLAGS]) & NFT_SET_ANONYMOUS);
}

static void add_set(struct copying *c, const char *name)
{
	struct nfnl_bytes q = {0};

	if (!*name || c->failed || set_is_known(c, name))
		return;
	if (c->n_sets == SETS_MAX || strlen(name) >= NFT_SET_MAXNAMELEN) {
		fail(c, "it has too many sets");
		return;
	}
	strcpy(c->sets[c->n_sets++], name);
	nfnl_begin(&q, NFT_MSG_GETSET, c->rule->family, 0);
	nfnl_put_str(&q, NFTA_SET_TABLE, c->rule->table);
	nfnl_put_str(&q, NFTA_SET_NAME, name);
	nfnl_end(&q);
	if (ask(c, &q, on_set, c) == 0 && c->elements.len) {
		bool anonymous = is_anonymous(&c->elements);
		add_elements(c); /* the set itself */
		if (anonymous) {
			get_elements(c, name);
			add_what_elements_name(c);
			add_elements(c);
		}
	}
	nfnl_bytes_free(&q);
}

/* ---- the rule ---- */

static void add_objref(struct copying *c, struct nlattr *const tb[])
{
	if (tb[NFTA_OBJREF_IMM_NAME])
		add_object(c, nfnl_str(tb[NFTA_OBJREF_IMM_NAME]),
			   nfnl_u32(tb[NFTA_OBJREF_IMM_TYPE]));
	add_set(c, nfnl_str(tb[NFTA_OBJREF_SET_NAME]));
}

static void add_what_expr_names(void *arg, const struct nft_expr *x)
{
	struct nlattr *lookup[NFTA_LOOKUP_MAX + 1], *dynset[NFTA_DYNSET_MAX + 1];
	struct nlattr *objref[NFTA_OBJREF_MAX + 1], *immediate[NFTA_IMMEDIATE_MAX + 1];
	struct copying *c = arg;

	if (strcmp(x->name, "lookup") == 0 && nfnl_parse_nested(x->data, lookup, NFTA_LOOKUP_MAX))
		add_set(c, nfnl_str(lookup[NFTA_LOOKUP_SET]));
	if (strcmp(x->name, "dynset") == 0 && nfnl_parse_nested(x->data, dynset, NFTA_DYNSET_MAX))
		add_set(c, nfnl_str(dynset[NFTA_DYNSET_SET_NAME]));
	if (strcmp(x->name, "objref") == 0 && nfnl_parse_nested(x->data, objref, NFTA_OBJREF_MAX))
		add_objref(c, objref);
	if (strcmp(x->name, "immediate") == 0 &&
	    nfnl_parse_nested(x->data, immediate, NFTA_IMMEDIATE_MAX) &&
	    *verdict_chain(immediate[NFTA_IMMEDIATE_DATA]))
		add_chain(c, verdict_chain(immediate[NFTA_IMMEDIATE_DATA]));
}

/* Matches and targets of xtables want to know the rule's protocol, which the kernel does not tell;
 * it stands in the rule as a comparison behind `meta l4proto` or the header's field. */
struct protocol {
	bool xt;     /* there is such a match or target */
	bool loaded; /* the last expression loaded the protocol */
	bool known, inverted;
	uint8_t value;
};

static bool loads_protocol(const struct nft_expr *x)
{
	struct nlattr *meta[NFTA_META_MAX + 1], *payload[NFTA_PAYLOAD_MAX + 1];

	if (strcmp(x->name, "meta") == 0 && nfnl_parse_nested(x->data, meta, NFTA_META_MAX))
		return meta[NFTA_META_DREG] && nfnl_u32(meta[NFTA_META_KEY]) == NFT_META_L4PROTO;
	if (strcmp(x->name, "payload") == 0 &&
	    nfnl_parse_nested(x->data, payload, NFTA_PAYLOAD_MAX)) {
		uint32_t at = nfnl_u32(payload[NFTA_PAYLOAD_OFFSET]);
		return nfnl_u32(payload[NFTA_PAYLOAD_BASE]) == NFT_PAYLOAD_NETWORK_HEADER &&
		       nfnl_u32(payload[NFTA_PAYLOAD_LEN]) == 1 && (at == 9 || at == 6);
	}
	return false;
}

static void find_protocol(void *arg, const struct nft_expr *x)
{
	struct nlattr *cmp[NFTA_CMP_MAX + 1], *data[NFTA_DATA_MAX + 1];
	struct protocol *p = arg;

	if (strcmp(x->name, "match") == 0 || strcmp(x->name, "target") == 0)
		p->xt = true;
	if (p->loaded && strcmp(x->name, "cmp") == 0 &&
	    nfnl_parse_nested(x->data, cmp, NFTA_CMP_MAX) &&
	    nfnl_parse_nested(cmp[NFTA_CMP_DATA], data, NFTA_DATA_MAX) && data[NFTA_DATA_VALUE] &&
	    nla_len(data[NFTA_DATA_VALUE]) >= 1) {
		p->known = true;
		p->inverted = nfnl_u32(cmp[NFTA_CMP_OP]) == NFT_CMP_NEQ;
		p->value = *(const uint8_t *)nla_data(data[NFTA_DATA_VALUE]);
	}
	p->loaded = loads_protocol(x);
}

static void add_rule(struct copying *c)
{
	struct protocol p = {0};
	struct nfnl_bytes *b = &c->batch;

	nft_rule_each(c->rule, find_protocol, &p);
	nfnl_begin(b, NFT_MSG_NEWRULE, c->rule->family, NLM_F_CREATE | NLM_F_APPEND);
	nfnl_put_str(b, NFTA_RULE_TABLE, c->rule->table);
	nfnl_put_str(b, NFTA_RULE_CHAIN, c->rule->chain);
	nfnl_put_attr(b, c->rule->expressions);
	nfnl_put_attr(b, c->rule->userdata);
	if (p.xt) {
		size_t nest = nfnl_nest(b, NFTA_RULE_COMPAT);
		nfnl_put_u32(b, NFTA_RULE_COMPAT_PROTO, p.known ? p.value : 0);
		nfnl_put_u32(b, NFTA_RULE_COMPAT_FLAGS, p.inverted ? NFT_RULE_COMPAT_F_INV : 0);
		nfnl_nest_end(b, nest);
	}
	nfnl_end(b);
}

static void add_all(struct copying *c, bool hooked)
{
	nfnl_begin(&c->batch, NFT_MSG_NEWTABLE, c->rule->family, NLM_F_CREATE);
	nfnl_put_str(&c->batch, NFTA_TABLE_NAME, c->rule->table);
	nfnl_end(&c->batch);
	if (hooked)
		add_base_chain(c);
	else
		add_chain(c, c->rule->chain);
	nft_rule_each(c->rule, add_what_expr_names, c);
	add_rule(c);
}

/* ---- the namespace ---- */

/* In a process of its own; the first byte that it writes: did it work? */
static void write_all(int fd, char first, const char *text, size_t len)
{
	if (write(fd, &first, 1) != 1)
		_exit(1);
	while (len > 0) {
		ssize_t n = write(fd, text, len);
		if (n <= 0)
			_exit(1);
		text += n;
		len -= (size_t)n;
	}
	_exit(0);
}

static int list_there(const struct nfnl_bytes *batch, const char *const argv[], int64_t deadline,
		      struct child_output *out, struct err *e)
{
	struct nfnl n;
	int answer;

	if (unshare(CLONE_NEWNET) != 0)
		return err_set(e, ERR_RUN, "network namespace: %s", strerror(errno));
	if (nfnl_open(&n, e) != 0 || nfnl_commit(&n, batch, &answer, e) != 0)
		return -1;
	if (answer != 0)
		return err_set(e, ERR_RUN, "a copy of the rule can't be made: %s",
			       strerror(answer));
	int left = (int)((deadline - clock_mono_ns()) / NS_PER_MS);
	return child_run(argv, NULL, left > 0 ? left : 1, OUTPUT_MAX, out, e);
}

static void live_there(const struct nfnl_bytes *batch, const char *const argv[], int64_t deadline,
		       int fd, pid_t parent)
{
	struct child_output out;
	struct err e = {.text = ""};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	/* what the caller holds in the kernel is not to live as long as this */
	if (fd != 3 && dup2(fd, 3) < 0)
		_exit(1);
	syscall(SYS_close_range, 4, ~0U, 0);
	if (list_there(batch, argv, deadline, &out, &e) == 0)
		write_all(3, 'y', out.text, out.len);
	write_all(3, 'n', e.text, strlen(e.text));
}

/* Until it closes; false: the time is over, or it is too much. */
static bool read_all(int fd, int64_t deadline, struct child_output *out)
{
	size_t size = 16384;

	*out = (struct child_output){.text = xcalloc(1, size)};
	while (out->len <= OUTPUT_MAX + 1) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = (deadline - clock_mono_ns()) / NS_PER_MS;
		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return false;
		if (out->len + 1 == size)
			out->text = xrealloc(out->text, size *= 2);
		ssize_t n = read(fd, out->text + out->len, size - out->len - 1);
		if (n <= 0)
			return n == 0;
		out->len += (size_t)n;
		out->text[out->len] = '\0';
	}
	return false;
}

static int run_there(const struct nfnl_bytes *batch, const char *const argv[], int timeout_ms,
		     struct child_output *out, struct err *e)
{
	int64_t deadline = clock_mono_ns() + timeout_ms * NS_PER_MS;
	pid_t parent = getpid();
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_set(e, ERR_RUN, "pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0)
		live_there(batch, argv, deadline, fds[1], parent);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return err_set(e, ERR_RUN, "fork: %s", strerror(errno));
	}
	bool whole = read_all(fds[0], deadline + 50 * NS_PER_MS, out);
	close(fds[0]);
	if (!whole)
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (whole && out->len > 0 && out->text[0] == 'y') {
		memmove(out->text, out->text + 1, out->len); /* with its NUL */
		out->len--;
		return 0;
	}
	err_set(e, ERR_RUN, "%.300s",
		whole && out->len > 1 ? out->text + 1 : "a copy of the rule takes too long");
	child_output_free(out);
	return -1;
}

int nft_copy_list(struct nfnl *n, const struct nft_rule *r, bool hooked, const char *const argv[],
		  int timeout_ms, struct child_output *out, struct err *e)
{
	int64_t deadline = clock_mono_ns() + timeout_ms * NS_PER_MS;
	struct copying c = {.n = n, .rule = r, .e = e, .deadline = deadline};
	int rc = -1;

	*out = (struct child_output){0};
	add_all(&c, hooked);
	int left = (int)((deadline - clock_mono_ns()) / NS_PER_MS);
	if (!c.failed)
		rc = run_there(&c.batch, argv, left > 0 ? left : 1, out, e);
	nfnl_bytes_free(&c.batch);
	nfnl_bytes_free(&c.elements);
	return rc;
}
