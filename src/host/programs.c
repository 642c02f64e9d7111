/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/programs.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/programs_private.h"

void programs_emit(const struct host_watch *w, host_emit *emit, void *arg)
{
	struct programs_look l = {.w = w, .emit = emit, .arg = arg};

	programs_cgroup(&l);
	programs_interfaces(&l);
	programs_links(&l);
}

/* ---- security modules ---- */

#ifndef SYS_lsm_list_modules
#define SYS_lsm_list_modules 461
#endif

/* First line of a file, clean; false when there is none. */
static bool read_line(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "re");
	char line[512] = "";
	/* without a module that answers, reading fails */
	bool ok = f && fgets(line, sizeof(line), f) && line[0] != '\0';

	if (f)
		fclose(f);
	watch_text(out, size, line, strcspn(line, "\n"));
	return ok;
}

/* linux/lsm.h (Linux 6.8): for where securityfs isn't mounted. */
static const char *const lsm_names[] = {
	"capability", "selinux",  "smack", "tomoyo",   "apparmor", "yama", "loadpin",
	"safesetid",  "lockdown", "bpf",   "landlock", "ima",      "evm",  "ipe"};
#define LSM_FIRST 100

static bool list_modules(char *out, size_t size)
{
	uint64_t ids[32];
	uint32_t room = sizeof(ids);
	long n = syscall(SYS_lsm_list_modules, ids, &room, 0);
	size_t len = 0;

	for (long i = 0; i < n && len < size; i++) {
		uint64_t which = ids[i] - LSM_FIRST;
		const char *comma = i ? "," : "";
		int more =
			which < sizeof(lsm_names) / sizeof(lsm_names[0])
				? snprintf(out + len, size - len, "%s%s", comma, lsm_names[which])
				: snprintf(out + len, size - len, "%slsm-%llu", comma,
					   (unsigned long long)ids[i]);
		len += (size_t)more;
	}
	return n > 0;
}

static bool has_module(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; (p = strstr(p, name)); p += len)
		if ((p == list || p[-1] == ',') && (p[len] == ',' || p[len] == '\0'))
			return true;
	return false;
}

bool programs_lsm(char *out, size_t size)
{
	char modules[256] = "", label[200], enforce[8], text[600];

	if (!read_line("/sys/kernel/security/lsm", modules, sizeof(modules)) &&
	    !list_modules(modules, sizeof(modules))) {
		snprintf(out, size, "%s", "");
		return false;
	}
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", modules);
	if (has_module(modules, "apparmor") &&
	    (read_line("/proc/self/attr/apparmor/current", label, sizeof(label)) ||
	     read_line("/proc/self/attr/current", label, sizeof(label))))
		len += (size_t)snprintf(text + len, sizeof(text) - len, "; AppArmor: %s", label);
	if (has_module(modules, "selinux") &&
	    read_line("/sys/fs/selinux/enforce", enforce, sizeof(enforce)) &&
	    read_line("/proc/self/attr/current", label, sizeof(label)))
		snprintf(text + len, sizeof(text) - len, "; SELinux, %s: %s",
			 strcmp(enforce, "1") == 0 ? "enforcing" : "permissive", label);
	snprintf(out, size, "%s", text);
	return true;
}
