/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is left to a process that parses foreign bytes: no capability, no program to start, no file
 * but those that its task needs.
 *
 * Two nets of the kernel's, of which an older kernel may lack one: seccomp(2) lets system calls of a
 * list through and answers all others with EPERM; landlock(7) takes the file system away but for
 * what is named, and signals to other processes. Neither needs a privilege, and nothing takes them
 * back. They hold for the calling thread and for those that it starts: call it while there is one.
 */
#ifndef SB_RUN_SANDBOX_H
#define SB_RUN_SANDBOX_H

#include <stdbool.h>

#define SANDBOX_MAX_PATHS 16

enum sandbox_use {
	SANDBOX_CONNECT = 1, /* sockets, names, trust anchors */
	SANDBOX_LISTEN = 2,  /* accepts connections, too */
	SANDBOX_WRITE = 4,   /* creates and renames files beneath `write` */
};

struct sandbox {
	unsigned uses; /* enum sandbox_use; 0: reads and writes what is open already */
	const char *read[SANDBOX_MAX_PATHS];  /* files or folders beside the system's; NULL ends them */
	const char *write[SANDBOX_MAX_PATHS]; /* folders; NULL ends them */
};

struct sandbox_held {
	bool seccomp, landlock;
	char missing[200]; /* what does not hold, and why; "" when all does */
};

/* Sets no_new_privs, too. What this kernel can't do is no error: `held` says it. */
void sandbox_enter(const struct sandbox *s, struct sandbox_held *held);

#endif
