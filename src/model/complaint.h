/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a finding comes to in a request to whoever can mend it: what happens,
 * what is asked for, how they see it themselves. A port that is open must not
 * be called blocked: the desk calls it, is greeted, and closes the ticket. Pure.
 */
#ifndef SB_MODEL_COMPLAINT_H
#define SB_MODEL_COMPLAINT_H

#include "base/arena.h"
#include "model/report.h"

struct complaint {
	enum mechanism mechanism;
	struct session_point session; /* of the finding */
	unsigned passed_first; /* so many connections passed before none did; 0: no such limit */
	unsigned port;         /* to try it with */
	struct addr target;
	const char *ports;     /* "TCP port 25", "TCP ports 25, 465" */
	bool several;
	bool mixed;            /* TLS comes first on some of these ports, and not on the others */
};

/* No connection comes about at all: "blocked" and "please open it" are the words for that, and what
 * is below has none. */
bool complaint_is_block(const struct complaint *c);

/* "sessions reset in the TLS handshake", behind the ports in a subject; NULL: the state says it. */
const char *complaint_subject(struct arena *a, const struct complaint *c);

/* "sessions on TCP port 25 are reset in the TLS handshake", within a sentence. */
const char *complaint_what(struct arena *a, const struct complaint *c);

/* "Connections themselves are accepted, and ..." A sentence, "" where there is nothing to add. */
const char *complaint_passes(const struct complaint *c);

/* "leave STARTTLS in what the server says": behind "please", or "ask them to". */
const char *complaint_request(const struct complaint *c);

/* The command that shows it, and what to do then: ", then EHLO"; "" for none. */
const char *complaint_command(struct arena *a, const struct complaint *c);
const char *complaint_then(const struct complaint *c);

/* "in the TLS handshake", "after EHLO". */
const char *complaint_stage(enum session_stage stage);

#endif
