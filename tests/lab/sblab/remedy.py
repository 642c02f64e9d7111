# SPDX-License-Identifier: GPL-3.0-or-later
"""Does what the report tells to do help, and does its undo bring the block back?

A remedy is a list of strings: commands begin with a lower-case letter, sentences do
not. Commands before the first sentence with the word "undo" are to be carried out
now, those behind it take them back.
"""

import re
import subprocess

from . import expect

UNDO = re.compile(r"\bundo\b", re.IGNORECASE)


def is_command(text):
    return text[:1].islower()


def split(remedy):
    """(commands that mend, commands that take that back)"""
    border = next((i for i, text in enumerate(remedy) if not is_command(text) and UNDO.search(text)), len(remedy))
    return [text for text in remedy[:border] if is_command(text)], [text for text in remedy[border:] if is_command(text)]


def wanted_ports(scenario, document):
    """The ports of the report whose remedy the scenario wants applied: [(port, its expectation)]."""
    wanted = scenario.expect.get("port", {})
    pairs = [(port, wanted.get(str(port["port"]), wanted.get("others", {}))) for port in document.get("ports", [])]
    return [(port, expected) for port, expected in pairs if wanted_findings(port, expected)]


def wanted_findings(port, expected):
    return [finding for finding, want in zip(port.get("findings", []), expected.get("findings", []))
            if want.get("remedy") == "applied"]


def check(network, document, call_tool):
    """Apply, look, undo, look. call_tool(name) runs the tool again: (exit status, seconds, documents, complaints)."""
    ports = wanted_ports(network.scenario, document)
    if not ports:
        return []
    steps, found = [], []
    for port, expected in ports:
        for finding in wanted_findings(port, expected):
            mend, undo = split(finding.get("remedy", []))
            if not mend or not undo:
                found.append(f"port {port['port']}: remedy: {'no command' if not mend else 'nothing to undo it'} "
                             f"in {finding.get('remedy')}")
            elif (mend, undo) not in steps:  # several ports can have one remedy, if it is not narrow
                steps.append((mend, undo))
    if found:
        return found
    for mend, _undo in steps:
        found += carry_out(network, mend)
    if not found:
        found += check_after(network, ports, call_tool)
    for _mend, undo in reversed(steps):
        found += carry_out(network, undo)
    if not found:
        found += check_undone(network, call_tool)
    return found


def carry_out(network, commands):
    found = []
    for command in commands:
        try:
            network.command(network.topology.client, command, fill=False)
        except (RuntimeError, subprocess.TimeoutExpired) as e:
            found.append(f"remedy: {e}")
    return found


def check_after(network, ports, call_tool):
    _status, _seconds, documents, found = call_tool("after-remedy")
    seen = {port["port"]: port for document in documents for port in document.get("ports", [])}
    for port, expected in ports:
        number = port["port"]
        if number not in seen:
            found.append(f"port {number}: not in the report after the remedy")
            continue
        after = expected.get("after", {"state": "open", "findings": []})
        found += [f"port {number} after the remedy: {text}"
                  for text in expect.check_port(network.scenario, documents[0], seen[number], after)]
    return found


def check_undone(network, call_tool):
    status, seconds, documents, found = call_tool("after-undo")
    return [f"after the undo: {text}"
            for text in found + expect.check_expected(network.scenario, status, seconds, "", documents)]
