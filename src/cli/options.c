/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "run/fleet.h"

#define TIMEOUT_DEFAULT_S 8
#define QUEUE_DEFAULT     256
#define SERVE_AT_ONCE     256
#define INTERVAL_DEFAULT_S 1
#define WATCH_INTERVAL_DEFAULT_S 60
#define TIMEOUT_MAX_S     3600
#define TARGETS_MAX       100000
#define LINE_MAX_BYTES    1024
#define WORD_MAX          250

enum option_type {
	OPT_FLAG,      /* bool */
	OPT_STRING,    /* const char * */
	OPT_WORD,      /* the same, of what an SMTP command may hold: no blank, no <>, no control */
	OPT_FD,        /* int, an open descriptor */
	OPT_PORTS,     /* struct port_list */
	OPT_SOURCE,    /* appended to sources[] */
	OPT_COUNT,     /* unsigned, 1..FLEET_MAX_CONCURRENCY */
	OPT_RATE,      /* double, a second */
	OPT_SECONDS,   /* int64_t, ns */
	OPT_HOPS,      /* unsigned, 1..255 */
	OPT_ROUNDS,    /* unsigned, 1..1000 */
	OPT_WHEN,      /* enum when */
	OPT_INTERFACE, /* appended to interfaces[] */
	OPT_ALLOW,     /* appended to allow[] */
	OPT_FILE,      /* targets, one a line, appended */
	OPT_LATER,     /* part of the contract, not of this version: an error that says so */
};

struct option_row {
	const char *name;
	char letter; /* 0: none */
	enum option_type type;
	size_t offset;
	const char *argument, *help;
};

#define AT(field) offsetof(struct options, field)

static const struct option_row check_rows[] = {
	{"ports", 'p', OPT_PORTS, AT(tested), "LIST",
	 "ports to judge (25,465,587); 10465/tls: TLS from the first byte, as on 465 and 2465"},
	{"control", 0, OPT_PORTS, AT(control), "LIST",
	 "ports on the same address to compare with (443,80, and the other tested ports)"},
	{"ipv4", '4', OPT_FLAG, AT(only_v4), NULL, "IPv4 addresses only; with -6 both, and a comparison"},
	{"ipv6", '6', OPT_FLAG, AT(only_v6), NULL, "IPv6 addresses only"},
	{"all-addresses", 0, OPT_FLAG, AT(all_addresses), NULL,
	 "every address of a name, not just the first of each family"},
	{"file", 'f', OPT_FILE, 0, "FILE", "read targets, one a line; - is standard input"},
	{"interface", 'i', OPT_INTERFACE, 0, "IF",
	 "leave through IF; repeat it for a report each, and a comparison"},
	{"source", 's', OPT_SOURCE, 0, "ADDR",
	 "source address; repeat it for a report each, and a comparison"},
	{"netns", 0, OPT_STRING, AT(netns), "NAME|PID", "do all of it in that network namespace"},
	{"uid", 0, OPT_STRING, AT(user), "USER",
	 "connect as that user (name or number): rules may tell users apart"},
	{"timeout", 't', OPT_SECONDS, AT(timeout_ns), "SECONDS",
	 "bound on one target, everything included (8)"},
	{"repeat", 0, OPT_ROUNDS, AT(repeat), "N",
	 "connect N times, one after the other: shows limits on connections"},
	{"interval", 0, OPT_SECONDS, AT(interval_ns), "SECONDS",
	 "from one of them to the next (1); it lengthens the time of -t 8, not one given"},
	{"concurrency", 0, OPT_COUNT, AT(concurrency), "N",
	 "targets at a time (1 for up to 8 of them, else 256)"},
	{"rate", 0, OPT_RATE, AT(rate), "N", "targets begun in a second at most"},
	{"write", 'w', OPT_STRING, AT(write_file), "FILE.pcap", "keep the packets"},
	{"save", 0, OPT_STRING, AT(save_dir), "DIR",
	 "keep a case: packets, facts and report, for `replay`"},
	{"redact", 0, OPT_FLAG, AT(redact), NULL,
	 "save no names, mail addresses, AUTH data, nor payload beyond the dialogue's words"},
	{"ca-file", 0, OPT_STRING, AT(ca_file), "FILE", "trust anchors in PEM, not the system's"},
	{"json", 0, OPT_FLAG, AT(json), NULL, "JSON Lines: one document for each address"},
	{"html", 0, OPT_STRING, AT(html_file), "FILE",
	 "a page of its own, too: path, packets in time, evidence, what to do"},
	{"ticket", 0, OPT_FLAG, AT(ticket), NULL,
	 "a text for the provider's or network team's desk, to be copied"},
	{"nagios", 0, OPT_FLAG, AT(nagios), NULL,
	 "as a plugin of Nagios, Icinga and the like: one line, performance data, their exit status"},
	{"quiet", 'q', OPT_FLAG, AT(quiet), NULL, "one line a port"},
	{"verbose", 'v', OPT_FLAG, AT(verbose), NULL, "all evidence"},
	{"color", 0, OPT_WHEN, AT(colour), "WHEN", "auto, always or never"},
	{"no-progress", 0, OPT_FLAG, AT(no_progress), NULL, "no progress line on a terminal"},
	{"ehlo", 0, OPT_WORD, AT(ehlo_name), "NAME", "the name to say EHLO with (this host's)"},
	{"starttls-required", 0, OPT_FLAG, AT(starttls_required), NULL,
	 "a server without STARTTLS (or TLS first) is no service"},
	{"auth", 0, OPT_WORD, AT(auth_user), "USER",
	 "try a login, over TLS and with a trusted certificate only; asks for the password"},
	{"password-file", 0, OPT_STRING, AT(password_file), "FILE", "its first line is the password"},
	{"password-fd", 0, OPT_FD, AT(password_fd), "N", "the same, from an open file descriptor"},
	{"mail-from", 0, OPT_WORD, AT(mail_from), "ADDR", "go on to MAIL FROM:<ADDR>, then reset"},
	{"rcpt-to", 0, OPT_WORD, AT(rcpt_to), "ADDR", "and to RCPT TO:<ADDR>; no mail is sent"},
	{"no-path", 0, OPT_FLAG, AT(no_path), NULL, "no TTL-limited probes"},
	{"max-hops", 0, OPT_HOPS, AT(max_hops), "N", "path length (30)"},
	{"asn-db", 0, OPT_STRING, AT(asn_db), "FILE.mmdb", "AS numbers of hops (found if installed)"},
	{"no-trace", 0, OPT_FLAG, AT(no_trace), NULL, "add no nftables trace table"},
	{"no-inject", 0, OPT_FLAG, AT(no_inject), NULL, "never send below this host's firewall"},
	{"no-sandbox", 0, OPT_FLAG, AT(no_sandbox), NULL,
	 "leave system calls and files to the half that talks to the network"},
	{"no-canary", 0, OPT_FLAG, AT(no_canary), NULL, "no SYN to a documentation address"},
	{"expect-banner", 0, OPT_STRING, AT(expect_banner), "REGEX",
	 "what the server is known to greet with (extended, any case)"},
	{"expect-name", 0, OPT_WORD, AT(expect_name), "NAME",
	 "the name it is known by: a host, or the domain of its hosts"},
	{"help", 'h', OPT_FLAG, AT(help), NULL, "this text"},
	{"version", 'V', OPT_FLAG, AT(version), NULL, "name and version"},
};

/* `read` */
static const struct option_row read_rows[] = {
	{"ports", 'p', OPT_PORTS, AT(tested), "LIST", "ports of SMTP servers (25,465,587)"},
	{"any-port", 0, OPT_FLAG, AT(any_port), NULL,
	 "other ports, too, where greeting or EHLO looks like SMTP"},
	{"json", 0, OPT_FLAG, AT(json), NULL, "JSON Lines: one document for each connection"},
	{"html", 0, OPT_STRING, AT(html_file), "FILE", "a page of its own, too"},
	{"summary", 0, OPT_FLAG, AT(summary), NULL, "no connections, only how many fared how"},
	{"verbose", 'v', OPT_FLAG, AT(verbose), NULL, "all about each connection"},
	{"color", 0, OPT_WHEN, AT(colour), "WHEN", "auto, always or never"},
	{"help", 'h', OPT_FLAG, AT(help), NULL, "this text"},
};

static const struct option_row replay_rows[] = {
	{"json", 0, OPT_FLAG, AT(json), NULL, "JSON, as it was saved (the default)"},
	{"text", 0, OPT_FLAG, AT(text), NULL, "text for people"},
	{"html", 0, OPT_STRING, AT(html_file), "FILE", "a page of its own, too"},
	{"ticket", 0, OPT_FLAG, AT(ticket), NULL, "the text for the desk that can lift the block"},
	{"quiet", 'q', OPT_FLAG, AT(quiet), NULL, "one line a port"},
	{"verbose", 'v', OPT_FLAG, AT(verbose), NULL, "text, with all evidence"},
	{"color", 0, OPT_WHEN, AT(colour), "WHEN", "auto, always or never"},
	{"redact", 0, OPT_STRING, AT(redact_dir), "NEWDIR",
	 "save the case there without names, as check --redact does"},
	{"help", 'h', OPT_FLAG, AT(help), NULL, "this text"},
};

static const struct option_row compare_rows[] = {
	{"json", 0, OPT_FLAG, AT(json), NULL, "JSON Lines: one document for each target"},
	{"html", 0, OPT_STRING, AT(html_file), "FILE", "a page of its own, too"},
	{"quiet", 'q', OPT_FLAG, AT(quiet), NULL, "one line for each thing that follows"},
	{"verbose", 'v', OPT_FLAG, AT(verbose), NULL, "each target as a whole, however many there are"},
	{"color", 0, OPT_WHEN, AT(colour), "WHEN", "auto, always or never"},
	{"help", 'h', OPT_FLAG, AT(help), NULL, "this text"},
};

/* `serve` */
static const struct option_row serve_rows[] = {
	{"listen", 0, OPT_STRING, AT(listen), "ADDR:PORT", "where requests come in (127.0.0.1:9725)"},
	{"allow", 0, OPT_ALLOW, 0, "WHOM",
	 "who may be probed: 192.0.2.0/24, mx.example.net, '*.example.net' or '*'; repeat it"},
	{"concurrency", 0, OPT_COUNT, AT(concurrency), "N",
	 "probes at a time (256); 1: each has this host's trace for itself"},
	{"queue", 0, OPT_COUNT, AT(queue), "N", "probes that wait or run; one more is refused (256)"},
	{"timeout", 't', OPT_SECONDS, AT(timeout_ns), "SECONDS",
	 "of a probe whose request names no other (8)"},
	{"ports", 'p', OPT_PORTS, AT(tested), "LIST", "ports to judge, and that may be asked for (25,465,587)"},
	{"control", 0, OPT_PORTS, AT(control), "LIST", "ports to compare with (443,80)"},
	{"netns", 0, OPT_STRING, AT(netns), "NAME|PID", "do all of it in that network namespace"},
	{"uid", 0, OPT_STRING, AT(user), "USER", "connect as that user"},
	{"ca-file", 0, OPT_STRING, AT(ca_file), "FILE", "trust anchors in PEM, not the system's"},
	{"asn-db", 0, OPT_STRING, AT(asn_db), "FILE.mmdb", "AS numbers of hops (found if installed)"},
	{"ehlo", 0, OPT_WORD, AT(ehlo_name), "NAME", "the name to say EHLO with (this host's)"},
	{"no-path", 0, OPT_FLAG, AT(no_path), NULL, "no TTL-limited probes"},
	{"max-hops", 0, OPT_HOPS, AT(max_hops), "N", "path length (30)"},
	{"no-trace", 0, OPT_FLAG, AT(no_trace), NULL, "add no nftables trace table"},
	{"no-inject", 0, OPT_FLAG, AT(no_inject), NULL, "never send below this host's firewall"},
	{"no-canary", 0, OPT_FLAG, AT(no_canary), NULL, "no SYN to a documentation address"},
	{"no-sandbox", 0, OPT_FLAG, AT(no_sandbox), NULL, "leave system calls and files as they are"},
	{"help", 'h', OPT_FLAG, AT(help), NULL, "this text"},
};

/* `watch` */
static const struct option_row watch_rows[] = {
	{"interval", 0, OPT_SECONDS, AT(interval_ns), "SECONDS", "from one look to the next (60)"},
	{"count", 0, OPT_COUNT, AT(count), "N", "so many looks, then the end (until a signal comes)"},
	{"ports", 'p', OPT_PORTS, AT(tested), "LIST", "ports to judge (25,465,587)"},
	{"control", 0, OPT_PORTS, AT(control), "LIST", "ports to compare with (443,80)"},
	{"ipv4", '4', OPT_FLAG, AT(only_v4), NULL, "IPv4 addresses only"},
	{"ipv6", '6', OPT_FLAG, AT(only_v6), NULL, "IPv6 addresses only"},
	{"all-addresses", 0, OPT_FLAG, AT(all_addresses), NULL,
	 "every address of a name, not just the first of each family"},
	{"file", 'f', OPT_FILE, 0, "FILE", "read targets, one a line; - is standard input"},
	{"interface", 'i', OPT_INTERFACE, 0, "IF", "leave through IF"},
	{"source", 's', OPT_SOURCE, 0, "ADDR", "source address"},
	{"netns", 0, OPT_STRING, AT(netns), "NAME|PID", "do all of it in that network namespace"},
	{"uid", 0, OPT_STRING, AT(user), "USER", "connect as that user"},
	{"timeout", 't', OPT_SECONDS, AT(timeout_ns), "SECONDS", "bound on one look at one target (8)"},
	{"ca-file", 0, OPT_STRING, AT(ca_file), "FILE", "trust anchors in PEM, not the system's"},
	{"json", 0, OPT_FLAG, AT(json), NULL, "JSON Lines: one document for each change"},
	{"ehlo", 0, OPT_WORD, AT(ehlo_name), "NAME", "the name to say EHLO with (this host's)"},
	{"starttls-required", 0, OPT_FLAG, AT(starttls_required), NULL,
	 "a server without STARTTLS (or TLS first) is no service"},
	{"no-path", 0, OPT_FLAG, AT(no_path), NULL, "no TTL-limited probes"},
	{"max-hops", 0, OPT_HOPS, AT(max_hops), "N", "path length (30)"},
	{"asn-db", 0, OPT_STRING, AT(asn_db), "FILE.mmdb", "AS numbers of hops (found if installed)"},
	{"no-trace", 0, OPT_FLAG, AT(no_trace), NULL, "add no nftables trace table"},
	{"no-inject", 0, OPT_FLAG, AT(no_inject), NULL, "never send below this host's firewall"},
	{"no-canary", 0, OPT_FLAG, AT(no_canary), NULL, "no SYN to a documentation address"},
	{"no-sandbox", 0, OPT_FLAG, AT(no_sandbox), NULL, "leave system calls and files as they are"},
	{"help", 'h', OPT_FLAG, AT(help), NULL, "this text"},
};

struct option_table {
	const char *program; /* as the user calls it */
	const struct option_row *rows;
	size_t n;
};

#define TABLE(program, rows) {program, rows, sizeof(rows) / sizeof((rows)[0])}
static const struct option_table check_table = TABLE("smtpblame", check_rows);
static const struct option_table read_table = TABLE("smtpblame read", read_rows);
static const struct option_table replay_table = TABLE("smtpblame replay", replay_rows);
static const struct option_table compare_table = TABLE("smtpblame compare", compare_rows);
static const struct option_table serve_table = TABLE("smtpblame serve", serve_rows);
static const struct option_table watch_table = TABLE("smtpblame watch", watch_rows);

#define ROWS_MAX  64
_Static_assert(sizeof(check_rows) / sizeof(check_rows[0]) < ROWS_MAX, "the tables of getopt have room");
#define LONG_ONLY 256 /* getopt value of row i is LONG_ONLY + i */

/* "-p" or "--control", as the user may have written it. */
static const char *row_name(const struct option_row *row, char *out, size_t size)
{
	if (row->letter)
		snprintf(out, size, "-%c/--%s", row->letter, row->name);
	else
		snprintf(out, size, "--%s", row->name);
	return out;
}

static int bad_value(const struct option_row *row, const char *value, const char *wanted,
		     struct err *e)
{
	char name[64];

	return err_set(e, ERR_USAGE, "%s: '%.80s' is %s", row_name(row, name, sizeof(name)), value,
		       wanted);
}

static bool parse_port(const char *s, size_t len, uint16_t *port)
{
	unsigned long n = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		n = n * 10 + (unsigned long)(s[i] - '0');
	}
	*port = (uint16_t)n;
	return n >= 1 && n <= 65535;
}

static int parse_ports(struct port_list *list, const struct option_row *row, const char *value,
		       struct err *e)
{
	const char *s = value;

	list->n = 0;
	for (;;) {
		size_t len = strcspn(s, ","), number = strcspn(s, ",/");
		bool tls = len - number == strlen("/tls") && strncmp(s + number, "/tls", 4) == 0;
		uint16_t port;
		if (!parse_port(s, number, &port) || (number != len && !tls))
			return bad_value(row, value, strchr(value, '-') ? "a range; name each port: 25,26,27"
							     : "no list of ports (1-65535) like 25,465,2525/tls", e);
		bool known = false;
		for (unsigned i = 0; i < list->n; i++)
			known |= list->ports[i] == port;
		if (!known && list->n == OPTIONS_MAX_TESTED)
			return bad_value(row, value, "too long a list: 24 ports at most", e);
		list->tls[list->n] = tls || port == 465 || port == 2465; /* RFC 8314; Amazon SES */
		if (!known)
			list->ports[list->n++] = port;
		if (s[len] == '\0')
			return 0;
		s += len + 1;
	}
}

static int parse_seconds(int64_t *out, const struct option_row *row, const char *value,
			 struct err *e)
{
	char *end;
	double s = strtod(value, &end);

	if (end == value || *end || !isfinite(s) || s < 0.1 || s > TIMEOUT_MAX_S)
		return bad_value(row, value, "no number of seconds from 0.1 to 3600", e);
	*out = (int64_t)(s * (double)NS_PER_S);
	return 0;
}

static int parse_count(unsigned *out, unsigned max, const char *wanted,
		       const struct option_row *row, const char *value, struct err *e)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || n < 1 || n > max)
		return bad_value(row, value, wanted, e);
	*out = (unsigned)n;
	return 0;
}

static int parse_rate(double *out, const struct option_row *row, const char *value, struct err *e)
{
	char *end;
	double n = strtod(value, &end);

	if (end == value || *end || !isfinite(n) || n < 0.001 || n > 1e6)
		return bad_value(row, value, "no number from 0.001 to 1000000", e);
	*out = n;
	return 0;
}

static int parse_when(enum when *out, const struct option_row *row, const char *value,
		      struct err *e)
{
	static const char *const words[] = {"auto", "always", "never"};

	for (int i = 0; i < 3; i++)
		if (strcmp(value, words[i]) == 0) {
			*out = (enum when)i;
			return 0;
		}
	return bad_value(row, value, "not auto, always or never", e);
}

/* What goes into an SMTP command must not end it, nor begin another one. */
static bool is_word(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || strchr("<>\"\\", *s))
			return false;
	return true;
}

static int parse_fd(int *out, const struct option_row *row, const char *value, struct err *e)
{
	char *end;
	long n = strtol(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || n > 1000000 || fcntl((int)n, F_GETFD) < 0)
		return bad_value(row, value, "no open file descriptor", e);
	*out = (int)n;
	return 0;
}

static int add_target(struct options *o, const char *target, struct err *e)
{
	if (o->n_targets == TARGETS_MAX)
		return err_set(e, ERR_USAGE, "more than %d targets", TARGETS_MAX);
	if ((o->n_targets & (o->n_targets - 1)) == 0) /* grows at 0, 1, 2, 4, 8, ... */
		o->targets = xrealloc(o->targets, (o->n_targets ? o->n_targets * 2 : 1) *
							  sizeof(*o->targets));
	o->targets[o->n_targets++] = arena_strdup(&o->arena, target);
	return 0;
}

/* One target a line; blank lines and what follows a '#' are passed over. */
static int read_targets(struct options *o, const char *path, struct err *e)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *in = is_stdin ? stdin : fopen(path, "re");
	char line[LINE_MAX_BYTES];
	unsigned number = 0;
	int result = 0;

	if (!in)
		return err_set(e, ERR_USAGE, "%s: %s", path, strerror(errno));
	while (result == 0 && fgets(line, sizeof(line), in)) {
		number++;
		size_t len = strlen(line);
		if (len == sizeof(line) - 1 && line[len - 1] != '\n') {
			result = err_set(e, ERR_USAGE, "%s line %u: longer than %d bytes", path,
					 number, LINE_MAX_BYTES);
			break;
		}
		line[strcspn(line, "#\r\n")] = '\0';
		char *word = line + strspn(line, " \t");
		size_t word_len = strcspn(word, " \t");
		if (word[word_len + strspn(word + word_len, " \t")] != '\0')
			result = err_set(e, ERR_USAGE, "%s line %u: more than one target", path,
					 number);
		word[word_len] = '\0';
		if (result == 0 && word_len)
			result = add_target(o, word, e);
	}
	if (result == 0 && ferror(in))
		result = err_set(e, ERR_USAGE, "%s: %s", path, strerror(errno));
	if (!is_stdin)
		fclose(in);
	return result;
}

static int take_option(struct options *o, const struct option_row *row, const char *value,
		       struct err *e)
{
	void *field = (char *)o + row->offset;
	char name[64];

	switch (row->type) {
	case OPT_FLAG:
		*(bool *)field = true;
		return 0;
	case OPT_STRING:
		if (!*value)
			return bad_value(row, value, "empty", e);
		*(const char **)field = value;
		return 0;
	case OPT_WORD:
		if (!*value || strlen(value) > WORD_MAX || !is_word(value))
			return bad_value(row, value, "no plain word of at most 250 characters", e);
		*(const char **)field = value;
		return 0;
	case OPT_FD:
		return parse_fd(field, row, value, e);
	case OPT_PORTS:
		o->control_given |= field == &o->control;
		return parse_ports(field, row, value, e);
	case OPT_SOURCE:
		if (o->n_sources == OPTIONS_MAX_WAYS)
			return bad_value(row, value, "one address too many: 8 at most", e);
		if (!addr_parse(&o->sources[o->n_sources], value))
			return bad_value(row, value, "no IP address", e);
		for (unsigned i = 0; i < o->n_sources; i++)
			if (addr_equal(&o->sources[i], &o->sources[o->n_sources]))
				return bad_value(row, value, "given twice", e);
		o->n_sources++;
		return 0;
	case OPT_COUNT:
		return parse_count(field, FLEET_MAX_CONCURRENCY, "no number from 1 to 4096", row, value, e);
	case OPT_RATE:
		return parse_rate(field, row, value, e);
	case OPT_SECONDS:
		return parse_seconds(field, row, value, e);
	case OPT_HOPS:
		return parse_count(field, 255, "no number of hops from 1 to 255", row, value, e);
	case OPT_ROUNDS:
		return parse_count(field, 1000, "no number of rounds from 1 to 1000", row, value, e);
	case OPT_WHEN:
		return parse_when(field, row, value, e);
	case OPT_INTERFACE:
		if (o->n_interfaces == OPTIONS_MAX_WAYS)
			return bad_value(row, value, "one interface too many: 8 at most", e);
		for (unsigned i = 0; i < o->n_interfaces; i++)
			if (strcmp(o->interfaces[i], value) == 0)
				return bad_value(row, value, "given twice", e);
		o->interfaces[o->n_interfaces++] = value;
		return 0;
	case OPT_ALLOW:
		if (o->n_allow == OPTIONS_MAX_ALLOW)
			return bad_value(row, value, "one entry too many: 256 at most", e);
		o->allow[o->n_allow++] = value;
		return 0;
	case OPT_FILE:
		return read_targets(o, value, e);
	case OPT_LATER:
		return err_set(e, ERR_USAGE, "%s is not in this version yet",
			       row_name(row, name, sizeof(name)));
	}
	return 0;
}

/* The getopt tables, made from the rows. */
static void getopt_tables(const struct option_table *t, char *letters, struct option *longs)
{
	*letters++ = ':';
	for (size_t i = 0; i < t->n; i++) {
		const struct option_row *row = &t->rows[i];
		longs[i] = (struct option){row->name, row->argument ? 1 : 0, NULL, (int)(LONG_ONLY + i)};
		if (!row->letter)
			continue;
		*letters++ = row->letter;
		if (row->argument)
			*letters++ = ':';
	}
	*letters = '\0';
	longs[t->n] = (struct option){0};
}

static const struct option_row *row_of(const struct option_table *t, int value)
{
	if (value >= LONG_ONLY)
		return &t->rows[value - LONG_ONLY];
	for (size_t i = 0; i < t->n; i++)
		if (t->rows[i].letter == value)
			return &t->rows[i];
	return NULL;
}

static int compile_banner(struct options *o, struct err *e)
{
	/* it goes into reports */
	const char *clean = text_clean(&o->arena, o->expect_banner, strlen(o->expect_banner),
				       strlen(o->expect_banner));
	regex_t *regex = arena_alloc(&o->arena, sizeof(*regex));
	const char *costly = plan_banner_too_costly(clean);
	char why[120];

	if (costly)
		return err_set(e, ERR_USAGE, "--expect-banner: '%.80s': %s", clean, costly);
	int failed = regcomp(regex, clean, PLAN_BANNER_REGEX);
	if (!failed) {
		o->expect_banner_regex = regex;
		o->expect_banner = clean;
		return 0;
	}
	regerror(failed, regex, why, sizeof(why));
	return err_set(e, ERR_USAGE, "--expect-banner: '%.80s' is no regular expression: %s", clean,
		       why);
}

/* A port that is judged itself is no control. */
static bool controls_are_tested(const struct options *o)
{
	for (unsigned i = 0; i < o->control.n; i++) {
		bool tested = false;
		for (unsigned k = 0; k < o->tested.n; k++)
			tested |= o->tested.ports[k] == o->control.ports[i];
		if (!tested)
			return false;
	}
	return true;
}

static int check_together(const struct option_table *t, const struct options *o, struct err *e)
{
	if (o->control_given && controls_are_tested(o))
		return err_set(e, ERR_USAGE, "--control: a port that is judged itself (-p) is no control; give another one");
	if (o->n_interfaces > 1 && o->n_sources > 1)
		return err_set(e, ERR_USAGE, "several -i and several -s exclude each other");
	if ((o->password_file || o->password_fd >= 0) && !o->auth_user)
		return err_set(e, ERR_USAGE, "a password without --auth USER");
	/* a login in every round may lock the account, and a refusal in one would look like a limit */
	if (o->redact && !o->save_dir)
		return err_set(e, ERR_USAGE, "--redact needs --save DIR");
	if (o->repeat > 1 && o->save_dir)
		return err_set(e, ERR_USAGE, "--repeat and --save exclude each other");
	if (o->repeat > 1 && (o->auth_user || o->mail_from))
		return err_set(e, ERR_USAGE, "--repeat and %s exclude each other",
			       o->auth_user ? "--auth" : "--mail-from");
	if (o->rcpt_to && !o->mail_from)
		return err_set(e, ERR_USAGE, "--rcpt-to needs --mail-from");
	/* JSON is as quiet as it gets */
	if ((o->json || o->quiet) + o->ticket + o->nagios > 1)
		return err_set(e, ERR_USAGE, "--json, --ticket, --nagios and -q exclude each other");
	if (o->n_targets == 0)
		return err_set(e, ERR_USAGE, "no target; try: %s mx.example.com", t->program);
	return 0;
}

/* Another command's, which one may have meant. */
static const char *whose(const struct option_table *t, int letter, const char *word)
{
	static const struct option_table *const all[] = {&check_table, &read_table, &replay_table,
							 &compare_table, &serve_table, &watch_table};
	const char *name = strncmp(word, "--", 2) == 0 ? word + 2 : "";
	size_t len = strcspn(name, "=");

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (size_t k = 0; all[i] != t && k < all[i]->n; k++) {
			const struct option_row *row = &all[i]->rows[k];
			if ((letter && row->letter == letter) ||
			    (!letter && len && strlen(row->name) == len && strncmp(row->name, name, len) == 0))
				return all[i] == &check_table ? "smtpblame check" : all[i]->program;
		}
	return NULL;
}

static int unknown_option(const struct option_table *t, int letter, const char *word, struct err *e)
{
	const char short_name[] = {'-', (char)letter, '\0'}, *other = whose(t, letter, word);

	return err_set(e, ERR_USAGE, "unknown option '%.60s'%s%s; see %s --help", letter ? short_name : word,
		       other ? ", which is one of " : "", other ? other : "", t->program);
}

/* The options; *first gets the index of the first word that is none. */
static int parse(const struct option_table *t, struct options *o, int argc, char **argv, int *first,
		 struct err *e)
{
	char letters[3 * ROWS_MAX + 2];
	struct option longs[ROWS_MAX + 1];
	int value;

	getopt_tables(t, letters, longs);
	opterr = 0;
	optind = 1;
	while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const char *word = argv[optind - 1];
		if (value == ':')
			return err_set(e, ERR_USAGE, "option '%.60s' needs a value", word);
		if (value == '?')
			return unknown_option(t, optopt < LONG_ONLY ? optopt : 0, word, e);
		if (take_option(o, row_of(t, value), optarg, e) != 0)
			return -1;
	}
	*first = optind;
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct err *e)
{
	int first;

	*o = (struct options){
		.tested = {.ports = {25, 465, 587}, .tls = {false, true, false}, .n = 3},
		.control = {.ports = {443, 80}, .n = 2},
		.repeat = 1,
		.interval_ns = INTERVAL_DEFAULT_S * NS_PER_S,
		.max_hops = 30,
		.password_fd = -1,
	};
	if (parse(&check_table, o, argc, argv, &first, e) != 0)
		return -1;
	if (o->help || o->version)
		return 0;
	if (!o->timeout_ns)
		o->timeout_ns = TIMEOUT_DEFAULT_S * NS_PER_S + (o->repeat - 1) * o->interval_ns;
	for (int i = first; i < argc; i++) {
		int failed = strcmp(argv[i], "-") == 0 ? read_targets(o, "-", e)
						       : add_target(o, argv[i], e);
		if (failed)
			return -1;
	}
	if (check_together(&check_table, o, e) != 0)
		return -1;
	return o->expect_banner ? compile_banner(o, e) : 0;
}

int options_parse_read(struct options *o, int argc, char **argv, struct err *e)
{
	int first;

	*o = (struct options){.tested = {.ports = {25, 465, 587}, .n = 3}, .password_fd = -1};
	if (parse(&read_table, o, argc, argv, &first, e) != 0)
		return -1;
	for (int i = first; i < argc; i++)
		if (add_target(o, argv[i], e) != 0)
			return -1;
	if (o->n_targets == 0 && !o->help)
		return err_set(e, ERR_USAGE, "no file; try: smtpblame read capture.pcap");
	return 0;
}

int options_parse_replay(struct options *o, int argc, char **argv, struct err *e)
{
	int first;

	*o = (struct options){.password_fd = -1};
	if (parse(&replay_table, o, argc, argv, &first, e) != 0)
		return -1;
	for (int i = first; i < argc; i++)
		if (add_target(o, argv[i], e) != 0)
			return -1;
	if (o->n_targets == 0 && !o->help)
		return err_set(e, ERR_USAGE, "no case; try: smtpblame replay DIR");
	if (o->redact_dir && o->n_targets > 1)
		return err_set(e, ERR_USAGE, "--redact takes one case");
	bool text = o->text || o->ticket || o->quiet || o->verbose;
	if (o->json && text)
		return err_set(e, ERR_USAGE, "--json and text (--text, --ticket, -q, -v) exclude each other");
	o->json = !text;
	return 0;
}

int options_parse_compare(struct options *o, int argc, char **argv, struct err *e)
{
	int first;

	*o = (struct options){.password_fd = -1};
	if (parse(&compare_table, o, argc, argv, &first, e) != 0)
		return -1;
	for (int i = first; i < argc; i++)
		if (add_target(o, argv[i], e) != 0)
			return -1;
	if (o->n_targets == 0 && !o->help)
		return err_set(e, ERR_USAGE, "no report; try: smtpblame compare A.json B.json");
	if (o->json + o->quiet + o->verbose > 1)
		return err_set(e, ERR_USAGE, "--json, -q and -v exclude each other");
	return 0;
}

int options_parse_serve(struct options *o, int argc, char **argv, struct err *e)
{
	int first;

	*o = (struct options){
		.tested = {.ports = {25, 465, 587}, .tls = {false, true, false}, .n = 3},
		.control = {.ports = {443, 80}, .n = 2},
		.timeout_ns = TIMEOUT_DEFAULT_S * NS_PER_S,
		.queue = QUEUE_DEFAULT,
		.repeat = 1,
		.concurrency = SERVE_AT_ONCE,
		.max_hops = 30,
		.password_fd = -1,
	};
	if (parse(&serve_table, o, argc, argv, &first, e) != 0)
		return -1;
	return first == argc ? 0
			     : err_set(e, ERR_USAGE,
				       "'%.60s': targets come with the requests; see smtpblame serve --help",
				       argv[first]);
}

int options_parse_watch(struct options *o, int argc, char **argv, struct err *e)
{
	int first;

	*o = (struct options){
		.tested = {.ports = {25, 465, 587}, .tls = {false, true, false}, .n = 3},
		.control = {.ports = {443, 80}, .n = 2},
		.repeat = 1,
		.interval_ns = WATCH_INTERVAL_DEFAULT_S * NS_PER_S,
		.timeout_ns = TIMEOUT_DEFAULT_S * NS_PER_S,
		.concurrency = 1,
		.max_hops = 30,
		.password_fd = -1,
	};
	if (parse(&watch_table, o, argc, argv, &first, e) != 0)
		return -1;
	if (o->help)
		return 0;
	for (int i = first; i < argc; i++)
		if ((strcmp(argv[i], "-") == 0 ? read_targets(o, "-", e) : add_target(o, argv[i], e)) != 0)
			return -1;
	return check_together(&watch_table, o, e);
}

void options_clear(struct options *o)
{
	free(o->targets);
	if (o->expect_banner_regex)
		regfree(o->expect_banner_regex);
	arena_clear(&o->arena);
}

size_t options_of(const char *verb, struct option_help *out, size_t max)
{
	static const struct {
		const char *verb;
		const struct option_table *table;
	} tables[] = {{"check", &check_table}, {"read", &read_table}, {"replay", &replay_table},
		    {"serve", &serve_table}, {"watch", &watch_table}, {"compare", &compare_table}};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		const struct option_table *t = tables[i].table;
		for (size_t k = 0; strcmp(verb, tables[i].verb) == 0 && k < t->n && n < max; k++)
			if (t->rows[k].type != OPT_LATER)
				out[n++] = (struct option_help){t->rows[k].name, t->rows[k].letter,
								t->rows[k].argument, t->rows[k].help};
	}
	return n;
}

static void print_rows(const struct option_table *t, FILE *out)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct option_row *row = &t->rows[i];
		char left[64], letter[8] = "    ";
		if (row->type == OPT_LATER)
			continue;
		if (row->letter)
			snprintf(letter, sizeof(letter), "-%c, ", row->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, row->name, row->argument ? " " : "",
			 row->argument ? row->argument : "");
		fprintf(out, "  %-27s %s\n", left, row->help);
	}
}

void options_print_help(FILE *out)
{
	fputs("smtpblame - who stops my mail: this machine, the gateway, the provider, or the "
	      "other side?\n\n"
	      "  smtpblame [check] [OPTIONS] TARGET...  probe, and say who blocks\n"
	      "  smtpblame inspect [OPTIONS] TARGET...  what on this host touches SMTP to TARGET;\n"
	      "                                         sends no packet\n"
	      "  smtpblame read    [OPTIONS] FILE...    judge the SMTP connections of captures\n"
	      "                                         (smtpblame read --help)\n"
	      "  smtpblame replay  [OPTIONS] CASE...    the report of saved cases, derived again\n"
	      "                                         (smtpblame replay --help)\n"
	      "  smtpblame compare [OPTIONS] FILE...    reports side by side: what differs, and what\n"
	      "                                         follows (smtpblame compare --help)\n"
	      "  smtpblame watch   [OPTIONS] TARGET...  look again and again, print what changes\n"
	      "                                         (smtpblame watch --help)\n"
	      "  smtpblame serve   [OPTIONS]            exporter for Prometheus\n"
	      "                                         (smtpblame serve --help)\n\n"
	      "TARGET is a host name or an address ([v6] too); @DOMAIN or user@DOMAIN stands for the\n"
	      "mail exchangers of that domain. Needs root, or cap_net_raw and cap_net_admin.\n\n",
	      out);
	print_rows(&check_table, out);
	fputs("\nExit status: 0 every port open, 1 something is not, 4 not decided,\n"
	      "2 wrong usage or a target that does not resolve, 3 could not run.\n",
	      out);
}

void options_print_read_help(FILE *out)
{
	fputs("smtpblame read [OPTIONS] FILE... - judge every SMTP connection of captures\n\n"
	      "FILE is a pcap or pcapng file, also compressed (.gz, .zst, .xz); - is standard input.\n"
	      "Needs no privileges. Of two captures of the same traffic, taken at two places, it\n"
	      "compares the connections and says what changed in between.\n\n",
	      out);
	print_rows(&read_table, out);
	fputs("\nExit status: 0 every connection open, 1 something is not, 4 not decided,\n"
	      "2 wrong usage or nothing to read, 3 could not run.\n",
	      out);
}

void options_print_replay_help(FILE *out)
{
	fputs("smtpblame replay [OPTIONS] CASE... - the report of saved cases, derived again\n\n"
	      "CASE is a folder that --save has made: its packets and facts give the same report,\n"
	      "on any machine. Needs no privileges, and sends nothing.\n\n",
	      out);
	print_rows(&replay_table, out);
	fputs("\nExit status: as that of the run; the worst of several; 2 when a case can't be read.\n",
	      out);
}

void options_print_compare_help(FILE *out)
{
	fputs("smtpblame compare [OPTIONS] FILE... - reports side by side\n\n"
	      "FILE holds what check --json prints, of one target or many, from any machine; a folder\n"
	      "is a case that --save has made; - is standard input. Of each target that has two reports\n"
	      "at least it says where they differ, and where the block lies by what their ways share and\n"
	      "what not. Needs no privileges, and sends nothing.\n\n",
	      out);
	print_rows(&compare_table, out);
	fputs("\nExit status: the worst of the reports, as that of check; 2 wrong usage, a file that can't\n"
	      "be read, or nothing to compare.\n",
	      out);
}

void options_print_serve_help(FILE *out)
{
	fputs("smtpblame serve [OPTIONS] - exporter for Prometheus\n\n"
	      "GET /probe?target=HOST[&ports=25,587][&family=4|6] checks HOST and gives the verdict as\n"
	      "metrics; /metrics tells of the exporter itself. Probes are made side by side, and each\n"
	      "is answered before its scraper's timeout, decided or not.\n"
	      "Without --allow anybody on this machine may have any host probed; beyond this machine\n"
	      "--allow is needed. Needs root, or cap_net_raw and cap_net_admin.\n\n",
	      out);
	print_rows(&serve_table, out);
	fputs("\nExit status: 0 when a signal ended it, 2 wrong usage, 3 could not run.\n", out);
}

void options_print_watch_help(FILE *out)
{
	fputs("smtpblame watch [OPTIONS] TARGET... - look again and again, and say what changes\n\n"
	      "Prints the first look, then changes of state only, and at the end, which a signal brings,\n"
	      "what was seen of each port. Tells limits on connections, and blocks at certain hours of the\n"
	      "day. A look that decides nothing is no change unless three in a row are like that. Needs\n"
	      "root, or cap_net_raw and cap_net_admin.\n\n",
	      out);
	print_rows(&watch_table, out);
	fputs("\nExit status: that of the last look, as of check; 2 wrong usage, 3 could not run.\n", out);
}
