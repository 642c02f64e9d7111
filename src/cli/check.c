/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/page.h"
#include "cli/password.h"
#include "cli/save.h"
#include "report/render.h"
#include "run/dns.h"
#include "run/live.h"
#include "run/repeat.h"
#include "run/resolve.h"
#include "run/share.h"

#define TARGET_TEXT_MAX 300 /* RFC 1035: a name has 253 characters at most */

struct check {
	struct options opt;
	bool inspect; /* the verb: no packet is to be sent */
	struct run_user user;
	struct sandbox_held sandbox;
	char password[PASSWORD_MAX];
	struct live *live;
	struct case_store *store; /* NULL: nothing is saved */
	struct signatures signatures;
	struct dns *dns; /* opened with the first target that needs it */
	/* what the DNS said on the way to the target that comes next; NULL: nothing */
	const char *domain, *mx_words, *address_words;
	enum dns_trust mx_trust;
	char hostname[256];
	struct page_file page; /* --html */
	bool progress;
	unsigned n_reports;
	int status;
};

/* ---- output ---- */

static void target_failed(struct check *c, const char *input, const char *why)
{
	fprintf(stderr, "smtpblame: %s: %s\n", input, why);
	if (c->opt.json) {
		render_json_error(input, why, stdout);
		fflush(stdout);
	}
	if (c->page.page)
		html_add_error(c->page.page, input, why);
	c->status = exit_status_worse(c->status, ERR_USAGE);
}

static void progress(const struct check *c, const char *what)
{
	if (!c->progress)
		return;
	fprintf(stderr, "\r\033[K%s", what);
	fflush(stderr);
}

/* ---- plan ---- */

static void add_port(struct plan *plan, uint16_t port, bool tested, bool tls)
{
	for (unsigned i = 0; i < plan->n_ports; i++)
		if (plan->ports[i].port == port)
			return;
	if (plan->n_ports == PLAN_MAX_PORTS)
		return;
	plan->ports[plan->n_ports++] = (struct plan_port){
		.port = port, .tested = tested, .implicit_tls = tls};
}

/* "mx.example.net." is absolute for a resolver; certificates, SNI and mail programs know no such dot. */
static const char *host_name(struct check *c, const char *name)
{
	size_t len = strlen(name);

	return len > 1 && name[len - 1] == '.' ? arena_strndup(&c->opt.arena, name, len - 1) : name;
}

static struct plan make_plan(struct check *c, const char *input, const char *name,
			     const struct addr *address, const char *interface)
{
	struct plan plan = {
		.input = input,
		.name = name ? host_name(c, name) : NULL,
		.target = *address,
		.interface = interface,
		.domain = c->domain,
		.mx_words = c->mx_words,
		.mx_trust = c->mx_trust,
		.address_words = name ? c->address_words : NULL,
		.source = c->opt.source,
		.netns = c->opt.netns,
		.hostname = c->hostname,
		.timeout_ns = c->opt.timeout_ns,
		.no_path = c->opt.no_path,
		.no_inject = c->opt.no_inject,
		.no_canary = c->opt.no_canary,
		.no_trace = c->opt.no_trace,
		.ehlo_name = c->opt.ehlo_name,
		.signatures = c->signatures,
		.starttls_required = c->opt.starttls_required,
		.auth_user = c->opt.auth_user,
		.auth_secret = c->opt.auth_user ? c->password : NULL,
		.expect_banner = c->opt.expect_banner,
		.expect_banner_regex = c->opt.expect_banner_regex,
		.expect_name = c->opt.expect_name,
		.mail_from = c->opt.mail_from,
		.rcpt_to = c->opt.rcpt_to,
		.user = c->user.name,
		.packets = c->page.page != NULL,
		.sandbox = c->sandbox.missing[0] ? c->sandbox.missing : NULL,
		.max_hops = c->opt.max_hops < PLAN_MAX_HOPS ? c->opt.max_hops : PLAN_MAX_HOPS,
	};

	for (unsigned i = 0; i < c->opt.tested.n; i++)
		add_port(&plan, c->opt.tested.ports[i], true, c->opt.tested.tls[i]);
	for (unsigned i = 0; i < c->opt.control.n; i++)
		add_port(&plan, c->opt.control.ports[i], false, false);
	return plan;
}

/* ---- targets ---- */

static int judge(struct check *c, const char *input, const char *name, const struct addr *address,
		 const char *interface, int64_t deadline, struct err *e)
{
	struct plan plan = make_plan(c, input, name, address, interface);
	struct saved_case saved, *save = c->store ? &saved : NULL;
	struct report *r = NULL;
	char line[160], text[ADDR_TEXT_MAX];

	saved_case_init(&saved);
	snprintf(line, sizeof(line), "%s %s ...", c->inspect ? "looking at" : "probing",
		 addr_text(address, text));
	progress(c, line);
	int failed = c->inspect		  ? run_inspect(c->live, &plan, deadline, save, &r, e)
		     : c->opt.repeat > 1 ? run_repeat(c->live, &plan, c->opt.repeat,
						      c->opt.interval_ns, deadline, &r, e)
					  : run_judge(c->live, &plan, deadline, save, &r, e);
	progress(c, "");
	if (!failed) {
		c->status = exit_status_worse(c->status, report_exit_status(r));
		failed = output_report(&c->opt, r, c->n_reports++ == 0, e);
		if (c->page.page)
			html_add(c->page.page, r);
	}
	if (!failed && save)
		failed = c->opt.redact ? save_redacted(c->store, save, r, NULL, e)
				       : save_case(c->store, save, r, e);
	saved_case_clear(&saved);
	report_free(r);
	return failed;
}

static int judge_each_way(struct check *c, const char *input, const char *name,
			  const struct addr *address, int64_t deadline, struct err *e)
{
	const struct options *o = &c->opt;

	if (o->n_interfaces == 0)
		return judge(c, input, name, address, NULL, deadline, e);
	for (unsigned i = 0; i < o->n_interfaces; i++)
		if (judge(c, input, name, address, o->interfaces[i],
			  i ? clock_mono_ns() + o->timeout_ns : deadline, e) != 0)
			return -1;
	return 0;
}

/* The first of each family, unless all are asked for; only what the source address can reach. */
static unsigned choose(const struct options *o, const struct resolved *all, struct resolved *out)
{
	bool have[2] = {false, false};

	out->n = 0;
	for (unsigned i = 0; i < all->n; i++) {
		const struct addr *a = &all->addresses[i];
		bool v6 = a->family == ADDR_V6;
		if ((o->only_v4 && v6) || (o->only_v6 && !v6) || (have[v6] && !o->all_addresses) ||
		    (addr_is_set(&o->source) && o->source.family != a->family))
			continue;
		have[v6] = true;
		out->addresses[out->n++] = *a;
	}
	return out->n;
}

/* A domain whose exchangers can be looked up, or an address in brackets. */
static const char *why_no_domain(const char *domain)
{
	if (*domain == '\0')
		return "no domain after the @";
	for (const char *p = domain; *p; p++)
		if ((unsigned char)*p >= 0x80)
			return "give the domain in its ASCII form (xn--...)";
	return NULL;
}

/* What no name and no address looks like, before a resolver is bothered with it. */
static const char *why_no_target(const char *input)
{
	const char *at = strchr(input, '@');
	size_t len = strlen(input);

	if (len == 0)
		return "an empty target";
	if (len > TARGET_TEXT_MAX || strpbrk(input, " \t\r\n/\\\"'<>|;"))
		return "neither a host name nor an address";
	if (at && strchr(at + 1, '@'))
		return "more than one @";
	return at ? why_no_domain(at + 1) : NULL;
}

static int judge_addresses(struct check *c, const char *input, const char *name,
			   const struct resolved *all, int64_t deadline, struct err *e)
{
	struct resolved chosen;

	if (choose(&c->opt, all, &chosen) == 0) {
		target_failed(c, input, "it has no address of the family that was asked for");
		return 0;
	}
	for (unsigned i = 0; i < chosen.n; i++)
		if (judge_each_way(c, input, name, &chosen.addresses[i],
				   i ? clock_mono_ns() + c->opt.timeout_ns : deadline, e) != 0)
			return -1;
	return 0;
}

static const char *address_words(struct arena *a, const struct resolved *all)
{
	char text[ADDR_TEXT_MAX];
	const char *out = "";

	for (unsigned i = 0; i < all->n; i++)
		out = arena_printf(a, "%s%s%s", out, i ? ", " : "", addr_text(&all->addresses[i], text));
	return out;
}

static const char *mx_words(struct arena *a, const struct dns_mx *mx)
{
	const char *out = "";

	if (mx->implicit)
		return "none: the domain's own host takes its mail";
	for (unsigned i = 0; i < mx->n; i++)
		out = arena_printf(a, "%s%s%u %s", out, i ? ", " : "", mx->list[i].preference,
				   mx->list[i].name);
	return out;
}

/* exchanger: the name is not what was typed, and is said when it fails. */
static int judge_name(struct check *c, const char *input, const char *name, bool exchanger,
		      int64_t deadline, struct err *e)
{
	const struct options *o = &c->opt;
	enum addr_family family = o->only_v4 ? ADDR_V4 : o->only_v6 ? ADDR_V6 : ADDR_NONE;
	char text[sizeof(e->text) + DNS_NAME_MAX + 60];
	struct resolved all = {0};
	struct err resolver;

	progress(c, "resolving ...");
	int failed = resolve_name(name, family, deadline, &all, &resolver);
	progress(c, "");
	if (failed) {
		snprintf(text, sizeof(text), "%s%scannot be resolved: %s",
			 exchanger ? name : "", exchanger ? " " : "", resolver.text);
		target_failed(c, input, text);
		return 0;
	}
	c->address_words = address_words(&c->opt.arena, &all);
	return judge_addresses(c, input, name, &all, deadline, e);
}

/* Each exchanger of a domain in the order in which mail would try them. */
static int judge_domain(struct check *c, const char *input, const char *domain, int64_t deadline,
			struct err *e)
{
	char text[sizeof(e->text) + 40];
	struct err resolver;
	struct dns_mx mx;

	if (!c->dns && dns_open(&c->dns, NULL, e) != 0)
		return -1;
	progress(c, "looking up mail exchangers ...");
	int failed = dns_mx(c->dns, domain, deadline, &mx, &resolver);
	progress(c, "");
	if (failed) {
		snprintf(text, sizeof(text), "no mail exchangers: %s", resolver.text);
		target_failed(c, input, text);
		return 0;
	}
	if (mx.unusable > 0 || mx.left_out > 0) {
		snprintf(text, sizeof(text), "%u of its exchangers are no host names, %u too many",
			 mx.unusable, mx.left_out);
		target_failed(c, input, text);
	}
	c->domain = arena_strdup(&c->opt.arena, domain);
	c->mx_words = mx_words(&c->opt.arena, &mx);
	c->mx_trust = mx.trust;
	for (unsigned i = 0; i < mx.n; i++) {
		const char *name = arena_strdup(&c->opt.arena, mx.list[i].name);
		if (judge_name(c, input, name, true,
			       i ? clock_mono_ns() + c->opt.timeout_ns : deadline, e) != 0)
			return -1;
	}
	return 0;
}

static int judge_target(struct check *c, const char *raw, struct err *e)
{
	const char *input = text_clean(&c->opt.arena, raw, strlen(raw), TARGET_TEXT_MAX);
	const char *why = why_no_target(raw), *at = strrchr(raw, '@');
	int64_t deadline = clock_mono_ns() + c->opt.timeout_ns;
	struct resolved all = {.n = 1};

	c->domain = c->mx_words = c->address_words = NULL;
	if (why) {
		target_failed(c, input, why);
		return 0;
	}
	/* user@[192.0.2.25] is that address (RFC 5321 section 4.1.3) */
	if (addr_parse(&all.addresses[0], at && at[1] == '[' ? at + 1 : raw))
		return judge_addresses(c, input, NULL, &all, deadline, e);
	if (at)
		return judge_domain(c, input, at + 1, deadline, e);
	return judge_name(c, input, input, false, deadline, e);
}

/* ---- the verb ---- */

/* The case belongs to the user as whom the program runs, or who has called it by sudo(8). */
static int create_store(struct check *c, struct err *e)
{
	const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
	uid_t owner = (uid_t)-1;
	gid_t group = (gid_t)-1;

	if (c->user.name) {
		owner = c->user.uid;
		group = c->user.gid;
	} else if (geteuid() == 0 && uid && gid) {
		owner = (uid_t)strtoul(uid, NULL, 10);
		group = (gid_t)strtoul(gid, NULL, 10);
	}
	return case_store_create(&c->store, c->opt.save_dir, owner, group, e);
}

static int open_live(struct check *c, struct err *e)
{
	const struct options *o = &c->opt;
	struct live_options live = {
		.netns = o->netns,
		.write_file = o->write_file,
		.save = o->save_dir != NULL,
		.ca_file = o->ca_file,
		.user = &c->user,
		.inspect = c->inspect,
		.asn_db = o->asn_db,
		.tool_version = SMTPBLAME_VERSION,
	};

	if (o->ca_file && access(o->ca_file, R_OK) != 0)
		return err_set(e, ERR_USAGE, "--ca-file %s: %s", o->ca_file, strerror(errno));
	if (o->user && run_find_user(o->user, &c->user, e) != 0)
		return -1;
	if (share_load_signatures(&c->signatures, &c->opt.arena, e) != 0)
		return -1;
	if (o->save_dir && create_store(c, e) != 0)
		return -1;
	if (run_open(&c->live, &live, e) != 0)
		return -1;
	for (unsigned i = 0; i < o->n_interfaces; i++)
		if (run_check_interface(c->live, o->interfaces[i], e) != 0)
			return -1;
	if (addr_is_set(&o->source) && run_check_source(c->live, &o->source, e) != 0)
		return -1;
	struct sandbox sandbox = {.uses = SANDBOX_CONNECT, .read = {o->ca_file}};
	if (c->store) {
		sandbox.uses |= SANDBOX_WRITE;
		sandbox.write[0] = o->save_dir;
		if (!c->user.name && case_store_keep_owner(c->store, e) != 0)
			return -1;
	}
	if (run_drop_privileges(&c->user, o->no_sandbox ? NULL : &sandbox, &c->sandbox, e) != 0)
		return -1;
	if (o->no_sandbox)
		snprintf(c->sandbox.missing, sizeof(c->sandbox.missing), "turned off by --no-sandbox");
	return c->store ? case_store_check(c->store, e) : 0;
}

static int targets_main(bool inspect, int argc, char **argv, int *status, struct err *e)
{
	struct check c = {.inspect = inspect};
	int result = -1;

	if (options_parse(&c.opt, argc, argv, e) != 0)
		goto out;
	if (c.opt.help || c.opt.version) {
		if (c.opt.help)
			options_print_help(stdout);
		else
			puts("smtpblame " SMTPBLAME_VERSION);
		*status = 0;
		result = 0;
		goto out;
	}
	if (inspect && c.opt.ticket) {
		err_set(e, ERR_USAGE, "--ticket tells what was measured: it is for check");
		goto out;
	}
	if (c.opt.auth_user && password_read(c.password, c.opt.auth_user, c.opt.password_file,
					     c.opt.password_fd, e) != 0)
		goto out;
	gethostname(c.hostname, sizeof(c.hostname) - 1);
	c.progress = !c.opt.no_progress && isatty(STDERR_FILENO) && !c.opt.json;
	if (page_open(&c.page, c.opt.html_file, e) != 0 || open_live(&c, e) != 0)
		goto out;
	for (unsigned i = 0; i < c.opt.n_targets; i++)
		if (judge_target(&c, c.opt.targets[i], e) != 0)
			goto out;
	*status = c.status;
	result = page_write(&c.page, e) != 0 ? -1 : run_finish(c.live, e);
out:
	page_close(&c.page);
	explicit_bzero(c.password, sizeof(c.password));
	dns_close(c.dns);
	run_free(c.live);
	case_store_free(c.store);
	options_clear(&c.opt);
	return result;
}

int check_main(int argc, char **argv, int *status, struct err *e)
{
	return targets_main(false, argc, argv, status, e);
}

int inspect_main(int argc, char **argv, int *status, struct err *e)
{
	return targets_main(true, argc, argv, status, e);
}
