#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`watch` tells changes, and nothing else; a signal ends it with what was seen; memory stays.

    lab exec open -- tests/program/watch.py PROGRAM

Runs in a lab's client. The block is this host's own, switched on and off by nft.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
TARGET = os.environ.get("TARGET4")
BLOCK = "table inet t { chain o { type filter hook output priority 0; ip daddr %s tcp dport 25 drop; }; }"
PATIENCE = 20.0
VALIDATE = pathlib.Path(__file__).resolve().parents[1] / "unit" / "report" / "validate.py"


def nft(words):
    subprocess.run(["nft", words], check=True)


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


class Watch(unittest.TestCase):
    def setUp(self):
        self.child = None
        self.addCleanup(self.clean)

    def clean(self):
        subprocess.run(["nft", "delete table inet t"], stderr=subprocess.DEVNULL, check=False)
        if self.child and self.child.poll() is None:
            self.child.kill()
            self.child.wait()

    def watch(self, *words):
        self.child = subprocess.Popen([PROGRAM, "watch", *words, TARGET], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
        return self.child

    def line(self, port=25):
        """The next line about that port."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            d = json.loads(self.child.stdout.readline())
            if d["port"] == port:
                return d
        self.fail("no line came")

    def test_changes(self):
        child = self.watch("--json", "--interval", "0.5", "-p", "25,587")
        first = self.line()
        self.assertEqual(first["schema"], "smtpblame.change/1")
        self.assertIsNone(first["from"])
        self.assertEqual(first["to"]["state"], "open")
        nft(BLOCK % TARGET)
        second = self.line()
        self.assertEqual((second["from"]["state"], second["to"]["state"]), ("open", "blocked"))
        self.assertEqual((second["to"]["place"], second["to"]["mechanism"]), ("host", "silent-drop"))
        nft("delete table inet t")
        third = self.line()
        self.assertEqual((third["from"]["state"], third["to"]["state"]), ("blocked", "open"))
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=PATIENCE)
        ends = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([(d["schema"], d["port"]) for d in ends],
                         [("smtpblame.watched/1", 25), ("smtpblame.watched/1", 587)])
        documents = "\n".join(json.dumps(d) for d in (first, second, third, *ends))
        check = subprocess.run([sys.executable, VALIDATE], input=documents, capture_output=True, text=True, check=False)
        self.assertEqual((check.returncode, check.stdout), (0, ""))
        self.assertEqual(ends[0]["changes"], 2)
        self.assertEqual(ends[1]["changes"], 0)
        self.assertEqual(ends[1]["looks"], ends[1]["open"])
        self.assertGreaterEqual(ends[0]["looks"], 3)
        self.assertEqual((child.returncode, err), (0, ""))

    def test_count_and_memory(self):
        child = self.watch("--json", "--interval", "0.1", "--count", "60", "-p", "25", "--no-path")
        self.assertEqual(self.line()["to"]["state"], "open")
        time.sleep(1.5)
        early = resident_kb(child.pid)
        late = early
        while child.poll() is None:
            try:
                late = resident_kb(child.pid)
            except (FileNotFoundError, StopIteration):
                break
            time.sleep(0.2)
        out, _err = child.communicate(timeout=PATIENCE)
        last = json.loads(out.splitlines()[-1])
        self.assertEqual((last["schema"], last["looks"], last["changes"]), ("smtpblame.watched/1", 60, 0))
        self.assertLess(late - early, 1000, "it grows from look to look")
        self.assertEqual(child.returncode, 0)

    def test_text(self):
        nft(BLOCK % TARGET)
        child = self.watch("--interval", "0.1", "--count", "2", "-p", "25")
        out, err = child.communicate(timeout=PATIENCE)
        lines = out.splitlines()
        self.assertEqual((child.returncode, err, len(lines)), (1, "", 2))
        self.assertIn("port 25: blocked. ", lines[0])
        self.assertIn("open in 0 of 2 looks, 0 changes", lines[1])

    def test_two_ways(self):
        """Each for itself, and named."""
        child = self.watch("--interval", "0.1", "--count", "2", "-p", "25", "-s", "10.0.0.2", "-s", "127.0.0.1")
        out, _err = child.communicate(timeout=PATIENCE)
        self.assertIn(f"{TARGET} from 10.0.0.2 port 25: open for", out)
        self.assertEqual(len(out.splitlines()), 4, out)  # a first look and a summary each: no change
        child = self.watch("--json", "--count", "1", "-p", "25", "-s", "10.0.0.2", "-s", "127.0.0.1")
        out, _err = child.communicate(timeout=PATIENCE)
        self.assertEqual([json.loads(one)["target"]["way"] for one in out.splitlines()], ["10.0.0.2", "127.0.0.1"] * 2)

    def test_usage(self):
        for words, said in ((["--interval", "x"], "no number of seconds"), (["--count", "0"], "no number from 1"),
                            (["--save", "d"], "unknown option")):
            child = self.watch(*words)
            _out, err = child.communicate(timeout=PATIENCE)
            self.assertEqual(child.returncode, 2)
            self.assertIn(said, err)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
