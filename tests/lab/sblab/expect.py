# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the report what the scenario expects, and what every report must be?"""

import functools
import json
import pathlib
import re

import jsonschema

PROJECT = pathlib.Path(__file__).resolve().parents[3]
SCHEMA = PROJECT / "docs/report.schema.json"

CONTROL_BYTES = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")
# C1 controls, and what reorders or hides text: direction marks, invisible characters
DECEPTIVE = re.compile("[\u0080-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


@functools.lru_cache(maxsize=None)
def schema_validator():
    if not SCHEMA.exists():
        return None
    schema = json.loads(SCHEMA.read_text())
    return jsonschema.validators.validator_for(schema)(schema)


# --- what the scenario says --------------------------------------------------

def check_expected(scenario, status, elapsed, stderr, documents):
    """Sentences, one for each expectation that doesn't hold."""
    expect = scenario.expect
    found = []
    if "exit" in expect and status not in as_list(expect["exit"]):
        found.append(f"exit status: expected {expect['exit']}, got {status}")
    if elapsed > expect.get("elapsed_max", float("inf")):
        found.append(f"elapsed: {elapsed:.2f} s, expected at most {expect['elapsed_max']} s")
    if elapsed < expect.get("elapsed_min", 0):
        found.append(f"elapsed: {elapsed:.2f} s, expected at least {expect['elapsed_min']} s")
    if not re.fullmatch(expect.get("stderr", ""), stderr.strip(), re.DOTALL):
        found.append(f"stderr: expected {expect.get('stderr', '')!r}, got {stderr.strip()!r}")
    if expect.get("compare"):
        found += check_comparisons(scenario, documents)
    if expect.get("port") and len(documents) != 1:
        return found + [f"documents: expected 1, got {len(documents)}"]
    for document in documents:
        found += check_ports(scenario, document)
    return found


def check_comparisons(scenario, documents):
    """There is one, and its first conclusion on each port is what the scenario says."""
    comparisons = [document for document in documents if document.get("schema") == "smtpblame.comparison/1"]
    if len(comparisons) != 1:
        return [f"comparisons: expected 1, got {len(comparisons)}"]
    wanted = dict(scenario.expect["compare"])
    others = wanted.pop("others", None)
    labels = {view["id"]: view["label"] for view in comparisons[0]["views"]}
    seen = {str(port["port"]): port for port in comparisons[0]["ports"]}
    found = [f"comparison: port {port} is missing" for port in wanted if port not in seen]
    for number, port in seen.items():
        want, first = wanted.get(number, others), port["conclusions"][0]
        if want is None:
            continue
        got = {"rule": first["rule"], "place": first["place"], "views": [labels[view] for view in first["views"]]}
        for key in ("rule", "place"):
            if key in want and got[key] not in as_list(want[key]):
                found.append(f"comparison, port {number}: {key}: expected {want[key]}, got {got[key]}")
        if "views" in want and got["views"] != want["views"]:
            found.append(f"comparison, port {number}: views: expected {want['views']}, got {got['views']}")
        if "blocker" in want:
            addresses = [suspect["address"] for suspect in first["suspects"]]
            if scenario.address(want["blocker"]) not in addresses:
                found.append(f"comparison, port {number}: {want['blocker']} is not in {addresses}")
    return found


def check_ports(scenario, document):
    wanted = dict(scenario.expect.get("port", {}))
    others = wanted.pop("others", None)
    seen = {str(port["port"]): port for port in document.get("ports", [])}
    found = [f"port {port}: not in the report" for port in wanted if port not in seen]
    for number, port in seen.items():
        expected = wanted.get(number, others)
        if expected is not None:
            found += [f"port {number}: {text}" for text in check_port(scenario, document, port, expected)]
    return found


def check_port(scenario, document, port, expected):
    found = []
    if "state" in expected and port["state"] not in as_list(expected["state"]):
        found.append(f"state: expected {expected['state']}, got {port['state']}")
    if "upstream_tested" in expected and port.get("upstream_tested") != expected["upstream_tested"]:
        found.append(f"upstream_tested: expected {expected['upstream_tested']}, got {port.get('upstream_tested')}")
    if "smtp" in expected:
        found += check_smtp(port.get("smtp"), expected["smtp"])
    findings = port.get("findings", [])
    if "findings" in expected:
        if len(findings) != len(expected["findings"]):
            found.append(f"findings: expected {len(expected['findings'])}, got "
                         f"{[(f.get('mechanism'), f.get('place')) for f in findings]}")
        for number, (finding, want) in enumerate(zip(findings, expected["findings"])):
            found += [f"finding {number}: {text}" for text in check_finding(scenario, document, finding, want)]
    return found


def check_smtp(smtp, expected):
    if smtp is None:
        return ["smtp: null"]
    return [f"smtp.{key}: expected {value!r}, got {smtp.get(key)!r}" for key, value in expected.items()
            if not (re.search(value, smtp.get(key) or "") if key == "banner" else smtp.get(key) == value)]


def check_finding(scenario, document, finding, want):
    found = []
    for key in ("mechanism", "place", "direction"):
        if key in want and finding.get(key) not in as_list(want[key]):
            found.append(f"{key}: expected {want[key]}, got {finding.get(key)}")
    # Without a place there is nothing to be sure of (contract: confidence is null then).
    confidence = finding.get("confidence")
    if "confidence_min" in want and (confidence is None or confidence < want["confidence_min"]):
        found.append(f"confidence: expected at least {want['confidence_min']}, got {confidence}")
    if "confidence_max" in want and confidence is not None and confidence > want["confidence_max"]:
        found.append(f"confidence: expected at most {want['confidence_max']}, got {confidence}")
    found += check_culprit(finding.get("culprit") or {}, want.get("culprit"))
    if scenario.check_named:
        found += check_culprit(finding.get("culprit") or {}, want.get("named"))
        found += check_remedy_text(finding.get("remedy", []), want.get("remedy_like"))
    if "icmp" in want:
        found += check_icmp(scenario, finding.get("icmp"), want["icmp"])
    if "blocker" in want:
        found += check_hop(scenario, finding.get("hop"), as_list(want["blocker"]),
                           want.get("width_max", float("inf")))
    if "summary" in want and not re.search(want["summary"], finding.get("summary", "")):
        found.append(f"summary: expected {want['summary']!r}, got {finding.get('summary')!r}")
    return found


def check_remedy_text(remedy, pattern):
    if pattern is None or any(re.search(pattern, line) for line in remedy):
        return []
    return [f"remedy: nothing like {pattern!r} in {remedy}"]


def check_culprit(culprit, want):
    """`want` is a kind, several, or a table of fields whose values are patterns."""
    if want is None:
        return []
    fields = want if isinstance(want, dict) else {"kind": want}
    return [f"culprit.{key}: expected {value!r}, got {culprit.get(key)!r}" for key, value in fields.items()
            if not any(re.search(str(one), str(culprit.get(key))) for one in as_list(value))]


def check_icmp(scenario, icmp, want):
    if icmp is None:
        return ["icmp: expected, got null"]
    wanted = dict(want)
    if wanted.get("from", "").startswith("@"):
        wanted["from"] = scenario.address(wanted["from"][1:])
    return [f"icmp.{key}: expected {value!r}, got {icmp.get(key)!r}" for key, value in wanted.items()
            if icmp.get(key) != value]


def check_hop(scenario, hop, nodes, width_max):
    """The true blocker must lie in the range that the finding gives, and the range must not be wider than said.

    A router that drops in its forward hook still answers "time exceeded" itself, so it can be the range's `from`.
    """
    if hop is None:
        return ["hop: expected, got null"]
    first, last = hop["from"]["ttl"], hop["to"]["ttl"]
    ttls = [scenario.topology.ttl_of(node) for node in nodes]
    found = []
    if not any(first <= ttl <= last for ttl in ttls):
        found.append(f"hop: the blocker is {' or '.join(nodes)} (ttl {ttls}), got the range {first}..{last}")
    if last - first > width_max:
        found.append(f"hop: the range {first}..{last} is wider than {width_max}")
    return found


def as_list(value):
    return value if isinstance(value, list) else [value]


# --- what holds for every run ----------------------------------------------------

def parse_documents(stdout):
    """(documents, complaints) of JSON Lines output."""
    documents, found = [], []
    for number, line in enumerate(stdout.splitlines(), 1):
        try:
            documents.append(json.loads(line))
        except ValueError as e:
            found.append(f"stdout line {number} is no JSON: {e}")
    return documents, found


def check_output_bytes(what, data):
    found = []
    bad = CONTROL_BYTES.search(data)
    if bad:
        found.append(f"{what}: control byte {bad.group(0)!r} at offset {bad.start()}")
    try:
        text = data.decode()
    except UnicodeDecodeError as e:
        return found + [f"{what}: not UTF-8: {e}"]
    bad = DECEPTIVE.search(text)
    if bad:
        found.append(f"{what}: control or direction character {bad.group(0)!r}")
    return found


def check_document(document):
    """Invariants of one report."""
    found = []
    validator = schema_validator()
    if validator:
        found += [f"schema: {'/'.join(map(str, e.absolute_path))}: {e.message}"[:300]
                  for e in validator.iter_errors(document)]
    if not str(document.get("schema", "")).startswith("smtpblame.report/"):
        return found
    known = {evidence.get("id") for evidence in document.get("evidence", [])}
    for port in document.get("ports", []):
        where = f"port {port.get('port')}"
        if port.get("state") == "open" and port.get("findings"):
            found.append(f"{where}: open, but with findings")
        if port.get("state") != "open" and not port.get("findings"):
            found.append(f"{where}: {port.get('state')} without a finding")
        for finding in port.get("findings", []):
            found += [f"{where}: {text}" for text in check_finding_invariants(finding, known)]
    ttls = [hop.get("ttl") for hop in document.get("path", [])]
    if any(later <= earlier for earlier, later in zip(ttls, ttls[1:])):
        found.append(f"path: TTLs don't grow: {ttls}")
    return found


def check_finding_invariants(finding, known):
    found = []
    missing = [e for e in finding.get("evidence", []) if e not in known]
    if missing:
        found.append(f"finding names evidence that is not there: {missing}")
    if not finding.get("evidence") and finding.get("mechanism") != "unknown":
        found.append("finding without evidence")
    total = sum(c.get("confidence") or 0 for c in finding.get("candidates", []))
    if total > 1.001:
        found.append(f"candidates' confidences sum to {total}")
    confidence = finding.get("confidence")
    if (confidence is None) != (finding.get("place") == "unknown"):
        found.append(f"confidence {confidence} with place {finding.get('place')}")
    if confidence is not None and not 0 <= confidence <= 1:
        found.append(f"confidence {confidence}")
    return found
