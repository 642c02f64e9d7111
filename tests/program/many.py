#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many targets in one call: what is said of each, what of all, and what an interruption leaves.

    lab exec many-targets -- tests/program/many.py PROGRAM

The truth is that of the scenario's file: port 25 to 198.18.0.0/25 stops at isp2, hop 3.
"""
import collections
import ipaddress
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
VALIDATE = pathlib.Path(__file__).resolve().parents[1] / "unit" / "report" / "validate.py"
NET = ipaddress.ip_network("198.18.0.0/24")
DROPPED = [str(a) for a in NET][1:61]     # at isp2, hop 3
BEYOND = [str(NET[n]) for n in (129, 130, 131)]  # at transit, hop 4
OWN = str(NET[140])                       # at the server itself
OPEN = [str(NET[n]) for n in range(150, 190)]


def reports(output):
    documents = [json.loads(line) for line in output.splitlines()]
    return ([d for d in documents if d["schema"] == "smtpblame.report/1"],
            [d for d in documents if d["schema"] == "smtpblame.summary/1"],
            [d for d in documents if d["schema"] == "smtpblame.error/1"])


class Many(unittest.TestCase):
    maxDiff = None

    def run_with(self, targets, *options, **more):
        return subprocess.run([PROGRAM, *options, "-f", "-"], input="\n".join(targets), capture_output=True,
                              text=True, timeout=240, **more)

    def judged(self, targets, *options):
        done = self.run_with(targets, "--json", *options)
        self.assertEqual(done.stderr, "")
        checked = subprocess.run([VALIDATE, "--require", "smtpblame.summary/1"], input=done.stdout,
                                 capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        found, summaries, _ = reports(done.stdout)
        self.assertEqual(sorted(r["target"]["address"] for r in found), sorted(targets))
        self.assertEqual(len(summaries), 1)
        self.assertEqual(json.loads(done.stdout.splitlines()[-1]), summaries[0], "the summary is not the last")
        self.assertEqual(summaries[0]["targets"], len(targets))
        return done.returncode, found, summaries[0]

    def port(self, report, number=25):
        return next(p for p in report["ports"] if p["port"] == number)

    def test_open(self):
        status, found, summary = self.judged(OPEN)
        self.assertEqual(status, 0)
        for report in found:
            self.assertEqual([p["state"] for p in report["ports"]], ["open"] * 3, report["target"])
        self.assertEqual(summary["places"], [])

    def test_same_place(self):
        """Few are traced, all are placed, and the summary says what is common."""
        status, found, summary = self.judged(DROPPED)
        self.assertEqual(status, 1)
        told = 0
        for report in found:
            port = self.port(report)
            finding = port["findings"][0]
            self.assertEqual(port["state"], "blocked")
            self.assertIn(finding["place"], ("isp", "unknown"), finding)
            if finding["place"] == "isp":
                self.assertLessEqual(finding["hop"]["from"]["ttl"], 3)
                self.assertGreaterEqual(finding["hop"]["to"]["ttl"], 3)
            told += "alike" in finding["summary"]
            self.assertEqual(self.port(report, 587)["state"], "open")
        self.assertEqual(summary["ports"][0]["states"]["blocked"], len(DROPPED))
        place = summary["places"][0]
        self.assertEqual((place["place"], place["address"]), ("isp", "203.0.113.2"))
        self.assertGreaterEqual(place["targets"], len(DROPPED) * 9 // 10)
        self.assertRegex(summary["summary"], r"at the same place: (between 100\.64\.0\.1 and|at or next to) "
                                             r"203\.0\.113\.2, your provider")

    def test_mixed(self):
        """Nobody is given a place that is another one's."""
        targets = DROPPED[:20] + BEYOND + [OWN] + OPEN[:10]
        status, found, summary = self.judged(targets)
        self.assertEqual(status, 1)
        for report in found:
            address, port = report["target"]["address"], self.port(report)
            if address in OPEN:
                self.assertEqual(port["state"], "open", address)
                continue
            self.assertEqual(port["state"], "blocked", address)
            finding = port["findings"][0]
            if (finding["confidence"] or 0) < 0.8:
                continue
            truth = ("isp" if address in DROPPED else "transit" if address in BEYOND else "destination")
            self.assertEqual(finding["place"], truth, (address, finding["summary"]))
        counts = collections.Counter(self.port(r)["state"] for r in found)
        self.assertEqual({k: v for k, v in summary["ports"][0]["states"].items() if v}, dict(counts))

    def test_text(self):
        done = self.run_with(OPEN[:12])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        rows = [line for line in done.stdout.splitlines() if line.startswith("198.18.")]
        self.assertEqual(len(rows), 12, done.stdout)
        self.assertIn("12 targets judged in", done.stdout)
        quiet = self.run_with(OPEN[:12], "-q").stdout.splitlines()
        self.assertEqual(len(quiet), 36)

    def test_unresolved(self):
        done = self.run_with([*OPEN[:10], "not/a/host"], "--json")
        found, summaries, errors = reports(done.stdout)
        self.assertEqual((done.returncode, len(found), len(errors)), (2, 10, 1))
        self.assertEqual(summaries[0]["failed"], 1)

    def test_saved(self):
        """Each case gives its report again, also where others were traced in its stead."""
        with tempfile.TemporaryDirectory() as directory:
            case = os.path.join(directory, "case")
            _, found, _ = self.judged(DROPPED + OPEN[:5], "--save", case)
            saved = [path.parent for path in pathlib.Path(case).rglob("report.json")]
            self.assertEqual(len(saved), len(found))
            for path in saved:
                again = subprocess.run([PROGRAM, "replay", path], capture_output=True, text=True, timeout=60)
                self.assertEqual(again.stdout, (path / "report.json").read_text(), again.stderr)

    def test_cannot_be_written(self):
        with open("/dev/full", "w") as full, tempfile.NamedTemporaryFile("w+") as file:
            file.write("\n".join(OPEN))
            file.flush()
            for option in ("--json", "--no-progress"):
                done = subprocess.run([PROGRAM, option, "-f", file.name], stdout=full, stderr=subprocess.PIPE,
                                      text=True, timeout=60)
                self.assertEqual(done.returncode, 3, option)
                self.assertIn("No space left", done.stderr)

    def test_interrupted(self):
        """What is under way is told, what has not begun is counted, nothing stays behind."""
        with tempfile.NamedTemporaryFile("w+") as file, tempfile.TemporaryDirectory() as temporary:
            file.write("\n".join(DROPPED * 20))
            file.flush()
            for number in (signal.SIGINT, signal.SIGTERM):
                child = subprocess.Popen([PROGRAM, "--json", "-f", file.name, "--concurrency", "20"],
                                         process_group=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                         env={**os.environ, "TMPDIR": temporary})
                time.sleep(2)
                self.assertIsNone(child.poll())
                child.send_signal(number)
                out, err = child.communicate(timeout=20)
                self.assertEqual((child.returncode, err), (128 + number, ""))
                found, summaries, _ = reports(out)
                self.assertTrue(summaries[0]["interrupted"])
                self.assertEqual(len(found) + summaries[0]["not_begun"], len(DROPPED) * 20)
                self.assertGreater(summaries[0]["not_begun"], 0)
                for report in found:
                    for finding in self.port(report)["findings"]:
                        self.assertIn(finding["place"], ("isp", "unknown"), finding)
                self.assertEqual(subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout, "")
                with self.assertRaises(ProcessLookupError):
                    os.killpg(child.pid, 0)
                self.assertEqual(os.listdir(temporary), [])


if __name__ == "__main__":
    if not PROGRAM:
        sys.exit(__doc__)
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
