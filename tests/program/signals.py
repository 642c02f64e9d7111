#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is ended in its midst leaves nothing behind.

    lab exec way-drop-all -- tests/program/signals.py PROGRAM

Runs in a lab's client, against a target that takes seconds to judge. What the
program could leave (firewall tables, routes, rules, queueing disciplines,
processes, temporary files) is compared before and after.
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
TARGET = os.environ.get("TARGET4")

COMMANDS = (
    "nft -s list ruleset", "iptables-legacy -S", "ip -4 rule", "ip -6 rule",
    "ip -4 route show table all", "ip -6 route show table main", "ip -o link",
    "tc qdisc show", "tc filter show dev eth0",
)
MIDST_SECONDS = 0.6  # the capture runs, SYNs are out, none has been answered
END_SECONDS = 2.0


def settings():
    """What stands in this namespace now."""
    return {command: subprocess.run(command.split(), capture_output=True, text=True).stdout
            for command in COMMANDS}


def processes_of_group(group):
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(stat.parent.name)
    return found


def left_of_group(group):
    """After a moment: the process beside it ends when it sees that this one has."""
    until = time.monotonic() + END_SECONDS
    while (left := processes_of_group(group)) and time.monotonic() < until:
        time.sleep(0.02)
    return left


class Signals(unittest.TestCase):
    maxDiff = None

    def end_with(self, number):
        before = settings()
        with tempfile.TemporaryDirectory() as temporary:
            child = subprocess.Popen([PROGRAM, "--json", "--timeout", "20", TARGET], process_group=0,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                     env={**os.environ, "TMPDIR": temporary})
            time.sleep(MIDST_SECONDS)
            self.assertIsNone(child.poll(), "the run was over before its midst")
            child.send_signal(number)
            out, err = child.communicate(timeout=END_SECONDS)
            self.assertIn(child.returncode, (-number, 128 + number))
            self.assertEqual((out, err), ("", ""), "half a report, or noise")
            self.assertEqual(left_of_group(child.pid), [])
            self.assertEqual(os.listdir(temporary), [])
        self.assertEqual(settings(), before)

    def test_interrupt(self):
        self.end_with(signal.SIGINT)

    def test_terminate(self):
        self.end_with(signal.SIGTERM)

    def test_hangup(self):
        self.end_with(signal.SIGHUP)

    def test_kill(self):
        """Nothing of ours runs any more: the kernel has to clean up."""
        self.end_with(signal.SIGKILL)

    def test_whole_run(self):
        before = settings()
        done = subprocess.run([PROGRAM, "-q", "-p", "25", TARGET], capture_output=True, text=True, timeout=20)
        self.assertIn(done.returncode, (1, 4), done.stderr)
        self.assertEqual(settings(), before)


if __name__ == "__main__":
    if not (PROGRAM and TARGET):
        sys.exit(__doc__)
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
