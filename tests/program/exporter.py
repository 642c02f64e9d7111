# SPDX-License-Identifier: GPL-3.0-or-later
"""For the tests of `serve`: the exporter, started, and ended with the test."""
import os
import socket
import subprocess
import sys
import time
import unittest

PROGRAM = os.path.abspath(sys.argv[1])
ADDRESS = ("127.0.0.1", 9725)  # where it listens by itself
PATIENCE_SECONDS = 15.0


class ExporterTest(unittest.TestCase):
    def start(self, *options):
        run = subprocess.Popen([PROGRAM, "serve", *options], stderr=subprocess.PIPE, text=True)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        self.addCleanup(run.stderr.close)
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until and run.poll() is None:
            try:
                socket.create_connection(ADDRESS, 1).close()
                return run
            except OSError:
                time.sleep(0.02)
        self.fail("it does not listen")
