#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus asks the exporter, by the configuration of docs/prometheus.md and the rules of share/,
while a router on the way begins to drop port 25, and lets it through again.

    lab exec open -- tests/program/prometheus.py PROGRAM

Intervals, and the rules' `for`, are those of somebody who has little time.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

PROGRAM = os.path.abspath(sys.argv[1])
TARGET = os.environ["TARGET4"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "share" / "prometheus" / "smtpblame.rules.yml"
DOCS = ROOT / "docs" / "prometheus.md"
ROUTER = "isp2"
API = "http://127.0.0.1:9090"
START_SECONDS, CHANGE_SECONDS = 20.0, 30.0


def scrape_configs():
    """What the document tells its readers to write, for this target."""
    text = re.search(r"^    scrape_configs:\n((?:      .*\n)+)", DOCS.read_text(encoding="utf-8"), re.M)[0]
    text = re.sub(r"targets: \[.*\]", f"targets: [{TARGET}]", text)
    text, n = re.subn(r"scrape_(interval|timeout): \d+\w", r"scrape_\1: 4s", text)
    assert n == 2
    return re.sub("^    ", "", text, flags=re.M)


def rules():
    return re.sub(r"^( +for): .*$", r"\1: 1s", RULES.read_text(encoding="utf-8"), flags=re.M)


class Prometheus(unittest.TestCase):
    def start(self, *command):
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.log)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        return run

    def alerts(self):
        try:
            with urllib.request.urlopen(f"{API}/api/v1/alerts", timeout=5) as answer:
                return json.load(answer)["data"]["alerts"]
        except (urllib.error.URLError, ConnectionError):
            return None

    def values(self, query):
        with urllib.request.urlopen(f"{API}/api/v1/query?query={query}", timeout=5) as answer:
            return [r["value"][1] for r in json.load(answer)["data"]["result"]]

    def wait_for(self, what, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if what():
                return
            time.sleep(0.2)
        self.log.seek(0)
        self.fail(f"it did not come: {what.__name__}; alerts {self.alerts()}\n{self.log.read()[-2000:]}")

    def block(self, what, *rule):
        here = subprocess.run(["ip", "netns", "identify"], capture_output=True, text=True, check=True).stdout.strip()
        router = here.rsplit("-", 1)[0] + "-" + ROUTER
        subprocess.run(["ip", "netns", "exec", router, "nft", what, *rule], check=True)

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.log = open(self.directory / "log", "w+", encoding="utf-8", errors="replace")
        self.addCleanup(self.log.close)

    def test_alert(self):
        (self.directory / "smtpblame.rules.yml").write_text(rules(), encoding="utf-8")
        config = self.directory / "prometheus.yml"
        config.write_text("global: {evaluation_interval: 1s}\n" + scrape_configs() +
                          "rule_files: [smtpblame.rules.yml]\n", encoding="utf-8")
        self.start(PROGRAM, "serve")
        self.start("prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.directory}/data",
                   "--web.listen-address=127.0.0.1:9090")

        def judged_open():
            return self.alerts() == [] and self.values("sum(smtpblame_port_open)") == ["3"]

        def fires():
            return any(a["state"] == "firing" for a in self.alerts() or [])

        def resolved():
            return self.alerts() == []

        self.wait_for(judged_open, START_SECONDS)
        self.block("add", "table ip acl { chain ingress { type filter hook prerouting priority raw; }; }")
        self.block("add", "rule ip acl ingress iifname to-isp1 tcp dport 25 drop")
        self.wait_for(fires, CHANGE_SECONDS)
        fired = [a for a in self.alerts() if a["state"] == "firing"]
        self.assertEqual([a["labels"]["alertname"] for a in fired], ["MailPortBlocked"])
        labels = fired[0]["labels"]
        for name, value in (("instance", TARGET), ("port", "25"), ("mechanism", "silent-drop"), ("place", "isp"),
                            ("severity", "critical")):
            self.assertEqual(labels.get(name), value, fired)
        # an end of the range, which is wider where answers were lost
        self.assertIn(labels["hop"], ("100.64.0.1", "203.0.113.2", "203.0.113.6"))
        self.assertGreater(float(fired[0]["value"]), 0.5)
        self.assertIn(f"Port 25 of {TARGET} ({TARGET}) is blocked, at: isp, {labels['hop']}",
                      fired[0]["annotations"]["summary"])
        self.block("delete", "table ip acl")
        self.wait_for(resolved, CHANGE_SECONDS)
        self.wait_for(judged_open, CHANGE_SECONDS)


if __name__ == "__main__":
    if not shutil.which("prometheus"):
        print("skipped: prometheus (the package) is not installed")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
