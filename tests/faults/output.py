#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is printed and written when there is no room, nobody reads, or the descriptors are closed.

    lab exec open -- tests/faults/output.py PROGRAM
"""
import pathlib
import signal
import subprocess
import time

import common
from common import CAPTURE, CASE, TARGET

PORTS = ("-p", "25,587")
CHECKS = (("check", *PORTS, TARGET), ("check", "--json", *PORTS, TARGET), ("check", "-q", *PORTS, TARGET))
READERS = (("read", CAPTURE), ("read", "--json", CAPTURE), ("replay", CASE), ("replay", "--json", CASE),
           ("inspect", TARGET), ("check", "--help"), ("check", "--version"))
NO_ROOM = "No space left on device"


class Disk(common.Faults):
    def setUp(self):
        super().setUp()
        self.disk = self.enterContext_(common.small_disk("128k"))

    def test_case(self):
        """The verdict is printed all the same; of the case nothing stays, and the name can be taken again."""
        for leave in (0, 4096, 16384):
            common.fill(self.disk, leave)
            done = self.run_to_its_end("check", "-q", *PORTS, "--save", self.disk / "case", TARGET)
            self.assert_says(done, 3, f"--save .*{NO_ROOM}")
            self.assertIn(f"{TARGET} 25 open", done.stdout)
            self.assertEqual([p.name for p in self.disk.glob("case/*")], [])
            (self.disk / "filler").unlink()
        done = self.run_to_its_end("check", "-q", *PORTS, "--save", self.disk / "case", TARGET)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        again = self.run_to_its_end("replay", "-q", self.disk / "case")
        self.assertEqual((again.returncode, again.stdout), (0, done.stdout))

    def test_cases(self):
        """Of many targets those are there that had room."""
        targets = [TARGET] * 3
        whole = self.run_to_its_end("check", "-q", *PORTS, "--save", self.folder / "cases", *targets)
        self.assertEqual((whole.returncode, whole.stderr), (0, ""))
        size = sum(file.stat().st_size for file in (self.folder / "cases").rglob("*") if file.is_file())
        common.fill(self.disk, size // 2)
        done = self.run_to_its_end("check", "-q", *PORTS, "--save", self.disk / "cases", *targets)
        self.assert_says(done, 3, f"--save .*{NO_ROOM}")
        self.assertEqual(done.stdout, whole.stdout)
        self.assertEqual(list(self.disk.rglob("*.part")), [])
        cases = list(self.disk.rglob("facts.jsonl"))
        self.assertIn(len(cases), (1, 2))
        for facts in cases:
            again = self.run_to_its_end("replay", "-q", facts.parent)
            self.assertEqual((again.returncode, again.stderr), (0, ""))

    def test_case_of_who_called_sudo(self):
        done = self.run_to_its_end("check", "-q", *PORTS, "--save", self.folder / "case", TARGET,
                                   env={"SUDO_UID": "54321", "SUDO_GID": "54322"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for path in (self.folder / "case", *(self.folder / "case").iterdir()):
            self.assertEqual((path.stat().st_uid, path.stat().st_gid), (54321, 54322), path)

    def test_what_a_killed_save_left(self):
        """It is no case, and the next run says so instead of writing among it."""
        case = self.folder / "case"
        case.mkdir()
        (case / "packets.pcap.part").write_bytes(b"half")
        done = self.run_to_its_end("check", "-q", *PORTS, "--save", case, TARGET)
        self.assert_says(done, 2, "--save .*something in it already")
        self.assertEqual((case / "packets.pcap.part").read_bytes(), b"half")
        self.assert_says(self.run_to_its_end("replay", case), 2, "facts.jsonl: No such file")

    def test_packets(self):
        common.fill(self.disk)
        done = self.run_to_its_end("check", "--json", *PORTS, "-w", self.disk / "x.pcap", TARGET)
        self.assert_says(done, 3, f"-w .*{NO_ROOM}")
        self.assertEqual(self.states(*self.reports(done)), {25: "open", 587: "open"})

    def test_packets_of_a_run_that_never_was(self):
        """An older capture is not emptied by a mistake, and a new one is not left behind."""
        for older in (b"older", None):
            path = self.folder / "x.pcap"
            if older:
                path.write_bytes(older)
            done = self.run_to_its_end("check", *PORTS, "-w", path, "-i", "nosuch0", TARGET)
            self.assert_says(done, 2, "nosuch0")
            self.assertEqual(path.read_bytes() if path.exists() else None, older)
            path.unlink(missing_ok=True)

    def test_page(self):
        """An older page stays whole; where there was none, no half one is left."""
        for verb in (("check", "-q", *PORTS, TARGET), ("read", "--summary", CAPTURE), ("replay", "-q", CASE)):
            page = self.disk / "page.html"
            page.write_text("older")
            common.fill(self.disk, 4096)
            done = self.run_to_its_end(*verb, "--html", page)
            self.assert_says(done, 3, f"--html .*{NO_ROOM}")
            self.assertEqual(page.read_text(), "older", verb)
            page.unlink()
            common.fill(self.disk)
            self.assert_says(self.run_to_its_end(*verb, "--html", page), 3, f"--html .*{NO_ROOM}")
            self.assertEqual(page.read_bytes() if page.exists() else b"", b"", verb)
            page.unlink(missing_ok=True)
            (self.disk / "filler").unlink()
            self.run_to_its_end(*verb, "--html", page)
            self.assertTrue(page.read_text().endswith("</html>\n"))

    def test_page_replaces_a_longer_one(self):
        page = self.folder / "page.html"
        page.write_text("x" * 1000000)
        self.assertEqual(self.run_to_its_end("check", "-q", *PORTS, "--html", page, TARGET).returncode, 0)
        self.assertRegex(page.read_text(), r"(?s)\A<!DOCTYPE html>.*</html>\n\Z")

    def test_page_of_a_run_that_never_was(self):
        done = self.run_to_its_end("check", *PORTS, "--html", self.folder / "page.html", "-i", "nosuch0", TARGET)
        self.assert_says(done, 2, "nosuch0")
        self.assertFalse((self.folder / "page.html").exists())

    def test_output(self):
        """Half a document never comes with a status that says it is whole."""
        common.fill(self.disk)
        for words in (*CHECKS, *READERS):
            with self.subTest(words=words), open(self.disk / "out", "w") as out:
                self.assert_says(self.run_to_its_end(*words, stdout=out), 3, f"cannot write.*{NO_ROOM}")

    def test_no_temporary_file(self):
        """For the page: it is gathered there."""
        common.fill(self.disk)
        done = self.run_to_its_end("check", "-q", *PORTS, "--html", self.folder / "page.html", TARGET,
                                   env={"TMPDIR": str(self.disk)})
        if done.returncode != 0:    # glibc's tmpfile() goes to /tmp
            self.assert_says(done, 3, "--html")


class Descriptors(common.Faults):
    def test_closed(self):
        """What is opened in the place of a closed descriptor must not get what is meant for that."""
        for words in (*CHECKS, *READERS):
            with self.subTest(words=words):
                whole = self.run_to_its_end(*words)
                for closed in ("0<&-", "2>&-"):
                    done = self.shell(closed, *words)
                    self.assertEqual((done.returncode, done.stderr), (whole.returncode, ""), closed)
                    self.assertEqual(bool(done.stdout), bool(whole.stdout), closed)
                self.assert_says(self.shell("1>&-", *words), 3, "cannot write.*: Bad file descriptor")
                for redirections in ("0<&- 1>&- 2>&-", "1>/dev/full 2>/dev/full", "1>/dev/full 2>&-"):
                    done = self.shell(redirections, *words)
                    self.assertEqual((done.returncode, done.stdout, done.stderr), (3, "", ""), redirections)

    def test_closed_beside_files(self):
        page, packets = self.folder / "page.html", self.folder / "x.pcap"
        for closed in ("1>&-", "0<&- 1>&-", "0<&- 1>&- 2>&-"):
            done = self.shell(closed, "check", "--json", *PORTS, "--html", page, "-w", packets, TARGET)
            self.assertEqual(done.returncode, 3)
            for path in (page, packets):
                self.assertNotIn(b"smtpblame.report/1", path.read_bytes(), f"{path} with {closed}")
        done = self.shell("0<&- 2>&-", "check", "-q", *PORTS, "--save", self.folder / "case", TARGET)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.run_to_its_end("replay", "-q", self.folder / "case").stdout, done.stdout)

    def test_closed_input(self):
        for words in (("read", "-"), ("check", *PORTS, "-")):
            self.assert_says(self.shell("0<&-", *words), 2, "Bad file descriptor|no target")

    def test_nobody_reads(self):
        for words in (*CHECKS, *READERS):
            with self.subTest(words=words):
                child = self.start(*words)
                child.stdout.close()
                err = child.stderr.read()
                child.stderr.close()
                self.assertEqual(child.wait(timeout=common.TIMEOUT_SECONDS), 3, err)
                self.assertRegex(err, r"\Asmtpblame: cannot write[^\n]*: Broken pipe\n\Z")

    def test_somebody_reads_slowly(self):
        """A full pipe holds it up, and ends no dialogue wrongly."""
        child = self.start("check", "--json", *PORTS, *[TARGET] * 12)
        time.sleep(1.5)
        out, err = child.communicate(timeout=common.TIMEOUT_SECONDS)
        self.assertEqual((child.returncode, err), (0, ""))
        self.assertEqual([self.states(r) for r in self.documents(out) if r["schema"] == "smtpblame.report/1"],
                         [{25: "open", 587: "open"}] * 12)

    def test_terminated_while_nobody_takes_what_it_says(self):
        child = self.start("check", "--json", *PORTS, *[TARGET] * 12, stderr=subprocess.DEVNULL)
        time.sleep(1.5)
        self.assertIsNone(child.poll(), "the pipe holds it all: the test needs more targets")
        child.send_signal(signal.SIGTERM)
        self.assertIn(child.wait(timeout=8), (-signal.SIGTERM, 128 + signal.SIGTERM))
        child.stdout.close()


if __name__ == "__main__":
    common.own_mounts()
    common.main(__doc__)
