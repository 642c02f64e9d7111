# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine can do: a scenario whose `requires` is not met is skipped."""

import functools
import os
import shutil
import subprocess

from . import build, cgroup, mtas, names, services

# Tried in a network namespace of its own, so that nothing of this machine is touched.
TRIALS = {
    "iptables-legacy": ["iptables-legacy", "-L", "OUTPUT", "-n"],
    "ip6tables-legacy": ["ip6tables-legacy", "-L", "OUTPUT", "-n"],
    "nft": ["nft", "add", "table", "inet", "trial"],
    "nft-egress": ["nft", "add table netdev t; add chain netdev t c "
                          "{ type filter hook egress device lo priority 0; }"],
    "clsact": ["tc", "qdisc", "add", "dev", "lo", "clsact"],
    "tc-flower": ["sh", "-c", "tc qdisc add dev lo clsact && "
                  "tc filter add dev lo egress protocol ip flower ip_proto tcp dst_port 25 action drop"],
    "tc-matchall": ["sh", "-c", "tc qdisc add dev lo clsact && tc filter add dev lo egress matchall action drop"],
    "tc-mirred": ["sh", "-c", "tc qdisc add dev lo clsact && tc filter add dev lo egress protocol ip u32 "
                  "match ip dport 25 0xffff action mirred egress redirect dev lo"],
    "vrf": ["ip", "link", "add", "trial", "type", "vrf", "table", "10"],
    "tproxy": ["nft", "add table inet t; add chain inet t c { type filter hook prerouting priority 0; }; "
                      "add rule inet t c tcp dport 25 tproxy to :25"],
    "xfrm": ["ip", "xfrm", "policy", "list"],
    "tun": ["ip", "tuntap", "add", "dev", "trial", "mode", "tun"],
}


# Entries of a connection tracking table: what filling it may cost in memory.
CONNTRACK_BYTES = 400
CONNTRACK_MAX = "/proc/sys/net/netfilter/nf_conntrack_max"


def cgroup_missing():
    try:
        cgroup.remove(cgroup.make(os.getpid()))
    except (OSError, TypeError) as e:
        return f"no cgroup of version 2 can be made here: {e}"
    return None


def bpfload_missing():
    try:
        build.program("bpfload")
    except (OSError, RuntimeError) as e:
        return f"bpfload can't be built: {e}"
    return None


def bpfload_fails(mode, target):
    """The kernel says itself whether it has that hook."""
    done = subprocess.run(["unshare", "--net", "--", build.program("bpfload"), mode, target, "--pass"],
                          capture_output=True, text=True, timeout=10)
    return None if done.returncode == 0 else f"{mode}: {done.stderr.strip()}"


def lsm_missing():
    name = cgroup.make(os.getpid())
    try:
        return bpfload_fails("lsm-connect", str(cgroup.root() / name))
    finally:
        cgroup.remove(name)


def too_big_to_fill():
    """The table's size is the whole machine's, and not for the lab to change: it can only be filled up."""
    try:
        with open(CONNTRACK_MAX, encoding="ascii") as f:
            entries = int(f.read())
    except OSError:
        return "no connection tracking"
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{entries} entries don't fit into this memory" if entries * CONNTRACK_BYTES > free / 4 else None


OWN_CHECKS = {
    "cgroup2": cgroup_missing,
    "bpfload": bpfload_missing,
    "bpf-lsm": lambda: cgroup_missing() or bpfload_missing() or lsm_missing(),
    "tcx": lambda: bpfload_missing() or bpfload_fails("tcx-egress", "lo"),
    "conntrack-full": too_big_to_fill,
}


@functools.lru_cache(maxsize=None)
def missing(feature):
    """None if this machine has the feature, else the reason why not."""
    if feature == "postfix":
        return None if os.path.exists(services.POSTFIX_MASTER) else "Postfix is not installed"
    if feature == "names":
        absent = [path for path in (names.KNOTD, names.KEYMGR, names.UNBOUND, "/usr/share/dns")
                  if not os.path.exists(path)]
        return f"not there: {', '.join(absent)}" if absent else None
    if feature in mtas.PROGRAMS:
        return mtas.missing(feature)
    if feature in OWN_CHECKS:
        return OWN_CHECKS[feature]()
    command = TRIALS.get(feature)
    program = command[0] if command else feature
    if not shutil.which(program):
        return f"{program} is not installed"
    if command:
        done = subprocess.run(["unshare", "--net", "--", *command], capture_output=True, text=True, timeout=10)
        if done.returncode != 0:
            return f"{feature}: {done.stderr.strip().splitlines()[0] if done.stderr.strip() else 'fails'}"
    return None


def needed_by(scenario):
    """Features that a scenario names, and those that follow from what it starts."""
    needed = set(scenario.requires) | {"nft"}
    if any(actions.get("cgroup") for actions in scenario.nodes.values()):
        needed.add("cgroup2")
    for node in scenario.topology.nodes:
        if any(service["kind"] == "postfix" for service in scenario.services(node)):
            needed.add("postfix")
        if any(service["kind"] in ("authority", "resolver") for service in scenario.services(node)):
            needed.add("names")
        needed |= {service["kind"] for service in scenario.services(node)} & {"sslsplit", *mtas.PROGRAMS}
        if any(scenario.node_actions(node, "impair", "")):
            needed.add("tun")
    return sorted(needed)


def reason_to_skip(scenario):
    return next(filter(None, map(missing, needed_by(scenario))), None)
