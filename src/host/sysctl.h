/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside host/: one sysctl of this namespace. */
#ifndef SB_HOST_SYSCTL_H
#define SB_HOST_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>

/* path: below /proc/sys. The kernel's own bytes, cut at size, without the line's end. */
bool sysctl_read(const char *path, char *out, size_t size);

/* net/FAMILY/conf/INTERFACE/NAME; family "ipv4" or "ipv6". -1: there is no such value. */
int sysctl_of_interface(const char *family, const char *interface, const char *name);

#endif
