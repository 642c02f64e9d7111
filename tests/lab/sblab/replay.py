# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a saved case give the same report again?"""

import base64
import pathlib
import subprocess

TIMEOUT_SECONDS = 30
# of the login that scenarios with --auth try (user: "user")
PASSWORD = (pathlib.Path(__file__).resolve().parents[1] / "password").read_text().strip().encode()
SECRETS = [base64.b64encode(PASSWORD), base64.b64encode(b"\0user\0" + PASSWORD)]


def folders(place):
    """The cases of one run: the folder itself, then those in it."""
    return [place, *sorted(path for path in place.iterdir() if path.is_dir())]


def check(binary, place, status, stdout):
    """Sentences, one for each difference between the run that saved and what is replayed from it."""
    if not (place / "facts.jsonl").exists():
        return [f"saved case: there is none in {place}"]
    lines = [line for line in stdout.splitlines(keepends=True)
             if b'"smtpblame.error/' not in line and b'"smtpblame.comparison/' not in line]
    found = [f"saved case: the password is in {path.name}" for folder in folders(place)
             for path in folder.iterdir() if path.is_file() and any(one in path.read_bytes() for one in SECRETS)]
    saved = [(folder / "report.json").read_bytes() for folder in folders(place)]
    if saved != lines:
        found.append("saved case: its report is not the one that was printed")
    done = subprocess.run([binary, "replay", *folders(place)], capture_output=True, timeout=TIMEOUT_SECONDS)
    if done.stdout != b"".join(saved):
        found.append("saved case: replay gives another report " + done.stderr.decode(errors="replace").strip())
    if done.returncode != status and len(saved) == len(stdout.splitlines()):
        found.append(f"saved case: replay has exit status {done.returncode}, the run had {status}")
    return found
