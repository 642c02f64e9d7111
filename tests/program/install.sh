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

data=$work/prefix/share/smtpblame/signatures
cmp "$source/share/signatures" "$data" || fail "share/signatures is not installed"
"$source/tests/lab/lab" exec open -- "$program" -q '{target4}' || fail "it does not find an open target open"

# it looks for its data beside itself, wherever that was moved: when the file is spoilt there, it says so
mv "$work/prefix" "$work/moved"
data=$work/moved/share/smtpblame/signatures
echo 'issuer | nothing more' >"$data"
said=$("$source/tests/lab/lab" exec open -- "$work/moved/sbin/smtpblame" -q '{target4}' 2>&1) && status=0 || status=$?
[ "$status" = 2 ] || fail "with a malformed $data it exits with $status: $said"
echo "$said" | grep -q 'share/smtpblame/signatures:1: ' || fail "it does not name the malformed line: $said"
rm "$data" # it does without, too
"$source/tests/lab/lab" exec open -- "$work/moved/sbin/smtpblame" -q '{target4}' || fail "it needs its data file"
find "$work/moved" -type f -printf 'installed: %P\n'
