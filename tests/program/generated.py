#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a capture whose truth is known (tests/bench/gencap.c), lets `smtpblame read` judge it, and
compares: every connection once, none besides, each with the state of its kind.

    generated.py GENCAP SMTPBLAME [--connections N] [--seed N]
"""
import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

# What a judge may say of each kind. A silent connection near the end of the capture, or a reset whose
# sender can't be told from the server, may stay undecided; it may never be called something else.
STATES = {
    "open-mail": {"open"},
    "open-quit": {"open"},
    "open-tls": {"open"},
    "silent": {"blocked", "inconclusive", "unreachable"},
    "refused": {"refused", "inconclusive"},
    "icmp-admin": {"blocked"},
    "icmp-port": {"refused"},
    "icmp-host": {"unreachable"},
    "own-firewall": {"blocked"},
    "forged-syn": {"blocked"},
    "greeting-554": {"rejected"},
    "greeting-421": {"rejected"},
    "ehlo-550": {"rejected"},
    "masked": {"intercepted"},
    "starttls-masked": {"intercepted"},
    "reset-forged": {"blocked"},
    "reset-server": {"no-service"},
    "closed": {"no-service"},
    "no-greeting": {"no-service", "inconclusive"},
    "not-smtp": {"no-service"},
    "tls-alert": {"no-service"},
}


def read_truth(path):
    truth = {}
    for line in path.read_text().splitlines():
        client, client_port, server, server_port, kind = line.split("\t")
        truth[client, int(client_port), server, int(server_port)] = kind
    return truth


def key_of(connection):
    client, server = connection["client"], connection["server"]
    return client["address"], client["port"], server["address"], server["port"]


def compare(truth, lines):
    """What is wrong, as texts; and how many of each kind got which state."""
    wrong, seen, table = [], collections.Counter(), collections.defaultdict(collections.Counter)
    summary = None
    for line in lines:
        document = json.loads(line)
        if document["schema"] == "smtpblame.read-summary/1":
            summary = document
            continue
        key = key_of(document)
        seen[key] += 1
        kind = truth.get(key)
        table[kind][document["state"]] += 1
        if kind is None:
            wrong.append(f"{key}: no such connection was made")
        elif document["state"] not in STATES[kind]:
            wrong.append(f"{key}: {kind} came out as {document['state']}")
    wrong += [f"{key}: {kind} was not reported" for key, kind in truth.items() if key not in seen]
    wrong += [f"{key}: reported {n} times" for key, n in seen.items() if n > 1]
    if summary is None:
        wrong.append("there is no summary")
    elif summary["connections"] != len(truth):
        wrong.append(f"the summary counts {summary['connections']} connections, not {len(truth)}")
    return wrong, table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gencap")
    parser.add_argument("smtpblame")
    parser.add_argument("--connections", default="3000")
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        capture, truth = pathlib.Path(directory, "made.pcap"), pathlib.Path(directory, "made.truth")
        subprocess.run([options.gencap, "-n", options.connections, "-s", options.seed, capture, truth], check=True)
        done = subprocess.run([options.smtpblame, "read", "--json", capture], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, check=False)
        wrong, table = compare(read_truth(truth), done.stdout.decode().splitlines())
    for kind in sorted(table, key=str):
        print(f"{kind}: {dict(table[kind])}")
    if done.returncode != 1:
        wrong.append(f"exit status {done.returncode}, not 1")
    print("\n".join(wrong[:20]))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
