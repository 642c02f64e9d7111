#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Pages of sample reports in Chromium (browser.py).
#
#   browser.sh UNIT-REPORT-HTML UNIT-REPORT-CONNECTIONS
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" --write "$work"
"$2" --write "$work"
"$(dirname "$0")/browser.py" "$work/hostile.html" "$work/all.html" "$work/connections-hostile.html"
