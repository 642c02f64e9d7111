/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report's terms in a person's words. Strings live in the arena, or for ever. */
#ifndef SB_REPORT_PHRASE_H
#define SB_REPORT_PHRASE_H

#include "model/report.h"

/* "packets vanish without an answer": goes on after "Port 25, blocked: ". */
const char *phrase_mechanism(enum mechanism m);

/* The same as the heading of a port's finding, with what the port's state adds. */
const char *phrase_what(const struct report *r, const struct report_port *p, unsigned index);

/* "very likely (90%)"; "not known" for CONFIDENCE_NONE. */
const char *phrase_confidence(struct arena *a, double confidence);

/* "97%"; 100% only for certainty. */
const char *phrase_percent(struct arena *a, double confidence);

/* "your gateway 10.0.0.1": whose it is, as seen from this host. */
const char *phrase_place(struct arena *a, const struct report_vantage *v, enum place p);

/* The place of the finding, "your provider or your gateway 10.0.0.1" where it is as likely that one. */
const char *phrase_where(struct arena *a, const struct report *r, const struct finding *f);

/* "hop 3 (203.0.113.2)" or "past hop 2 (...), no farther than hop 3 (...)"; without addresses in
 * few words: "hop 2 to 3". NULL where no hop is known. */
const char *phrase_hops(struct arena *a, const struct finding *f, bool with_addresses);

/* "nftables rule", "middlebox", "code 554": few words for the table; NULL for none. */
const char *phrase_culprit_brief(struct arena *a, const struct culprit *c);

/* "nftables rule in table inet filter, chain output, handle 12, verdict drop"; of a device no more than the
 * range of hops says: "not known exactly: hop 1 (10.0.0.1), hop 2 (100.64.0.1) or a device between them". */
const char *phrase_who(struct arena *a, const struct report *r, const struct finding *f);

/* "not known where (5%)": what the candidates leave of certainty, said where others are named, or where the
 * place is not sure; else NULL. */
const char *phrase_rest(struct arena *a, const struct finding *f);

/* The candidate after the place of the finding that is worth to be named beside it: where the place is not even
 * likely. NULL: none. */
const struct candidate *phrase_second(const struct finding *f);

/* Is the culprit's text in the words of some command (a rule, a route), to be copied whole? */
bool phrase_culprit_is_code(enum culprit_kind k);

/* "blocked"; of a look without a packet "stopped", "passes", .... */
const char *phrase_state(const struct report *r, const struct report_port *p);

/* "1.9 ms", "812 ms", "12.3 s". */
const char *phrase_ms(struct arena *a, double ms);

bool same_text(const char *a, const char *b); /* NULL equals NULL */

/* "a, b" */
const char *phrase_list(struct arena *a, const char *const *strings, unsigned n);

/* "connect 12 ms, greeting 42 ms, TLS 97 ms"; "" for none. */
const char *phrase_times(struct arena *a, const struct report_port *p);

/* "mx.example.com [198.51.100.25]", after what the user typed where that is another name. */
const char *phrase_target(struct arena *a, const struct report *r);

/* "through eth0", "from 10.0.0.2", cleaned: of report.way. */
const char *phrase_way(struct arena *a, const char *way);

/* The same with the way, where there are several: "mx.example.com [198.51.100.25] through eth0",
 * "... from 10.0.0.2". */
const char *phrase_target_and_way(struct arena *a, const struct report *r);

/* "STARTTLS (TLSv1.3)", "no encryption"; NULL where nobody asked for it. */
const char *phrase_encryption(struct arena *a, const struct report_port *p);

/* "Mail program: mx.example.net, 465 SSL/TLS or 587 STARTTLS, normal password": all ports in one line;
 * NULL where none takes a login, or the target has no name. */
const char *phrase_mail_program_brief(struct arena *a, const struct report *r);

/* "In the mail program: server ..."; NULL for a port that takes no login. */
const char *phrase_mail_program(struct arena *a, const struct report *r,
				const struct report_port *p);

/* "login works", "login not tried: the certificate is not trusted"; NULL: none was asked for. And without
 * the reason. */
const char *phrase_login(struct arena *a, const struct report_port *p);
const char *phrase_login_brief(const struct report_port *p);

/* Does any finding cite this evidence? */
bool phrase_cited(const struct report *r, unsigned evidence);

#endif
