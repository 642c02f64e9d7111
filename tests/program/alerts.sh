#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The alert rules fire on what the exporter says, and only then.
if ! command -v promtool >/dev/null; then
	echo "skipped: promtool (package prometheus) is not installed"
	exit 77
fi
cd "$(dirname "$0")" && promtool check rules ../../share/prometheus/smtpblame.rules.yml &&
	exec promtool test rules alerts.test.yml
