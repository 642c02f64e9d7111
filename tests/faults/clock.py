#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock is set while the program looks: times stay true to each other, and silence is not made of it.

    lab exec way-drop-isp2-25 -- tests/faults/clock.py PROGRAM SET_CLOCK.so
"""
import datetime

import common
from common import TARGET

STEPS = (3600, -3600, 5)


class Clock(common.Faults):
    def test_check(self):
        for after in (30, 200):
            for step in STEPS:
                with self.subTest(after=after, step=step):
                    begin = datetime.datetime.now(datetime.timezone.utc)
                    done = self.run_to_its_end("check", "--json", "-p", "25,587", TARGET, env={
                        "LD_PRELOAD": self.helpers[0], "FAULT_AFTER_MS": str(after), "FAULT_SECONDS": str(step)})
                    self.assertEqual((done.returncode, done.stderr), (1, ""))
                    report, = self.documents(done.stdout)
                    self.assertEqual(self.states(report), {25: "blocked", 587: "open"})
                    started = datetime.datetime.fromisoformat(report["started"].replace("Z", "+00:00"))
                    took = (datetime.datetime.now(datetime.timezone.utc) - begin).total_seconds() * 1000
                    self.assertLess(abs((started - begin).total_seconds()), took / 1000 + 1)
                    self.assertLessEqual(report["elapsed_ms"], took)
                    for evidence in report["evidence"]:
                        self.assertTrue(-100 <= evidence["t_ms"] <= took, evidence)
                    timings = [ms for port in report["ports"] for ms in port["timing_ms"].values() if ms is not None]
                    self.assertTrue(timings and all(0 <= ms <= took for ms in timings), timings)

    def test_the_shim_sets_it(self):
        """Else the other test would show nothing."""
        done = self.run_to_its_end("watch", "--json", "-p", "587", "--count", "1", "--interval", "1", TARGET, env={
            "LD_PRELOAD": self.helpers[0], "FAULT_AFTER_MS": "0", "FAULT_SECONDS": "86400"})
        now = datetime.datetime.now(datetime.timezone.utc)
        self.assertIn((now + datetime.timedelta(days=1)).strftime("%Y-%m-%dT"), done.stdout)


if __name__ == "__main__":
    common.main(__doc__)
