#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A release build is hardened, tells nothing of where it was built, and makes a Debian package that
# installs, runs and goes away without a trace. dpkg works on a copy of this machine, which is not
# touched.
#
#   package.sh SOURCE-DIRECTORY BUILD-DIRECTORY VERSION
set -u
source=$1 build=$2 version=$3 failed=0
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

# As on this machine, which an overlay keeps as it is. systemctl is one that only writes down what it
# is asked for.
in_a_copy() {
	cd "$work" && mkdir over && mount -t tmpfs none over && mkdir over/upper over/work over/root &&
		mount -t overlay overlay -o "lowerdir=/,upperdir=over/upper,workdir=over/work" over/root && mount --bind /proc over/root/proc || return 77
	root=$work/over/root
	mkdir -p "$root/run/systemd/system" && cp "$deb" "$root/tmp/smtpblame.deb" && cp "$source/pcaps/lab-drop.pcap" "$root/tmp/"
	rm -f "$root/usr/bin/systemctl" "$root/usr/sbin/policy-rc.d" # which forbids all, in containers
	printf '#!/bin/sh\necho "$*" >>/tmp/systemctl\n' >"$root/usr/bin/systemctl"
	chmod 755 "$root/usr/bin/systemctl"
	tree() { find "$root/usr" "$root/etc" "$root/lib/systemd" "$root/var/lib" -xdev 2>/dev/null |
		grep -vE '/var/lib/(dpkg|apt)/' | sort; }
	run_dpkg() {
		chroot "$root" dpkg "$@" >"$work/out" 2>&1 || { cat "$work/out"; complain "dpkg $1 fails"; }
	}
	asked() { cat "$root/tmp/systemctl" 2>/dev/null; rm -f "$root/tmp/systemctl"; }
	local before said
	chroot "$root" dpkg --purge smtpblame >/dev/null 2>&1
	asked >/dev/null
	before=$(tree)
	run_dpkg --install /tmp/smtpblame.deb
	[ "$(asked)" = daemon-reload ] || complain "installing it does more than to tell systemd of its units"
	for file in sbin/smtpblame share/smtpblame/signatures share/man/man8/smtpblame.8.gz \
		share/doc/smtpblame/copyright share/doc/smtpblame/changelog.gz lib/systemd/system/smtpblame.service \
		share/bash-completion/completions/smtpblame share/zsh/site-functions/_smtpblame \
		share/fish/vendor_completions.d/smtpblame.fish; do
		[ -s "$root/usr/$file" ] || complain "it installs no /usr/$file"
	done
	[ "$(chroot "$root" smtpblame --version)" = "smtpblame $version" ] || complain "what it installs does not run"
	chroot "$root" smtpblame read /tmp/lab-drop.pcap >"$work/out" 2>&1
	[ $? = 1 ] && grep -q blocked "$work/out" || { cat "$work/out"; complain "what it installs does not read a capture"; }
	# the data beside it is what it reads: when that is spoilt it says so, before anything is done
	cp "$root/usr/share/smtpblame/signatures" "$work/signatures"
	echo 'issuer | nothing more' >"$root/usr/share/smtpblame/signatures"
	said=$(chroot "$root" smtpblame inspect 192.0.2.1 2>&1)
	[[ $said == */usr/*share/smtpblame/signatures:1:* ]] || complain "it does not read its own data: $said"
	cp "$work/signatures" "$root/usr/share/smtpblame/signatures"
	run_dpkg --install /tmp/smtpblame.deb # once more, as an upgrade does
	[[ $(asked) == *"try-restart smtpblame.service"* ]] || complain "an upgrade leaves the old exporter running"
	run_dpkg --remove smtpblame
	[[ $(asked | tr '\n' ';') == "stop smtpblame.service smtpblame-check.timer;disable "*"smtpblame.service smtpblame-check.timer;daemon-reload;" ]] ||
		complain "what was switched on outlives it"
	run_dpkg --purge smtpblame
	diff <(echo "$before") <(tree) || complain "it leaves something behind"
	return $failed
}

if command -v lintian >/dev/null; then
	# whose address the maintainer's is, who builds it for others says
	lintian --allow-root --fail-on error,warning --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog "$deb" >"$work/out" 2>&1 ||
		{ cat "$work/out"; complain "lintian finds errors or warnings"; }
fi
export source work deb version failed
export -f in_a_copy complain
unshare --mount bash -c in_a_copy
case $? in
0) ;;
77) echo "package: no overlay: not installed"; [ $failed = 0 ] && exit 77 ;;
*) failed=1 ;;
esac

[ $failed = 0 ] && echo "$(basename "$deb"): $(stat -c %s "$deb") bytes; depends on $depends"
exit $failed
