# SPDX-License-Identifier: GPL-3.0-or-later
"""The running network of one scenario: built, changed as the scenario says, taken down."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import time

from . import build, certificates, cgroup, netns, netrouter, process, services

BASE_SYSCTLS = {
    "net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.default.rp_filter": 0,
    "net.ipv4.conf.all.send_redirects": 0, "net.ipv4.conf.default.send_redirects": 0,
    "net.ipv6.conf.all.accept_dad": 0, "net.ipv6.conf.default.accept_dad": 0,
    "net.ipv6.conf.all.accept_ra": 0, "net.ipv6.conf.default.accept_ra": 0,
    "net.ipv6.conf.default.router_solicitations": 0,
}
# Linux routers answer a client's thirty probes with few ICMP errors by default. That is a
# scenario of its own; everywhere else routers answer all.
ROUTER_SYSCTLS = {
    "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1,
    "net.ipv4.icmp_ratelimit": 0, "net.ipv4.icmp_msgs_per_sec": 100000, "net.ipv4.icmp_msgs_burst": 10000,
    "net.ipv6.icmp.ratelimit": 0,
}
SILENT_ROUTER_NFT = """
table inet silent {
    chain output {
        type filter hook output priority 0;
        icmp type time-exceeded drop
        icmpv6 type time-exceeded drop
    }
}
"""

FIRST_INDEX = 10
READY_SECONDS = 5.0
PING_INTERVAL = 0.02
BPF_FILESYSTEM = "/sys/fs/bpf"
TRUST_ANCHORS = "/usr/share/dns"


class Network:
    """Everything that one scenario needs, from namespaces to servers. Use as a context manager."""

    def __init__(self, scenario, directory, certificate):
        self.scenario = scenario
        self.topology = scenario.topology
        self.directory = pathlib.Path(directory)
        self.certificates = certificates.Store(self.directory / "pki", certificate)
        self.pid = os.getpid()
        self.children = []
        self.brittle = []  # of them: programs that crash by themselves now and then
        self.private = {}   # node: {path: what its commands see there}
        self.mounts = {}    # node: an open mount namespace
        self.cgroup = None  # name of the client's own, if it has one

    def namespace(self, node):
        return netns.namespace_name(self.pid, node)

    def inside(self, node):
        return netns.entered(self.namespace(node))

    def __enter__(self):
        try:
            self.build()
            self.prepare_surroundings()
            self.start_services()
            self.wait_until_routed()
            self.apply_scenario()
            self.wait_for_services()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        process.stop(self.children)
        self.children = []
        for mounts in self.mounts.values():
            os.close(mounts)
        self.mounts = {}
        netns.delete([self.namespace(node) for node in self.topology.nodes])
        if self.cgroup:
            cgroup.remove(self.cgroup)
            self.cgroup = None

    # --- the network -------------------------------------------------------

    def build(self):
        names = [self.namespace(node) for node in self.topology.nodes]
        netns.delete(names)  # left by a dead lab whose pid this process got
        netns.ip_batch([f"netns add {name}" for name in names])
        for node in self.topology.nodes:
            with self.inside(node):
                self.write_sysctls(BASE_SYSCTLS)
                self.write_sysctls(ROUTER_SYSCTLS if self.topology.nodes[node].get("router") else {})
                self.write_sysctls(self.topology.nodes[node].get("sysctl", {}))
        netns.ip_batch([self.link_command(number, link) for number, link in enumerate(self.topology.links)])
        for node in self.topology.nodes:
            with self.inside(node):
                netns.ip_batch(self.address_commands(node))
        for node in self.topology.nodes:
            with self.inside(node):
                netns.ip_batch([f"route add {route}" for route in self.topology.nodes[node].get("routes", [])])
                self.load_nft(self.topology.nodes[node].get("nft", ""))

    def link_command(self, number, link):
        """Two ends that happen to get the same index in their namespaces look to the kernel like no
        pair; it then delays the news that the link is up, and with it IPv6, by up to a second."""
        near, far = link.ends
        index = FIRST_INDEX + 2 * number
        return (f"link add {near.interface} index {index} netns {self.namespace(near.node)} type veth "
                f"peer name {far.interface} index {index + 1} netns {self.namespace(far.node)}")

    def address_commands(self, node):
        lines = ["link set lo up"]
        for link in self.topology.links:
            for end, addresses in zip(link.ends, link.addresses):
                if end.node == node:
                    lines += [f"address add {a} dev {end.interface}{' nodad' if ':' in a else ''}"
                              for a in addresses]
                    lines.append(f"link set {end.interface} up")
        return lines

    def write_sysctls(self, settings):
        for name, value in settings.items():
            path = "/proc/sys/" + "/".join(name.split("."))
            if not os.path.exists(path):
                continue  # not per namespace in this kernel
            with open(path, "w", encoding="ascii") as f:
                f.write(str(value))

    def wait_until_routed(self):
        """Until the target answers in both families: the links are up, and neighbours known all along the way."""
        with self.inside(self.topology.client):
            waiting = set(self.topology.addresses[self.scenario.target].items())
            deadline = time.monotonic() + READY_SECONDS
            while waiting:
                waiting = {one for one in waiting if not answers_ping(*one)}
                if waiting and time.monotonic() > deadline:
                    raise RuntimeError(f"the undisturbed network does not reach {sorted(waiting)}")

    # --- what the commands of a node see -----------------------------------

    def prepare_surroundings(self):
        """Files of their own for nodes that want some, a cgroup for the client, words for the scenario."""
        words = {"lab": str(build.LAB)}
        for node, actions in self.scenario.nodes.items():
            self.private[node] = {path: self.private_copy(node, number, path, how)
                                  for number, (path, how) in enumerate(actions.get("private", {}).items())}
            if actions.get("cgroup"):
                self.cgroup = words["cgroup"] = cgroup.make(self.pid)
        if "bpfload" in self.scenario.requires:
            words["bpfload"] = str(build.program("bpfload"))
        if any("{ca}" in word for word in self.scenario.args):
            words["ca"] = str(self.certificates.authority()[0])
        self.scenario.words = words

    def private_copy(self, node, number, path, how):
        place = self.directory / f"node-{node}" / f"private-{number}"
        if how == "copy":
            place.parent.mkdir(exist_ok=True)
            shutil.copytree(path, place, symlinks=True)
        elif how == "empty":
            place.mkdir(parents=True)
        else:
            raise RuntimeError(f"private: {path} is to be {how!r}: neither copy nor empty")
        return place

    def surroundings(self, node):
        """What a child calls before it becomes a command at `node`."""
        if node not in self.mounts:
            self.mounts[node] = self.make_mounts(node)
        joins = self.cgroup if node == self.topology.client else None

        def prepare():
            process.die_with_parent()
            if joins:
                cgroup.enter(joins)
            process.enter_mounts(self.mounts[node])
        return prepare

    def make_mounts(self, node):
        binds = self.name_files() | self.private.get(node, {})
        if (self.directory / "anchor").exists():
            binds[TRUST_ANCHORS] = self.directory / "anchor"
        if self.cgroup and cgroup.root() != cgroup.USUAL_ROOT:
            binds[cgroup.USUAL_ROOT] = cgroup.root()
        # The machine's own is not for the lab's pins.
        bpf = [("bpf", BPF_FILESYSTEM)] if "bpfload" in self.scenario.requires else []
        return process.make_mounts(binds, bpf)

    # --- what the scenario does to it ----------------------------------------

    def apply_scenario(self):
        for node in self.topology.nodes:
            actions = self.scenario.nodes.get(node, {})
            with self.inside(node):
                self.write_sysctls(actions.get("sysctl", {}))
                self.load_nft(actions.get("nft", ""))
                if any(self.scenario.node_actions(node, "silent", False)):
                    self.load_nft(SILENT_ROUTER_NFT)
            self.apply_impairment(node)
            self.apply_commands(node)

    def load_nft(self, text):
        if text:
            text = text.replace("{cgroup}", self.cgroup or "")
            netns.checked(["nft", "-f", "-"], text=self.scenario.nft_defines() + text,
                          preexec_fn=self.surroundings(self.topology.client) if self.cgroup else None)

    def apply_impairment(self, node):
        config = next(filter(None, reversed(self.scenario.node_actions(node, "impair", ""))), None)
        if not config:
            return
        left, *right = self.topology.interfaces(node)
        devices, routing = netrouter.setup_commands(left, right)
        place = self.directory / f"node-{node}"
        place.mkdir(exist_ok=True)
        with self.inside(node):
            netns.ip_batch(devices)
            self.load_nft(netrouter.nft(left))
            self.children.append(netrouter.start(netrouter.binary(), self.netrouter_config(node, config), place))
            for family in ("-4", "-6"):
                netns.ip_batch(routing, family)
            self.wait_for_carrier(place)

    def netrouter_config(self, node, config):
        own = [f"address{family[1]} {address}" for family, address in self.topology.addresses[node].items()]
        return "\n".join(own) + "\n" + self.scenario.fill(config)

    def wait_for_carrier(self, place):
        deadline = time.monotonic() + READY_SECONDS
        while True:
            shown = subprocess.run(["ip", "-o", "link", "show", "type", "tun"], capture_output=True, text=True)
            if "NO-CARRIER" not in shown.stdout:
                return
            if time.monotonic() > deadline:
                raise RuntimeError("netrouter does not serve its devices: "
                                   + (place / "netrouter.log").read_text())
            time.sleep(0.005)

    def apply_commands(self, node):
        actions = self.scenario.nodes.get(node, {})
        with self.inside(node):
            for line in actions.get("ip", []):
                netns.checked(["ip", *self.scenario.fill(line).split()])
            for number, line in enumerate(actions.get("background", [])):
                log = self.directory / f"background-{node}-{number}.log"
                with open(log, "wb") as out:
                    self.children.append(process.start(["sh", "-ec", self.scenario.fill(line)], stdout=out, stderr=out,
                                                       prepare=self.surroundings(node)))
        for line in actions.get("run", []):
            self.command(node, line)

    def command(self, node, line, fill=True):
        """A shell command at a node, with the node's own files; raises with its output if it fails."""
        line = self.scenario.fill(line) if fill else line
        with self.inside(node):
            return netns.checked(["sh", "-ec", line], preexec_fn=self.surroundings(node))

    # --- services -------------------------------------------------------------

    def start_services(self):
        self.awaited = []
        found = [(node, service) for node in self.topology.nodes for service in self.scenario.services(node)]
        # a resolver trusts the key that an authority makes at its start
        for node, service in sorted(found, key=lambda one: one[1]["kind"] != "authority"):
            place = self.directory / f"node-{node}"
            place.mkdir(exist_ok=True)
            with self.inside(node):
                children, ports = services.start({**service, "node": node}, place, self.certificates,
                                                 self.topology.addresses)
            self.children += children
            self.brittle += children if service["kind"] == "sslsplit" else []
            self.awaited.append((node, children, ports, place))

    def wait_for_services(self):
        for node, children, ports, place in self.awaited:
            with self.inside(node):
                services.wait_listening(ports, children, lambda place=place: logs_of(place))

    # --- use ------------------------------------------------------------------

    def broke(self):
        """Has a program of the network itself crashed? Then what was seen in it is no truth about anything."""
        return any(os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) for child in self.brittle)

    def run(self, node, command, timeout=None, **options):
        """Run a command to its end at a node: its exit status. Options as for Popen.

        It is killed, with its process group if it got one, when `timeout` has passed.

        It finds the lab's names in /etc/hosts and no resolver but one of the lab's: whoever
        asks the machine's own one from in here would wait for an answer that cannot come.
        """
        with self.inside(node):
            child = subprocess.Popen(command, preexec_fn=self.surroundings(node), **options)
        try:
            return child.wait(timeout)
        except BaseException:
            process.signal_group(child.pid, signal.SIGKILL)
            child.wait()
            raise

    def name_files(self):
        hosts = self.directory / "hosts"
        lines = ["127.0.0.1 localhost", "::1 localhost"]
        for node, addresses in self.topology.addresses.items():
            names = [services.SERVER_NAME, node] if node == self.topology.target else [node]
            lines += [" ".join([address, *names]) for address in addresses.values()]
        hosts.write_text("\n".join(lines) + "\n")
        resolver = self.directory / "resolv.conf"
        resolver.write_text(f"nameserver {self.resolver()}\noptions timeout:1 attempts:1\n")
        return {path: file for path, file in (("/etc/hosts", hosts), ("/etc/resolv.conf", resolver))
                if os.path.exists(path)}

    def resolver(self):
        """Address of the first node with a resolver."""
        for node in self.topology.nodes:
            if any(service["kind"] == "resolver" for service in self.scenario.services(node)):
                return self.topology.addresses[node]["v4"]
        return "127.0.0.1"

    def environment(self):
        per_family = self.topology.addresses[self.scenario.target]
        return {**os.environ, "TARGET": self.scenario.address(self.scenario.target),
                **{f"TARGET{family[1]}": address for family, address in per_family.items()}}


def logs_of(place):
    texts = [path.read_text(errors="replace") for path in sorted(place.rglob("*log")) if path.is_file()]
    return " ".join(" ".join(texts).split())[-2000:] or "it left no log"


def answers_ping(family, address):
    """One echo request from the current namespace, answered within PING_INTERVAL?"""
    if family == "v4":
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        request, reply, header = 8, 0, 20
    else:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        request, reply, header = 128, 129, 0
    with contextlib.closing(sock):
        sock.settimeout(PING_INTERVAL)
        message = struct.pack("!BBHHH", request, 0, 0, os.getpid() & 0xFFFF, 1)
        message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
        deadline = time.monotonic() + PING_INTERVAL
        try:
            sock.sendto(message, (address, 0))
            while time.monotonic() < deadline:
                data, sender = sock.recvfrom(2048)
                if data[header] == reply and sender[0] == address:
                    return True
        except OSError:
            time.sleep(PING_INTERVAL / 4)
    return False


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def remove_directory(path):
    shutil.rmtree(path, ignore_errors=True)
