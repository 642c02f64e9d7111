#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scripted server: per port, the exact bytes and moments of a bad (or good) SMTP server.

The lab starts it from a scenario's service of kind "script":

    [[node.server.service]]
    kind = "script"
    port = 25                      # or ports = [25, 587]
    tls = true                     # TLS from the first byte
    transparent = true             # for TPROXY
    steps = ["wait 3", "smtp"]     # what happens on every connection, in order

Steps:
    wait SECONDS          do nothing for a while
    send TEXT             send TEXT; its code points up to 255 are bytes (TOML's "\\u00ff" is byte ff)
    drip SECONDS TEXT     send TEXT one byte at a time, so far apart
    flood BYTES TEXT      send TEXT over and over, at most so many bytes
    line                  read one line from the client
    drain                 read and ignore until the client closes
    hang                  neither read nor write any more
    close                 close at once (also what happens after the last step)
    reset                 close with a RST
    raw                   read whatever comes next (a ClientHello, say)
    starttls              start TLS now
    smtp                  greet and hold a plain dialogue until QUIT or the end

`name`, `greeting`, `ehlo` (list of keywords) and `replies` (table: command = text) shape the dialogue,
`names` (list) are those of the machines that take turns behind one address. `on` (table: command = list
of steps) is done in place of the reply to a command, `on_tls` the same inside TLS; the dialogue goes on
after it. `certificate` is one of sblab/certificates.py.
Standalone use, for a look by hand: smtpd_script.py SERVICE.toml [CERT KEY]
"""

import asyncio
import itertools
import re
import socket
import ssl
import struct
import sys
import tomllib

MAX_LINE = 8192
MAX_COMMANDS = 100
HANG_SECONDS = 120
FLOOD_CHUNK = 4096
IP_TRANSPARENT, IPV6_TRANSPARENT = 19, 75

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, zero seconds


class Session:
    """One connection: runs the steps of its port."""

    def __init__(self, spec, certificate, reader, writer):
        self.spec = spec
        self.certificate = certificate
        self.reader = reader
        self.writer = writer
        self.name = next(spec["turns"]) if "turns" in spec else spec.get("name", "mx.example.net")
        self.encrypted = spec.get("tls", False)
        self.ended = False

    async def run(self):
        try:
            await self.follow(self.spec.get("steps", ["smtp"]))
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self.writer.close()

    async def follow(self, steps):
        for step in steps:
            word, _, rest = step.partition(" ")
            await getattr(self, "step_" + word)(rest)
            if self.ended:
                break

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def step_wait(self, rest):
        await asyncio.sleep(float(rest))

    async def step_send(self, rest):
        await self.send(rest.encode("latin-1"))

    async def step_drip(self, rest):
        pause, _, text = rest.partition(" ")
        for byte in text.encode("latin-1"):
            await self.send(bytes([byte]))
            await asyncio.sleep(float(pause))

    async def step_flood(self, rest):
        size, _, text = rest.partition(" ")
        unit = text.encode("latin-1")
        chunk = unit * max(1, FLOOD_CHUNK // len(unit))
        left = int(size)
        while left > 0:
            await self.send(chunk[:left])
            left -= len(chunk)

    async def step_line(self, _rest):
        return await self.reader.readline()

    async def step_raw(self, _rest):
        return await self.reader.read(FLOOD_CHUNK)

    async def step_drain(self, _rest):
        while await self.reader.read(FLOOD_CHUNK):
            pass

    async def step_hang(self, _rest):
        await asyncio.sleep(HANG_SECONDS)

    async def step_close(self, _rest):
        self.ended = True

    async def step_reset(self, _rest):
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.writer.transport.abort()
        self.ended = True

    async def step_starttls(self, _rest):
        loop = asyncio.get_running_loop()
        protocol = self.writer.transport.get_protocol()
        transport = await loop.start_tls(self.writer.transport, protocol, tls_context(self.certificate),
                                         server_side=True)
        # StreamWriter.start_tls exists from Python 3.11.? on only for clients; join the halves by hand.
        self.writer._transport = transport
        self.reader._transport = transport
        self.encrypted = True

    async def step_smtp(self, _rest):
        greeting = self.spec.get("greeting", f"220 {self.name} ESMTP ready")
        await self.send(greeting.encode("latin-1") + b"\r\n")
        for _ in range(MAX_COMMANDS):
            line = await self.reader.readline()
            if not line:
                return
            await self.answer(line.split()[0].upper().decode("latin-1") if line.split() else "")
            if self.ended:
                return

    async def answer(self, command):
        replies = self.spec.get("replies", {})
        steps = (self.encrypted and self.spec.get("on_tls", {}).get(command)) or self.spec.get("on", {}).get(command)
        if steps:
            await self.follow(steps)
        elif command in replies:
            await self.send(replies[command].encode("latin-1") + b"\r\n")
        elif command == "EHLO":
            keywords = self.spec.get("ehlo", ["PIPELINING", "8BITMIME", "STARTTLS"])
            shown = [k for k in keywords if not (self.encrypted and k == "STARTTLS")]
            lines = [self.name, *shown]
            text = "".join(f"250{'-' if i + 1 < len(lines) else ' '}{k}\r\n" for i, k in enumerate(lines))
            await self.send(text.encode("latin-1"))
        elif command == "STARTTLS" and not self.encrypted:
            self.writer.transport.pause_reading()  # the ClientHello is for TLS, not for the line reader
            await self.send(b"220 2.0.0 Ready to start TLS\r\n")
            await self.step_starttls("")
        elif command == "QUIT":
            await self.send(b"221 2.0.0 Bye\r\n")
            self.ended = True
        elif command == "AUTH":
            await self.send(b"535 5.7.8 Error: authentication failed\r\n")
        elif command in ("HELO", "NOOP", "RSET", "MAIL", "RCPT"):
            await self.send(b"250 2.0.0 Ok\r\n")
        else:
            await self.send(b"502 5.5.2 Error: command not recognized\r\n")


def tls_context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def listening_socket(port, transparent=False):
    """One socket for both families."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    if transparent:  # TPROXY gives it connections to others' addresses
        sock.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    sock.bind(("::", port))
    sock.listen(64)
    return sock


def is_step(text):
    return re.match(r"[a-z]+", text) and hasattr(Session, "step_" + text.split(" ")[0])


async def serve_all(ports, certificate):
    servers = []
    for port, spec in ports.items():
        async def connected(reader, writer, spec=spec):
            await Session(spec, certificate, reader, writer).run()
        servers.append(await asyncio.start_server(
            connected, sock=listening_socket(port, spec.get("transparent", False)), limit=MAX_LINE,
            ssl=tls_context(certificate) if spec.get("tls") else None))
    await asyncio.gather(*(server.serve_forever() for server in servers))


def serve(ports, certificate):
    """Serve {port: spec} until killed."""
    for spec in ports.values():
        for step in itertools.chain(spec.get("steps", []), *spec.get("on", {}).values(),
                                    *spec.get("on_tls", {}).values()):
            if not is_step(step):
                raise ValueError(f"unknown step: {step}")
        if "names" in spec:
            spec["turns"] = itertools.cycle(spec["names"])
    asyncio.run(serve_all(ports, certificate))


def main():
    if len(sys.argv) not in (2, 4):
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as f:
        service = tomllib.load(f)
    ports = service.get("ports") or [service["port"]]
    serve({port: service for port in ports}, tuple(sys.argv[2:4]) or None)


if __name__ == "__main__":
    main()
