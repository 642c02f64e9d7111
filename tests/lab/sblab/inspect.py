# SPDX-License-Identifier: GPL-3.0-or-later
"""Does `smtpblame inspect` say beforehand what the check finds, and send nothing?"""

import contextlib
import socket

from . import expect

ETH_P_ALL = 3
TRANSPORTS = {0x0800: (9, {6, 17}), 0x86DD: (6, {6, 17})}
PACKET_OUTGOING = 4


@contextlib.contextmanager
def tap(network):
    """A list that holds, in the end, the client's TCP and UDP packets that left meanwhile (lo counts)."""
    left = []
    with network.inside(network.topology.client):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    with contextlib.closing(sock):
        sock.setblocking(False)
        yield left
        while True:
            try:
                data, (interface, ethertype, direction, *_rest) = sock.recvfrom(2048)
            except BlockingIOError:
                return
            offset, protocols = TRANSPORTS.get(ethertype, (0, ()))
            if direction == PACKET_OUTGOING and data[offset] in protocols:
                left.append(f"{interface}: {data[:60].hex()}")


def check(network, call_tool):
    """Sentences about what differs from the scenario's `inspect`. call_tool(name): as in remedy.check()."""
    wanted = dict(network.scenario.expect.get("inspect", {}))
    if not wanted:
        return []
    with tap(network) as left:
        status, _seconds, documents, found = call_tool("inspect")
    found = [f"inspect: {text}" for text in found]
    found += [f"inspect sent a packet: {packet}" for packet in left[:3]]
    if len(documents) != 1:
        return found + [f"inspect: documents: expected 1, got {len(documents)}"]
    others = wanted.pop("others", None)
    ports = {str(port["port"]): port for port in documents[0].get("ports", [])}
    found += [f"inspect: port {port}: not in the document" for port in wanted if port not in ports]
    for number, port in ports.items():
        want = wanted.get(number, others)
        if want and port.get("would") not in expect.as_list(want):
            found.append(f"inspect: port {number}: expected {want}, got {port.get('would')}")
    due = due_status([port.get("would") for port in ports.values()])
    if status != due:
        found.append(f"inspect: exit status {status}, but what it says makes {due}")
    return found


def due_status(would):
    if "stop" in would or "redirect" in would:
        return 1
    return 4 if "unknown" in would else 0
