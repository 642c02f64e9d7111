#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# No data race between the capture thread and the main thread, by ThreadSanitizer.
#
#   tsan.sh PROGRAM SCENARIO:STATUS...     a build with -fsanitize=thread, scenarios of the
#                                          lab, and the exit status that is right there
set -u

root=$(cd "$(dirname "$0")/../.." && pwd)
program=$1
shift
if [ ! -x "$program" ]; then
	echo "skipped: there is no $program; build it: cmake --preset tsan && cmake --build --preset tsan"
	exit 77
fi
reports=$(mktemp -d) || exit 1
trap 'rm -rf "$reports"' EXIT
export TSAN_OPTIONS="exitcode=98 log_path=$reports/tsan"
failed=0
for one in "$@"; do
	scenario=${one%:*} expected=${one#*:} status=0
	# -R: older TSan runtimes cannot place their shadow memory on kernels that randomise more bits
	said=$("$root/tests/lab/lab" exec "$scenario" -- setarch -R "$program" -q '{target4}') || status=$?
	echo "$said"
	# the status alone could be the lab's own: there must be a verdict on each port as well
	if [ "$status" -ne "$expected" ] || [ "$(echo "$said" | wc -l)" -ne 3 ]; then
		echo "$scenario: exit status $status, expected $expected and a line for each of 3 ports"
		failed=1
	fi
done
for report in "$reports"/*; do
	[ -e "$report" ] || continue
	cat "$report"
	failed=1
done
exit "$failed"
