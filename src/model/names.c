/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/names.h"

#include <errno.h>
#include <stddef.h>

#include "base/addr.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TABLE_LOOKUP(table, i, count)                                        \
	_Static_assert(COUNT(table) == (count), "a name for each value"); \
	return table[i]

const char *state_name(enum state s)
{
	static const char *const names[] = {"open", "blocked", "intercepted", "refused",
					    "rejected", "no-service", "unreachable",
					    "inconclusive"};
	TABLE_LOOKUP(names, s, STATE_COUNT);
}

const char *mechanism_name(enum mechanism m)
{
	static const char *const names[] = {
		"local-error", "silent-drop", "tcp-reset", "icmp-unreachable", "interception",
		"smtp-mangled", "starttls-stripped", "tls-intercepted", "session-reset",
		"session-close", "session-stall", "not-smtp", "tls-failed", "policy-reject",
		"unknown"};
	TABLE_LOOKUP(names, m, MECH_COUNT);
}

const char *place_name(enum place p)
{
	static const char *const names[] = {"host", "gateway", "isp", "transit",
					    "destination-network", "destination", "unknown"};
	TABLE_LOOKUP(names, p, PLACE_COUNT);
}

const char *direction_name(enum direction d)
{
	static const char *const names[] = {"outbound", "inbound"};
	TABLE_LOOKUP(names, d, DIR_COUNT);
}

const char *culprit_kind_name(enum culprit_kind k)
{
	static const char *const names[] = {
		"nft-rule", "nft-policy", "iptables-rule", "route", "ip-rule", "neighbour",
		"link", "sysctl", "conntrack", "tc", "xdp", "cgroup-bpf", "lsm", "kernel-drop",
		"hop", "middlebox", "server", "unknown"};
	TABLE_LOOKUP(names, k, CULPRIT_COUNT);
}

const char *would_name(enum host_would w)
{
	switch (w) {
	case WOULD_PASS: return "pass";
	case WOULD_STOP: return "stop";
	case WOULD_REDIRECT: return "redirect";
	case WOULD_MAYBE: break;
	}
	return "unknown";
}

const char *source_name(enum source s)
{
	static const char *const names[] = {"socket", "capture", "route", "link", "neighbour",
					    "nft", "nftrace", "iptables", "kernel", "path",
					    "smtp", "tls", "dns", "canary"};
	TABLE_LOOKUP(names, s, SOURCE_COUNT);
}

const char *service_name(unsigned port)
{
	switch (port) {
	case 22: return "ssh";
	case 25: return "smtp";
	case 53: return "domain";
	case 80: return "http";
	case 110: return "pop3";
	case 143: return "imap";
	case 443: return "https";
	case 465: return "submissions"; /* RFC 8314 */
	case 587: return "submission";
	case 993: return "imaps";
	case 995: return "pop3s";
	case 2525: return "smtp-alt";
	}
	return "";
}

const char *errno_name(int error)
{
	switch (error) {
	case 0: return "no error";
	case EACCES: return "EACCES";
	case EADDRINUSE: return "EADDRINUSE";
	case EADDRNOTAVAIL: return "EADDRNOTAVAIL";
	case EAFNOSUPPORT: return "EAFNOSUPPORT";
	case ECONNABORTED: return "ECONNABORTED";
	case ECONNREFUSED: return "ECONNREFUSED";
	case ECONNRESET: return "ECONNRESET";
	case EHOSTDOWN: return "EHOSTDOWN";
	case EHOSTUNREACH: return "EHOSTUNREACH";
	case EINVAL: return "EINVAL";
	case EIO: return "EIO";
	case EMSGSIZE: return "EMSGSIZE";
	case ENETDOWN: return "ENETDOWN";
	case ENETUNREACH: return "ENETUNREACH";
	case ENOBUFS: return "ENOBUFS";
	case ENODEV: return "ENODEV";
	case ENOMEM: return "ENOMEM";
	case ENOPROTOOPT: return "ENOPROTOOPT";
	case EPERM: return "EPERM";
	case EPIPE: return "EPIPE";
	case EPROTO: return "EPROTO";
	case ETIMEDOUT: return "ETIMEDOUT";
	}
	return "another errno";
}

const char *icmp_name(unsigned family, unsigned type, unsigned code)
{
	/* RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1 */
	static const char *const v4[] = {
		"net-unreachable", "host-unreachable", "protocol-unreachable",
		"port-unreachable", "fragmentation-needed", "source-route-failed",
		"net-unknown", "host-unknown", "source-isolated", "net-prohibited",
		"host-prohibited", "tos-net-unreachable", "tos-host-unreachable",
		"admin-prohibited", "precedence-violation", "precedence-cutoff"};
	/* RFC 4443 section 3.1, RFC 8883 */
	static const char *const v6[] = {
		"no-route", "admin-prohibited", "beyond-scope", "address-unreachable",
		"port-unreachable", "policy-fail", "reject-route", "source-routing-error"};

	if (family == ADDR_V4) {
		if (type == 3 && code < COUNT(v4))
			return v4[code];
		if (type == 11)
			return code == 0 ? "time-exceeded" : "reassembly-time-exceeded";
		if (type == 12)
			return "parameter-problem";
	} else {
		if (type == 1 && code < COUNT(v6))
			return v6[code];
		if (type == 2)
			return "packet-too-big";
		if (type == 3)
			return code == 0 ? "time-exceeded" : "reassembly-time-exceeded";
		if (type == 4)
			return "parameter-problem";
	}
	return "other";
}
