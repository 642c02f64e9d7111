#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Proves that a room sees the rooms that it may see, and no other.
#
#   rooms.sh BUILD-DIRECTORY
#
# For every pair of rooms, the flags with which the build compiles the one (from
# compile_commands.json) are given to a file that includes a header of the other:
# that must compile where the table allows it, and must not be found where not.
# Besides, every header compiles on its own in its own room, and no source goes
# around the rooms by a path.
set -u

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$1

# docs/architecture.md, "Who may include whom"
declare -A may=(
	[base]=""
	[model]="base"
	[wire]="base model"
	[smtp]="base model"
	[conn]="base model wire smtp"
	[diag]="base model wire smtp conn"
	[capture]="base model wire smtp"
	[probe]="base model wire smtp"
	[host]="base model wire smtp"
	[report]="base model"
	[case]="base model wire"
	[run]="base model wire smtp conn diag capture probe host case"
	[serve]="base model report"
	[cli]="base model wire smtp conn diag capture probe host case run report serve"
)

failures=0
complain() {
	echo "rooms: $*"
	failures=$((failures + 1))
}

# The compile command of any file of room $1, up to its -o.
flags_of() {
	python3 - "$build/compile_commands.json" "$root/src/$1/" <<'EOF'
import json, sys
for entry in json.load(open(sys.argv[1])):
    if entry["file"].startswith(sys.argv[2]):
        print(entry["command"].split(" -o ")[0])
        break
EOF
}

declare -A flags
for folder in "$root"/src/*/; do
	room=$(basename "$folder")
	[ -v "may[$room]" ] || complain "src/$room is no room of the table in $0"
	flags[$room]=$(flags_of "$room")
	[ -n "${flags[$room]}" ] || complain "the build compiles nothing of $room"
done
for room in "${!may[@]}"; do
	[ -d "$root/src/$room" ] || complain "there is no room src/$room"
done
[ "$failures" -eq 0 ] || exit 1

# compile ROOM LINES: 0 when the lines compile in the room; the compiler's words are in $said.
compile() {
	# the build's own words are quoted for a shell
	said=$(printf '%s\n' "$2" | (cd "$build" && LC_ALL=C eval "${flags[$1]} -fsyntax-only -x c -" 2>&1))
}

headers_of() {
	(cd "$root/src" && printf '#include "%s"\n' "$1"/*.h)
}

for room in "${!may[@]}"; do
	while read -r line; do
		compile "$room" "$line" || complain "$room: $line does not compile on its own: $said"
	done < <(headers_of "$room")
	for other in "${!may[@]}"; do
		[ "$room" != "$other" ] || continue
		first=$(headers_of "$other" | head -n 1)
		if [[ " ${may[$room]} " == *" $other "* ]]; then
			compile "$room" "$(headers_of "$other")" ||
				complain "$room may include $other, and that does not compile: $said"
		elif compile "$room" "$first"; then
			complain "$room must not include $other, but $first compiles there"
		elif [[ "$said" != *"No such file or directory"* ]]; then
			complain "$room must not include $other; that fails, but for another reason: $said"
		fi
	done
done

while read -r line; do
	complain "an include by path: $line"
done < <(cd "$root" && grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]([^">]*\.\./|src/|/)' src)

[ "$failures" -eq 0 ] || exit 1
echo "${#may[@]} rooms, $((${#may[@]} * (${#may[@]} - 1))) pairs"
