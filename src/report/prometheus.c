/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reports as metrics, for a Prometheus server that asks about one target.
 *
 * Gauges only, so that one text is right in both formats that servers ask for: the text format
 * 0.0.4 and OpenMetrics 1.0. All samples of a metric stand together, whatever report they are of.
 * Labels have few values each: words of the contract, ports, addresses of the target and of the hop
 * that is named. What a server said is none.
 */
#include <math.h>
#include <string.h>

#include "report/render.h"

/* An address, which has no such bytes, needs none of it: the words of the contract neither; but
 * they are foreign to this file. */
static void put_value(FILE *out, const char *s)
{
	for (; s && *s; s++) {
		if (*s == '\\' || *s == '"')
			fputc('\\', out);
		if (*s == '\n')
			fputs("\\n", out);
		else
			fputc(*s, out);
	}
}

static void put_label(FILE *out, const char *name, const char *value, bool first)
{
	fprintf(out, "%s%s=\"", first ? "{" : ",", name);
	put_value(out, value);
	fputc('"', out);
}

static void head(FILE *out, const char *name, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void put_number(FILE *out, double value)
{
	if (isnan(value))
		fputs("} NaN\n", out);
	else
		fprintf(out, "} %.9g\n", value);
}

static void begin_port(FILE *out, const char *metric, const struct report *r,
		       const struct report_port *p)
{
	char text[ADDR_TEXT_MAX], port[8];

	snprintf(port, sizeof(port), "%u", p->port);
	fputs(metric, out);
	put_label(out, "address", addr_text(&r->target, text), true);
	put_label(out, "interface", r->vantage.interface, false);
	put_label(out, "port", port, false);
}

/* ---- a metric each ---- */

typedef double port_value(const struct report_port *p);

static double is_open(const struct report_port *p)
{
	return p->state == STATE_OPEN;
}

static double seconds(double ms)
{
	return ms < 0 ? NAN : ms / 1e3;
}

static double connect_seconds(const struct report_port *p)
{
	return seconds(p->connect_ms);
}

static double banner_seconds(const struct report_port *p)
{
	return seconds(p->banner_ms);
}

static double tls_seconds(const struct report_port *p)
{
	return seconds(p->tls_ms);
}

static double reply_code(const struct report_port *p)
{
	return p->has_smtp && p->smtp.code ? p->smtp.code : NAN;
}

static double tls_verified(const struct report_port *p)
{
	return p->has_smtp && p->smtp.has_tls ? p->smtp.tls.verified : NAN;
}

static const struct port_metric {
	const char *name, *help;
	port_value *value; /* NaN: did not get that far, no sample */
} port_metrics[] = {
	{"smtpblame_port_open", "Whether the destination itself speaks SMTP there (1) or not (0).",
	 is_open},
	{"smtpblame_connect_seconds", "Time to the completed TCP handshake.", connect_seconds},
	{"smtpblame_banner_seconds", "Time to the greeting, since the connection was asked for.",
	 banner_seconds},
	{"smtpblame_tls_seconds", "Time to the completed TLS handshake, likewise.", tls_seconds},
	{"smtpblame_smtp_reply_code", "Code of the greeting.", reply_code},
	{"smtpblame_tls_verified", "Whether the server's certificate is good for its name.",
	 tls_verified},
};

static void put_port_metric(FILE *out, const struct port_metric *m, struct report *const *reports,
			    unsigned n)
{
	head(out, m->name, m->help);
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < reports[i]->n_ports; k++) {
			const struct report_port *p = &reports[i]->ports[k];
			double value = m->value(p);
			if (isnan(value))
				continue;
			begin_port(out, m->name, reports[i], p);
			put_number(out, value);
		}
}

static void put_states(FILE *out, struct report *const *reports, unsigned n)
{
	static const char name[] = "smtpblame_port_state";

	head(out, name, "The state of a port: 1 for the one that holds, 0 for the others.");
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < reports[i]->n_ports; k++)
			for (int s = 0; s < STATE_COUNT; s++) {
				const struct report_port *p = &reports[i]->ports[k];
				begin_port(out, name, reports[i], p);
				put_label(out, "state", state_name((enum state)s), false);
				put_number(out, p->state == (enum state)s);
			}
}

static const char *hop_of(const struct finding *f, char text[ADDR_TEXT_MAX])
{
	if (addr_is_set(&f->culprit.address))
		return addr_text(&f->culprit.address, text);
	return f->has_hop && addr_is_set(&f->hop_to.address) ? addr_text(&f->hop_to.address, text)
							       : "";
}

static void put_findings(FILE *out, struct report *const *reports, unsigned n)
{
	static const char name[] = "smtpblame_finding_confidence_ratio";
	char text[ADDR_TEXT_MAX];

	head(out, name,
	     "What stops a port, and where: the probability that the place is right (NaN: no place).");
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < reports[i]->n_ports; k++)
			for (unsigned j = 0; j < reports[i]->ports[k].n_findings; j++) {
				const struct finding *f = &reports[i]->ports[k].findings[j];
				begin_port(out, name, reports[i], &reports[i]->ports[k]);
				put_label(out, "mechanism", mechanism_name(f->mechanism), false);
				put_label(out, "place", place_name(f->place), false);
				put_label(out, "direction", direction_name(f->direction), false);
				put_label(out, "culprit", culprit_kind_name(f->culprit.kind), false);
				put_label(out, "hop", hop_of(f, text), false);
				put_number(out, f->confidence < 0 ? NAN : f->confidence);
			}
}

int render_prometheus(struct report *const *reports, unsigned n, bool whole, double probe_seconds,
		      FILE *out)
{
	bool all_open = n > 0 && whole;

	for (unsigned i = 0; i < n; i++)
		all_open &= report_exit_status(reports[i]) == 0;
	head(out, "smtpblame_probe_success", "Whether every judged port of every address is open.");
	fprintf(out, "smtpblame_probe_success %d\n", all_open);
	head(out, "smtpblame_probe_duration_seconds", "How long the probe took.");
	fprintf(out, "smtpblame_probe_duration_seconds %.9g\n", probe_seconds);
	put_states(out, reports, n);
	for (size_t i = 0; i < sizeof(port_metrics) / sizeof(port_metrics[0]); i++)
		put_port_metric(out, &port_metrics[i], reports, n);
	put_findings(out, reports, n);
	return ferror(out) ? -1 : 0;
}
