# SPDX-License-Identifier: GPL-3.0-or-later
"""Running scenarios: one worker process each, a line for each result."""

import collections
import dataclasses
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from . import build, cgroup, expect, features, inspect, netns, netrouter, process, remedy, replay, services, wire
from .network import Network, remove_directory

PROJECT = pathlib.Path(__file__).resolve().parents[3]
TEMP_PREFIX = "smtpblame-lab-"
TEMP_NAME = re.compile(rf"^{TEMP_PREFIX}(\d+)-")
EXIT_SKIPPED = 77
# Beyond the tool's own bound: setting up, taking down, and waiting for a stuck tool.
WORKER_MARGIN_SECONDS = 30.0
TOOL_MARGIN_SECONDS = 1.0
MAX_RUNS = 5  # inspect, check, with the remedy applied, with that undone, as text
# Scenarios wait most of the time. Without --jobs so many run at once for each processor, but a further one begins
# only while the processors have so much of their time left: what the tool finds must not come from being starved.
JOBS_PER_PROCESSOR = 4
IDLE_SHARE = 0.4
LOOK_SECONDS = 0.15
BROKEN_NETWORKS_MAX = 2  # tried again: Debian 12's sslsplit aborts in up to 9 of 100 STARTTLS sessions


class Interrupted(BaseException):
    """SIGINT or SIGTERM: unwind, cleaning up on the way."""


@dataclasses.dataclass
class Options:
    binary: pathlib.Path
    mode: str = "tool"            # or "wire": check the network itself
    jobs: int = None              # at once; None: as many as the processors have time for
    keep_going: bool = True
    verbose: bool = False
    json_out: pathlib.Path = None
    check_text: bool = False
    check_replay: bool = True


@dataclasses.dataclass
class Outcome:
    status: str                   # PASS, FAIL, SKIP, ERROR
    complaints: list = dataclasses.field(default_factory=list)
    setup: float = 0.0
    tool: float = 0.0
    total: float = 0.0
    judged: list = dataclasses.field(default_factory=list)  # (confidence, right) where the truth is known
    broke: bool = False           # a program of the network itself crashed


def find_binary(given=None):
    builds = [PROJECT / "build" / kind / place for kind in ("dev", "release")
              for place in ("smtpblame", "src/smtpblame")]
    candidates = [given, os.environ.get("SMTPBLAME"), *builds, "/usr/local/sbin/smtpblame"]
    for path in filter(None, candidates):
        if os.access(path, os.X_OK):
            return pathlib.Path(path).resolve()
        if path == given:
            break
    return None


def handle_signals():
    def interrupt(number, _frame):
        raise Interrupted(signal.Signals(number).name)
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, interrupt)


def ignore_signals():
    """While cleaning up, nothing may interrupt."""
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, signal.SIG_IGN)


def make_run_directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix=f"{TEMP_PREFIX}{os.getpid()}-"))
    path.chmod(0o755)  # Postfix's own user must get through
    return path


# --- in the worker -------------------------------------------------------------

def run_scenario(scenario, options, directory, certificate):
    begin = time.monotonic()
    outcome = Outcome("PASS")
    with Network(scenario, directory, certificate) as network:
        outcome.setup = time.monotonic() - begin
        if options.mode == "wire":
            outcome.complaints = wire.differences(network)
        else:
            run_tool(network, options, outcome)
        outcome.broke = bool(outcome.complaints) and network.broke()
    outcome.status = "FAIL" if outcome.complaints else "PASS"
    outcome.total = time.monotonic() - begin
    return outcome


def run_tool(network, options, outcome):
    scenario = network.scenario
    foreseen = []
    if scenario.check_named:
        foreseen = inspect.check(network, lambda name: call_json(network, options, name, verb="inspect"))
    case = network.directory / "case"
    # a run of several rounds can't be saved
    saving = ["--save", str(case)] if options.check_replay and "--repeat" not in scenario.args else []
    status, outcome.tool, stdout, stderr = call_tool(network, options, ["--json", *saving], "report")
    documents, complaints = expect.parse_documents(stdout)
    outcome.complaints += complaints + complaints_of_run(scenario, status, stdout, documents)
    outcome.complaints += expect.check_expected(scenario, status, outcome.tool, stderr.decode(errors="replace"),
                                                documents)
    if saving and documents and not complaints:
        outcome.complaints += replay.check(options.binary, case, status, stdout)
    for document in documents:
        outcome.judged += judge(scenario, document)
    if scenario.check_named and not outcome.complaints and len(documents) == 1:
        outcome.complaints += remedy.check(network, documents[0],
                                           lambda name: call_json(network, options, name))
    outcome.complaints += foreseen
    if scenario.also_text or options.check_text:
        text_status, _, text, _ = call_tool(network, options, ["--color", "never"], "text")
        outcome.complaints += expect.check_output_bytes("text", text)
        if text_status != status:
            outcome.complaints.append(f"exit status {text_status} with text output, {status} with --json")


def save_case(network, options):
    """One run, saved in the network's directory: what is wrong with it. As a host that is called "client"."""
    scenario, case = network.scenario, network.directory / "case"
    status, seconds, stdout, stderr = call_tool(network, options, ["--json", "--save", str(case)], "report",
                                                before=["unshare", "--uts", "sh", "-c", 'hostname client; exec "$@"', "sh"])
    documents, complaints = expect.parse_documents(stdout)
    complaints += complaints_of_run(scenario, status, stdout, documents)
    complaints += expect.check_expected(scenario, status, seconds, stderr.decode(errors="replace"), documents)
    return complaints or replay.check(options.binary, case, status, stdout)


def complaints_of_run(scenario, status, stdout, documents):
    """What must hold for every run."""
    found = expect.check_output_bytes("json", stdout)
    if status is None:
        found.append(f"did not end within {scenario.timeout} s + {TOOL_MARGIN_SECONDS} s")
    for document in documents:
        found += expect.check_document(document)
    return found


def call_json(network, options, name, verb="check"):
    """A further run: (exit status, seconds, documents, complaints)."""
    status, seconds, stdout, _stderr = call_tool(network, options, ["--json"], name, verb)
    documents, complaints = expect.parse_documents(stdout)
    return status, seconds, documents, complaints + complaints_of_run(network.scenario, status, stdout, documents)


def call_tool(network, options, extra, name, verb="check", before=()):
    """One run of the tool: (exit status or None if it had to be killed, seconds, stdout, stderr)."""
    scenario = network.scenario
    timed = ["--timeout", f"{scenario.timeout:g}"] if scenario.timeout_given else []
    command = [*before, str(options.binary), verb, *extra, *timed, *map(scenario.fill, scenario.args),
               *scenario.target_words()]
    out, err = (network.directory / f"{name}.{kind}" for kind in ("stdout", "stderr"))
    (network.directory / f"{name}.command").write_text(" ".join(command) + "\n")
    begin = time.monotonic()
    with open(out, "wb") as out_file, open(err, "wb") as err_file:
        try:
            status = network.run(network.topology.client, command, stdin=subprocess.DEVNULL, stdout=out_file,
                                 stderr=err_file, process_group=0,
                                 timeout=scenario.timeout + TOOL_MARGIN_SECONDS)
        except subprocess.TimeoutExpired:
            status = None
    return status, time.monotonic() - begin, out.read_bytes(), err.read_bytes()


def judge(scenario, document):
    """For the calibration of confidences: of each stopped port's first finding, how sure it was and whether right."""
    truth = scenario.expect.get("truth")
    if not truth:
        return []
    firsts = [port["findings"][0] for port in document.get("ports", []) if port.get("findings")]
    return [(first["confidence"], first["place"] == truth) for first in firsts
            if first.get("confidence") is not None]


def worker(scenario, options, directory, certificate, result_fd):
    """The whole life of a worker process; never returns."""
    status = 1
    try:
        os.setpgid(0, 0)
        process.die_with_parent(signal.SIGTERM)
        handle_signals()
        directory.mkdir()
        directory.chmod(0o755)
        try:
            outcome = run_scenario(scenario, options, directory, certificate)
            for _again in range(BROKEN_NETWORKS_MAX):
                if not outcome.broke:
                    break
                remove_directory(directory)
                directory.mkdir()
                directory.chmod(0o755)
                outcome = run_scenario(scenario, options, directory, certificate)
        except Exception as e:
            detail = [traceback.format_exc()] if options.verbose else []
            outcome = Outcome("ERROR", [f"{type(e).__name__}: {e}", *detail])
        with os.fdopen(result_fd, "w") as f:
            json.dump(dataclasses.asdict(outcome), f)
        status = 0
    finally:
        os._exit(status)


# --- in the parent -----------------------------------------------------------------

class Pace:
    """How many workers at once: a given number, or what the processors have time for."""

    def __init__(self, jobs):
        self.fixed = jobs
        self.processors = os.cpu_count()
        self.looked = 0.0
        self.times = self.read()

    @staticmethod
    def read():
        """(idle, all) of the processors' time so far."""
        with open("/proc/stat") as f:
            times = list(map(int, f.readline().split()[1:9]))
        return times[3], sum(times)

    def room(self, running):
        if self.fixed is not None:
            return running < self.fixed
        if running < self.processors:
            return True
        if running >= self.processors * JOBS_PER_PROCESSOR or time.monotonic() - self.looked < LOOK_SECONDS:
            return False
        before, self.times, self.looked = self.times, self.read(), time.monotonic()
        idle, total = (now - then for now, then in zip(self.times, before))
        return idle >= IDLE_SHARE * total > 0


@dataclasses.dataclass
class Job:
    scenario: object
    pid: int
    pipe: int
    directory: pathlib.Path
    deadline: float
    data: bytes = b""


class Runner:
    def __init__(self, options):
        self.options = options
        self.counts = collections.Counter()
        self.judged = []
        self.jobs = []
        self.kept = None
        self.number = 0
        self.stop = False

    def run(self, scenarios):
        """Run all, print a line each; the exit status for the command."""
        self.directory = make_run_directory()
        begin = time.monotonic()
        try:
            self.prepare(scenarios)
            waiting = collections.deque(scenarios)
            pace = Pace(self.options.jobs)
            while self.jobs or (waiting and not self.stop):
                while waiting and not self.stop and pace.room(len(self.jobs)):
                    self.begin(waiting.popleft())
                self.collect(LOOK_SECONDS if waiting else 0.5)
        finally:
            ignore_signals()
            self.end_workers()
            remove_directory(self.directory)
        self.print_summary(time.monotonic() - begin)
        return self.exit_status()

    def prepare(self, scenarios):
        self.certificate = services.make_certificate(self.directory)
        if any("tun" in features.needed_by(scenario) for scenario in scenarios):
            netrouter.binary()
        if any("bpfload" in scenario.requires for scenario in scenarios):
            build.program("bpfload")

    def begin(self, scenario):
        reason = features.reason_to_skip(scenario)
        if reason is None and self.options.mode == "wire" and not scenario.wire:
            reason = "no [wire] part"
        if reason:
            self.report(scenario, Outcome("SKIP", [reason]))
            return
        self.number += 1
        directory = self.directory / str(self.number)  # short: names of sockets in it have a limit
        read_end, write_end = os.pipe()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            os.close(read_end)
            worker(scenario, self.options, directory, self.certificate, write_end)
        os.close(write_end)
        deadline = time.monotonic() + MAX_RUNS * scenario.timeout + WORKER_MARGIN_SECONDS
        self.jobs.append(Job(scenario, pid, read_end, directory, deadline))

    def collect(self, seconds):
        """Wait so long for one worker to say something or to be late."""
        if not self.jobs:
            return
        ready = select.select([job.pipe for job in self.jobs], [], [], seconds)[0]
        for job in list(self.jobs):
            if job.pipe in ready:
                data = os.read(job.pipe, 65536)
                job.data += data
                if not data:
                    self.finish(job)
            elif time.monotonic() > job.deadline:
                os.kill(job.pid, signal.SIGTERM)
                job.deadline = float("inf")

    def finish(self, job):
        os.close(job.pipe)
        process.reaped(job.pid, block=True)
        self.jobs.remove(job)
        # A worker that was killed could not clean up behind itself.
        delete_owned(job.pid)
        outcome = Outcome(**json.loads(job.data)) if job.data else Outcome("ERROR", ["the worker was killed"])
        self.report(job.scenario, outcome, self.keep(job, outcome))

    def keep(self, job, outcome):
        """Move what a run left to where the caller wants it, or where a failure can be looked at."""
        place = self.options.json_out
        if place is None and outcome.status in ("FAIL", "ERROR"):
            self.kept = self.kept or pathlib.Path(tempfile.mkdtemp(prefix="smtpblame-failed-"))
            place = self.kept
        if place is None or not job.directory.exists():
            remove_directory(job.directory)
            return None
        for node in job.directory.glob("node-*/postfix/queue"):
            remove_directory(node)  # sockets and the like; the logs stay
        place.mkdir(parents=True, exist_ok=True)
        name = f"{job.directory.name}-{job.scenario.name}-{job.scenario.family}"
        return pathlib.Path(shutil.move(job.directory, place / name))

    def report(self, scenario, outcome, kept=None):
        self.counts[outcome.status] += 1
        self.judged += outcome.judged
        times = f"{outcome.total:5.2f} s" if outcome.status in ("PASS", "FAIL") else "       "
        detail = f"  setup {outcome.setup:.2f}, tool {outcome.tool:.2f}" if self.options.verbose else ""
        reason = f"  ({outcome.complaints[0]})" if outcome.status == "SKIP" else ""
        print(f"{outcome.status:5} {times}  {scenario.label}{detail}{reason}", flush=True)
        if outcome.status in ("FAIL", "ERROR"):
            for complaint in outcome.complaints:
                print(f"      {complaint}")
            if kept:
                print(f"      kept in {kept}", flush=True)
            self.stop = not self.options.keep_going

    def end_workers(self):
        for job in self.jobs:
            os.kill(job.pid, signal.SIGTERM)
        for job in self.jobs:
            process.reaped(job.pid, block=True)
            delete_owned(job.pid)

    def print_summary(self, seconds):
        counts = ", ".join(f"{self.counts[status]} {status}" for status in ("PASS", "FAIL", "ERROR", "SKIP")
                           if self.counts[status])
        print(f"{counts or 'nothing to run'} in {seconds:.1f} s")
        for low, high in ((0.9, 1.01), (0.7, 0.9), (0.5, 0.7), (0.0, 0.5)):
            band = [right for confidence, right in self.judged if low <= confidence < high]
            if band and self.options.verbose:
                print(f"  places given at {low} to {min(high, 1.0)}: {sum(band)} of {len(band)} right")

    def exit_status(self):
        if self.counts["FAIL"] or self.counts["ERROR"]:
            return 1
        if self.counts["SKIP"] and not self.counts["PASS"]:
            return EXIT_SKIPPED
        return 0


# --- what dead labs left -----------------------------------------------------------

def delete_owned(pid):
    """Namespaces and cgroups of a lab process that has ended."""
    netns.delete(netns.owned_namespaces(pid))
    for name, owner in cgroup.owned():
        if owner == pid:
            cgroup.remove(name)


def clean():
    """Remove namespaces, cgroups and directories whose lab process is dead; returns what was removed."""
    names = [name for name, owner in netns.lab_namespaces() if not alive(owner)]
    netns.delete(names)
    for name, owner in cgroup.owned():
        if not alive(owner):
            cgroup.remove(name)
            names.append(name)
    directories = []
    for path in pathlib.Path(tempfile.gettempdir()).iterdir():
        match = TEMP_NAME.match(path.name)
        if match and not alive(int(match.group(1))):
            remove_directory(path)
            directories.append(str(path))
    return names + directories


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
