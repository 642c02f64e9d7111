#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# With AS data (--asn-db) the places follow the networks: a database is made for the
# lab's addresses, in which the transit router belongs to the access provider.
#   asn.sh LAB PROGRAM
set -eu

lab=$1 program=$2
tools=$(dirname "$(readlink -f "$0")")/../tools
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

"$tools/make_mmdb.py" "$directory/asn.mmdb" <<'LINES'
100.64.0.0/24   64500 Example Access
203.0.113.0/29  64500 Example Access
203.0.113.8/30  64502 Example Hosting
198.51.100.0/24 64502 Example Hosting
LINES
echo "no database" >"$directory/bad.mmdb"

"$lab" exec way-drop-isp2-25 -- "$program" --json -p 25 --asn-db "$directory/asn.mmdb" {target4} \
	>"$directory/report" || [ $? -eq 1 ]
/usr/bin/python3 - "$directory/report" <<'CHECK'
import json, sys
report = json.load(open(sys.argv[1]))
seen = [(hop["ttl"], hop["place"], hop["asn"]) for hop in report["path"]]
assert seen == [(1, "gateway", None), (2, "isp", 64500), (3, "isp", 64500), (4, "isp", 64500),
                (5, "destination-network", 64502), (6, "destination", 64502)], seen
finding = report["ports"][0]["findings"][0]
# both ends of the block are now in one network: no second candidate is left
assert finding["place"] == "isp" and finding["confidence"] > 0.9, finding
assert finding["culprit"]["asn"] == 64500 and finding["culprit"]["as_name"] == "Example Access", finding
CHECK

status=0
"$lab" exec open -- "$program" --asn-db "$directory/bad.mmdb" {target4} 2>"$directory/said" || status=$?
[ "$status" -eq 2 ] && grep -q "bad.mmdb" "$directory/said"
