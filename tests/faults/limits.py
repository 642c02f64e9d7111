#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Few descriptors, no further process, little address space, and descriptors without end.

    lab exec open -- tests/faults/limits.py PROGRAM
"""
import resource
import shutil

import common
from common import CAPTURE, CASE, TARGET

PORTS = ("-p", "25,587")
NO_MORE = "Resource temporarily unavailable"
USER = 54321     # nobody else's
OPEN = {25: "open", 587: "open"}


class Limits(common.Faults):
    def limited(self, limits, *words):
        """A run under these resource limits."""
        def set_limits():
            for which, value in limits.items():
                resource.setrlimit(which, (value, value))
        return self.run_to_its_end(*words, preexec_fn=set_limits)

    def files(self, n, *words):
        return self.limited({resource.RLIMIT_NOFILE: n}, *words)

    def test_few_descriptors(self):
        """Too few to begin with is an error that says so, and never a verdict."""
        judged = 0
        for n in (64, 48, 32, 24, 20, 16, 12, 8, 6, 5):
            done = self.files(n, "check", "--json", *PORTS, TARGET)
            if done.returncode == 0:
                self.assertEqual([self.states(r) for r in self.reports(done)], [OPEN])
                judged += 1
            else:
                self.assert_says(done, 3, "Too many open files|netlink")
        self.assertGreater(judged, 0)

    def test_many_targets(self):
        """Fewer at a time, down to one; all are judged."""
        for n in (1024, 64, 30, 20):
            done = self.files(n, "check", "--json", *PORTS, *[TARGET] * 9)
            self.assertEqual((done.returncode, done.stderr), (0, ""), n)
            self.assertEqual([self.states(r) for r in self.reports(done)], [OPEN] * 9, n)

    def test_fewer_at_a_time_than_asked_for(self):
        done = self.files(300, "check", "-q", *PORTS, "--concurrency", "500", TARGET)
        self.assert_says(done, 0, r"\d+ at a time instead of 500: open files \(ulimit -n\)")

    def test_readers(self):
        for words, status in ((("read", CAPTURE), 1), (("replay", "--json", CASE), 1)):
            whole = self.run_to_its_end(*words)
            for n in (16, 8, 6):
                done = self.files(n, *words)
                self.assertEqual((done.returncode, done.stdout), (status, whole.stdout), (words, n, done.stderr))

    def test_no_end_of_descriptors(self):
        """As many as there may be: numbers of them fit, and nothing goes through all."""
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        for n in (min(1 << 20, most), most):
            done = self.files(n, "check", "--json", *PORTS, TARGET)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.states(*self.reports(done)), OPEN)

    def processes(self, n, *words):
        """As a user of no other process, who may have so many; root may always have more."""
        self.folder.chmod(0o755)
        mine = self.folder / "smtpblame"    # where that user may read it
        if not mine.exists():
            shutil.copy(self.program, mine)
        capabilities = "+net_raw,+net_admin"
        return self.run_to_its_end(*words, before=[
            "prlimit", f"--nproc={n}", "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
            f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}", "sh", "-c", 'shift; exec "$0" "$@"', mine])

    def test_no_further_process(self):
        """What needs another is not looked at, or an error that says so."""
        for n in (1, 2):
            done = self.processes(n, "check", "--json", *PORTS, TARGET)
            self.assert_says(done, 3, f"capture thread: {NO_MORE} .*ulimit -u")
            self.assertEqual(done.stdout, "")
            done = self.processes(n, "inspect", "--json", *PORTS, TARGET)
            self.assertEqual((done.returncode, done.stderr), (4, ""))
            report, = self.documents(done.stdout)
            self.assertEqual([port["would"] for port in report["ports"]], ["unknown"] * 2)
            self.assertRegex("\n".join(report["not_looked"]), f"no process could be made|{NO_MORE}")
        self.assert_says(self.processes(1, "read", CAPTURE), 3, f"no thread: {NO_MORE} .*ulimit -u")
        for n, words in ((1, ("replay", "--json", CASE)), (2, ("read", CAPTURE))):
            self.assertEqual(self.processes(n, *words).stdout, self.run_to_its_end(*words).stdout)
        for targets in (1, 3):
            done = self.processes(3, "check", "--json", *PORTS, *[TARGET] * targets)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual([self.states(r) for r in self.reports(done)], [OPEN] * targets)

    def test_little_address_space(self):
        """Somewhere between too little to be loaded and enough: a message, or all of it."""
        ends = set()
        for megabytes in (16, 32, 48, 64, 96, 128, 192, 256, 512):
            done = self.limited({resource.RLIMIT_AS: megabytes << 20}, "check", "--json", *PORTS, TARGET)
            ends.add(done.returncode)
            said = f"{megabytes} MB: {done.returncode} {done.stderr!r}"
            if done.returncode == 127:  # the dynamic linker's
                continue
            if done.returncode == 3:
                self.assertRegex(done.stderr, r"\A(smtpblame: [^\n]+\n)+\Z", said)
                continue
            self.assertEqual(done.returncode, 0, said)
            self.assertEqual(self.states(*self.reports(done)), OPEN, said)
            self.assert_nothing_left()
        self.assertIn(3, ends)


if __name__ == "__main__":
    common.main(__doc__)
