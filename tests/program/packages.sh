#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The packages that README.md tells to install are those that scripts/deps.sh knows.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=scripts/deps.sh
. "$root/scripts/deps.sh"

sorted() { printf '%s\n' "$@" | LC_ALL=C sort; }

# shellcheck disable=SC2046  # words
told=$(sorted $(sed -n 's/^ *sudo apt-get install --no-install-recommends //p' "$root/README.md"))
[ -n "$told" ] || { echo "README.md has no line: sudo apt-get install --no-install-recommends PACKAGES"; exit 1; }
diff -u --label README.md --label scripts/deps.sh <(echo "$told") <(sorted "${BUILD_PACKAGES[@]}")
