#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Networks drawn by lot; see tests/lab/random.
#
#   random.sh PROGRAM OPTIONS...
root=$(cd "$(dirname "$0")/../.." && pwd)
program=$1
shift
if [ ! -x "$program" ]; then
	echo "skipped: there is no $program; build it: cmake --preset release && cmake --build --preset release"
	exit 77
fi
exec "$root/tests/lab/random" --bin "$program" "$@"
