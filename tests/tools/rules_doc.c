/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Prints docs/rules.md from the rule tables: of live runs, and of captures.
 *
 *   cmake --build build/dev --target update-docs     writes it
 *   ctest -R docs-rules                              fails when it is stale
 */
#include <stdio.h>
#include <string.h>

#include "diag/capture_rules.h"
#include "diag/compare_rules.h"
#include "diag/rules.h"
#include "model/report.h"

/* A table, with the names of its facts. */
struct table {
	const struct rule *(*row)(unsigned i); /* NULL behind the last */
	unsigned n_facts;
	const char *(*name)(unsigned fact), *(*text)(unsigned fact);
	const char *const *intro; /* by layer */
	const char *placed;       /* where `placed` rows have their place from */
};

static const struct rule *capture_row(unsigned i)
{
	return i < capture_rule_count ? &capture_rule_table[i] : NULL;
}

static const char *live_name(unsigned f)
{
	return fact_name((enum fact)f);
}

static const char *live_text(unsigned f)
{
	return fact_text((enum fact)f);
}

static const char *const layer_intro[LAYER_COUNT] = {
	[LAYER_HOST] = "What this machine itself does to the connection.",
	[LAYER_PATH] = ("What happens between this machine and the destination, and the "
			"destination's own answer to a SYN."),
	[LAYER_SESSION] = "What is said once the connection stands.",
};

static const char *const capture_intro[LAYER_COUNT] = {
	[LAYER_HOST] = "What the client's own machine does, as far as packets show it.",
	[LAYER_PATH] = "What happens to the SYN and its answer.",
	[LAYER_SESSION] = "What is said once the connection stands, and who ends it.",
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

static void print_facts(const struct table *t, const char *what, fact_set facts)
{
	bool first = true;

	if (!facts)
		return;
	printf("- %s:", what);
	for (unsigned f = 0; f < t->n_facts; f++) {
		if (!(facts & FACT_BIT(f)))
			continue;
		printf("%s `%s`", first ? "" : ",", t->name(f));
		first = false;
	}
	putchar('\n');
}

static void print_place(const struct table *t, const struct rule *r)
{
	printf("- says: state `%s`", state_name(r->state));
	if (r->state == STATE_OPEN) {
		puts("");
		return;
	}
	printf(", mechanism `%s`, ", mechanism_name(r->mechanism));
	if (r->placed)
		printf("place and confidence from %s", t->placed);
	else if (r->confidence == CONFIDENCE_NONE)
		printf("place `%s`", place_name(r->place));
	else
		printf("place `%s`, confidence %.2f", place_name(r->place), r->confidence);
	if (r->direction == DIR_INBOUND)
		printf(", direction `%s`", direction_name(r->direction));
	putchar('\n');
}

static void print_rule(const struct table *t, const struct rule *r)
{
	printf("\n### %s\n\n", r->id);
	print_text(r->summary);
	puts("\n");
	print_facts(t, "needs", r->need);
	print_facts(t, "must be absent", r->absent);
	print_place(t, r);
	printf("- why: ");
	print_text(r->why);
	putchar('\n');
}

static void print_index(const struct table *t)
{
	const struct rule *r;

	puts("| rule | layer | state | mechanism | place | confidence |\n"
	     "| --- | --- | --- | --- | --- | --- |");
	for (unsigned i = 0; (r = t->row(i)) != NULL; i++) {
		printf("| [%s](#%s) | %s | %s | %s | %s | ", r->id, r->id, layer_name(r->layer),
		       state_name(r->state),
		       r->state == STATE_OPEN ? "-" : mechanism_name(r->mechanism),
		       r->state == STATE_OPEN ? "-" : r->placed ? "computed"
						      : place_name(r->place));
		if (r->placed)
			puts("computed |");
		else if (r->confidence == CONFIDENCE_NONE)
			puts("- |");
		else
			printf("%.2f |\n", r->confidence);
	}
}

static void print_fact_index(const struct table *t)
{
	puts("\n| fact | what it asserts |\n| --- | --- |");
	for (unsigned f = 0; f < t->n_facts; f++) {
		printf("| `%s` | ", t->name(f));
		print_text(t->text(f));
		puts(" |");
	}
}

static void print_layers(const struct table *t, const char *heading)
{
	const struct rule *r;

	for (int layer = 0; layer < LAYER_COUNT; layer++) {
		printf("\n## %s: %s\n\n%s\n", heading, layer_name((enum layer)layer), t->intro[layer]);
		for (unsigned i = 0; (r = t->row(i)) != NULL; i++)
			if ((int)r->layer == layer)
				print_rule(t, r);
	}
}

/* ---- comparisons ---- */

static void print_compare_facts(const char *what, uint32_t facts)
{
	const char *before = "";

	if (!facts)
		return;
	printf("- %s:", what);
	for (int f = 0; f < CMP_FACT_COUNT; f++)
		if (facts & CMP_BIT(f)) {
			printf("%s `%s`", before, compare_fact_name((enum compare_fact)f));
			before = ",";
		}
	putchar('\n');
}

static void print_compare_rule(const struct compare_rule *r)
{
	printf("\n## %s\n\n", r->id);
	print_text(r->summary);
	puts("\n");
	print_compare_facts("needs", r->need);
	print_compare_facts("must be absent", r->absent);
	if (r->at_gateway)
		printf("- says: place `gateway`, confidence %.2f\n", r->confidence);
	else
		puts(r->placed ? "- says: place and confidence from the suspects, or from the reports' own"
			       : "- says: no place");
	for (unsigned i = 0; i < COMPARE_MAX_NEXT && r->next[i]; i++) {
		printf("- next: ");
		print_text(r->next[i]);
		putchar('\n');
	}
	printf("- why: ");
	print_text(r->why);
	putchar('\n');
}

static void print_comparisons(void)
{
	printf("\n# Comparisons\n\n"
	       "`compare`, and `check` by several ways out, gather the reports that share a fate, and say\n"
	       "of each such group (\"these\") what the first rule that matches says. How devices become\n"
	       "suspects and are cleared is in [compare.md](compare.md).\n");
	for (unsigned i = 0; i < compare_rule_count; i++)
		print_compare_rule(&compare_rule_table[i]);
	puts("\n## The facts of comparisons\n\n| fact | what it asserts |\n| --- | --- |");
	for (int f = 0; f < CMP_FACT_COUNT; f++) {
		printf("| `%s` | ", compare_fact_name((enum compare_fact)f));
		print_text(compare_fact_text((enum compare_fact)f));
		puts(" |");
	}
}

int main(void)
{
	const struct table live = {rule_row, F_COUNT, live_name, live_text, layer_intro,
				   "the traces"};
	const struct table captures = {capture_row, CF_COUNT, capture_fact_name,
				       capture_fact_text, capture_intro, "TTLs and addresses"};

	printf("# The rules\n\n"
	       "Written by tests/tools/rules_doc.c from the tables in src/diag/rules_*.c,\n"
	       "src/diag/capture_rules.c and src/diag/compare_rules.c: don't edit it, run\n"
	       "`cmake --build build/dev --target update-docs`.\n\n"
	       "What the words mean is in [method.md](method.md).\n\n"
	       "- [Live runs](#live-runs): `check` and `inspect`\n"
	       "- [Captures](#captures): `read`\n"
	       "- [Comparisons](#comparisons): `compare`\n\n"
	       "# Live runs\n\n"
	       "In each layer the first rule that matches wins. A rule matches when every fact\n"
	       "that it needs was seen, and every fact that must be absent was looked for and\n"
	       "not seen.\n\n");
	print_index(&live);
	print_layers(&live, "Layer");
	puts("\n## The facts");
	print_fact_index(&live);
	printf("\n# Captures\n\n"
	       "The first rule that matches judges the connection. A rule matches when the\n"
	       "capture shows every fact that it needs, and none of those that must be absent.\n\n");
	print_index(&captures);
	print_layers(&captures, "Captures, layer");
	puts("\n## The facts of captures");
	print_fact_index(&captures);
	print_comparisons();
	return fflush(stdout) != 0 || ferror(stdout);
}
