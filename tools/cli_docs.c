/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the shells and man(1) know of the command line, from the program's own
 * tables of options, so that nothing of it can be out of date:
 *
 *   cli-docs man TEMPLATE   the manual page; lines @OPTIONS VERB@ and @VERSION@ are filled in
 *   cli-docs bash|zsh|fish  a completion
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

#define OPTIONS_MAX 128

static const struct verb {
	const char *name;
	const char *options; /* whose table it reads */
	const char *help;
	const char *operand; /* what it works on, "hosts" or "files" */
} verbs[] = {
	{"check", "check", "probe, and say who blocks", "hosts"},
	{"inspect", "check", "what on this host touches SMTP to a target", "hosts"},
	{"read", "read", "judge the SMTP connections of captures", "files"},
	{"replay", "replay", "derive the report of a saved case again", "files"},
	{"compare", "compare", "reports side by side: what differs, and what follows", "files"},
	{"serve", "serve", "exporter for Prometheus", "files"},
	{"watch", "watch", "look again and again, and say what changes", "hosts"},
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

struct options_of {
	struct option_help list[OPTIONS_MAX];
	size_t n;
};

static struct options_of get(const char *verb)
{
	struct options_of o;

	o.n = options_of(verb, o.list, OPTIONS_MAX);
	return o;
}

/* What completes an argument, by its name in the table. */
enum kind { KIND_NONE, KIND_FILE, KIND_FOLDER, KIND_INTERFACE, KIND_NETNS, KIND_USER, KIND_WHEN, KIND_OTHER };

static enum kind kind_of(const struct option_help *o)
{
	static const struct {
		const char *argument;
		enum kind kind;
	} kinds[] = {{"DIR", KIND_FOLDER}, {"IF", KIND_INTERFACE}, {"NAME|PID", KIND_NETNS},
		     {"USER", KIND_USER}, {"WHEN", KIND_WHEN}};

	if (!o->argument)
		return KIND_NONE;
	if (strncmp(o->argument, "FILE", 4) == 0)
		return KIND_FILE;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(o->argument, kinds[i].argument) == 0)
			return kinds[i].kind;
	return KIND_OTHER;
}

/* Prints text with a backslash before each of `special`. */
static void escaped(const char *text, const char *special)
{
	for (; *text; text++) {
		if (strchr(special, *text))
			putchar('\\');
		putchar(*text);
	}
}

/* ---- the manual page ---- */

static void man_text(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
}

static void man_options(const char *verb)
{
	struct options_of o = get(verb);

	for (size_t i = 0; i < o.n; i++) {
		fputs(".TP\n", stdout);
		if (o.list[i].letter)
			printf("\\fB\\-%c\\fR, ", o.list[i].letter);
		fputs("\\fB\\-\\-", stdout);
		man_text(o.list[i].name);
		fputs("\\fR", stdout);
		if (o.list[i].argument)
			printf(" \\fI%s\\fR", o.list[i].argument);
		putchar('\n');
		man_text(o.list[i].help);
		putchar('\n');
	}
}

static int man(const char *template)
{
	FILE *in = fopen(template, "r");
	char line[1024], verb[32];

	if (!in) {
		perror(template);
		return 1;
	}
	while (fgets(line, sizeof(line), in)) {
		char *at = strstr(line, "@VERSION@");
		if (sscanf(line, "@OPTIONS %31[a-z]@", verb) == 1)
			man_options(verb);
		else if (at)
			printf("%.*s%s%s", (int)(at - line), line, SMTPBLAME_VERSION,
			       at + strlen("@VERSION@"));
		else
			fputs(line, stdout);
	}
	return fclose(in) != 0;
}

/* ---- bash ---- */

static void bash_names(const struct options_of *o)
{
	for (size_t i = 0; i < o->n; i++) {
		if (o->list[i].letter)
			printf("-%c ", o->list[i].letter);
		printf("--%s ", o->list[i].name);
	}
}

/* The options of any verb that take an argument of this kind, once each, as a pattern of `case`. */
static bool bash_pattern(enum kind kind)
{
	char told[2048] = "|";
	bool any = false;

	for (size_t v = 0; v < N_VERBS; v++) {
		struct options_of o = get(verbs[v].options);
		for (size_t i = 0; i < o.n; i++) {
			char names[80], found[84];
			if (o.list[i].letter)
				snprintf(names, sizeof(names), "-%c|--%s", o.list[i].letter, o.list[i].name);
			else
				snprintf(names, sizeof(names), "--%s", o.list[i].name);
			snprintf(found, sizeof(found), "|%s|", names);
			if (kind_of(&o.list[i]) != kind || strstr(told, found))
				continue;
			printf("%s%s", any ? "|" : "\t", names);
			any = true;
			strncat(told, names, sizeof(told) - strlen(told) - 1);
			strncat(told, "|", sizeof(told) - strlen(told) - 1);
		}
	}
	if (any)
		puts(")");
	return any;
}

static void bash_case(enum kind kind, const char *command)
{
	if (bash_pattern(kind))
		printf("\t\t%s\n\t\treturn ;;\n", command);
}

static int bash(void)
{
	puts("# bash completion for smtpblame; made from its table of options\n"
	     "_smtpblame() {\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb=check options\n"
	     "\tCOMPREPLY=()");
	fputs("\tcase ${COMP_WORDS[1]} in\n\t", stdout);
	for (size_t v = 0; v < N_VERBS; v++)
		printf("%s%s", v ? "|" : "", verbs[v].name);
	puts(") [ \"$COMP_CWORD\" -gt 1 ] && verb=${COMP_WORDS[1]} ;;\n\tesac\n\tcase $prev in");
	bash_case(KIND_FILE, "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); compopt -o filenames 2>/dev/null");
	bash_case(KIND_FOLDER, "mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); compopt -o filenames 2>/dev/null");
	bash_case(KIND_INTERFACE, "mapfile -t COMPREPLY < <(compgen -W \"$(ls /sys/class/net 2>/dev/null)\" -- \"$cur\")");
	bash_case(KIND_NETNS, "mapfile -t COMPREPLY < <(compgen -W \"$(ls /run/netns 2>/dev/null)\" -- \"$cur\")");
	bash_case(KIND_USER, "mapfile -t COMPREPLY < <(compgen -u -- \"$cur\")");
	bash_case(KIND_WHEN, "mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- \"$cur\")");
	bash_case(KIND_OTHER, ":");
	puts("\tesac\n\tcase $verb in");
	for (size_t v = 0; v < N_VERBS; v++) {
		struct options_of o = get(verbs[v].options);
		printf("\t%s) options='", verbs[v].name);
		bash_names(&o);
		puts("' ;;");
	}
	puts("\tesac\n"
	     "\tif [[ $cur == -* ]]; then\n"
	     "\t\tmapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
	     "\t\treturn\n\tfi\n\tcase $verb in");
	for (size_t v = 0; v < N_VERBS; v++)
		printf("\t%s) mapfile -t COMPREPLY < <(compgen %s -- \"$cur\")%s ;;\n", verbs[v].name,
		       strcmp(verbs[v].operand, "files") == 0 ? "-f" : "-A hostname",
		       strcmp(verbs[v].operand, "files") == 0 ? "; compopt -o filenames 2>/dev/null" : "");
	fputs("\tesac\n\t[ \"$COMP_CWORD\" -eq 1 ] &&\n\t\tmapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < "
	      "<(compgen -W '",
	      stdout);
	for (size_t v = 0; v < N_VERBS; v++)
		printf("%s%s", v ? " " : "", verbs[v].name);
	puts("' -- \"$cur\")\n}\ncomplete -F _smtpblame smtpblame");
	return 0;
}

/* ---- zsh ---- */

static const char *zsh_action(enum kind kind)
{
	switch (kind) {
	case KIND_NONE: break;
	case KIND_FILE: return "_files";
	case KIND_FOLDER: return "_files -/";
	case KIND_INTERFACE: return "_net_interfaces";
	case KIND_NETNS: return "_files -W /run/netns";
	case KIND_USER: return "_users";
	case KIND_WHEN: return "(auto always never)";
	case KIND_OTHER: return "";
	}
	return "";
}

/* Within single quotes, and within the brackets and colons of _arguments. */
static void zsh_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr("[]:\\", *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void zsh_options(const char *verb)
{
	struct options_of o = get(verb);

	for (size_t i = 0; i < o.n; i++) {
		const struct option_help *one = &o.list[i];
		if (one->letter)
			printf("\t\t\t'(-%c --%s)'{-%c,--%s}'[", one->letter, one->name, one->letter,
			       one->name);
		else
			printf("\t\t\t'--%s[", one->name);
		zsh_text(one->help);
		putchar(']');
		if (one->argument) {
			putchar(':');
			zsh_text(one->argument);
			printf(":%s", zsh_action(kind_of(one)));
		}
		puts("' \\");
	}
}

static int zsh(void)
{
	puts("#compdef smtpblame\n# zsh completion for smtpblame; made from its table of options\n"
	     "_smtpblame() {\n\tlocal verb=check\n\tlocal -a verbs=(");
	for (size_t v = 0; v < N_VERBS; v++) {
		printf("\t\t'%s:", verbs[v].name);
		zsh_text(verbs[v].help);
		puts("'");
	}
	puts("\t)\n\tif (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n"
	     "\t\t_describe -t commands command verbs\n\t\t_hosts\n\t\treturn\n\tfi");
	puts("\t(( ${verbs[(I)$words[2]:*]} )) && verb=$words[2]\n\tcase $verb in");
	for (size_t v = 0; v < N_VERBS; v++) {
		printf("\t%s)\n\t\t_arguments -s -S \\\n", verbs[v].name);
		zsh_options(verbs[v].options);
		printf("\t\t\t'*:%s' ;;\n",
		       strcmp(verbs[v].operand, "files") == 0 ? "capture:_files" : "target:_hosts");
	}
	puts("\tesac\n}\n_smtpblame \"$@\"");
	return 0;
}

/* ---- fish ---- */

static void fish_text(const char *text)
{
	putchar('\'');
	escaped(text, "'\\");
	putchar('\'');
}

static const char *fish_arguments(enum kind kind)
{
	switch (kind) {
	case KIND_NONE: return "";
	case KIND_FILE: return " -r -F";
	case KIND_FOLDER: return " -x -a '(__fish_complete_directories)'";
	case KIND_INTERFACE: return " -x -a '(__fish_print_interfaces)'";
	case KIND_NETNS: return " -x -a '(command ls /run/netns 2>/dev/null)'";
	case KIND_USER: return " -x -a '(__fish_complete_users)'";
	case KIND_WHEN: return " -x -a 'auto always never'";
	case KIND_OTHER: return " -x";
	}
	return "";
}

static void fish_options(const char *table, const char *condition)
{
	struct options_of o = get(table);

	for (size_t i = 0; i < o.n; i++) {
		printf("complete -c smtpblame -n '%s'", condition);
		if (o.list[i].letter)
			printf(" -s %c", o.list[i].letter);
		printf(" -l %s%s -d ", o.list[i].name, fish_arguments(kind_of(&o.list[i])));
		fish_text(o.list[i].help);
		putchar('\n');
	}
}

/* Where the options of a table are offered: `check` is meant wherever no other table's verb is said. */
static void fish_condition(const char *table, char *out, size_t size)
{
	bool check = strcmp(table, "check") == 0;
	size_t n = (size_t)snprintf(out, size, "%s__fish_seen_subcommand_from", check ? "not " : "");

	for (size_t v = 0; v < N_VERBS && n < size; v++)
		if (check ? strcmp(verbs[v].options, "check") != 0
			  : strcmp(verbs[v].options, table) == 0)
			n += (size_t)snprintf(out + n, size - n, " %s", verbs[v].name);
}

static int fish(void)
{
	char condition[200];

	puts("# fish completion for smtpblame; made from its table of options\ncomplete -c smtpblame -f");
	for (size_t v = 0; v < N_VERBS; v++) {
		printf("complete -c smtpblame -n __fish_use_subcommand -a %s -d ", verbs[v].name);
		fish_text(verbs[v].help);
		putchar('\n');
	}
	for (size_t v = 0; v < N_VERBS; v++) {
		if (strcmp(verbs[v].options, verbs[v].name) != 0)
			continue; /* the same table again */
		fish_condition(verbs[v].options, condition, sizeof(condition));
		printf("complete -c smtpblame -n '%s' %s\n", condition,
		       strcmp(verbs[v].operand, "files") == 0 ? "-F" : "-a '(__fish_print_hostnames)'");
		fish_options(verbs[v].options, condition);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int failed = 2;

	if (argc == 3 && strcmp(what, "man") == 0)
		failed = man(argv[2]);
	else if (argc == 2 && strcmp(what, "bash") == 0)
		failed = bash();
	else if (argc == 2 && strcmp(what, "zsh") == 0)
		failed = zsh();
	else if (argc == 2 && strcmp(what, "fish") == 0)
		failed = fish();
	else
		fputs("usage: cli-docs man TEMPLATE | bash | zsh | fish\n", stderr);
	return failed || fflush(stdout) != 0;
}
