#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says that is left to a run while it talks to the network.

    lab exec way-drop-all -- tests/program/sandbox.py PROGRAM
"""
import json
import os
import pathlib
import subprocess
import sys
import time
import unittest

PROGRAM = os.path.abspath(sys.argv[1])
TARGET = os.environ["TARGET4"]
PATIENCE_SECONDS = 10.0


def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def children_of(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


class Sandbox(unittest.TestCase):
    def start(self, *options):
        run = subprocess.Popen([PROGRAM, "--json", "-t", "4", *options, TARGET],
                               stdout=subprocess.PIPE, text=True)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        return run

    def status_without_capabilities(self, run):
        """Its status once all capabilities are gone: then it talks to the network."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            status = status_of(run.pid)
            if int(status["CapPrm"], 16) == 0 and status["NoNewPrivs"] == "1":
                time.sleep(0.1)
                return status_of(run.pid)
            time.sleep(0.01)
        self.fail("it keeps its capabilities")

    def test_what_is_left(self):
        run = self.start()
        status = self.status_without_capabilities(run)
        for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            self.assertEqual(int(status[kind], 16), 0, kind)
        self.assertEqual(status["Seccomp"], "2")
        for child in children_of(run.pid):
            agent = status_of(child)
            self.assertEqual(agent["NoNewPrivs"], "1", agent["Name"])
            self.assertEqual(int(agent["CapEff"], 16) & (1 << 16), 0, "CAP_SYS_MODULE")
        report = json.loads(run.communicate()[0])
        self.assertNotIn("sandbox", " ".join(report["notes"]))

    def test_turned_off(self):
        run = self.start("--no-sandbox")
        status = self.status_without_capabilities(run)
        self.assertEqual(status["Seccomp"], "0")
        report = json.loads(run.communicate()[0])
        self.assertIn("--no-sandbox", " ".join(report["notes"]))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
