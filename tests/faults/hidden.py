#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program would look at is not there: /proc, /sys, the kernel's types, the sandbox's system calls.

    lab exec host-legacy-drop -- tests/faults/hidden.py PROGRAM

Each is said, and takes from the verdict no more than rests on it.
"""
import ctypes
import errno
import os
import pathlib
import platform
import shutil
import struct

import common
from common import CAPTURE, CASE, TARGET

PORTS = ("-p", "25,587")

# linux/seccomp.h, linux/filter.h
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7fff0000, 0x00050000
LOAD_NUMBER, LOAD_ARGUMENT, JUMP_IF, RETURN = (0x20, 0), (0x20, 16), 0x15, 0x06
LANDLOCK = (444, 445, 446)
SECCOMP, PRCTL = {"x86_64": (317, 157), "aarch64": (277, 167)}.get(platform.machine(), (None, None))


def without(numbers):
    """For a child: these system calls are not there. Where seccomp() is one of them, so is the older way to it."""
    lines = [(*LOAD_NUMBER, 0, 0)]
    for i, number in enumerate(numbers):
        lines.append((JUMP_IF, number, 0, 1))
        lines.append((RETURN, SECCOMP_RET_ERRNO | errno.ENOSYS, 0, 0))
    if SECCOMP in numbers:
        lines += [(JUMP_IF, PRCTL, 0, 3), (*LOAD_ARGUMENT, 0, 0), (JUMP_IF, PR_SET_SECCOMP, 0, 1),
                  (RETURN, SECCOMP_RET_ERRNO | errno.EINVAL, 0, 0)]
    lines.append((RETURN, SECCOMP_RET_ALLOW, 0, 0))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", c, t, f, k) for c, k, t, f in lines))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(lines), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)

    def enter():
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0):
            raise OSError(ctypes.get_errno(), "seccomp")
        enter.keep = code
    return enter


class Hidden(common.Faults):
    def hidden(self, folder, *words):
        return self.run_to_its_end(*words, before=["unshare", "--mount", "sh", "-c",
                                                   'mount -t tmpfs none "$0" && exec "$@"', folder])

    def report(self, done):
        self.assertEqual(done.stderr, "")
        report, = self.documents(done.stdout)
        return report, "\n".join(report["not_looked"])

    def test_check(self):
        """The socket and the tap tell who blocks; the rule's name is what it costs."""
        for folder, named, not_looked in (("/proc", False, "legacy iptables: .*(?s:.*)eBPF programs of the cgroup"),
                                          ("/sys", True, r"kernel's drop reasons: .*no type information \(BTF\)"),
                                          ("/sys/kernel/btf", True, r"no type information \(BTF\)")):
            with self.subTest(folder=folder):
                done = self.hidden(folder, "check", "--json", *PORTS, TARGET)
                report, missing = self.report(done)
                self.assertEqual((done.returncode, self.states(report)), (1, {25: "blocked", 587: "open"}))
                finding, = report["ports"][0]["findings"]
                self.assertEqual((finding["mechanism"], finding["place"]), ("silent-drop", "host"))
                self.assertEqual(finding["culprit"]["kind"] == "iptables-rule", named)
                self.assertRegex(missing, not_looked)

    def test_other_types(self):
        """A kernel that gives no reasons (before 5.17), one without the types that are needed, and half a file."""
        types = pathlib.Path("/sys/kernel/btf/vmlinux")
        if not types.exists():
            self.skipTest("this kernel has no type information")
        whole = types.read_bytes()
        for changed, not_looked in ((whole.replace(b"\0skb_drop_reason\0", b"\0xkb_drop_reason\0"), r"\A\Z"),
                                    (whole.replace(b"\0sk_buff\0", b"\0xk_buff\0"), "drop reasons: .*Invalid argument"),
                                    (whole[:len(whole) // 2], r"drop reasons: .*no type information \(BTF\)")):
            self.assertNotEqual(changed, whole)
            (self.folder / "types").write_bytes(changed)
            done = self.run_to_its_end("check", "--json", *PORTS, TARGET, before=[
                "unshare", "--mount", "sh", "-c", f'mount --bind types {types} && exec "$@"', "sh"])
            report, missing = self.report(done)
            self.assertEqual((done.returncode, self.states(report)), (1, {25: "blocked", 587: "open"}))
            self.assertEqual(report["ports"][0]["findings"][0]["culprit"]["kind"], "iptables-rule")
            self.assertRegex(missing, not_looked)

    def test_inspect(self):
        """Where a rule may stand that could not be read, nothing passes."""
        done = self.hidden("/proc", "inspect", "--json", *PORTS, TARGET)
        report, missing = self.report(done)
        self.assertEqual((done.returncode, [p["would"] for p in report["ports"]]), (4, ["unknown"] * 2))
        self.assertRegex(missing, "legacy iptables: ")
        done = self.hidden("/sys", "inspect", "--json", *PORTS, TARGET)
        self.assertEqual([p["would"] for p in self.report(done)[0]["ports"]], ["stop", "pass"])

    def mounted(self, mounts, *words, before=()):
        script = " && ".join(f"mount -t {mount}" for mount in mounts)
        return self.run_to_its_end(*words, before=["unshare", "--mount", "sh", "-c", f'{script} && exec "$@"', "sh",
                                                   *before])

    def test_hidden_processes(self):
        """hidepid=2: other users' processes are not there. For root nothing changes."""
        whole = [self.report(self.run_to_its_end(verb, "--json", *PORTS, TARGET)) for verb in ("check", "inspect")]
        for verb, (right, missing) in zip(("check", "inspect"), whole):
            found, less = self.report(self.mounted(["proc -o hidepid=2 none /proc"], verb, "--json", *PORTS, TARGET))
            self.assertEqual([(p["port"], p.get("state", p.get("would")), [f["culprit"] for f in p["findings"]])
                              for p in found["ports"]],
                             [(p["port"], p.get("state", p.get("would")), [f["culprit"] for f in p["findings"]])
                              for p in right["ports"]])
            self.assertEqual(less, missing)

    def test_hidden_processes_as_a_user(self):
        """Who has the capabilities only: the rule's name is what it costs, and it is said."""
        self.folder.chmod(0o755)
        self.program = shutil.copy(self.program, self.folder / "smtpblame")
        user = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--inh-caps=+net_raw,+net_admin",
                "--ambient-caps=+net_raw,+net_admin"]
        report, missing = self.report(self.mounted(["proc -o hidepid=2 none /proc"], "check", "--json", *PORTS, TARGET,
                                                   before=user))
        self.assertEqual(self.states(report), {25: "blocked", 587: "open"})
        finding, = report["ports"][0]["findings"]
        self.assertEqual((finding["place"], finding["culprit"]["kind"]), ("host", "unknown"))
        self.assertRegex(missing, "legacy iptables: .*Permission denied")

    def test_no_room_for_temporary_files(self):
        """Only a page needs one, and says so before anything is sent; files that are wanted there are named."""
        if os.path.realpath(self.program).startswith(("/tmp/", "/var/tmp/")):
            self.skipTest("the program itself would be hidden")
        for options, reason in (("ro", "Read-only file system"), ("size=4k,nr_inodes=1", "No space left on device")):
            mounts = [f"tmpfs -o {options} none {folder}" for folder in ("/tmp", "/var/tmp")]
            report, missing = self.report(self.mounted(mounts, "check", "--json", *PORTS, TARGET))
            self.assertEqual(self.states(report), {25: "blocked", 587: "open"})
            self.assertEqual((report["ports"][0]["findings"][0]["culprit"]["kind"], missing), ("iptables-rule", ""))
            for option, file, status in (("--html", "/dev/shm/smtpblame-page.html", 3), ("--html", "/tmp/page.html", 2),
                                         ("--save", "/tmp/case", 2), ("-w", "/tmp/x.pcap", 2)):
                done = self.mounted(mounts, "check", *PORTS, option, file, TARGET)
                self.assert_says(done, status, reason)
                self.assertEqual(done.stdout, "")
            self.assertFalse(os.path.exists("/dev/shm/smtpblame-page.html"))

    def test_readers(self):
        """They need neither."""
        for folder in ("/proc", "/sys"):
            for words in (("read", CAPTURE), ("replay", "--json", CASE)):
                whole, done = self.run_to_its_end(*words), self.hidden(folder, *words)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (whole.returncode, whole.stdout, ""))

    def test_no_sandbox(self):
        """An older kernel's; the results are the same, and it is said what does not hold."""
        if SECCOMP is None:
            self.skipTest("the numbers of this architecture's system calls are not known here")
        for numbers, what in ((LANDLOCK, "landlock"), ((SECCOMP,), "seccomp"), ((SECCOMP, *LANDLOCK), "landlock.*seccomp")):
            for words in (("read", CAPTURE), ("read", "--json", CAPTURE), ("replay", "--json", CASE)):
                whole = self.run_to_its_end(*words)
                done = self.run_to_its_end(*words, preexec_fn=without(numbers))
                self.assertEqual((done.returncode, done.stdout), (whole.returncode, whole.stdout), words)
                self.assert_says(done, whole.returncode, f"sandbox does not hold.*{what}")
            done = self.run_to_its_end("check", "--json", *PORTS, TARGET, preexec_fn=without(numbers))
            report, _ = self.report(done)
            self.assertEqual(self.states(report), {25: "blocked", 587: "open"})
            self.assertRegex(done.stdout, what)


if __name__ == "__main__":
    common.main(__doc__)
