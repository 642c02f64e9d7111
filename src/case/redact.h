/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A case that can be shown to others: without mail addresses, names of hosts and
 * users, what was said in AUTH, and payload beyond the words of the dialogue.
 * IP addresses stay: the verdict is about them.
 */
#ifndef SB_CASE_REDACT_H
#define SB_CASE_REDACT_H

#include "case/saved.h"

/* In place; every name becomes another one of the same length, everywhere the same. The report has
 * to be derived again. ERR_USAGE: a case that a name given as a pattern decides on. */
int saved_case_redact(struct saved_case *c, struct err *e);

/* The payload of a frame's packet, in place: exposed for tests. Link-layer addresses go, too. */
void redact_frame(int link_type, uint8_t *frame, size_t caplen, size_t wire_len);

#endif
