# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the network do what the scenario says? A check of the lab itself, without the tool.

A plain connect() in the client's namespace, with a tap on all its interfaces, is
compared with the scenario's [wire] part:

    [wire]
    25 = "timeout, no syn"
    465 = "EHOSTUNREACH, syn, icmp 3/13 from isp1"
    587 = "connected, greets 220"
    "25 as mail" = "connected"

What the client's socket sees: connected, timeout, refused, or an errno name; then
greets TEXT, quiet, closed, reset. What its interfaces but lo see: syn, no syn,
syn-ack, rst, icmp T/C from NODE, no answer. What lo sees: lo rst, lo icmp T/C.
"""

import contextlib
import errno
import os
import pwd
import select
import socket
import struct
import time

from . import cgroup

ETH_P_ALL = 3
ETHERTYPES = {0x0800: 4, 0x86DD: 6}
PACKET_OUTGOING = 4
TH_SYN, TH_RST, TH_ACK = 2, 4, 16

DECIDED_SECONDS = 1.6   # a local ICMP reject is fatal only at the second SYN, after 1 s
CONNECT_SECONDS = 7.0   # for a claim `connected`: lossy paths need a retransmission or two
SESSION_SECONDS = 1.0
GREETING_SECONDS = 4.0  # for a claim `greets`: behind a SYN proxy it takes a retransmission


def differences(network):
    """Sentences about what differs from the scenario's [wire] part; empty if all is as it says."""
    scenario = network.scenario
    target = scenario.address(scenario.target)
    found = []
    with network.inside(network.topology.client), cgroup.entered(network.cgroup):
        for port, claims in scenario.wire.items():
            number, _as, user = port.partition(" as ")
            wanted = [claim.strip() for claim in claims.split(",")]
            greets = any(claim.startswith("greets ") for claim in wanted)
            seen = observe(target, int(number), scenario, "connected" in wanted, user,
                           GREETING_SECONDS if greets else SESSION_SECONDS)
            for claim in wanted:
                if not holds(claim, seen):
                    found.append(f"wire {port}: expected {claim!r}, seen {sorted(seen)}")
    return found


def holds(claim, seen):
    if claim.startswith("greets "):
        return any(word.startswith(claim) for word in seen)
    return claim in seen


@contextlib.contextmanager
def effective_user(name):
    """As which user sockets are made."""
    if not name:
        yield
        return
    os.seteuid(pwd.getpwnam(name).pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


def observe(target, port, scenario, patient, user="", session_seconds=SESSION_SECONDS):
    """The set of words that describe what happened."""
    with contextlib.closing(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))) as tap:
        tap.setblocking(False)
        with effective_user(user):
            words, sock = connect(target, port, CONNECT_SECONDS if patient else DECIDED_SECONDS)
        with contextlib.closing(sock):
            local_port = sock.getsockname()[1]
            if "connected" in words and "reset" not in words:
                words.add(session(sock, session_seconds))
            words |= packets(tap, local_port, port, scenario)
    if "syn" not in words:
        words.add("no syn")
    if not any(word.startswith(("syn-ack", "rst", "icmp")) for word in words):
        words.add("no answer")
    return words


def connect(target, port, patience):
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    error = sock.connect_ex((target, port))
    if error == errno.EINPROGRESS:
        ready = select.select([], [sock], [], patience)[1]
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if ready else errno.ETIMEDOUT
    if error == errno.ECONNRESET:  # SYN_SENT ends in ECONNREFUSED: this one was connected, and reset since
        return {"connected", "reset"}, sock
    names = {0: "connected", errno.ECONNREFUSED: "refused", errno.ETIMEDOUT: "timeout"}
    return {names.get(error) or errno.errorcode[error]}, sock


def session(sock, seconds):
    if not select.select([sock], [], [], seconds)[0]:
        return "quiet"
    try:
        data = sock.recv(100)
    except ConnectionResetError:
        return "reset"
    return "greets " + data.decode("latin-1") if data else "closed"


def packets(tap, local_port, port, scenario):
    words = set()
    while True:
        try:
            data, (interface, ethertype, direction, *_rest) = tap.recvfrom(2048)
        except BlockingIOError:
            return words
        if ethertype in ETHERTYPES:
            word = describe(data, ETHERTYPES[ethertype], {local_port, port}, scenario)
            if word and interface == "lo":
                words.add("lo " + word)
            elif word and (direction == PACKET_OUTGOING) == (word == "syn"):
                words.add(word)


def describe(data, version, ports, scenario):
    """A word for one packet of this connection, or None."""
    header, proto, source = ((data[0] & 15) * 4, data[9], data[12:16]) if version == 4 else (40, data[6], data[8:24])
    l4 = data[header:]
    if proto == socket.IPPROTO_TCP and set(struct.unpack("!HH", l4[:4])) == ports:
        flags = l4[13] & (TH_SYN | TH_RST | TH_ACK)
        return {TH_SYN: "syn", TH_SYN | TH_ACK: "syn-ack", TH_RST: "rst", TH_RST | TH_ACK: "rst"}.get(flags)
    if proto in (socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6):
        quoted = l4[8:]
        inner = (quoted[0] & 15) * 4 if version == 4 else 40
        if len(quoted) >= inner + 4 and set(struct.unpack("!HH", quoted[inner:inner + 4])) == ports:
            family = socket.AF_INET if version == 4 else socket.AF_INET6
            return f"icmp {l4[0]}/{l4[1]} from {owner(socket.inet_ntop(family, source), scenario)}"
    return None


def owner(address, scenario):
    """The node that has this address on any of its interfaces."""
    for link in scenario.topology.links:
        for end, addresses in zip(link.ends, link.addresses):
            if address in (text.split("/")[0] for text in addresses):
                return end.node
    return address
