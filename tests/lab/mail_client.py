#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail program's connections, for captures: mail_client.py ADDRESS SECONDS PORT...

One thread a port, all at once: connect, greeting, EHLO, STARTTLS where it is offered
(or TLS first on 465), EHLO again, MAIL FROM, RCPT TO, RSET, QUIT. Whatever goes wrong
ends it, at the latest after SECONDS of silence. Says nothing; the packets do.
"""

import contextlib
import socket
import ssl
import sys
import threading


def reply(stream):
    while True:
        line = stream.readline(4096)
        if not line:
            raise EOFError
        if line[3:4] != b"-":
            return line


def say(connection, line):
    connection.sendall(line.encode() + b"\r\n")


def dialogue(address, port, seconds):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # which shows the certificate to a capture
    connection = socket.create_connection((address, port), timeout=seconds)
    with contextlib.closing(connection):
        if port == 465:
            connection = context.wrap_socket(connection)
        stream = connection.makefile("rb")
        reply(stream)
        say(connection, "EHLO client.example.net")
        offers = b""
        while True:
            line = stream.readline(4096)
            if not line:
                return
            offers += line
            if line[3:4] != b"-":
                break
        if b"STARTTLS" in offers:
            say(connection, "STARTTLS")
            reply(stream)
            connection = context.wrap_socket(connection)
            stream = connection.makefile("rb")
            say(connection, "EHLO client.example.net")
            reply(stream)
        for line in ("MAIL FROM:<a@example.net>", "RCPT TO:<b@example.net>", "RSET", "QUIT"):
            say(connection, line)
            reply(stream)


def one(address, port, seconds):
    with contextlib.suppress(OSError, EOFError, ssl.SSLError):
        dialogue(address, port, seconds)


def main():
    address, seconds = sys.argv[1], float(sys.argv[2])
    threads = [threading.Thread(target=one, args=(address, int(port), seconds)) for port in sys.argv[3:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
