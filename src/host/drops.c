/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/drops.h"

int drops_open(struct drops **out, const struct host_watch *w, struct err *e)
{
	(void)w;
	*out = 0;
	return err_set(e, ERR_RUN, "not written yet");
}

void drops_close(struct drops *d)
{
	(void)d;
}

void drops_emit(struct drops *d, host_emit *emit, void *arg)
{
	(void)d, (void)emit, (void)arg;
}
