/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conn/x509.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"

enum tag {
	TAG_OID = 0x06,
	TAG_OCTETS = 0x04,
	TAG_BMP_STRING = 0x1e,
	TAG_UTC_TIME = 0x17,
	TAG_GENERAL_TIME = 0x18,
	TAG_SEQUENCE = 0x30,
	TAG_SET = 0x31,
	TAG_VERSION = 0xa0,
	TAG_EXTENSIONS = 0xa3,
	TAG_DNS_NAME = 0x82,
	TAG_ADDRESS = 0x87,
};

/* What is left of an element's contents. */
struct der {
	const uint8_t *at;
	size_t left;
};

/* The next element; false: there is none, or it doesn't fit. */
static bool next(struct der *d, uint8_t *tag, struct der *body)
{
	size_t header = 2, len;

	if (d->left < 2 || (d->at[0] & 0x1f) == 0x1f) /* tags of several bytes: not in here */
		return false;
	len = d->at[1];
	if (len >= 0x80) {
		size_t n = len & 0x7f;
		if (n == 0 || n > 3 || d->left < 2 + n)
			return false;
		len = 0;
		for (size_t i = 0; i < n; i++)
			len = len << 8 | d->at[2 + i];
		header += n;
	}
	if (d->left - header < len)
		return false;
	*tag = d->at[0];
	*body = (struct der){d->at + header, len};
	d->at += header + len;
	d->left -= header + len;
	return true;
}

static bool enter(struct der *d, uint8_t tag, struct der *body)
{
	uint8_t found;

	return next(d, &found, body) && found == tag;
}

/* ---- names ---- */

struct line {
	char *text;
	size_t len, size;
};

static void add(struct line *l, const char *bytes, size_t len)
{
	size_t room = l->size - l->len;

	if (len > room)
		len = room;
	memcpy(l->text + l->len, bytes, len);
	l->len += len;
}

static void add_word(struct line *l, const char *word)
{
	add(l, word, strlen(word));
}

/* Those of RFC 2253, and those that OpenSSL prints by name. */
static const char *attribute_name(const struct der *oid)
{
	static const char *const in_2_5_4[] = {
		[3] = "CN",
		[4] = "SN",
		[5] = "serialNumber",
		[6] = "C",
		[7] = "L",
		[8] = "ST",
		[9] = "street",
		[10] = "O",
		[11] = "OU",
		[12] = "title",
		[15] = "businessCategory",
		[17] = "postalCode",
		[42] = "GN",
		[97] = "organizationIdentifier",
	};
	static const uint8_t email[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01};
	static const uint8_t dc[] = {0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19};
	static const uint8_t uid[] = {0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01};

	if (oid->left == 3 && oid->at[0] == 0x55 && oid->at[1] == 4 &&
	    oid->at[2] < sizeof(in_2_5_4) / sizeof(in_2_5_4[0]))
		return in_2_5_4[oid->at[2]];
	if (oid->left == sizeof(email) && memcmp(oid->at, email, sizeof(email)) == 0)
		return "emailAddress";
	if (oid->left == sizeof(dc) && memcmp(oid->at, dc, sizeof(dc)) == 0)
		return "DC";
	if (oid->left == sizeof(uid) && memcmp(oid->at, uid, sizeof(uid)) == 0)
		return "UID";
	return NULL;
}

static void add_oid(struct line *l, const struct der *oid)
{
	char text[48];
	unsigned long long v = 0;
	bool first = true;

	for (size_t i = 0; i < oid->left && i < 32; i++) {
		v = v << 7 | (oid->at[i] & 0x7f);
		if (oid->at[i] & 0x80)
			continue;
		unsigned long long top = v < 80 ? v / 40 : 2;
		if (first) /* two in one */
			snprintf(text, sizeof(text), "%llu.%llu", top, v - top * 40);
		else
			snprintf(text, sizeof(text), ".%llu", v);
		add_word(l, text);
		first = false;
		v = 0;
	}
}

/* RFC 2253 section 2.4 */
static void add_value(struct line *l, const struct der *value)
{
	for (size_t i = 0; i < value->left; i++) {
		char c = (char)value->at[i];
		bool edge =
			(i == 0 && (c == ' ' || c == '#')) || (i + 1 == value->left && c == ' ');
		if (edge || (c && strchr(",+\"\\<>;", c)))
			add_word(l, "\\");
		add(l, &c, 1);
	}
}

/* UTF-16 of the basic plane: what is not ASCII becomes a question mark, it is rare enough. */
static void add_bmp(struct line *l, const struct der *value)
{
	for (size_t i = 0; i + 1 < value->left; i += 2)
		add(l, value->at[i] == 0 ? (const char *)&value->at[i + 1] : "?", 1);
}

static void add_attribute(struct line *l, struct der pair)
{
	struct der oid, value;
	uint8_t tag;

	if (!enter(&pair, TAG_OID, &oid) || !next(&pair, &tag, &value))
		return;
	const char *name = attribute_name(&oid);
	if (name)
		add_word(l, name);
	else
		add_oid(l, &oid);
	add_word(l, "=");
	if (tag == TAG_BMP_STRING)
		add_bmp(l, &value);
	else
		add_value(l, &value);
}

#define RDNS_MAX 24

/* The last of the sequence first. */
static size_t name_text(struct der name, char *out)
{
	struct der rdns[RDNS_MAX];
	struct line l = {.text = out, .size = X509_NAME_MAX};
	size_t n = 0;

	while (n < RDNS_MAX && enter(&name, TAG_SET, &rdns[n]))
		n++;
	while (n-- > 0) {
		struct der pair;
		for (bool first = true; enter(&rdns[n], TAG_SEQUENCE, &pair); first = false) {
			if (!first)
				add_word(&l, "+");
			add_attribute(&l, pair);
		}
		if (n > 0)
			add_word(&l, ",");
	}
	out[l.len] = '\0';
	return l.len;
}

/* ---- dates ---- */

static int two_digits(const uint8_t *b)
{
	return b[0] >= '0' && b[0] <= '9' && b[1] >= '0' && b[1] <= '9'
		       ? (b[0] - '0') * 10 + b[1] - '0'
		       : -1;
}

/* YYMMDDHHMMSSZ, or with four digits of the year (RFC 5280 section 4.1.2.5). */
static int64_t date_of(struct der *validity)
{
	struct der text;
	uint8_t tag;

	if (!next(validity, &tag, &text))
		return 0;
	size_t year_len = tag == TAG_GENERAL_TIME ? 4 : 2;
	if ((tag != TAG_GENERAL_TIME && tag != TAG_UTC_TIME) || text.left < year_len + 10)
		return 0;
	int field[6];
	int year = two_digits(text.at);
	if (tag == TAG_GENERAL_TIME)
		year = year * 100 + two_digits(text.at + 2);
	else
		year += year < 50 ? 2000 : 1900;
	for (size_t i = 0; i < 5; i++)
		field[i] = two_digits(text.at + year_len + 2 * i);
	struct tm tm = {.tm_year = year - 1900,
			.tm_mon = field[0] - 1,
			.tm_mday = field[1],
			.tm_hour = field[2],
			.tm_min = field[3],
			.tm_sec = field[4]};
	if (year < 1900 || field[0] < 1 || field[1] < 1 || field[2] < 0 || field[3] < 0 ||
	    field[4] < 0)
		return 0;
	return timegm(&tm);
}

/* ---- the certificate ---- */

/* TBSCertificate, RFC 5280 section 4.1; *tbs then stands behind `subject`. */
static bool find(const uint8_t *der, size_t len, struct der *tbs, struct der *issuer,
		 struct der *validity, struct der *subject)
{
	struct der all = {der, len}, certificate, skipped;
	uint8_t tag;

	if (!enter(&all, TAG_SEQUENCE, &certificate) || !enter(&certificate, TAG_SEQUENCE, tbs))
		return false;
	if (!next(tbs, &tag, &skipped)) /* version, or the serial number of version 1 */
		return false;
	if (tag == TAG_VERSION && !next(tbs, &tag, &skipped))
		return false;
	return next(tbs, &tag, &skipped) && enter(tbs, TAG_SEQUENCE, issuer) &&
	       enter(tbs, TAG_SEQUENCE, validity) && enter(tbs, TAG_SEQUENCE, subject);
}

int x509_read(struct x509 *out, const uint8_t *der, size_t len)
{
	struct der tbs, issuer, validity, subject;

	if (!find(der, len, &tbs, &issuer, &validity, &subject))
		return -1;
	out->subject_len = name_text(subject, out->subject);
	out->issuer_len = name_text(issuer, out->issuer);
	out->not_before_s = date_of(&validity);
	out->not_after_s = date_of(&validity);
	return 0;
}

static void general_names(struct der list, void (*name)(void *ctx, const char *text, size_t len),
			  void *ctx)
{
	struct der one;
	uint8_t tag;

	while (next(&list, &tag, &one)) {
		if (tag == TAG_DNS_NAME)
			name(ctx, (const char *)one.at,
			     one.left < X509_NAME_MAX ? one.left : X509_NAME_MAX);
		if (tag != TAG_ADDRESS || (one.left != 4 && one.left != 16))
			continue;
		char text[ADDR_TEXT_MAX];
		struct addr a = one.left == 4 ? addr_v4(one.at) : addr_v6(one.at);
		addr_text(&a, text);
		name(ctx, text, strlen(text));
	}
}

void x509_names(const uint8_t *der, size_t len,
		void (*name)(void *ctx, const char *text, size_t len), void *ctx)
{
	static const uint8_t alternative_names[] = {0x55, 0x1d, 0x11};
	struct der tbs, ignored, body, list, extension, oid, value;
	uint8_t tag;

	if (!find(der, len, &tbs, &ignored, &ignored, &ignored))
		return;
	do {
		if (!next(&tbs, &tag, &body))
			return;
	} while (tag != TAG_EXTENSIONS);
	if (!enter(&body, TAG_SEQUENCE, &list))
		return;
	while (enter(&list, TAG_SEQUENCE, &extension)) {
		if (!enter(&extension, TAG_OID, &oid) || oid.left != sizeof(alternative_names) ||
		    memcmp(oid.at, alternative_names, sizeof(alternative_names)) != 0)
			continue;
		while (next(&extension, &tag, &value) && tag != TAG_OCTETS)
			; /* "critical" */
		if (tag == TAG_OCTETS && enter(&value, TAG_SEQUENCE, &body))
			general_names(body, name, ctx);
	}
}
