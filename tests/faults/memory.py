#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""No memory: the program ends with a message, or what it says is right and whole.

    lab exec host-nft-drop -- tests/faults/memory.py PROGRAM FAIL_ALLOC.so [-- TESTS]

One allocation of a run fails, or that and all that follow: of the program, its libraries, and the
process that asks the kernel. Which ones is drawn by lot from all that a whole run makes; $FAULTS_RUNS
draws more or fewer. libseccomp 2.5 frees twice what it could not allocate, so its own allocations are
spared; the program makes sure of memory before it calls it.
"""
import http.client
import os
import random
import shutil
import signal
import struct
import subprocess
import time

import common
from common import CAPTURE, CASE, TARGET

SEED = 7
RUNS = float(os.environ.get("FAULTS_RUNS", 0.7))
PORTS = ("-p", "25,587")
LISTEN = 9464


def verdicts(document):
    """What a document says of each port or connection: [(state, place)]."""
    parts = document.get("ports", [document])
    return [(part.get("state", part.get("would")), part["findings"][0]["place"] if part["findings"] else None)
            for part in parts if "findings" in part]


class Memory(common.Faults):
    def setUp(self):
        super().setUp()
        self.counter = self.folder / "counter"
        self.environment = {"LD_PRELOAD": self.helpers[0], "FAULT_PROGRAM": "smtpblame", "FAULT_SPARE": "libseccomp",
                            "FAULT_COUNTER": str(self.counter)}

    def with_fault(self, which, run):
        self.counter.write_bytes(bytes(8))
        return run(env={"FAULT_ALLOC": which} if which else {})

    def counted(self):
        return struct.unpack("Q", self.counter.read_bytes())[0]

    def drawn(self, total, n, after=0):
        """n of the allocations, spread over all of them, by turns alone and with all that follow."""
        total -= after
        chance, n = random.Random(SEED), min(total, max(2, int(n * RUNS)))
        for i in range(n):
            which = after + chance.randint(i * total // n + 1, (i + 1) * total // n)
            yield f"{which}{'+' if i % 2 else ''}"

    def assert_ended_well(self, which, done, right):
        """right(done): whether what it says is right and whole."""
        said = f"allocation {which}: status {done.returncode}, {done.stderr!r}, {done.stdout[-300:]!r}"
        self.assertGreaterEqual(done.returncode, 0, said)
        if done.returncode in (2, 3):
            self.assertRegex(done.stderr, r"smtpblame: [^\n]{8,}\n", said)
            self.assertNotIn("not a JSON", done.stderr, said)
        else:
            self.assertTrue(right(done), said)

    def try_all(self, n, *words, right, before_each=lambda: None, last=1.0):
        """last: which part of all allocations is drawn from."""
        before_each()
        whole = self.with_fault(None, lambda env: self.run_to_its_end(*words, env=env))
        total = self.counted()
        self.assertGreater(total, 20, "nothing was counted")
        self.assertTrue(right(whole, whole))
        ended = 0
        for which in self.drawn(total, n, int(total * (1 - last))):
            before_each()
            done = self.with_fault(which, lambda env: self.run_to_its_end(*words, env=env))
            self.assert_ended_well(which, done, lambda done: right(done, whole))
            self.assert_nothing_left()
            ended += done.returncode == 3
        self.assertGreater(ended, 0, "no allocation failed")
        return whole

    # What is read from files comes out the same each time.

    def same(self, done, whole):
        return (done.returncode, done.stdout) == (whole.returncode, whole.stdout)

    def test_read(self):
        self.try_all(30, "read", CAPTURE, right=self.same)
        self.try_all(30, "read", "--json", CAPTURE, right=self.same)

    def test_replay(self):
        self.try_all(60, "replay", "--json", CASE, right=self.same)

    def test_pages(self):
        page = self.folder / "page.html"

        def right(done, whole):
            return self.same(done, whole) and page.read_text().endswith("</html>\n")
        self.try_all(30, "read", "--html", page, CAPTURE, right=right)
        self.try_all(30, "replay", "--ticket", "--html", page, CASE, right=right)

    # What is measured differs in its times; a run that could not look at something may know less.

    def fits(self, done, whole):
        def lines(text):
            return [d for d in self.documents(text) if "ports" in d]
        mine, those = lines(done.stdout), lines(whole.stdout)
        return len(mine) == len(those) and all(
            state in (right_state, "inconclusive", "unknown") and place in (right_place, "unknown", None)
            for m, t in zip(mine, those)
            for (state, place), (right_state, right_place) in zip(verdicts(m), verdicts(t), strict=True))

    def test_check(self):
        self.try_all(24, "check", "--json", *PORTS, TARGET, right=self.fits)

    def test_check_with_files(self):
        def right(done, whole):
            return done.returncode == whole.returncode and (self.folder / "page.html").read_text().endswith("</html>\n")
        self.try_all(8, "check", *PORTS, "--html", self.folder / "page.html", "-w", self.folder / "x.pcap", TARGET,
                     right=right)

    def try_saving(self, n, *words, last):
        """What is there is a case, or none; and the next run finds its place."""
        case = self.folder / "case"
        saved = []

        def clean():
            shutil.rmtree(case, ignore_errors=True)
            self.assertFalse(case.exists())

        def right(done, _):
            """It may know less, and the case knows as much."""
            return self.same(self.run_to_its_end("replay", "-q", case, env={"LD_PRELOAD": ""}), done)

        def check_left():
            if not (case / "facts.jsonl").exists():
                return clean()
            self.assertFalse(list(case.glob("*.part")))
            self.assertEqual(self.run_to_its_end("replay", "-q", case, env={"LD_PRELOAD": ""}).returncode, 1)
            saved.append(case)
            clean()

        self.try_all(n, *words, "--save", case, TARGET, right=right, before_each=check_left, last=last)
        self.assertGreater(len(saved), 0)

    def test_saving(self):
        self.try_saving(30, "inspect", "-q", *PORTS, last=1)
        self.try_saving(6, "check", "-q", *PORTS, last=0.2)

    def test_check_many(self):
        self.try_all(5, "check", "--json", *PORTS, *[TARGET] * 9, right=self.fits)

    def test_inspect(self):
        self.try_all(16, "inspect", "--json", *PORTS, TARGET, right=self.fits)

    def test_serve(self):
        def run(env):
            child = self.start("serve", "--listen", f"127.0.0.1:{LISTEN}", env=env)
            answer, deadline = None, time.monotonic() + 10
            while answer is None and child.poll() is None and time.monotonic() < deadline:
                connection = http.client.HTTPConnection("127.0.0.1", LISTEN, timeout=10)
                try:
                    connection.request("GET", f"/probe?target={TARGET}&ports=25,587")
                    response = connection.getresponse()
                    answer = f"{response.status}\n{response.read().decode()}"
                except ConnectionRefusedError:
                    time.sleep(0.01)
                except (http.client.HTTPException, OSError):
                    answer = ""     # the daemon turned it away, or the process has ended
                finally:
                    connection.close()
            child.send_signal(signal.SIGTERM)
            out, err = child.communicate(timeout=10)
            return subprocess.CompletedProcess("serve", child.returncode, answer or "", err)

        whole = self.with_fault(None, run)
        total = self.counted()
        self.assertRegex(whole.stdout, r'\A200\n(?s:.*)port="25"')
        for which in self.drawn(total, 10):
            done = self.with_fault(which, run)
            # an answer is whole, or none: then the scraper asks again
            self.assert_ended_well(which, done, lambda done: not done.stdout.startswith("200") or
                                   len(done.stdout.splitlines()) == len(whole.stdout.splitlines()))
            self.assert_nothing_left()


if __name__ == "__main__":
    common.main(__doc__)
