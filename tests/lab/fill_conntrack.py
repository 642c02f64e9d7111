#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills the connection tracking table of this network namespace to its last entry.

The entries are put there by netlink, as established connections that were seen in
both directions: of those the kernel gives up none when it needs room.
"""

import re
import socket
import struct

NETLINK_NETFILTER = 12
NFNL_SUBSYS_CTNETLINK = 1
IPCTNL_MSG_CT_NEW = 0
NLM_F_REQUEST, NLM_F_EXCL, NLM_F_CREATE = 1, 0x200, 0x400
NLA_F_NESTED = 0x8000
CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_STATUS, CTA_PROTOINFO, CTA_TIMEOUT = 1, 2, 3, 4, 7
CTA_TUPLE_IP, CTA_TUPLE_PROTO = 1, 2
CTA_IP_V4_SRC, CTA_IP_V4_DST = 1, 2
CTA_PROTO_NUM, CTA_PROTO_SRC_PORT, CTA_PROTO_DST_PORT = 1, 2, 3
CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE = 1, 1
TCP_CONNTRACK_ESTABLISHED = 3
IPS_SEEN_REPLY, IPS_ASSURED, IPS_CONFIRMED = 2, 4, 8
LIFE_SECONDS = 3600
FIRST_PORT, PORTS = 1024, 60000
BATCH = 500
SETTINGS = "/proc/sys/net/netfilter/nf_conntrack_"


def attribute(kind, *parts):
    data = b"".join(parts)
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def tuple_attribute(kind, source, destination, sport, dport):
    return attribute(
        kind | NLA_F_NESTED,
        attribute(CTA_TUPLE_IP | NLA_F_NESTED, attribute(CTA_IP_V4_SRC, source), attribute(CTA_IP_V4_DST, destination)),
        attribute(CTA_TUPLE_PROTO | NLA_F_NESTED, attribute(CTA_PROTO_NUM, bytes([socket.IPPROTO_TCP])),
                  attribute(CTA_PROTO_SRC_PORT, struct.pack("!H", sport)),
                  attribute(CTA_PROTO_DST_PORT, struct.pack("!H", dport))))


def entry(source, port):
    destination = b"\x7f\0\0\1"
    body = (struct.pack("BBH", socket.AF_INET, 0, 0)
            + tuple_attribute(CTA_TUPLE_ORIG, source, destination, port, 9)
            + tuple_attribute(CTA_TUPLE_REPLY, destination, source, 9, port)
            + attribute(CTA_STATUS, struct.pack("!I", IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED))
            + attribute(CTA_TIMEOUT, struct.pack("!I", LIFE_SECONDS))
            + attribute(CTA_PROTOINFO | NLA_F_NESTED, attribute(
                CTA_PROTOINFO_TCP | NLA_F_NESTED,
                attribute(CTA_PROTOINFO_TCP_STATE, bytes([TCP_CONNTRACK_ESTABLISHED])))))
    header = struct.pack("IHHII", 16 + len(body), NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW,
                         NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL, 0, 0)
    return header + body


class Entries:
    """Messages that differ in their source, an address of the loopback network, and its port."""

    def __init__(self):
        source, port = b"\xfe\xdc\xba\x98", 0xFEDC
        message = entry(source, port)
        self.parts = re.split(b"(" + source + b"|" + struct.pack("!H", port) + b")", message)
        self.kinds = [{source: "source", struct.pack("!H", port): "port"}.get(part) for part in self.parts]

    def message(self, number):
        values = {"source": struct.pack("!I", 0x7F000100 + number // PORTS),
                  "port": struct.pack("!H", FIRST_PORT + number % PORTS)}
        return b"".join([values[kind] if kind else part for part, kind in zip(self.parts, self.kinds)])


def setting(name):
    with open(SETTINGS + name, encoding="ascii") as f:
        return int(f.read())


def main():
    limit = setting("max")
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    entries, number = Entries(), 0
    while setting("count") < limit and number < 2 * limit:
        sock.send(b"".join(map(entries.message, range(number, number + BATCH))))
        number += BATCH
    if setting("count") < limit:
        raise SystemExit(f"only {setting('count')} of {limit} entries were taken")


if __name__ == "__main__":
    main()
