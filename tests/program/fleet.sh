#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What docs/fleet.md hands to Slurm and Ansible: the array job reads each capture of a list once, goes on
# where it was interrupted, and says what it could not read; the playbook gathers the reports of its hosts.
#
#   lab exec way-drop-isp2-25 -- fleet.sh PROGRAM SOURCE-DIRECTORY
set -u
program=$1 root=$2 failed=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/bin" "$dir/archive" && ln -s "$program" "$dir/bin/smtpblame" || exit 1
PATH=$dir/bin:$PATH

complain() {
	echo "fleet: $*"
	failed=1
}

# ---- the array job; Slurm's part is to say which task it is ----
cp "$root"/pcaps/lab-*.pcap "$dir/archive/"
mkdir "$dir/archive/other" && cp "$root/pcaps/lab-open.pcap" "$dir/archive/other/" # a name that is there twice
good=$(find "$dir/archive" -name '*.pcap' | wc -l)
head -c 100 /dev/zero >"$dir/archive/zeros.pcap"
find "$dir/archive" -name '*.pcap' | sort >"$dir/list"
task() {
	SLURM_ARRAY_TASK_ID=$1 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_COUNT=3 \
		bash "$root/share/slurm/smtpblame-read.sbatch" "$dir/list" "$dir/out" 2>>"$dir/said"
}
ends=0
for number in 1 2 3; do task $number || ends=$((ends + 1)); done
[ $ends -eq 1 ] || complain "$ends of 3 tasks have failed, one has a file that can't be read"
grep -q "zeros.pcap: could not be read" "$dir/said" || complain "it does not say what could not be read"
[ "$(find "$dir/out" -name '*.jsonl' | wc -l)" -eq "$good" ] || complain "not one output a capture: $(ls "$dir/out")"
[ "$(find "$dir/out" -type f | wc -l)" -eq "$good" ] || complain "something is left behind: $(ls "$dir/out")"
[ "$(cat "$dir"/out/*.jsonl | grep -c '"smtpblame.read-summary/1"')" -eq "$good" ] || complain "an output is not whole"
one=$(find "$dir/out" -name 'lab-open.pcap-*.jsonl' | head -1)
echo kept >"$one"
rm "$dir"/out/lab-drop.pcap-*.jsonl
for number in 1 2 3; do task $number; done
[ "$(cat "$one")" = kept ] || complain "it reads again what was read"
grep -q '"state": \?"blocked"' "$dir"/out/lab-drop.pcap-*.jsonl || complain "it does not go on where it was interrupted"

# ---- the playbook ----
if command -v ansible-playbook >/dev/null; then
	cat >"$dir/hosts.ini" <<-X
		[all:vars]
		ansible_connection=local
		ansible_python_interpreter=/usr/bin/python3
		smtpblame_become=false
		[all]
		one smtpblame_ports=25
		two smtpblame_program=$program
	X
	(cd "$dir" && HOME=$dir ansible-playbook -i hosts.ini "$root/share/ansible/smtpblame.yml" \
		-e "{\"targets\": [\"$TARGET4\", \"nosuch.invalid\"]}") >"$dir/played" 2>&1 || complain "the play fails: $(cat "$dir/played")"
	grep -q 'Port 25 is blocked' "$dir/played" || complain "it does not tell: $(cat "$dir/played")"
	grep -q '"port": \?587,' "$dir/reports/two.jsonl" || complain "no report of the second host"
	grep -q '"port": \?587, \?"service"' "$dir/reports/one.jsonl" && complain "the first host has ports of its own"
	grep -q '"smtpblame.error/1"' "$dir/reports/one.jsonl" || complain "what does not resolve is not in the reports"
	# an option that there is none of: that host fails, and has no report
	sed -i 's/^one .*/one smtpblame_options='"'"'["--nothing"]'"'"'/' "$dir/hosts.ini"
	rm -r "$dir/reports"
	(cd "$dir" && HOME=$dir ansible-playbook -i hosts.ini "$root/share/ansible/smtpblame.yml" \
		-e "{\"targets\": [\"$TARGET4\"]}") >"$dir/played" 2>&1 && complain "a wrong call is no failure"
	[ ! -e "$dir/reports/one.jsonl" ] || complain "a wrong call gives a report"
	[ -s "$dir/reports/two.jsonl" ] || complain "one host's mistake is the other's"
else
	echo "without ansible-playbook (package ansible-core): the playbook is not tried"
fi
exit $failed
