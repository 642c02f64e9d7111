#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A few seconds of every fuzz harness (tests/fuzz), from what pcaps/ holds as seeds, under ASan and
# UBSan: not to find what is deep, but that none of them rots, and nothing is wrong at the surface.
#   fuzz.sh SOURCE-DIRECTORY [SECONDS-EACH]
# For long: cmake --preset fuzz && cmake --build --preset fuzz, and a harness with a folder of its own.
set -u
source=$1 seconds=${2:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

command -v clang >/dev/null || {
	echo "skipped: clang is not installed"
	exit 77
}
if ! { cmake -S "$source" -B "$work/build" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug \
	-DSMTPBLAME_FUZZ=ON -DSMTPBLAME_SANITIZE=address,undefined &&
	cmake --build "$work/build" --target fuzz; } >"$work/log" 2>&1; then
	grep -E 'error|Error' "$work/log" | head -n 20
	exit 1
fi

seeds=$work/seeds
mkdir -p "$seeds"/{read,wire,case,x509,smtp,ehlo,iptables,netlink,serve,reports}
cp "$source"/pcaps/*.pcap* "$seeds/read/" || exit 1
for folder in "$source"/pcaps/*/; do
	cp "$folder/facts.jsonl" "$seeds/case/$(basename "$folder")"
	cp "$folder/packets.pcap" "$seeds/read/$(basename "$folder").pcap"
done
# a harness takes what fits into its inputs: the part of a report that is compared
/usr/bin/python3 - "$source" "$seeds/reports" <<'SEEDS' || exit 1
import json, pathlib, sys
reports = []
for path in sorted(pathlib.Path(sys.argv[1], "pcaps").glob("*/report.json")):
    report = json.loads(path.read_text())
    for name in ("evidence", "notes", "not_looked", "controls"):
        report.pop(name, None)
    for port in report["ports"]:
        port.pop("smtp", None)
        for finding in port["findings"]:
            finding.pop("remedy"), finding.pop("evidence"), finding.pop("summary")
    for hop in report.get("path", []):
        hop.pop("replies")
    reports.append(json.dumps(report, separators=(",", ":")))
for i, report in enumerate(reports):
    pathlib.Path(sys.argv[2], str(i)).write_text(report + reports[(i + 1) % len(reports)])
SEEDS
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -outform DER \
	-subj '/CN=mx.example.net/O=An "Example", Ltd' -addext 'subjectAltName=DNS:mx.example.net,IP:192.0.2.1' \
	-out "$seeds/x509/certificate" 2>/dev/null
printf '\0220-mx.example.net ESMTP\r\n220 ready\r\n250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n' >"$seeds/smtp/dialogue"
printf 'mx.example.net\0STARTTLS\0SIZE 10240000\0AUTH PLAIN LOGIN\0XXXXXXXA' >"$seeds/ehlo/reply"
printf '\0*filter\n:OUTPUT ACCEPT [1:60]\n[3:180] -A OUTPUT -p tcp -m tcp --dport 25 -j DROP\nCOMMIT\n' >"$seeds/iptables/table"

request='GET /probe?target=mx.example.net&ports=25,587 HTTP/1.1\r\nHost: a\r\nX-Prometheus-Scrape-Timeout-Seconds: 5\r\n\r\n'
printf '\0%b%b' "$request" "$request" >"$seeds/serve/probe"
request='GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text\r\n\r\n'
printf '\1%b%b' "$request" "$request" >"$seeds/serve/metrics"

for harness in "$work"/build/tests/fuzz_*; do
	name=${harness##*/fuzz_}
	[ -d "$seeds/$name" ] || {
		echo "fuzz.sh: no seeds for $name"
		failed=1
		continue
	}
	"$harness" -max_total_time="$seconds" -timeout=20 -artifact_prefix="$work/" "$seeds/$name" >"$work/out" 2>&1
	status=$?
	[ "$status" -eq 77 ] && { tail -n 1 "$work/out"; continue; }
	runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$work/out")
	if [ "$status" -ne 0 ] || [ "${runs:-0}" -eq 0 ]; then
		failed=1
		grep -vE '^#[0-9]+' "$work/out" | tail -n 40
		for artifact in "$work"/{crash,leak,timeout,oom}-*; do
			[ -e "$artifact" ] && echo "$artifact:" && base64 "$artifact"
		done
	fi
	echo "$name: status $status, ${runs:-no} runs"
done
exit $failed
