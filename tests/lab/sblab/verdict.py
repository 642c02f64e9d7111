# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing reports with a known truth, and counting how sure the wrong ones were."""

import collections
import dataclasses
import statistics

SURE = 0.9
# Of the findings given at SURE or more, at most this share may name a wrong place.
WRONG_SHARE = 1 / 50
BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.01)
HARMLESS = ("open", "inconclusive")


@dataclasses.dataclass
class Judged:
    """One run against its truth."""
    outcome: str = "ok"      # ok, inconclusive, off (a wrong place, but said to be unsure), WRONG, ERROR
    remarks: list = dataclasses.field(default_factory=list)
    said: list = dataclasses.field(default_factory=list)        # words for each port
    places: list = dataclasses.field(default_factory=list)      # (confidence, right), alike ones of a run once
    ranges: list = dataclasses.field(default_factory=list)      # (right, width), likewise
    open_ports: int = 0
    false_alarms: int = 0    # open ports called blocked or the like
    undecided: int = 0       # ports
    seconds: float = 0.0


RANK = ("ok", "inconclusive", "off", "WRONG", "ERROR")


def worse(judged, outcome, remark=None):
    if RANK.index(outcome) > RANK.index(judged.outcome):
        judged.outcome = outcome
    if remark:
        judged.remarks.append(remark)


def judge(truths, document):
    judged = Judged()
    places, ranges = set(), set()
    seen = {port["port"]: port for port in document.get("ports", [])}
    for number, truth in truths.items():
        if number not in seen:
            worse(judged, "ERROR", f"{number}: not in the report")
            continue
        port = seen[number]
        judge_state(judged, number, truth, port["state"])
        judged.said.append(words(number, port))
        for position, finding in enumerate(port["findings"]):
            judge_finding(judged, number, truth.behind if position and truth.behind else truth, finding, places, ranges)
    judged.places = [(confidence, right) for *_, confidence, right in sorted(places)]
    judged.ranges = [(right, width) for *_, right, width in sorted(ranges)]
    return judged


def judge_state(judged, number, truth, state):
    judged.open_ports += truth.fate == "none"
    if state == "inconclusive":
        judged.undecided += 1
        worse(judged, "inconclusive")
    elif state not in truth.states:
        judged.false_alarms += truth.fate == "none"
        worse(judged, "WRONG", f"{number}: {state}, truth {'/'.join(sorted(truth.states))}")


def judge_finding(judged, number, truth, finding, places, ranges):
    place, confidence, hop = finding["place"], finding["confidence"], finding.get("hop")
    if place != "unknown" and confidence is not None:
        right = place in truth.places
        places.add((finding["mechanism"], place, round(confidence, 2), right))
        if not right:
            worse(judged, "WRONG" if confidence >= SURE else "off",
                  f"{number}: {place} {confidence:.2f}, truth {'/'.join(sorted(truth.places)) or 'no block'}")
    if hop and truth.ttls and place != "host":
        first, last = hop["from"]["ttl"], hop["to"]["ttl"]
        right = any(first <= ttl <= last for ttl in truth.ttls)
        ranges.add((first, last, right, last - first))
        if not right:
            worse(judged, "WRONG", f"{number}: hops {first}..{last}, truth {sorted(truth.ttls)}")


def words(number, port):
    text = f"{number} {port['state']}"
    for finding in port["findings"]:
        sure = f" {finding['confidence']:.2f}" if finding["confidence"] is not None else ""
        text += f" {finding['mechanism']}@{finding['place']}{sure}"
        hop = finding.get("hop")
        text += f" [{hop['from']['ttl']}..{hop['to']['ttl']}]" if hop and finding["place"] != "host" else ""
    return text


class Tally:
    """Many runs."""

    def __init__(self):
        self.runs = []       # (scenario, judged)

    def add(self, scenario, judged):
        self.runs.append((scenario, judged))

    def sure(self):
        return [right for _, judged in self.runs for confidence, right in judged.places if confidence >= SURE]

    def false_alarms(self):
        return sum(judged.false_alarms for _, judged in self.runs)

    def wrong_sure(self):
        return self.sure().count(False)

    def within_limits(self):
        return (self.false_alarms() == 0 and self.wrong_sure() <= len(self.sure()) * WRONG_SHARE
                and not any(judged.outcome == "ERROR" for _, judged in self.runs))

    def print(self):
        self.print_mechanisms()
        self.print_calibration()
        outcomes = collections.Counter(judged.outcome for _, judged in self.runs)
        ranges = [one for _, judged in self.runs for one in judged.ranges]
        ports = sum(len(scenario.truths) for scenario, _ in self.runs)
        print(f"\n{len(self.runs)} runs: " + ", ".join(f"{outcomes[one]} {one}" for one in RANK if outcomes[one]))
        print(f"open ports called blocked, intercepted, refused, ...: {self.false_alarms()} of "
              f"{sum(judged.open_ports for _, judged in self.runs)} (limit 0)")
        print(f"wrong places at {SURE} or more: {self.wrong_sure()} of {len(self.sure())} "
              f"(limit {int(len(self.sure()) * WRONG_SHARE)})")
        print(f"hop ranges without the device: {sum(not right for right, _ in ranges)} of {len(ranges)}"
              + (f"; mean width {statistics.mean(width for _, width in ranges):.2f}" if ranges else ""))
        print(f"ports not decided: {sum(judged.undecided for _, judged in self.runs)} of {ports}")

    def print_mechanisms(self):
        groups = collections.defaultdict(list)
        for scenario, judged in self.runs:
            groups[scenario.mechanism].append(judged)
        print(f"\n{'mechanism':14} {'runs':>4} {'ok':>4} {'inc.':>4} {'off':>4} {'wrong':>5} {'median s':>9} {'max s':>6}")
        for name, group in sorted(groups.items()):
            outcomes = collections.Counter(one.outcome for one in group)
            seconds = [one.seconds for one in group]
            print(f"{name:14} {len(group):4} {outcomes['ok']:4} {outcomes['inconclusive']:4} {outcomes['off']:4} "
                  f"{outcomes['WRONG'] + outcomes['ERROR']:5} {statistics.median(seconds):9.2f} {max(seconds):6.2f}")

    def print_calibration(self):
        every = [one for _, judged in self.runs for one in judged.places]
        print(f"\n{'confidence':13} {'findings':>8} {'claimed':>8} {'right':>6}")
        for low, high in zip(BINS, BINS[1:]):
            band = [one for one in every if low <= one[0] < high]
            if band:
                print(f"{low:.2f} to {min(high, 1):.2f}  {len(band):8} "
                      f"{statistics.mean(one[0] for one in band):8.3f} {sum(one[1] for one in band) / len(band):6.3f}")
