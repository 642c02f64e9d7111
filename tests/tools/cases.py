#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases under pcaps/: does each give the report that is saved in it?

    cases.py PROGRAM            replays all; exit status 1 and the differences where one does not
    cases.py PROGRAM --write    the same, and then saves what the program says now

What is in a case but its report stays as it is.
"""
import difflib
import json
import pathlib
import re
import subprocess
import sys

PCAPS = pathlib.Path(__file__).resolve().parents[2] / "pcaps"
VERSION = re.compile(rb'"tool":\{"name":"smtpblame","version":"[^"]*"\}')
STATUS_OF = {"open": 0, "pass": 0, "inconclusive": 4, "unknown": 4}


def expected_status(report):
    found = {STATUS_OF.get(port.get("state") or port["would"], 1) for port in report["ports"]}
    return next(status for status in (1, 4, 0) if status in found)


def pretty(report):
    return json.dumps(report, indent=1).splitlines()


def difference(program, folder):
    """Lines that say what is different, and the report as it is now; no lines where nothing is."""
    done = subprocess.run([program, "replay", folder], capture_output=True)
    saved = (folder / "report.json").read_bytes()
    try:
        now = json.loads(done.stdout)
    except json.JSONDecodeError:
        return [f"exit status {done.returncode}: {done.stderr.decode(errors='replace')}"], None
    if VERSION.sub(b"", done.stdout) != VERSION.sub(b"", saved):
        return list(difflib.unified_diff(pretty(json.loads(saved)), pretty(now), "saved", "now", lineterm="")), done.stdout
    if done.returncode != expected_status(now):
        return [f"exit status {done.returncode}, by its ports {expected_status(now)}"], None
    return [], None


def main():
    program, write = sys.argv[1], "--write" in sys.argv[2:]
    folders = sorted(path.parent for path in PCAPS.glob("*/facts.jsonl"))
    told = (PCAPS / "README.md").read_text()
    failed = [] if folders else ["there is no case under pcaps/"]
    for folder in folders:
        lines, now = difference(program, folder)
        if lines:
            print(f"--- {folder.name}", *lines, sep="\n")
        if lines and write and now:
            (folder / "report.json").write_bytes(now)
        elif lines:
            failed.append(folder.name)
        if f"`{folder.name}`" not in told:
            failed.append(f"{folder.name} is not in pcaps/README.md")
    for name in failed:
        print(f"cases: {name}")
    print(f"{len(folders)} cases, {len(failed)} complaints")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
