#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports side by side: several ways, several machines, and files that nobody can have meant.

    lab exec ways-one-provider-drops -- tests/program/compare.py PROGRAM LAB

Runs in a lab's client with two providers, of which the first drops port 25; a second client stands behind the same
gateway.
"""
import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
TARGET = os.environ.get("TARGET4")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "unit/report"))
sys.dont_write_bytecode = True
import page as page_form  # noqa: E402

VALIDATE = pathlib.Path(__file__).resolve().parents[1] / "unit/report/validate.py"
BAD = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xa8-\xae]")
MEGABYTE = 1 << 20


def namespace(node):
    """The lab's name for it."""
    own = subprocess.run(["ip", "netns", "identify"], capture_output=True, text=True, check=True).stdout.strip()
    return own.rsplit("-", 1)[0] + "-" + node


def run(*words, stdin=None):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, timeout=120, input=stdin, check=False)


def on(node, *words):
    subprocess.run(["ip", "netns", "exec", namespace(node), *words], check=True)


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keep = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.keep.name)

    @classmethod
    def tearDownClass(cls):
        cls.keep.cleanup()

    def file(self, name, content):
        path = self.folder / name
        if isinstance(content, (dict, list)):
            content = json.dumps(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def report(self, name, *words, node=None):
        done = run("--json", "-p", "25,587", *words, *(["--netns", namespace(node)] if node else []), TARGET)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return self.file(name, done.stdout)

    def compare(self, *words, status=None, stdin=None):
        """The documents of compare --json, each by the schema."""
        done = run("compare", "--json", *words, stdin=stdin)
        if status is not None:
            self.assertEqual(done.returncode, status, done.stderr)
        if done.stdout:
            valid = subprocess.run([VALIDATE], input=done.stdout, capture_output=True, check=False)
            self.assertEqual(valid.returncode, 0, valid.stdout.decode())
        return [json.loads(line) for line in done.stdout.splitlines()]

    def check_page(self, path):
        """Well formed, closed to the world."""
        text, form = path.read_text(), page_form.Page()
        form.feed(text)
        self.assertEqual(list(form.complaints(text)), [])
        self.assertIn("Side by side", text)

    def conclusions(self, document, port=25):
        return next(one for one in document["ports"] if one["port"] == port)["conclusions"]


class Machines(Case):
    """In this order: the network changes on the way."""

    def test_1_one_provider_of_two(self):
        near = self.report("near.json", "-i", "eth0")
        second = self.report("second.json", node="client2")
        other = self.report("other.json", "-i", "eth1")
        first = self.conclusions(self.compare(near, second, status=1)[0])[0]
        self.assertEqual((first["rule"], first["views"]), ("same-for-all", ["v1", "v2"]))
        self.assertIn("203.0.113.2", [one["address"] for one in first["suspects"]])
        document = self.compare(near, second, other, status=1)[0]
        first = self.conclusions(document)[0]
        self.assertEqual((first["rule"], first["views"]), ("shared-by-these", ["v1", "v2"]))
        self.assertIn(first["place"], ("isp", "transit"))
        self.assertEqual([one["rule"] for one in self.conclusions(document, 587)], ["open-everywhere"])
        text = run("compare", near, second, other)
        self.assertEqual(text.returncode, 1)
        self.assertIn(b"Port 25", text.stdout)
        page = self.folder / "page.html"
        self.assertEqual(run("compare", "--html", page, near, other).returncode, 1)
        self.check_page(page)

    def test_2_one_machine_of_two_behind_a_gateway(self):
        on("isp2", "nft", "flush", "ruleset")
        on("gw", "nft", "add table inet own; add chain inet own forward { type filter hook forward priority 0; }; "
           "add rule inet own forward ip saddr 10.0.0.3 tcp dport 25 drop")
        free = self.report("free.json", "-i", "eth0")
        held = self.report("held.json", node="client2")
        first = self.conclusions(self.compare(free, held, status=1)[0])[0]
        # it is the gateway's rule for one of them: whatever else is named would be wrong
        self.assertIn(first["rule"], ("decided-by-source", "gateway-by-client"))
        self.assertIn(first["place"], ("unknown", "gateway"))
        self.assertIn("10.0.0.1", first["cleared"])
        on("gw", "nft", "flush table inet own")
        # and open by now: by the same way, so something has changed
        later = self.report("later.json", node="client2")
        first = self.conclusions(self.compare(held, later, status=1)[0])[0]
        self.assertEqual((first["rule"], first["place"]), ("changed", "unknown"))

    def test_3_ways(self):
        on("isp2", "nft", "add table inet acl; add chain inet acl forward { type filter hook forward priority 0; }; "
           "add rule inet acl forward tcp dport 25 drop")
        done = run("--json", "-p", "25,587", "-i", "eth0", "-i", "eth1", TARGET)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([one["schema"].split("/")[0] for one in lines],
                         ["smtpblame.report", "smtpblame.report", "smtpblame.comparison"])
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.conclusions(lines[2])[0]["rule"], "by-one-way")
        # of this very run, with its options
        self.assertIn(f"`smtpblame --ticket -p 25,587 -i eth0 {TARGET}`",
                      " ".join(self.conclusions(lines[2])[0]["next"]))
        # what check prints compare takes, too, and passes over the comparison
        again = self.compare("-", status=1, stdin=done.stdout)
        self.assertEqual(len(again), 1)
        quiet = run("-q", "--no-path", "-i", "eth0", "-i", "eth1", "-p", "587", TARGET).stdout.decode().splitlines()
        self.assertEqual(quiet[:2], [f"{TARGET}%eth0 587 open", f"{TARGET}%eth1 587 open"])
        told = run("--nagios", "--no-path", "-i", "eth0", "-i", "eth1", "-p", "587", TARGET).stdout.decode()
        for name in ("eth0", "eth1"):
            self.assertIn(f"{TARGET} by {name}: Port 587 is open.", told)
            self.assertIn(f"'{TARGET} {name} 587 open'=1", told)
        text = run("--no-path", "-t", "1", "-s", "10.0.0.2", "-s", "10.9.0.2", "-p", "587", TARGET).stdout.decode()
        self.assertIn(f"{TARGET} from 10.9.0.2: ", text)
        ticket = run("--ticket", "--no-path", "-i", "eth0", "-i", "eth1", "-p", "25", TARGET).stdout
        self.assertIn(b"through eth1", ticket)
        quiet = run("-q", "--no-path", "-i", "eth0", "-i", "eth1", "-p", "25", TARGET).stdout.decode().splitlines()
        self.assertEqual(len(quiet), 3)
        self.assertRegex(quiet[2], r"^\S+ 25 differs \S+ \S+ ")
        page = self.folder / "ways.html"
        run("-q", "--no-path", "--html", page, "-i", "eth0", "-i", "eth1", "-p", "25", TARGET)
        self.check_page(page)
        # one way given twice is a slip of the pen
        done = run("--json", "-p", "587", "-i", "eth0", "-i", "eth0", TARGET)
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"eth0", done.stderr)

    def test_4_many_targets(self):
        targets = [f"198.51.100.{n}" for n in range(40, 50)]
        done = run("--no-path", "-p", "25", "-t", "1", "-i", "eth0", "-i", "eth1", *targets)
        self.assertIn(b"10 targets side by side", done.stdout)
        self.assertIn(b"20 targets judged", done.stdout)


class Input(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = run("--json", "-i", "eth1", "-p", "25,587", TARGET)
        cls.good = json.loads(done.stdout)

    def changed(self, change):
        report = copy.deepcopy(self.good)
        change(report)
        return report

    def test_bad_files(self):
        good = self.file("good.json", self.good)
        bad = {
            "empty": b"", "garbage": b"\x00\xff\x1b[2J{", "array": b"[]", "number": b"17", "cut": json.dumps(self.good)[:-40],
            "other": b'{"schema": "smtpblame.connection/1"}', "later": b'{"schema": "smtpblame.report/2"}',
            "no schema": b"{}", "deep": b"[" * 5000, "deeper": b'{"a":' * 3000,
            "long": b'{"a": "' + b"x" * (3 * MEGABYTE) + b'"}',
            "twice": b'{"schema": "smtpblame.report/1", "schema": "smtpblame.report/1"}',
            "no target": self.changed(lambda r: r["target"].pop("address")),
            "a name for an address": self.changed(lambda r: r["target"].update(address="mx.example.net")),
            "no ports": self.changed(lambda r: r.update(ports=[])),
            "port 0": self.changed(lambda r: r["ports"][0].update(port=0)),
            "port twice": self.changed(lambda r: r["ports"].append(r["ports"][0])),
            "state": self.changed(lambda r: r["ports"][0].update(state="fine")),
            "findings": self.changed(lambda r: r["ports"][0].update(findings={})),
            "many findings": self.changed(lambda r: r["ports"][0].update(findings=[{}] * 17)),
            "a finding that is none": self.changed(lambda r: r["ports"][0].update(findings=[3])),
            "path": self.changed(lambda r: r["path"].append({"ttl": 1, "address": None, "place": "isp"})),
            "ttl": self.changed(lambda r: r["path"].append({"ttl": 10 ** 30, "address": None, "place": "isp"})),
            "time": self.changed(lambda r: r.update(started="2026-13-01T00:00:00Z")),
            "zone": self.changed(lambda r: r.update(started="2026-11-01T00:00:00+01:00")),
            "vantage": self.changed(lambda r: r.update(vantage=[])),
            "confidence": self.changed(lambda r: r["ports"][0].update(state="blocked", findings=[
                {"mechanism": "silent-drop", "place": "isp", "confidence": 1.5, "culprit": {"text": ""}}])),
            "range": self.changed(lambda r: r["ports"][0].update(state="blocked", findings=[
                {"mechanism": "silent-drop", "place": "isp", "confidence": .5, "culprit": {"text": ""},
                 "hop": {"from": {"ttl": 4, "address": None}, "to": {"ttl": 3, "address": None}}}])),
        }
        for name, content in bad.items():
            with self.subTest(name):
                path = self.file("bad.json", content)
                # the others are compared all the same
                done = run("compare", "--json", good, path, good)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertTrue(done.stderr.startswith(b"smtpblame: "), done.stderr)
                self.assertEqual(done.stderr.count(b"\n"), 1)
                self.assertIsNone(BAD.search(done.stderr.replace(b"\n", b"")))
                self.assertEqual(len(json.loads(done.stdout)["views"]), 2)
        self.assertEqual(run("compare", self.folder / "nowhere.json").returncode, 2)
        self.assertEqual(run("compare").returncode, 2)
        self.assertIn(b"nothing to compare", run("compare", good).stderr)

    def test_what_came_before_counts(self):
        lines = json.dumps(self.good) + "\n" + json.dumps(self.good) + "\n" + json.dumps(self.good)[:500]
        self.assertEqual(len(self.compare(self.file("cut.jsonl", lines), status=2)), 1)

    def test_tolerant(self):
        later = self.changed(lambda r: r.update(new={"a": [1, {"b": None}]}))
        for part in (later["target"], later["vantage"], later["ports"][0], later["path"][0] if later["path"] else {}):
            part["new"] = "x"
        later["tool"]["version"] = "99.0"
        del later["vantage"]["seen_as"]
        pretty = json.dumps(later, indent=4)
        error = json.dumps({"schema": "smtpblame.error/1", "target": {"input": "x"}, "error": "no"})
        document, = self.compare(self.file("a.json", self.good), self.file("b.json", pretty + error), status=0)
        self.assertEqual([view["version"] for view in document["views"]][1], "99.0")

    def test_hostile_words(self):
        def evil(report):
            report["vantage"]["hostname"] = "\x1b[2J\u202eevil\n"
            report["vantage"]["interface"] = "$(reboot)`reboot`"
            report["target"]["input"] = "x;reboot\x07"
            report["ports"][0]["state"] = "blocked"
            report["ports"][0]["findings"] = [{
                "mechanism": "silent-drop", "place": "host", "confidence": .99, "candidates": [],
                "culprit": {"kind": "nft-rule", "text": "<script>\x9b31m\u2028" + "y" * 100000}, "hop": None}]
        one = self.file("evil.json", self.changed(evil))
        two = self.file("\x1b[31mname.json", self.good)
        page = self.folder / "evil.html"
        for words in ((), ("-v",), ("-q",), ("--json",), ("--html", page)):
            done = run("compare", *words, one, two)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIsNone(BAD.search(done.stdout.replace(b"\n", b"")), done.stdout)
            self.assertLess(len(done.stdout), 30000)
        self.check_page(page)

    def test_many(self):
        lines = []
        for i in range(200):
            report = self.changed(lambda r: None)
            report["target"] = {"input": f"t{i}", "name": None, "address": f"10.{i // 250}.{i % 250}.7", "family": "ipv4"}
            lines.append(json.dumps(report))
        path = self.file("many.jsonl", "\n".join(lines))
        done = run("compare", path, path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"200 targets side by side", done.stdout)
        self.assertLess(len(done.stdout), 2000)
        self.assertEqual(len(self.compare(path, path, status=0)), 200)
        # more reports on one target than are compared
        document, = self.compare(self.file("one.jsonl", "\n".join([json.dumps(self.good)] * 40)), status=0)
        self.assertEqual(len(document["views"]), 32)
        self.assertTrue(any("left out" in note for note in document["notes"]))

    def test_case_folder(self):
        case = self.folder / "case"
        done = run("--json", "--save", case, "-i", "eth1", "-p", "587", TARGET)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(self.compare(case, case / "report.json", status=0)), 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
