/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/client.h"

#define SERVERS_PORT 25 /* RFC 6409: between servers; mail programs submit elsewhere */

static const char *host_of(struct report *r)
{
	char text[ADDR_TEXT_MAX];

	return r->target_name ? r->target_name
			      : arena_strdup(&r->arena, addr_text(&r->target, text));
}

void client_settings(struct report *r, struct report_port *port)
{
	const struct report_smtp *s = &port->smtp;

	if (port->state != STATE_OPEN || !port->has_smtp || port->port == SERVERS_PORT)
		return;
	port->has_client = true;
	port->client = (struct report_client){
		.host = host_of(r),
		/* nobody said STARTTLS where TLS came first */
		.security = !s->has_tls ? "none" : s->starttls ? "starttls" : "ssl-tls",
		.certificate = !s->has_tls ? "none" : s->tls.verified ? "good" : "bad",
		.certificate_error = s->has_tls ? s->tls.error : NULL,
	};
}
