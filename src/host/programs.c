/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/programs.h"

#include "host/programs_private.h"

void programs_emit(const struct host_watch *w, host_emit *emit, void *arg)
{
	struct programs_look l = {.w = w, .emit = emit, .arg = arg};

	programs_cgroup(&l);
	programs_interfaces(&l);
	programs_links(&l);
}
