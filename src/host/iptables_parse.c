/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The text of `iptables-save -c`:
 *
 *	*filter
 *	:OUTPUT ACCEPT [12:3456]
 *	:mine - [0:0]
 *	[1:60] -A OUTPUT -p tcp -m tcp --dport 25 -j mine
 *	COMMIT
 *
 * Values may be quoted, with a backslash before ", ' and \, and a quoted value
 * may hold a newline: a comment can look like a rule of its own. Names of
 * chains and interfaces are never quoted, though they may hold a quote.
 */
#include "host/iptables_rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define RULES_MAX  2000000
#define CHAINS_MAX 200000

/* ---- words ---- */

static bool names_something(const char *word)
{
	static const char *const options[] = {"-A", "-j", "-g", "-m", "-i", "-o", "-p", "-s", "-d"};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strcmp(word, options[i]) == 0)
			return true;
	return false;
}

static void keep(struct ipt_scan *s, size_t *n, char c)
{
	if (*n + 1 < sizeof(s->word))
		s->word[(*n)++] = c;
	else
		s->cut = true;
}

static void quoted_word(struct ipt_scan *s)
{
	size_t n = 0;

	for (s->p++; s->p < s->end && *s->p != '"'; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end)
			s->p++;
		keep(s, &n, *s->p);
	}
	s->word[n] = '\0';
	s->broken |= s->p == s->end;
	if (s->p < s->end)
		s->p++;
}

static void plain_word(struct ipt_scan *s)
{
	size_t n = 0;

	for (; s->p < s->end && *s->p != ' ' && *s->p != '\n'; s->p++)
		keep(s, &n, *s->p);
	s->word[n] = '\0';
}

bool ipt_word(struct ipt_scan *s)
{
	while (s->p < s->end && *s->p == ' ')
		s->p++;
	if (s->p == s->end || *s->p == '\n')
		return false;
	s->cut = false;
	s->quoted = *s->p == '"' && !s->plain_next;
	if (s->quoted)
		quoted_word(s);
	else
		plain_word(s);
	s->plain_next = !s->quoted && !s->plain_next && names_something(s->word);
	return true;
}

/* ---- lines ---- */

/* A rule before the chains of its table are in order. */
struct loose_rule {
	struct ipt_rule rule;
	size_t chain;
};

struct parser {
	struct iptables *out;
	struct ipt_scan scan;
	unsigned line;
	struct ipt_table *table; /* NULL: between tables */
	bool sorted;             /* its chains are: the first rule was seen */
	size_t chains_size;
	struct loose_rule *loose;
	size_t n_loose, loose_size;
	size_t last; /* chain of the last rule: the next one's, mostly */
	struct err *e;
};

static int bad(const struct parser *p, const char *what)
{
	return err_set(p->e, ERR_RUN, "iptables-save, line %u: %s", p->line, what);
}

static bool copy_name(char out[IPT_NAME_MAX], const struct ipt_scan *s)
{
	size_t n = strlen(s->word);

	if (n == 0 || n >= IPT_NAME_MAX || s->cut)
		return false;
	memcpy(out, s->word, n + 1);
	return true;
}

/* "[packets:bytes]" */
static bool parse_counters(const char *word, uint64_t *packets)
{
	char *end;

	if (word[0] != '[' || word[1] < '0' || word[1] > '9')
		return false;
	*packets = strtoull(word + 1, &end, 10);
	return *end == ':' && strchr(end, ']') != NULL;
}

static int begin_table(struct parser *p)
{
	struct iptables *t = p->out;

	if (p->table)
		return bad(p, "a table within a table");
	if (t->n_tables == IPT_TABLES_MAX)
		return bad(p, "too many tables");
	p->scan.p++;
	if (!ipt_word(&p->scan) || ipt_table(t, p->scan.word))
		return bad(p, "a table's name");
	p->table = &t->tables[t->n_tables];
	*p->table = (struct ipt_table){0};
	if (!copy_name(p->table->name, &p->scan))
		return bad(p, "a table's name");
	t->n_tables++;
	p->sorted = false;
	p->chains_size = p->n_loose = p->last = 0;
	return 0;
}

static bool copy_policy(struct ipt_chain *c, const char *word)
{
	static const char *const policies[] = {"-", "ACCEPT", "DROP"};

	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (strcmp(word, policies[i]) == 0) {
			c->builtin = i > 0;
			strcpy(c->policy, word);
			return true;
		}
	return false;
}

static int add_chain(struct parser *p)
{
	struct ipt_table *t = p->table;
	struct ipt_chain c = {0};

	if (!t || p->sorted || t->n_chains == CHAINS_MAX)
		return bad(p, "a chain where none belongs");
	p->scan.p++;
	p->scan.plain_next = true;
	if (!ipt_word(&p->scan) || !copy_name(c.name, &p->scan))
		return bad(p, "a chain's name");
	if (!ipt_word(&p->scan) || !copy_policy(&c, p->scan.word))
		return bad(p, "a chain's policy");
	if (!ipt_word(&p->scan) || !parse_counters(p->scan.word, &c.packets))
		return bad(p, "a chain's counters");
	if (t->n_chains == p->chains_size) {
		p->chains_size = p->chains_size ? p->chains_size * 2 : 16;
		t->chains = xrealloc(t->chains, p->chains_size * sizeof(*t->chains));
	}
	t->chains[t->n_chains++] = c;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct ipt_chain *)a)->name, ((const struct ipt_chain *)b)->name);
}

static int sort_chains(struct parser *p)
{
	struct ipt_table *t = p->table;

	if (t->n_chains)
		qsort(t->chains, t->n_chains, sizeof(*t->chains), by_name);
	for (size_t i = 1; i < t->n_chains; i++)
		if (strcmp(t->chains[i - 1].name, t->chains[i].name) == 0)
			return bad(p, "a chain twice");
	p->sorted = true;
	return 0;
}

static int find_chain_of_rule(struct parser *p)
{
	const struct ipt_table *t = p->table;

	if (p->last < t->n_chains && strcmp(t->chains[p->last].name, p->scan.word) == 0)
		return 0;
	const struct ipt_chain *c = ipt_chain(t, p->scan.word);
	if (!c)
		return bad(p, "a rule for no chain");
	p->last = (size_t)(c - t->chains);
	return 0;
}

static int add_rule(struct parser *p, uint64_t packets)
{
	struct ipt_scan *s = &p->scan;

	if (!p->table || p->n_loose == RULES_MAX)
		return bad(p, "a rule where none belongs");
	if (!p->sorted && sort_chains(p) != 0)
		return -1;
	while (s->p < s->end && *s->p == ' ')
		s->p++;
	const char *text = s->p;
	if (!ipt_word(s) || strcmp(s->word, "-A") != 0 || !ipt_word(s) || s->cut)
		return bad(p, "no rule");
	if (find_chain_of_rule(p) != 0)
		return -1;
	while (ipt_word(s))
		;
	if (s->broken)
		return bad(p, "a quote without end");
	if (p->n_loose == p->loose_size) {
		p->loose_size = p->loose_size ? p->loose_size * 2 : 64;
		p->loose = xrealloc(p->loose, p->loose_size * sizeof(*p->loose));
	}
	size_t len = (size_t)(s->p - text);
	while (len > 0 && text[len - 1] == ' ')
		len--;
	p->loose[p->n_loose++] = (struct loose_rule){{text, len, packets}, p->last};
	return 0;
}

static int counted_rule(struct parser *p)
{
	uint64_t packets;

	if (!ipt_word(&p->scan) || !parse_counters(p->scan.word, &packets))
		return bad(p, "a rule's counters");
	return add_rule(p, packets);
}

/* The rules, chain by chain, in their order. */
static int end_table(struct parser *p)
{
	struct ipt_table *t = p->table;

	if (!t)
		return bad(p, "the end of no table");
	if (!p->sorted && sort_chains(p) != 0)
		return -1;
	if (p->n_loose)
		t->rules = xcalloc(p->n_loose, sizeof(*t->rules));
	t->n_rules = p->n_loose;
	for (size_t i = 0; i < p->n_loose; i++)
		t->chains[p->loose[i].chain].n_rules++;
	struct ipt_rule *next = t->rules;
	for (size_t i = 0; i < t->n_chains; i++) {
		t->chains[i].rules = next;
		next = next ? next + t->chains[i].n_rules : NULL;
		t->chains[i].n_rules = 0; /* counted again while they are filled */
	}
	for (size_t i = 0; i < p->n_loose; i++) {
		struct ipt_chain *c = &t->chains[p->loose[i].chain];
		t->rules[(size_t)(c->rules - t->rules) + c->n_rules++] = p->loose[i].rule;
	}
	p->table = NULL;
	return ipt_word(&p->scan) && strcmp(p->scan.word, "COMMIT") == 0 ? 0 : bad(p, "no COMMIT");
}

static int parse_line(struct parser *p)
{
	switch (*p->scan.p) {
	case '*': return begin_table(p);
	case ':': return add_chain(p);
	case '[': return counted_rule(p);
	case '-': return add_rule(p, 0);
	case 'C': return end_table(p);
	case '#':
	case '\n': return 0;
	}
	return bad(p, "not understood");
}

static int parse_lines(struct parser *p)
{
	struct ipt_scan *s = &p->scan;

	while (s->p < s->end) {
		p->line++;
		s->plain_next = s->broken = false;
		if (parse_line(p) != 0)
			return -1;
		while (s->p < s->end && *s->p != '\n')
			s->p++;
		s->p += s->p < s->end;
	}
	return p->table ? bad(p, "a table without end") : 0;
}

int iptables_parse(struct iptables **out, enum addr_family family, const char *text, size_t len,
		   struct err *e)
{
	char *copy = xcalloc(1, len + 1);

	if (len)
		memcpy(copy, text, len);
	return ipt_take(out, family, copy, len, e);
}

int ipt_take(struct iptables **out, enum addr_family family, char *text, size_t len, struct err *e)
{
	struct iptables *t = xcalloc(1, sizeof(*t));
	struct parser p = {.out = t, .e = e};

	t->family = family;
	t->text = text;
	p.scan = (struct ipt_scan){.p = t->text, .end = t->text + len};
	int rc = memchr(text, '\0', len) ? bad(&p, "binary data") : parse_lines(&p);
	free(p.loose);
	if (rc != 0)
		iptables_free(t);
	else
		*out = t;
	return rc;
}

void iptables_free(struct iptables *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_tables; i++) {
		free(t->tables[i].chains);
		free(t->tables[i].rules);
	}
	free(t->text);
	free(t);
}

/* ---- looking up ---- */

const struct ipt_table *ipt_table(const struct iptables *t, const char *name)
{
	for (size_t i = 0; i < t->n_tables; i++)
		if (strcmp(t->tables[i].name, name) == 0)
			return &t->tables[i];
	return NULL;
}

static int compare_name(const void *name, const void *chain)
{
	return strcmp(name, ((const struct ipt_chain *)chain)->name);
}

const struct ipt_chain *ipt_chain(const struct ipt_table *t, const char *name)
{
	if (t->n_chains == 0)
		return NULL;
	return bsearch(name, t->chains, t->n_chains, sizeof(*t->chains), compare_name);
}
