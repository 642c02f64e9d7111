/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside diag/: what a mail program is to be told for a port. Pure. */
#ifndef SB_DIAG_CLIENT_H
#define SB_DIAG_CLIENT_H

#include "model/report.h"

/* From the port as it is reported; port->has_client stays false where no mail program sends by it. */
void client_settings(struct report *r, struct report_port *port);

#endif
