#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exporter, asked for many targets at the same time.

    lab exec many-targets -- tests/program/serve_many.py PROGRAM

The truth is that of the scenario's file: port 25 to 198.18.0.0/25 stops at isp2, hop 3.
"""
import collections
import concurrent.futures
import ipaddress
import re
import socket
import sys
import unittest
import urllib.request

from exporter import ADDRESS, PROGRAM, ExporterTest

NET = ipaddress.ip_network("198.18.0.0/24")
DROPPED = [str(NET[n]) for n in range(1, 16)]
OPEN = [str(NET[n]) for n in range(150, 165)]
IDLE_KB = 15 * 1024


class ServeMany(ExporterTest):
    def get(self, path, timeout="20"):
        request = urllib.request.Request(f"http://{ADDRESS[0]}:{ADDRESS[1]}{path}",
                                         headers={"X-Prometheus-Scrape-Timeout-Seconds": timeout})
        with urllib.request.urlopen(request, timeout=60) as answer:
            self.assertEqual(answer.status, 200)
            return answer.read().decode()

    def get_all(self, paths, timeout="20"):
        with concurrent.futures.ThreadPoolExecutor(len(paths)) as pool:
            return list(pool.map(lambda path: self.get(path, timeout), paths))

    def counters(self):
        return dict(re.findall(r"^(smtpblame_\S+) (\S+)$", self.get("/metrics"), re.M))

    def error(self, text):
        found = re.findall(r'^smtpblame_probe_error\{reason="(\w+)"\} 1$', text, re.M)
        self.assertEqual(len(re.findall(r"^smtpblame_probe_error\{", text, re.M)), 3)
        return found[0] if found else None

    def test_side_by_side(self):
        """All are answered, and nobody gets what is another one's."""
        self.start()
        targets = [address for pair in zip(DROPPED, OPEN) for address in pair]
        for target, text in zip(targets, self.get_all([f"/probe?target={target}" for target in targets])):
            with self.subTest(target=target):
                self.assertIsNone(self.error(text))
                addresses = set(re.findall(r'address="([^"]+)"', text))
                self.assertEqual(addresses, {target})
                states = dict(re.findall(r'port="(\d+)",state="([\w-]+)"\} 1$', text, re.M))
                self.assertEqual(states, {"25": "open" if target in OPEN else "blocked", "465": "open", "587": "open"})
                success = re.findall(r"^smtpblame_probe_success (\d)$", text, re.M)
                self.assertEqual(success, ["1" if target in OPEN else "0"])
                findings = re.findall(r'_confidence_ratio\{[^}]*place="([\w-]+)"[^}]*hop="([^"]*)"\} (\S+)$', text, re.M)
                self.assertEqual(len(findings), 0 if target in OPEN else 1)
                for place, hop, confidence in findings:
                    if float(confidence) >= 0.8:
                        # the hop is an end of the range, which is wider where answers were lost
                        self.assertEqual(place, "isp")
                        self.assertIn(hop, ("100.64.0.1", "203.0.113.2", "203.0.113.6"))
        counted = self.counters()
        self.assertEqual(counted['smtpblame_probes_total{outcome="open"}'], str(len(OPEN)))
        self.assertEqual(counted['smtpblame_probes_total{outcome="not_open"}'], str(len(DROPPED)))
        self.assertEqual(counted["smtpblame_probes_shared_total"], "0")

    def test_the_same_one(self):
        """Several who ask the same at the same time get the same; another question has its own run."""
        self.start()
        same, other = f"/probe?target={DROPPED[0]}&ports=25", f"/probe?target={DROPPED[0]}&ports=587"
        *answers, different = self.get_all([same] * 6 + [other])
        verdicts = collections.Counter(tuple(line for line in text.splitlines() if "port_state" in line) for text in answers)
        self.assertEqual(len(verdicts), 1)
        self.assertIn('port="25",state="blocked"} 1', answers[0])
        self.assertIn('port="587",state="open"} 1', different)
        self.assertNotIn('port="587"', answers[0])
        # not all seven came at the very same time, maybe
        shared = int(self.counters()["smtpblame_probes_shared_total"])
        self.assertIn(shared, range(1, 6))

    def test_no_time(self):
        """Who can't be judged in time is told so, with an answer."""
        self.start()
        text = self.get(f"/probe?target={OPEN[0]}", "0.2")
        self.assertEqual(self.error(text), "time")
        self.assertIn("\nsmtpblame_probe_success 0\n", text)
        self.assertNotIn("port_state{", text)
        self.assertEqual(self.counters()['smtpblame_probes_total{outcome="late"}'], "1")

    def test_one_at_a_time(self):
        """Each has most of its time, or none: none is judged by what little is left."""
        self.start("--concurrency", "1", "-p", "25")
        answers = self.get_all([f"/probe?target={target}" for target in DROPPED[:8]], "3")
        errors = collections.Counter(self.error(text) for text in answers)
        self.assertLessEqual(set(errors), {None, "time"})
        self.assertGreaterEqual(errors["time"], 3)
        self.assertGreaterEqual(errors[None], 1)
        for text in answers:
            states = set(re.findall(r'state="([\w-]+)"\} 1$', text, re.M))
            self.assertLessEqual(states, {"blocked", "inconclusive"})
            self.assertEqual(bool(states), self.error(text) is None)

    def test_hostile(self):
        """Connections that say nothing, or go away while they are waited for, keep nobody else out."""
        run = self.start("--queue", "8")
        silent = [socket.create_connection(ADDRESS, 5) for _ in range(100)]
        for n in range(6):
            with socket.create_connection(ADDRESS, 5) as s:
                s.sendall(f"GET /probe?target={DROPPED[n]} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.assertIn("\nsmtpblame_probe_success 1\n", self.get(f"/probe?target={OPEN[0]}"))
        for s in silent:
            s.close()
        self.assertIsNone(run.poll())

    @unittest.skipIf("/dev/" in PROGRAM, "a sanitizer's memory is its own")
    def test_idle_memory(self):
        """Before anything was asked for, as most of the time an exporter is."""
        run = self.start()
        self.get("/healthz")
        with open(f"/proc/{run.pid}/status", encoding="ascii") as status:
            resident = int(re.search(r"^VmRSS:\s+(\d+) kB$", status.read(), re.M)[1])
        print(f"idle: {resident} kB", file=sys.stderr)
        self.assertLess(resident, IDLE_KB)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
