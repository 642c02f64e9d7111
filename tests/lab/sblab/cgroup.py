# SPDX-License-Identifier: GPL-3.0-or-later
"""Control groups (version 2) of the lab: one for a client, named after the lab's pid."""

import contextlib
import functools
import os
import pathlib
import re
import signal
import time

# Where programs look for it. Machines that still have version 1 keep version 2 elsewhere.
USUAL_ROOT = pathlib.Path("/sys/fs/cgroup")
NAME = re.compile(r"^sb(\d+)-client$")
GONE_SECONDS = 2.0


@functools.lru_cache(maxsize=None)
def root():
    """Where the tree of version 2 is mounted, or None."""
    with open("/proc/self/mounts", encoding="ascii", errors="replace") as f:
        for line in f:
            _device, place, kind, *_rest = line.split()
            if kind == "cgroup2":
                return pathlib.Path(place)
    return None


def make(pid):
    """The cgroup's name."""
    name = f"sb{pid}-client"
    (root() / name).mkdir(exist_ok=True)
    return name


def enter(name):
    """Move the calling process; sockets belong to the cgroup in which they are made."""
    (root() / name / "cgroup.procs").write_text("0")


@contextlib.contextmanager
def entered(name):
    if not name:
        yield
        return
    with open("/proc/self/cgroup", encoding="ascii") as f:
        home = next(line.strip().partition("::")[2] for line in f if line.startswith("0::"))
    enter(name)
    try:
        yield
    finally:
        (root() / home.lstrip("/") / "cgroup.procs").write_text("0")


def remove(name):
    """Take it away with the processes that are still in it, and the programs attached to it."""
    place = root() / name
    deadline = time.monotonic() + GONE_SECONDS
    while place.exists():
        with contextlib.suppress(OSError):
            for pid in (place / "cgroup.procs").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            place.rmdir()
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"cgroup {name} can't be removed")
        time.sleep(0.005)


def owned():
    """(name, owner's pid) of every cgroup of a lab."""
    if not root():
        return []
    return [(m.group(0), int(m.group(1))) for m in map(NAME.match, os.listdir(root())) if m]
