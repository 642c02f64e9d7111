#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a capture whose truth is known (tests/bench/gencap.c), lets `smtpblame read` judge it, and
compares: every connection once, none besides, each with the state, the mechanism and the place of its kind.

    generated.py GENCAP SMTPBLAME [--connections N] [--seed N]
"""
import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

# What a judge may say of each kind: state, and mechanism and place of the finding. A silent connection
# near the end of the capture, or a reset whose sender can't be told from the server, may stay undecided;
# it may never be called something else.
REJECTED = {("rejected", "policy-reject", "destination")}
STRIPPED = {("intercepted", mechanism, "unknown") for mechanism in ("starttls-stripped", "smtp-mangled")}
VERDICTS = {
    "open-mail": {("open",)},
    "open-quit": {("open",)},
    "open-tls": {("open",)},
    "silent": {(state, "silent-drop", "unknown") for state in ("blocked", "inconclusive", "unreachable")},
    "refused": {("refused", "tcp-reset", "destination"), ("inconclusive", "tcp-reset", "unknown")},
    "icmp-admin": {("blocked", "icmp-unreachable", "unknown")},
    "icmp-port": {("refused", "icmp-unreachable", "destination")},
    "icmp-host": {("unreachable", "icmp-unreachable", "unknown")},
    "own-firewall": {("blocked", "silent-drop", "host")},
    "forged-syn": {("blocked", "tcp-reset", "forger")},
    "greeting-554": REJECTED,
    "greeting-421": REJECTED,
    "ehlo-550": REJECTED,
    "masked": STRIPPED,
    "starttls-masked": STRIPPED,
    "reset-forged": {("blocked", "session-reset", "forger")},
    "reset-server": {("no-service", "session-reset", "destination")},
    "closed": {("no-service", "session-close", "destination")},
    "no-greeting": {("no-service", "session-stall", "destination"), ("inconclusive", "unknown", "unknown")},
    "not-smtp": {("no-service", "not-smtp", "destination")},
    "tls-alert": {("no-service", "tls-failed", "destination")},
}
# Where somebody is who forges resets so many hops away: said to be there, or not said.
FORGERS = {0: {"gateway", "unknown"}, 1: {"isp", "unknown"}}


def read_truth(path):
    """Of each connection its kind, and the hops to whoever forges resets on it."""
    truth = {}
    for line in path.read_text().splitlines():
        client, client_port, server, server_port, kind, hops = line.split("\t")
        truth[client, int(client_port), server, int(server_port)] = kind, int(hops)
    return truth


def verdict_of(connection):
    if not connection["findings"]:
        return (connection["state"],)
    finding = connection["findings"][0]
    return connection["state"], finding["mechanism"], finding["place"]


def is_right(verdict, kind, hops):
    if verdict in VERDICTS[kind]:
        return True
    return (*verdict[:2], "forger") in VERDICTS[kind] and verdict[-1] in FORGERS.get(hops, {"unknown"})


def key_of(connection):
    client, server = connection["client"], connection["server"]
    return client["address"], client["port"], server["address"], server["port"]


def compare(truth, lines):
    """What is wrong, as texts; and how many of each kind got which verdict."""
    wrong, seen, table = [], collections.Counter(), collections.defaultdict(collections.Counter)
    summary = None
    for line in lines:
        document = json.loads(line)
        if document["schema"] == "smtpblame.read-summary/1":
            summary = document
            continue
        key = key_of(document)
        seen[key] += 1
        kind, hops = truth.get(key, (None, -1))
        verdict = verdict_of(document)
        table[kind][" ".join(verdict)] += 1
        if kind is None:
            wrong.append(f"{key}: no such connection was made")
        elif not is_right(verdict, kind, hops):
            wrong.append(f"{key}: {kind} came out as {' '.join(verdict)}")
    wrong += [f"{key}: {kind} was not reported" for key, (kind, _) in truth.items() if key not in seen]
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
        done, again = (subprocess.run([options.smtpblame, "read", "--json", capture], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, check=False) for _ in range(2))
        wrong, table = compare(read_truth(truth), done.stdout.decode().splitlines())
    for kind in sorted(table, key=str):
        print(f"{kind}: {dict(table[kind])}")
    if again.stdout != done.stdout:
        wrong.append("a second run says something else")
    if done.returncode != 1:
        wrong.append(f"exit status {done.returncode}, not 1")
    print("\n".join(wrong[:20]))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
