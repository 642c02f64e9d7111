#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A release build is hardened, tells nothing of where it was built, and makes a Debian package that
# installs, runs and goes away without a trace. dpkg works in a root of its own, without scripts: this
# machine's packages are not touched.
#
#   package.sh BUILD-DIRECTORY VERSION
set -u
build=$1 version=$2 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

complain() {
	echo "package: $*"
	failed=1
}

# ---- the binary ----

binary=$build/src/smtpblame
has() { # has WORDS PATTERN COMMAND...
	local words=$1 pattern=$2
	shift 2
	"$@" 2>/dev/null | grep -qE -- "$pattern" || complain "$words"
}
has "no position-independent executable" 'DYN .*Position-Independent|DYN \(Shared' readelf -hW "$binary"
has "no RELRO" GNU_RELRO readelf -lW "$binary"
has "no BIND_NOW" 'BIND_NOW|NOW' readelf -dW "$binary"
has "the stack may be executed" 'GNU_STACK .* RW ' readelf -lW "$binary"
has "no stack protector" __stack_chk_fail readelf -sW "$binary"
has "no fortified functions" '__[a-z]+_chk' readelf -sW "$binary"
if [ "$(uname -m)" = x86_64 ]; then
	[ "$(objdump -d --no-show-raw-insn "$binary" | grep -c endbr64)" -gt 100 ] || complain "no landing pads (CET)"
fi
! grep -qaF "$build" "$binary" || complain "the binary tells where it was built"

# ---- the package ----

(cd "$build" && cpack -G DEB -B "$work") >"$work/cpack.log" 2>&1 || {
	cat "$work/cpack.log"
	complain "cpack fails"
	exit 1
}
deb=$(find "$work" -maxdepth 1 -name "smtpblame_${version}_*.deb")
[ -n "$deb" ] || { complain "cpack makes no package of version $version"; exit 1; }

field() { dpkg-deb -f "$deb" "$1"; }
depends=$(field Depends)
for library in $(readelf -dW "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
	path=$(ldconfig -p | sed -n "s/^\t$library .* => //p" | head -n 1)
	# by its name: /lib may be /usr/lib
	owner=$(dpkg -S "*/$(basename "$(readlink -f "$path")")" 2>/dev/null | head -n 1 | cut -d: -f1)
	[[ " $depends" == *" $owner"[\ ,]* || " $depends" == *" $owner" ]] ||
		complain "does not depend on $owner, of $library: $depends"
done

root=$work/root
mkdir -p "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/triggers"
touch "$root/var/lib/dpkg/status" "$root/var/lib/dpkg/available"
! dpkg-deb --ctrl-tarfile "$deb" | tar t | grep -E '(pre|post)(inst|rm)' || complain "it has scripts"
run_dpkg() {
	dpkg --root="$root" --log="$work/dpkg.log" --force-depends --force-script-chrootless "$@" >"$work/out" 2>&1 ||
		{ cat "$work/out"; complain "dpkg $1 fails"; }
}
before=$(cd "$root" && find . -path ./var/lib/dpkg -prune -o -print | sort)
run_dpkg --install "$deb"
for file in sbin/smtpblame share/smtpblame/signatures share/man/man8/smtpblame.8 share/doc/smtpblame/copyright \
	share/bash-completion/completions/smtpblame share/zsh/site-functions/_smtpblame \
	share/fish/vendor_completions.d/smtpblame.fish; do
	[ -s "$root/usr/$file" ] || complain "it installs no /usr/$file"
done
[ "$("$root/usr/sbin/smtpblame" --version)" = "smtpblame $version" ] || complain "what it installs does not run"
# the data beside it is what it reads: when that is spoilt it says so, before anything is done
echo 'issuer | nothing more' >"$root/usr/share/smtpblame/signatures"
said=$("$root/usr/sbin/smtpblame" inspect 192.0.2.1 2>&1)
[[ $said == *root/usr/*share/smtpblame/signatures:1:* ]] || complain "it does not read its own data: $said"
run_dpkg --purge smtpblame
after=$(cd "$root" && find . -path ./var/lib/dpkg -prune -o -print | sort)
[ "$before" = "$after" ] || complain "it leaves behind: $(diff <(echo "$before") <(echo "$after"))"

[ $failed = 0 ] && echo "$(basename "$deb"): $(stat -c %s "$deb") bytes; depends on $depends"
exit $failed
