/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/settings.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/sysctl.h"

/* A host of containers has an interface for each, and most systems set all of them to loose. */
#define INTERFACES_MAX 128

enum { RP_STRICT = 1, RP_LOOSE = 2 };

/* ---- one value --------------------------------------------------------------------------- */

bool sysctl_read(const char *path, char *out, size_t size)
{
	char file[160];
	ssize_t n = -1;

	if (snprintf(file, sizeof(file), "/proc/sys/%s", path) >= (int)sizeof(file))
		return false;
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, out, size - 1);
		close(fd);
	}
	if (n < 0)
		return false;
	while (n > 0 && out[n - 1] == '\n')
		n--;
	out[n] = '\0';
	return true;
}

int sysctl_of_interface(const char *family, const char *interface, const char *name)
{
	char path[128], value[32];

	snprintf(path, sizeof(path), "net/%s/conf/%s/%s", family, interface, name);
	return sysctl_read(path, value, sizeof(value)) ? atoi(value) : -1;
}

/* ---- records ----------------------------------------------------------------------------- */

struct sink {
	host_emit *emit;
	void *arg;
};

/* A path below /proc/sys in the words of sysctl(8): dots between the parts, and where a part (an
 * interface's name) has a dot of its own, a slash. */
static void name_of_path(const char *path, char *out, size_t size)
{
	char name[128];
	size_t n = 0;

	for (; path[n] && n + 1 < sizeof(name); n++)
		name[n] = path[n] == '/' ? '.' : path[n] == '.' ? '/' : path[n];
	watch_text(out, size, name, n);
}

static void emit_value(const struct sink *s, const char *path, const char *interface,
		       const char *value)
{
	struct host_record r = watch_record(HOST_SETTING);

	name_of_path(path, r.setting.name, sizeof(r.setting.name));
	watch_text(r.setting.value, sizeof(r.setting.value), value, strlen(value));
	watch_text(r.setting.interface, sizeof(r.setting.interface), interface, strlen(interface));
	s->emit(s->arg, &r);
}

/* With one blank where the kernel has a tab. Empty values say nothing. */
static void emit_file(const struct sink *s, const char *path)
{
	char value[256];

	if (!sysctl_read(path, value, sizeof(value)) || !value[0])
		return;
	for (char *c = value; *c; c++)
		if (*c == '\t')
			*c = ' ';
	emit_value(s, path, "", value);
}

static void emit_of_interface(const struct sink *s, const char *family, const char *whose,
			      const char *name, const char *interface, int value)
{
	char path[128], text[16];

	snprintf(path, sizeof(path), "net/%s/conf/%s/%s", family, whose, name);
	snprintf(text, sizeof(text), "%d", value);
	emit_value(s, path, interface, text);
}

/* ---- interfaces -------------------------------------------------------------------------- */

static bool is_up(int fd, const char *interface)
{
	struct ifreq r = {0};

	strncpy(r.ifr_name, interface, sizeof(r.ifr_name) - 1);
	return ioctl(fd, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_UP);
}

/* The kernel takes the larger of "all" and the interface's own (Documentation/networking/
 * ip-sysctl.rst). */
static void emit_rp_filters(const struct sink *s, const struct if_nameindex *list, int fd, int want,
			    unsigned *room)
{
	int all = sysctl_of_interface("ipv4", "all", "rp_filter");

	for (const struct if_nameindex *i = list; i->if_name && *room; i++) {
		int own = sysctl_of_interface("ipv4", i->if_name, "rp_filter");
		int force = own > all ? own : all;
		if (own < 0 || force != want || !is_up(fd, i->if_name))
			continue;
		emit_of_interface(s, "ipv4", own >= all ? i->if_name : "all", "rp_filter",
				  i->if_name, force);
		(*room)--;
	}
}

/* That of "all" is copied to every interface when it is set, and decides nothing afterwards: it is
 * told only where an interface follows it. */
static void emit_ipv6_off(const struct sink *s, const struct host_watch *w,
			  const struct if_nameindex *list, int fd)
{
	unsigned room = INTERFACES_MAX;

	for (const struct if_nameindex *i = list; i->if_name && room; i++) {
		bool ours = w->oif ? (int)i->if_index == w->oif
				   : strcmp(i->if_name, "lo") != 0 && is_up(fd, i->if_name);
		if (!ours || sysctl_of_interface("ipv6", i->if_name, "disable_ipv6") != 1)
			continue;
		emit_of_interface(s, "ipv6", i->if_name, "disable_ipv6", i->if_name, 1);
		room--;
	}
	if (room < INTERFACES_MAX && sysctl_of_interface("ipv6", "all", "disable_ipv6") == 1)
		emit_of_interface(s, "ipv6", "all", "disable_ipv6", "", 1);
}

static void emit_of_interfaces(const struct sink *s, const struct host_watch *w)
{
	struct if_nameindex *list = if_nameindex();
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned room = INTERFACES_MAX;

	if (!list || fd < 0)
		goto out;
	if (w->remote.family == ADDR_V6) { /* there is no such filter for IPv6 */
		emit_ipv6_off(s, w, list, fd);
		goto out;
	}
	emit_rp_filters(s, list, fd, RP_STRICT, &room); /* first: that one bites */
	emit_rp_filters(s, list, fd, RP_LOOSE, &room);
out:
	if (list)
		if_freenameindex(list);
	if (fd >= 0)
		close(fd);
}

/* ufw writes policies, too, which don't bear its name: is it on? */
void managers_emit(host_emit *emit, void *arg)
{
	struct host_record r = watch_record(HOST_SETTING);
	FILE *f = fopen("/etc/ufw/ufw.conf", "re");
	char line[128];
	bool on = false;

	if (!f)
		return;
	for (int i = 0; i < 200 && fgets(line, sizeof(line), f); i++)
		if (strncasecmp(line, "ENABLED=", 8) == 0)
			on = strncasecmp(line + 8 + strspn(line + 8, "\"'"), "yes", 3) == 0;
	fclose(f);
	if (!on)
		return;
	snprintf(r.setting.name, sizeof(r.setting.name), "firewall.ufw");
	snprintf(r.setting.value, sizeof(r.setting.value), "on");
	emit(arg, &r);
}

void settings_emit(const struct host_watch *w, host_emit *emit, void *arg)
{
	const struct sink s = {emit, arg};

	emit_of_interfaces(&s, w);
	emit_file(&s, "net/netfilter/nf_conntrack_count");
	emit_file(&s, "net/netfilter/nf_conntrack_max");
	emit_file(&s, "net/ipv4/ip_local_port_range");
	emit_file(&s, "net/ipv4/ip_local_reserved_ports");
}
