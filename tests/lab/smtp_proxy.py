#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A transparent SMTP proxy: takes connections that a router redirects (REDIRECT or TPROXY), makes one of
its own to where the client wanted to go, and alters what passes.

The lab starts it from a scenario's service of kind "proxy":

    [[node.isp1.service]]
    kind = "proxy"
    port = 2525                    # or ports = [2525, 4465]
    transparent = true             # for TPROXY, else REDIRECT
    tls = true                     # TLS from the first byte on both sides (465); needs `resign`
    greeting = "220 relay ready"   # in place of the server's
    alter = ["strip"]              # any of those below
    certificate = "re-avast"       # for `resign`; one of sblab/certificates.py
    replies = { EHLO = "550 no" }  # answers these commands itself
    on = { MAIL = "reset" }        # "reset", or "stall": says no more, on either side

Alterations (none: only bytes are passed on):
    strip      STARTTLS vanishes from the reply to EHLO
    x-out      it becomes XXXXXXXA there, as a PIX's "fixup" writes it; the command does not get through
    stars      the greeting becomes asterisks, as a PIX writes it
    resign     TLS ends here, with the certificate given, and begins anew towards the server
"""

import asyncio
import re
import socket
import ssl
import struct

import smtpd_script

CHUNK = 65536
LINE_LIMIT = 8192
MAX_REPLY_LINES = 100
HANG_SECONDS = 120
SO_ORIGINAL_DST = 80  # of SOL_IP and, for IPv6, of IPPROTO_IPV6
PASSED_BY_FIXUP = {"HELO", "EHLO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT", "AUTH"}


class Ended(Exception):
    """This session is over."""


class Side:
    """One of the two connections."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def line(self):
        line = await self.reader.readline()
        if not line:
            raise Ended
        return line

    async def reply(self):
        """A whole reply, as a list of lines."""
        lines = []
        while len(lines) < MAX_REPLY_LINES:
            lines.append(await self.line())
            if lines[-1][3:4] != b"-":
                return lines
        raise Ended

    async def start_tls(self, context, server_side):
        loop = asyncio.get_running_loop()
        protocol = self.writer.transport.get_protocol()
        transport = await loop.start_tls(self.writer.transport, protocol, context, server_side=server_side)
        self.writer._transport = transport  # as smtpd_script does
        self.reader._transport = transport

    def reset(self):
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, smtpd_script.RESET_ON_CLOSE)
        self.writer.transport.abort()


class Relay:
    """One client's session."""

    def __init__(self, spec, certificate, client):
        self.spec = spec
        self.alter = set(spec.get("alter", []))
        self.certificate = certificate
        self.client = client
        self.server = None

    async def run(self):
        try:
            host, port = original_destination(self.client.writer.get_extra_info("socket"),
                                              self.spec.get("transparent", False))
            self.server = Side(*await asyncio.open_connection(
                host, port, limit=LINE_LIMIT, ssl=trusting_context() if self.spec.get("tls") else None))
            if self.alter or {"greeting", "replies", "on"} & set(self.spec):
                await self.dialogue()
            else:
                await self.pass_on()
        except ConnectionError:
            self.client.reset()
        except (Ended, ssl.SSLError, OSError, asyncio.LimitOverrunError, ValueError):
            pass
        finally:
            for side in (self.client, self.server):
                if side:
                    side.writer.close()

    async def dialogue(self):
        await self.client.send(self.greeting(await self.server.reply()))
        while True:
            line = await self.client.line()
            await self.command(line, line.split()[0].upper().decode("latin-1") if line.split() else "")

    def greeting(self, lines):
        if "greeting" in self.spec:
            return self.spec["greeting"].encode("latin-1") + b"\r\n"
        if "stars" in self.alter:
            return b"".join(line[:4] + re.sub(rb"[^20 \r\n]", b"*", line[4:]) for line in lines)
        return b"".join(lines)

    async def command(self, line, word):
        if word in self.spec.get("on", {}):
            await self.stop_at(self.spec["on"][word])
        if word in self.spec.get("replies", {}):
            await self.client.send(self.spec["replies"][word].encode("latin-1") + b"\r\n")
            return
        if "x-out" in self.alter and word not in PASSED_BY_FIXUP:
            line = b"X" * len(word) + b"\r\n"
        await self.server.send(line)
        lines = await self.server.reply()
        if word == "STARTTLS" and lines[0].startswith(b"220"):
            await self.begin_tls(lines)
            return
        await self.client.send(b"".join(self.keywords(lines) if word == "EHLO" else lines))
        if word == "QUIT":
            raise Ended

    def keywords(self, lines):
        if "strip" in self.alter and len(lines) > 1:
            lines = [line for line in lines if line[4:].strip().upper() != b"STARTTLS"]
            lines[-1] = lines[-1][:3] + b" " + lines[-1][4:]
        if "x-out" in self.alter:
            lines = [re.sub(rb"^(250[- ])STARTTLS", rb"\1XXXXXXXA", line) for line in lines]
        return lines

    async def stop_at(self, how):
        if how == "reset":
            self.client.reset()
            self.server.reset()
        else:
            await asyncio.sleep(HANG_SECONDS)
        raise Ended

    async def begin_tls(self, lines):
        if "resign" not in self.alter:
            await self.client.send(b"".join(lines))
            await self.pass_on()
            raise Ended
        await self.server.start_tls(trusting_context(), server_side=False)
        self.client.writer.transport.pause_reading()  # the ClientHello is for TLS, not for the line reader
        await self.client.send(b"".join(lines))
        await self.client.start_tls(smtpd_script.tls_context(self.certificate), server_side=True)

    async def pass_on(self):
        await asyncio.gather(pump(self.client, self.server), pump(self.server, self.client))


async def pump(source, sink):
    try:
        while data := await source.reader.read(CHUNK):
            await sink.send(data)
        sink.writer.write_eof()
    except ConnectionError:
        sink.reset()


def trusting_context():
    """An interceptor of this kind looks at no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def original_destination(sock, transparent):
    if transparent:
        return sock.getsockname()[:2]
    if sock.family == socket.AF_INET:
        port, address = struct.unpack("!2xH4s8x", sock.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16))
    else:
        port, address = struct.unpack("!2xH4x16s4x", sock.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28))
    return socket.inet_ntop(sock.family, address), port


def listening_socket(family, port, transparent):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if transparent and family == socket.AF_INET:
        sock.setsockopt(socket.SOL_IP, smtpd_script.IP_TRANSPARENT, 1)
    elif transparent:
        sock.setsockopt(socket.IPPROTO_IPV6, smtpd_script.IPV6_TRANSPARENT, 1)
    sock.bind(("", port))
    sock.listen(64)
    return sock


async def serve_all(ports, spec, certificate):
    async def connected(reader, writer):
        await Relay(spec, certificate, Side(reader, writer)).run()
    servers = [await asyncio.start_server(
        connected, sock=listening_socket(family, port, spec.get("transparent", False)), limit=LINE_LIMIT,
        ssl=smtpd_script.tls_context(certificate) if spec.get("tls") else None)
        for port in ports for family in (socket.AF_INET, socket.AF_INET6)]
    await asyncio.gather(*(server.serve_forever() for server in servers))


def serve(ports, spec, certificate):
    """Serve until killed."""
    unknown = set(spec.get("alter", [])) - {"strip", "x-out", "stars", "resign"}
    if unknown:
        raise ValueError(f"unknown alterations: {sorted(unknown)}")
    asyncio.run(serve_all(ports, spec, certificate))
