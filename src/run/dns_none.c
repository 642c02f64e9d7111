/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Without libunbound: nobody is asked, and nothing is claimed. */
#include "run/dns.h"

#ifndef SMTPBLAME_DNS

#define WHY "the DNS can't be asked about mail: not built in (libunbound)"

int dns_open(struct dns **out, const char *anchor_file, struct err *e)
{
	(void)anchor_file;
	*out = NULL;
	return err_set(e, ERR_RUN, WHY);
}

void dns_close(struct dns *d)
{
	(void)d;
}

/* dns_open() gives nothing to call the rest with. */
int dns_mx(struct dns *d, const char *domain, int64_t deadline_ns, struct dns_mx *out, struct err *e)
{
	(void)d, (void)domain, (void)deadline_ns;
	*out = (struct dns_mx){0};
	return err_set(e, ERR_RUN, WHY);
}

enum dns_status dns_explain(struct dns *d, const char *name, int64_t deadline_ns, char *why,
			    size_t why_size)
{
	(void)d, (void)name, (void)deadline_ns, (void)why_size;
	why[0] = '\0';
	return DNS_FAILED;
}

struct dns_pending *dns_begin(struct dns *d, const struct dns_question *q)
{
	(void)d, (void)q;
	return NULL;
}

bool dns_step(struct dns *d, struct dns_pending *p)
{
	(void)d, (void)p;
	return true;
}

void dns_end(struct dns *d, struct dns_pending *p, struct dns_facts *out)
{
	(void)d, (void)p;
	*out = (struct dns_facts){0};
}

#endif
