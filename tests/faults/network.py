#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's own network changes while it is looked at, or floods the program with news.

    lab exec way-drop-isp2-25 -- tests/faults/network.py PROGRAM

What fails because of it is no block of anybody's: the report says that something has changed, and
claims nothing from silence.
"""
import json
import re
import signal
import socket
import struct
import subprocess
import time

import common
from common import TARGET

PORTS = ("-p", "25,587")
UNDISTURBED = {25: "blocked", 587: "open"}


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def told_by(command):
    return json.loads(subprocess.run(["ip", "-j", *command.split()], capture_output=True, text=True, check=True).stdout)


class Burst(common.Faults):
    """More packets at once than the tap's buffer holds, while the program gets no processor."""
    RING = 2064     # packets that it holds: src/capture/live.c

    def setUp(self):
        super().setUp()
        ip(*"link add burst0 type veth peer name burst1".split())
        self.addCleanup(ip, "link", "del", "burst0")
        for name in ("burst0", "burst1"):
            ip("link", "set", name, "up")
        self.out = self.enterContext_(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        self.out.bind(("burst0", 0))

    def burst(self, n):
        """TCP between here and the target, of nobody's connection, on a wire that ends right here: seen twice each."""
        source = next(a for a in told_by("-4 address show eth0")[0]["addr_info"] if a["scope"] == "global")["local"]
        segment = struct.pack("!HHIIBBHHH", 1023, 25, 1, 1, 0x50, 0x10, 1000, 0, 0)
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 1, 0, 64, 6, 0, socket.inet_aton(source),
                             socket.inet_aton(TARGET))
        frame = b"\x02\0\0\0\0\x01" * 2 + b"\x08\0" + header + segment
        for _ in range(n):
            self.out.send(frame)

    def reports_of_run(self, *words):
        child = self.start("check", "--json", *PORTS, *words)
        for after in (0.1, 0.05, 0.05):     # the connections; the probes of the path
            time.sleep(after)
            self.assertIsNone(child.poll(), "the run was over before its midst")
            child.send_signal(signal.SIGSTOP)
            self.burst(3 * self.RING)
            child.send_signal(signal.SIGCONT)
        out, err = child.communicate(timeout=common.TIMEOUT_SECONDS)
        self.assertEqual(err, "")
        return [d for d in self.documents(out) if d["schema"] == "smtpblame.report/1"]

    def lost(self, report):
        return [int(n) for text in report["not_looked"]
                for n in re.findall(r"the capture lost packets \((\d+)\): nothing is claimed", text)]

    def test_one(self):
        """It says how many it lost. What came is known; the silence is nobody's fault."""
        report, = self.reports_of_run(TARGET)
        lost, = self.lost(report)
        self.assertGreater(lost, self.RING)
        self.assertRegex("\n".join(e["text"] for e in report["evidence"]), fr"\d+ packets captured, {lost} lost")
        self.assertEqual(self.states(report), {25: "inconclusive", 587: "open"})
        finding, = report["ports"][0]["findings"]
        self.assertEqual((finding["place"], finding["confidence"]), ("unknown", None))
        self.assertRegex(finding["summary"], "the capture lost packets, so that what was not seen tells nothing")

    def test_many(self):
        """Only the runs whose packets it may have been know less."""
        reports = self.reports_of_run(*[TARGET] * 2)
        losers = [bool(self.lost(report)) for report in reports]
        self.assertEqual(losers, [True, False])
        for report, lost in zip(reports, losers):
            self.assertEqual(self.states(report), {25: "inconclusive" if lost else "blocked", 587: "open"})


class Changes(common.Faults):
    def setUp(self):
        super().setUp()
        self.gateway = told_by("-4 route show default")[0]["gateway"]
        address = next(a for a in told_by("-4 address show eth0")[0]["addr_info"] if a["scope"] == "global")
        self.address = f"{address['local']}/{address['prefixlen']}"

    def changed(self, after, change, undo, *options):
        """The report of a run during which something changes."""
        child = self.start("check", "--json", *PORTS, *options, TARGET)
        time.sleep(after)
        self.assertIsNone(child.poll(), "the run was over before its midst")
        try:
            for words in change:
                ip(*words.split())
            out, err = child.communicate(timeout=common.TIMEOUT_SECONDS)
        finally:
            for words in undo:
                ip(*words.split())
        self.assertEqual(err, "")
        report, = self.documents(out)
        return child.returncode, report

    def assert_says_so(self, status, report, pattern):
        """Nobody is blamed; what was found open before is."""
        states = self.states(report)
        self.assertEqual(status, 4, report["summary"])
        self.assertEqual(states[25], "inconclusive")
        self.assertIn(states[587], ("open", "inconclusive"))
        for port in report["ports"]:
            for finding in port["findings"]:
                self.assertEqual((finding["place"], finding["confidence"]), ("unknown", None), finding["summary"])
                self.assertRegex(finding["summary"], f"this machine's own network changed during the run: .*{pattern}")
        self.assertRegex("\n".join(report["not_looked"]), pattern)

    def test_interface(self):
        default = f"route replace default via {self.gateway}"
        for after in (0.15, 0.3):
            self.assert_says_so(*self.changed(after, ["link set eth0 down"], ["link set eth0 up", default]),
                                "interface eth0 was turned off")

    def test_address(self):
        self.assert_says_so(*self.changed(0.25, [f"address del {self.address} dev eth0"],
                                          [f"address add {self.address} dev eth0",
                                           f"route replace default via {self.gateway}"]), "the route was .* and is")

    def test_route(self):
        default = f"route replace default via {self.gateway}"
        for change, undo in (([f"route add prohibit {TARGET}"], [f"route del prohibit {TARGET}"]),
                             (["route del default"], [default]),
                             ([f"route add {TARGET} dev lo"], [f"route del {TARGET}"])):
            self.assert_says_so(*self.changed(0.25, change, undo), "the route was .* and is")

    def test_nothing_that_matters(self):
        """Other interfaces and routes may come and go."""
        status, report = self.changed(0.2, ["link add other0 type veth peer name other1", "link set other0 up",
                                            "route add 198.18.0.0/15 dev other0"], ["link del other0"])
        self.assertEqual((status, self.states(report)), (1, UNDISTURBED))
        self.assertNotRegex("\n".join(report["not_looked"]), "changed")

    def test_z_interface_gone(self):
        """The last one: it does not come back."""
        self.assert_says_so(*self.changed(0.25, ["link del eth0"], []), "interface eth0 is gone")
        done = self.run_to_its_end("check", "--json", *PORTS, TARGET)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.states(*self.reports(done)), {25: "unreachable", 587: "unreachable"})


if __name__ == "__main__":
    common.main(__doc__)
