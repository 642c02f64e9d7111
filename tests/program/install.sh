#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds and installs by plain commands, without presets, as a packager would, and
# runs the installed program.
#
#   install.sh SOURCE-DIRECTORY VERSION
set -eu

source=$1 version=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "install: $*"
	exit 1
}

cmake -S "$source" -B "$work/build" -DCMAKE_BUILD_TYPE=Release >"$work/log" ||
	{ cat "$work/log"; fail "cmake fails"; }
# not the tests: they take a minute, and are not installed
cmake --build "$work/build" --parallel --target smtpblame >"$work/log" 2>&1 || { cat "$work/log"; fail "the build fails"; }
! grep 'warning:' "$work/log" || fail "the build warns"
cmake --install "$work/build" --prefix "$work/prefix" >/dev/null
rm -r "$work/build" # what is installed must not need it

program=$work/prefix/sbin/smtpblame
[ -x "$program" ] || fail "there is no PREFIX/sbin/smtpblame"
cd /
[ "$("$program" --version)" = "smtpblame $version" ] ||
	fail "--version says '$("$program" --version)', not 'smtpblame $version'"
"$program" --help | grep -q 'smtpblame \[check\]' || fail "--help does not help"
"$source/tests/lab/lab" exec open -- "$program" -q '{target4}' || fail "it does not find an open target open"
find "$work/prefix" -type f -printf 'installed: %P\n'
