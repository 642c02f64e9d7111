#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exporter, asked as Prometheus and others ask.

    lab exec way-drop-isp2-25 -- tests/program/serve.py PROGRAM
"""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

from exporter import ADDRESS, PATIENCE_SECONDS, PROGRAM, ExporterTest

TARGET = os.environ["TARGET4"]
SHARE = pathlib.Path(__file__).resolve().parents[2] / "share"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def expressions(node):
    """Of a dashboard, every query to Prometheus."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("expr", "query", "definition") and isinstance(value, str):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


class Serve(ExporterTest):
    def get(self, path, headers=None, method="GET"):
        request = urllib.request.Request(f"http://{ADDRESS[0]}:{ADDRESS[1]}{path}", headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def check_metrics(self, text):
        self.assertTrue(text.endswith("\n"))
        for line in text.splitlines():
            self.assertRegex(line, r'^#|^[a-z_]+(\{([a-z]+="[^"\\\n]*",?)+\})? (NaN|[0-9.e+-]+)$')
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr + done.stdout)

    def check_open_metrics(self, text):
        """Its parser in Prometheus takes no comment but these."""
        for line in text.splitlines():
            self.assertRegex(line, r"^# (HELP|TYPE) [a-z_]+ .+$|^# EOF$|^[a-z]")
        self.assertTrue(text.endswith("\n# EOF\n"))

    def test_probe(self):
        run = self.start()
        status, text = self.get(f"/probe?target={TARGET}&ports=25,587")
        self.assertEqual(status, 200)
        self.check_metrics(text)
        labels = f'address="{TARGET}",interface="eth0",port='
        self.assertIn("\nsmtpblame_probe_success 0\n", text)
        self.assertIn(f'smtpblame_port_state{{{labels}"25",state="blocked"}} 1\n', text)
        self.assertIn(f'smtpblame_port_state{{{labels}"25",state="open"}} 0\n', text)
        self.assertIn(f'smtpblame_port_open{{{labels}"587"}} 1\n', text)
        self.assertRegex(text, r'smtpblame_finding_confidence_ratio\{[^}]*port="25"[^}]*mechanism="silent-drop"')
        self.assertNotIn('port="465"', text)
        status, text = self.get("/metrics")
        self.check_metrics(text)
        self.assertIn('smtpblame_probes_total{outcome="not_open"} 1\n', text)
        status, text = self.get("/metrics", {"Accept": OPEN_METRICS})
        self.assertIn("# TYPE smtpblame_probes counter\n", text)
        self.check_open_metrics(text)
        for target in (TARGET, "nosuch.example"):
            self.check_open_metrics(self.get(f"/probe?target={target}&ports=25", {"Accept": OPEN_METRICS})[1])
        run.send_signal(signal.SIGTERM)
        self.assertEqual(run.wait(PATIENCE_SECONDS), 0)

    def test_names(self):
        """Alert rules and dashboard ask for metrics that there are, and for no other label."""
        self.start()
        text = self.get(f"/probe?target={TARGET}")[1] + self.get("/metrics")[1]
        exposed = set(re.findall(r"^# TYPE (\S+) ", text, re.M)) | {"up"}
        labels = set(re.findall(r'[{,]([a-z_]+)="', text)) | {"job", "instance"}
        self.assertIn("smtpblame_finding_confidence_ratio", exposed)
        with open(SHARE / "grafana" / "smtpblame.json", encoding="utf-8") as dashboard:
            queries = list(expressions(json.load(dashboard)))
        rules = (SHARE / "prometheus" / "smtpblame.rules.yml").read_text(encoding="utf-8")
        queries += re.findall(r"expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)", rules)
        self.assertGreater(len(queries), 12)
        asked = set()
        for query in map(str, queries):
            asked |= set(re.findall(r"\bsmtpblame_\w+|\bup\b", query))
            self.assertLessEqual(set(re.findall(r"(\w+)=~?\\?[\"']", query)), labels, query)
            for names in re.findall(r"\b(?:on|by|without|ignoring) ?\(([^()]*)\)", query):
                self.assertLessEqual(set(re.split(r",\s*", names)), labels, query)
        self.assertLessEqual(asked, exposed)
        used = set(re.findall(r"\$labels\.(\w+)", rules))
        self.assertLessEqual(used, labels)

    def test_questions_that_are_none(self):
        run = self.start("-p", "25,587")
        for path, want in (("/probe", 400), ("/probe?target=", 400), ("/probe?target=a%20b", 400),
                           ("/probe?target=" + "a" * 300, 400), ("/probe?target=x&ports=0", 400),
                           ("/probe?target=x&ports=25,25", 400), ("/probe?target=x&family=5", 400),
                           ("/nothing", 404), ("/healthz", 200), ("/", 200)):
            with self.subTest(path=path[:40]):
                self.assertEqual(self.get(path)[0], want)
        self.assertEqual(self.get("/healthz", method="POST")[0], 405)
        for path in (f"/probe?target={TARGET}&ports=443", "/probe?target=nosuch.example"):
            status, text = self.get(path, {"X-Prometheus-Scrape-Timeout-Seconds": "3"})
            self.assertEqual(status, 200)
            self.assertIn("smtpblame_probe_success 0\n", text)
            self.assertIn("# error: ", text)
        for garbage in (b"\0\xff\r\n\r\n", b"GET /" + b"a" * 70000, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 9000):
            with socket.create_connection(ADDRESS, 5) as s:
                try:
                    s.sendall(garbage)
                    s.shutdown(socket.SHUT_WR)
                    s.recv(100)
                except OSError:
                    pass
        self.assertEqual(self.get("/healthz"), (200, "ok\n"))
        self.assertIsNone(run.poll())

    def test_whom_it_may_probe(self):
        self.start("--allow", "192.0.2.0/24", "--allow", "*.example.org")
        self.assertEqual(self.get(f"/probe?target={TARGET}")[0], 403)
        self.assertEqual(self.get("/probe?target=mx.example.net")[0], 403)

    def test_deadline_and_queue(self):
        self.start("--queue", "2", "-p", "25")
        answers = []

        def ask():
            begin = time.monotonic()
            status, text = self.get(f"/probe?target={TARGET}", {"X-Prometheus-Scrape-Timeout-Seconds": "6"})
            answers.append((status, text, time.monotonic() - begin))

        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted({status for status, _, _ in answers}), [200, 503])
        self.assertGreaterEqual(sum(status == 200 for status, _, _ in answers), 2)
        self.assertLess(max(seconds for _, _, seconds in answers), 6.0)
        states = re.findall(r'state="(\w+)"\} 1\n', "".join(text for _, text, _ in answers))
        self.assertLessEqual(set(states), {"blocked", "inconclusive"})

    def test_stopped(self):
        """Who is asked to end while it is at work ends at once, and leaves nobody without an answer."""
        run = self.start()
        answers = []

        def ask(path):
            answers.append(self.get(path))

        threads = [threading.Thread(target=ask, args=(f"/probe?target={target}",))
                   for target in (TARGET, TARGET, f"{TARGET}&ports=25", "nosuch.example")]
        for thread in threads:
            thread.start()
        until = time.monotonic() + PATIENCE_SECONDS
        while not re.search(r"^smtpblame_probes_waiting [34]$", self.get("/metrics")[1], re.M):
            self.assertLess(time.monotonic(), until, "the probes do not come")
        run.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        self.assertEqual(run.wait(PATIENCE_SECONDS), 0, run.stderr.read())
        for status, text in answers:
            self.assertIn(status, (200, 503), text)
            self.assertTrue(status == 503 or "smtpblame_probe_success 0\n" in text, text)
        self.assertEqual(len(answers), len(threads))

    def test_usage(self):
        for options, word in ((["--listen", "0.0.0.0:9725"], "--allow"), (["--listen", "nowhere"], "--listen"),
                              (["--listen", "127.0.0.1:0"], "--listen"), (["mx.example.net"], "targets come"),
                              (["--allow", "a/b"], "--allow"), (["--queue", "0"], "--queue"),
                              (["--listen", "192.0.2.77:9725", "--allow", "*"], "cannot listen")):
            with self.subTest(options=options):
                done = subprocess.run([PROGRAM, "serve", *options], capture_output=True, text=True, timeout=30)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(word, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
