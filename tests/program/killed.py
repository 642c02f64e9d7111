#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed at any moment, the program leaves nothing behind.

    lab exec host-nft-drop -- tests/program/killed.py PROGRAM [TIMES [SEED]]
    lab exec host-bpf-egress -- tests/program/killed.py PROGRAM

Runs in a lab's client that stops port 25: by a rule, which the trace names, or by
an eBPF program, for which the kernel's drop reasons are looked at. SIGKILL comes at
a random moment of a run's life, to the program alone: what it forked has to notice,
and the kernel has to clean up what it held.
"""
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import time

TIMES, SEED = 200, 4
# Between a kill and the moment at which nothing may be left: children notice that
# they are alone, the kernel frees tables and programs behind a grace period.
GONE_SECONDS = 2.0
BUDGET_SECONDS = 55.0
OUR_PROGRAMS = re.compile(r"smtpblame|\bsb_")
COMMANDS = (
    "nft -s list ruleset", "iptables-legacy -t filter -S", "ip6tables-legacy -t filter -S",
    "ip -4 rule", "ip -6 rule", "ip -4 route show table all", "ip -6 route show table all",
    "ip -o address", "ip -o link", "ip xfrm policy", "tc qdisc show", "tc filter show dev eth0",
    "ip netns list",
)
LAB_NAMESPACE = re.compile(r"^sb\d+-")   # those of labs beside this one come and go
# What counts up or down by itself.
VOLATILE = re.compile(r"counter packets \d+ bytes \d+|expires \d+sec|valid_lft \S+|preferred_lft \S+| \(id: \d+\)")


def state():
    """What a run could leave in the kernel, as text."""
    found = {}
    for command in COMMANDS:
        done = subprocess.run(command.split(), capture_output=True, text=True)
        lines = [VOLATILE.sub("", line) for line in done.stdout.splitlines() if not LAB_NAMESPACE.match(line)]
        # Routes of the table "local" and neighbours' cached ones are the kernel's own; their order is not fixed.
        found[command] = sorted(lines) if " route " in command else lines
    found["eBPF"] = our_programs()
    found["/proc/net/ip_tables_names"] = read("/proc/thread-self/net/ip_tables_names")
    found["/proc/net/ip6_tables_names"] = read("/proc/thread-self/net/ip6_tables_names")
    return found


def read(path):
    try:
        return pathlib.Path(path).read_text(encoding="ascii")
    except OSError:
        return None


def our_programs():
    """eBPF programs and links by which a run could have looked. They are the whole machine's, so another run that
    is under way on it would be taken for this one's."""
    found = []
    for kind in ("prog", "link"):
        done = subprocess.run(["bpftool", kind, "show"], capture_output=True, text=True)
        found += [line for line in done.stdout.splitlines() if OUR_PROGRAMS.search(line)]
    return found


def processes():
    """{pid: words} of all in this network namespace: but for this test nobody is at home in the lab's client."""
    home, found = os.readlink("/proc/self/ns/net"), {}
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            state = (place / "stat").read_text().rsplit(")", 1)[1].split()[0]
            if state != "Z" and os.readlink(place / "ns/net") == home:
                found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    return found


def wait_until_gone(what):
    """What what() still finds when the time is over."""
    deadline = time.monotonic() + GONE_SECONDS
    while True:
        found = what()
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


class Runs:
    def __init__(self, program, target, temporary):
        self.command = [program, "check", "--json", "-p", "25,587", target]
        self.environment = {**os.environ, "TMPDIR": temporary}
        self.residents = set(processes())
        self.temporary = temporary

    def start(self):
        return subprocess.Popen(self.command, env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def whole(self):
        """Seconds of an undisturbed run, and its exit status."""
        begin = time.monotonic()
        status = self.start().wait(timeout=20)
        return time.monotonic() - begin, status

    def survivors(self):
        return {pid: words for pid, words in processes().items() if pid not in self.residents}

    def killed(self, after):
        """One run, killed; whether it was still under way. Raises AssertionError with what stayed."""
        child = self.start()
        try:
            child.wait(timeout=after)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        status = child.wait()
        for what, found in (("processes", wait_until_gone(self.survivors)),
                            ("files", os.listdir(self.temporary)),
                            ("tables", wait_until_gone(our_tables))):
            assert not found, f"{what} left: {found}"
        return status == -signal.SIGKILL


def our_tables():
    done = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if "smtpblame" in line]


def difference(before, after):
    return [f"{name}: before {before[name]!r}, after {after[name]!r}" for name in before if before[name] != after[name]]


def main():
    if len(sys.argv) < 2 or "TARGET4" not in os.environ:
        sys.exit(__doc__)
    times = int(sys.argv[2]) if len(sys.argv) > 2 else TIMES
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else SEED
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as temporary:
        runs = Runs(os.path.abspath(sys.argv[1]), os.environ["TARGET4"], temporary)
        before = state()
        length, status = runs.whole()
        if status != 1:
            sys.exit(f"an undisturbed run ends with {status}, not 1: this is the wrong place for the test")
        begin, done, midst = time.monotonic(), 0, 0
        while done < times:
            # Setting up and taking away are short against waiting: half the kills go to the first tenth.
            after = chance.uniform(0, length) if done % 2 else chance.uniform(0, length / 10)
            try:
                midst += runs.killed(after)
            except AssertionError as e:
                sys.exit(f"seed {seed}, run {done}, killed after {after * 1000:.1f} ms: {e}")
            done += 1
            if time.monotonic() - begin > BUDGET_SECONDS:
                break
        left = wait_until_gone(lambda: difference(before, state()))
    if left:
        sys.exit(f"seed {seed}, {done} runs: not as it was: " + "; ".join(left))
    if midst < done / 2:
        sys.exit(f"only {midst} of {done} runs were under way when they were killed")
    print(f"{done} runs, {midst} of them killed in their midst (a whole one takes {length * 1000:.0f} ms): "
          "nothing is left")
    if done < times:
        sys.exit(f"only {done} of {times} in {BUDGET_SECONDS:.0f} s")


if __name__ == "__main__":
    main()
