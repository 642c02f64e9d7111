/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/save.h"

#include <stdlib.h>
#include <string.h>

#include "base/stream.h"
#include "case/redact.h"
#include "diag/diag.h"
#include "report/render.h"

struct text {
	char *bytes;
	size_t len;
};

static int make_facts(struct text *t, const struct saved_case *c, struct err *e)
{
	FILE *f = stream_to_memory(&t->bytes, &t->len);
	int failed = saved_case_write_facts(c, SMTPBLAME_VERSION, f, e);

	stream_to_memory_end(f, &t->bytes);
	return failed;
}

static void make_report(struct text *t, const struct report *r)
{
	FILE *f = stream_to_memory(&t->bytes, &t->len);

	render_json(r, f);
	stream_to_memory_end(f, &t->bytes);
}

int save_case(struct case_store *store, const struct saved_case *c, const struct report *r,
	      struct err *e)
{
	struct text facts = {0}, report = {0};
	uint8_t header[FRAME_LOG_HEADER];
	char label[ADDR_TEXT_MAX + 32], address[ADDR_TEXT_MAX];
	int failed = -1;

	if (make_facts(&facts, c, e) != 0)
		goto out;
	make_report(&report, r);
	frame_log_header(&c->frames, header);
	snprintf(label, sizeof(label), "%s%s%.20s", addr_text(&c->plan.target, address),
		 c->plan.interface ? "-" : "", c->plan.interface ? c->plan.interface : "");
	const struct case_file files[] = {
		{CASE_PACKETS, {header, c->frames.bytes}, {sizeof(header), c->frames.len}},
		{CASE_REPORT, {report.bytes, NULL}, {report.len, 0}},
		{CASE_FACTS, {facts.bytes, NULL}, {facts.len, 0}},
	};
	failed = case_store_add(store, label, files, sizeof(files) / sizeof(files[0]), e);
out:
	free(facts.bytes);
	free(report.bytes);
	return failed;
}

static bool same_findings(const struct report_port *a, const struct report_port *b)
{
	if (a->n_findings != b->n_findings)
		return false;
	for (unsigned i = 0; i < a->n_findings; i++) {
		const struct finding *x = &a->findings[i], *y = &b->findings[i];
		if (x->mechanism != y->mechanism || x->place != y->place ||
		    x->culprit.kind != y->culprit.kind || x->confidence != y->confidence ||
		    strcmp(x->rule, y->rule) != 0)
			return false;
	}
	return true;
}

static bool same_verdict(const struct report *a, const struct report *b)
{
	for (unsigned i = 0; i < a->n_ports; i++)
		if (a->ports[i].state != b->ports[i].state ||
		    a->ports[i].would != b->ports[i].would ||
		    !same_findings(&a->ports[i], &b->ports[i]))
			return false;
	return a->n_ports == b->n_ports;
}

int save_redacted(struct case_store *store, struct saved_case *c, const struct report *r,
		  struct report **out, struct err *e)
{
	struct report *now = NULL;
	int failed = saved_case_redact(c, e);

	if (!failed) {
		now = diag_judge(&c->plan, &c->log, c->inspect, SMTPBLAME_VERSION);
		failed = same_verdict(r, now)
				 ? save_case(store, c, now, e)
				 : err_set(e, ERR_RUN, "--redact: without the names the verdict would be "
						       "another one: not saved");
	}
	if (!failed && out) {
		*out = now;
		return 0;
	}
	report_free(now);
	return failed;
}
