# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting the userspace router (netrouter.c) into a router node.

    from the client side                               to the server side
    to-gw ──► kernel ──► tunl ──► netrouter ──► tunr ──► kernel ──► to-server
              TTL - 1             TTL + 1                TTL - 1

Packets that come in on one side are routed by policy into a TUN device, the
process delays, drops or answers them and hands them back through the other
one. The kernel forwards each packet twice and netrouter gives one TTL back, so
the node counts as one hop, and the kernel answers "time exceeded" as usual.
"""

import pathlib

from . import build, process

LEFT, RIGHT = "tunl", "tunr"
TABLE_LEFT, TABLE_RIGHT = 101, 102
RULE_PRIORITY = 1000


def binary():
    return build.program("netrouter")


def setup_commands(left_interface, right_interfaces):
    """ip(8) lines for the node: devices, and per family the policy routing into them."""
    devices = []
    for name in (LEFT, RIGHT):
        devices += [f"tuntap add dev {name} mode tun", f"link set {name} addrgenmode none",
                    f"link set {name} up"]
    routing = [f"route add default dev {LEFT} table {TABLE_LEFT}",
               f"route add default dev {RIGHT} table {TABLE_RIGHT}",
               f"rule add priority {RULE_PRIORITY} iif {left_interface} lookup {TABLE_LEFT}"]
    routing += [f"rule add priority {RULE_PRIORITY} iif {name} lookup {TABLE_RIGHT}"
                for name in right_interfaces]
    return devices, routing


def nft(left_interface):
    """A node's NAT must see a packet once: on the server's side of netrouter."""
    return f"""
table inet netrouter {{
    chain prerouting {{
        type filter hook prerouting priority -350;
        iifname {{ "{left_interface}", "{LEFT}" }} notrack
    }}
}}
"""


def start(program, config_text, directory):
    config = pathlib.Path(directory, "netrouter.conf")
    config.write_text(config_text)
    with open(pathlib.Path(directory, "netrouter.log"), "wb") as log:
        return process.start([str(program), LEFT, RIGHT, str(config)], stdout=log, stderr=log)
