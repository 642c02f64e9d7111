#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program does when it cannot do what it is told.

    lab exec open -- tests/program/errors.py PROGRAM

Runs in a lab's client, where $TARGET4 and $TARGET6 answer on all ports: only so
does it mean something that a wrong command sends nothing. Every packet that
leaves is counted, whatever its protocol.
"""
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
VALIDATE = HERE.parent / "unit" / "report" / "validate.py"
PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
TARGET4, TARGET6 = os.environ.get("TARGET4"), os.environ.get("TARGET6")

ETH_P_ALL = 3
PACKET_OUTGOING = 4  # what left, as a tap sees it
# setpriv words for a user without any privilege, and with just the two that are asked for.
# The environment must not tell of root's home, and the file must be readable.
NOBODY = ["setpriv", "--reuid=65534", "--clear-groups"]
UNPRIVILEGED = [*NOBODY, "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
TWO_CAPABILITIES = [*NOBODY, "--inh-caps=+net_raw,+net_admin", "--ambient-caps=+net_raw,+net_admin"]


class Tap:
    """Counts the packets that leave this namespace."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.sock.setblocking(False)

    def left(self):
        """TCP and UDP packets that left since the last call: (protocol, bytes)."""
        found = []
        while True:
            try:
                data, (_name, protocol, kind, *_rest) = self.sock.recvfrom(2048)
            except BlockingIOError:
                return found
            transport = {0x0800: data[9:10], 0x86dd: data[6:7]}.get(protocol, b"")
            if kind == PACKET_OUTGOING and transport in (b"\x06", b"\x11"):
                found.append((transport[0], data.hex()))


class Errors(unittest.TestCase):
    def setUp(self):
        self.tap = Tap()

    def tearDown(self):
        self.tap.sock.close()

    def call(self, *words, before=(), stdin="", **options):
        done = subprocess.run([*before, PROGRAM, *words], input=stdin, text=True, capture_output=True,
                              timeout=20, errors="replace", **options)
        self.said = done.stderr
        return done

    def assert_one_line(self, text):
        self.assertRegex(text, r"\Asmtpblame: [^\n]+\n\Z")

    def assert_wrong(self, *words, says=None, **options):
        """Exit status 2, one line on stderr, nothing on stdout, nothing sent."""
        self.tap.left()
        done = self.call(*words, **options)
        self.assertEqual((done.returncode, done.stdout), (2, ""), f"{words}: {done.stderr}")
        self.assert_one_line(done.stderr)
        if says:
            self.assertIn(says, done.stderr, words)
        self.assertEqual(self.tap.left(), [], words)

    def documents(self, done):
        checked = subprocess.run([VALIDATE], input=done.stdout, text=True, capture_output=True)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        return [json.loads(line) for line in done.stdout.splitlines()]

    # --- usage ---

    def test_options(self):
        wrong = [
            ((), "no target"),
            (("--no-such-option", TARGET4), "--no-such-option"),
            (("-Z", TARGET4), "-Z"),
            (("-p",), "-p"),
            (("-p", "25,x", TARGET4), "25,x"),
            (("-p", "", TARGET4), "-p"),
            (("-p", "0", TARGET4), "'0'"),
            (("-p", "65536", TARGET4), "65536"),
            (("-p", "25-", TARGET4), "25-"),
            (("-p", "25-30", TARGET4), "name each port"),
            ((f"{TARGET4}:25",), "a port is given by -p"),
            (("mx.example.net:25",), "a port is given by -p"),
            ((f"[{TARGET6}]:25",), "a port is given by -p"),
            (("read", "-q", "x.pcap"), "'-q', which is one of smtpblame check; see smtpblame read --help"),
            (("watch", "--auth=me", TARGET4), "'--auth=me', which is one of smtpblame check"),
            (("-Q", TARGET4), "unknown option '-Q'; see"),
            (("-p", "25,,465", TARGET4), "25,,465"),
            (("-p", "99999999999999999999", TARGET4), "99999999999999999999"),
            (("--control", "smtp!", TARGET4), "smtp!"),
            (("-p", "25", "--control", "25", TARGET4), "--control"),
            (("-i", "lo", "-i", "lo", TARGET4), "'lo' is given twice"),
            (("-s", "10.0.0.1", "-s", "10.0.0.1", TARGET4), "'10.0.0.1' is given twice"),
            (("watch",), "smtpblame watch mx.example.com"),
            (("-6", "198.51.100.25"), "is an IPv4 address, and -6 was given"),
            (("-4", "2001:db8::25"), "is an IPv6 address, and -4 was given"),
            (("-t", "0", TARGET4), "-t"),
            (("-t", "nan", TARGET4), "nan"),
            (("-t", "5s", TARGET4), "5s"),
            (("--max-hops", "0", TARGET4), "--max-hops"),
            (("--max-hops", "256", TARGET4), "256"),
            (("-p", "25/ssl", TARGET4), "25/ssl"),
            (("-p", "25/tls/tls", TARGET4), "25/tls/tls"),
            (("--repeat", "0", TARGET4), "--repeat"),
            (("--repeat", "1001", TARGET4), "1001"),
            (("--interval", "0", TARGET4), "--interval"),
            (("--repeat", "2", "--mail-from", "a@example.net", TARGET4), "--mail-from"),
            (("--color", "sometimes", TARGET4), "sometimes"),
            (("-s", "nonsense", TARGET4), "nonsense"),
            (("--expect-banner", "[", TARGET4), "--expect-banner"),
            (("--expect-banner", "", TARGET4), "--expect-banner"),
            (("--expect-name", "two words", TARGET4), "--expect-name"),
        ]
        for words, says in wrong:
            with self.subTest(words=words):
                self.assert_wrong(*words, says=says)

    def test_mistyped_command(self):
        done = self.call("raed", "--no-such-option")
        self.assertEqual(done.returncode, 2)
        self.assertIn("unknown command 'raed'? Did you mean `read`?", done.stderr)
        self.assertNotIn("command", self.call("check", "--no-such-option").stderr)
        self.assertNotIn("command", self.call("mail", "--no-such-option").stderr)

    def test_what_this_host_does_not_have(self):
        wrong = [
            (("-i", "nosuch0", TARGET4), "nosuch0"),
            (("-i", "an-interface-name-that-is-too-long", TARGET4), "an-interface-name-that-is-too-long"),
            (("-s", "203.0.113.77", TARGET4), "203.0.113.77"),
            (("-s", "2001:db8::77", TARGET6), "2001:db8::77"),
            (("--netns", "nosuch", TARGET4), "nosuch"),
            (("--netns", "../../etc", TARGET4), "../../etc"),
            (("--netns", "4194305", TARGET4), "4194305"),
        ]
        for words, says in wrong:
            with self.subTest(words=words):
                self.assert_wrong(*words, says=says)

    def test_files(self):
        with tempfile.TemporaryDirectory() as directory:
            long_line, two_words = pathlib.Path(directory, "long"), pathlib.Path(directory, "two")
            long_line.write_text("x" * 100000 + "\n")
            two_words.write_text(f"# targets\n\n{TARGET4} {TARGET6}\n")
            wrong = [
                (("-f", "/nonexistent/targets"), "/nonexistent/targets"),
                (("-f", directory), directory),
                (("-f", "/dev/null"), "no target"),
                (("-f", str(long_line)), "line 1"),
                (("-f", str(two_words)), "line 3"),
                (("--ca-file", "/nonexistent/ca.pem", TARGET4), "/nonexistent/ca.pem"),
                (("--ca-file", str(two_words), TARGET4), str(two_words)),
                (("-w", "/nonexistent/x.pcap", TARGET4), "/nonexistent/x.pcap"),
            ]
            for words, says in wrong:
                with self.subTest(words=words):
                    self.assert_wrong(*words, says=says)

    def test_targets_from_a_file(self):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write(f"# mail servers\n\n  {TARGET4}  # the first\r\n{TARGET6}\n")
            f.flush()
            done = self.call("--json", "-p", "25", "-f", f.name)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([d["target"]["input"] for d in self.documents(done)], [TARGET4, TARGET6])
        done = self.call("--json", "-p", "25", "-", stdin=TARGET4)
        self.assertEqual([d["target"]["input"] for d in self.documents(done)], [TARGET4])

    def test_help_needs_nothing(self):
        for word in ("--help", "--version"):
            done = self.call(word, before=UNPRIVILEGED)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("smtpblame", done.stdout)
        self.assertEqual(self.tap.left(), [])

    # --- names ---

    def test_unresolvable_name(self):
        """The others are judged, in order, and the run ends with status 2."""
        done = self.call("--json", "-q", "-p", "25", "nosuch.example.net", TARGET4) # JSON is as quiet as it gets
        self.assertEqual(done.returncode, 2)
        self.assert_one_line(done.stderr)
        self.assertIn("nosuch.example.net", done.stderr)
        error, report = self.documents(done)
        self.assertEqual((error["schema"], error["target"]), ("smtpblame.error/1", {"input": "nosuch.example.net"}))
        self.assertEqual(report["ports"][0]["state"], "open")

    def test_unresolvable_name_is_worse_than_a_block(self):
        done = self.call("-q", "-p", "24", "--control", "443", TARGET4, "nosuch.example.net")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertIn("refused", done.stdout)

    def test_no_address_of_the_family(self):
        done = self.call("--json", "-6", TARGET4)
        self.assertEqual(done.returncode, 2)
        self.assertEqual([d["schema"] for d in self.documents(done)], ["smtpblame.error/1"])
        self.assertEqual(self.tap.left(), [])

    def test_hostile_names(self):
        """What no name can be is neither looked up nor echoed as it came."""
        for name in ("\x1b]0;owned\x07\x1b[31mx", "a b", "a\nb", "x" * 5000, "", "%s%n", "\u202e.example", "[::1"):
            with self.subTest(name=name):
                done = self.call("--json", name)
                self.assertEqual(done.returncode, 2)
                self.assertEqual([d["schema"] for d in self.documents(done)], ["smtpblame.error/1"])
                for text in (done.stderr.rstrip("\n"), done.stdout.rstrip("\n")):
                    self.assertTrue(all(c.isprintable() for c in text), repr(text))
                self.assertLess(len(done.stderr), 1000)

    # --- what the machine does not let it do ---

    def test_no_privilege(self):
        for words in ((TARGET4,), ("--json", TARGET6)):
            done = self.call(*words, before=UNPRIVILEGED)
            self.assertEqual((done.returncode, done.stdout), (3, ""))
            self.assert_one_line(done.stderr)
            self.assertIn("sudo smtpblame", done.stderr)
            self.assertRegex(done.stderr, r"sudo setcap cap_net_raw,cap_net_admin\+ep /\S+/smtpblame\b")
            self.assertEqual(self.tap.left(), [])
        self.assertEqual(self.call("serve", before=UNPRIVILEGED).returncode, 3)
        self.assertIn("systemctl enable --now smtpblame", self.said)

    def test_two_capabilities_are_enough(self):
        done = self.call("--json", TARGET4, TARGET6, before=TWO_CAPABILITIES)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([port["state"] for d in self.documents(done) for port in d["ports"]], ["open"] * 6)

    def test_the_page(self):
        """Written at the end, whole; until then what was there before stays."""
        sys.path.insert(0, str(HERE.parent / "unit" / "report"))
        import page
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "page.html"
            path.write_text("older")
            self.assert_wrong("--html", str(path), "-i", "nope0", TARGET4)
            self.assertEqual(path.read_text(), "older")
            self.assert_wrong("--html", folder + "/no/page.html", TARGET4, says="--html")
            done = self.call("-q", "--html", str(path), TARGET4, "no such target")
            self.assertEqual(done.returncode, 2)
            text = path.read_text()
            self.assertEqual(page.complaints(text), [])
            self.assertIn(TARGET4, text)
            self.assertIn("no such target", text)
            self.assertIn('class="lanes"', text)

    def test_output_that_cannot_be_written(self):
        for words in (("--json", TARGET4), (TARGET4,)):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([PROGRAM, "-p", "25", *words], stdout=full, stderr=subprocess.PIPE,
                                      text=True, timeout=20)
            self.assertEqual(done.returncode, 3)
            self.assert_one_line(done.stderr)


if __name__ == "__main__":
    if not (PROGRAM and TARGET4 and TARGET6):
        sys.exit(__doc__)
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
