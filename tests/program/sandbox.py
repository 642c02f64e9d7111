#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says that is left to a run while it talks to the network.

    lab exec way-drop-all -- tests/program/sandbox.py PROGRAM
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.abspath(sys.argv[1])
TARGET = os.environ["TARGET4"]
PATIENCE_SECONDS = 10.0
NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"]
CAP_DAC_OVERRIDE, CAP_SYS_MODULE = 1, 16  # linux/capability.h


def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def children_of(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


class Sandbox(unittest.TestCase):
    def start(self, *words, before=(), program=PROGRAM, **how):
        run = subprocess.Popen([*before, program, *words], stdout=subprocess.PIPE, text=True, **how)
        for pipe in (run.stdout, run.stdin):
            self.addCleanup(pipe.close if pipe else int)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        return run

    def check(self, *options, **how):
        return self.start("--json", "-t", "4", *options, TARGET, **how)

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

    def assert_confined(self, run):
        status = self.status_without_capabilities(run)
        for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            self.assertEqual(int(status[kind], 16), 0, kind)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")
        return status

    def assert_agent(self, run):
        """The one that keeps what the kernel wants for its answers: nothing beyond that."""
        for child in children_of(run.pid):
            agent = status_of(child)
            self.assertEqual(agent["NoNewPrivs"], "1", agent["Name"])
            for capability in (CAP_DAC_OVERRIDE, CAP_SYS_MODULE):
                self.assertEqual(int(agent["CapEff"], 16) & (1 << capability), 0, capability)

    def assert_looked_around(self, report):
        """What way-drop-all makes of it, with the routers on the way."""
        self.assertEqual([port["state"] for port in report["ports"]], ["unreachable"] * 3)
        self.assertGreaterEqual(len(report["path"]), 3)

    def test_what_is_left(self):
        run = self.check()
        self.assert_confined(run)
        self.assert_agent(run)
        report = json.loads(run.communicate()[0])
        self.assertNotIn("sandbox", " ".join(report["notes"]))

    def test_turned_off(self):
        run = self.check("--no-sandbox")
        status = self.status_without_capabilities(run)
        self.assertEqual(status["Seccomp"], "0")
        report = json.loads(run.communicate()[0])
        self.assertIn("--no-sandbox", " ".join(report["notes"]))

    def test_as_another_user(self):
        status = self.assert_confined(self.check("--uid", str(NOBODY)))
        self.assertEqual(status["Uid"].split(), [str(NOBODY)] * 4)

    def test_capabilities_of_the_file(self):
        """Without root: what the README grants once is enough, and is gone as well."""
        with tempfile.TemporaryDirectory(prefix="smtpblame-") as folder:
            os.chmod(folder, 0o755)
            program = shutil.copy(PROGRAM, folder)
            subprocess.run(["setcap", "cap_net_raw,cap_net_admin+ep", program], check=True)
            run = self.check(program=program, before=AS_NOBODY)
            status = self.assert_confined(run)
            self.assertEqual(status["Uid"].split()[1], str(NOBODY))
            self.assert_agent(run)
            report = json.loads(run.communicate()[0])
        self.assert_looked_around(report)

    def test_a_container_of_its_own(self):
        """In a user namespace with a network of its own all is there; without one, it says what is
        missing, and not to use sudo."""
        within = [*AS_NOBODY, "unshare", "--map-root-user"]
        done = subprocess.run([*within, "--net", PROGRAM, "--json", "-4", "-p", "25", TARGET],
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 1, done.stderr)
        port = json.loads(done.stdout)["ports"][0]
        self.assertEqual((port["state"], port["findings"][0]["place"]), ("unreachable", "host"))
        done = subprocess.run([*within, PROGRAM, TARGET], capture_output=True, text=True, timeout=20)
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertIn("--cap-add NET_RAW", done.stderr)
        self.assertNotIn("sudo", done.stderr)

    def test_a_bare_root_directory(self):
        """A container with nothing but the program and its libraries: no /proc, /sys, /etc, /dev."""
        with tempfile.TemporaryDirectory(prefix="smtpblame-") as root:
            script = 'cp "$0" "$1" && for d in usr lib lib64; do [ ! -d /$d ] || { mkdir -p "$1/$d" && ' \
                     'mount --bind /$d "$1/$d"; } || exit; done; ' \
                     'chroot "$1" /smtpblame --json -4 -t 4 "$2"; status=$?; umount "$1"/*/ ; exit $status'
            done = subprocess.run(["unshare", "--mount", "sh", "-c", script, PROGRAM, root, TARGET],
                                  capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assert_looked_around(json.loads(done.stdout))

    def test_serve(self):
        run = self.start("serve", "--listen", "127.0.0.1:9726", stderr=subprocess.DEVNULL)
        self.assert_confined(run)
        self.assert_agent(run)

    def test_read_and_compare_are_not_even_root(self):
        for verb in ("read", "compare"):
            with self.subTest(verb):
                run = self.start(verb, "-", stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
                status = self.assert_confined(run)
                self.assertEqual(status["Uid"].split(), [str(NOBODY)] * 4)
                self.assertEqual(status["Gid"].split(), [str(NOBODY)] * 4)
                self.assertEqual(status["Groups"].split(), [])
                run.stdin.close()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
