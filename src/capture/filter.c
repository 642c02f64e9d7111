/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "capture/filter.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/stream.h"

/* the files of bpf/, see cmake/embed.cmake */
extern const char filter_probe[], filter_crowd[];

static const char *find_var(const struct filter_var *vars, size_t n_vars, const char *name,
			    size_t len)
{
	for (size_t i = 0; i < n_vars; i++)
		if (strlen(vars[i].name) == len && memcmp(vars[i].name, name, len) == 0)
			return vars[i].value;
	return NULL;
}

/* One line without its newline. */
static int expand_line(FILE *out, const char *line, size_t len, const struct filter_var *vars,
		       size_t n_vars, struct err *e)
{
	const char *end = line + len;
	size_t blanks = strspn(line, " \t");

	if (blanks >= len || line[blanks] == '#')
		return 0;
	while (line < end) {
		const char *open = memmem(line, (size_t)(end - line), "${", 2);
		if (!open)
			break;
		const char *name = open + 2;
		const char *close = memchr(name, '}', (size_t)(end - name));
		if (!close)
			return err_set(e, ERR_RUN, "capture filter: ${ without } in \"%.*s\"",
				       (int)len, end - len);
		const char *value = find_var(vars, n_vars, name, (size_t)(close - name));
		if (!value)
			return err_set(e, ERR_RUN, "capture filter: no value for ${%.*s}",
				       (int)(close - name), name);
		fwrite(line, 1, (size_t)(open - line), out);
		fputs(value, out);
		line = close + 1;
	}
	fwrite(line, 1, (size_t)(end - line), out);
	fputc('\n', out);
	return 0;
}

char *filter_expand(const char *text, const struct filter_var *vars, size_t n_vars, struct err *e)
{
	char *buf = NULL;
	size_t size = 0;
	FILE *out = stream_to_memory(&buf, &size);
	int rc = 0;

	while (*text && rc == 0) {
		size_t len = strcspn(text, "\n");
		rc = expand_line(out, text, len, vars, n_vars, e);
		text += len + (text[len] == '\n');
	}
	stream_to_memory_end(out, &buf);
	if (rc != 0) {
		free(buf);
		return NULL;
	}
	return buf;
}

/* "(WORD 1 or WORD 2)", malloc'd. */
static char *port_list(const char *word, const uint16_t *ports, size_t n_ports)
{
	size_t size = n_ports * (strlen(word) + sizeof(" or  65535")) + sizeof("(less 0)"), n = 0;
	char *list = xcalloc(1, size);

	if (n_ports == 0) /* never true, and unlike "1 = 0" not refused as a constant */
		snprintf(list, size, "(less 0)");
	for (size_t i = 0; i < n_ports; i++)
		n += (size_t)snprintf(list + n, size - n, "%s%s %u", i ? " or " : "(", word,
				      ports[i]);
	if (n_ports)
		snprintf(list + n, size - n, ")");
	return list;
}

static char *expand_own(const char *text, const struct filter_var *vars, size_t n_vars)
{
	struct err e;
	char *filter = filter_expand(text, vars, n_vars, &e);

	if (!filter) /* the file is part of the program: a test sees that this can't be */
		abort();
	return filter;
}

char *filter_for_probe(const struct addr *target, const uint16_t *local_ports, size_t n_ports)
{
	struct addr bare = *target;
	char address[ADDR_TEXT_MAX];
	char *ports = port_list("tcp port", local_ports, n_ports);

	bare.scope = 0; /* pcap-filter knows no zones */
	addr_text(&bare, address);
	const struct filter_var vars[] = {{"TARGET", address}, {"LOCAL_PORTS", ports}};
	char *text = expand_own(filter_probe, vars, sizeof(vars) / sizeof(vars[0]));
	free(ports);
	return text;
}

char *filter_for_crowd(struct filter_range connections, struct filter_range traces,
		       const uint16_t *ports, size_t n_ports)
{
	char *list = port_list("port", ports, n_ports), ours[24], probes[24];

	snprintf(ours, sizeof(ours), "%u-%u", connections.low, connections.high);
	snprintf(probes, sizeof(probes), "%u-%u", traces.low, traces.high);
	const struct filter_var vars[] = {
		{"CONNECTIONS", ours}, {"TRACES", probes}, {"PORTS", list}};
	char *text = expand_own(filter_crowd, vars, sizeof(vars) / sizeof(vars[0]));
	free(list);
	return text;
}

int filter_check(const char *text, int link_type, struct err *e)
{
	struct bpf_program program;
	pcap_t *dead = pcap_open_dead(link_type, 65535);
	int rc = 0;

	if (!dead)
		return err_set(e, ERR_RUN, "capture filter: out of memory");
	if (pcap_compile(dead, &program, text, 1, PCAP_NETMASK_UNKNOWN) != 0)
		rc = err_set(e, ERR_RUN, "capture filter does not compile: %s", pcap_geterr(dead));
	else
		pcap_freecode(&program);
	pcap_close(dead);
	return rc;
}
