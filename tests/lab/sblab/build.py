# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own programs in C: found where the build made them, else compiled here."""

import os
import pathlib
import tempfile

from . import netns

LAB = pathlib.Path(__file__).resolve().parent.parent
PROJECT = LAB.parent.parent


def program(name):
    """The newest built program of tests/lab/NAME.c that is not older than its sources; built here if there is none."""
    source = LAB / f"{name}.c"
    newest = max(path.stat().st_mtime for path in LAB.glob(f"{name}*.[ch]"))
    own = PROJECT / "build/lab" / name
    builds = [PROJECT / "build" / kind / place / name for kind in ("dev", "release") for place in (".", "tests")]
    candidates = [os.environ.get(name.upper()), *builds, own]
    for path in filter(None, candidates):
        path = pathlib.Path(path)
        if path.exists() and path.stat().st_mtime >= newest:
            return path
    own.parent.mkdir(parents=True, exist_ok=True)
    fd, new = tempfile.mkstemp(dir=own.parent, prefix=f"{name}-")
    os.close(fd)
    try:
        netns.checked(["cc", "-O2", "-std=c17", "-Wall", "-Wextra", "-o", new, str(source)])
        os.replace(new, own)  # several labs may build at once: each replaces the whole file
    except BaseException:
        os.unlink(new)
        raise
    return own
