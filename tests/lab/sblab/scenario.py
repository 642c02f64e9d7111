# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario files: loading, choosing a family, replacing names by addresses."""

import os
import pathlib
import re
import tomllib

from . import topology

HERE = pathlib.Path(__file__).resolve().parent.parent
SCENARIOS = HERE / os.environ.get("LAB_SCENARIOS", "scenarios")  # "staged": what is to come
TOPOLOGIES = HERE / "topologies"

FAMILIES = ("v4", "v6")
KEYS = {"description", "stage", "topology", "families", "requires", "args", "timeout", "text",
        "target", "name", "node", "wire", "expect"}
PORT_KEYS = {"state", "findings", "smtp", "upstream_tested", "after"}
# Staged already, for what smtpblame does not judge yet.
LATER_STAGES = {"session"}
FINDING_KEYS = {"mechanism", "place", "direction", "confidence_min", "confidence_max", "culprit", "named",
                "icmp", "blocker", "width_max", "summary", "remedy", "remedy_like"}
EXPECT_KEYS = {"exit", "elapsed_min", "elapsed_max", "stderr", "port", "truth", "inspect", "compare"}
COMPARE_KEYS = {"rule", "views", "place", "blocker"}

# The tool's own default bound on a target (contract, section 1).
DEFAULT_TIMEOUT = 8.0


class ScenarioError(ValueError):
    pass


class Scenario:
    """One scenario for one address family."""

    def __init__(self, name, data, family):
        self.name = name
        self.family = family
        data = choose_family(data, family)
        check_keys(name, data)
        self.description = data.get("description", "")
        self.stage = data.get("stage", "core")
        self.check_named = False  # inspect, `named` and remedies are checked by `lab run` alone
        self.requires = data.get("requires", [])
        self.topology = topology.load(TOPOLOGIES / f"{data.get('topology', 'home')}.toml")
        self.args = data.get("args", [])
        self.words = {}  # further {words} to replace: what the running network knows
        self.timeout_given = "timeout" in data
        self.timeout = float(data.get("timeout", DEFAULT_TIMEOUT))
        self.also_text = data.get("text", False)
        self.nodes = data.get("node", {})
        self.wire = data.get("wire", {})
        self.expect = data.get("expect", {})
        self.target = data.get("target", self.topology.target)
        self.target_name = data.get("name")
        for node, actions in self.nodes.items():
            topology.check_node(node, actions, name)
            if node not in self.topology.nodes:
                raise ScenarioError(f"{name}: no node {node} in the topology")

    @property
    def label(self):
        return f"{self.name} ({self.family})"

    def address(self, node, family=None):
        return self.topology.addresses[node][family or self.family]

    def target_words(self):
        """How the tool is told its target: the address, or the scenario's name for it in this family."""
        return ["-" + self.family[1], self.target_name] if self.target_name else [self.address(self.target)]

    def node_actions(self, node, key, default):
        """What the scenario, and what the topology says of `key` at `node`."""
        return (self.topology.nodes[node].get(key, default),
                self.nodes.get(node, {}).get(key, default))

    def services(self, node):
        """The scenario's services of a node replace the topology's."""
        ours = self.nodes.get(node, {})
        return (ours if "service" in ours else self.topology.nodes[node]).get("service", [])

    def fill(self, text):
        """Replace {node}, {node4}, {node6}, {target}, {target4}, {target6}, {F} (-4 or -6), and what `words` holds."""
        def value(match):
            name, digit = match.group(1), match.group(2)
            if name == "F" and not digit:
                return "-" + self.family[1]
            if match.group(0)[1:-1] in self.words:
                return self.words[match.group(0)[1:-1]]
            node = self.target if name == "target" else name
            if node not in self.topology.addresses:
                return match.group(0)
            return self.address(node, f"v{digit}" if digit else None)
        return re.sub(r"\{([A-Za-z][a-z0-9]*?)([46]?)\}", value, text)

    def nft_defines(self):
        """Every node's addresses as nft variables: $server4, $server6, ..."""
        return "".join(f"define {node}{family[1]} = {address}\n"
                       for node, per_family in self.topology.addresses.items()
                       for family, address in per_family.items())


def choose_family(value, family):
    """Replace every table that has only the keys v4 and v6 by this family's value."""
    if isinstance(value, dict):
        if value and set(value) <= set(FAMILIES):
            return choose_family(value.get(family), family)
        chosen = {key: choose_family(inner, family) for key, inner in value.items()}
        return {key: inner for key, inner in chosen.items() if inner is not None}
    if isinstance(value, list):
        chosen = [choose_family(inner, family) for inner in value]
        return [inner for inner in chosen if inner is not None]
    return value


def check_keys(name, data):
    def known(what, table, keys):
        unknown = set(table) - keys
        if unknown:
            raise ScenarioError(f"{name}: unknown keys in {what}: {sorted(unknown)}")
    known("scenario", data, KEYS)
    expect = data.get("expect", {})
    known("expect", expect, EXPECT_KEYS)
    for port, wanted in expect.get("port", {}).items():
        if not (port.isdigit() or port == "others"):
            raise ScenarioError(f"{name}: expect.port.{port}: neither a number nor `others`")
        check_port_keys(known, f"expect.port.{port}", wanted)
    for port, wanted in expect.get("compare", {}).items():
        known(f"expect.compare.{port}", wanted, COMPARE_KEYS)


def check_port_keys(known, where, wanted):
    known(where, wanted, PORT_KEYS)
    for finding in wanted.get("findings", []):
        known(f"{where}.findings", finding, FINDING_KEYS)
    if "after" in wanted:
        check_port_keys(known, f"{where}.after", wanted["after"])


def names():
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def load(name, families=FAMILIES):
    """The scenario `name` once for each of its families that is asked for."""
    path = SCENARIOS / f"{name}.toml"
    if not path.exists():
        raise ScenarioError(f"no scenario {name} (see `lab list`)")
    with open(path, "rb") as f:
        try:
            data = tomllib.load(f)
        except tomllib.TOMLDecodeError as e:
            raise ScenarioError(f"{path.name}: {e}") from e
    wanted = data.get("families", ["v4"])
    return [Scenario(name, data, family) for family in wanted if family in families]
