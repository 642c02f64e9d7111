#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# No memory error and no leak under valgrind.
#
#   valgrind.sh PROGRAM SCENARIO STATUS     a build without sanitizers, a scenario of the
#                                           lab, and the exit status that is right there
set -u

root=$(cd "$(dirname "$0")/../.." && pwd)
program=$1 scenario=$2 expected=$3
if [ ! -x "$program" ]; then
	echo "skipped: there is no $program; build it: cmake --preset release && cmake --build --preset release"
	exit 77
fi
if ! command -v valgrind >/dev/null; then
	echo "skipped: valgrind is not installed"
	exit 77
fi
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
status=0
# a fifth of the speed and less: the bound on a target must not be what ends the run
"$root/tests/lab/lab" exec "$scenario" -- \
	valgrind --vgdb=no --log-file="$log" --error-exitcode=99 --leak-check=full --track-fds=yes \
	--errors-for-leak-kinds=definite,indirect,possible \
	"$program" --timeout 60 '{target4}' || status=$?
cat "$log"
if [ "$status" -ne "$expected" ]; then
	echo "exit status $status, expected $expected"
	exit 1
fi
# the status alone could be the lab's own
grep -q 'ERROR SUMMARY: 0 errors' "$log"
