#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the captures of pcaps/ that are made by hand: make_captures.py DIR [NAME...]

One function a capture, named like the file; it says which packets are there, and when.
Everything else (sequence numbers, checksums, TTLs on arrival) follows. The same run
writes the same bytes.
"""
import pathlib
import socket
import struct
import sys

START = 1769860800  # 2026-01-31T12:00:00Z
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLIENT, SERVER, GATEWAY = "10.1.0.2", "198.51.100.25", "10.1.0.1"
ETHERNET, LINUX_SLL, ARPHRD_LOOPBACK = 1, 113, 772


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2 + len(data) % 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip4(src, dst, proto, payload, ttl, ip_id, df):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ip_id, 0x4000 if df else 0, ttl, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def tcp(src, dst, sport, dport, seq, ack, flags, window, data=b"", options=b""):
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff,
                       (20 + len(options)) // 4 << 4, flags, window, 0, 0) + options
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, 6, len(head) + len(data))
    return head[:16] + struct.pack("!H", checksum(pseudo + head + data)) + head[18:] + data


class Capture:
    def __init__(self, loopback=False):
        self.loopback = loopback
        self.packets = []

    def add(self, t, packet):
        self.packets.append((t, packet))

    def write(self, path):
        link = LINUX_SLL if self.loopback else ETHERNET
        frame = (struct.pack("!HHH8sH", 0, ARPHRD_LOOPBACK, 6, b"", 0x0800) if self.loopback
                 else b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0")
        out = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link)
        for t, packet in sorted(self.packets, key=lambda p: p[0]):
            us = round(t * 1e6)
            out += struct.pack("<IIII", START + us // 1000000, us % 1000000, len(frame) + len(packet),
                               len(frame) + len(packet)) + frame + packet
        path.write_bytes(out)


class Flow:
    """One connection as a capture shows it: c...() are the client's packets, s...() the server's.

    Every packet comes `step` seconds after the one before, unless `at` says when.
    """

    def __init__(self, capture, client=CLIENT, server=SERVER, sport=40000, dport=25, cttl=64, sttl=57,
                 at=0.0, rtt=0.02, isn=1000, sisn=900000):
        self.capture, self.client, self.server, self.sport, self.dport = capture, client, server, sport, dport
        self.cttl, self.sttl, self.t, self.rtt = cttl, sttl, at, rtt
        self.cseq, self.sseq, self.isn, self.sisn = isn, sisn, isn, sisn
        self.cid, self.sid = 7000, 0

    def when(self, at, step):
        self.t = self.t + step if at is None else at
        return self.t

    def c(self, flags, data=b"", at=None, step=0.0005, seq=None, ack=None, ttl=None, window=502, options=b""):
        seq = self.cseq if seq is None else seq
        ack = (self.sseq if flags & ACK else 0) if ack is None else ack
        segment = tcp(self.client, self.server, self.sport, self.dport, seq, ack, flags, window, data, options)
        self.cid += 1
        self.capture.add(self.when(at, step), ip4(self.client, self.server, 6, segment, ttl or self.cttl, self.cid, True))
        self.cseq = max(self.cseq, seq + len(data) + bool(flags & SYN) + bool(flags & FIN))

    def s(self, flags, data=b"", at=None, step=None, seq=None, ack=None, ttl=None, window=502, options=b"", ip_id=None,
          df=True):
        seq = self.sseq if seq is None else seq
        ack = (self.cseq if flags & ACK else 0) if ack is None else ack
        segment = tcp(self.server, self.client, self.dport, self.sport, seq, ack, flags, window, data, options)
        if ip_id is None:
            self.sid += 1
            ip_id = 0 if flags & (SYN | RST) else 3000 + self.sid
        self.capture.add(self.when(at, self.rtt if step is None else step),
                         ip4(self.server, self.client, 6, segment, ttl or self.sttl, ip_id, df))
        if not flags & RST:
            self.sseq = max(self.sseq, seq + len(data) + bool(flags & SYN) + bool(flags & FIN))

    SYN_OPTIONS = bytes.fromhex("020405b40402080a00000001000000000103030a")

    def syn(self, at=None):
        self.c(SYN, at=at, seq=self.isn, window=64240, options=self.SYN_OPTIONS)

    def syns(self, times):
        for t in times:
            self.syn(at=t)

    def synack(self, at=None, **more):
        self.s(SYN | ACK, at=at, seq=self.sisn, window=65160, options=self.SYN_OPTIONS, **more)

    def connect(self):
        self.syn(self.t)
        self.synack()
        self.c(ACK)
        return self

    def says(self, text, **more):
        self.s(PSH | ACK, text.encode("latin-1") + b"\r\n", **more)
        self.c(ACK, step=0.0001)

    def asks(self, text, **more):
        self.c(PSH | ACK, text.encode() + b"\r\n", **more)

    def greeted(self):
        self.connect().says("220 mx.example.net ESMTP", step=0.005)
        return self

    EHLO = "250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250 8BITMIME"

    def ehlo(self, reply=EHLO):
        self.greeted().asks("EHLO client.example.net")
        self.says(reply)
        return self

    def mail(self):
        self.ehlo().asks("MAIL FROM:<a@example.net>")
        self.says("250 2.1.0 Ok")
        self.asks("RCPT TO:<b@example.net>")
        return self

    def healthy(self):
        self.mail().says("250 2.1.5 Ok")
        self.asks("QUIT")
        self.says("221 2.0.0 Bye")
        self.s(FIN | ACK, step=0)
        self.c(FIN | ACK)
        self.s(ACK)
        return self

    def starttls(self):
        self.ehlo().asks("STARTTLS")
        self.says("220 2.0.0 Ready to start TLS")
        self.c(PSH | ACK, CLIENT_HELLO)
        return self


def icmp(capture, t, sender, to, quoted, kind=3, code=13, ttl=64, quoted_ttl=63):
    """An error about `quoted`, an IP packet: its header and 8 bytes, with the TTL that it had left."""
    inner = quoted[:8] + bytes([quoted_ttl]) + quoted[9:28]
    body = struct.pack("!BBHI", kind, code, 0, 0) + inner
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    capture.add(t, ip4(sender, to, 1, body, ttl, 100, False))


CLIENT_HELLO = bytes.fromhex(
    "1603010069010000650303" + "11" * 32 + "20" + "22" * 32 + "0002c02f0100001a" "00000013001100000e6d782e6578616d706c652e6e6574"
    "ff010001")
CLIENT_HELLO = CLIENT_HELLO[:3] + struct.pack("!H", len(CLIENT_HELLO) - 5) + CLIENT_HELLO[5:]


def syn_packet(c):
    return c.packets[0][1]


CASES = {}


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


def one(function):
    """A capture of one connection: function(flow)."""
    def make():
        c = Capture()
        function(Flow(c))
        return c
    CASES[function.__name__.replace("_", "-")] = make
    return function


# ---- healthy ----

@one
def open_dialogue(f):
    f.healthy()


@one
def open_reset_after_quit(f):
    f.mail().says("250 2.1.5 Ok")
    f.asks("QUIT")
    f.says("221 2.0.0 Bye")
    f.s(FIN | ACK, step=0)
    f.c(RST, ack=0)
    f.s(RST, ttl=250)


@one
def open_cut_off(f):
    f.mail()


@one
def open_unknown_user(f):
    f.mail().says("550 5.1.1 no such user")


@one
def open_natural_ttls(f):
    f.sttl = 116
    f.healthy()
    f.s(RST, ttl=244)


@case
def open_from_the_middle():
    c = Capture()
    f = Flow(c)
    f.mail().says("250 2.1.5 Ok")
    c.packets = c.packets[6:]
    return c


# ---- the client's own machine ----

@case
def host_reset():
    c = Capture(loopback=True)
    f = Flow(c, sttl=64)
    f.cseq += 1
    f.s(RST | ACK, seq=0, at=0)
    return c


@case
def host_icmp():
    c, quoted = Capture(loopback=True), Capture()
    Flow(quoted).syn()
    icmp(c, 0, CLIENT, CLIENT, syn_packet(quoted), code=3, quoted_ttl=64)
    return c


@case
def host_unreachable():
    c, quoted = Capture(loopback=True), Capture()
    Flow(quoted).syn()
    icmp(c, 3, CLIENT, CLIENT, syn_packet(quoted), code=1, quoted_ttl=64)
    return c


@one
def host_drop_in(f):
    for t in (0, 1, 3, 7):
        f.syn(at=t)
        f.synack(at=t + 0.02)


@one
def host_session(f):
    f.connect()
    for t in (0.05, 0.3, 0.7, 1.5, 3.1, 6.3):
        f.s(PSH | ACK, b"220 mx.example.net ESMTP\r\n", at=t, seq=f.sisn + 1)


# ---- the way ----

@one
def probes(f):
    for ttl in range(1, 6):
        f.c(SYN, at=0.5 * ttl, seq=f.isn, window=64240, ttl=ttl, options=f.SYN_OPTIONS)
        if ttl < 4:
            icmp(f.capture, 0.5 * ttl + 0.002, f"203.0.113.{ttl}", CLIENT, f.capture.packets[-1][1], kind=11, code=0,
                 ttl=65 - ttl, quoted_ttl=1)
    # the same port asks another address, and somebody else has a connection
    other = Flow(f.capture, server="192.0.2.200")
    other.c(SYN, at=2.6, window=64240, options=f.SYN_OPTIONS)
    Flow(f.capture, server="192.0.2.201", sport=40001, at=2.7).healthy()
    # whether the port answers at all, the prober asks from a port of its own; nobody probed the way to 587
    for sport, dport in ((40002, 25), (40003, 587)):
        Flow(f.capture, sport=sport, dport=dport).c(SYN, at=3.0, window=64240, options=f.SYN_OPTIONS)


@case
def answer_nearer():
    c = Capture()
    Flow(c, sport=40001, dport=587).healthy()
    Flow(c, sttl=63, at=0.5, rtt=0.003).healthy()
    return c


@one
def two_answers(f):
    f.connect()
    f.s(SYN | ACK, seq=555, ack=f.isn + 1, window=1024, ttl=62, step=0.01)


@one
def syn_reset_forged(f):
    f.syn()
    f.s(RST | ACK, seq=0, step=0.002, ttl=62)
    f.synack(step=0.02)


@one
def syn_reset_both(f):
    f.syn()
    f.s(RST, seq=5, step=0.01)
    f.s(RST | ACK, seq=0, step=0.0001)


@one
def syn_reset_bare(f):
    f.syn()
    f.s(RST, seq=5)


@one
def syn_reset_burst(f):
    f.syn()
    for n in range(3):
        f.s(RST | ACK, seq=0, step=0.02 if n == 0 else 0.0002, ip_id=n)


@case
def syn_reset_soon():
    c = Capture()
    Flow(c, sport=40001, dport=587, rtt=0.04).healthy()
    f = Flow(c, at=0.5)
    f.syn()
    f.s(RST | ACK, seq=0, step=0.004)
    return c


@case
def syn_reset_nearer():
    c = Capture()
    Flow(c, sport=40001, dport=587).healthy()
    f = Flow(c, at=0.5)
    f.syn()
    f.s(RST | ACK, seq=0, ttl=63, step=0.03)
    return c


@case
def syn_reset_link():
    c = Capture()
    Flow(c, server="203.0.113.9", sport=40001).healthy()
    f = Flow(c, at=0.5)
    f.syn()
    f.s(RST | ACK, seq=0, ttl=64, step=0.001)
    return c


@one
def syn_reset_unplaced(f):
    f.syn()
    f.s(RST | ACK, seq=0, ttl=64, step=0.001)


@case
def refused_alike():
    c = Capture()
    Flow(c, sport=40001, dport=587).healthy()
    f = Flow(c, at=0.5)
    f.syn()
    f.s(RST | ACK, seq=0, ttl=57)
    return c


@one
def refused(f):
    f.syn()
    f.s(RST | ACK, seq=0)


def icmp_case(name, sender, **more):
    def make():
        c = Capture()
        if more.get("alive"):
            Flow(c, sport=40001, dport=587, at=-1).healthy()
        first = len(c.packets)
        Flow(c).syn()
        icmp(c, 0.01, sender, CLIENT, c.packets[first][1], **{k: v for k, v in more.items() if k != "alive"})
        return c
    CASES[name] = make


FAR, ISP = "203.0.113.9", "100.64.0.1"
icmp_case("icmp-refused", SERVER, code=3, ttl=57, quoted_ttl=57)
icmp_case("icmp-destination", SERVER, code=13, ttl=57, quoted_ttl=57)
icmp_case("icmp-destination-unreachable", SERVER, code=1, ttl=57, quoted_ttl=57)
icmp_case("icmp-loop", FAR, kind=11, code=0, ttl=61, quoted_ttl=1)
icmp_case("icmp-placed", GATEWAY, code=13)
icmp_case("icmp", FAR, code=13, ttl=60, quoted_ttl=59)
icmp_case("icmp-alive-placed", ISP, code=1, ttl=63, quoted_ttl=62, alive=True)
icmp_case("icmp-alive", FAR, code=1, ttl=60, quoted_ttl=59, alive=True)
icmp_case("icmp-unreachable-placed", ISP, code=1, ttl=63, quoted_ttl=62)
icmp_case("icmp-unreachable", FAR, code=0, ttl=60, quoted_ttl=59)

RETRIES = (0, 1, 3, 7, 15)


@case
def silence_alive():
    c = Capture()
    Flow(c, sport=40001, dport=587, at=0.5).healthy()
    Flow(c).syns(RETRIES)
    return c


@case
def silence_everywhere():
    c = Capture()
    Flow(c, server="203.0.113.99", sport=40001, dport=587, at=0.5).healthy()
    for n in range(4):
        Flow(c, server=f"203.0.113.{n + 1}", sport=40010 + n).syns(RETRIES)
    return c


@case
def silence_all_ports():
    c = Capture()
    for port in (25, 465, 587):
        Flow(c, sport=40000 + port, dport=port).syns(RETRIES)
    return c


@one
def silence(f):
    f.syns(RETRIES)


@one
def silence_short(f):
    f.syn()


@one
def answer_lost(f):
    f.cttl, f.sttl, f.isn = 61, 60, 1000
    for t in (0, 1, 3):
        f.syn(at=t)
        f.synack(at=t + 0.02)


@one
def answer_in_vain(f):
    f.cttl, f.sttl = 57, 64
    f.syn()
    for t in (0.001, 1, 3, 7, 15):
        f.synack(at=t)


@one
def client_gave_up(f):
    f.syn()
    f.synack()
    f.c(RST, ack=0)


# ---- somebody in between ----

@one
def starttls_masked(f):
    f.ehlo("250-mx.example.net\r\n250-SIZE 10240000\r\n250 XXXXXXXA")


@one
def banner_masked(f):
    f.connect().says("220 ****************************0*2******")


@one
def ehlo_masked(f):
    f.ehlo("250-mx.example.net\r\n250-STARTTLS\r\n250 XXXXXXXXXX")


@one
def reset_then_data(f):
    f.mail()
    f.s(RST | ACK, step=0.005)
    f.says("250 2.1.5 Ok", step=0.03)


@one
def reset_seq(f):
    f.mail()
    f.s(RST)
    f.s(RST, seq=f.sseq + 1460, step=0.0001)
    f.s(RST, seq=f.sseq + 4380, step=0.0001)


@one
def reset_ack(f):
    f.mail()
    f.s(RST | ACK, step=0.021)
    f.s(RST | ACK, ack=f.cseq + 1460, step=0.0001)


@one
def reset_burst(f):
    f.mail()
    for n in range(5):
        f.s(RST | ACK, step=0.021 if n == 0 else 0.0003, ip_id=n)


@one
def reset_soon(f):
    f.rtt = 0.04
    f.mail()
    f.s(RST | ACK, step=0.003)


@one
def reset_nearer(f):
    f.mail()
    f.s(RST, ttl=254, step=0.021)


@one
def client_reset_forged(f):
    f.cttl, f.sttl = 57, 64
    f.mail()
    f.c(RST | ACK, ttl=62)


# ---- the server's word ----

@one
def rejected(f):
    f.connect().says("554 5.7.1 go away, see https://bl.example/10.1.0.2")
    f.s(FIN | ACK, step=0)
    f.c(FIN | ACK)


@one
def ehlo_rejected(f):
    f.greeted().asks("EHLO localhost")
    f.says("550 5.7.1 your name is none")


@one
def auth_rejected(f):
    f.ehlo("250-mx.example.net\r\n250 AUTH PLAIN").asks("AUTH PLAIN AGEAYg==")
    f.says("535 5.7.8 authentication failed")


@one
def mail_rejected(f):
    f.mail().says("554 5.7.1 Service unavailable; client [10.1.0.2] blocked using bl.example")


@one
def not_smtp(f):
    f.connect().says("SSH-2.0-OpenSSH_9.2p1")
    f.c(FIN | ACK)


@one
def starttls_rejected(f):
    f.ehlo().asks("STARTTLS")
    f.says("454 4.7.0 TLS not available due to local problem")
    f.asks("QUIT")
    f.says("221 2.0.0 Bye")


@one
def tls_failed(f):
    f.starttls()
    f.s(PSH | ACK, bytes.fromhex("15030300020228"))
    f.s(FIN | ACK, step=0)


@one
def tls_client(f):
    f.starttls()
    body = bytes.fromhex("0303" + "33" * 32 + "00c02f00")
    hello = b"\x02" + len(body).to_bytes(3, "big") + body
    f.s(PSH | ACK, b"\x16\x03\x03" + struct.pack("!H", len(hello)) + hello)
    f.c(PSH | ACK, bytes.fromhex("15030300020230"))
    f.c(FIN | ACK)


# ---- how it ends ----

@one
def reset_strange(f):
    f.mail()
    f.s(RST | ACK, step=0.021, df=False, ip_id=40000)


@one
def reset_greeting(f):
    f.connect()
    f.s(RST | ACK, step=0.03)


@one
def reset_tls(f):
    f.starttls()
    f.s(RST)


@one
def reset(f):
    f.greeted().asks("EHLO client.example.net")
    f.s(RST)


@one
def closed(f):
    f.connect()
    f.s(FIN | ACK, step=0.01)
    f.c(FIN | ACK)
    f.s(ACK)


@one
def mtu(f):
    f.ehlo().asks("STARTTLS")
    f.says("220 2.0.0 Ready to start TLS")
    hello = b"\x16\x03\x01\x05\xa3\x01\x00\x05\x9f\x03\x03" + b"\x44" * 1437
    for t in (0.2, 0.5, 0.9, 1.7, 3.3, 6.5):
        f.c(PSH | ACK, hello, at=t, seq=f.cseq if t == 0.2 else f.cseq - len(hello))


@one
def window(f):
    f.greeted()
    for t in (1, 2, 4, 8, 16, 40):
        f.s(ACK, window=0, at=t)
        f.c(ACK, seq=f.cseq - 1, step=0.01)


@one
def stuck(f):
    f.greeted()
    seq = f.cseq
    for t in (0.1, 0.4, 0.8, 1.6, 3.2, 6.4):
        f.c(PSH | ACK, b"EHLO client.example.net\r\n", at=t, seq=seq)


@one
def stuck_server(f):
    f.cttl, f.sttl = 57, 64
    f.connect()
    for t in (0.1, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8):
        f.s(PSH | ACK, b"220 mx.example.net ESMTP\r\n", at=t, seq=f.sisn + 1)


@one
def drip(f):
    f.connect()
    for letter in "220-do wait, please":
        f.s(PSH | ACK, letter.encode(), step=1)
        f.c(ACK, step=0.0001)
    f.c(FIN | ACK, step=1)


@one
def stall_greeting(f):
    f.connect()
    f.c(FIN | ACK, at=8)
    f.s(ACK)


@one
def stall(f):
    f.greeted().asks("EHLO client.example.net")
    f.s(ACK)
    f.c(FIN | ACK, at=9)
    f.s(ACK)


@one
def stall_tls(f):
    f.starttls()
    f.s(ACK)
    f.c(FIN | ACK, at=9)
    f.s(ACK)


# ---- not to be judged ----

@one
def one_sided(f):
    f.connect().says("220 mx.example.net ESMTP")
    f.asks("EHLO client.example.net")
    f.capture.packets = [p for p in f.capture.packets if p[1][12:16] == socket.inet_aton(CLIENT)]


@one
def client_reset(f):
    f.connect()
    f.c(RST | ACK, step=0.3)


@one
def client_left(f):
    f.connect()
    f.c(FIN | ACK, at=0.9)
    f.s(ACK)


@one
def no_beginning(f):
    f.connect()
    f.c(ACK, step=1)
    f.s(ACK)
    del f.capture.packets[:3]


@one
def cut_off(f):
    f.connect()


@one
def undecided(f):
    f.connect()
    f.t = 1
    f.isn = f.cseq = 70000
    f.sisn = f.sseq = 5
    f.healthy()


# ---- two capture points ----

def pair(name, near, far):
    """The same connection before and behind a NAT and five routers: two files."""
    def make(function, **ends):
        def run():
            c = Capture()
            function(Flow(c, **ends))
            return c
        return run
    CASES[f"pair-{name}.client"] = make(near)
    CASES[f"pair-{name}.server"] = make(far, client="203.0.113.7", sport=61000, cttl=59, sttl=64, at=0.01, rtt=0.0002)


def other_healthy(f):
    """Another connection of the same client, so that the other point is known to look at it."""
    f.sport += 1
    f.t -= 1
    f.isn = f.cseq = 222222
    f.healthy()


def syns_lost(f):
    other_healthy(Flow(f.capture))
    f.syns(RETRIES)


def other_only(f):
    f.isn = f.cseq = 222222
    f.sport, f.t = 61001, f.t - 1
    f.healthy()


def forged_greeting(f):
    f.connect().says("220 mx.example.org ESMTP", step=0.005)


def reset_by_nobody(f):
    f.greeted().asks("EHLO client.example.net")
    f.s(RST, ttl=60)


def reset_of_client(f):
    f.ehlo()
    f.asks("MAIL FROM:<a@example.net>")
    f.c(RST | ACK)


def proxied(f):
    f.isn = f.cseq = 333333
    f.sisn = f.sseq = 444444
    f.healthy()


pair("changes-nothing", Flow.healthy, Flow.healthy)
pair("syn-lost", syns_lost, other_only)
pair("answer-lost", lambda f: f.syns((0, 1, 3)), lambda f: [(f.syn(t), f.synack(t + 0.001)) for t in (0, 1, 3)])
pair("syn-reset", lambda f: (f.syn(), f.s(RST | ACK, seq=0)), lambda f: (f.syn(), f.synack()))
pair("reset", reset_by_nobody, lambda f: f.ehlo())
pair("client-reset", lambda f: (f.ehlo(), f.asks("MAIL FROM:<a@example.net>")), reset_of_client)
pair("starttls", lambda f: f.ehlo("250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250 8BITMIME"), Flow.ehlo)
pair("greeting", forged_greeting, Flow.greeted)
pair("ehlo", lambda f: f.ehlo("250-mx.example.net\r\n250-STARTTLS\r\n250 SIZE 1000"), Flow.ehlo)
pair("proxy", Flow.healthy, proxied)
pair("lost-out", CASES and stuck, Flow.greeted)
pair("lost-in", lambda f: (f.connect(), f.c(ACK, at=12)), stuck_server)


def main():
    directory = pathlib.Path(sys.argv[1])
    for name, make in CASES.items():
        if len(sys.argv) == 2 or name in sys.argv[2:]:
            make().write(directory / f"{name}.pcap")
    return 0


if __name__ == "__main__":
    sys.exit(main())
