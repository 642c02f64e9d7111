/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside diag/: what a server's words mean with which it turns somebody away. Pure. */
#ifndef SB_DIAG_REFUSAL_H
#define SB_DIAG_REFUSAL_H

/* One or two sentences for a person: what it usually means, and what to do. Never NULL. */
const char *refusal_meaning(int code, const char *text);

#endif
