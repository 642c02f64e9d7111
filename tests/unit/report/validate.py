#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validates JSON Lines against docs/report.schema.json.

    validate.py [--schema FILE] [--require SCHEMA-NAME]... [FILE...]

Reads stdin without FILE, or where FILE is "-". Prints one line for each
violation, "FILE:LINE: PATH: what is wrong", and exits with 1; with 2 when a
file, or the schema, cannot be read. No document at all is a violation: an
empty pipe must not pass. --require names a document that must be there
("smtpblame.report/1"). Beyond the schema it checks that

 - ids of evidence are unique, and each id that a finding names exists
 - candidates stand most likely first, begin with the finding's own place, and
   are no more probable together than certainty
 - of one finding, hop.from is not behind hop.to
"""
import argparse
import json
import pathlib
import sys

import jsonschema

SCHEMA = pathlib.Path(__file__).resolve().parents[3] / "docs" / "report.schema.json"


class Validator:
    """Knows the schema, and finds a document's own branch, so that errors name the place and
    not just "is not valid under any of the given schemas"."""

    def __init__(self, schema):
        cls = jsonschema.Draft202012Validator
        cls.check_schema(schema)
        self.whole = cls(schema, format_checker=jsonschema.FormatChecker(["ipv4", "ipv6"]))
        self.branches = {}
        for branch in schema["oneOf"]:
            name = branch["$ref"].rsplit("/", 1)[1]
            self.branches[schema["$defs"][name]["properties"]["schema"]["const"]] = branch

    def violations(self, doc):
        """Yields (path, message)."""
        if not isinstance(doc, dict):
            yield "$", "is no object"
            return
        name = doc.get("schema")
        branch = self.branches.get(name) if isinstance(name, str) else None
        if branch is None:
            yield "$.schema", f"{name!r} is none of {', '.join(self.branches)}"
            return
        found = False
        for e in self.whole.evolve(schema=branch).iter_errors(doc):
            found = True
            yield e.json_path, e.message
        if not found and not self.whole.is_valid(doc):
            yield "$", "is valid as itself, but not as exactly one of the schema's documents"
        elif not found:
            yield from beyond_schema(doc)


def all_findings(doc):
    for i, port in enumerate(doc.get("ports", [])):
        for k, finding in enumerate(port.get("findings", [])):
            yield f"$.ports[{i}].findings[{k}]", finding
    for k, finding in enumerate(doc.get("findings", [])):
        yield f"$.findings[{k}]", finding


def beyond_schema(doc):
    ids = [e["id"] for e in doc.get("evidence", [])]
    for i, one in enumerate(ids):
        if one in ids[:i]:
            yield f"$.evidence[{i}].id", f"{one} is there twice"
    for path, finding in all_findings(doc):
        for i, one in enumerate(finding["evidence"]):
            if one not in ids:
                yield f"{path}.evidence[{i}]", f"{one} is no evidence of this document"
        yield from check_candidates(path + ".candidates", finding)
        hop = finding["hop"]
        if hop and hop["from"]["ttl"] > hop["to"]["ttl"]:
            yield path + ".hop", "from is behind to"


def check_candidates(path, finding):
    candidates = finding["candidates"]
    confidences = [c["confidence"] for c in candidates]
    if confidences != sorted(confidences, reverse=True):
        yield path, "are not sorted, most likely first"
    # each was rounded to three places by itself
    if sum(confidences) > 1 + 0.0005 * len(candidates):
        yield path, f"are {sum(confidences):.3f} together"
    if candidates and finding["place"] != "unknown" and candidates[0]["place"] != finding["place"]:
        yield path, f"begin with {candidates[0]['place']}, the finding says {finding['place']}"


def lines_of(name):
    if name == "-":
        yield from enumerate(sys.stdin, 1)
        return
    with open(name, encoding="utf-8") as f:
        yield from enumerate(f, 1)


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


def main():
    parser = argparse.ArgumentParser(description="validate JSON Lines of smtpblame")
    parser.add_argument("--schema", type=pathlib.Path, default=SCHEMA)
    parser.add_argument("--require", action="append", default=[], metavar="SCHEMA-NAME")
    parser.add_argument("files", nargs="*", metavar="FILE")
    args = parser.parse_args()
    try:
        validator = Validator(json.loads(args.schema.read_text(encoding="utf-8")))
    except (OSError, ValueError, jsonschema.SchemaError) as e:
        print(f"{args.schema}: {e}", file=sys.stderr)
        return 2

    seen, bad = [], 0
    for name in args.files or ["-"]:
        try:
            for number, line in lines_of(name):
                if not line.strip():
                    continue
                try:
                    doc = json.loads(line, parse_constant=no_constant)
                except ValueError as e:
                    print(f"{name}:{number}: $: {e}")
                    bad += 1
                    seen.append(None)
                    continue
                seen.append(doc.get("schema") if isinstance(doc, dict) else None)
                for path, message in validator.violations(doc):
                    print(f"{name}:{number}: {path}: {message}")
                    bad += 1
        except (OSError, UnicodeDecodeError) as e:
            print(f"{name}: {e}", file=sys.stderr)
            return 2
    if not seen:
        print("no document came in")
        bad += 1
    for name in args.require:
        if name not in seen:
            print(f"no {name} came in")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
