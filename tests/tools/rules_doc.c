/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Prints docs/rules.md from the rule table.
 *
 *   cmake --build build/dev --target update-docs     writes it
 *   ctest -R docs-rules                              fails when it is stale
 */
#include <stdio.h>
#include <string.h>

#include "diag/rules.h"
#include "model/report.h"

static const char *const layer_intro[LAYER_COUNT] = {
	[LAYER_HOST] = "What this machine itself does to the connection.",
	[LAYER_PATH] = "What happens between this machine and the destination, and the "
		       "destination's own answer to a SYN.",
	[LAYER_SESSION] = "What is said once the connection stands.",
};

/* A cell of a table or running text: what Markdown would take for itself is escaped. */
static void print_text(const char *text)
{
	for (; *text; text++) {
		if (strchr("|*_<>`\\", *text))
			putchar('\\');
		putchar(*text);
	}
}

static void print_facts(const char *what, fact_set facts)
{
	bool first = true;

	if (!facts)
		return;
	printf("- %s:", what);
	for (int f = 0; f < F_COUNT; f++) {
		if (!(facts & FACT_BIT(f)))
			continue;
		printf("%s `%s`", first ? "" : ",", fact_name((enum fact)f));
		first = false;
	}
	putchar('\n');
}

static void print_place(const struct rule *r)
{
	printf("- says: state `%s`", state_name(r->state));
	if (r->state == STATE_OPEN) {
		puts("");
		return;
	}
	printf(", mechanism `%s`, ", mechanism_name(r->mechanism));
	if (r->placed)
		printf("place and confidence from the traces");
	else if (r->confidence == CONFIDENCE_NONE)
		printf("place `%s`", place_name(r->place));
	else
		printf("place `%s`, confidence %.2f", place_name(r->place), r->confidence);
	if (r->direction == DIR_INBOUND)
		printf(", direction `%s`", direction_name(r->direction));
	putchar('\n');
}

static void print_rule(const struct rule *r)
{
	printf("\n### %s\n\n", r->id);
	print_text(r->summary);
	puts("\n");
	print_facts("needs", r->need);
	print_facts("must be absent", r->absent);
	print_place(r);
	printf("- why: ");
	print_text(r->why);
	putchar('\n');
}

static void print_index(void)
{
	puts("| rule | layer | state | mechanism | place | confidence |\n"
	     "| --- | --- | --- | --- | --- | --- |");
	for (unsigned i = 0; i < rule_count; i++) {
		const struct rule *r = &rule_table[i];
		printf("| [%s](#%s) | %s | %s | %s | %s | ", r->id, r->id, layer_name(r->layer),
		       state_name(r->state),
		       r->state == STATE_OPEN ? "-" : mechanism_name(r->mechanism),
		       r->state == STATE_OPEN ? "-" : r->placed ? "from the traces"
						      : place_name(r->place));
		if (r->placed)
			puts("computed |");
		else if (r->confidence == CONFIDENCE_NONE)
			puts("- |");
		else
			printf("%.2f |\n", r->confidence);
	}
}

static void print_fact_index(void)
{
	puts("\n## The facts\n\n| fact | what it asserts |\n| --- | --- |");
	for (int f = 0; f < F_COUNT; f++) {
		printf("| `%s` | ", fact_name((enum fact)f));
		print_text(fact_text((enum fact)f));
		puts(" |");
	}
}

int main(void)
{
	printf("# The rules\n\n"
	       "Written by tests/tools/rules_doc.c from the table in src/diag/rules.c: don't edit\n"
	       "it, run `cmake --build build/dev --target update-docs`.\n\n"
	       "In each layer the first rule that matches wins. A rule matches when every fact\n"
	       "that it needs was seen, and every fact that must be absent was looked for and\n"
	       "not seen. What the words mean is in [method.md](method.md).\n\n");
	print_index();
	for (int layer = 0; layer < LAYER_COUNT; layer++) {
		printf("\n## Layer: %s\n\n%s\n", layer_name((enum layer)layer), layer_intro[layer]);
		for (unsigned i = 0; i < rule_count; i++)
			if ((int)rule_table[i].layer == layer)
				print_rule(&rule_table[i]);
	}
	print_fact_index();
	return fflush(stdout) != 0 || ferror(stdout);
}
