#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The other ways to build it, warnings being errors: by clang; and without the libraries that it can
# do without, which it then says where one is asked for. And once more in other folders, which must
# make the same program, to the byte, as RELEASE-BUILD-DIRECTORY has.
#
#   builds.sh SOURCE-DIRECTORY clang|bare
#   builds.sh SOURCE-DIRECTORY again RELEASE-BUILD-DIRECTORY
set -u
source=$1 way=$2
libraries=(SECCOMP DNS ASN SERVE ZLIB ZSTD LZMA DROPS)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

complain() {
	echo "builds: $*"
	failed=1
}

build() { # build TARGET OPTIONS...
	local target=$1
	shift
	{ cmake -S "$source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DSMTPBLAME_WERROR=ON "$@" &&
		cmake --build "$work/build" --target "$target"; } >"$work/log" 2>&1 && return
	grep -E 'error|warning|Error' "$work/log" | head -n 40
	complain "it does not build: $target with $*"
	exit 1
}

libraries=("${libraries[@]/#/-DSMTPBLAME_}")
all_off=("${libraries[@]/%/=OFF}")
libraries=("${libraries[@]/%/=ON}")
program=$work/build/src/smtpblame

says() { # says STATUS WORDS ARGUMENTS...
	local status=$1 words=$2 said got
	shift 2
	said=$("$program" "$@" 2>&1)
	got=$?
	[ $got = "$status" ] && [[ $said == *"$words"* ]] || complain "smtpblame $*: status $got, '$said'"
}

case $way in
clang)
	command -v clang >/dev/null || { echo "builds: there is no clang"; exit 77; }
	build all -DCMAKE_C_COMPILER=clang
	;;
bare)
	tests=(unit-capture-reader unit-run-dns unit-run-sandbox unit-host-drops)
	build smtpblame "${all_off[@]}"
	cmake --build "$work/build" --target "${tests[@]}" rules-doc >"$work/log" 2>&1 || { cat "$work/log"; complain "its tests do not build"; }
	for library in seccomp unbound maxminddb microhttpd bpf; do
		! ldd "$program" | grep "lib$library\." || complain "it is linked with lib$library"
	done
	! ctest --test-dir "$work/build" --output-on-failure \
		-R "^($(IFS='|'; echo "${tests[*]}")|pcaps|cases|docs-rules)\$" \
		>"$work/log" 2>&1 && { cat "$work/log"; complain "its tests fail"; }
	for packed in 'gzip \x1f\x8b\x08\0\0\0\0\0' 'zstd \x28\xb5\x2f\xfd\0\0\0\0' 'xz \xfd7zXZ\0\0\0'; do
		printf "${packed#* }" >"$work/capture"
		says 2 "is compressed with ${packed%% *}, which this build cannot read" read "$work/capture"
	done
	says 3 "serve: not built in (libmicrohttpd)" serve
	says 3 "not built in (libunbound)" inspect @example.net
	says 2 "not built in (libmaxminddb)" inspect --asn-db "$work/log" 192.0.2.1
	# one does not need another: the one half of them, and the other
	for half in 0 4; do
		build smtpblame "${all_off[@]}" "${libraries[@]:half:4}"
		[ "$(grep -c '^-- Without ' "$work/log")" = 4 ] || complain "what is missing is not said: $(cat "$work/log")"
	done
	;;
again)
	release=$3
	mkdir "$work/source"
	tar -C "$source" -c --exclude=./build --exclude=./.git . | tar -C "$work/source" -x
	source=$work/source
	# compiler and linker may have been chosen
	mapfile -t chosen < <(sed -nE 's/^(CMAKE_C_COMPILER|CMAKE_(C|EXE_LINKER)_FLAGS):[A-Z]*=/-D\1=/p' "$release/CMakeCache.txt")
	build smtpblame -DCMAKE_BUILD_TYPE=Release -DSMTPBLAME_WERROR=OFF "${chosen[@]}"
	for file in src/smtpblame generated/smtpblame.8 generated/smtpblame.bash generated/_smtpblame generated/smtpblame.fish; do
		cmp "$work/build/$file" "$release/$file" || complain "another build makes a different $file"
	done
	;;
esac
exit $failed
