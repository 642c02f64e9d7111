/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/call.h"
#include "run/repeat.h"
#include "run/share.h"

/* ---- one after the other ---- */

static struct arena *arena_of(struct call *c)
{
	return c->arena ? c->arena : &c->opt.arena;
}

static int judge(struct call *c, const struct call_target *target, const struct addr *address,
		 const struct way *way, int64_t deadline, struct err *e)
{
	struct plan plan = call_plan(c, arena_of(c), target, address, way);
	struct saved_case saved, *save = c->store ? &saved : NULL;
	struct report *r = NULL;
	char line[160], text[ADDR_TEXT_MAX];

	saved_case_init(&saved);
	snprintf(line, sizeof(line), "%s %s ...", c->inspect ? "looking at" : "probing",
		 addr_text(address, text));
	call_progress(c, line);
	int failed = c->inspect		  ? run_inspect(c->live, &plan, deadline, save, &r, e)
		     : c->opt.repeat > 1 ? run_repeat(c->live, &plan, c->opt.repeat,
						      c->opt.interval_ns, deadline, &r, e)
					  : run_judge(c->live, &plan, deadline, save, &r, e);
	call_progress(c, "");
	if (!failed)
		failed = call_report(c, r, save, e);
	saved_case_clear(&saved);
	report_free(r);
	return failed;
}

static int judge_each_way(struct call *c, const struct call_target *target,
			  const struct addr *address, int64_t deadline, struct err *e)
{
	for (unsigned i = 0; i < call_n_ways(c); i++) {
		struct way way = call_way(c, i);
		if (addr_is_set(&way.source) && way.source.family != address->family)
			continue;
		if (judge(c, target, address, &way,
			  i ? clock_mono_ns() + c->opt.timeout_ns : deadline, e) != 0)
			return -1;
	}
	return 0;
}

static int judge_addresses(struct call *c, const struct call_target *target,
			   const struct resolved *all, int64_t deadline, struct err *e)
{
	struct resolved chosen;

	if (call_choose(&c->opt, all, &chosen) == 0) {
		call_target_failed(c, target->input, call_no_address(&c->opt, target->input));
		return 0;
	}
	for (unsigned i = 0; i < chosen.n; i++)
		if (judge_each_way(c, target, &chosen.addresses[i],
				   i ? clock_mono_ns() + c->opt.timeout_ns : deadline, e) != 0)
			return -1;
	return 0;
}

/* exchanger: the name is not what was typed, and is said when it fails. */
static int judge_name(struct call *c, struct call_target *target, bool exchanger,
		      int64_t deadline, struct err *e)
{
	struct resolved all = {0};
	struct err resolver;

	call_progress(c, "resolving ...");
	int failed = resolve_name(target->name, call_family(c), deadline, &all, &resolver);
	call_progress(c, "");
	if (failed) {
		call_unresolved(c, target->input, exchanger ? target->name : NULL, resolver.text);
		return 0;
	}
	target->address_words = call_address_words(arena_of(c), &all);
	return judge_addresses(c, target, &all, deadline, e);
}

/* The first exchanger that greets as a host which is none of them: do the others, too? */
static void keep_sibling(struct call *c, struct call_target *target, const struct dns_mx *mx)
{
	if (target->sibling || !strchr(c->greeted_as, '.'))
		return;
	for (unsigned i = 0; i < mx->n; i++)
		if (strcasecmp(mx->list[i].name, c->greeted_as) == 0)
			return;
	target->sibling = target->name;
	target->sibling_greeting = arena_strdup(arena_of(c), c->greeted_as);
	target->sibling_address = c->greeted_from;
}

/* Each exchanger of a domain in the order in which mail would try them. */
static int judge_domain(struct call *c, const char *input, const char *domain, int64_t deadline,
			struct err *e)
{
	struct call_target target = {.input = input, .domain = domain};
	struct err resolver;
	struct dns_mx mx;

	if (!c->dns && dns_open(&c->dns, NULL, e) != 0)
		return -1;
	call_progress(c, "looking up mail exchangers ...");
	int failed = dns_mx(c->dns, domain, deadline, &mx, &resolver);
	call_progress(c, "");
	if (failed) {
		call_no_exchangers(c, input, resolver.text);
		return 0;
	}
	call_check_exchangers(c, input, &mx);
	target.mx_words = call_mx_words(arena_of(c), &mx);
	target.mx_trust = mx.trust;
	for (unsigned i = 0; i < mx.n; i++) {
		target.name = arena_strdup(arena_of(c), mx.list[i].name);
		c->greeted_as[0] = '\0';
		if (judge_name(c, &target, true,
			       i ? clock_mono_ns() + c->opt.timeout_ns : deadline, e) != 0)
			return -1;
		keep_sibling(c, &target, &mx);
	}
	return 0;
}

static int judge_target(struct call *c, const char *raw, struct err *e)
{
	const char *input = text_clean(arena_of(c), raw, strlen(raw), CALL_TARGET_MAX);
	struct call_target target = {.input = input};
	const char *why = call_why_no_target(raw), *at = strrchr(raw, '@');
	int64_t deadline = clock_mono_ns() + c->opt.timeout_ns;
	struct resolved all = {.n = 1};

	if (why) {
		call_target_failed(c, input, why);
		return 0;
	}
	if (call_is_address(raw, &all.addresses[0]))
		return judge_addresses(c, &target, &all, deadline, e);
	if (at)
		return judge_domain(c, input, arena_strdup(arena_of(c), at + 1), deadline, e);
	target.name = input;
	return judge_name(c, &target, false, deadline, e);
}

int call_in_turn(struct call *c, struct err *e)
{
	for (unsigned i = 0; i < c->opt.n_targets; i++)
		if (judge_target(c, c->opt.targets[i], e) != 0 || call_compare(c, e) != 0)
			return -1;
	return 0;
}

/* ---- the verb ---- */

/* The case belongs to the user as whom the program runs, or who has called it by sudo(8). */
static int create_store(struct call *c, struct err *e)
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

int call_open(struct call *c, unsigned uses, struct err *e)
{
	const struct options *o = &c->opt;
	struct live_options live = {
		.netns = o->netns,
		.write_file = o->write_file,
		.save = o->save_dir != NULL,
		.ca_file = o->ca_file,
		.user = &c->user,
		.inspect = c->inspect,
		.many = call_concurrency(c) > 1,
		.lasting = uses & SANDBOX_LISTEN,
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
	for (unsigned i = 0; i < o->n_sources; i++)
		if (run_check_source(c->live, &o->sources[i], c->source_link[i], e) != 0)
			return -1;
	struct sandbox sandbox = {.uses = uses, .read = {o->ca_file}};
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

void call_close(struct call *c)
{
	page_close(&c->page);
	explicit_bzero(c->password, sizeof(c->password));
	dns_close(c->dns);
	views_clear(&c->views);
	run_free(c->live);
	case_store_free(c->store);
	nagios_free(c->nagios);
	options_clear(&c->opt);
}

/* The plugin's answer, also where there was no run: its host reads standard output only. */
static int answer_nagios(const struct call *c, int result, int *status, const struct err *e)
{
	int answer = result == 0 ? nagios_finish(c->nagios, stdout) : nagios_failed(e->text, stdout);

	*status = answer < 0 ? NAGIOS_UNKNOWN : answer;
	return 0;
}

static int targets_main(bool inspect, int argc, char **argv, int *status, struct err *e)
{
	struct call c = {.inspect = inspect};
	int result = -1;

	if (options_parse(&c.opt, argc, argv, e) != 0) {
		/* the option may stand behind the mistake */
		for (int i = 1; i < argc && !inspect; i++)
			c.opt.nagios |= strcmp(argv[i], "--nagios") == 0;
		goto out;
	}
	if (c.opt.help || c.opt.version) {
		c.opt.nagios = false;
		if (c.opt.help)
			options_print_help(stdout);
		else
			puts("smtpblame " SMTPBLAME_VERSION);
		*status = 0;
		result = 0;
		goto out;
	}
	if (inspect && (c.opt.ticket || c.opt.nagios)) {
		err_set(e, ERR_USAGE, "--%s tells what was measured: it is for check",
			c.opt.ticket ? "ticket" : "nagios");
		c.opt.nagios = false;
		goto out;
	}
	c.nagios = c.opt.nagios ? nagios_new() : NULL;
	c.compare = !inspect && !c.nagios && (call_n_ways(&c) > 1 || (c.opt.only_v4 && c.opt.only_v6));
	c.views.ways = true;
	if (c.opt.auth_user && password_read(c.password, c.opt.auth_user, c.opt.password_file,
					     c.opt.password_fd, e) != 0)
		goto out;
	gethostname(c.hostname, sizeof(c.hostname) - 1);
	c.progress = !c.opt.no_progress && isatty(STDERR_FILENO) &&
		     !(c.opt.json && isatty(STDOUT_FILENO));
	if (page_open(&c.page, c.opt.html_file, e) != 0 || call_open(&c, SANDBOX_CONNECT, e) != 0)
		goto out;
	if (call_concurrency(&c) > 1 ? call_in_crowd(&c, e) : call_in_turn(&c, e))
		goto out;
	*status = c.status;
	result = page_write(&c.page, e) != 0 || run_finish(c.live, e) != 0 ? -1 : call_saved(&c, e);
out:
	if (c.opt.nagios)
		result = answer_nagios(&c, result, status, e);
	call_close(&c);
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
