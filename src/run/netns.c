/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

/* A mount namespace of our own, so that nobody else sees what is bound over /etc. */
static void bind_etc_files(const char *name)
{
	static const char *const files[] = {"resolv.conf", "hosts", "nsswitch.conf"};
	bool own_mounts = false;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char from[512], to[64];
		snprintf(from, sizeof(from), "/etc/netns/%s/%s", name, files[i]);
		snprintf(to, sizeof(to), "/etc/%s", files[i]);
		if (access(from, R_OK) != 0)
			continue;
		if (!own_mounts && (unshare(CLONE_NEWNS) != 0 ||
				    mount("", "/", "none", MS_SLAVE | MS_REC, NULL) != 0))
			return; /* the names then resolve as outside: worth no failure */
		own_mounts = true;
		mount(from, to, "none", MS_BIND, NULL);
	}
}

int netns_enter(const char *name_or_pid, struct err *e)
{
	char path[512];
	bool plain = name_or_pid[0] && !strchr(name_or_pid, '/') && name_or_pid[0] != '.';
	int fd = -1;

	if (!plain)
		return err_set(e, ERR_USAGE, "--netns '%s': neither a name nor a PID", name_or_pid);
	snprintf(path, sizeof(path), "/run/netns/%s", name_or_pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	bool by_name = fd >= 0;
	if (fd < 0 && errno == ENOENT && is_number(name_or_pid)) {
		snprintf(path, sizeof(path), "/proc/%s/ns/net", name_or_pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return err_set(e, ERR_RUN, "--netns %s: %s: run it as root", name_or_pid,
			       strerror(errno));
	if (fd < 0)
		return err_set(e, ERR_USAGE, "--netns %s: there is no such network namespace%s",
			       name_or_pid, is_number(name_or_pid) ? " and no such process" : "");
	int failed = setns(fd, CLONE_NEWNET) != 0 ? errno : 0;
	close(fd);
	if (failed == EPERM)
		return err_set(e, ERR_RUN,
			       "--netns %s: entering it needs CAP_SYS_ADMIN: run it as root",
			       name_or_pid);
	if (failed)
		return err_set(e, ERR_USAGE, "--netns %s: %s", name_or_pid, strerror(failed));
	if (by_name)
		bind_etc_files(name_or_pid);
	return 0;
}
