#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Every option that --help tells is in the manual page and in the completion of each shell, nothing
# else is, and each shell can read its own.
#
#   cli_docs.sh PROGRAM GENERATED-DIRECTORY
set -u
program=$1 dir=$2 failed=0

complain() {
	echo "cli_docs: $*"
	failed=1
}

# longs: the long options of the help on standard input
longs() { sed -n 's/^ *\(-., \)\{0,1\}--\([a-z0-9-]*\).*/\2/p' | sort -u; }

helps() {
	"$program" --help
	"$program" read --help
	"$program" replay --help
	"$program" compare --help
	"$program" serve --help
	"$program" watch --help
}
want=$(helps | longs)
[ "$(echo "$want" | wc -l)" -gt 20 ] || complain "--help tells hardly any option"
# not behind a pipe: what is found wrong there would be forgotten
same() { diff <(echo "$want") <(sort -u) >"$dir/difference" || complain "$1: $(tr '\n' ' ' <"$dir/difference")"; }

same "manual page" < <(sed -n 's/^\(\\fB\\-.\\fR, \)\{0,1\}\\fB\\-\\-\([a-z0-9\\-]*\)\\fR.*/\2/p' "$dir/smtpblame.8" | tr -d '\\')
same bash < <(grep "options='" "$dir/smtpblame.bash" | grep -o -- '--[a-z][a-z0-9-]*' | sed 's/--//')
same fish < <(sed -n 's/.* -l \([a-z0-9-]*\).*/\1/p' "$dir/smtpblame.fish")
same zsh < <(sed -n "s/^\t*'--\([a-z0-9-]*\)\[.*/\1/p; s/.*,--\([a-z0-9-]*\)}.*/\1/p" "$dir/_smtpblame")

for letter in $(helps | sed -n 's/^ *-\(.\), .*/\1/p' | sort -u); do
	grep -q -- "\\\\fB\\\\-$letter\\\\fR, " "$dir/smtpblame.8" || complain "manual page: no -$letter"
	grep -q -- "[' ]-$letter " "$dir/smtpblame.bash" || complain "bash: no -$letter"
	grep -q -- " -s $letter " "$dir/smtpblame.fish" || complain "fish: no -$letter"
	grep -q -- "{-$letter,--" "$dir/_smtpblame" || complain "zsh: no -$letter"
done

# what bash would offer behind these words
offered() {
	# shellcheck source=/dev/null
	(
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
		. "$dir/smtpblame.bash"
		_smtpblame 2>/dev/null
		echo " ${COMPREPLY[*]} "
	)
}
bash -n "$dir/smtpblame.bash" || complain "bash can't read it"
[[ $(offered smtpblame --js) == *' --json '* ]] || complain "bash offers no --json: $(offered smtpblame --js)"
[[ $(offered smtpblame read --any) == *' --any-port '* ]] || complain "bash offers read no --any-port"
[[ $(offered smtpblame --any) == '  ' ]] || complain "bash offers check what is read's"
[[ $(offered smtpblame insp) == *' inspect '* ]] || complain "bash offers no verb"
[[ $(offered smtpblame --color al) == *' always '* ]] || complain "bash offers no colours"
[[ $(offered smtpblame -i l) == *' lo '* ]] || complain "bash offers no interfaces"
for shell in zsh:_smtpblame fish:smtpblame.fish; do
	command -v "${shell%%:*}" >/dev/null || continue
	"${shell%%:*}" -n "$dir/${shell##*:}" || complain "${shell%%:*} can't read it"
done
if command -v man >/dev/null; then
	said=$(MANROFFSEQ='' MANWIDTH=80 man --warnings -l "$dir/smtpblame.8" 2>&1 >/dev/null)
	[ -z "$said" ] || complain "man: $said"
fi
exit $failed
