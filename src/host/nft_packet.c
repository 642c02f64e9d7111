/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/nft_packet.h"

#include <netinet/in.h> /* before the kernel's own */

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"
#include "host/iptables.h"
#include "host/rule.h"
#include "model/packet.h"

/* ---- surroundings */

static bool read_number(const char *path, int *a, int *b)
{
	FILE *f = fopen(path, "re");
	int n = 0;

	if (!f)
		return false;
	n = b ? fscanf(f, "%d %d", a, b) : fscanf(f, "%d", a);
	fclose(f);
	return n == (b ? 2 : 1);
}

static void read_sysctls(struct nft_surroundings *s)
{
	int ecn, low, high;

	/* 0: never; 2: only when asked to */
	s->no_ecn = read_number("/proc/sys/net/ipv4/tcp_ecn", &ecn, NULL) && (ecn == 0 || ecn == 2);
	s->sport_min = 1;
	s->sport_max = UINT16_MAX;
	if (read_number("/proc/sys/net/ipv4/ip_local_port_range", &low, &high) && low > 0 &&
	    low <= high && high <= UINT16_MAX) {
		s->sport_min = (uint16_t)low;
		s->sport_max = (uint16_t)high;
	}
}

/* Rules have user ids of the namespace that owns the network. */
static void read_user_namespace(struct nft_surroundings *s)
{
	int net = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int owner = net >= 0 ? ioctl(net, NS_GET_USERNS) : -1;
	struct stat a, b;

	s->ids_known = owner >= 0 && fstat(owner, &a) == 0 &&
		       stat("/proc/thread-self/ns/user", &b) == 0 && a.st_ino == b.st_ino &&
		       a.st_dev == b.st_dev;
	if (owner >= 0)
		close(owner);
	if (net >= 0)
		close(net);
}

static void read_legacy(struct nft_surroundings *s)
{
	FILE *f = fopen(s->v6 ? "/proc/thread-self/net/ip6_tables_names"
			      : "/proc/thread-self/net/ip_tables_names",
			"re");
	char name[64];

	if (!f) {
		s->legacy_unknown = errno != ENOENT || !iptables_can_be_seen();
		return;
	}
	while (fscanf(f, "%63s", name) == 1)
		s->legacy_unknown |= strcmp(name, "filter") != 0 && strcmp(name, "security") != 0;
	fclose(f);
}

static void read_cgroups(struct nft_surroundings *s)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[1100];

	if (!f)
		return;
	s->classid_known = true; /* without net_cls the class is 0 */
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		if (strstr(controllers, "net_cls") && strcmp(path, "/") != 0)
			s->classid_known = false;
		if (controllers[1] == '\0') /* the one hierarchy of version 2 */
			snprintf(s->cgroup, sizeof(s->cgroup), "%s", path);
	}
	fclose(f);
}

/* Are there no rules but those of every host? Then a lookup depends on addresses alone. */
static bool routing_is_plain(struct host *h, int family)
{
	struct rules rules = {0};
	struct err e;
	bool plain = rules_read(h, family, &rules, &e) == 0 && rules.n > 0;

	for (size_t i = 0; plain && i < rules.n; i++) {
		const struct rule *r = &rules.list[i];
		plain = r->table >= 253 && r->table <= 255 && !r->has_mark && !r->src_len &&
			!r->dst_len && !r->iif[0] && !r->oif[0] && !r->unknown && !r->l3mdev;
	}
	rules_clear(&rules);
	return plain;
}

static void read_routes(struct nft_surroundings *s)
{
	const struct host_watch *w = s->watch;
	struct route_query q = {.dst = w->remote};
	struct host_route route;
	struct host_link link;
	struct host *h = NULL;
	bool own = false;
	struct err e;

	s->remote_is_local = s->loopback ? NFT_YES : NFT_MAYBE;
	if (host_open(&h, &e) != 0)
		return;
	if (!s->loopback && w->oif && host_has_address(h, &w->remote, &own, NULL, &e) == 0)
		s->remote_is_local = own ? NFT_YES : NFT_NO;
	s->reverse_path = w->oif && !s->loopback &&
			  routing_is_plain(h, w->remote.family == ADDR_V4 ? AF_INET : AF_INET6) &&
			  host_get_route(h, &q, &route, &e) == 0 && route.error == 0 &&
			  !route.multipath && route.oif == w->oif;
	if (w->oif && host_get_link(h, w->oif, NULL, &link, &e) == 0) {
		s->if_type_known = true;
		s->if_type = link.arphrd;
	}
	host_free(h);
}

void nft_surroundings_read(struct nft_surroundings *s, const struct host_watch *w)
{
	*s = (struct nft_surroundings){.watch = w, .v6 = w->remote.family == ADDR_V6};
	s->loopback = strcmp(w->oif_name, "lo") == 0 || addr_is_loopback(&w->remote);
	read_sysctls(s);
	read_user_namespace(s);
	read_legacy(s);
	read_cgroups(s);
	read_routes(s);
}

/* ---- headers */

static void know(struct nft_bytes *b, size_t at, const void *value, size_t len)
{
	memcpy(b->value + at, value, len);
	memset(b->known + at, 0xff, len);
}

static void forget(struct nft_bytes *b, size_t at, size_t len, const char *why)
{
	memset(b->value + at, 0, len);
	memset(b->known + at, 0, len);
	for (size_t i = 0; i < len; i++)
		b->why[at + i] = why;
}

static void know_bits(struct nft_bytes *b, size_t at, uint8_t value, uint8_t mask)
{
	b->value[at] = value & mask;
	b->known[at] = mask;
}

static size_t source_at(const struct nft_packet *p)
{
	return p->host->v6 ? 8 : 12;
}

static size_t address_len(const struct nft_packet *p)
{
	return p->host->v6 ? 16 : 4;
}

/* Ours: the source of the SYN, the destination of its answer. */
static void set_address(struct nft_packet *p, bool ours, const struct addr *a, const char *why)
{
	bool source = ours != p->answer;
	size_t len = address_len(p), at = source_at(p) + (source ? 0 : len);

	if (a && addr_is_set(a))
		know(&p->net, at, a->bytes, len);
	else
		forget(&p->net, at, len, why);
}

static void set_port(struct nft_packet *p, bool ours, uint16_t port, const char *why)
{
	const uint8_t bytes[2] = {(uint8_t)(port >> 8), (uint8_t)port};
	size_t at = ours != p->answer ? 0 : 2;

	if (port)
		know(&p->tcp, at, bytes, 2);
	else
		forget(&p->tcp, at, 2, why);
}

static void network_header_v4(struct nft_packet *p)
{
	struct nft_bytes *n = &p->net;
	const uint8_t protocol = IPPROTO_TCP;

	p->net_len = 20;
	forget(n, 2, 2, "the packet's length");
	forget(n, 4, 2, "the packet's ID");
	know_bits(n, 0, 0x45, 0xff);
	know_bits(n, 1, 0, p->answer ? 0 : 0xff);
	n->why[1] = "the packet's DSCP";
	know_bits(n, 6, 0, 0xbf); /* don't fragment or not, but no fragment */
	know_bits(n, 7, 0, 0xff);
	n->why[6] = "the packet's DF flag";
	forget(n, 8, 1, "the packet's TTL");
	know(n, 9, &protocol, 1);
	forget(n, 10, 2, "the packet's checksum");
}

static void network_header_v6(struct nft_packet *p)
{
	struct nft_bytes *n = &p->net;
	const uint8_t protocol = IPPROTO_TCP;

	p->net_len = 40;
	forget(n, 0, 6, "the packet's flow label");
	know_bits(n, 0, 0x60, p->answer ? 0xf0 : 0xff);
	know_bits(n, 1, 0, p->answer ? 0 : 0xf0);
	forget(n, 4, 2, "the packet's length");
	know(n, 6, &protocol, 1);
	forget(n, 7, 1, "the packet's hop limit");
}

static void set_headers(struct nft_packet *p, uint16_t rport)
{
	const struct host_watch *w = p->host->watch;
	uint8_t flags = p->answer ? TCP_SYN | TCP_ACK : TCP_SYN;

	if (p->host->v6)
		network_header_v6(p);
	else
		network_header_v4(p);
	forget(&p->tcp, 0, NFT_TCP_LEN, "the packet's TCP header");
	know_bits(&p->tcp, 13, flags, p->host->no_ecn ? 0xff : (uint8_t) ~(TCP_ECE | TCP_CWR));
	p->tcp.why[13] = "the packet's ECN flags";
	set_address(p, true, &w->local, "the source address");
	set_address(p, false, &w->remote, NULL);
	set_port(p, true, w->n_lports == 1 ? w->lports[0] : 0, "the source port");
	set_port(p, false, rport, NULL);
	p->sport_list = true;
}

static struct nft_word word(uint32_t value, uint32_t known, const char *why)
{
	return (struct nft_word){.value = value & known, .known = known, .why = why};
}

void nft_packet_syn(struct nft_packet *p, const struct nft_surroundings *host,
		    struct nft_ruleset *rules, struct arena *text, uint16_t rport)
{
	uint32_t known = host->legacy_unknown ? 0 : UINT32_MAX;

	*p = (struct nft_packet){.host = host, .rules = rules, .text = text};
	set_headers(p, rport);
	p->mark = word(0, known, "the packet's mark");
	p->ct_mark = word(0, known, "the connection's mark");
	p->ct_status = word(0, host->legacy_unknown ? 0 : IPS_EXPECTED | IPS_DST_NAT,
			    "conntrack's view of the connection");
	p->tracking = host->legacy_unknown ? NFT_TRACKING_UNKNOWN : NFT_UNSEEN;
}

void nft_packet_answer(struct nft_packet *p, const struct nft_packet *syn, bool snatted,
		       uint16_t rport)
{
	*p = (struct nft_packet){.host = syn->host,
				 .rules = syn->rules,
				 .text = syn->text,
				 .answer = true,
				 .turned = syn->turned,
				 .rerouted = syn->rerouted};
	set_headers(p, rport);
	p->mark = word(0, 0, "the packet's mark");
	p->ct_mark = syn->ct_mark;
	p->ct_status = syn->ct_status;
	p->tracking = NFT_UNSEEN;
	if (p->turned) {
		set_address(p, false, NULL, "where an earlier rule sends it");
		set_port(p, false, 0, "where an earlier rule sends it");
	}
	if (snatted)
		nft_packet_hide_own(p, "what NAT makes of our address");
}

void nft_packet_hide_own(struct nft_packet *p, const char *why)
{
	set_address(p, true, NULL, why);
	set_port(p, true, 0, why);
	p->sport_list = false;
}

void nft_packet_restore_own(struct nft_packet *p)
{
	const struct host_watch *w = p->host->watch;

	set_address(p, true, &w->local, "the source address");
	set_port(p, true, w->n_lports == 1 ? w->lports[0] : 0, "the source port");
	p->sport_list = true;
}

void nft_packet_turn(struct nft_packet *p, const char *doubt)
{
	static const char why[] = "where an earlier rule sends it";
	const struct nft_doing *d = &p->doing;

	p->turned = true;
	if (doubt || d->act == NFT_ACT_TPROXY) {
		set_address(p, false, NULL, why);
		set_port(p, false, 0, why);
		p->ct_status.known &= ~(uint32_t)IPS_DST_NAT;
		p->out = NFT_DEV_UNKNOWN;
		return;
	}
	p->ct_status.value |= IPS_DST_NAT;
	p->ct_status.known |= IPS_DST_NAT;
	if (d->act == NFT_ACT_REDIRECT) {
		const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
		struct addr a = p->host->v6 ? addr_v6(v6) : addr_v4(v4);
		set_address(p, false, &a, why);
	} else if (!d->target_known || addr_is_set(&d->to)) {
		set_address(p, false, d->target_known ? &d->to : NULL, why);
	}
	if (!d->port_known || d->to_port)
		set_port(p, false, d->port_known ? d->to_port : 0, why);
}
