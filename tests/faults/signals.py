#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A signal at any moment: the status that tells of it, whole lines only, and nothing left.

    lab exec way-drop-isp2-25 -- tests/faults/signals.py PROGRAM

The moments are drawn by lot from the length of an undisturbed run, half of them from its beginning.
program-killed does the same with SIGKILL; here it takes the program as it runs with --uid.
"""
import http.client
import random
import signal
import subprocess
import threading
import time

import common
from common import CAPTURE, TARGET

SEED = 11
PORTS = ("-p", "25,587")
END_SECONDS = 8
LISTEN = 9465
ENDED_BY = {number: (-number, 128 + number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
                                                           signal.SIGKILL)}


class Signals(common.Faults):
    def setUp(self):
        super().setUp()
        self.chance = random.Random(SEED)

    def moments(self, length, n):
        for i in range(n):
            yield self.chance.uniform(0, length if i % 2 else length / 8)

    def end(self, child, number, after):
        """(status, output, errors) of a run that gets the signal after so many seconds, if it lives as long."""
        try:
            out, err = child.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            child.send_signal(number)
            out, err = child.communicate(timeout=END_SECONDS)
        return child.returncode, out, err

    def assert_whole(self, text):
        """JSON Lines, the last one not cut off."""
        self.assertTrue(text == "" or text.endswith("\n"), text[-200:])
        return self.documents(text)

    def try_all(self, words, numbers, n, statuses):
        begin = time.monotonic()
        whole = self.run_to_its_end(*words)
        length, ended = time.monotonic() - begin, 0
        for number in numbers:
            for after in self.moments(length, n):
                status, out, err = self.end(self.start(*words), number, after)
                said = f"{signal.Signals(number).name} after {after:.3f} s: {status} {err!r}"
                if status == whole.returncode:
                    self.assertTrue(out, said)
                else:
                    self.assertIn(status, statuses(number), said)
                    ended += 1
                self.assertEqual(err, "", said)
                self.assert_whole(out)
                self.assert_nothing_left()
        self.assertGreater(ended, n * len(numbers) / 3, "hardly a run was still under way")

    def test_check(self):
        self.try_all(("check", "--json", *PORTS, TARGET), (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT),
                     2, ENDED_BY.get)

    def test_check_as_another_user(self):
        """That user may not signal the process which asks the kernel: it ends with the pipe between the two."""
        self.try_all(("check", "--json", "--uid", "nobody", *PORTS, TARGET),
                     (signal.SIGINT, signal.SIGTERM, signal.SIGHUP), 2, ENDED_BY.get)
        self.try_all(("check", "--json", "--uid", "nobody", *PORTS, TARGET), (signal.SIGKILL,), 8, ENDED_BY.get)

    def test_saving(self):
        """A case that was under way is no case, and none that is one is cut off."""
        for i, after in enumerate(self.moments(1.5, 5)):
            case = self.folder / f"case{i}"
            status, _, err = self.end(self.start("check", "-q", *PORTS, "--save", case, TARGET), signal.SIGTERM, after)
            self.assertIn(status, (1, *ENDED_BY[signal.SIGTERM]), err)
            if (case / "facts.jsonl").exists():
                self.assertEqual(self.run_to_its_end("replay", "-q", case).returncode, 1)

    def test_many(self):
        """The first signal brings what is known, with a last line that says how much was left."""
        words = ("check", "--json", *PORTS, *[TARGET] * 9)
        for number in (signal.SIGINT, signal.SIGTERM):
            for after in self.moments(2, 3):
                status, out, err = self.end(self.start(*words), number, after)
                documents = self.assert_whole(out)
                if status == 1:     # it was over
                    continue
                self.assertIn(status, ENDED_BY[number], err)
                if documents:
                    self.assertEqual(documents[-1]["schema"], "smtpblame.summary/1")
                    self.assertEqual(status, 128 + number)

    def test_read(self):
        """From a pipe that does not end."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            child = self.start("read", "--json", "-", stdin=subprocess.PIPE)
            child.stdin.buffer.write(CAPTURE.read_bytes())
            child.stdin.buffer.flush()
            time.sleep(0.2)
            self.assertIsNone(child.poll())
            child.send_signal(number)
            self.assertIn(child.wait(timeout=END_SECONDS), ENDED_BY[number])
            self.assert_whole(child.stdout.read())
            for stream in (child.stdin, child.stdout, child.stderr):
                stream.close()

    def test_watch(self):
        """Told to stop it does, between two looks at once, in one at its end; the status is that of the last one."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            after = self.chance.uniform(0, 3)
            child = self.start("watch", "--json", *PORTS, "--interval", "60", TARGET)
            status, out, err = self.end(child, number, after)
            self.assertIn(status, (0, 1, *(ENDED_BY[number] if after < 0.3 else ())), err)
            self.assert_whole(out)

    def test_serve(self):
        """A probe under way is answered, if only with the news that the exporter stops."""
        for number in (signal.SIGINT, signal.SIGTERM):
            for after in (0.1, 1.0):
                child = self.start("serve", "--listen", f"127.0.0.1:{LISTEN}")
                answers = []

                def ask():
                    while child.poll() is None:
                        connection = http.client.HTTPConnection("127.0.0.1", LISTEN, timeout=10)
                        try:
                            connection.request("GET", f"/probe?target={TARGET}&ports=25,587")
                            answers.append(connection.getresponse().status)
                            return
                        except ConnectionRefusedError:
                            time.sleep(0.01)
                        except (http.client.HTTPException, OSError) as e:
                            answers.append(repr(e))
                            return
                        finally:
                            connection.close()

                asking = threading.Thread(target=ask)
                asking.start()
                time.sleep(0.3)
                status, _, err = self.end(child, number, after)
                asking.join(timeout=END_SECONDS)
                self.assertEqual((status, err.count("\n")), (0, 1), err)     # where it listens
                self.assertIn(answers, ([200], [503]))


if __name__ == "__main__":
    common.main(__doc__)
