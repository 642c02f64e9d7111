/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/asn.h"

#ifdef SMTPBLAME_ASN

#include <maxminddb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"

struct asn_db {
	MMDB_s mmdb;
};

/* Where distributions and the usual updaters put it. */
static const char *const usual_places[] = {
	"/var/lib/GeoIP/GeoLite2-ASN.mmdb",	"/usr/share/GeoIP/GeoLite2-ASN.mmdb",
	"/usr/local/share/GeoIP/GeoLite2-ASN.mmdb", "/usr/share/GeoIP/dbip-asn-lite.mmdb",
	"/var/lib/GeoIP/dbip-asn-lite.mmdb",
};

static const char *find_usual(void)
{
	for (size_t i = 0; i < sizeof(usual_places) / sizeof(usual_places[0]); i++)
		if (access(usual_places[i], R_OK) == 0)
			return usual_places[i];
	return NULL;
}

int asn_db_open(struct asn_db **out, const char *path, struct err *e)
{
	const char *file = path ? path : find_usual();
	struct asn_db *db;

	*out = NULL;
	if (!file)
		return 0;
	db = xcalloc(1, sizeof(*db));
	int status = MMDB_open(file, MMDB_MODE_MMAP, &db->mmdb);
	if (status != MMDB_SUCCESS) {
		free(db);
		/* nobody asked for the one that just lies there */
		return path ? err_set(e, ERR_USAGE, "--asn-db %s: %s", path, MMDB_strerror(status))
			    : 0;
	}
	*out = db;
	return 0;
}

void asn_db_close(struct asn_db *db)
{
	if (!db)
		return;
	MMDB_close(&db->mmdb);
	free(db);
}

bool asn_db_lookup(struct asn_db *db, const struct addr *a, uint32_t *asn, char *name)
{
	struct sockaddr_storage sa;
	MMDB_entry_data_s data;
	int error = 0;

	if (!db)
		return false;
	addr_to_sockaddr(a, 0, &sa);
	MMDB_lookup_result_s found =
		MMDB_lookup_sockaddr(&db->mmdb, (struct sockaddr *)&sa, &error);
	if (error || !found.found_entry ||
	    MMDB_get_value(&found.entry, &data, "autonomous_system_number", NULL) != MMDB_SUCCESS ||
	    !data.has_data || data.type != MMDB_DATA_TYPE_UINT32)
		return false;
	*asn = data.uint32;
	name[0] = '\0';
	if (MMDB_get_value(&found.entry, &data, "autonomous_system_organization", NULL) ==
		    MMDB_SUCCESS &&
	    data.has_data && data.type == MMDB_DATA_TYPE_UTF8_STRING) {
		size_t len = data.data_size < ASN_NAME_MAX - 1 ? data.data_size : ASN_NAME_MAX - 1;
		memcpy(name, data.utf8_string, len);
		name[len] = '\0';
	}
	return *asn != 0;
}

#else

int asn_db_open(struct asn_db **out, const char *path, struct err *e)
{
	*out = NULL;
	return path ? err_set(e, ERR_USAGE, "--asn-db %s: not built in (libmaxminddb)", path) : 0;
}

void asn_db_close(struct asn_db *db)
{
	(void)db;
}

bool asn_db_lookup(struct asn_db *db, const struct addr *a, uint32_t *asn, char *name)
{
	(void)db, (void)a, (void)asn, (void)name;
	return false;
}

#endif
