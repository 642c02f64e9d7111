#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel tells more than fits a socket's buffer (ENOBUFS): what is lost is said, and nothing is made of it.

    lab exec host-nft-drop -- tests/faults/overrun.py PROGRAM SMALL_BUFFER.so
"""
import common
from common import TARGET

PORTS = ("-p", "25,587")


class Overrun(common.Faults):
    def small(self, *words):
        done = self.run_to_its_end(*words, env={"LD_PRELOAD": self.helpers[0]})
        self.assertEqual(done.stderr, "")
        report, = self.documents(done.stdout)
        return done.returncode, report, "\n".join(report["not_looked"])

    def test_check(self):
        """The rule can't be named; an open port stays open."""
        status, report, missing = self.small("check", "--json", *PORTS, TARGET)
        states = self.states(report)
        self.assertIn((status, states[25]), ((1, "blocked"), (4, "inconclusive")))
        self.assertEqual(states[587], "open")
        for finding in report["ports"][0]["findings"]:
            self.assertIn(finding["place"], ("host", "unknown"))
        self.assertRegex(missing, "more events of the nf_tables trace than could be read")

    def test_inspect(self):
        """What could not be read whole lets nothing pass."""
        status, report, _ = self.small("inspect", "--json", *PORTS, TARGET)
        self.assertIn(status, (1, 4))
        would = [port["would"] for port in report["ports"]]
        self.assertIn(would[0], ("stop", "unknown"))
        self.assertEqual(would[1], "unknown")


if __name__ == "__main__":
    common.main(__doc__)
