/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/live.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "run/netns.h"
#include "run/target.h"

static void *close_sender(void *sender)
{
	path_sender_free(sender);
	return NULL;
}

static void *warm_up_tls(void *probers)
{
	prober_share_warm_up(probers);
	return NULL;
}

/* Rules and routes match the user of a raw socket as it was when that was made. */
static int open_sender(struct live *l, struct err *e)
{
	const struct run_user *user = l->opt.user;

	if (user && user->name) {
		setfsgid(user->gid);
		setfsuid(user->uid);
	}
	int failed = path_sender_new(&l->sender, e);
	setfsuid(geteuid());
	setfsgid(getegid());
	return failed;
}

int run_open(struct live **out, const struct live_options *opt, struct err *e)
{
	struct live *l = xcalloc(1, sizeof(*l));
	pthread_t warm_up;

	l->opt = *opt;
	if (opt->netns && netns_enter(opt->netns, e) != 0)
		goto out;
	/* a copy of this process while it is small and has no thread */
	struct err no_agent;
	if (agent_start(&l->agent, &no_agent) != 0)
		l->agent = NULL;
	/* joined before privileges are dropped: they belong to each thread */
	if (!opt->inspect && prober_share_new(&l->probers, opt->ca_file, e) != 0)
		goto out;
	bool warming =
		!opt->inspect && pthread_create(&warm_up, NULL, warm_up_tls, l->probers) == 0;
	const struct capture_room *room = !opt->many ? &capture_room_one
					  : opt->lasting ? &capture_room_lasting
					  : opt->write_file || opt->save ? &capture_room_many_whole
									 : &capture_room_many;
	int opened = host_open(&l->host, e) == 0 &&
		     (opt->inspect || capture_open_live(&l->capture, room, e) == 0);
	if (warming)
		pthread_join(warm_up, NULL);
	if (!opened)
		goto out;
	struct err raw;
	if (!opt->inspect && open_sender(l, &raw) != 0)
		snprintf(l->no_sender, sizeof(l->no_sender), "path: %.180s", raw.text);
	if (asn_db_open(&l->asn_db, opt->asn_db, e) != 0)
		goto out;
	if (opt->save && l->capture)
		capture_keep_frames(l->capture);
	if (opt->write_file && l->capture && capture_write_to(l->capture, opt->write_file, e) != 0)
		goto out;
	*out = l;
	return 0;
out:
	run_free(l);
	return -1;
}

void run_free(struct live *l)
{
	if (!l)
		return;
	agent_end(l->agent);
	/* closing a packet socket waits for the kernel (RCU) some 20 ms each: the two at once */
	pthread_t closing;
	bool beside = l->sender && pthread_create(&closing, NULL, close_sender, l->sender) == 0;
	capture_free(l->capture);
	if (beside)
		pthread_join(closing, NULL);
	else
		path_sender_free(l->sender);
	agent_stop(l->agent);
	prober_share_free(l->probers);
	host_free(l->host);
	asn_db_close(l->asn_db);
	dns_close(l->dns);
	free(l);
}

int run_finish(struct live *l, struct err *e)
{
	if (!l->capture)
		return 0;
	return capture_stop(l->capture, e) != 0 ? -1 : capture_written(l->capture, e);
}

int run_find_user(const char *name, struct run_user *out, struct err *e)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);
	const struct passwd *p = getpwnam(name);

	if (!p && name[0] >= '0' && name[0] <= '9' && !*end && number < UINT32_MAX) {
		p = getpwuid((uid_t)number);
		*out = (struct run_user){name, (uid_t)number, p ? p->pw_gid : (gid_t)number};
		return 0;
	}
	if (!p)
		return err_set(e, ERR_USAGE, "--uid '%.60s': there is no such user", name);
	*out = (struct run_user){name, p->pw_uid, p->pw_gid};
	return 0;
}

static int become_user(const struct run_user *user, struct err *e)
{
	const struct passwd *p = getpwuid(user->uid);
	int failed = p ? initgroups(p->pw_name, user->gid) : setgroups(0, NULL);

	if (failed || setresgid(user->gid, user->gid, user->gid) != 0 ||
	    setresuid(user->uid, user->uid, user->uid) != 0)
		return err_set(e, ERR_RUN, "--uid %s: %s: needs root, or CAP_SETUID and CAP_SETGID",
			       user->name, strerror(errno));
	return 0;
}

int run_drop_privileges(const struct run_user *user, const struct sandbox *sandbox,
			struct sandbox_held *held, struct err *e)
{
	if (user->name && become_user(user, e) != 0)
		return -1;
	cap_t none = cap_init();
	bool ok = none && cap_set_proc(none) == 0;
	int failed = errno;

	if (none)
		cap_free(none);
	if (!ok)
		return err_set(e, ERR_RUN, "cannot give up capabilities: %s", strerror(failed));
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (sandbox)
		sandbox_enter(sandbox, held);
	return 0;
}

#define NOBODY 65534

int run_become_nobody(struct sandbox_held *held, struct err *e)
{
	const struct run_user as_caller = {0};
	const struct sandbox sandbox = {0};

	/* a container may know no other user: then it stays root without capabilities */
	if (geteuid() == 0 && setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0)
		(void)!setresuid(NOBODY, NOBODY, NOBODY);
	return run_drop_privileges(&as_caller, &sandbox, held, e);
}

int run_check_interface(struct live *l, const char *name, struct err *e)
{
	struct host_link link;

	return host_get_link(l->host, 0, name, &link, e);
}

int run_check_source(struct live *l, const struct addr *a, char link_name[IFNAMSIZ], struct err *e)
{
	bool yes = false;
	char text[ADDR_TEXT_MAX];
	struct host_link link;
	struct err ignored;
	int ifindex;

	link_name[0] = '\0';
	if (host_has_address(l->host, a, &yes, &ifindex, e) != 0)
		return -1;
	/* what stands on lo or a dummy is meant for every interface */
	if (ifindex && host_get_link(l->host, ifindex, NULL, &link, &ignored) == 0 && !link.loopback &&
	    strcmp(link.kind, "dummy") != 0)
		memcpy(link_name, link.name, IFNAMSIZ);
	return yes ? 0
		   : err_set(e, ERR_USAGE, "source address %s is not one of this host's",
			     addr_text(a, text));
}

int run_inspect(struct live *l, const struct plan *plan, int64_t deadline_ns,
		struct saved_case *saved, struct report **out, struct err *e)
{
	struct run *r = xcalloc(1, sizeof(*r));
	struct event end = {.kind = EV_RUN_END};

	(void)e; /* what can't be looked at is part of the report */
	target_init(r, l, plan, deadline_ns);
	look_at_host(r);
	look_for_mark_rules(r, UINT32_MAX);
	if (l->agent) {
		look_for_rules(r);
	} else {
		struct host_record none = {.t_ns = clock_wall_ns(), .kind = HOST_NOT_LOOKED};
		none.not_looked.what = HOST_LOOK_RULES;
		snprintf(none.not_looked.why, sizeof(none.not_looked.why),
			 "no process could be made");
		event_log_add_host(&r->log, &none);
	}
	look_add(r, &end);
	*out = diag_judge(plan, &r->log, true, l->opt.tool_version);
	if (saved) {
		target_save(r, saved);
		saved->inspect = true;
	}
	target_clear(r);
	free(r);
	return 0;
}
