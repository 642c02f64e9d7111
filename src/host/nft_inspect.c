/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/nft_inspect.h"

void nft_inspect(const struct host_watch *w, host_emit *emit, void *arg)
{
	(void)w, (void)emit, (void)arg;
}
