/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/iptables.h"

bool iptables_present(enum addr_family family)
{
	(void)family;
	return false;
}

int iptables_read(struct iptables **out, enum addr_family family, struct err *e)
{
	(void)out, (void)family;
	return err_set(e, ERR_RUN, "not written yet");
}

void iptables_free(struct iptables *t)
{
	(void)t;
}

void iptables_compare(const struct iptables *a, const struct iptables *b,
		      const struct host_watch *w, uint16_t dport, host_emit *emit, void *arg)
{
	(void)a, (void)b, (void)w, (void)dport, (void)emit, (void)arg;
}

void iptables_inspect(const struct iptables *t, const struct host_watch *w, host_emit *emit,
		      void *arg)
{
	(void)t, (void)w, (void)emit, (void)arg;
}
