#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a small AS database in MaxMind's DB format (specification 2.0).

    make_mmdb.py OUT.mmdb < LINES      each line: PREFIX ASN ORGANISATION...

IPv4 prefixes stand at ::/96, as in the databases that people install.
"""

import ipaddress
import sys

RECORD_BITS = 32


class U16(int):
    """An integer that the format wants as uint16 (plain ones become uint32)."""


class U64(int):
    """... as uint64."""


def control(kind, size):
    """Control byte of a field of type `kind` with `size` (< 285)."""
    extra = bytes([kind - 7]) if kind > 7 else b""
    first = 0 if kind > 7 else kind << 5
    if size < 29:
        return bytes([first | size]) + extra
    return bytes([first | 29]) + extra + bytes([size - 29])


def encode(value):
    if isinstance(value, str):
        raw = value.encode()
        return control(2, len(raw)) + raw
    if isinstance(value, dict):
        return control(7, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, list):
        return control(11, len(value)) + b"".join(encode(v) for v in value)
    kind = {U16: 5, U64: 9}.get(type(value), 6)
    raw = int(value).to_bytes(8, "big").lstrip(b"\0")
    return control(kind, len(raw)) + raw


def bits_of(prefix):
    net = ipaddress.ip_network(prefix)
    if net.version == 4:
        return int(net.network_address), 96 + net.prefixlen
    return int(net.network_address), net.prefixlen


def build(entries):
    tree, data, where = [[None, None]], b"", {}
    for prefix, asn, name in sorted(entries, key=lambda e: bits_of(e[0])[1]):
        record = encode({"autonomous_system_number": asn, "autonomous_system_organization": name})
        if record not in where:
            where[record] = len(data)
            data += record
        address, length = bits_of(prefix)
        node = 0
        for depth in range(length):
            bit = address >> (127 - depth) & 1
            if depth == length - 1:
                tree[node][bit] = ("data", where[record])
                break
            child = tree[node][bit]
            if not isinstance(child, int):
                tree.append([child, child])
                child = tree[node][bit] = len(tree) - 1
            node = child
    return tree, data


def number(record, nodes):
    if record is None:
        return nodes
    return record if isinstance(record, int) else nodes + 16 + record[1]


def main():
    entries = []
    for line in sys.stdin:
        words = line.split("#")[0].split(None, 2)
        if words:
            entries.append((words[0], int(words[1]), words[2].strip() if len(words) > 2 else ""))
    tree, data = build(entries)
    nodes = len(tree)
    search = b"".join(number(r, nodes).to_bytes(RECORD_BITS // 8, "big") for node in tree for r in node)
    metadata = encode({
        "binary_format_major_version": U16(2), "binary_format_minor_version": U16(0),
        "build_epoch": U64(1700000000),
        "database_type": "GeoLite2-ASN", "description": {"en": "smtpblame tests"}, "ip_version": U16(6),
        "languages": ["en"], "node_count": nodes, "record_size": U16(RECORD_BITS)})
    with open(sys.argv[1], "wb") as out:
        out.write(search + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + metadata)


if __name__ == "__main__":
    main()
