#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `replay` does with cases that are whole, broken, or made to harm.

    replay.py PROGRAM
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PCAPS = pathlib.Path(__file__).resolve().parents[2] / "pcaps"
PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None


class Replay(unittest.TestCase):
    def setUp(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="smtpblame-replay-"))
        self.addCleanup(shutil.rmtree, self.place)

    def call(self, *words, verb="replay"):
        return subprocess.run([PROGRAM, verb, *map(str, words)], capture_output=True, timeout=30, cwd=self.place)

    def copy(self, name="host-nft-drop"):
        return pathlib.Path(shutil.copytree(PCAPS / name, self.place / name))

    def assert_refused(self, says, *words):
        done = self.call(*words)
        self.assertEqual((done.returncode, done.stdout), (2, b""), done.stderr)
        self.assertRegex(done.stderr.decode(), r"\Asmtpblame: [^\n]+\n\Z")
        self.assertIn(says, done.stderr.decode())

    def lines(self, case):
        return (case / "facts.jsonl").read_text().splitlines()

    def write(self, case, lines):
        (case / "facts.jsonl").write_text("".join(f"{line}\n" for line in lines))

    def test_formats(self):
        case = PCAPS / "host-nft-drop"
        saved = (case / "report.json").read_bytes()
        self.assertEqual(len(self.call(case).stdout), len(saved))
        self.assertEqual(self.call("--json", case).stdout, self.call(case).stdout)
        self.assertIn(b"Port 25 is blocked on this machine", self.call("--text", case).stdout)
        self.assertEqual(len(self.call("-q", case).stdout.splitlines()), 3)
        self.assertGreater(len(self.call("-v", case).stdout), len(self.call("--text", case).stdout))

    def test_page(self):
        for verb, what, says in [("replay", "host-nft-drop", b"almost certain (99%)"),
                                 ("read", "lab-drop.pcap", b"2 SMTP connections, 1 not open")]:
            plain = self.call(PCAPS / what, verb=verb)
            paged = self.call("--html", self.place / "page.html", PCAPS / what, verb=verb)
            self.assertEqual((paged.returncode, paged.stdout), (plain.returncode, plain.stdout))
            page = (self.place / "page.html").read_bytes()
            self.assertIn(says, page)
            self.assertTrue(page.rstrip().endswith(b"</html>"))
            full = self.call("--html", "/dev/full", PCAPS / what, verb=verb)
            self.assertEqual(full.returncode, 3)
            self.assertIn(b"--html /dev/full: No space", full.stderr)
            self.assertEqual(self.call("--html", "no/page", PCAPS / what, verb=verb).returncode, 2)

    def test_usage(self):
        for words, says in [((), "no case"), (("--json", "-q", "x"), "exclude"), (("--port", "x"), "--port")]:
            self.assert_refused(says, *words)
        self.assertEqual(self.call("--help").returncode, 0)

    def test_several(self):
        done = self.call(PCAPS / "open-healthy", PCAPS / "host-nft-drop")
        self.assertEqual(done.returncode, 1)
        self.assertEqual([json.loads(line)["ports"][0]["state"] for line in done.stdout.splitlines()],
                         ["open", "blocked"])
        done = self.call(self.place / "none", PCAPS / "open-healthy")
        self.assertEqual((done.returncode, len(done.stdout.splitlines())), (2, 1))
        self.assertIn(b"none/facts.jsonl: No such file", done.stderr)

    def test_more_than_the_sandbox_can_name(self):
        self.assertEqual(self.call(*[PCAPS / "open-healthy"] * 20).returncode, 0)

    def test_files_that_are_not_there(self):
        case = self.copy()
        (case / "packets.pcap").unlink()
        self.assert_refused("packets.pcap: No such file", case)
        (case / "facts.jsonl").unlink()
        self.assert_refused("facts.jsonl: No such file", case)
        os.mkfifo(case / "facts.jsonl")
        self.assert_refused("facts.jsonl: not a regular file", case)
        self.assert_refused("Not a directory", PCAPS / "README.md")

    def test_packets_that_are_cut_off(self):
        case = self.copy()
        capture = case / "packets.pcap"
        whole = capture.read_bytes()
        capture.write_bytes(whole[:-5])
        self.assert_refused("packets.pcap: ", case)
        capture.write_bytes(whole[:24])
        self.assert_refused("it has not all the", case)
        capture.write_bytes(whole + whole[24:])
        self.assert_refused("it has more than the", case)
        capture.write_bytes(b"")
        self.assert_refused("packets.pcap: ", case)
        capture.unlink()
        os.mkfifo(capture)
        self.assert_refused("packets.pcap: not a regular file", case)

    def test_facts_that_are_wrong(self):
        case = self.copy()
        whole = self.lines(case)
        self.write(case, whole[:-1])
        self.assert_refused(f"facts.jsonl:{len(whole) - 1}: ends before", case)
        self.write(case, [whole[0].replace("case/1", "case/2"), *whole[1:]])
        self.assert_refused("facts.jsonl:1: saved as smtpblame.case/2, by version ", case)
        self.write(case, [*whole[:5], '{"t_ns":1,"fact":"of-tomorrow"}', *whole[6:]])
        self.assert_refused("facts.jsonl:6: of-tomorrow: this version knows no such fact", case)
        self.write(case, [*whole[:5], whole[5].replace('"fact"', '"more":1,"fact"'), *whole[6:]])
        self.assert_refused("facts.jsonl:6: route: 'more' is nothing", case)
        self.write(case, [*whole[:5], '{"t_ns":', *whole[6:]])
        self.assert_refused("facts.jsonl:6: not a JSON object", case)

    def test_no_line_is_without_consequence_or_harm(self):
        """Each fact in turn is left out: the program says something, and does not fall over."""
        case = self.copy("path-two-blocks")
        whole = self.lines(case)
        head = json.loads(whole[0])
        head["facts"] -= 1
        for gone in range(2, len(whole)):
            self.write(case, [json.dumps(head), *whole[1:gone], *whole[gone + 1:]])
            done = self.call(case)
            self.assertIn(done.returncode, (0, 1, 4), f"without line {gone + 1}: {done.stderr}")
            json.loads(done.stdout)

    def test_redacted(self):
        """The verdict stays, names and payload go, and the new case replays like any other."""
        for number, case in enumerate(sorted(path.parent for path in PCAPS.glob("*/facts.jsonl"))):
            new = self.place / str(number)
            done = self.call("--redact", new, case)
            old = json.loads((case / "report.json").read_bytes())
            now = json.loads(done.stdout)
            self.assertEqual([(port.get("state"), [(f["mechanism"], f["place"], f["rule"]) for f in port["findings"]])
                              for port in now["ports"]],
                             [(port.get("state"), [(f["mechanism"], f["place"], f["rule"]) for f in port["findings"]])
                              for port in old["ports"]], case)
            self.assertEqual((new / "report.json").read_bytes(), done.stdout)
            again = self.call(new)
            self.assertEqual((again.returncode, again.stdout), (done.returncode, done.stdout))
            self.assertTrue(json.loads(self.lines(new)[0])["redacted"])
            for name in ("facts.jsonl", "packets.pcap", "report.json"):
                self.assertNotIn(b"mx.example", (new / name).read_bytes(), f"{case}: {name}")
            self.assertEqual((new / "packets.pcap").stat().st_size, (case / "packets.pcap").stat().st_size)
        self.assert_refused("it has something in it already", "--redact", new, case)
        self.assert_refused("takes one case", "--redact", self.place / "x", case, case)

    def test_text_is_made_harmless(self):
        case = self.copy()
        whole = self.lines(case)
        plan = json.loads(whole[1])
        plan["hostname"] = "a\u001b[2Jb\u202ec"
        self.write(case, [whole[0], json.dumps(plan), *whole[2:]])
        for words in ((), ("-v",)):
            out = self.call(*words, case).stdout
            self.assertNotIn(b"\x1b", out)
            self.assertNotIn("\u202e".encode(), out)
        self.assertEqual(json.loads(self.call(case).stdout)["vantage"]["hostname"], "a\\x1b[2Jb\\u{202e}c")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
