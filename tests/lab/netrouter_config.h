/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A part of netrouter.c, where that includes it. The language is described there. */
/* ---- configuration -------------------------------------------------------------------- */

static const char *config_name;
static int config_line;

static void config_fail(const char *what, const char *word)
{
	fail("%s:%d: %s: %s", config_name, config_line, what, word);
}

static double parse_number(const char *text, char **end)
{
	double value = strtod(text, end);

	if (*end == text || value < 0 || !isfinite(value))
		config_fail("not a number", text);
	return value;
}

static int64_t parse_time(const char *text)
{
	char *unit;
	double value = parse_number(text, &unit);

	if (!strcmp(unit, "us"))
		return (int64_t)(value * 1e3);
	if (!strcmp(unit, "ms"))
		return (int64_t)(value * 1e6);
	if (!strcmp(unit, "s"))
		return (int64_t)(value * 1e9);
	config_fail("not a time", text);
	return 0;
}

static double parse_percent(const char *text)
{
	char *unit;
	double value = parse_number(text, &unit);

	if ((*unit != '%' && *unit != '\0') || value > 100)
		config_fail("not a percentage", text);
	return value / 100;
}

static double parse_rate(const char *text)
{
	char *unit;
	double value = parse_number(text, &unit);

	if (*unit == 'k')
		value *= 1e3;
	else if (*unit == 'm')
		value *= 1e6;
	return value;
}

static long parse_int(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || (*end && *end != '/') || value < 0)
		config_fail("not a whole number", text);
	return value;
}

static struct addr parse_addr(const char *text)
{
	struct addr a = {0};
	char buffer[64];
	char *slash;

	snprintf(buffer, sizeof(buffer), "%s", text);
	slash = strchr(buffer, '/');
	if (slash)
		*slash = '\0';
	if (inet_pton(AF_INET, buffer, a.bytes) == 1)
		a.version = 4;
	else if (inet_pton(AF_INET6, buffer, a.bytes) == 1)
		a.version = 6;
	else
		config_fail("not an address", text);
	a.prefix = slash ? (int)parse_int(slash + 1) : a.version == 4 ? 32 : 128;
	if (a.prefix > (a.version == 4 ? 32 : 128))
		config_fail("prefix too long", text);
	return a;
}

static int parse_proto(const char *text)
{
	if (!strcmp(text, "tcp"))
		return IPPROTO_TCP;
	if (!strcmp(text, "udp"))
		return IPPROTO_UDP;
	if (!strcmp(text, "icmp"))
		return IPPROTO_ICMP;
	if (!strcmp(text, "icmp6"))
		return IPPROTO_ICMPV6;
	return (int)parse_int(text);
}

static int parse_flags(const char *text)
{
	static const char letters[] = "FSRPAU"; /* in the order of their bits */
	int flags = 0;

	for (; *text; text++) {
		const char *at = strchr(letters, *text);

		if (!at)
			config_fail("not a TCP flag", text);
		flags |= 1 << (at - letters);
	}
	return flags;
}

static int parse_ports(char *text, uint16_t *ports)
{
	int count = 0;
	char *rest = text;

	for (char *word; (word = strsep(&rest, ","));) {
		if (count == PORTS_MAX)
			config_fail("too many ports", word);
		ports[count++] = (uint16_t)parse_int(word);
	}
	return count;
}

static void parse_type_code(const char *text, int *type, int *code)
{
	const char *slash = strchr(text, '/');

	*type = (int)parse_int(text);
	if (slash)
		*code = (int)parse_int(slash + 1);
}

/* The value of "key=value" if `word` has that key, else NULL. */
static char *value_of(char *word, const char *key)
{
	size_t len = strlen(key);

	return !strncmp(word, key, len) && word[len] == '=' ? word + len + 1 : NULL;
}

/* \xNN is a byte. */
static struct text parse_text(const char *word)
{
	struct text text = {0};

	for (const char *at = word; *at; at++) {
		char c = *at;

		if (text.len == sizeof(text.bytes))
			config_fail("too long", word);
		if (!strncmp(at, "\\x", 2) && isxdigit((unsigned char)at[2]) &&
		    isxdigit((unsigned char)at[3])) {
			char digits[3] = {at[2], at[3], '\0'};

			c = (char)strtol(digits, NULL, 16);
			at += 3;
		}
		text.bytes[text.len++] = c;
	}
	return text;
}

static void parse_over(struct rule *r, char *text)
{
	char *end;

	r->over_rate = parse_number(text, &end);
	if (strncmp(end, "/s", 2))
		config_fail("not a rate", text);
	r->over_burst = end[2] == ':' ? parse_number(end + 3, &end) : r->over_rate;
	if (r->over_burst < 1)
		r->over_burst = 1;
	r->tokens = r->over_burst;
	r->tokens_at = now_ns();
}

static void parse_match(struct rule *r, char *word)
{
	char *v;

	if ((v = value_of(word, "dir")))
		r->dir = !strcmp(v, "out") ? OUT : IN;
	else if ((v = value_of(word, "proto")))
		r->proto = parse_proto(v);
	else if ((v = value_of(word, "version")))
		r->version = (int)parse_int(v);
	else if ((v = value_of(word, "src")))
		r->src = parse_addr(v);
	else if ((v = value_of(word, "dst")))
		r->dst = parse_addr(v);
	else if ((v = value_of(word, "sport")))
		r->sports = parse_ports(v, r->sport);
	else if ((v = value_of(word, "dport")))
		r->dports = parse_ports(v, r->dport);
	else if ((v = value_of(word, "flags")))
		r->flags = parse_flags(v);
	else if ((v = value_of(word, "icmp")))
		parse_type_code(v, &r->icmp_type, &r->icmp_code);
	else if (!strncmp(word, "ttl", 3) && word[3] && strchr("=<>", word[3])) {
		r->ttl_op = word[3] == '=' ? TTL_EQUAL : word[3] == '<' ? TTL_LESS : TTL_MORE;
		r->ttl = (int)parse_int(word + 4);
	} else if (!strcmp(word, "payload"))
		r->payload = true;
	else if ((v = value_of(word, "contains")))
		r->contains = parse_text(v);
	else if (!strncmp(word, "len>", 4))
		r->longer_than = (int)parse_int(word + 4);
	else if ((v = value_of(word, "prob")))
		r->prob = parse_percent(v);
	else if ((v = value_of(word, "skip")))
		r->skip = parse_int(v);
	else if ((v = value_of(word, "first")))
		r->first = parse_int(v);
	else if ((v = value_of(word, "over")))
		parse_over(r, v);
	else
		config_fail("unknown match", word);
}

static void parse_action(struct rule *r, const char *word)
{
	if (!strcmp(word, "pass"))
		r->action = ACT_PASS;
	else if (!strcmp(word, "drop"))
		r->action = ACT_DROP;
	else if (!strcmp(word, "rst"))
		r->action = ACT_RST;
	else if (!strcmp(word, "synack"))
		r->action = ACT_SYNACK;
	else if (!strcmp(word, "say"))
		r->action = ACT_SAY;
	else if (!strcmp(word, "fin"))
		r->action = ACT_FIN;
	else if (!strcmp(word, "icmp"))
		r->action = ACT_ICMP;
	else if (!strcmp(word, "cut"))
		r->action = ACT_CUT;
	else if (!strcmp(word, "replace"))
		r->action = ACT_REPLACE;
	else if (!strcmp(word, "stars"))
		r->action = ACT_STARS;
	else
		config_fail("unknown action", word);
}

static int parse_ttl(const char *text)
{
	long ttl = parse_int(text);

	if (ttl < 1 || ttl > 255)
		config_fail("not a TTL", text);
	return (int)ttl;
}

static void parse_how(struct rule *r, char *word)
{
	char *v;

	if (!strcmp(word, "race"))
		r->race = true;
	else if (!strcmp(word, "both"))
		r->both = true;
	else if (!strcmp(word, "close"))
		r->close = true;
	else if ((v = value_of(word, "ttl")))
		r->reply_ttl = !strcmp(v, "mirror") ? -1 : parse_ttl(v);
	else if ((v = value_of(word, "after")))
		r->after = parse_time(v);
	else if ((v = value_of(word, "copies")))
		r->copies = (int)parse_int(v);
	else if ((v = value_of(word, "from")))
		r->from = parse_addr(v);
	else if (r->action == ACT_ICMP && isdigit((unsigned char)word[0]))
		parse_type_code(word, &r->reply_type, &r->reply_code);
	else if ((r->action == ACT_REPLACE || r->action == ACT_SAY) && !r->replaced.len)
		r->replaced = parse_text(word);
	else if (r->action == ACT_REPLACE && !r->replacement.len)
		r->replacement = parse_text(word);
	else
		config_fail("unknown word in an action", word);
}

static void parse_rule(struct router *router, char *rest)
{
	struct rule *r;
	char *word;
	bool acted = false, colon = false;

	if (router->rule_count == RULES_MAX)
		config_fail("too many rules", rest);
	r = &router->rules[router->rule_count++];
	*r = (struct rule){.dir = -1, .proto = -1, .flags = -1, .icmp_type = -1, .icmp_code = -1,
			   .longer_than = -1, .prob = 1, .first = -1, .reply_ttl = DEFAULT_TTL, .copies = 1};
	while ((word = strsep(&rest, " \t"))) {
		if (!*word)
			continue;
		if (!strcmp(word, ":"))
			colon = true;
		else if (!colon)
			parse_match(r, word);
		else if (!acted) {
			parse_action(r, word);
			acted = true;
		} else
			parse_how(r, word);
	}
	if (!acted)
		config_fail("a rule without action", "");
	if (r->action == ACT_REPLACE && (!r->replaced.len || r->replaced.len != r->replacement.len))
		config_fail("replace wants two texts of one length", "");
}

static void parse_link_setting(struct link *link, char *word)
{
	char *v, *colon;

	if ((v = value_of(word, "delay")))
		link->delay = parse_time(v);
	else if ((v = value_of(word, "jitter")))
		link->jitter = parse_time(v);
	else if ((v = value_of(word, "loss")))
		link->loss = parse_percent(v);
	else if ((v = value_of(word, "dup")))
		link->dup = parse_percent(v);
	else if ((v = value_of(word, "rate")))
		link->rate = parse_rate(v);
	else if ((v = value_of(word, "reorder")) && (colon = strchr(v, ':'))) {
		*colon = '\0';
		link->reorder = parse_percent(v);
		link->reorder_by = parse_time(colon + 1);
		*colon = ':'; /* the same word may be read for the other direction */
	} else
		config_fail("unknown link setting", word);
}

static void parse_link(struct router *router, char *rest)
{
	bool wanted[2] = {true, true};
	char *word;

	while ((word = strsep(&rest, " \t"))) {
		if (!strcmp(word, "out"))
			wanted[IN] = false;
		else if (!strcmp(word, "in"))
			wanted[OUT] = false;
		else if (*word)
			for (int dir = OUT; dir <= IN; dir++)
				if (wanted[dir])
					parse_link_setting(&router->link[dir], word);
	}
}

static void parse_line(struct router *router, char *line)
{
	char *rest = line, *word;

	line[strcspn(line, "#\n")] = '\0';
	line += strspn(line, " \t");
	rest = line;
	word = strsep(&rest, " \t");
	if (!*word)
		return;
	if (!rest)
		config_fail("statement without value", word);
	if (!strcmp(word, "seed"))
		router->random = (uint64_t)parse_int(rest);
	else if (!strcmp(word, "address4"))
		router->address4 = parse_addr(rest);
	else if (!strcmp(word, "address6"))
		router->address6 = parse_addr(rest);
	else if (!strcmp(word, "link"))
		parse_link(router, rest);
	else if (!strcmp(word, "rule"))
		parse_rule(router, rest);
	else
		config_fail("unknown statement", word);
}

static void read_config(struct router *router, const char *path)
{
	char line[1024];
	FILE *f = fopen(path, "r");

	if (!f)
		fail("%s: %s", path, strerror(errno));
	config_name = path;
	router->random = 1;
	while (fgets(line, sizeof(line), f)) {
		config_line++;
		parse_line(router, line);
	}
	fclose(f);
	/* Directions draw from streams of their own, so that one's traffic doesn't change the other's fate. */
	for (int dir = OUT; dir <= IN; dir++)
		router->link[dir].random = random_next(&router->random);
}
