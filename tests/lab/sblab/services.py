# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on the nodes: Postfix, scripted SMTP servers, plain listeners, name servers."""

import os
import pathlib
import pwd
import signal
import socket
import subprocess
import time

from . import mtas, names, process
import smtp_proxy
import smtpd_script

POSTFIX_MASTER = "/usr/lib/postfix/sbin/master"
SERVER_NAME = "mx.example.net"
READY_SECONDS = 10.0
TCP_LISTEN = "0A"


class ServiceError(RuntimeError):
    pass


def make_certificate(directory, name=SERVER_NAME):
    """A self-signed certificate and its key: (certificate path, key path)."""
    cert, key = pathlib.Path(directory, "cert.pem"), pathlib.Path(directory, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-keyout", key, "-out", cert, "-days", "30", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name}"], check=True, capture_output=True, timeout=30)
    return cert, key


def start(service, directory, certificates, addresses=None):
    """Start one service in the namespace that the caller has entered: (children, ports it will listen on).

    `addresses` of all nodes, by node and family: name servers need them.
    The sockets of a holder are no listeners: it is quick enough not to be waited for.
    """
    service = dict(service)
    kind, node = service.pop("kind"), service.pop("node", None)
    certificate = certificates.get(service.pop("certificate", None))
    if kind == "postfix":
        return start_postfix(service, directory, certificate)
    if kind == "listener":
        return start_script({port: {"steps": ["drain"]} for port in service["ports"]}, directory, certificate)
    if kind == "script":
        ports = service.pop("ports", None) or [service.pop("port")]
        return start_script({port: service for port in ports}, directory, certificate)
    if kind == "proxy":
        return start_proxy(service, directory, certificate)
    if kind == "sslsplit":
        return start_sslsplit(service, directory, certificates)
    if kind in mtas.PROGRAMS:
        return mtas.start(kind, service, directory, certificate)
    if kind == "holder":
        return [process.start_function(hold_ports, service["range"], log=pathlib.Path(directory, "holder.log"))], []
    if kind == "authority":
        return names.start_authority(service, directory, addresses[node], certificates)
    if kind == "resolver":
        return names.start_resolver(service, directory, addresses[service["authority"]])
    raise ServiceError(f"unknown kind of service: {kind}")


def hold_ports(first_and_last):
    """Take every port of a range, in both families, so that nobody else gets one; listens on none."""
    held = []
    for port in range(first_and_last[0], first_and_last[1] + 1):
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::", port))
        held.append(sock)
    signal.pause()


def start_script(ports, directory, certificate):
    log = pathlib.Path(directory, "script-" + "-".join(map(str, ports)) + ".log")
    child = process.start_function(smtpd_script.serve, ports, certificate, log=log)
    return [child], list(ports)


# --- who sits in between -----------------------------------------------------

def start_proxy(service, directory, certificate):
    ports = service.pop("ports", None) or [service.pop("port")]
    log = pathlib.Path(directory, "proxy-" + "-".join(map(str, ports)) + ".log")
    return [process.start_function(smtp_proxy.serve, ports, service, certificate, log=log)], ports


def start_sslsplit(service, directory, certificates):
    """`ssl` and `autossl`: the ports on which it decrypts at once, or from STARTTLS on."""
    cert, key = certificates.authority(service.get("authority", "unknown"))
    engine = service.get("engine", "netfilter")
    listening = [word for how in ("ssl", "autossl") for port in service.get(how, [])
                 for word in (how, service.get("address", "0.0.0.0"), str(port), engine)]
    ports = service.get("ssl", []) + service.get("autossl", [])
    with open(pathlib.Path(directory, "sslsplit-" + "-".join(map(str, ports)) + ".log"), "wb") as log:
        child = process.start(["sslsplit", "-D", "-u", "root", "-k", key, "-c", cert, *listening],
                              stdout=log, stderr=log)
    return [child], ports


# --- Postfix, with nothing of the system-wide one but its programs ---------

POSTFIX_MAIN = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/maillog
maillog_file_prefixes = {directory}
inet_protocols = all
inet_interfaces = all
myhostname = {name}
mydestination = $myhostname
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
default_transport = discard
local_transport = discard
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
cyrus_sasl_config_path = {directory}/conf/sasl
"""

POSTFIX_MASTER_CF = """\
anvil     unix  -       -       n       -       1       anvil
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
postlog   unix-dgram n  -       n       -       1       postlogd
rewrite   unix  -       -       n       -       -       trivial-rewrite
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
bounce    unix  -       -       n       -       0       bounce
discard   unix  -       -       n       -       -       discard
"""

POSTFIX_PORT_OPTIONS = {
    587: "-o smtpd_tls_security_level=encrypt -o smtpd_tls_auth_only=yes -o smtpd_sasl_auth_enable=yes",
    465: "-o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes",
}

QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
          "saved", "trace")

SASL = "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\nsasldb_path: {directory}/sasldb\n"


def start_postfix(service, directory, certificate):
    """Postfix's master(8) on its own configuration, queue and data directory.

    The directories that `postfix check` would make are made here: that script
    takes longer than all the rest and looks at system-wide files.
    """
    directory = pathlib.Path(directory, "postfix")
    make_postfix_directories(directory)
    places = {"directory": directory, "certificate": certificate[0], "key": certificate[1],
              "name": service.get("name", SERVER_NAME)}
    settings = "".join(f"{name} = {value}\n" for name, value in service.get("settings", {}).items())
    write_old(directory / "conf/main.cf", POSTFIX_MAIN.format(**places) + settings)
    listeners = "".join(f"{port} inet n - n - - smtpd {POSTFIX_PORT_OPTIONS.get(port, '')}\n"
                        for port in service["ports"])
    write_old(directory / "conf/master.cf", listeners + POSTFIX_MASTER_CF)
    (directory / "conf/sasl/smtpd.conf").write_text(SASL.format(**places))
    with open(directory / "start.log", "wb") as log:
        child = process.start_contained([POSTFIX_MASTER, "-c", str(directory / "conf"), "-d"],
                                        stdout=log, stderr=log)
    return [child], list(service["ports"])


def write_old(path, text):
    """Postfix waits for a configuration file that has just changed to settle: give this one an old date."""
    path.write_text(text)
    long_ago = time.time() - 3600
    os.utime(path, (long_ago, long_ago))


def make_postfix_directories(directory):
    owner = pwd.getpwnam("postfix")
    for name in ("conf/sasl", "queue/public", "queue/maildrop", "queue/pid", "data"):
        (directory / name).mkdir(parents=True)
    for name in QUEUES:
        (directory / "queue" / name).mkdir()
        os.chown(directory / "queue" / name, owner.pw_uid, 0)
        os.chmod(directory / "queue" / name, 0o700)
    for name, mode in (("queue/public", 0o710), ("queue/maildrop", 0o730), ("data", 0o700)):
        os.chown(directory / name, owner.pw_uid, 0)
        os.chmod(directory / name, mode)


# --- readiness --------------------------------------------------------------

def wait_listening(ports, children, explain):
    """Wait until the namespace that the caller has entered listens on all `ports`."""
    deadline = time.monotonic() + READY_SECONDS
    while not set(ports) <= listening_ports():
        if any(process.reaped(child.pid) for child in children):
            raise ServiceError(f"a service ended while starting: {explain()}")
        if time.monotonic() > deadline:
            raise ServiceError(f"not listening on {sorted(set(ports) - listening_ports())}: {explain()}")
        time.sleep(0.005)


def listening_ports():
    """Ports in state LISTEN on v4 or v6 here (thread-self: /proc/net alone shows another thread's namespace)."""
    found = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/thread-self/net/{table}", encoding="ascii") as f:
            for line in list(f)[1:]:
                fields = line.split()
                if fields[3] == TCP_LISTEN:
                    found.add(int(fields[1].rsplit(":", 1)[1], 16))
    return found
