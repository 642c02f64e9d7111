/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whose network is this address in? From a database in MaxMind's format with
 * the fields of GeoLite2-ASN (libmaxminddb). No network is asked.
 */
#ifndef SB_HOST_ASN_H
#define SB_HOST_ASN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct asn_db; /* opaque; every call is fine with NULL: nothing is known then */

/* path NULL: the first of the usual places that has one, else *out is NULL and 0 is returned.
 * ERR_USAGE when the given file is no such database. */
int asn_db_open(struct asn_db **out, const char *path, struct err *e);
void asn_db_close(struct asn_db *db);

#define ASN_NAME_MAX 128

/* False when the database does not know it. name[ASN_NAME_MAX] gets the organisation as the
 * database has it, not cleaned; "" when it has none. */
bool asn_db_lookup(struct asn_db *db, const struct addr *a, uint32_t *asn, char *name);

#endif
