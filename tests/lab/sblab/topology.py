# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology file as data: nodes, links, addresses, routes."""

import collections
import ipaddress
import tomllib

NODE_KEYS = {"router", "routes", "nft", "ip", "run", "sysctl", "impair", "silent", "service",
             "private", "background", "cgroup"}
TOPOLOGY_KEYS = {"description", "base", "client", "target", "path", "link", "node"}

End = collections.namedtuple("End", "node interface")
Link = collections.namedtuple("Link", "ends addresses")  # addresses: per end, a list of A/N


class Topology:
    def __init__(self, data, origin):
        unknown = set(data) - TOPOLOGY_KEYS
        if unknown:
            raise ValueError(f"{origin}: unknown keys {sorted(unknown)}")
        self.client = data["client"]
        self.target = data["target"]
        # Routers between client and target in order, then the target: position k is TTL k + 1.
        self.path = data["path"]
        self.links = [parse_link(link, origin) for link in data["link"]]
        self.nodes = {}
        for link in self.links:
            for end in link.ends:
                self.nodes.setdefault(end.node, {})
        for name, node in data.get("node", {}).items():
            check_node(name, node, origin)
            if name not in self.nodes:
                raise ValueError(f"{origin}: node {name} has no link")
            self.nodes[name] = node
        self.addresses = self._node_addresses()

    def _node_addresses(self):
        """{node: {"v4": address, "v6": address}}, on the interface of the first link that names the node
        as its farther end (the one that faces the client), else of its first link."""
        found = {}
        for pass_over_ends in (1, 0):
            for link in self.links:
                node = link.ends[pass_over_ends].node
                if node not in found:
                    found[node] = {family_of(text): text.split("/")[0]
                                   for text in link.addresses[pass_over_ends]}
        return found

    def interfaces(self, node):
        return [end.interface for link in self.links for end in link.ends if end.node == node]

    def ttl_of(self, node):
        return 0 if node == self.client else self.path.index(node) + 1


def load(path):
    return Topology(read(path), path.name)


def read(path):
    """The data of a topology file, laid over the one that it names as its base:
    links are added, of nodes and everything else what is given replaces the base's."""
    with open(path, "rb") as f:
        own = tomllib.load(f)
    if "base" not in own:
        return own
    data = read(path.with_name(own["base"] + ".toml"))
    links, nodes = data["link"] + own.get("link", []), data["node"]
    for name, node in own.get("node", {}).items():
        nodes[name] = nodes.get(name, {}) | node
    return data | own | {"link": links, "node": nodes}


def parse_link(link, origin):
    if set(link) - {"ends", "ipv4", "ipv6"} or len(link["ends"]) != 2:
        raise ValueError(f"{origin}: bad link {link}")
    names = [text.split(":") for text in link["ends"]]
    ends = [End(name[0], name[1] if len(name) > 1 else "to-" + other[0])
            for name, other in ((names[0], names[1]), (names[1], names[0]))]
    for end in ends:
        if len(end.interface) > 15:
            raise ValueError(f"{origin}: interface name {end.interface} is longer than 15 characters")
    pairs = [link[family] for family in ("ipv4", "ipv6") if family in link]
    return Link(ends, list(zip(*pairs)) or [(), ()])


def check_node(name, node, origin):
    unknown = set(node) - NODE_KEYS
    if unknown:
        raise ValueError(f"{origin}: node {name}: unknown keys {sorted(unknown)}")


def family_of(text):
    return f"v{ipaddress.ip_interface(text).version}"
