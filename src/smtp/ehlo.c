/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "smtp/ehlo.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"

#define MASK_LETTERS_MIN 4 /* "XXXB": shorter ones may be somebody's own extension */
#define ASTERISKS_MIN    4
#define LABEL_MAX        63
#define NAME_MAX_LEN     255

/* Without the locale's opinion: what comes is ASCII, or no keyword. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* ---- keywords ---- */

static const char *const known[] = {
	"STARTTLS",   "PIPELINING", "CHUNKING",   "SIZE",
	"SMTPUTF8",   "8BITMIME",   "DSN",        "ENHANCEDSTATUSCODES",
	"BINARYMIME", "VRFY",       "ETRN",       "EXPN",
	"HELP",       "AUTH",       "REQUIRETLS", "DELIVERBY",
	"TURN",
};

/* RFC 5321 4.1.1.1, and the '=' of old AUTH. 0: the line begins with no keyword. */
static size_t keyword_length(const char *line)
{
	size_t n = 0;

	while (is_letter(line[n]) || is_digit(line[n]) || (n && line[n] == '-'))
		n++;
	return line[n] == '\0' || line[n] == ' ' || line[n] == '\t' || line[n] == '=' ? n : 0;
}

static bool is_keyword(const char *line, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(line, word, len) == 0;
}

static const char *as_constant(const char *line, size_t len)
{
	if (line[len])
		return line;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (is_keyword(line, len, known[i]))
			return known[i];
	return line;
}

static void note_mask(struct smtp_ehlo *out, const char *line, size_t len)
{
	size_t n = 0;

	while (n < len && upper(line[n]) == 'X')
		n++;
	bool all = n == len, but_one = n + 1 == len && is_letter(line[n]);
	if (len < MASK_LETTERS_MIN || (!all && !but_one))
		return;
	out->masked++;
	if (len == strlen("STARTTLS") && (all || upper(line[n]) == 'A'))
		out->starttls_masked = true;
}

static bool has_mechanism(const struct smtp_ehlo *e, const char *name)
{
	for (unsigned i = 0; i < e->n_auth; i++)
		if (strcmp(e->auth[i], name) == 0)
			return true;
	return false;
}

/* RFC 4422 3.1: up to 20 letters, digits, '-' and '_'. What is none is left out, not cut. */
static void add_mechanism(struct smtp_ehlo *out, const char *word, size_t len)
{
	char name[sizeof(out->auth[0])];

	if (!len || len >= sizeof(name) || out->n_auth == EHLO_MAX_AUTH)
		return;
	for (size_t i = 0; i < len; i++) {
		if (!is_letter(word[i]) && !is_digit(word[i]) && word[i] != '-' && word[i] != '_')
			return;
		name[i] = upper(word[i]);
	}
	name[len] = '\0';
	if (!has_mechanism(out, name))
		memcpy(out->auth[out->n_auth++], name, len + 1);
}

/* "AUTH PLAIN LOGIN"; "AUTH=PLAIN LOGIN" from before RFC 2554, and "AUTH =LOGIN". */
static void take_auth(struct smtp_ehlo *out, const char *p)
{
	for (;;) {
		p += strspn(p, " \t=");
		size_t len = strcspn(p, " \t");
		if (!len)
			return;
		add_mechanism(out, p, len);
		p += len;
	}
}

static void take_line(struct smtp_ehlo *out, const char *line)
{
	size_t len = keyword_length(line);

	if (!len)
		return;
	if (is_keyword(line, len, "AUTH"))
		take_auth(out, line + len);
	out->starttls |= is_keyword(line, len, "STARTTLS");
	out->chunking |= is_keyword(line, len, "CHUNKING");
	out->pipelining |= is_keyword(line, len, "PIPELINING");
	out->size |= is_keyword(line, len, "SIZE");
	out->utf8 |= is_keyword(line, len, "SMTPUTF8");
	note_mask(out, line, len);
	if (out->n_keywords < EHLO_MAX_KEYWORDS)
		out->keywords[out->n_keywords++] = as_constant(line, len);
}

void smtp_ehlo_parse(struct smtp_ehlo *out, const char *const *lines)
{
	memset(out, 0, sizeof(*out));
	if (!lines || !lines[0])
		return;
	for (size_t i = 1; lines[i]; i++)
		take_line(out, lines[i]);
	out->starttls_masked = out->starttls_masked && !out->starttls;
}

/* ---- greetings ---- */

bool smtp_greeting_masked(const char *text)
{
	size_t asterisks = 0, others = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '*')
			asterisks++;
		else if (*p == '0' || *p == '2') /* these show through the mask */
			others++;
		else if (*p != ' ' && *p != '/') /* the slash joins lines */
			return false;
	}
	return asterisks >= ASTERISKS_MIN && asterisks >= others;
}

/* A name of several labels, the last of which is no number (RFC 1123 2.1). Servers in the field
 * have underscores in their names. */
static bool is_host_name(const char *word, size_t len)
{
	size_t label = 0, labels = 0;
	bool letter = false;

	for (size_t i = 0; i <= len; i++) {
		char c = i < len ? word[i] : '.';
		if (c == '.') {
			if (!label || label > LABEL_MAX)
				return false;
			labels++;
			label = 0;
			if (i < len)
				letter = false;
			continue;
		}
		if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_')
			return false;
		letter |= is_letter(c);
		label++;
	}
	return labels >= 2 && letter;
}

/* RFC 5321 4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]". */
static bool is_literal(const char *word, size_t len)
{
	static const char tag[] = "IPv6:";
	char inner[ADDR_TEXT_MAX];
	struct addr a;

	if (len < 3 || word[0] != '[' || word[len - 1] != ']' || len - 2 >= sizeof(inner))
		return false;
	snprintf(inner, sizeof(inner), "%.*s", (int)(len - 2), word + 1);
	bool v6 = strncasecmp(inner, tag, sizeof(tag) - 1) == 0;
	/* a scope would make addr_parse() look for an interface of this host */
	if (strpbrk(inner, "%[]"))
		return false;
	return addr_parse(&a, v6 ? inner + sizeof(tag) - 1 : inner) &&
	       a.family == (v6 ? ADDR_V6 : ADDR_V4);
}

bool smtp_greeting_name(const char *text, char *out, size_t size)
{
	const char *word = text + strspn(text, " \t");
	size_t len = strcspn(word, " \t");

	while (len && strchr(",;:.", word[len - 1])) /* of the sentence, or of the root */
		len--;
	if (!len || len > NAME_MAX_LEN || len >= size)
		return false;
	if (!is_host_name(word, len) && !is_literal(word, len))
		return false;
	memcpy(out, word, len);
	out[len] = '\0';
	return true;
}
