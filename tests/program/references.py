#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What texts and comments point to is there: files, links and their anchors, tests and targets by name.

    references.py SOURCE-DIRECTORY BUILD-DIRECTORY
"""
import pathlib
import re
import subprocess
import sys

ROOT, BUILD = map(pathlib.Path, sys.argv[1:3])
ROOMS = {p.name for p in (ROOT / "src").iterdir() if p.is_dir()}
TOP = {"src", "tests", "docs", "pcaps", "share", "scripts", "bpf", "cmake", "tools"}
# What is made, or somebody else's.
MADE = re.compile(r"^(build|include|net|linux|usr|etc|sys|proc)/")
# "src/diag/rules_*.c", "diag/facts.h", "tests/lab": a path from the top, or from src/ by a room's name
PATH = re.compile(r"(?<![\w/.$-])((?:" + "|".join(sorted(TOP | ROOMS)) + r")/[\w./*{},-]*[\w*}/])")
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
CTEST = re.compile(r"ctest (?:--test-dir \S+ )?-R ['^(]*([\w-]+)")
TARGET = re.compile(r"cmake --build \S+ --target ([\w-]+)")
# "`facts.c`": a source by its name alone
SOURCE = re.compile(r"`(\w+\.[ch])`")
ALTERNATIVES = re.compile(r"\{([^{}]*)\}")
complaints = []


def tracked():
    out = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True)
    if out.returncode == 0:
        return [ROOT / name for name in out.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [p for p in ROOT.rglob("*") if p.is_file() and p.relative_to(ROOT).parts[0] != "build"]


def expand(path):
    """a/{b,c}.h as a/b.h and a/c.h."""
    match = ALTERNATIVES.search(path)
    if not match:
        return [path]
    return [one for word in match[1].split(",")
            for one in expand(path[:match.start()] + word + path[match.end():])]


def exists(path, beside):
    for base in (ROOT, ROOT / "src", ROOT / "tests", beside):
        if (base / path).exists() or any(base.glob(path.rstrip("/"))):
            return True
    return False


def comments(text, suffix):
    if suffix in (".c", ".h", ".inc", ".css"):
        return re.findall(r"/\*.*?\*/", text, re.S)
    if suffix in (".py", ".sh", ".cmake", ".toml", "") or suffix == ".txt":
        return [line for line in text.splitlines() if line.lstrip().startswith("#")]
    return []


def anchors(path):
    """As GitHub makes them of headings."""
    found, fenced = set(), False
    for line in path.read_text().splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            words = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            found.add(words.replace(" ", "-"))
    return found


def look_at_links(file, text):
    for link in LINK.findall(text):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path) if path else file
        if not target.exists():
            complaints.append(f"{file.relative_to(ROOT)}: no such file: {link}")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            complaints.append(f"{file.relative_to(ROOT)}: no such heading: {link}")


def look_at_paths(file, text):
    for path in PATH.findall(text):
        for one in expand(path.rstrip(".,")):
            # NAME and its like are for the reader to fill in; a path with no dot may be two words
            if MADE.match(one) or re.search(r"[A-Z]{3,}(?!\.md)", one) or one.count("{") or one.startswith("docs/docs"):
                continue
            if not exists(one, file.parent) and ("." in one or "*" in one or one.endswith("/")):
                complaints.append(f"{file.relative_to(ROOT)}: no such file: {one}")


def look_at_sources(file, text, names):
    for name in SOURCE.findall(text):
        if name not in names:
            complaints.append(f"{file.relative_to(ROOT)}: no such file: {name}")


def look_at_names(file, text, tests, targets):
    for name in CTEST.findall(text):
        if tests and not any(name in test for test in tests):
            complaints.append(f"{file.relative_to(ROOT)}: no such test: {name}")
    for name in TARGET.findall(text):
        if targets and name not in targets:
            complaints.append(f"{file.relative_to(ROOT)}: no such target: {name}")


def names_of(command, pattern):
    out = subprocess.run(command, capture_output=True, text=True).stdout
    return set(re.findall(pattern, out, re.M))


def main():
    tests = names_of(["ctest", "--test-dir", BUILD, "-N"], r"Test +#\d+: (\S+)")
    targets = names_of(["cmake", "--build", BUILD, "--target", "help"], r"^(?:\.\.\. )?([\w-]+)(?::|$)")
    files = tracked()
    names = {file.name for file in files}
    looked = 0
    for file in files:
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue
        if file.suffix == ".md" or file.name.endswith(".8.in"):
            look_at_links(file, text)
            look_at_sources(file, text, names)
            parts = [text]
        elif file.parent.name == "pcaps" or "golden" in file.parts:
            continue
        else:
            parts = comments(text, file.suffix)
        looked += 1
        for part in parts:
            look_at_paths(file, part)
            look_at_names(file, part, tests, targets)
    print(f"{looked} files, {len(complaints)} dead references")
    print("\n".join(sorted(set(complaints))))
    return bool(complaints) or looked < 100


sys.exit(main())
