# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced: the Debian packages that the build, the tests and the lab need, and
# their installation.

BUILD_PACKAGES=(
	cmake make gcc clang libc6-dev pkg-config
	libpcap-dev libnl-3-dev libnftnl-dev libmnl-dev libssl-dev libjansson-dev
	libcap-dev libmicrohttpd-dev libseccomp-dev libmaxminddb-dev libbpf-dev libunbound-dev zlib1g-dev libzstd-dev liblzma-dev
)
TEST_PACKAGES=(libcmocka-dev ninja-build valgrind libc6-dbg chromium dpkg-dev libclang-rt-dev)
LAB_PACKAGES=(
	python3 python3-jsonschema iproute2 nftables iptables openssl util-linux
	procps postfix libsasl2-modules ufw firewalld dbus bpftool knot knot-dnsutils unbound dns-root-data
	sslsplit prometheus
)

package_installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Keeps the services of newly installed packages from starting (Debian policy
# manual, 9.3.3), above all a system-wide Postfix that nobody asked for. A
# policy that the administrator already has stays in force instead.
without_service_starts() {
	local policy=/usr/sbin/policy-rc.d
	if [ -e "$policy" ]; then
		"$@"
		return
	fi
	( # a subshell, so that the policy goes away however this ends
		trap 'rm -f "$policy"' EXIT
		trap 'exit 130' INT TERM
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
		"$@"
	)
}

# Firewalls, name servers and a Prometheus that the lab runs in its namespaces are not to work for this
# machine from its next start on: packages switch them on.
NOT_FOR_THIS_MACHINE=(ufw firewalld knot unbound prometheus)

leave_switched_off() {
	local package
	command -v systemctl >/dev/null || return 0
	for package in "$@"; do
		[[ " ${NOT_FOR_THIS_MACHINE[*]} " == *" $package "* ]] && systemctl disable "$package" >/dev/null 2>&1
	done
	return 0
}

# install_deps PACKAGE...: installs what is missing of these; asks the network only
# if something is. Takes nothing away: where a package would push out another
# (Postfix an installed Exim), apt-get says so, and that is for the administrator
# to decide.
install_deps() {
	local package missing=()
	for package in "$@"; do
		package_installed "$package" || missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] && return
	if [ "$(id -u)" -ne 0 ]; then
		echo "missing packages: ${missing[*]} (run as root to have them installed)" >&2
		return 1
	fi
	echo "Installing: ${missing[*]}" >&2
	# Postfix otherwise asks for, or makes, a system-wide configuration.
	command -v debconf-set-selections >/dev/null &&
		echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update >&2 &&
		without_service_starts apt-get -qq -y --no-install-recommends --no-remove install "${missing[@]}" >&2 &&
		leave_switched_off "${missing[@]}"
}
