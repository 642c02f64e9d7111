# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine can do: a scenario whose `requires` is not met is skipped."""

import functools
import os
import shutil
import subprocess

from . import services

# Tried in a network namespace of its own, so that nothing of this machine is touched.
TRIALS = {
    "iptables-legacy": ["iptables-legacy", "-L", "OUTPUT", "-n"],
    "ip6tables-legacy": ["ip6tables-legacy", "-L", "OUTPUT", "-n"],
    "nft": ["nft", "add", "table", "inet", "trial"],
    "nft-egress": ["nft", "add table netdev t; add chain netdev t c "
                          "{ type filter hook egress device lo priority 0; }"],
    "clsact": ["tc", "qdisc", "add", "dev", "lo", "clsact"],
    "tun": ["ip", "tuntap", "add", "dev", "trial", "mode", "tun"],
}


@functools.lru_cache(maxsize=None)
def missing(feature):
    """None if this machine has the feature, else the reason why not."""
    if feature == "postfix":
        return None if os.path.exists(services.POSTFIX_MASTER) else "Postfix is not installed"
    command = TRIALS.get(feature)
    program = command[0] if command else feature
    if not shutil.which(program):
        return f"{program} is not installed"
    if command:
        done = subprocess.run(["unshare", "--net", "--", *command], capture_output=True, text=True, timeout=10)
        if done.returncode != 0:
            return f"{feature}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'fails'}"
    return None


def needed_by(scenario):
    """Features that a scenario names, and those that follow from what it starts."""
    needed = set(scenario.requires) | {"nft"}
    for node in scenario.topology.nodes:
        if any(service["kind"] == "postfix" for service in scenario.services(node)):
            needed.add("postfix")
        if any(scenario.node_actions(node, "impair", "")):
            needed.add("tun")
    return sorted(needed)


def reason_to_skip(scenario):
    return next(filter(None, map(missing, needed_by(scenario))), None)
