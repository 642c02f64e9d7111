#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outputs in docs/worked-cases.md are what the program prints.

    worked_cases.py PROGRAM             compares
    worked_cases.py PROGRAM --update    writes them anew
"""
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "worked-cases.md"
COMMAND = re.compile(r" {4}\$ (smtpblame .*)")
# stands before a command of whose output only a part is shown
PART = re.compile(r'<!-- (?:from "(.*?)" ?)?(?:to "(.*?)" )?-->')


def output_of(command, part, path):
    done = subprocess.run([f"{path}/smtpblame", *command.split()[1:]], cwd=ROOT, capture_output=True, text=True,
                          timeout=60, env={"LC_ALL": "C.UTF-8"})
    lines = done.stdout.splitlines()
    if done.stderr or not lines:
        sys.exit(f"{command}: {done.stderr or 'prints nothing'}")
    first, behind = 0, len(lines)
    if part and part[1]:
        first = next(i for i, line in enumerate(lines) if re.search(part[1], line))
    if part and part[2]:
        behind = next(i for i, line in enumerate(lines) if i > first and re.search(part[2], line))
    shown = ["..."] * (first > 0) + lines[first:behind]
    while not shown[-1]:
        shown.pop()
    return [f"    {line}".rstrip() for line in shown + ["..."] * (behind < len(lines))]


def written_anew(lines, path):
    """The page with each command's output behind it, and how many commands there are."""
    new, n, at = [], 0, 0
    while at < len(lines):
        line = lines[at]
        new.append(line)
        at += 1
        command = COMMAND.fullmatch(line)
        if not command:
            continue
        n += 1
        # what stands there now: indented lines, and empty ones among them
        while at < len(lines) and (lines[at].startswith("    ") or
                                   (not lines[at] and any(l.startswith("    ") for l in lines[at + 1:at + 2]))):
            at += 1
        new += output_of(command[1], PART.fullmatch(new[-2]), path)
    return new, n


def main():
    lines = PAGE.read_text().splitlines()
    with tempfile.TemporaryDirectory() as path:
        os.symlink(os.path.abspath(sys.argv[1]), f"{path}/smtpblame")
        new, n = written_anew(lines, path)
    if sys.argv[2:] == ["--update"]:
        PAGE.write_text("\n".join(new) + "\n")
        return 0
    for line in difflib.unified_diff(lines, new, "docs/worked-cases.md", "what is printed", lineterm=""):
        print(line)
    if new != lines:
        print("stale: cmake --build build/dev --target update-docs, and look at the difference")
    print(f"{n} outputs")
    return 0 if new == lines and n >= 10 else 1


if __name__ == "__main__":
    sys.exit(main())
