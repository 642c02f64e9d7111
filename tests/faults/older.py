#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels that lack something: options of sockets, kinds of netlink messages, attributes in their answers, files of
/proc and /sys, commands of bpf(2).

    lab exec host-nft-reject-rst -- tests/faults/older.py PROGRAM OLDER_KERNEL.so

One after the other, whatever a whole run of the program makes use of is not there. What it then knows less is said;
what it says of the ports is as before, or that it does not know.
"""
import concurrent.futures
import re
import subprocess

import common
from common import TARGET

PORTS = ("-p", "25,587")
SEEN_SIZE = 256 * 1024
RULESET = r"attribute 12 2563 /[4-7]|attribute 12 2566 /(4/1:\w+/2|[5-7])"
RTM_NEWLINK, USED_OF_LINKS = "attribute 0 16 ", ("/1", "/3", "/4", "/18")   # IFLA_ADDRESS, IFNAME, MTU, LINKINFO

# What nf_tables can ask of a packet, with something of each kind in the way of port 25; 587 passes.
RULES = """
table inet more {
    set ports { type inet_service; flags interval; elements = { 24-25, 400-500 } }
    map ways { type inet_service : verdict; elements = { 25 : jump later, 26 : drop } }
    chain later { tcp flags & (syn | ack) == syn ip daddr 192.0.2.0/24 reject; return; }
    chain output {
        type filter hook output priority 10; policy drop;
        tcp dport vmap @ways
        oifname "none0" meta mark 0x7 tcp dport 587 drop
        tcp dport @ports counter drop comment "a comment"
        accept
    }
}
"""
RULES_OF_ONE = """
table inet more { chain output { type filter hook output priority 10; tcp dport 587 log accept; }; }
"""


def known(report):
    """What is said of each port, and by whom it is stopped."""
    return {(port["port"], port.get("state", port.get("would")),
             tuple((f["mechanism"], f["place"], f["culprit"]["kind"]) for f in port["findings"]))
            for port in report["ports"]}


class Older(common.Faults):
    def setUp(self):
        super().setUp()
        self.seen = self.folder / "seen"
        self.environment = {"LD_PRELOAD": self.helpers[0], "FAULT_PROGRAM": "smtpblame"}

    def lacking(self, what, verb):
        seen = self.seen if what is None else self.folder / what.replace("/", "+")
        seen.write_bytes(bytes(SEEN_SIZE))
        lacks = {} if what is None else {"FAULT_LACKS": what}
        return self.run_to_its_end(verb, "--json", *PORTS, TARGET, env={"FAULT_SEEN": str(seen), **lacks})

    def used(self):
        """What the whole run made use of, and could be missing. Whoever has no ip_tables_names has no ip_tables."""
        text = self.seen.read_bytes().rpartition(b"\n")[0].lstrip(b"\0").decode(errors="replace")
        lines = [line for line in text.splitlines() if line.isprintable()]
        return [line for line in lines if not line.endswith("ip_tables_names") and
                (not line.startswith(RTM_NEWLINK) or line[len(RTM_NEWLINK):].startswith(USED_OF_LINKS))]

    def try_each(self, verb, at_least, fits, spare=None, together=1):
        whole = self.lacking(None, verb)
        self.assertEqual(whole.stderr, "")
        report, = self.documents(whole.stdout)
        used, ended, less = self.used(), 0, 0
        for kind, n in at_least.items():
            self.assertGreaterEqual(sum(line.startswith(kind) for line in used), n, f"{kind}: {used}")
        tried = [what for what in used if not (spare and re.search(spare, what))]
        with concurrent.futures.ThreadPoolExecutor(together) as pool:
            runs = list(pool.map(lambda what: self.lacking(what, verb), tried))
        for what, done in zip(tried, runs):
            with self.subTest(lacks=what):
                if done.returncode == 3:
                    ended += 1
                    self.assertRegex(done.stderr, r"\Asmtpblame: [^\n]{12,}\n\Z")
                    self.assertEqual(done.stdout, "")
                    continue
                self.assertEqual(done.stderr, "")
                found, = self.documents(done.stdout)
                fits(found)
                if known(found) != known(report):
                    less += 1
                    self.assert_said(found, report)
        self.assertGreater(ended + less, 0, "nothing was missed")

    def assert_said(self, found, whole):
        """In "Not looked at", or where the verdict would be, or in the place of a rule's words."""
        more = set(found["not_looked"]) - set(whole["not_looked"])
        texts = [str(f["summary"]) + str(f["culprit"]) for port in found["ports"] for f in port["findings"]]
        self.assertTrue(more or any(re.search("do not decide|only a packet can tell|can't be had", t) for t in texts),
                        f"{known(found)}, and no word of it: {found['not_looked']} {texts}")

    def test_check(self):
        def fits(report):
            states = self.states(report)
            self.assertIn(states[25], ("blocked", "inconclusive"))
            self.assertIn(states[587], ("open", "inconclusive"))
            for port in report["ports"]:
                for finding in port["findings"]:
                    self.assertIn(finding["place"], ("host", "unknown"), finding["summary"])
                    self.assertIn(finding["culprit"].get("verdict"), ("reject", "drop", None))
        # what tells of chains and rules, test_inspect() leaves out
        self.try_each("check", {"option": 20, "request": 10, "attribute": 50}, fits, spare=RULESET, together=2)

    def test_inspect(self):
        def fits(report):
            would = [port["would"] for port in report["ports"]]
            self.assertIn(would[0], ("stop", "unknown"))
            self.assertIn(would[1], ("pass", "unknown"))
        subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)
        self.addCleanup(subprocess.run, ["nft", "delete", "table", "inet", "more"], check=True)
        self.try_each("inspect", {"path": 15, "request": 12, "attribute": 100, "bpf": 2}, fits, together=3)

    def test_statement_that_is_not_known(self):
        """That such a rule accepts in the end is no promise."""
        subprocess.run(["nft", "-f", "-"], input=RULES_OF_ONE, text=True, check=True)
        self.addCleanup(subprocess.run, ["nft", "delete", "table", "inet", "more"], check=True)
        for what, would in ((None, "pass"), ("attribute 12 2566 /4/1:log/1", "unknown")):
            report, = self.documents(self.lacking(what, "inspect").stdout)
            self.assertEqual([port["would"] for port in report["ports"]], ["stop", would])


if __name__ == "__main__":
    common.main(__doc__)
