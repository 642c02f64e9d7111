#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# One scenario of the lab many times, in each of its families.
#
#   repeat.sh PROGRAM SCENARIO TIMES
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ ! -x "$1" ]; then
	echo "skipped: there is no $1; build it: cmake --preset release && cmake --build --preset release"
	exit 77
fi
exec "$root/tests/lab/lab" repeat --keep-going --bin "$1" "$2" "$3"
