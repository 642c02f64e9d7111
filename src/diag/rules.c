/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/rules.h"

#include "model/report.h"

#define B(f) FACT_BIT(f)
#define NOWHERE CONFIDENCE_NONE

#define REMEDY_SUBMISSION "{works-instead}"
/* Narrow, and where the rule stands: FAMILY TABLE CHAIN are for the reader to fill in. */
#define ALLOW \
	"Let it pass narrowly, in the table and chain that hold the rule:", \
	"nft insert rule FAMILY TABLE CHAIN {ip} daddr {target} tcp dport {port} accept", \
	"{ip}tables -I OUTPUT -p tcp -d {target} --dport {port} -j ACCEPT  # undo: -D for -I"
#define REMEDY_PROVIDER \
	"Ask the provider of this connection whether it filters TCP port {port}; give it the " \
	"addresses, times and packets from the evidence below."

const char *layer_name(enum layer l)
{
	static const char *const names[LAYER_COUNT] = {"host", "path", "session"};

	return names[l];
}

/* clang-format off */
const struct rule rule_table[] = {
	/* ---- this host ---- */
	{
		.id = "host-route-stop", .layer = LAYER_HOST,
		.need = B(F_ERROR_AT_ONCE) | B(F_STOP_ROUTE),
		.state = STATE_BLOCKED, .mechanism = MECH_LOCAL_ERROR, .place = PLACE_HOST,
		.culprit = CULPRIT_ROUTE, .confidence = 0.99,
		.summary = "This machine's routing table forbids {target}: connect() fails with {errno} and no packet leaves.",
		.remedy = {"Remove the route if it is not wanted:", "ip {ip-family}route del {stop-text}",
			   "To undo that:", "ip {ip-family}route add {stop-text}"},
		.why = "the kernel's own lookup names the route, and connect() fails with that route's errno",
	},
	{
		.id = "host-rule-stop", .layer = LAYER_HOST,
		.need = B(F_ERROR_AT_ONCE) | B(F_STOP_RULE),
		.state = STATE_BLOCKED, .mechanism = MECH_LOCAL_ERROR, .place = PLACE_HOST,
		.culprit = CULPRIT_IP_RULE, .confidence = 0.99,
		.summary = "A policy routing rule of this machine forbids port {port}: connect() fails with {errno} and no packet leaves.",
		.remedy = {"Remove the rule if it is not wanted:", "ip {ip-family}rule del priority {stop-priority}",
			   "To undo that:", "ip {ip-family}rule add priority {stop-priority} {stop-text}"},
		.why = "the rule list, walked as the kernel does, stops at this rule with the errno that connect() gave",
	},
	{
		.id = "host-link-down-error", .layer = LAYER_HOST,
		.need = B(F_LINK_DOWN) | B(F_ERROR_AT_ONCE), .absent = B(F_TARGET_LOCAL),
		.state = STATE_UNREACHABLE, .mechanism = MECH_LOCAL_ERROR, .place = PLACE_HOST,
		.culprit = CULPRIT_LINK, .confidence = 0.98,
		.summary = "The link {link} is {link-state}: connect() fails with {errno}.",
		.remedy = {"Check the cable or the radio, then bring the link up:", "ip link set {link} up"},
		.why = "the kernel refuses to send on a link that is down",
	},
	{
		.id = "host-link-down", .layer = LAYER_HOST,
		.need = B(F_LINK_DOWN), .absent = B(F_CONNECTED) | B(F_TARGET_LOCAL) | B(F_ERROR_AT_ONCE),
		.state = STATE_UNREACHABLE, .mechanism = MECH_SILENT_DROP, .place = PLACE_HOST,
		.culprit = CULPRIT_LINK, .confidence = 0.98,
		.summary = "The link {link} is {link-state}: this machine cannot send anything that way.",
		.remedy = {"Check the cable or the radio, then bring the link up:", "ip link set {link} up"},
		.why = "a link that is down or without carrier sends nothing, whatever a tap shows",
	},
	{
		.id = "host-no-route", .layer = LAYER_HOST,
		.need = B(F_ERROR_AT_ONCE) | B(F_NO_ROUTE),
		.state = STATE_UNREACHABLE, .mechanism = MECH_LOCAL_ERROR, .place = PLACE_HOST,
		.culprit = CULPRIT_ROUTE, .confidence = 0.99,
		.summary = "This machine has no route to {target}: connect() fails with {errno}. That is no block of SMTP.",
		.remedy = {"Look at the routes and links:", "ip {ip-family}route", "ip link",
			   "{other-family}"},
		.why = "the kernel's lookup finds no route",
	},
	{
		.id = "host-denied", .layer = LAYER_HOST,
		.need = B(F_ERROR_AT_ONCE) | B(F_ERROR_DENIED),
		.absent = B(F_STOP_ROUTE) | B(F_STOP_RULE) | B(F_SYN_LEFT) | B(F_RST_ON_LO) | B(F_ICMP_ON_LO),
		.state = STATE_BLOCKED, .mechanism = MECH_LOCAL_ERROR, .place = PLACE_HOST,
		.culprit = CULPRIT_UNKNOWN, .confidence = 0.98,
		.summary = "This machine's kernel refused connect() to port {port} with {errno}; routing allows it, and no packet left.",
		.remedy = {"Look for a cgroup eBPF program (`bpftool cgroup tree`), an LSM (`ausearch -m avc`, `aa-status`), a seccomp or Landlock sandbox, an IPsec policy (`ip xfrm policy`).",
			   "Try from a plain root shell: what is denied may be this process or its service only."},
		.why = "a denial without a packet, and the routing lookup succeeds: something beside routing decided",
	},
	{
		.id = "host-error", .layer = LAYER_HOST,
		.need = B(F_ERROR_AT_ONCE),
		.absent = B(F_SYN_LEFT) | B(F_ERROR_DENIED) | B(F_STOP_ROUTE) | B(F_STOP_RULE) | B(F_NO_ROUTE) |
			  B(F_RST_ON_LO) | B(F_ICMP_ON_LO),
		.state = STATE_UNREACHABLE, .mechanism = MECH_LOCAL_ERROR, .place = PLACE_HOST,
		.culprit = CULPRIT_UNKNOWN, .confidence = 0.97,
		.summary = "This machine's kernel cannot connect to {target} port {port}: {errno}. No packet left.",
		.remedy = {"Look at addresses, routes and rules:", "ip {ip-family}addr", "ip {ip-family}route get {target} ipproto tcp dport {port}"},
		.why = "connect() failed before a packet, for a reason that is no denial",
	},
	{
		.id = "host-peer-rewrite", .layer = LAYER_HOST,
		.need = B(F_CONNECTED) | B(F_PEER_DIFFERS),
		.state = STATE_INTERCEPTED, .mechanism = MECH_INTERCEPTION, .place = PLACE_HOST,
		.culprit = CULPRIT_UNKNOWN, .confidence = 0.98,
		.summary = "This machine rewrote the destination: the socket that called {target} port {port} is connected to {peer}.",
		.remedy = {"Look for a cgroup eBPF program that rewrites connect():", "bpftool cgroup tree"},
		.why = "only a rewrite in connect() changes what getpeername() says",
	},
	{
		.id = "host-redirect", .layer = LAYER_HOST,
		.need = B(F_SYN_REDIRECTED) | B(F_CONNECTED), .absent = B(F_TARGET_LOCAL),
		.state = STATE_INTERCEPTED, .mechanism = MECH_INTERCEPTION, .place = PLACE_HOST,
		.culprit = CULPRIT_UNKNOWN, .confidence = 0.98,
		.summary = "This machine itself redirects port {port}: the connection to {target} went to {redirect}, and that is who answers.",
		.remedy = {"Find the redirect:", "nft list ruleset | grep -nE 'redirect|dnat|tproxy'", "iptables-save -t nat | grep -E 'REDIRECT|DNAT'",
			   "Hosting panels redirect all users but the mail server's to the local mail server on purpose (\"SMTP restrictions\"): then send through the local mail server, or as its user."},
		.why = "the SYN with our source port was seen going to another address or port than the one called",
	},
	{
		.id = "host-tproxy", .layer = LAYER_HOST,
		.need = B(F_SYN_LOOPED) | B(F_CONNECTED), .absent = B(F_TARGET_LOCAL) | B(F_SYN_LEFT),
		.state = STATE_INTERCEPTED, .mechanism = MECH_INTERCEPTION, .place = PLACE_HOST,
		.culprit = CULPRIT_UNKNOWN, .confidence = 0.97,
		.summary = "This machine itself answers in place of {target} port {port}: the SYN never left, it was turned back on loopback.",
		.remedy = {"Find the transparent proxy:", "ip rule", "nft list ruleset | grep -n tproxy", "ss -ltnp"},
		.why = "our SYN, unchanged, on loopback, a completed handshake and nothing on the wire",
	},
	{
		.id = "host-redirect-refused", .layer = LAYER_HOST,
		.need = B(F_SYN_REDIRECTED) | B(F_REFUSED), .absent = B(F_TARGET_LOCAL),
		.state = STATE_BLOCKED, .mechanism = MECH_TCP_RESET, .place = PLACE_HOST,
		.culprit = CULPRIT_UNKNOWN, .confidence = 0.98,
		.summary = "This machine itself redirects port {port} to {redirect}, where nothing listens.",
		.remedy = {"Find the redirect:", "nft list ruleset | grep -nE 'redirect|dnat'", "iptables-save -t nat | grep -E 'REDIRECT|DNAT'",
			   "Start what should listen there, or remove the redirect."},
		.why = "the SYN was seen going elsewhere, and that place answered with a RST",
	},
	{
		.id = "host-redirect-silent", .layer = LAYER_HOST,
		.need = B(F_SYN_REDIRECTED) | B(F_SOCKET_SILENT), .absent = B(F_TARGET_LOCAL) | B(F_CONNECTED),
		.state = STATE_BLOCKED, .mechanism = MECH_SILENT_DROP, .place = PLACE_HOST,
		.culprit = CULPRIT_UNKNOWN, .confidence = 0.95,
		.summary = "This machine itself redirects port {port} to {redirect}, and no answer comes from there.",
		.remedy = {"Find the redirect:", "nft list ruleset | grep -nE 'redirect|dnat'", "iptables-save -t nat | grep -E 'REDIRECT|DNAT'"},
		.why = "the SYN was seen going elsewhere, and nothing came back",
	},
	{
		.id = "host-neighbour-silent", .layer = LAYER_HOST,
		.need = B(F_NEXT_HOP_SILENT) | B(F_NEXT_HOP_IS_GATEWAY), .absent = B(F_SYN_LEFT) | B(F_CONNECTED),
		.state = STATE_UNREACHABLE, .mechanism = MECH_LOCAL_ERROR, .place = PLACE_GATEWAY,
		.culprit = CULPRIT_NEIGHBOUR, .confidence = 0.95,
		.summary = "The gateway {gateway} does not answer {arp} on {link}: nothing can leave this network. That is no block of SMTP.",
		.remedy = {"Check that the gateway is up and that this machine is on the right network:", "ip {ip-family}neigh show dev {link}",
			   "If it should answer, look for an arp or bridge filter here:", "nft list ruleset | grep -nE 'table (arp|bridge|netdev)'"},
		.why = "the kernel asked for the gateway's link-layer address and got no answer, so no SYN left",
	},
	{
		.id = "host-destination-silent", .layer = LAYER_HOST,
		.need = B(F_NEXT_HOP_SILENT), .absent = B(F_SYN_LEFT) | B(F_CONNECTED) | B(F_NEXT_HOP_IS_GATEWAY),
		.state = STATE_UNREACHABLE, .mechanism = MECH_LOCAL_ERROR, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_NEIGHBOUR, .confidence = 0.9,
		.summary = "{target} is on this machine's own network {link} and does not answer {arp}: it is down, or not there.",
		.remedy = {"Check that {target} is up and on this network:", "ip {ip-family}neigh show dev {link}"},
		.why = "no router lies between: who does not answer is the destination itself",
	},
	{
		.id = "host-reset", .layer = LAYER_HOST,
		.need = B(F_RST_ON_LO),
		.absent = B(F_TARGET_LOCAL) | B(F_SYN_REDIRECTED) | B(F_SYN_LEFT) | B(F_SYN_LOOPED),
		.state = STATE_BLOCKED, .mechanism = MECH_TCP_RESET, .place = PLACE_HOST,
		.culprit = CULPRIT_UNKNOWN, .confidence = 0.99,
		.summary = "This machine's own firewall rejects port {port} with a TCP reset: the RST came on loopback and the SYN never left.",
		.remedy = {"Find the rule:", "nft -a list ruleset | grep -n 'reject with tcp reset'", "iptables-save | grep -n tcp-reset",
			   ALLOW},
		.why = "a reject rule's RST is delivered on loopback, with the target's address as its source",
	},
	{
		.id = "host-icmp", .layer = LAYER_HOST,
		.need = B(F_ICMP_ON_LO),
		.absent = B(F_TARGET_LOCAL) | B(F_SYN_LEFT) | B(F_NEXT_HOP_SILENT),
		.state = STATE_BLOCKED, .mechanism = MECH_ICMP_UNREACHABLE, .place = PLACE_HOST,
		.culprit = CULPRIT_UNKNOWN, .confidence = 0.99,
		.summary = "This machine's own firewall rejects port {port}: it sent itself ICMP {icmp} and the SYN never left.",
		.remedy = {"Find the rule:", "nft -a list ruleset | grep -n reject", "iptables-save | grep -n REJECT",
			   ALLOW},
		.why = "a reject rule's ICMP goes from this host to itself, on loopback",
	},
	{
		.id = "host-drop-out", .layer = LAYER_HOST,
		.need = B(F_SOCKET_SILENT),
		.absent = B(F_SYN_LEFT) | B(F_SYN_REDIRECTED) | B(F_SYN_LOOPED) | B(F_RST_ON_LO) |
			  B(F_ICMP_ON_LO) | B(F_NEXT_HOP_SILENT) | B(F_CONNECTED) | B(F_LINK_DOWN),
		.state = STATE_BLOCKED, .mechanism = MECH_SILENT_DROP, .place = PLACE_HOST,
		.culprit = CULPRIT_UNKNOWN, .confidence = 0.97,
		.summary = "This machine drops port {port} on its way out: connect() waits, and no SYN ever left {link}.",
		.remedy = {"Find the rule:", "nft -a list ruleset | grep -nE 'drop|policy'", "iptables-save -c | grep -E 'DROP|:OUTPUT'",
			   ALLOW,
			   "If no firewall rule does it, see `tc filter show dev {link} egress` and `bpftool cgroup tree`."},
		.why = "the socket sent, the tap behind every output hook saw nothing, and it lost nothing",
	},
	{
		.id = "host-drop-in", .layer = LAYER_HOST,
		.need = B(F_SYN_LEFT) | B(F_SYNACK) | B(F_SOCKET_SILENT),
		.absent = B(F_CONNECTED) | B(F_SYNACK_ELSEWHERE),
		.state = STATE_BLOCKED, .mechanism = MECH_SILENT_DROP, .place = PLACE_HOST,
		.direction = DIR_INBOUND, .culprit = CULPRIT_UNKNOWN, .confidence = 0.97,
		.summary = "This machine drops the answer: the SYN-ACK of {target} port {port} arrived on {link}, but the connection never completed.",
		.remedy = {"Find the rule that drops incoming packets:", "nft -a list ruleset | grep -nE 'hook (ingress|prerouting|input)|drop'", "iptables-save -c | grep -E 'INPUT|PREROUTING'",
			   "Answers to own connections should pass first, in the table and chain that hold the rule:", "nft insert rule FAMILY TABLE CHAIN ct state established,related accept"},
		.why = "the tap sits before the input hooks: the answer came, and the stack never got it",
	},
	{
		.id = "host-drop-in-elsewhere", .layer = LAYER_HOST,
		.need = B(F_SYN_LEFT) | B(F_SYNACK) | B(F_SOCKET_SILENT) | B(F_SYNACK_ELSEWHERE),
		.absent = B(F_CONNECTED),
		.state = STATE_BLOCKED, .mechanism = MECH_SILENT_DROP, .place = PLACE_HOST,
		.direction = DIR_INBOUND, .culprit = CULPRIT_UNKNOWN, .confidence = 0.95,
		.summary = "This machine drops the answer: the SYN-ACK of {target} port {port} came in by another interface than {link}, and the connection never completed.",
		.remedy = {"Strict reverse path filtering drops answers that come in by another way (1 is strict, 2 is loose):", "sysctl -a | grep '\\.rp_filter'",
			   "Mend the routing so that the answer comes back by {link}, or set rp_filter to 2 on the interface where it arrives."},
		.why = "the answer came by another interface and the stack never got it: usually rp_filter",
	},
	{
		.id = "host-drop-in-reset", .layer = LAYER_HOST,
		.need = B(F_SYN_LEFT) | B(F_RST) | B(F_SOCKET_SILENT),
		.absent = B(F_CONNECTED) | B(F_REFUSED) | B(F_SYNACK),
		.state = STATE_BLOCKED, .mechanism = MECH_SILENT_DROP, .place = PLACE_HOST,
		.direction = DIR_INBOUND, .culprit = CULPRIT_UNKNOWN, .confidence = 0.9,
		.summary = "This machine drops the answer: a RST for port {port} arrived on {link}, but connect() never got it.",
		.remedy = {"Find the rule that drops incoming packets:", "nft -a list ruleset | grep -nE 'hook (ingress|prerouting|input)|drop'"},
		.why = "the tap saw a RST that acknowledges our SYN, and the socket still waits",
	},

	/* ---- the path ---- */
	{
		.id = "path-intercepted", .layer = LAYER_PATH,
		.need = B(F_CONNECTED) | B(F_PATH_SYNACK_EARLY),
		.state = STATE_INTERCEPTED, .mechanism = MECH_INTERCEPTION, .placed = true,
		.place = PLACE_UNKNOWN, .culprit = CULPRIT_MIDDLEBOX, .confidence = NOWHERE,
		.summary = "Somebody {place-words} answers port {port} in the place of {target}: {hop-words} completes the handshake for SYNs whose TTL does not reach the server.",
		.remedy = {"What you send to port {port} is read and relayed by that device. Ask {place-owner} why; until then use TLS with certificate checks only.", REMEDY_SUBMISSION},
		.why = "a SYN-ACK for a TTL at which the control is still on its way can't come from the target",
	},
	{
		.id = "path-reset-early", .layer = LAYER_PATH,
		.need = B(F_SYN_LEFT) | B(F_RST) | B(F_PATH_RST_EARLY),
		.state = STATE_BLOCKED, .mechanism = MECH_TCP_RESET, .placed = true,
		.place = PLACE_UNKNOWN, .culprit = CULPRIT_HOP, .confidence = NOWHERE,
		.summary = "Port {port} is reset {place-words}: {hop-words} answers with a RST SYNs whose TTL does not reach {target}.",
		.remedy = {"{ask-owner}", REMEDY_SUBMISSION},
		.why = "a RST for a TTL at which the control is still on its way can't come from the target",
	},
	{
		.id = "path-refused-own", .layer = LAYER_PATH,
		.need = B(F_SYN_LEFT) | B(F_RST) | B(F_PATH_RST_OWN), .absent = B(F_SYNACK) | B(F_RST_NEARER),
		.state = STATE_REFUSED, .mechanism = MECH_TCP_RESET, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_SERVER, .confidence = 0.95,
		.summary = "{target} itself refuses port {port}: nothing listens there.",
		.remedy = {"Check the port number and the host name: nobody offers SMTP on {target} port {port}.", REMEDY_SUBMISSION},
		.why = "only TTLs that reach the target draw the RST: every hop before lets the port through",
	},
	{
		.id = "path-refused-on-link", .layer = LAYER_PATH,
		.need = B(F_SYN_LEFT) | B(F_RST) | B(F_ON_LINK), .absent = B(F_SYNACK),
		.state = STATE_REFUSED, .mechanism = MECH_TCP_RESET, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_SERVER, .confidence = 0.93,
		.summary = "{target} itself refuses port {port}: nothing listens there.",
		.remedy = {"Check the port number and the host name: nobody offers SMTP on {target} port {port}.", REMEDY_SUBMISSION},
		.why = "no router lies between that could have sent the RST",
	},
	{
		.id = "path-silence-on-link", .layer = LAYER_PATH,
		.need = B(F_SYN_LEFT) | B(F_SILENT) | B(F_SILENCE_PROVEN) | B(F_CONTROL_ANSWERS) | B(F_ON_LINK),
		.absent = B(F_CONNECTED) | B(F_RST) | B(F_ICMP),
		.state = STATE_BLOCKED, .mechanism = MECH_SILENT_DROP, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_UNKNOWN, .confidence = 0.92,
		.summary = "{target} itself drops port {port}: it is on this network, answers port {control-port}, and no router lies between.",
		.remedy = {"Ask the administrator of {target} whether its firewall lets {source} in on port {port}.", REMEDY_SUBMISSION},
		.why = "nobody else is there to drop it, but a filtering switch",
	},
	{
		.id = "path-stops", .layer = LAYER_PATH,
		.need = B(F_SYN_LEFT) | B(F_SILENT) | B(F_PATH_STOPS), .absent = B(F_CONNECTED),
		.state = STATE_BLOCKED, .mechanism = MECH_SILENT_DROP, .placed = true,
		.place = PLACE_UNKNOWN, .culprit = CULPRIT_HOP, .confidence = NOWHERE,
		.summary = "Port {port} is dropped silently {place-words}: {hop-words}, while other ports go on.",
		.remedy = {"{ask-owner}", REMEDY_SUBMISSION},
		.why = "hops that answer the control stay silent for this port, and loss does not explain it",
	},
	{
		.id = "path-through", .layer = LAYER_PATH,
		.need = B(F_SYN_LEFT) | B(F_SILENT) | B(F_PATH_THROUGH) | B(F_CONTROL_ANSWERS), .absent = B(F_CONNECTED),
		.state = STATE_BLOCKED, .mechanism = MECH_SILENT_DROP, .placed = true,
		.place = PLACE_UNKNOWN, .culprit = CULPRIT_HOP, .confidence = NOWHERE,
		.summary = "Every hop lets port {port} through, and {target} alone is silent there: its own filter, one right in front of it, or something that drops its SYN-ACK on the way back.",
		.remedy = {"Ask the administrator of {target} whether its firewall lets {source} in on port {port}, and whether a SYN-ACK leaves it.", REMEDY_SUBMISSION},
		.why = "the last router before the target answers for this port; what is behind it, and the way back, look the same from here",
	},
	{
		.id = "path-reset-forged", .layer = LAYER_PATH,
		.need = B(F_SYN_LEFT) | B(F_RST_THEN_SYNACK),
		.state = STATE_BLOCKED, .mechanism = MECH_TCP_RESET, .place = PLACE_UNKNOWN,
		.culprit = CULPRIT_MIDDLEBOX, .confidence = NOWHERE,
		.summary = "Something on the way forged a RST for port {port}: the server's own SYN-ACK came after it.",
		.remedy = {REMEDY_PROVIDER, REMEDY_SUBMISSION},
		.why = "a server does not accept what it has just reset (Weaver, Sommer, Paxson, NDSS 2009)",
	},
	{
		.id = "path-reset-nearer", .layer = LAYER_PATH,
		.need = B(F_SYN_LEFT) | B(F_RST) | B(F_RST_NEARER), .absent = B(F_SYNACK),
		.state = STATE_BLOCKED, .mechanism = MECH_TCP_RESET, .place = PLACE_UNKNOWN,
		.culprit = CULPRIT_MIDDLEBOX, .confidence = NOWHERE,
		.summary = "A RST for port {port} came from {rst-distance} hops away, while {target} answers port {control-port} from {control-distance}: a device on the way sent it.",
		.remedy = {REMEDY_PROVIDER, REMEDY_SUBMISSION},
		.why = "two answers of one host come the same number of hops; the initial TTL is taken as the nearest of 32, 64, 128, 255",
	},
	{
		.id = "path-refused", .layer = LAYER_PATH,
		.need = B(F_SYN_LEFT) | B(F_RST) | B(F_RST_LIKE_CONTROL), .absent = B(F_SYNACK),
		.state = STATE_REFUSED, .mechanism = MECH_TCP_RESET, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_SERVER, .confidence = 0.8,
		.summary = "{target} itself refuses port {port}: nothing listens there.",
		.remedy = {"Check the port number and the host name: nobody offers SMTP on {target} port {port}.", REMEDY_SUBMISSION},
		.why = "the RST came as many hops as the same address's answer on a control port",
	},
	{
		.id = "path-refused-local", .layer = LAYER_PATH,
		.need = B(F_REFUSED) | B(F_TARGET_LOCAL),
		.state = STATE_REFUSED, .mechanism = MECH_TCP_RESET, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_SERVER, .confidence = 0.9,
		.summary = "{target} is this machine, and nothing listens on port {port}.",
		.remedy = {"Start the mail server, or check on which addresses it listens: ss -ltn"},
		.why = "the address is this host's own: no path lies between",
	},
	{
		.id = "path-reset-unplaced", .layer = LAYER_PATH,
		.need = B(F_SYN_LEFT) | B(F_RST),
		.absent = B(F_SYNACK) | B(F_RST_NEARER) | B(F_RST_LIKE_CONTROL),
		.state = STATE_INCONCLUSIVE, .mechanism = MECH_TCP_RESET, .place = PLACE_UNKNOWN,
		.culprit = CULPRIT_UNKNOWN, .confidence = NOWHERE,
		.summary = "A RST answered port {port}, but {target} answers nowhere else in a way that could be compared: it may be the server's, or a device's on the way.",
		.remedy = {"Give a port that is known to answer as control: `--control PORT`", REMEDY_SUBMISSION},
		.why = "a RST alone does not tell its sender",
	},
	{
		.id = "path-icmp-refused", .layer = LAYER_PATH,
		.need = B(F_ICMP) | B(F_ICMP_FROM_TARGET) | B(F_ICMP_PORT),
		.state = STATE_REFUSED, .mechanism = MECH_ICMP_UNREACHABLE, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_SERVER, .confidence = 0.93,
		.summary = "{target} itself refuses port {port} with ICMP {icmp}.",
		.remedy = {"Check the port number and the host name; the server's administrator can tell whether port {port} is meant to be closed.", REMEDY_SUBMISSION},
		.why = "port-unreachable from the address that was called is its own word",
	},
	{
		.id = "path-icmp-loop", .layer = LAYER_PATH,
		.need = B(F_ICMP) | B(F_ICMP_EXPIRED),
		.state = STATE_UNREACHABLE, .mechanism = MECH_ICMP_UNREACHABLE, .place = PLACE_UNKNOWN,
		.culprit = CULPRIT_HOP, .confidence = NOWHERE,
		.summary = "The network runs in circles: {icmp-from} reports that the SYN's TTL ran out on the way to {target}.",
		.remedy = {"A routing loop is the provider's to mend: tell it the address of the router, {icmp-from}."},
		.why = "an ordinary SYN has TTL enough for every real path",
	},
	{
		.id = "path-icmp-destination", .layer = LAYER_PATH,
		.need = B(F_ICMP) | B(F_ICMP_FROM_TARGET),
		.state = STATE_BLOCKED, .mechanism = MECH_ICMP_UNREACHABLE, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_SERVER, .confidence = 0.93,
		.summary = "A filter on {target} itself rejects port {port} with ICMP {icmp}.",
		.remedy = {"The server's administrator must let this address in; its firewall answers by itself.", REMEDY_SUBMISSION},
		.why = "the ICMP error comes from the address that was called",
	},
	{
		.id = "path-icmp-all-placed", .layer = LAYER_PATH,
		.need = B(F_ICMP) | B(F_ICMP_EVERYWHERE) | B(F_PATH_ICMP_HOP),
		.state = STATE_UNREACHABLE, .mechanism = MECH_ICMP_UNREACHABLE, .placed = true,
		.place = PLACE_UNKNOWN, .culprit = CULPRIT_HOP, .confidence = NOWHERE,
		.summary = "The network says that {target} can't be reached, on any port: {hop-words} {place-words} answers with ICMP {icmp}. That is no block of SMTP.",
		.remedy = {"Check the address; then ask {place-owner} about the router {icmp-from}.", "{other-family}"},
		.why = "the control ports get an ICMP error too, and its sender is a known hop",
	},
	{
		.id = "path-icmp-all", .layer = LAYER_PATH,
		.need = B(F_ICMP) | B(F_ICMP_EVERYWHERE),
		.state = STATE_UNREACHABLE, .mechanism = MECH_ICMP_UNREACHABLE, .place = PLACE_UNKNOWN,
		.culprit = CULPRIT_HOP, .confidence = NOWHERE,
		.summary = "The network says that {target} can't be reached, on any port: {icmp-from} answers with ICMP {icmp}. That is no block of SMTP.",
		.remedy = {"Check the address; then ask the provider about the router {icmp-from}.", "{other-family}"},
		.why = "the control ports get an ICMP error too",
	},
	{
		.id = "path-icmp-hop", .layer = LAYER_PATH,
		.need = B(F_ICMP) | B(F_PATH_ICMP_HOP), .absent = B(F_ICMP_FROM_TARGET),
		.state = STATE_BLOCKED, .mechanism = MECH_ICMP_UNREACHABLE, .placed = true,
		.place = PLACE_UNKNOWN, .culprit = CULPRIT_HOP, .confidence = NOWHERE,
		.summary = "Port {port} is rejected {place-words}: {hop-words} answers with ICMP {icmp}.",
		.remedy = {"{ask-owner}", REMEDY_SUBMISSION},
		.why = "the sender of the ICMP error is a hop of the path",
	},
	{
		.id = "path-icmp-gateway", .layer = LAYER_PATH,
		.need = B(F_ICMP) | B(F_ICMP_FROM_GATEWAY),
		.state = STATE_BLOCKED, .mechanism = MECH_ICMP_UNREACHABLE, .place = PLACE_GATEWAY,
		.culprit = CULPRIT_HOP, .confidence = 0.95,
		.summary = "Your gateway {gateway} rejects port {port} with ICMP {icmp}.",
		.remedy = {"Look at the gateway's firewall: outgoing TCP port {port} must be allowed for {source}.", REMEDY_SUBMISSION},
		.why = "the ICMP error comes from the address of the next hop",
	},
	{
		.id = "path-icmp-access", .layer = LAYER_PATH,
		.need = B(F_ICMP) | B(F_ICMP_FROM_ACCESS),
		.state = STATE_BLOCKED, .mechanism = MECH_ICMP_UNREACHABLE, .place = PLACE_ISP,
		.culprit = CULPRIT_HOP, .confidence = 0.85,
		.summary = "A router of your provider, {icmp-from}, rejects port {port} with ICMP {icmp}.",
		.remedy = {REMEDY_PROVIDER, REMEDY_SUBMISSION},
		.why = "the sender has an address of an access network, or is the hop behind the gateway",
	},
	{
		.id = "path-icmp", .layer = LAYER_PATH,
		.need = B(F_ICMP),
		.absent = B(F_ICMP_FROM_TARGET) | B(F_ICMP_FROM_GATEWAY) | B(F_ICMP_FROM_ACCESS) | B(F_CONNECTED),
		.state = STATE_BLOCKED, .mechanism = MECH_ICMP_UNREACHABLE, .place = PLACE_UNKNOWN,
		.culprit = CULPRIT_HOP, .confidence = NOWHERE,
		.summary = "A router on the way, {icmp-from}, rejects port {port} with ICMP {icmp}.",
		.remedy = {"Find out whose router {icmp-from} is (`whois {icmp-from}`) and ask there.", REMEDY_SUBMISSION},
		.why = "the sender of the ICMP error is neither this host, nor the gateway, nor the target",
	},
	{
		.id = "path-silence", .layer = LAYER_PATH,
		.need = B(F_SYN_LEFT) | B(F_SILENT) | B(F_SILENCE_PROVEN) | B(F_CONTROL_ANSWERS),
		.absent = B(F_SYNACK) | B(F_RST) | B(F_ICMP) | B(F_CONNECTED) | B(F_NEXT_HOP_SILENT),
		.state = STATE_BLOCKED, .mechanism = MECH_SILENT_DROP, .place = PLACE_UNKNOWN,
		.culprit = CULPRIT_UNKNOWN, .confidence = NOWHERE,
		.summary = "Port {port} is dropped beyond this machine: {silent-syns} SYNs left and nothing came back, while port {control-port} of {target} answers.",
		.remedy = {REMEDY_PROVIDER, REMEDY_SUBMISSION},
		.why = "the SYNs left, nothing came, another port answers, and its loss does not explain the silence",
	},
	{
		.id = "path-all-silent", .layer = LAYER_PATH,
		.need = B(F_SYN_LEFT) | B(F_SILENT) | B(F_ALL_SILENT),
		.absent = B(F_SYNACK) | B(F_RST) | B(F_ICMP) | B(F_CONNECTED) | B(F_CONTROL_ANSWERS),
		.state = STATE_UNREACHABLE, .mechanism = MECH_SILENT_DROP, .place = PLACE_UNKNOWN,
		.culprit = CULPRIT_UNKNOWN, .confidence = NOWHERE,
		.summary = "{target} does not answer on any port tried: it is down, or something on the way drops everything to it. Nothing shows a block of SMTP.{reach}",
		.remedy = {"Check the address and whether the server is up; give a port that must answer as control: `--control PORT`", "{other-family}"},
		.why = "no port answers, so silence on port 25 is nothing special",
	},

	/* ---- the session ---- */
	{
		.id = "session-open", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_GREETING_OK),
		.absent = B(F_PEER_DIFFERS),
		.state = STATE_OPEN, .mechanism = MECH_UNKNOWN, .place = PLACE_UNKNOWN,
		.culprit = CULPRIT_UNKNOWN, .confidence = NOWHERE,
		.summary = "{target} speaks SMTP on port {port}.",
		.why = "a completed handshake and a greeting with a 2xx code",
	},
	{
		.id = "session-rejected", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_GREETING_REJECT), .absent = B(F_PEER_DIFFERS),
		.state = STATE_REJECTED, .mechanism = MECH_POLICY_REJECT, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_SERVER, .confidence = 0.9,
		.summary = "The server answers and turns us away: {server-words}",
		.remedy = {"{reply-meaning}", REMEDY_SUBMISSION},
		.why = "a greeting with a 4xx or 5xx code is the server's own policy (RFC 5321 3.1, RFC 7504)",
	},
	{
		.id = "session-not-smtp", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_NOT_SMTP), .absent = B(F_PEER_DIFFERS),
		.state = STATE_NO_SERVICE, .mechanism = MECH_NOT_SMTP, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_SERVER, .confidence = 0.8,
		.summary = "What answers on port {port} does not speak SMTP: {server-words}",
		.remedy = {"Check the host name and the port: another service listens there.", REMEDY_SUBMISSION},
		.why = "the first bytes cannot begin an SMTP reply (RFC 5321 4.2)",
	},
	{
		.id = "session-tls-failed", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_TLS_FAILED), .absent = B(F_PEER_DIFFERS),
		.state = STATE_NO_SERVICE, .mechanism = MECH_TLS_FAILED, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_SERVER, .confidence = 0.8,
		.summary = "Port {port} takes the connection, but the TLS handshake fails: {server-words}",
		.remedy = {"Look closer:", "openssl s_client -connect {target-brackets}:{port}", REMEDY_SUBMISSION},
		.why = "OpenSSL's own error on the server's answer to ClientHello",
	},
	{
		.id = "session-reset", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_RESET), .absent = B(F_PEER_DIFFERS),
		.state = STATE_NO_SERVICE, .mechanism = MECH_SESSION_RESET, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_SERVER, .confidence = 0.7,
		.summary = "{target} accepts port {port} and resets the connection before a greeting.",
		.remedy = {"Often an access list of the server (TCP wrappers, connection limit): ask its administrator about {source}.", REMEDY_SUBMISSION},
		.why = "a completed handshake, then a reset; nothing shows somebody on the way",
	},
	{
		.id = "session-closed", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_CLOSED), .absent = B(F_PEER_DIFFERS),
		.state = STATE_NO_SERVICE, .mechanism = MECH_SESSION_CLOSE, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_SERVER, .confidence = 0.75,
		.summary = "{target} accepts port {port} and closes the connection before a greeting.",
		.remedy = {"Often an access list of the server, or a service that is just starting: try again, then ask its administrator about {source}.", REMEDY_SUBMISSION},
		.why = "a completed handshake, then a FIN; nothing shows somebody on the way",
	},
	{
		.id = "session-stalled", .layer = LAYER_SESSION,
		.need = B(F_CONNECTED) | B(F_STALLED), .absent = B(F_PEER_DIFFERS),
		.state = STATE_NO_SERVICE, .mechanism = MECH_SESSION_STALL, .place = PLACE_DESTINATION,
		.culprit = CULPRIT_SERVER, .confidence = 0.7,
		.summary = "{target} accepts port {port}, but sends no greeting within {greeting-wait}.",
		.remedy = {"Some servers make strangers wait (tarpits; RFC 5321 allows 300 s): try again with `--timeout 60`.", REMEDY_SUBMISSION},
		.why = "a completed handshake and silence until the end of the time given",
	},
};
/* clang-format on */

const unsigned rule_count = sizeof(rule_table) / sizeof(rule_table[0]);

const struct rule *rules_match(enum layer layer, const struct port_facts *facts, uint64_t *missing)
{
	*missing = 0;
	for (unsigned i = 0; i < rule_count; i++) {
		const struct rule *r = &rule_table[i];
		uint64_t unseen = r->need & ~facts->seen;
		uint64_t unlooked = (r->absent & ~facts->looked) | (unseen & ~facts->looked);
		bool denied = (r->absent & facts->seen) || (unseen & facts->looked);
		if (r->layer != layer || denied)
			continue;
		if (!unlooked)
			return r;
		/* of use only if most of it fits: the row's main facts were seen */
		if (facts->seen & r->need)
			*missing |= unlooked;
	}
	return NULL;
}
