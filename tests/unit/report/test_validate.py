#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proves that validate.py can fail.

    test_validate.py PROGRAM    PROGRAM --print gives good documents (unit-report-json)

Each good document passes. Then each is broken in every way of two kinds (a key
that the contract asks for is missing; a value is of another type), and in the
listed ways, and each time the violation must be named at its place.
"""
import copy
import json
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import validate  # noqa: E402

# Additions of the project to the contract's fields: a document without them is good.
OPTIONAL = {"controls", "login", "not_looked", "notes", "rule", "seen_as", "tunnel", "user"}

FINDING = {
    "mechanism": "tcp-reset", "place": "host", "direction": "inbound", "confidence": 0.9,
    "candidates": [{"place": "host", "confidence": 0.9}], "hop": None, "icmp": None,
    "culprit": {"kind": "link", "text": "", "interface": "eth0", "state": "down"},
    "summary": "A reset.", "evidence": ["e1"], "remedy": []}
EVIDENCE = {"id": "e1", "t_ms": 0.1, "source": "capture", "port": 25, "text": "RST"}
VANTAGE = {"hostname": "h", "interface": "eth0", "link": "ethernet", "source": "fe80::1%eth0",
           "gateway": None, "gateway_state": None, "mtu": None, "netns": None}
# Documents that no renderer prints yet.
OTHERS = [
    {"schema": "smtpblame.inspect/1", "tool": {"name": "smtpblame", "version": "0"},
     "started": "2026-01-31T12:00:00.5Z", "summary": "Port 25 is stopped.",
     "target": {"input": "x", "name": None, "address": "192.0.2.7", "family": "ipv4"},
     "vantage": VANTAGE, "ports": [{"port": 25, "service": "smtp", "would": "stop", "findings": [FINDING]}],
     "evidence": [EVIDENCE]},
    {"schema": "smtpblame.connection/1", "file": "x.pcap",
     "client": {"address": "10.0.0.2", "port": 40000},
     "server": {"address": "2001:db8::7", "port": 25}, "start": "2026-01-31T12:00:00.5Z",
     "duration_ms": 812.4, "packets": {"client": 9, "server": 7}, "state": "blocked",
     "findings": [FINDING], "smtp": None, "evidence": [EVIDENCE]},
    {"schema": "smtpblame.read-summary/1", "files": 1, "packets": 2, "connections": 1,
     "states": {"open": 1}, "undecodable_packets": 0, "truncated": False, "warnings": []},
]

# document's name or index in OTHERS, path, new value (DROP: removed), where it must be named
DROP = object()
SAME = None
LISTED = [
    ("healthy", "schema", "smtpblame.report/2", SAME),
    ("healthy", "tool.name", "other", SAME),
    ("healthy", "started", "2026-01-31 12:00:00", SAME),
    ("healthy", "elapsed_ms", -1, SAME),
    ("healthy", "target.address", "mx.example.com", SAME),
    ("healthy", "target.address", "192.0.2.300", SAME),
    ("healthy", "target.family", "ipv6", "$.target.address"),
    ("healthy", "vantage.mtu", 0, SAME),
    ("healthy", "ports", [], SAME),
    ("healthy", "ports.0.port", 0, SAME),
    ("healthy", "ports.0.port", 65536, SAME),
    ("healthy", "ports.0.state", "closed", SAME),
    ("healthy", "ports.0.state", "blocked", "$.ports[0].findings"),
    ("healthy", "ports.0.state", "intercepted", "$.ports[0].findings"),
    ("healthy", "ports.0.state", "inconclusive", "$.ports[0].findings"),
    ("blocked", "ports.0.state", "open", "$.ports[0].findings"),
    ("healthy", "ports.0.smtp.starttls", "maybe", SAME),
    ("healthy", "ports.0.smtp.code", 0, SAME),
    ("healthy", "ports.0.smtp.tls.spki_sha256", "ABCD", SAME),
    ("healthy", "ports.0.smtp.tls.error", "expired", SAME),
    ("healthy", "ports.0.timing_ms.banner", -0.5, SAME),
    ("blocked", "ports.0.findings.0.mechanism", "dropped", SAME),
    ("blocked", "ports.0.findings.0.place", "provider", SAME),
    ("blocked", "ports.0.findings.0.place", "unknown", "$.ports[0].findings[0].confidence"),
    ("blocked", "ports.0.findings.0.place", "gateway", "$.ports[0].findings[0].candidates"),
    ("blocked", "ports.0.findings.0.direction", "sideways", SAME),
    ("blocked", "ports.0.findings.0.confidence", None, SAME),
    ("blocked", "ports.0.findings.0.confidence", 1.01, SAME),
    ("undecided", "ports.0.findings.0.confidence", 0.5, SAME),
    ("blocked", "ports.0.findings.0.candidates.1.confidence", 0.95,
     "$.ports[0].findings[0].candidates"),
    ("blocked", "ports.0.findings.0.candidates.1.confidence", 0.2,
     "$.ports[0].findings[0].candidates"),
    ("blocked", "ports.0.findings.0.candidates.1.place", "router", SAME),
    ("blocked", "ports.0.findings.0.hop.from.ttl", 9, "$.ports[0].findings[0].hop"),
    ("blocked", "ports.0.findings.0.hop.to.ttl", -1, SAME),
    ("blocked", "ports.0.findings.0.hop.to.address", "hop two", SAME),
    ("firewall", "ports.0.findings.1.icmp.code", 256, SAME),
    ("firewall", "ports.0.findings.1.icmp.name", "", SAME),
    ("blocked", "ports.0.findings.0.summary", "", SAME),
    ("blocked", "ports.0.findings.0.evidence", ["3"], "$.ports[0].findings[0].evidence[0]"),
    ("blocked", "ports.0.findings.0.evidence", ["e99"], "$.ports[0].findings[0].evidence[0]"),
    ("blocked", "ports.0.findings.0.evidence", ["e1", "e1"], SAME),
    ("blocked", "ports.0.findings.0.remedy", [""], "$.ports[0].findings[0].remedy[0]"),
    ("firewall", "ports.0.findings.0.culprit.kind", "nftables", SAME),
    ("firewall", "ports.0.findings.0.culprit.kind", "sysctl", "$.ports[0].findings[0].culprit"),
    ("firewall", "ports.0.findings.0.culprit.family", "ipx", SAME),
    ("firewall", "ports.0.findings.0.culprit.handle", -1, SAME),
    ("local-error", "ports.0.findings.0.culprit.errno", 13, SAME),
    ("local-error", "ports.0.findings.0.culprit.errno", "13", SAME),
    ("local-error", "ports.0.findings.0.culprit.errno", DROP, "$.ports[0].findings[0].culprit"),
    ("local-error", "ports.0.findings.0.culprit.type", "throw", SAME),
    ("blocked", "ports.0.findings.0.culprit.ttl", 0, SAME),
    ("blocked", "ports.0.findings.0.culprit.asn", 4294967296, SAME),
    ("hostile", "ports.0.findings.0.culprit.code", 5, SAME),
    ("blocked", "path.0.ttl", 0, SAME),
    ("blocked", "path.0.place", "home", SAME),
    ("blocked", "path.0.asn", 0, SAME),
    ("blocked", "path.0.replies", {"smtp": {}}, SAME),
    ("blocked", "path.0.replies.25.sent", -1, SAME),
    ("blocked", "evidence.0.id", "3", SAME),
    ("blocked", "evidence.1.id", "e1", SAME),
    ("blocked", "evidence.0.source", "guess", SAME),
    ("blocked", "evidence.0.port", 0, SAME),
    ("blocked", "evidence.0.t_ms", None, SAME),
    ("blocked", "controls.0.port", "443", SAME),
    ("blocked", "summary", "", SAME),
    ("error", "error", "", SAME),
    (0, "ports.0.would", "maybe", SAME),
    (0, "ports.0.findings", [], SAME),
    (1, "state", "open", "$.findings"),
    (1, "findings", [], SAME),
    (1, "client.address", "client", SAME),
    (1, "packets.client", -1, SAME),
    (2, "states.fine", 1, "$.states"),
    (2, "states.open", -1, SAME),
]


def keys(path):
    return [int(k) if k.isdigit() and k not in {"25", "587"} else k for k in path.split(".")]


def json_path(steps):
    return "$" + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps)


def value_at(value, steps):
    for s in steps:
        value = value[s]
    return value


def broken(doc, steps, value):
    doc = copy.deepcopy(doc)
    at = value_at(doc, steps[:-1])
    if value is DROP:
        del at[steps[-1]]
    else:
        at[steps[-1]] = value
    return doc


def walk(value, steps=()):
    """Yields the steps to each key of each object."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for k, v in items:
        yield steps + (k,)
        if isinstance(v, (dict, list)):
            yield from walk(v, steps + (k,))


def may_miss(steps):
    # a port's own sentence is an addition; so is one more list element, or port, or state
    return (steps[-1] in OPTIONAL or isinstance(steps[-1], int) or
            len(steps) == 3 and steps[0] == "ports" and steps[-1] in ("summary", "client") or
            steps[-2:-1] in {("replies",), ("states",)})


class Test:
    def __init__(self):
        self.validator = validate.Validator(json.loads(validate.SCHEMA.read_text()))
        self.done = self.failed = 0
        self.seen = set()

    def violations(self, doc):
        return list(self.validator.violations(doc))

    def good(self, name, doc):
        self.done += 1
        for path, message in self.violations(doc):
            self.failed += 1
            print(f"{name}: good, but {path}: {message}")

    def bad(self, name, doc, where):
        self.done += 1
        paths = [path for path, _ in self.violations(doc)]
        if where not in paths:
            self.failed += 1
            print(f"{name}: violation at {where} not found, only: {paths}")

    def systematic(self, name, doc):
        for steps in walk(doc):
            shape = self.shape(doc, steps)
            if shape in self.seen:
                continue
            self.seen.add(shape)
            path, parent = json_path(steps), json_path(steps[:-1])
            if not may_miss(steps):
                where = "$.schema" if steps == ("schema",) else parent
                self.bad(f"{name} without {path}", broken(doc, steps, DROP), where)
            compound = isinstance(value_at(doc, steps), (dict, list))
            other = 1 if compound else {"x": []}
            self.bad(f"{name} with another {path}", broken(doc, steps, other), path)

    @staticmethod
    def shape(doc, steps):
        """Equal for places that the schema treats alike: once is enough."""
        kind = None
        if "culprit" in steps:
            finding = value_at(doc, steps[:steps.index("culprit")])
            kind = finding["mechanism"], finding["culprit"]["kind"]
        null = value_at(doc, steps) is None
        return doc["schema"], kind, null, tuple(0 if isinstance(s, int) else s for s in steps)


def exit_status(text, *args):
    return subprocess.run([sys.executable, HERE / "validate.py", *args], input=text, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=False).returncode


def named(lines):
    names = ["healthy", "blocked", "even", "firewall", "local-error", "intercepted", "undecided", "hostile",
             "bare", "kinds", "unreachable", "rejected", "inspected", "reset-in-tls", "masked",
             "limited", "stalled", "logins", "closed", "error"]
    docs = [json.loads(line) for line in lines]
    assert len(names) == len(docs), "samples.h has other samples"
    return dict(zip(names, docs)) | dict(enumerate(OTHERS))


def main():
    printed = subprocess.run([sys.argv[1], "--print"], text=True, check=True,
                             stdout=subprocess.PIPE).stdout
    docs = named(printed.splitlines())
    test = Test()
    for name, doc in docs.items():
        test.good(name, doc)
        test.good(f"{name} with a new field", doc | {"new": 1})
        test.systematic(name, doc)
    for name, path, value, where in LISTED:
        steps = keys(path)
        test.bad(f"{name} {path}", broken(docs[name], steps, value), where or json_path(steps))

    first = printed.splitlines()[0]
    for text, args, want in [
            (printed, [], 0),
            (printed, ["--require", "smtpblame.error/1"], 0),
            (first, ["--require", "smtpblame.inspect/1"], 1),
            ("", [], 1),
            ("{", [], 1),
            ("[]", [], 1),
            (first.replace("180.25", "NaN"), [], 1),
            (first.replace('"open"', '"fine"'), [], 1),
            (first, ["/nonexistent"], 2),
            (first, ["--schema", "/nonexistent"], 2)]:
        test.done += 1
        got = exit_status(text, *args)
        if got != want:
            test.failed += 1
            print(f"validate.py {args} on {text[:30]!r}: exit status {got}, not {want}")
    print(f"{test.done} checks, {test.failed} failed")
    return 1 if test.failed or test.done < 500 else 0


if __name__ == "__main__":
    sys.exit(main())
