# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of this folder share: runs of the program in a lab's client, and what they may leave: nothing."""
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "program"))
import killed

TARGET = os.environ.get("TARGET4")
CASE = ROOT / "pcaps" / "way-drop-isp2-25"
CAPTURE = ROOT / "pcaps" / "answer-lost.pcap"
TIMEOUT_SECONDS = 30


class Faults(unittest.TestCase):
    maxDiff = None
    program = None
    helpers = []        # paths of what was built for this test
    environment = {}    # of every run

    @classmethod
    def setUpClass(cls):
        cls.residents = set(killed.processes())

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext_(tempfile.TemporaryDirectory()))
        self.temporary = pathlib.Path(self.enterContext_(tempfile.TemporaryDirectory()))

    def enterContext_(self, context):
        """enterContext() of Python 3.11, by what 3.9 has, too."""
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def tearDown(self):
        self.assert_nothing_left()

    def assert_nothing_left(self):
        def survivors():
            return {pid: words for pid, words in killed.processes().items() if pid not in self.residents}
        for what, find in (("processes", survivors), ("tables", killed.our_tables),
                           ("temporary files", lambda: os.listdir(self.temporary))):
            found = killed.wait_until_gone(find)
            self.assertFalse(found, f"{what} left: {found}")

    def command(self, *words):
        return [self.program, *map(str, words)]

    def variables(self, **more):
        return {**os.environ, "TMPDIR": str(self.temporary), **self.environment, **more}

    def start(self, *words, before=(), **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen([*before, *self.command(*words)], text=True, errors="replace", cwd=self.folder,
                                env=self.variables(**options.pop("env", {})), **options)

    def run_to_its_end(self, *words, **options):
        """The finished run, with its output where that was not sent elsewhere."""
        child = self.start(*words, **options)
        try:
            out, err = child.communicate(timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
            self.fail(f"{words}: it hangs; so far {out!r}, {err!r}")
        return subprocess.CompletedProcess(words, child.returncode, out, err)

    def shell(self, redirections, *words):
        """The same, with its descriptors as a shell would set them up."""
        return self.run_to_its_end(*words, before=["sh", "-c", f'"$@" {redirections}', "sh"])

    def documents(self, text):
        return [json.loads(line) for line in text.splitlines()]

    def reports(self, done):
        return [d for d in self.documents(done.stdout) if d["schema"] == "smtpblame.report/1"]

    def states(self, report):
        return {port["port"]: port["state"] for port in report["ports"]}

    def assert_says(self, done, status, pattern):
        self.assertEqual(done.returncode, status, f"{done.stdout}{done.stderr}")
        self.assertRegex(done.stderr, r"\A(smtpblame: [^\n]+\n)+\Z")
        self.assertRegex(done.stderr, pattern)


@contextlib.contextmanager
def small_disk(size):
    """A folder of a file system of its own; the caller's mount namespace must be its own, too."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=True)
        try:
            yield pathlib.Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def fill(folder, leave=0):
    """Takes all room but about so many bytes."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as out:
        with contextlib.suppress(OSError):
            while True:
                out.write(bytes(4096))
        if leave:
            out.truncate(max(0, out.tell() - leave))


def own_mounts():
    """Begins this program anew in a mount namespace of its own, once."""
    if os.environ.get("FAULTS_OWN_MOUNTS") != "1":
        os.environ["FAULTS_OWN_MOUNTS"] = "1"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])


def main(doc, needs_lab=True):
    """NAME.py PROGRAM [HELPER...] [-- words of unittest]"""
    words, rest = sys.argv[1:], []
    if "--" in words:
        at = words.index("--")
        words, rest = words[:at], words[at + 1:]
    if not words or (needs_lab and not TARGET):
        sys.exit(doc)
    Faults.program = os.path.abspath(words[0])
    Faults.helpers = [os.path.abspath(word) for word in words[1:]]
    unittest.main(module="__main__", argv=[sys.argv[0], *rest])
