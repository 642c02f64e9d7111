# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures of a scenario, as tcpdump takes them at its nodes."""

import contextlib
import pathlib
import subprocess
import time

from . import process

MAIL_CLIENT = pathlib.Path(__file__).resolve().parent.parent / "mail_client.py"

# TLS says nothing more behind its first bytes, and a case is to be small
SNAP_LENGTH = 1600
FILTER = "tcp port 25 or tcp port 465 or tcp port 587 or icmp or icmp6[0] < 128"
READY_SECONDS = 5


@contextlib.contextmanager
def taken(network, node, path):
    """Everything that passes the node's interfaces in the meantime goes to `path`."""
    log = path.with_suffix(".log")
    with log.open("wb") as errors, network.inside(node):
        child = process.start(["tcpdump", "-i", "any", "-n", "-U", "--immediate-mode", "-s", str(SNAP_LENGTH), "-w", str(path),
                               "-Z", "root", FILTER], stdout=subprocess.DEVNULL, stderr=errors)
    try:
        wait_until_ready(log)
        yield
    finally:
        process.stop([child])
        log.unlink(missing_ok=True)


def wait_until_ready(log):
    deadline = time.monotonic() + READY_SECONDS
    while "listening on" not in log.read_text(errors="replace"):
        if time.monotonic() > deadline:
            raise RuntimeError(f"tcpdump is not ready: {log.read_text(errors='replace')}")
        time.sleep(0.02)


def settle(seconds):
    """What the two ends' stacks still have to say after the programs are gone."""
    time.sleep(seconds)
