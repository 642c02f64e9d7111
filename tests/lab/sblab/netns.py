# SPDX-License-Identifier: GPL-3.0-or-later
"""Network namespaces: names that tell their owner, entering them, running ip(8) batches."""

import contextlib
import ctypes
import os
import re
import subprocess

NETNS_DIR = "/run/netns"
CLONE_NEWNET = 0x40000000
# The owner's pid is part of the name, so that `lab clean` can tell an abandoned
# namespace from one in use, and several labs never meet.
NAME = re.compile(r"^sb(\d+)-([a-z0-9]+)$")

libc = ctypes.CDLL(None, use_errno=True)


def namespace_name(pid, node):
    return f"sb{pid}-{node}"


def owned_namespaces(pid):
    """Names of the namespaces that the lab process `pid` created."""
    return [name for name, owner in lab_namespaces() if owner == pid]


def lab_namespaces():
    """(name, owner pid) of every lab namespace of this machine."""
    try:
        names = sorted(os.listdir(NETNS_DIR))
    except FileNotFoundError:
        return []
    return [(m.group(0), int(m.group(1))) for m in map(NAME.match, names) if m]


def setns(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        err = ctypes.get_errno()
        raise OSError(err, "setns: " + os.strerror(err))


@contextlib.contextmanager
def entered(name):
    """Run the body (and the processes it starts) inside namespace `name`.

    Moves the calling thread only; the lab has just one.
    """
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(f"{NETNS_DIR}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            setns(home)
    finally:
        os.close(home)


def ip_batch(lines, family=None):
    """Give `lines` to one ip(8) process; raise with ip's own words if one fails."""
    if not lines:
        return
    command = ["ip"] + ([family] if family else []) + ["-batch", "-"]
    checked(command, text="\n".join(lines) + "\n")


def checked(command, text=None, **options):
    """Run a configuration command to its end; raise RuntimeError with its output if it fails."""
    done = subprocess.run(command, input=text, text=True, capture_output=True, timeout=30, **options)
    if done.returncode != 0:
        what = command if isinstance(command, str) else " ".join(command)
        detail = (done.stderr or done.stdout).strip()
        raise RuntimeError(f"{what}: exit status {done.returncode}: {detail}")
    return done.stdout


def delete(names):
    """Remove namespaces by name; those that are already gone don't matter."""
    present = [name for name in names if os.path.exists(f"{NETNS_DIR}/{name}")]
    if present:
        subprocess.run(["ip", "-force", "-batch", "-"], text=True, capture_output=True,
                       input="".join(f"netns del {name}\n" for name in present), timeout=30)
