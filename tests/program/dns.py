#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and mail exchangers: what the DNS says, and what it leaves unsaid.

    lab exec dns-signed -- tests/program/dns.py PROGRAM UNIT-RUN-DNS

Runs in the client of a lab with a signed root, a validating resolver at the provider
and zones of every kind (tests/lab/scenarios/dns-signed.toml).
"""
import contextlib
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

PROGRAM, FACTS = (sys.argv + [None, None])[1:3]
TARGET4, TARGET6 = os.environ.get("TARGET4"), os.environ.get("TARGET6")
DNS_PORT = 53
AUTHORITY = "198.51.100.225"
NOBODY_ANSWERS = "198.51.100.77"
TIMEOUT = 2
# Its sanitizers make the program slow to begin and to end.
MARGIN = 1.0


def with_resolver(address, command):
    """The same command in a mount namespace whose resolv.conf names another resolver."""
    return ["unshare", "--mount", "sh", "-ec",
            'f=$(mktemp); [ -z "$1" ] || echo "nameserver $1" >"$f"; mount --bind "$f" /etc/resolv.conf; rm "$f"; '
            'shift; exec "$@"', "sh", address, *command]


class Mangler:
    """A resolver on this host that passes questions on, changed: as home routers do."""

    def __init__(self, upstream, change):
        self.upstream, self.change = upstream, change
        self.asked = []

    def __enter__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", DNS_PORT))
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_exc):
        self.sock.close()

    def serve(self):
        while True:
            try:
                query, client = self.sock.recvfrom(4096)
            except OSError:
                return
            threading.Thread(target=self.pass_on, args=(query, client), daemon=True).start()

    def pass_on(self, query, client):
        self.asked.append(query)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as up, contextlib.suppress(OSError):
            up.settimeout(3)
            up.sendto(self.change(query), (self.upstream, DNS_PORT))
            self.sock.sendto(up.recv(4096), client)


def without_edns(query):
    """No OPT record, so no signatures in the answer; nor the bit that forbids the resolver to check them."""
    end = 12
    while query[end]:
        end += 1 + query[end]
    flags = struct.unpack("!H", query[2:4])[0] & ~0x0010
    return query[:2] + struct.pack("!HHHHH", flags, 1, 0, 0, 0) + query[12:end + 5]


def resolver_of_the_lab():
    with open("/etc/resolv.conf", encoding="ascii") as f:
        return re.search(r"nameserver (\S+)", f.read()).group(1)


class Names(unittest.TestCase):
    def call(self, *words, resolver=None, timeout=None):
        command = [PROGRAM, "check", "--json", "-p", "25", "--no-path",
                   *(["--timeout", str(timeout)] if timeout else []), *words]
        begin = time.monotonic()
        done = subprocess.run(command if resolver is None else with_resolver(resolver, command),
                              capture_output=True, text=True, timeout=60)
        self.seconds = time.monotonic() - begin
        self.documents = [json.loads(line) for line in done.stdout.splitlines()]
        return done

    def seen(self):
        """(name, address, state) of the reports, None for an error."""
        return [(d["target"]["name"], d["target"]["address"], d["ports"][0]["state"]) if "ports" in d else None
                for d in self.documents]

    def assert_error(self, target, pattern, **how):
        """One error, and nothing else: in words and as a document."""
        done = self.call(target, **how)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertRegex(done.stderr, rf"\Asmtpblame: {re.escape(target)}: .*{pattern}.*\n\Z")
        self.assertEqual(self.seen(), [None])
        self.assertEqual(self.documents[0]["target"], {"input": target})
        self.assertRegex(self.documents[0]["error"], pattern)
        self.assertTrue(self.documents[0]["error"].isprintable())

    # --- exchangers ---

    def test_exchangers(self):
        """By preference; each with its first address of each family."""
        for target in ("@example.net", "joe@example.net", "@EXAMPLE.net."):  # whatever the case of letters
            with self.subTest(target=target):
                done = self.call(target)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(self.seen(), [("mx.example.net", TARGET4, "open"),
                                               ("mx.example.net", TARGET6, "open"),
                                               ("mx2.example.net", TARGET4, "open")])
                self.assertEqual({d["target"]["input"] for d in self.documents}, {target})

    def test_as_another_user(self):
        done = self.call("--uid", "mail", "@example.net")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(len(self.documents), 3)

    def test_one_exchanger_does_not_resolve(self):
        done = self.call("@half.example.net", TARGET4)
        self.assertEqual(done.returncode, 2)
        self.assertIn("gone.example.net cannot be resolved: no such name", done.stderr)
        self.assertEqual(self.seen(), [None, ("mx2.example.net", TARGET4, "open"), (None, TARGET4, "open")])

    def test_one_exchanger_is_none(self):
        done = self.call("@mixed.example.net")
        self.assertEqual(done.returncode, 2)
        self.assertIn("1 of its exchangers are no host names", done.stderr)
        self.assertEqual(self.seen(), [None, ("mx2.example.net", TARGET4, "open")])

    def test_one_banner_behind_several(self):
        """Two exchangers greet as one host that is neither: told of the second, and no verdict."""
        done = self.call("-p", "25", "@pair.example.net")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        notes = [" ".join(d["notes"]) for d in self.documents]
        self.assertEqual(len(notes), 2)
        self.assertNotIn("just as", notes[0])
        self.assertIn("port 25 greets as mx.example.net, just as one.pair.example.net does", notes[1])
        # one address under two names, and exchangers of which one is called like that: nothing to tell
        for target in ("@twin.example.net", "@example.net"):
            done = self.call("-p", "25", target)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("just as", json.dumps(self.documents))

    def test_no_mx(self):
        done = self.call("@implicit.example.net.")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.seen(), [("implicit.example.net", TARGET4, "open")])

    def test_unsigned(self):
        done = self.call("@unsigned.example")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_address_in_brackets(self):
        done = self.call(f"joe@[{TARGET4}]", f"@[{TARGET6}]")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.seen(), [(None, TARGET4, "open"), (None, TARGET6, "open")])

    def test_no_exchangers(self):
        self.assert_error("@null.example.net", "accepts no mail .null MX")
        self.assert_error("@nosuch.example.net", "no such domain")
        self.assert_error("@bare.example.net", "has no address")
        self.assert_error("@literal.example.net", "none of its MX records names a host")
        self.assert_error("@hostile.example.net", "none of its MX records names a host")

    def test_no_domains(self):
        self.assert_error("@", "no domain")
        self.assert_error("a@b@example.net", "more than one @")
        self.assert_error("@d\u00f6main.example", "ASCII")
        self.assert_error("@" + "x" * 64 + ".example", "resolver|no such|no answer")
        self.assert_error("@example..net", "resolver|no such|no answer")

    def test_promises_are_missed(self):
        """Without a name nobody is asked what the DNS promises, and the report says so."""
        missed = "DANE (TLSA) and MTA-STS records: an address was given, and no name"
        self.call(TARGET4)
        self.assertIn(missed, self.documents[0]["not_looked"])
        self.call("mx.example.net")
        self.assertNotIn("DANE", json.dumps(self.documents[0]["not_looked"]))

    # --- what goes wrong with names ---

    def test_bogus(self):
        self.assert_error("@bogus.example", "DNSSEC validation fails")
        self.assert_error("mx.bogus.example", "cannot be resolved: DNSSEC validation fails")

    def test_no_name(self):
        self.assert_error("nosuch.example.net", "cannot be resolved: no such name")
        self.assert_error("bare.example.net", "cannot be resolved: it has no address")

    def test_dead_resolver(self):
        """It ends in time, and says that it is the resolver: silent, refusing, or not configured."""
        for resolver in (NOBODY_ANSWERS, "127.0.0.9", ""):
            for target in ("@example.net", "mx2.example.net"):
                with self.subTest(resolver=resolver, target=target):
                    self.assert_error(target, "the resolver (does not answer|reports a failure)",
                                      resolver=resolver, timeout=TIMEOUT)
                    self.assertLess(self.seconds, TIMEOUT + MARGIN)

    def test_interrupted(self):
        command = with_resolver(NOBODY_ANSWERS, [PROGRAM, "@example.net"])
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as child:
            time.sleep(0.7)
            begin = time.monotonic()
            child.send_signal(2)
            self.assertNotEqual(child.wait(5), 0)
        self.assertLess(time.monotonic() - begin, MARGIN)

    def test_second_resolver(self):
        """One that is dead before one that works costs time, not the answer."""
        done = self.call("@unsigned.example", resolver=f"{NOBODY_ANSWERS}\nnameserver {resolver_of_the_lab()}",
                         timeout=20)
        self.assertEqual(self.seen(), [("mx.unsigned.example", TARGET4, "open")], done.stderr)

    def test_resolver_without_dnssec(self):
        """Signatures that get lost on the way take no answer away."""
        with Mangler(resolver_of_the_lab(), without_edns) as mangler:
            done = self.call("@example.net", resolver="127.0.0.1", timeout=TIMEOUT * 3)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(len(self.documents), 3)
            self.assert_error("@nosuch.example.net", "no such domain", resolver="127.0.0.1")
            # it is the resolver that fails then: whether DNSSEC is to blame cannot be told
            self.assert_error("@bogus.example", "the resolver reports a failure", resolver="127.0.0.1")
            self.assertEqual(self.facts("mx2.example.net", "example.net", "127.0.0.1"),
                             "validated=0 forged=0 incomplete=0 n_tlsa=1 tlsa_secure=0 mta_sts=1 id=20260131T120000")
        self.assertTrue(mangler.asked)

    # --- what the DNS promises ---

    def facts(self, name, domain, resolver=None, seconds=5):
        command = [FACTS, "--facts", name, "25", domain, str(seconds)]
        done = subprocess.run(command if resolver is None else with_resolver(resolver, command),
                              capture_output=True, text=True, timeout=60)
        return done.stdout.strip() or done.stderr

    def test_facts(self):
        wanted = {
            ("mx2.example.net", "half.example.net"):
                "validated=1 forged=0 incomplete=0 n_tlsa=1 tlsa_secure=1 mta_sts=0 id=",
            ("mx.example.net", "example.net"):
                "validated=1 forged=0 incomplete=0 n_tlsa=0 tlsa_secure=0 mta_sts=1 id=",
            ("mx.unsigned.example", "unsigned.example"):
                "validated=1 forged=0 incomplete=0 n_tlsa=1 tlsa_secure=0 mta_sts=0 id=",
            ("mx.bogus.example", "example.net"):
                "validated=0 forged=0 incomplete=1 n_tlsa=0 tlsa_secure=0 mta_sts=1 id=",
        }
        for (name, domain), facts in wanted.items():
            with self.subTest(name=name):
                self.assertRegex(self.facts(name, domain), "^" + re.escape(facts))

    def test_bogus_but_given(self):
        """A resolver that checks nothing passes a zone on whose signatures do not hold, as it does to every
        mail program: it is used, and not believed."""
        done = self.call("@bogus.example", resolver=AUTHORITY)
        self.assertEqual(self.seen(), [("mx.bogus.example", TARGET4, "open")], done.stderr)
        self.assertEqual(self.facts("mx.bogus.example", "example.net", AUTHORITY),
                         "validated=1 forged=1 incomplete=0 n_tlsa=1 tlsa_secure=0 mta_sts=1 id=20260131T120000")

    def test_facts_without_a_resolver(self):
        begin = time.monotonic()
        self.assertEqual(self.facts("mx.example.net", "example.net", NOBODY_ANSWERS, 1),
                         "validated=0 forged=0 incomplete=1 n_tlsa=0 tlsa_secure=0 mta_sts=0 id=")
        self.assertLess(time.monotonic() - begin, 1 + MARGIN)


if __name__ == "__main__":
    if not (PROGRAM and FACTS and TARGET4 and TARGET6):
        sys.exit(__doc__)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
