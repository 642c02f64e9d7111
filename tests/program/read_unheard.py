#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`smtpblame read - | head -1`: when nobody takes what is printed, reading ends, though the input goes on.

    read_unheard.py GENCAP SMTPBLAME
"""
import pathlib
import struct
import subprocess
import sys
import tempfile

CONNECTIONS = "300"
SECONDS_APART = 3600  # longer than a connection may be silent
ROUNDS_MAX = 400      # 3 million packets: many times what can be under way


def rounds(capture):
    """The capture's packets again and again, later each time."""
    header, records = capture[:24], bytearray(capture[24:])
    yield header + records
    for _ in range(ROUNDS_MAX):
        at = 0
        while at < len(records):
            seconds, _, length, _ = struct.unpack_from("<IIII", records, at)
            struct.pack_into("<I", records, at, seconds + SECONDS_APART)
            at += 16 + length
        yield records


def unheard(program, capture, *options):
    """What is wrong, or None."""
    child = subprocess.Popen([program, "read", *options, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    written = 0
    try:
        for packets in rounds(capture):
            child.stdin.write(packets)
            child.stdin.flush()
            written += 1
            if written == 2:    # the first round's connections are over now
                line = child.stdout.readline()
                child.stdout.close()
                if not line:
                    return "it printed nothing"
        return f"it still reads after {written} rounds"
    except BrokenPipeError:
        pass
    finally:
        try:
            child.stdin.close()
        except BrokenPipeError:
            pass
        said = child.stderr.read().decode()
        child.stderr.close()
        status = child.wait()
    if (status, said) != (3, "smtpblame: cannot write: Broken pipe\n"):
        return f"status {status}, {said!r}"
    return None


def main():
    gencap, program = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "made.pcap")
        subprocess.run([gencap, "-n", CONNECTIONS, path, path.with_suffix(".truth")], check=True)
        capture = path.read_bytes()
    wrong = []
    for options in (("--json",), ()):
        fault = unheard(program, capture, *options)
        if fault:
            wrong.append(f"read {' '.join(options)}: {fault}")
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
