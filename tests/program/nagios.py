#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""--nagios answers as a monitoring plugin does.

    lab exec way-drop-isp2-25 -- tests/program/nagios.py PROGRAM

Runs in a lab's client: port 25 of the target is blocked by the provider, 587 is open.
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
TARGET = os.environ.get("TARGET4")
# the guidelines' form: 'label'=value[UOM];[warn];[crit];[min];[max]
VALUE = re.compile(r"'([^'=|]+)'=(-?[0-9.]+)(ms|)((?:;[0-9.]*){0,4})(?: |$)")


def plugin(*words, stdin=None):
    run = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60, input=stdin, check=False)
    return run.returncode, run.stdout.splitlines(), run.stderr


class Nagios(unittest.TestCase):
    def values(self, line):
        """The performance data of the first line, which is nothing else behind its bar."""
        self.assertEqual(line.count("|"), 1)
        data = line.split("|")[1].strip()
        found = VALUE.findall(data)
        self.assertEqual(VALUE.sub("", data), "")
        return {label: float(value) for label, value, _unit, _limits in found}

    def test_open(self):
        status, lines, err = plugin("--nagios", "-p", "587", TARGET)
        self.assertEqual((status, len(lines), err), (0, 1, ""))
        self.assertTrue(lines[0].startswith(f"SMTPBLAME OK - {TARGET}: "))
        values = self.values(lines[0])
        self.assertEqual(values[f"{TARGET} 587 open"], 1)
        self.assertGreater(values[f"{TARGET} 587 connect"], 0)

    def test_blocked(self):
        status, lines, err = plugin("--nagios", TARGET)
        self.assertEqual((status, len(lines), err), (2, 1, ""))
        self.assertRegex(lines[0], r"^SMTPBLAME CRITICAL - .*blocked.*provider")
        values = self.values(lines[0])
        self.assertEqual([values[f"{TARGET} {port} open"] for port in (25, 465, 587)], [0, 1, 1])

    def test_login(self):
        """The port is open, and the server shows no certificate to which a password could be given."""
        with tempfile.NamedTemporaryFile("w") as password:
            password.write("secret\n")
            password.flush()
            status, lines, err = plugin("--nagios", "-p", "587", "--auth", "me", "--password-file", password.name, TARGET)
        self.assertEqual((status, len(lines), err), (1, 1, ""))
        self.assertRegex(lines[0], r"^SMTPBLAME WARNING - .* is open; the login was not tried: the certificate is not trusted")

    def test_several(self):
        status, lines, err = plugin("--nagios", "-p", "25,587", TARGET, "no|such'host.invalid")
        self.assertEqual((status, err), (2, ""))
        self.assertIn("(2 of 2 are not OK)", lines[0])
        self.assertEqual(len(lines), 3)
        self.assertTrue(lines[1].startswith("CRITICAL: "))
        self.assertTrue(lines[2].startswith("UNKNOWN: no/such'host.invalid"))
        self.assertNotIn("|", lines[1] + lines[2])

    def test_many(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as targets:
            targets.write("".join(f"{TARGET}\n" for _ in range(30)))
            targets.flush()
            status, lines, err = plugin("--nagios", "-p", "587", "-f", targets.name)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(len(lines), 22)  # the answer, as many details as are told, and how many more
        self.assertEqual(lines[-1], "and 10 more")
        self.assertLess(sum(map(len, lines)), 8000)

    def test_no_run(self):
        for words, said in ((["-p", "x"], "no list of ports"), (["-i", "nosuch0"], "no such interface"),
                            (["--json"], "exclude each other")):
            for order in ([*words, "--nagios"], ["--nagios", *words]):
                status, lines, _err = plugin(*order, TARGET)
                self.assertEqual((status, len(lines)), (3, 1))
                self.assertTrue(lines[0].startswith("SMTPBLAME UNKNOWN - "))
                self.assertIn(said, lines[0])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
