/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finished reports by hand, one for each thing that a renderer must cope with. */
#ifndef SB_TESTS_REPORT_SAMPLES_H
#define SB_TESTS_REPORT_SAMPLES_H

#include <errno.h>
#include <string.h>

#include "model/report.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define V4(a, b, c, d) {.family = ADDR_V4, .bytes = {a, b, c, d}}
#define V6(a, b, c, d, last) {.family = ADDR_V6, .bytes = {a, b, c, d, [15] = last}}
#define NO_TIMES .connect_ms = TIME_NONE, .banner_ms = TIME_NONE, .tls_ms = TIME_NONE

#define STARTED 1769860800123456789 /* 2026-01-31T12:00:00.123456Z */
#define GATEWAY V4(10, 1, 0, 1)
#define VANTAGE                                                                               \
	{.hostname = "night", .interface = "eth0", .link = "ethernet", .source = V4(10, 1, 0, 2), \
	 .gateway = GATEWAY, .gateway_state = "reachable", .mtu = 1500}
#define MX \
	.tool_version = "0.1.0", .started_ns = STARTED, .target_input = "mx.example.com", \
	.target_name = "mx.example.com", .target = V4(198, 51, 100, 25), .vantage = VANTAGE

/* --- healthy ------------------------------------------------------------- */

#define GOOD_TLS                                                                        \
	{.version = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384",                      \
	 .subject = "CN=mx.example.com", .issuer = "C=US, O=Let's Encrypt, CN=R11",     \
	 .spki_sha256 = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0", \
	 .names = (const char *const[]){"mx.example.com"}, .n_names = 1, .verified = true}
#define OPEN_25                                                                         \
	{.port = 25, .service = "smtp", .state = STATE_OPEN, .summary = "SMTP works.",  \
	 .upstream_tested = true, .has_smtp = true,                                     \
	 .smtp = {.code = 220, .banner = "mx.example.com ESMTP Postfix (Debian)",       \
		  .ehlo = (const char *const[]){"PIPELINING", "SIZE 10240000", "STARTTLS"}, \
		  .n_ehlo = 3, .starttls = "ok", .has_tls = true, .tls = GOOD_TLS},     \
	 .connect_ms = 12.1, .banner_ms = 42.3, .tls_ms = 97.3}
#define OPEN_465                                                                        \
	{.port = 465, .service = "submissions", .state = STATE_OPEN,                    \
	 .summary = "Mail submission works.", .upstream_tested = true, .has_smtp = true, \
	 .smtp = {.code = 220, .banner = "mx.example.com ESMTP Postfix (Debian)",       \
		  .ehlo = (const char *const[]){"AUTH PLAIN LOGIN"}, .n_ehlo = 1,       \
		  .auth = (const char *const[]){"PLAIN", "LOGIN"}, .n_auth = 2,         \
		  .has_tls = true, .tls = GOOD_TLS},                                    \
	 .has_client = true,                                                            \
	 .client = {.host = "mx.example.com", .security = "ssl-tls", .certificate = "good"}, \
	 .connect_ms = 12.3, .banner_ms = 72.55, .tls_ms = 43.55}
#define OPEN_587                                                                        \
	{.port = 587, .service = "submission", .state = STATE_OPEN,                     \
	 .summary = "Mail submission works.", .upstream_tested = true, .has_smtp = true, \
	 .smtp = {.code = 220, .banner = "mx.example.com ESMTP Postfix (Debian)",       \
		  .ehlo = (const char *const[]){"STARTTLS", "AUTH PLAIN LOGIN"}, .n_ehlo = 2, \
		  .starttls = "ok", .auth = (const char *const[]){"PLAIN", "LOGIN"},    \
		  .n_auth = 2, .has_tls = true, .tls = GOOD_TLS},                       \
	 .has_client = true,                                                            \
	 .client = {.host = "mx.example.com", .security = "starttls", .certificate = "good"}, \
	 .connect_ms = 12.2, .banner_ms = 41.1, .tls_ms = 95.6}

static const struct report_port healthy_ports[] = {OPEN_25, OPEN_465, OPEN_587};

static const struct report_evidence healthy_evidence[] = {
	{.number = 1, .t_ms = 12.1, .source = SOURCE_SOCKET, .port = 25, .text = "connected"},
};

static const struct report healthy = {
	MX, .elapsed_ms = 180.25, .ports = healthy_ports, .n_ports = 3,
	.evidence = healthy_evidence, .n_evidence = 1,
	.summary = "All tested ports are open.",
};

/* --- blocked at the provider's edge ---------------------------------------- */

static const unsigned e_blocked[] = {1, 2, 4};
static const struct finding blocked_25[] = {{
	.mechanism = MECH_SILENT_DROP, .place = PLACE_ISP, .direction = DIR_OUTBOUND,
	.confidence = 0.9,
	.candidates = {{PLACE_ISP, 0.9}, {PLACE_GATEWAY, 0.1}}, .n_candidates = 2,
	.has_hop = true, .hop_from = {1, GATEWAY}, .hop_to = {2, V4(100, 64, 0, 1)},
	.culprit = {.kind = CULPRIT_HOP, .ttl = 2, .address = V4(100, 64, 0, 1), .asn = 64500,
		    .as_name = "Example Access",
		    .text = "the first hop that stays silent for port 25 only"},
	.summary = "SYNs to port 25 get as far as hop 1; hop 2 answers for port 587 and for the "
		   "control port 443, but never for port 25.",
	.evidence = e_blocked, .n_evidence = 3,
	.remedy = (const char *const[]){
		"Send through port 587 or 465 with a user name and a password: they are open.",
		"Ask the provider whether it blocks port 25 and can lift the block; text for the "
		"ticket: \"From 10.1.0.2, TCP SYNs to 198.51.100.25 port 25 vanish between "
		"10.1.0.1 and 100.64.0.1, while port 443 of the same address answers "
		"(2026-01-31 12:00 UTC, 12 of 12 SYNs lost).\"",
		"See whether the gateway filters before you call: "
		"`ssh root@10.1.0.1 iptables-save -c | grep -w 25`"},
	.n_remedy = 3, .rule = "path-silent-border",
}};
static const struct report_port blocked_ports[] = {
	{.port = 25, .service = "smtp", .state = STATE_BLOCKED,
	 .summary = "Port 25 is blocked by your provider.", .findings = blocked_25,
	 .n_findings = 1, .upstream_tested = true, NO_TIMES},
	OPEN_465, OPEN_587};
#define REPLIES(port_, te, sa, rtt) \
	{.port = port_, .sent = 3, .time_exceeded = te, .syn_ack = sa, .rtt_ms = rtt}
static const struct report_hop blocked_path[] = {
	{.ttl = 1, .address = GATEWAY, .name = "gateway.lan", .place = PLACE_GATEWAY,
	 .ports = (const struct report_hop_port[]){REPLIES(25, 3, 0, 0.4), REPLIES(587, 3, 0, 0.4),
						   REPLIES(443, 3, 0, 0.41)}, .n_ports = 3},
	{.ttl = 2, .address = V4(100, 64, 0, 1), .asn = 64500, .place = PLACE_ISP,
	 .ports = (const struct report_hop_port[]){REPLIES(25, 0, 0, TIME_NONE),
						   REPLIES(587, 3, 0, 1.9),
						   REPLIES(443, 3, 0, 1.95)}, .n_ports = 3},
	{.ttl = 3, .place = PLACE_UNKNOWN,
	 .ports = (const struct report_hop_port[]){REPLIES(25, 0, 0, TIME_NONE),
						   REPLIES(587, 0, 0, TIME_NONE),
						   REPLIES(443, 0, 0, TIME_NONE)}, .n_ports = 3},
	{.ttl = 4, .address = V4(198, 51, 100, 25), .name = "mx.example.com", .asn = 64510,
	 .place = PLACE_DESTINATION,
	 .ports = (const struct report_hop_port[]){REPLIES(25, 0, 0, TIME_NONE),
						   REPLIES(587, 0, 3, 12.2),
						   REPLIES(443, 0, 3, 12.1)}, .n_ports = 3},
};
static const struct report_control one_control[] = {{443, "answers"}};
static const struct report_evidence blocked_evidence[] = {
	{.number = 1, .t_ms = 0.21, .source = SOURCE_CAPTURE, .port = 25,
	 .text = "SYN 10.1.0.2:40112 > 198.51.100.25:25 left on eth0, and 2 repeats; no answer"},
	{.number = 2, .t_ms = 12.31, .source = SOURCE_CAPTURE, .port = 443,
	 .text = "SYN-ACK from 198.51.100.25:443, TTL 60"},
	{.number = 3, .t_ms = 12.4, .source = SOURCE_SOCKET, .port = 587, .text = "connected"},
	{.number = 4, .t_ms = 812.4, .source = SOURCE_PATH, .port = 25,
	 .text = "12 SYNs with TTL 2 to 4: no reply; of 12 to port 443, 9 were answered"},
};
static const char *const no_ebpf[] = {
	"drop reasons of the kernel: needs cap_bpf (run as root)"};
static const struct report_packet blocked_packets[] = {
	{.t_ms = 0.21, .port = 25, .lane = LANE_TARGET, .unanswered = true, .label = "SYN",
	 .text = "TCP 10.1.0.2:40112 > 198.51.100.25:25 [S] seq 1 win 64240 ttl 64", .evidence = 1},
	{.t_ms = 0.3, .port = 443, .lane = LANE_TARGET, .label = "SYN",
	 .text = "TCP 10.1.0.2:40113 > 198.51.100.25:443 [S] seq 1 win 64240 ttl 64"},
	{.t_ms = 12.31, .port = 443, .inbound = true, .lane = LANE_TARGET, .label = "SYN-ACK",
	 .text = "TCP 198.51.100.25:443 > 10.1.0.2:40113 [S.] seq 1 ack 2 win 65160 ttl 60", .evidence = 2},
	{.t_ms = 300, .port = 25, .lane = 1, .probe = true, .label = "SYN", .text = "SYN, TTL 1"},
	{.t_ms = 300.4, .port = 25, .inbound = true, .lane = 1, .probe = true,
	 .label = "time exceeded", .text = "ICMP 10.1.0.1 > 10.1.0.2 time-exceeded"},
	{.t_ms = 301, .port = 25, .lane = 2, .probe = true, .trace = true, .unanswered = true, .label = "SYN",
	 .text = "SYN, TTL 2"},
	{.t_ms = 302, .port = 25, .inbound = true, .lane = LANE_UNKNOWN, .label = "RST",
	 .text = "from nobody knows where"},
	{.t_ms = 303, .port = 25, .lane = 0, .label = "SYN", .text = "turned back on loopback"},
};
static const struct report blocked = {
	MX, .elapsed_ms = 1912.4, .ports = blocked_ports, .n_ports = 3,
	.controls = one_control, .n_controls = 1, .path = blocked_path, .n_path = 4,
	.evidence = blocked_evidence, .n_evidence = 4,
	.packets = blocked_packets, .n_packets = COUNT(blocked_packets), .packets_left_out = 3,
	.not_looked = no_ebpf, .n_not_looked = 1,
	.summary = "Port 25 is blocked, very likely by your provider; 465 and 587 are open.",
};

/* --- two places as likely, a session that is cut, and hops that renewed TTLs hide --------------- */

static const struct finding even_25[] = {{
	.mechanism = MECH_TCP_RESET, .place = PLACE_ISP, .confidence = 0.5,
	.candidates = {{PLACE_ISP, 0.5}, {PLACE_GATEWAY, 0.45}}, .n_candidates = 2,
	.has_hop = true, .hop_from = {1, GATEWAY}, .hop_to = {2, V4(100, 64, 0, 1)},
	.culprit = {.kind = CULPRIT_HOP, .ttl = 2, .address = V4(100, 64, 0, 1), .asn = 64500, .text = ""},
	.summary = "Port 25 is reset in your provider's network or at your gateway.",
	.evidence = e_blocked, .n_evidence = 1, .rule = "path-reset-early",
}};
static const struct finding even_587[] = {{
	.mechanism = MECH_SESSION_STALL, .place = PLACE_TRANSIT, .confidence = 0.3,
	.candidates = {{PLACE_TRANSIT, 0.3}}, .n_candidates = 1,
	.has_hop = true, .hop_from = {2, V4(100, 64, 0, 1)}, .hop_to = {4, V4(203, 0, 113, 9)},
	.culprit = {.kind = CULPRIT_HOP, .ttl = 4, .address = V4(203, 0, 113, 9), .text = ""},
	.summary = "Port 587 takes the connection, and after EHLO only small packets come through.",
	.session = {.known = true, .stage = STAGE_EHLO, .by_size = true},
	.evidence = e_blocked, .n_evidence = 1, .rule = "session-large-placed",
}};
static const struct report_port even_ports[] = {
	{.port = 25, .service = "smtp", .state = STATE_BLOCKED, .summary = "Reset.", .findings = even_25,
	 .n_findings = 1, .upstream_tested = true, NO_TIMES},
	{.port = 587, .service = "submission", .state = STATE_BLOCKED, .summary = "Cut.", .findings = even_587,
	 .n_findings = 1, .upstream_tested = true, NO_TIMES},
};
#define RESET_REPLIES(port_, rst_) {.port = port_, .sent = 3, .rst = rst_, .rtt_ms = 2.5}
static const struct report_hop even_path[] = {
	{.ttl = 1, .address = GATEWAY, .place = PLACE_GATEWAY,
	 .ports = (const struct report_hop_port[]){REPLIES(25, 3, 0, 0.4), REPLIES(587, 3, 0, 0.4),
						   REPLIES(443, 3, 0, 0.41)}, .n_ports = 3},
	{.ttl = 2, .address = V4(100, 64, 0, 1), .place = PLACE_ISP,
	 .ports = (const struct report_hop_port[]){RESET_REPLIES(25, 3), REPLIES(587, 3, 0, 1.9),
						   REPLIES(443, 3, 0, 1.95)}, .n_ports = 3},
	{.ttl = 3, .hidden = true, .place = PLACE_TRANSIT,
	 .ports = (const struct report_hop_port[]){RESET_REPLIES(25, 3), REPLIES(587, 0, 3, 9),
						   REPLIES(443, 0, 3, 9)}, .n_ports = 3},
};
static const struct report even = {
	MX, .elapsed_ms = 412.4, .ports = even_ports, .n_ports = 2,
	.controls = one_control, .n_controls = 1, .path = even_path, .n_path = COUNT(even_path),
	.evidence = blocked_evidence, .n_evidence = 1,
	.summary = "Port 25 is blocked in the provider's network or at the gateway; port 587 is blocked, perhaps in transit.",
};

/* --- this host: a rule, with the provider's block behind it ------------------ */

static const unsigned e_first[] = {1};
static const unsigned e_second[] = {2};
static const struct finding host_then_isp[] = {
	{.mechanism = MECH_SILENT_DROP, .place = PLACE_HOST, .direction = DIR_OUTBOUND,
	 .confidence = 1, .candidates = {{PLACE_HOST, 1}}, .n_candidates = 1,
	 .culprit = {.kind = CULPRIT_NFT_RULE, .family = "inet", .table = "filter",
		     .chain = "output", .hook = "output", .handle = 12, .verdict = "drop",
		     .text = "tcp dport { 25, 465 } meta skuid != \"postfix\" counter drop comment "
			     "\"only the mail server may send mail\""},
	 .summary = "A rule of this machine's firewall drops the SYN before it leaves.",
	 .evidence = e_first, .n_evidence = 1,
	 .remedy = (const char *const[]){
		"Let port 25 to this server through:",
		"nft insert rule inet filter output ip daddr 198.51.100.25 tcp dport 25 accept",
		"To undo it, see `nft -a list chain inet filter output` for the new rule's handle, "
		"then: `nft delete rule inet filter output handle HANDLE`."},
	 .n_remedy = 3, .rule = "host-nft-drop"},
	{.mechanism = MECH_ICMP_UNREACHABLE, .place = PLACE_ISP, .direction = DIR_OUTBOUND,
	 .confidence = 0.97, .candidates = {{PLACE_ISP, 0.97}, {PLACE_TRANSIT, 0.02}},
	 .n_candidates = 2, .has_hop = true, .hop_from = {3, V4(203, 0, 113, 2)},
	 .hop_to = {3, V4(203, 0, 113, 2)}, .has_icmp = true,
	 .icmp = {3, 13, "admin-prohibited", V4(203, 0, 113, 2)},
	 .culprit = {.kind = CULPRIT_HOP, .ttl = 3, .address = V4(203, 0, 113, 2),
		     .text = "its ICMP says that the packet is prohibited"},
	 .summary = "A SYN sent below the firewall is turned away by the provider's router.",
	 .evidence = e_second, .n_evidence = 1,
	 .remedy = (const char *const[]){"Ask the provider to lift its filter on port 25."},
	 .n_remedy = 1, .rule = "path-icmp-prohibited"},
};
static const struct report_port firewall_ports[] = {
	{.port = 25, .service = "smtp", .state = STATE_BLOCKED,
	 .summary = "Two blocks stand behind each other: this machine's firewall, then the "
		    "provider.",
	 .findings = host_then_isp, .n_findings = 2, .upstream_tested = true, NO_TIMES}};
static const struct report_evidence firewall_evidence[] = {
	{.number = 1, .t_ms = 0.1, .source = SOURCE_NFTRACE, .port = 25,
	 .text = "inet filter output: rule handle 12 says drop"},
	{.number = 2, .t_ms = 14.25, .source = SOURCE_CAPTURE, .port = 25,
	 .text = "ICMP type 3 code 13 from 203.0.113.2"},
};
static const struct report firewall = {
	MX, .elapsed_ms = 640, .ports = firewall_ports, .n_ports = 1,
	.evidence = firewall_evidence, .n_evidence = 2,
	.summary = "Port 25 is blocked by this machine's firewall and, behind it, by your "
		   "provider.",
};

/* --- local error: all ports share a prohibit route --------------------------- */

#define PROHIBIT                                                                         \
	{.mechanism = MECH_LOCAL_ERROR, .place = PLACE_HOST, .direction = DIR_OUTBOUND,  \
	 .confidence = 0.99, .candidates = {{PLACE_HOST, 0.99}}, .n_candidates = 1,      \
	 .culprit = {.kind = CULPRIT_ROUTE, .type = "prohibit", .table = "100",          \
		     .text = "prohibit 2001:db8::/32 dev lo table 100 metric 1024 pref medium", \
		     .error = EACCES},                                                    \
	 .summary = "The kernel refuses to send: a prohibit route covers the address.",   \
	 .evidence = e_first, .n_evidence = 1,                                            \
	 .remedy = (const char *const[]){"Remove the route, if it is not meant to be there:", \
					 "ip -6 route del prohibit 2001:db8::/32 table 100"}, \
	 .n_remedy = 2, .rule = "host-route-prohibit"}
static const struct finding prohibit[] = {PROHIBIT};
#define PROHIBITED(port_, service_)                                                        \
	{.port = port_, .service = service_, .state = STATE_BLOCKED, .findings = prohibit, \
	 .n_findings = 1, .summary = "A route of this machine prohibits it.", NO_TIMES}
static const struct report_port prohibit_ports[] = {
	PROHIBITED(25, "smtp"), PROHIBITED(465, "submissions"), PROHIBITED(587, "submission")};
static const struct report_evidence prohibit_evidence[] = {
	{.number = 1, .t_ms = 0.05, .source = SOURCE_SOCKET, .text = "connect(): EACCES at once"},
	{.number = 2, .t_ms = 0.02, .source = SOURCE_LINK, .text = "eth0 is up"}};
static const struct report local_error = {
	.tool_version = "0.1.0", .started_ns = STARTED, .elapsed_ms = 3,
	.target_input = "[2001:db8::25]", .target = V6(0x20, 1, 0x0d, 0xb8, 0x25),
	.vantage = {.hostname = "night"}, .ports = prohibit_ports, .n_ports = 3,
	.evidence = prohibit_evidence, .n_evidence = 2,
	.summary = "A route of this machine prohibits all mail ports.",
};

/* --- intercepted, through a tunnel, input is a mail domain -------------------- */

static const unsigned e_both[] = {1, 2};
static const struct finding intercept[] = {
	{.mechanism = MECH_INTERCEPTION, .place = PLACE_ISP, .direction = DIR_OUTBOUND,
	 .confidence = 0.98, .candidates = {{PLACE_ISP, 0.98}}, .n_candidates = 1,
	 .has_hop = true, .hop_from = {2, V4(100, 64, 0, 1)}, .hop_to = {2, V4(100, 64, 0, 1)},
	 .culprit = {.kind = CULPRIT_MIDDLEBOX, .ttl = 2, .address = V4(100, 64, 0, 1),
		     .asn = 64500, .as_name = "Example Tunnels",
		     .text = "completes the handshake of a SYN that cannot get farther than hop 2"},
	 .summary = "A machine at hop 2 answers on port 25 in the destination's place.",
	 .evidence = e_both, .n_evidence = 2,
	 .remedy = (const char *const[]){"Do not send passwords on this port."}, .n_remedy = 1,
	 .rule = "intercept-early-synack"},
	{.mechanism = MECH_TLS_INTERCEPTED, .place = PLACE_UNKNOWN, .direction = DIR_INBOUND,
	 .confidence = CONFIDENCE_NONE,
	 .candidates = {{PLACE_ISP, 0.6}, {PLACE_HOST, 0.4}}, .n_candidates = 2,
	 .culprit = {.kind = CULPRIT_UNKNOWN, .text = "whoever holds the key of CN=Mail Shield"},
	 .summary = "The certificate is signed by a known interceptor.",
	 .evidence = e_second, .n_evidence = 1, .rule = "tls-known-interceptor"},
};
static const struct report_port intercept_ports[] = {
	{.port = 25, .service = "smtp", .state = STATE_INTERCEPTED,
	 .summary = "Somebody on the way answers, and opens the encryption.",
	 .findings = intercept, .n_findings = 2, .upstream_tested = true, .has_smtp = true,
	 .smtp = {.code = 220, .banner = "**********************************", .starttls = "ok",
		  .has_tls = true,
		  .tls = {.version = "TLSv1.2", .cipher = "ECDHE-RSA-AES128-GCM-SHA256",
			  .subject = "CN=mx1.example.com", .issuer = "CN=Mail Shield Root",
			  .verified = false, .error = "self-signed certificate in chain"}},
	 .connect_ms = 2.1, .banner_ms = 2.6, .tls_ms = 11}};
static const struct report_evidence intercept_evidence[] = {
	{.number = 1, .t_ms = 2.1, .source = SOURCE_PATH, .port = 25, .text = "SYN-ACK for TTL 2"},
	{.number = 2, .t_ms = 15.75, .source = SOURCE_TLS, .port = 25,
	 .text = "issuer CN=Mail Shield Root"}};
static const struct report_hop intercept_path[] = {
	{.ttl = 1, .address = V4(10, 8, 0, 1), .place = PLACE_GATEWAY,
	 .ports = (const struct report_hop_port[]){REPLIES(25, 3, 0, 1.2)}, .n_ports = 1},
	{.ttl = 2, .address = V4(100, 64, 0, 1), .place = PLACE_ISP, .asn = 64500,
	 .ports = (const struct report_hop_port[]){
		{.port = 25, .sent = 3, .time_exceeded = 3, .syn_ack = 3, .rtt_ms = 2}},
	 .n_ports = 1},
};
static const struct report intercepted = {
	.tool_version = "0.1.0", .started_ns = STARTED, .elapsed_ms = 312,
	.target_input = "@example.com", .target_name = "mx1.example.com",
	.target = V4(198, 51, 100, 26),
	.vantage = {.hostname = "night", .interface = "wg0", .link = "none",
		    .source = V4(10, 8, 0, 2), .mtu = 1420, .tunnel = true, .netns = "vpn"},
	.ports = intercept_ports, .n_ports = 1, .path = intercept_path, .n_path = 2,
	.evidence = intercept_evidence, .n_evidence = 2,
	.summary = "Port 25 is intercepted by the provider behind the tunnel wg0.",
};

/* --- nothing decided ------------------------------------------------------- */

static const struct finding undecided_finding[] = {{
	.mechanism = MECH_UNKNOWN, .place = PLACE_UNKNOWN, .confidence = CONFIDENCE_NONE,
	.culprit = {.kind = CULPRIT_UNKNOWN, .text = "not known"},
	.summary = "Port 25 is silent, but so is everything else; packets could not be captured.",
	.remedy = (const char *const[]){"Run it as root, so that it can watch the packets."},
	.n_remedy = 1, .rule = "undecided",
}};
static const struct report_port undecided_ports[] = {
	{.port = 25, .service = "smtp", .state = STATE_INCONCLUSIVE, .summary = "Not decided.",
	 .findings = undecided_finding, .n_findings = 1, .upstream_tested = true, NO_TIMES}};
static const char *const no_capture[] = {
	"packets: no permission to open a capture on eth0", "neighbours: netlink refused"};
static const struct report undecided = {
	MX, .elapsed_ms = 8000, .ports = undecided_ports, .n_ports = 1,
	.not_looked = no_capture, .n_not_looked = 2,
	.summary = "The facts do not decide who stops port 25.",
};

/* --- hostile: nothing of this may reach a terminal as it is --------------------- */

#define EVIL "\x1b[31mred\x1b[0m\a\r\n\t\x7f \xc2\x9b" "31m \xff\xfe \xe2\x80\xae" "txt.exe <b>&\"'"
static const struct finding hostile_finding[] = {{
	.mechanism = MECH_POLICY_REJECT, .place = PLACE_DESTINATION, .confidence = 0.95,
	.candidates = {{PLACE_DESTINATION, 0.95}}, .n_candidates = 1,
	.has_icmp = true, .icmp = {3, 99, EVIL, V4(198, 51, 100, 25)},
	.culprit = {.kind = CULPRIT_SERVER, .code = 554, .text = EVIL},
	.summary = EVIL, .evidence = e_first, .n_evidence = 1,
	.remedy = (const char *const[]){EVIL, "nft " EVIL, "Say `" EVIL " x`."}, .n_remedy = 3,
	.rule = EVIL,
}};
static const struct report_port hostile_ports[] = {
	{.port = 25, .service = "smtp", .state = STATE_REJECTED, .summary = EVIL,
	 .findings = hostile_finding, .n_findings = 1, .upstream_tested = true, .has_smtp = true,
	 .smtp = {.code = 554, .banner = EVIL, .ehlo = (const char *const[]){EVIL}, .n_ehlo = 1,
		  .auth = (const char *const[]){EVIL}, .n_auth = 1, .starttls = "failed",
		  .has_tls = true,
		  .tls = {.version = "TLSv1.2", .cipher = EVIL, .subject = EVIL, .issuer = EVIL,
			  .names = (const char *const[]){EVIL}, .n_names = 1, .error = EVIL}},
	 NO_TIMES},
	{.port = 465, .service = "submissions", .state = STATE_OPEN, .upstream_tested = true,
	 .has_smtp = true, .smtp = {.code = 220, .banner = EVIL EVIL EVIL}, .connect_ms = 1,
	 .banner_ms = TIME_NONE, .tls_ms = TIME_NONE}};
static const struct report_evidence hostile_evidence[] = {
	{.number = 1, .t_ms = 1, .source = SOURCE_SMTP, .port = 25, .text = EVIL}};
static const struct report_hop hostile_path[] = {
	{.ttl = 1, .address = GATEWAY, .name = EVIL, .place = PLACE_GATEWAY,
	 .ports = (const struct report_hop_port[]){REPLIES(25, 3, 0, 1)}, .n_ports = 1}};
static const struct report_control hostile_control[] = {{443, EVIL}};
static const char *const hostile_not_looked[] = {EVIL};
static const struct report hostile = {
	.tool_version = EVIL, .started_ns = STARTED, .elapsed_ms = 5, .target_input = EVIL,
	.target_name = EVIL, .target = V4(198, 51, 100, 25),
	.vantage = {.hostname = EVIL, .interface = EVIL, .link = EVIL, .netns = EVIL,
		    .gateway_state = EVIL, .gateway = GATEWAY, .source = GATEWAY, .tunnel = true},
	.ports = hostile_ports, .n_ports = 2, .controls = hostile_control, .n_controls = 1,
	.path = hostile_path, .n_path = 1, .evidence = hostile_evidence, .n_evidence = 1,
	.notes = hostile_not_looked, .n_notes = 1,
	.not_looked = hostile_not_looked, .n_not_looked = 1, .summary = EVIL,
};

/* --- as little as possible ---------------------------------------------------- */

static const struct report_port bare_ports[] = {
	{.port = 25, .service = "smtp", .state = STATE_REFUSED, NO_TIMES}};
static const struct report bare = {
	.target_input = "192.0.2.1", .target = V4(192, 0, 2, 1), .ports = bare_ports,
	.n_ports = 1, .tool_version = "0.1.0", .started_ns = STARTED, .summary = "Refused.",
};

/* Not a document of the schema (it has neither address nor port), but nothing to crash on. */
static const struct report nothing = {.started_ns = 0};

/* --- a finding of every culprit kind ---------------------------------------------- */

#define ON_HOST(...)                                                                      \
	{.mechanism = MECH_SILENT_DROP, .place = PLACE_HOST, .confidence = 0.99,          \
	 .candidates = {{PLACE_HOST, 0.99}}, .n_candidates = 1, .culprit = {__VA_ARGS__}, \
	 .summary = "This machine stops it.", .rule = "sample"}
static const struct finding kinds_findings[] = {
	ON_HOST(.kind = CULPRIT_NFT_RULE, .family = "ip", .table = "filter", .chain = "OUTPUT",
		.hook = "output", .handle = 7, .verdict = "drop",
		.text = "-A OUTPUT -p tcp --dport 25 -j DROP"),
	ON_HOST(.kind = CULPRIT_NFT_POLICY, .family = "inet", .table = "filter",
		.chain = "output", .hook = "output", .text = "policy drop"),
	ON_HOST(.kind = CULPRIT_IPTABLES_RULE, .table = "filter", .chain = "OUTPUT", .number = 3,
		.text = "-A OUTPUT -p tcp -m tcp --dport 25 -j DROP"),
	ON_HOST(.kind = CULPRIT_ROUTE, .type = "blackhole", .table = "main",
		.text = "blackhole 198.51.100.0/24"),
	ON_HOST(.kind = CULPRIT_IP_RULE, .priority = 100,
		.text = "100: from all to 198.51.100.25 dport 25 prohibit"),
	ON_HOST(.kind = CULPRIT_NEIGHBOUR, .address = GATEWAY, .interface = "eth0",
		.state = "failed", .text = "10.1.0.1 dev eth0 FAILED"),
	ON_HOST(.kind = CULPRIT_LINK, .interface = "eth0", .state = "down", .text = "no carrier"),
	ON_HOST(.kind = CULPRIT_SYSCTL, .name = "net.ipv4.conf.eth0.rp_filter", .value = "1",
		.text = "strict reverse path filter"),
	ON_HOST(.kind = CULPRIT_CONNTRACK, .text = "the table is full"),
	ON_HOST(.kind = CULPRIT_TC, .interface = "eth0", .id = 12, .name = "drop25",
		.text = "clsact egress"),
	ON_HOST(.kind = CULPRIT_XDP, .interface = "eth0", .id = 13, .name = "xdp_drop",
		.text = "generic"),
	ON_HOST(.kind = CULPRIT_CGROUP_BPF, .cgroup = "/system.slice/mail.service", .id = 14,
		.name = "sd_fw_egress", .text = "egress"),
	ON_HOST(.kind = CULPRIT_LSM, .id = 15, .name = "selinux", .text = "denied name_connect"),
	ON_HOST(.kind = CULPRIT_KERNEL_DROP, .reason = "NETFILTER_DROP",
		.function = "nf_hook_slow", .text = "NETFILTER_DROP in nf_hook_slow"),
	ON_HOST(.kind = CULPRIT_HOP, .ttl = 2, .address = V4(100, 64, 0, 1), .text = ""),
	ON_HOST(.kind = CULPRIT_MIDDLEBOX, .text = "asterisks in the greeting"),
	ON_HOST(.kind = CULPRIT_SERVER, .code = 421, .text = "421 too many connections"),
	ON_HOST(.kind = CULPRIT_UNKNOWN, .text = "nothing is known"),
};
static const struct report_port kinds_ports[] = {
	{.port = 25, .service = "smtp", .state = STATE_BLOCKED, .summary = "Every kind.",
	 .findings = kinds_findings, .n_findings = CULPRIT_COUNT, NO_TIMES}};
_Static_assert(COUNT(kinds_findings) == CULPRIT_COUNT, "a finding of each kind");
static const struct report kinds = {
	MX, .elapsed_ms = 1, .ports = kinds_ports, .n_ports = 1, .summary = "Every kind.",
};

/* --- many ports, a long silent path, IPv6 ------------------------------------------ */

#define GONE(port_)                                                                      \
	{.port = port_, .service = "", .state = STATE_UNREACHABLE, .findings = gone,     \
	 .n_findings = 1, .upstream_tested = true, .summary = "Unreachable.", NO_TIMES}
static const struct finding gone[] = {{
	.mechanism = MECH_SILENT_DROP, .place = PLACE_TRANSIT, .confidence = 0.6,
	.candidates = {{PLACE_TRANSIT, 0.6}, {PLACE_DESTINATION_NETWORK, 0.4}}, .n_candidates = 2,
	.has_hop = true, .hop_from = {2, V6(0x20, 1, 0x0d, 0xb8, 2)}, .hop_to = {9, {0}},
	.culprit = {.kind = CULPRIT_UNKNOWN, .text = "somebody after hop 2"},
	.summary = "No port of the address answers.", .rule = "gone"}};
static const struct report_port gone_ports[] = {GONE(25), GONE(465), GONE(587), GONE(2525),
						GONE(10025), GONE(65535)};
#define SILENT(p) REPLIES(p, 0, 0, TIME_NONE)
#define SILENT_HOP(ttl_)                                                                     \
	{.ttl = ttl_, .place = PLACE_UNKNOWN,                                                \
	 .ports = (const struct report_hop_port[]){SILENT(25), SILENT(465), SILENT(587),     \
						   SILENT(2525), SILENT(10025), SILENT(65535)}, \
	 .n_ports = 6}
static const struct report_hop gone_path[] = {
	{.ttl = 1, .address = V6(0xfe, 0x80, 0, 0, 1), .place = PLACE_GATEWAY,
	 .ports = (const struct report_hop_port[]){REPLIES(25, 3, 0, 1), REPLIES(465, 3, 0, 1),
						   REPLIES(587, 3, 0, 1), REPLIES(2525, 3, 0, 1),
						   REPLIES(10025, 3, 0, 1)}, .n_ports = 5},
	{.ttl = 2, .address = {.family = ADDR_V6, .bytes = {0x20, 1, 0x0d, 0xb8, 0x12, 0x34, 0x56,
		0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x12, 0x34, 0x56, 0x78}}, .place = PLACE_ISP,
	 .name = "a-very-long-reverse-name.of-some-router.in-the-core.example.net", .asn = 64500,
	 .ports = (const struct report_hop_port[]){REPLIES(25, 3, 0, 9),
		{.port = 465, .sent = 3, .time_exceeded = 1, .rst = 2, .rtt_ms = 9},
		{.port = 587, .sent = 3, .unreachable = 3, .rtt_ms = 9}}, .n_ports = 3},
	SILENT_HOP(3), SILENT_HOP(4), SILENT_HOP(5), SILENT_HOP(6), SILENT_HOP(7), SILENT_HOP(8),
	SILENT_HOP(9)};
static const struct report unreachable = {
	.tool_version = "0.1.0", .started_ns = STARTED, .elapsed_ms = 8000,
	.target_input = "mx6.example.com", .target_name = "mx6.example.com",
	.target = V6(0x20, 1, 0x0d, 0xb8, 0x25),
	.vantage = {.interface = "eth0", .source = V6(0x20, 1, 0x0d, 0xb8, 1)},
	.ports = gone_ports, .n_ports = 6, .path = gone_path, .n_path = 9,
	.summary = "The address does not answer on any port.",
};

/* --- the server turns us away, on every port in the same words -------------------- */

#define REFUSAL "5.7.1 <unknown[203.0.113.7]>: Client host rejected: Access denied"
#define REJECTED(port_, service_, ...)                                                       \
	{.port = port_, .service = service_, .state = STATE_REJECTED, .findings = rejected_findings, \
	 .n_findings = 1, .upstream_tested = true, .summary = "The server turns us away.",   \
	 .has_smtp = true, .smtp = {.code = 554, .banner = REFUSAL, __VA_ARGS__},            \
	 .connect_ms = 12.1, .banner_ms = 40, .tls_ms = TIME_NONE}
static const struct finding rejected_findings[] = {{
	.mechanism = MECH_POLICY_REJECT, .place = PLACE_DESTINATION, .confidence = 0.9,
	.candidates = {{PLACE_DESTINATION, 0.9}}, .n_candidates = 1,
	.culprit = {.kind = CULPRIT_SERVER, .code = 554, .text = "554 " REFUSAL},
	.summary = "The server answers and turns us away: 554 " REFUSAL,
	.evidence = e_first, .n_evidence = 1,
	.remedy = (const char *const[]){
		"554: this address is not welcome: check it on the lists that the words above name."},
	.n_remedy = 1, .rule = "greeting-reject"}};
static const struct report_port rejected_ports[] = {
	REJECTED(25, "smtp", .has_tls = false),
	REJECTED(465, "submissions", .has_tls = true, .tls = GOOD_TLS),
	REJECTED(587, "submission", .has_tls = false)};
static const struct report_evidence rejected_evidence[] = {
	{.number = 1, .t_ms = 40, .source = SOURCE_SMTP, .port = 25, .text = "greeting: 554 " REFUSAL},
};
static const struct report rejected = {
	MX, .elapsed_ms = 90, .ports = rejected_ports, .n_ports = 3,
	.evidence = rejected_evidence, .n_evidence = 1,
	.summary = "Ports 25, 465 and 587 are rejected by the destination.",
};

/* --- what this host would do, without a packet ------------------------------------- */

static const struct report_port inspected_ports[] = {
	{.port = 25, .service = "smtp", .state = STATE_INCONCLUSIVE, .would = WOULD_STOP,
	 .summary = "Stopped.", .findings = host_then_isp, .n_findings = 1, NO_TIMES},
	{.port = 465, .service = "submissions", .state = STATE_INCONCLUSIVE, .would = WOULD_PASS,
	 .summary = "Passes.", NO_TIMES}};
static const struct report inspected = {
	MX, .inspect = true, .elapsed_ms = 20, .ports = inspected_ports, .n_ports = 2,
	.evidence = firewall_evidence, .n_evidence = 1, .summary = "Port 25 is stopped; 465 passes.",
};

/* --- what is no plain block: the port answers --------------------------------- */

#define TROUBLE(name, at, how, where, ...)                                              \
	static const struct finding name##_finding[] = {                                \
		{.mechanism = how, .place = where, .direction = DIR_OUTBOUND,           \
		 .confidence = where == PLACE_UNKNOWN ? CONFIDENCE_NONE : 0.98,         \
		 .culprit = {.kind = CULPRIT_MIDDLEBOX, .text = "somebody"},            \
		 .summary = "Something is wrong.", .rule = "some-rule", __VA_ARGS__}};  \
	static const struct report name = {                                             \
		MX, .elapsed_ms = 800, .n_ports = 1, .summary = "Something is wrong.",  \
		.ports = (const struct report_port[]){                                  \
			{.port = 25, .service = "smtp", .state = at,                    \
			 .findings = name##_finding, .n_findings = 1,                   \
			 .summary = "Something is wrong.", .upstream_tested = true,     \
			 .passed_first = (how) == MECH_SILENT_DROP ? 4 : 0}}}

TROUBLE(reset_in_tls, STATE_BLOCKED, MECH_SESSION_RESET, PLACE_ISP,
	.session = {.known = true, .stage = STAGE_TLS});
TROUBLE(masked, STATE_INTERCEPTED, MECH_SMTP_MANGLED, PLACE_UNKNOWN,
	.session = {.known = true, .stage = STAGE_QUIT});
TROUBLE(limited, STATE_BLOCKED, MECH_SILENT_DROP, PLACE_ISP, .n_candidates = 0);
TROUBLE(stalled, STATE_NO_SERVICE, MECH_SESSION_STALL, PLACE_GATEWAY,
	.session = {.known = true, .stage = STAGE_EHLO, .by_size = true});

/* --- a login that was asked for ------------------------------------------------ */

#define NO_LOGIN(reason, advice) {.asked = true, .why = reason, .how = advice}
static const struct report_port login_ports[] = {
	{.port = 465, .service = "submissions", .state = STATE_OPEN, .summary = "Mail submission works.",
	 .upstream_tested = true, .has_smtp = true,
	 .smtp = {.code = 220, .banner = "mx.example.com ESMTP Postfix (Debian)", .has_tls = true,
		  .tls = {.version = "TLSv1.3", .error = "self-signed certificate"}},
	 .login = NO_LOGIN("the certificate is not trusted (self-signed certificate)",
			   "give the server's certificate by --ca-file FILE"),
	 .connect_ms = 12.3, .banner_ms = 72.55, .tls_ms = 43.55},
	{.port = 587, .service = "submission", .state = STATE_OPEN, .summary = "Mail submission works.",
	 .upstream_tested = true, .login = {.asked = true, .works = true}, .connect_ms = 12.2,
	 .banner_ms = TIME_NONE, .tls_ms = TIME_NONE},
	{.port = 2525, .state = STATE_REFUSED, .summary = "Nothing listens.", .upstream_tested = true, NO_TIMES},
};
static const struct report logins = {
	MX, .elapsed_ms = 180.25, .ports = login_ports, .n_ports = COUNT(login_ports),
	.summary = "Ports 465 and 587 are open; port 2525 is refused.",
};

/* --- the same of each port, but for its number ----------------------------------- */

#define CLOSED(n, name, more)                                                           \
	{.port = n, .service = name, .state = STATE_REFUSED, .summary = "It refuses port " #n ".", \
	 .upstream_tested = true, NO_TIMES, .n_findings = 1,                            \
	 .findings = (const struct finding[]){                                          \
		{.mechanism = MECH_TCP_RESET, .place = PLACE_DESTINATION, .confidence = 0.95, \
		 .culprit = {.kind = CULPRIT_SERVER, .text = "It refuses port " #n more "."}, \
		 .summary = "It refuses port " #n more ".", .rule = "some-rule",        \
		 .remedy = (const char *const[]){"Check the port: nobody is at port " #n ".", "Ask the operator."}, \
		 .n_remedy = 2}}}
static const struct report_port closed_ports[] = {
	CLOSED(25, "smtp", ""), CLOSED(465, "submissions", ""), CLOSED(587, "submission", " for now")};
static const struct report closed = {
	MX, .elapsed_ms = 180.25, .ports = closed_ports, .n_ports = 3,
	.summary = "Ports 25, 465 and 587 are refused.",
};

struct sample {
	const char *name;
	const struct report *report;
};

static const struct sample samples[] = {
	{"healthy", &healthy},         {"blocked", &blocked},         {"even", &even},
	{"firewall", &firewall},
	{"local-error", &local_error}, {"intercepted", &intercepted}, {"undecided", &undecided},
	{"hostile", &hostile},         {"bare", &bare},               {"kinds", &kinds},
	{"unreachable", &unreachable}, {"nothing", &nothing},         {"rejected", &rejected},
	{"inspected", &inspected},     {"reset-in-tls", &reset_in_tls}, {"masked", &masked},
	{"limited", &limited},         {"stalled", &stalled},         {"logins", &logins},
	{"closed", &closed},
};

static inline const struct report *find_sample(const char *name)
{
	for (size_t i = 0; i < COUNT(samples); i++)
		if (strcmp(samples[i].name, name) == 0)
			return samples[i].report;
	return NULL;
}

#endif
