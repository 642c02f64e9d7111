#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures that others made, where they are at hand: public_captures.py SMTPBLAME

$SMTPBLAME_CAPTURES names a folder with smtp/ (healthy sessions: nothing in them is a block or an
interception, and every report is whole) and hostile/ (files made to break whoever reads them: an
end in time, an honest status, no word of a sanitizer). Either may be missing.
"""
import json
import os
import pathlib
import subprocess
import sys

SECONDS = 60
JSON_MAX = 64 << 20


PORTS = "21,22,25,53,80,110,143,443,465,587,993,995,2525,5060,8080"  # hostile ones are of any protocol


def read(program, path, *options):
    """Exit status, documents and standard error of one file."""
    run = subprocess.run([program, "read", "--json", *options, str(path)], capture_output=True, timeout=SECONDS,
                         check=False)
    if len(run.stdout) > JSON_MAX:
        raise ValueError(f"{len(run.stdout)} bytes of JSON")
    documents = [json.loads(line) for line in run.stdout.splitlines()]
    return run.returncode, documents, run.stderr.decode(errors="replace")


def faults_of(status, documents, stderr):
    if status not in (0, 1, 2, 4):
        yield f"exit status {status}"
    if "Sanitizer" in stderr or "runtime error" in stderr:
        yield stderr[:2000]
    if status == 2 and not stderr.startswith("smtpblame: "):
        yield f"no message: {stderr[:200]!r}"
    if status != 2:
        summary = documents[-1] if documents else {}
        if summary.get("schema") != "smtpblame.read-summary/1":
            yield "no summary"
        elif sum(summary["states"].values()) != len(documents) - 1:
            yield "the summary counts other connections"


def accused(documents):
    for d in documents:
        if d.get("state") in ("blocked", "intercepted"):
            yield f"{d['state']}: {d['summary']}"


def main():
    program, folder = sys.argv[1], os.environ.get("SMTPBLAME_CAPTURES")
    if not folder:
        print("skipped: $SMTPBLAME_CAPTURES names no folder of public captures")
        return 77
    counts, wrong = {}, []
    for kind in ("smtp", "hostile"):
        for path in sorted(p for p in (pathlib.Path(folder) / kind).rglob("*") if p.is_file()):
            try:
                status, documents, stderr = read(program, path, *(["-p", PORTS] if kind == "hostile" else []))
            except (ValueError, subprocess.TimeoutExpired) as e:
                wrong.append(f"{path}: {e}")
                continue
            found = list(faults_of(status, documents, stderr))
            if kind == "smtp":
                found += accused(documents)
            wrong += [f"{path}: {fault}" for fault in found]
            counts.setdefault(kind, [0, 0])
            counts[kind][0] += 1
            counts[kind][1] += max(len(documents) - 1, 0)
    if not counts:
        print(f"skipped: {folder} has neither smtp/ nor hostile/")
        return 77
    for kind, (files, connections) in counts.items():
        print(f"{kind}: {files} files, {connections} connections")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
