#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# systemd understands every line of the units, and finds little in them that a service may do without need.
#
#   units.sh PROGRAM SHARE-DIRECTORY
set -u
if ! command -v systemd-analyze >/dev/null; then
	echo "skipped: systemd-analyze (package systemd) is not installed"
	exit 77
fi
program=$1 share=$2 failed=0
# What is left is what the program is for: it talks to the network, by raw sockets, from the host's own
# namespaces, and takes part in what systemd counts as @privileged and @resources (capset, prlimit64).
exposure_max=2.1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

complain() {
	echo "units: $*"
	failed=1
}

for unit in "$share"/systemd/*; do
	sed "s|@SBINDIR@|$(dirname "$program")|" "$unit" >"$dir/${unit##*/}"
done
said=$(systemd-analyze verify --man=no "$dir"/*.service "$dir"/*.timer 2>&1) || complain "verify fails"
# what it passes over it says, with a status of 0
[ -z "$said" ] || complain "$said"
# it would say something
sed -i 's/^NoNewPrivileges/NoNewPrivilege/' "$dir/smtpblame.service"
[ -n "$(systemd-analyze verify --man=no "$dir/smtpblame.service" 2>&1)" ] || complain "verify overlooks a misspelt line"
sed -i 's/^NoNewPrivilege=/NoNewPrivileges=/' "$dir/smtpblame.service"

for unit in "$dir"/*.service; do
	level=$(systemd-analyze security --offline=yes "$unit" 2>/dev/null | sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p')
	echo "${unit##*/}: exposure $level"
	awk -v level="$level" -v max=$exposure_max 'BEGIN { exit !(level != "" && level <= max) }' ||
		complain "${unit##*/}: exposure ${level:-not told}, at most $exposure_max"
done

# What the filter lets through, as systemd expands it.
group() {
	local line
	systemd-analyze syscall-filter "$1" | sed '1d;s/^ *//;/^#/d;/^$/d' | while read -r line; do
		if [[ $line == @* ]]; then group "$line"; else echo "$line"; fi
	done
}
command -v strace >/dev/null || echo "without strace: system calls are not compared"
if command -v strace >/dev/null; then
	own=$(sed -n 's/^SystemCallFilter=\([a-z][a-z_ ]*\)$/\1/p' "$share/systemd/smtpblame.service" | tr ' ' '\n')
	allowed=$({
		comm -23 <({ group @system-service && group @default; } | sort -u) <(group @privileged | sort -u)
		echo "$own"
	} | sort -u)
	strace -f -qq -o "$dir/calls" "$program" --no-path -t 2 127.0.0.1 >/dev/null 2>&1
	[ -s "$dir/calls" ] || complain "strace has seen nothing"
	# setfsuid() is for --uid, which needs more capabilities than the unit has; bpf() fails without them
	called=$(sed -nE 's/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p' "$dir/calls" | sort -u | grep -vxE 'setfsuid|setfsgid|bpf|unshare|setns')
	[ "$(echo "$called" | wc -l)" -gt 30 ] || complain "strace has seen few calls: $called"
	missing=$(comm -13 <(echo "$allowed") <(echo "$called"))
	[ -z "$missing" ] || complain "the units do not let the program call: $(echo "$missing" | tr '\n' ' ')"
fi
exit $failed
