#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads every capture under pcaps/ and compares with the expected result beside it.

    pcaps.py SMTPBLAME              the test
    pcaps.py SMTPBLAME --update     shows what would change, asks, and writes it
    pcaps.py SMTPBLAME --make NAME  writes NAME.pcap's expected result only

NAME.pcap is read by itself; NAME.client.pcap and NAME.server.pcap are read together.
NAME.json is what `smtpblame read --json` prints, with the exit status in a last line.
Every row of the table of captures must be reached by one of them.
"""
import difflib
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PCAPS = ROOT / "pcaps"
RULES = ROOT / "docs" / "rules.md"
VALIDATE = ROOT / "tests" / "unit" / "report" / "validate.py"


def cases():
    """Name and files of each."""
    for path in sorted(PCAPS.glob("*.pcap")):
        if path.name.endswith(".server.pcap"):
            continue
        if path.name.endswith(".client.pcap"):
            name = path.name.removesuffix(".client.pcap")
            yield name, [path.name, f"{name}.server.pcap"]
        else:
            yield path.stem, [path.name]


def result_of(program, files):
    run = subprocess.run([program, "read", "--json", *files], cwd=PCAPS, capture_output=True, text=True, timeout=60,
                         check=False)
    if run.stderr and not run.stderr.startswith("smtpblame: "):
        sys.exit(f"{files}: {run.stderr}")
    return run.stdout + json.dumps({"exit": run.returncode}) + "\n"


def readable(text):
    """One line a value: a line of JSON is too long for a diff."""
    lines = []
    for line in text.splitlines():
        lines += json.dumps(json.loads(line), indent=1).splitlines()
    return lines


def difference(name, old, new):
    return list(difflib.unified_diff(readable(old), readable(new), f"{name}.json", "now", n=2, lineterm=""))


def rules_of(text):
    rules = set()
    for line in map(json.loads, text.splitlines()):
        rules |= {f["rule"] for f in line.get("findings", [])}
        if line.get("path_probes"):
            rules.add("capture-probes")  # counted, not told one by one
    return rules


def misnamed(name, text):
    """A handmade capture bears the name of its row: an update that loses it is no update."""
    rules = rules_of(text)
    if name.startswith("open-") or name == "pair-changes-nothing":
        return bool(rules)
    wanted = name if name.startswith("pair-") else f"capture-{name}"
    return not name.startswith("lab-") and wanted not in rules


def unreached(results):
    rows = re.findall(r"^### ((?:capture|pair)-\S+)$", RULES.read_text(encoding="utf-8"), re.M)
    seen = set().union(*map(rules_of, results))
    # a healthy connection has no finding, and so no rule
    return [row for row in rows if row not in seen and row != "capture-open"]


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    update = "--update" in sys.argv
    only = sys.argv[sys.argv.index("--make") + 1] if "--make" in sys.argv else None
    failed, changed, results = 0, [], []
    for name, files in cases():
        expected = PCAPS / f"{name}.json"
        old = expected.read_text(encoding="utf-8") if expected.exists() else ""
        new = result_of(program, files)
        results.append(new)
        if misnamed(name, new):
            print(f"{name}: reaches another row than its name says")
            failed += 1
        if only == name:
            expected.write_text(new, encoding="utf-8")
        elif old != new and only is None:
            changed.append((expected, new))
            print("\n".join(difference(name, old, new)))
    valid = subprocess.run([VALIDATE], input="".join(line + "\n" for text in results for line in text.splitlines()
                                                     if "schema" in line), text=True, check=False)
    failed += valid.returncode
    for row in unreached(results):
        print(f"no capture under pcaps/ reaches {row}")
        failed += 1
    for path in PCAPS.glob("*.json"):
        if path.stem not in [name for name, _files in cases()]:
            print(f"{path.name} belongs to no capture")
            failed += 1
    if update and changed and input(f"write these {len(changed)}? [y/N] ") == "y":
        for path, text in changed:
            path.write_text(text, encoding="utf-8")
        changed = []
    return 1 if failed or changed else 0


if __name__ == "__main__":
    sys.exit(main())
