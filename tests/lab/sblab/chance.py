# SPDX-License-Identifier: GPL-3.0-or-later
"""A network drawn by lot, with what happens in it known: topology, impairments, who stops what.

Everything follows from (seed, index). Addresses are chosen so that the contract's rules for places
without AS data say what the routers are: private and 100.64/10 hops and the first public one are the
provider's, the last router is the destination's, transit lies between. Where address and role
disagree, or the rules do, both places count as right.
"""

import dataclasses
import random

from . import scenario, topology

TESTED = (25, 465, 587)
CONTROLS = (443, 80)
RELAY_PORT = 2525

MECHANISMS = {  # weights
    "none": 20, "forward-drop": 16, "ingress-drop": 16, "forward-rst": 9, "forward-icmp": 10,
    "forged-rst": 8, "intercept": 8, "host-drop": 3, "host-reject": 3, "server-drop": 4,
    "server-rst": 2, "server-icmp": 3, "server-closed": 4, "server-down": 3,
}
ON_PATH = ("forward-drop", "ingress-drop", "forward-rst", "forward-icmp", "forged-rst", "intercept")
SILENT = ("forward-drop", "ingress-drop", "server-drop", "server-down")

# What the contract calls these answers.
STATES = {
    "none": {"open"}, "forward-drop": {"blocked"}, "ingress-drop": {"blocked"}, "forward-rst": {"blocked"},
    "forward-icmp": {"blocked"}, "forged-rst": {"blocked"}, "intercept": {"intercepted"},
    "host-drop": {"blocked"}, "host-reject": {"blocked"}, "server-drop": {"blocked"},
    "server-rst": {"refused"}, "server-closed": {"refused"}, "server-down": {"unreachable"},
}
NFT_ICMP = {"v4": {"admin-prohibited": "13", "host-prohibited": "10", "net-prohibited": "9", "port-unreachable": "3"},
            "v6": {"admin-prohibited": "1", "policy-fail": "5", "port-unreachable": "4"}}


@dataclasses.dataclass
class Router:
    name: str
    role: str           # gw, isp, tr, dst
    space: str          # whose addresses face the client: lan, private, cgn, isp, tr, dst
    ttls: set
    places: set = dataclasses.field(default_factory=set)


@dataclasses.dataclass
class Truth:
    """What may be said of one port."""
    fate: str           # the mechanism that decides it; "none" for an open port
    states: set
    places: set
    ttls: set           # where the device is; empty: not on the path
    behind: "Truth" = None  # what a further finding may say: the server's own doing behind this host's


class Drawn(scenario.Scenario):
    """A scenario that no file describes. The base class' methods work on what __init__ sets here."""

    def __init__(self, seed, index, family=None, only=None):
        self.seed, self.index = seed, index
        self.net = random.Random(f"{seed}:{index}:net")
        self.lot = random.Random(f"{seed}:{index}:mechanism")
        drawn = self.net.choice(scenario.FAMILIES)
        self.family = family or drawn
        self.name = f"random-{seed}-{index}"
        self.requires, self.wire, self.expect, self.also_text = [], {}, {}, False
        self.timeout_given, self.timeout = False, scenario.DEFAULT_TIMEOUT
        self.target, self.target_name = "server", None
        self.draw_routers()
        self.draw_twins()
        self.nodes = {}
        self.base = {"client": {}, "server": {}}
        self.draw_links()
        self.topology = topology.Topology(
            {"client": "client", "target": "server", "path": [r.name for r in self.routers] + ["server"],
             "link": self.links, "node": self.base}, self.name)
        self.draw_routers_moods()
        self.draw_mechanism(only)
        self.draw_impairment()
        self.draw_server()
        self.args = ["-p", ",".join(map(str, self.tested))]
        self.truths = {port: self.truth(port) for port in self.tested}
        self.description = self.describe()

    # --- topology ------------------------------------------------------------

    def draw_routers(self):
        rng = self.net
        if rng.random() < 0.04:
            roles = ["gw", "isp"]  # a server in the provider's own network
        else:
            roles = ["gw"] + ["isp"] * rng.choice((1, 1, 2, 2, 3)) + ["tr"] * rng.choice((0, 1, 1, 2, 3)) \
                + ["dst"] * rng.choice((1, 1, 2))
        self.nat = self.family == "v4" and rng.random() < 0.75
        self.cgn = self.nat and rng.random() < 0.5
        isps = roles.count("isp")
        # the provider's last router is public, those before may not be
        inside = [rng.choice(("private", "cgn", "private") if not self.cgn else ("cgn", "private")) for _ in range(isps)]
        if not self.nat:
            inside = ["isp"] * isps
        elif isps:
            inside[-1] = "isp"
            if self.cgn and isps > 1:
                inside[0] = "cgn"
        last_space = rng.choice(("dst", "tr" if "tr" in roles else "isp"))
        self.routers = []
        for ttl, role in enumerate(roles, 1):
            number = sum(r.role == role for r in self.routers) + 1
            space = {"gw": "lan", "isp": None, "tr": "tr", "dst": "dst"}[role]
            if role == "isp":
                space = inside[number - 1]
            if role == "dst" and ttl == len(roles):
                space = last_space if number == 1 else "dst"
            place = {"gw": "gateway", "isp": "isp", "tr": "transit", "dst": "destination-network"}[role]
            places = {place}
            if role == "isp" and ttl == len(roles):
                places.add("destination-network")
            if role == "dst" and ttl < len(roles):
                places.add("transit")  # by the contract's words, in spite of its address
            if space == "isp" and role == "dst" and not self.nat:
                places.add("isp")  # an address of the provider's block; the last router only if that is known
            self.routers.append(Router(f"{role}{number}" if role != "gw" else "gw", role, space, {ttl}, places))

    def draw_twins(self):
        """Sometimes one router has a twin beside it, or two in a row, and flows are spread over both."""
        self.twin_at, self.twins = None, []
        count = len(self.routers)
        if count < 4 or self.net.random() >= 0.12:
            return
        self.twin_at = self.net.randrange(1, count - 1)  # index of the router with a twin; a router on each side
        one = self.routers[self.twin_at]
        self.twins = [one.name + "b"]
        if self.net.random() < 0.3:
            self.twins.append(one.name + "c")
            for later in self.routers[self.twin_at + 1:]:
                later.ttls = later.ttls | {max(later.ttls) + 1}

    def network_of(self, space, number):
        """(prefix, address of the nearer end, address of the farther end), with prefix lengths."""
        if self.family == "v6":
            third = {"lan": "3fff:101:0", "isp": "3fff:101:1", "private": "3fff:101:1", "cgn": "3fff:101:1",
                     "tr": "3fff:202:0", "dst": "3fff:303:0", "end": "3fff:303:25"}[space]
            net = f"{third}:{number:x}"
            return f"{net}::/64", f"{net}::1/64", f"{net}::2/64"
        if space == "lan" and self.nat:
            return "192.168.7.0/24", "192.168.7.20/24", "192.168.7.1/24"
        if space == "lan":
            return "192.0.2.128/28", "192.0.2.130/28", "192.0.2.129/28"
        if space == "end":
            return "198.51.100.128/25", "198.51.100.129/25", "198.51.100.200/25"
        base = {"isp": "192.0.2.", "private": "10.20.30.", "cgn": "100.64.9.",
                "tr": "203.0.113.", "dst": "198.51.100."}[space]
        low = 4 * number
        return f"{base}{low}/30", f"{base}{low + 1}/30", f"{base}{low + 2}/30"

    def draw_links(self):
        self.links, self.prefixes = [], []
        chain = ["client"] + [r.name for r in self.routers] + ["server"]
        spaces = [r.space for r in self.routers] + ["end"]
        self.left = {}   # node: (its nearer neighbour, that one's address)
        right = {}       # node: addresses of the farther neighbours
        networks = {}    # (nearer, farther): prefix

        def link(near, far, space, number):
            prefix, near_address, far_address = self.network_of(space, number)
            if near == "client" and self.family == "v6":
                near_address, far_address = far_address, near_address
            ends = [near + ":eth0" if near == "client" else near, far]
            self.links.append({"ends": ends, "ip" + self.family: [near_address, far_address]})
            self.left.setdefault(far, (near, near_address.split("/")[0]))
            right.setdefault(near, []).append(far_address.split("/")[0])
            networks[near, far] = prefix

        for number, (near, far) in enumerate(zip(chain, chain[1:])):
            link(near, far, spaces[number], number)
        if self.twins:
            k = self.twin_at
            row = [chain[k], *self.twins, chain[k + 2]]
            for number, (near, far) in enumerate(zip(row, row[1:])):
                link(near, far, spaces[k] if far != chain[k + 2] else spaces[k + 1], 20 + number)
        self.networks = networks
        order = {name: position for position, name in enumerate(chain)}
        for name in self.twins:
            order[name] = self.twin_at + 1 + self.twins.index(name) / 10
        for node in [*chain[1:-1], *self.twins]:
            own = {prefix for pair, prefix in networks.items() if node in pair}
            behind = [prefix for (near, far), prefix in networks.items()
                      if prefix not in own and order[far] <= order[node] + (0 if node in self.twins else 0.5)
                      and order[near] < order[node]]
            routes = [f"{prefix} via {self.left[node][1]}" for prefix in behind]
            if node == chain[-2]:
                routes.append("blackhole default")
            elif len(right[node]) == 1:
                routes.append(f"default via {right[node][0]}")
            else:
                routes.append("default " + " ".join(f"nexthop via {a}" for a in right[node]))
            self.base[node] = {"router": True, "routes": routes}
            if len(right[node]) > 1:
                self.base[node]["sysctl"] = {"net.ipv4.fib_multipath_hash_policy": 1,
                                             "net.ipv6.fib_multipath_hash_policy": 1}
        self.base["client"]["routes"] = [f"default via {right['client'][0]}"]
        self.base["server"]["routes"] = [f"default via {self.left['server'][1]}"]
        self.draw_nat(networks)

    def draw_nat(self, networks):
        def masquerade(node):
            names = ", ".join(f'"to-{far}"' for near, far in networks if near == node)
            self.base[node]["nft"] = f"""
table ip nat {{
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        oifname {{ {names} }} masquerade
    }}
}}
"""
        self.nat_nodes = []
        if self.nat:
            self.nat_nodes.append("gw")
        last_isp = [r for r in self.routers if r.role == "isp"][-1]
        if self.cgn and self.net.random() < 0.7 and last_isp is not self.routers[-1]:
            at = self.routers.index(last_isp)
            if at != self.twin_at:  # each twin would translate on its own
                self.nat_nodes.append(last_isp.name)
        for node in self.nat_nodes:
            masquerade(node)

    # --- what routers do by themselves -------------------------------------------

    def at(self, router):
        """The node of a router, and its twin: what is to be set on both."""
        here = self.twin_at is not None and self.routers[self.twin_at] is router
        return [router.name, *(self.twins if here else [])]

    def add_nft(self, node, text):
        actions = self.nodes.setdefault(node, {})
        actions["nft"] = actions.get("nft", "") + text

    def draw_routers_moods(self):
        rng = self.net
        style = rng.choices(("none", "linux", "mixed"), (40, 35, 25))[0]
        quiet = rng.random() < 0.4
        self.limits, self.silent = {}, []
        for router in self.routers:
            limit = style if style != "mixed" else rng.choice(("none", "linux", "second"))
            self.limits[router.name] = limit
            mute = quiet and rng.random() < 0.25
            if mute:
                self.silent.append(router.name)
            for node in self.at(router):
                self.set_limit(node, limit)
                if mute:
                    self.nodes.setdefault(node, {})["silent"] = True
        self.draw_renewal()
        # Where the provider's public routers are silent, the first public address seen is another's,
        # and the provider's by the rule.
        for router in self.routers[1:]:
            hidden = self.renews == "out" or router.name in self.silent or (self.family == "v4" and router.space in ("private", "cgn"))
            if not hidden:
                router.places.add("isp")
                break

    def draw_renewal(self):
        """Sometimes the gateway sets the TTL of what it passes on, or of what it passes back, anew."""
        rng = random.Random(f"{self.seed}:{self.index}:renewal")
        self.renews = rng.choices((None, "out", "back"), (90, 7, 3))[0]
        if self.renews:
            hook = rng.choice(("prerouting", "forward"))
            comes_by = ["client"] if self.renews == "out" else self.at(self.routers[1])
            match = f"iifname {{ {', '.join(f'to-{node}' for node in comes_by)} }} meta l4proto tcp"
            self.add_nft("gw", "".join(f"""
table {family} renewal {{
    chain renew {{
        type filter hook {hook} priority mangle;
        {match} {family} {field} set 64
    }}
}}
""" for family, field in (("ip", "ttl"), ("ip6", "hoplimit"))))

    def set_limit(self, node, limit):
        if limit == "linux":
            self.nodes.setdefault(node, {})["sysctl"] = {
                "net.ipv4.icmp_ratelimit": 1000, "net.ipv6.icmp.ratelimit": 1000,
                "net.ipv4.icmp_msgs_per_sec": 1000, "net.ipv4.icmp_msgs_burst": 50}
        elif limit == "second":
            self.add_nft(node, """
table inet limited {
    chain output {
        type filter hook output priority 1;
        icmp type { time-exceeded, destination-unreachable } limit rate over 1/second burst 1 packets drop
        icmpv6 type { time-exceeded, destination-unreachable } limit rate over 1/second burst 1 packets drop
    }
}
""")

    # --- who stops what --------------------------------------------------------------

    def draw_mechanism(self, only):
        rng = self.lot
        drawn = rng.choices(list(MECHANISMS), list(MECHANISMS.values()))[0]
        self.mechanism = only or drawn
        self.tested = list(rng.choice((TESTED, TESTED, (25, 587), (25,))))
        sets = [{25}, {25, 465}, set(TESTED), None]  # None: everything
        self.stopped = rng.choices(sets, (50, 10, 25, 15))[0]
        spot = rng.randrange(len(self.routers))
        self.detail = ""
        self.router = None
        if self.mechanism == "none":
            self.stopped = set()
        elif self.mechanism == "intercept":
            self.stopped = rng.choice(({25}, {25, 587}))
        elif self.mechanism == "server-down":
            self.stopped = None
        if self.mechanism in ON_PATH:
            usable = [r for r in self.routers if self.mechanism != "forged-rst" or self.can_impair(r)]
            self.router = usable[spot % len(usable)]
        getattr(self, "make_" + self.mechanism.replace("-", "_"))(rng)

    def match(self):
        if self.stopped is None:
            return "meta l4proto tcp"
        return "tcp dport { " + ", ".join(map(str, sorted(self.stopped))) + " }"

    def stop_at(self, nodes, hook, verdict, family="inet"):
        priority = "raw" if hook == "prerouting" else "0"
        for node in nodes:
            self.add_nft(node, f"""
table {family} stop {{
    chain stop {{
        type filter hook {hook} priority {priority}; policy accept;
        {self.match()} {verdict}
    }}
}}
""")

    def make_none(self, _rng):
        pass

    def make_forward_drop(self, _rng):
        self.stop_at(self.at(self.router), "forward", "drop")

    def make_ingress_drop(self, _rng):
        self.stop_at(self.at(self.router), "prerouting", "drop")

    def make_forward_rst(self, _rng):
        self.stop_at(self.at(self.router), "forward", "reject with tcp reset")

    def icmp_reject(self, rng, nodes, hook):
        name = rng.choice(sorted(NFT_ICMP[self.family]))
        self.detail = NFT_ICMP[self.family][name]
        kind, table = ("icmp", "ip") if self.family == "v4" else ("icmpv6", "ip6")
        self.stop_at(nodes, hook, f"reject with {kind} type {name}", table)
        return name

    def make_forward_icmp(self, rng):
        self.icmp_reject(rng, self.at(self.router), "forward")

    def make_forged_rst(self, rng):
        ttl = rng.choice((64, 128, 255))
        self.detail = str(ttl)
        ports = "" if self.stopped is None else " dport=" + ",".join(map(str, sorted(self.stopped)))
        self.nodes.setdefault(self.router.name, {})["impair"] = \
            f"rule dir=out proto=tcp{ports} flags=S : rst ttl={ttl}\n"

    def make_intercept(self, _rng):
        for node in self.at(self.router):
            self.add_nft(node, f"""
table inet relay {{
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        {self.match()} redirect to :{RELAY_PORT}
    }}
}}
""")
            self.nodes.setdefault(node, {})["service"] = [
                {"kind": "script", "port": RELAY_PORT, "name": "relay.example"}]

    def make_host_drop(self, _rng):
        self.stop_at(["client"], "output", "drop")

    def make_host_reject(self, rng):
        if rng.random() < 0.5:
            self.stop_at(["client"], "output", "reject with tcp reset")
        else:
            self.icmp_reject(rng, ["client"], "output")

    def make_server_drop(self, _rng):
        self.stop_at(["server"], "input", "drop")

    def make_server_rst(self, _rng):
        self.stop_at(["server"], "input", "reject with tcp reset")

    def make_server_icmp(self, rng):
        self.refuses = self.icmp_reject(rng, ["server"], "input") == "port-unreachable"

    def make_server_closed(self, _rng):
        pass  # draw_server leaves the listeners out

    def make_server_down(self, rng):
        self.nodes["server"] = {"ip": [f"addr flush dev to-{self.routers[-1].name}"]}
        if rng.random() < 0.7:
            last = self.nodes.setdefault(self.routers[-1].name, {})
            last["ip"] = ["neigh flush dev to-server"]
            self.detail = "unknown"

    # --- delay, loss ------------------------------------------------------------------

    def can_impair(self, router):
        """netrouter has one side towards the client."""
        return self.twin_at is None or self.routers.index(router) not in (self.twin_at, self.twin_at + 1)

    def draw_impairment(self):
        rng = self.net
        shares = (0, 1, 5, 10, 30)
        self.loss = [rng.choices(shares, (60, 10, 10, 10, 10))[0] for _ in (0, 1)]
        self.rtt = rng.choice((0, rng.uniform(1, 40), rng.uniform(1, 40), rng.uniform(40, 150)))
        self.jitter = rng.choice((0, 0, self.rtt * 0.2))
        self.dup = rng.choice((2, 5)) if rng.random() < 0.08 else 0
        self.reorder = (rng.choice((5, 10)), rng.choice((5, 20))) if rng.random() < 0.08 else None
        spots = [rng.random(), rng.random()]
        usable = [r.name for r in self.routers if self.can_impair(r) and r is not self.router]
        parts = ["", ""]
        if self.rtt:
            parts = [p + f" delay={self.rtt / 2:.2f}ms jitter={self.jitter / 2:.2f}ms" for p in parts]
        if self.dup:
            parts = [p + f" dup={self.dup}%" for p in parts]
        if self.reorder:
            parts = [p + f" reorder={self.reorder[0]}%:{self.reorder[1]}ms" for p in parts]
        losing = [f" loss={p}%" if p else "" for p in self.loss]
        self.impaired = {}
        for spot, both in ((spots[0], parts), (spots[1], losing)):
            if usable and any(both):
                node = usable[int(spot * len(usable))]
                lines = self.impaired.setdefault(node, ["", ""])
                self.impaired[node] = [one + more for one, more in zip(lines, both)]
        if not usable:
            self.rtt, self.loss, self.dup, self.reorder = 0, [0, 0], 0, None
        self.loss_at = usable[int(spots[1] * len(usable))] if usable else None
        for node, (out, back) in self.impaired.items():
            text = f"seed {self.seed * 1000003 + self.index}\n"
            text += f"link out{out}\n" if out else ""
            text += f"link in{back}\n" if back else ""
            self.nodes.setdefault(node, {})["impair"] = text

    # --- the server ---------------------------------------------------------------------

    def draw_server(self):
        """What it offers by itself: an exchanger often has 25 alone."""
        rng = self.lot
        style = rng.choices(("all", "closed", "dropped"), (65, 22, 13))[0]
        self.own = {port: "open" for port in TESTED + CONTROLS}
        if style != "all":
            self.own.update({465: style, 587: style})
        control = rng.choices(((443, 80), (443,), (80,), ()), (60, 15, 15, 10))[0]
        for port in CONTROLS:
            if port not in control:
                self.own[port] = rng.choice(("closed", "dropped"))
        if self.mechanism == "server-closed":
            for port in self.own:
                if self.stopped is None or port in self.stopped:
                    self.own[port] = "closed"
        dropped = [port for port, how in self.own.items() if how == "dropped"]
        if dropped:
            self.add_nft("server", f"""
table inet own {{
    chain input {{
        type filter hook input priority -10; policy accept;
        tcp dport {{ {', '.join(map(str, dropped))} }} drop
    }}
}}
""")
        listening = [port for port, how in self.own.items() if how == "open"]
        service = self.nodes.setdefault("server", {}).setdefault("service", [])
        smtp = [port for port in (25, 587) if port in listening]
        if smtp:
            service.append({"kind": "script", "ports": smtp})
        if 465 in listening and 465 in self.tested:
            service.append({"kind": "script", "port": 465, "tls": True})
        elif 465 in listening:
            service.append({"kind": "listener", "ports": [465]})
        others = [port for port in CONTROLS if port in listening]
        if others:
            service.append({"kind": "listener", "ports": others})

    # --- truth --------------------------------------------------------------------------

    def fate(self, port):
        if self.mechanism.startswith("server") and self.mechanism != "server-down" and self.own[port] == "dropped":
            return "server-drop"  # the server's own chain comes first
        if self.mechanism != "server-closed" and (self.stopped is None or port in self.stopped):
            return self.mechanism
        return {"open": "none", "closed": "server-closed", "dropped": "server-drop"}[self.own[port]]

    def truth(self, port):
        fate = self.fate(port)
        fates = {self.fate(other) for other in (*self.tested, *CONTROLS)}
        if fate == "server-icmp":
            states = {"refused"} if self.refuses else {"blocked"}
        else:
            states = set(STATES[fate])
        if fate != "none" and not fate.startswith("host") and fates <= set(SILENT):
            states |= {"unreachable", "blocked"}
        if fate in ("forward-icmp", "server-icmp") and fates <= {fate, *SILENT}:
            states |= {"unreachable"}  # the network says so, of every port that says anything
        if fate == "intercept" and "destination-network" in self.router.places:
            states.add("open")  # a site's own edge that ends some ports itself is no interceptor
        if fate in ON_PATH:
            return Truth(fate, states, set(self.router.places), set(self.router.ttls))
        if fate.startswith("host"):
            behind = self.server_truth() if self.own[port] != "open" else None
            return Truth(fate, states, {"host"}, {0}, behind)
        if fate == "server-down":
            return Truth(fate, states, {"destination", "destination-network"}, set())
        if fate.startswith("server"):
            return self.server_truth(fate, states)
        return Truth(fate, states, set(), set())

    def server_truth(self, fate="server-drop", states=frozenset()):
        return Truth(fate, set(states), {"destination"}, {ttl + 1 for ttl in self.routers[-1].ttls})

    # --- words ----------------------------------------------------------------------------

    @property
    def label(self):
        return f"{self.seed}:{self.index}"

    def describe(self):
        marks = {"private": "p", "cgn": "c", "isp": "", "lan": "", "tr": "", "dst": ""}
        hops = []
        for router in self.routers:
            text = router.name + (f"({marks[router.space]})" if marks[router.space] else "")
            text += "+" * len(self.twins) if self.twins and self.routers[self.twin_at] is router else ""
            text += {"none": "", "linux": "'", "second": '"'}[self.limits[router.name]]
            text += "*" if router.name in self.silent else ""
            text += "~" if router.name in self.nat_nodes else ""
            hops.append(text)
        parts = [self.family, "-".join(hops), f"{self.rtt:.0f}ms"]
        if self.jitter and self.rtt:
            parts[-1] += f"±{self.jitter:.0f}"
        if self.renews:
            parts.append(f"ttl renewed {self.renews}")
        if any(self.loss):
            parts.append(f"loss {self.loss[0]}/{self.loss[1]}%@{self.loss_at}")
        if self.dup:
            parts.append(f"dup {self.dup}%")
        if self.reorder:
            parts.append(f"reorder {self.reorder[0]}%")
        odd = [f"{port} {how}" for port, how in self.own.items()
               if how != "open" and (port in self.tested or port in CONTROLS)]
        parts += odd
        return " ".join(parts)

    def truth_text(self):
        if self.mechanism == "none":
            return "none"
        text = self.mechanism + (f"({self.detail})" if self.detail else "")
        ports = "all" if self.stopped is None else ",".join(map(str, sorted(self.stopped)))
        at = f"@{self.router.name}" if self.router else ""
        return f"{text}{at} {ports}"
