/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/nft_text.h"

int nft_text_fill(struct host_rule *r, struct err *e)
{
	(void)r;
	return err_set(e, ERR_RUN, "not written yet");
}
