# SPDX-License-Identifier: GPL-3.0-or-later
"""Exim and OpenSMTPD: their packages exclude Postfix's, so they are unpacked, not installed, and run from there.

The first scenario that wants one has apt-get download the packages, once; they stay in
`$SMTPBLAME_LAB_MTAS`, else under build/. `SMTPBLAME_LAB_MTAS=` (empty) asks for none. Each
runs with an own configuration, spool, and /etc/passwd.
"""

import functools
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

from . import build, process

PLACE_VARIABLE = "SMTPBLAME_LAB_MTAS"
PROGRAMS = {"exim": "usr/sbin/exim4", "opensmtpd": "usr/sbin/smtpd"}
PACKAGES = ["exim4-daemon-light", "opensmtpd"]
# What they need beyond a Postfix server's libraries; only what is not installed is fetched.
LIBRARIES = ["libdb5.3", "libevent-2.1-7", "libgnutls-dane0", "libgnutls30", "libidn12", "libidn2-0", "libnsl2",
             "libpcre2-8-0", "libtirpc3", "libunbound8"]
FETCH_SECONDS = 60
FETCH_OPTIONS = ["-qq", "-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10", "-o", "APT::Sandbox::User=root"]

PORTS = [25, 465, 587]
SERVER_NAME = "mx.example.net"
USER_IDS = {"Debian-exim": 61101, "opensmtpd": 61102, "opensmtpq": 61103}

EXIM = """\
primary_hostname = {name}
spool_directory = {directory}/spool
log_file_path = {directory}/%s.log
pid_file_path =
local_interfaces = <; 0.0.0.0 ; ::0
daemon_smtp_ports = {ports}
tls_on_connect_ports = 465
tls_advertise_hosts = *
tls_certificate = {directory}/cert.pem
tls_privatekey = {directory}/key.pem
host_lookup =
rfc1413_query_timeout = 0s
message_size_limit = 50M
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
acl_smtp_rcpt = refuse
begin acl
refuse:
  deny message = relay not permitted
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{user}}}}{{eq{{$auth3}}{{secret}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${{if and{{{{eq{{$auth1}}{{user}}}}{{eq{{$auth2}}{{secret}}}}}}}}
  server_set_id = $auth1
"""

OPENSMTPD = """\
{listeners}
action "onward" relay
match from local for local action "onward"
match from any for any reject
"""
OPENSMTPD_LISTENER = 'listen on {address} port {port} {how} hostname "{name}"'
OPENSMTPD_PKI = 'pki "{name}" cert "{directory}/cert.pem"\npki "{name}" key "{directory}/key.pem"'
OPENSMTPD_TLS = {25: 'tls pki "{name}"', 465: 'smtps pki "{name}" auth-optional',
                 587: 'tls-require pki "{name}" auth-optional'}


def place():
    """Where the unpacked packages are or will be; None if none are wanted."""
    chosen = os.environ.get(PLACE_VARIABLE, str(build.PROJECT / "build/lab/mtas"))
    return pathlib.Path(chosen) if chosen else None


def environment():
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, (place() / "root/usr/lib").glob("*-linux-gnu*")))}


@functools.lru_cache(maxsize=None)
def missing(kind):
    """None if that one can be run, else the reason why not."""
    if place() is None:
        return f"{kind}: {PLACE_VARIABLE} is empty"
    if not (place() / "root").exists():
        reason = fetch(place())
        if reason:
            return f"{kind} can't be had: {reason}"
    program = place() / "root" / PROGRAMS[kind]
    if not program.exists():
        return f"{kind}: no {program}"
    libraries = subprocess.run(["ldd", program], capture_output=True, text=True, env=environment(), timeout=10).stdout
    absent = [line.split()[0] for line in libraries.splitlines() if "not found" in line]
    return f"{kind}: it lacks {', '.join(absent)}" if absent else None


def fetch(where):
    """Download and unpack; None, or the reason why that failed."""
    where.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(dir=where, prefix="fetch-"))
    try:
        wanted = PACKAGES + [name for name in LIBRARIES if not installed(name)]
        quietly(["apt-get", *FETCH_OPTIONS, "download", *wanted], work)
        for package in sorted(work.glob("*.deb")):
            quietly(["dpkg-deb", "-x", package, work / "root"], work)
        if not (where / "root").exists():  # another lab may have been quicker
            os.rename(work / "root", where / "root")
    except subprocess.CalledProcessError as e:
        return " ".join(e.stderr.split())[-200:] or f"{e.cmd[0]} fails"
    except (OSError, subprocess.TimeoutExpired) as e:
        return str(e)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return None


def quietly(command, directory):
    subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True, timeout=FETCH_SECONDS)


def installed(package):
    status = subprocess.run(["dpkg-query", "-W", "-f=${db:Status-Status}", package], capture_output=True, text=True)
    return status.stdout == "installed"


# --- running one ---------------------------------------------------------------

def start(kind, service, directory, certificate):
    """`ports`, `name`; `tls`: false for an OpenSMTPD without (version 6.8 and OpenSSL 3 can't hold a TLS session)."""
    directory = pathlib.Path(directory, kind)
    directory.mkdir()
    directory.chmod(0o755)
    ports = service.get("ports", PORTS)
    shutil.copy(certificate[0], directory / "cert.pem")
    shutil.copy(certificate[1], directory / "key.pem")
    binds = write_users(directory)
    prepare = {"exim": prepare_exim, "opensmtpd": prepare_opensmtpd}[kind]
    arguments = prepare(directory, {"ports": ports, "name": service.get("name", SERVER_NAME),
                                    "tls": service.get("tls", True)}, binds)
    program = place() / "root" / PROGRAMS[kind]
    with open(directory / "start.log", "wb") as log:
        child = process.start_contained(["unshare", "--mount", "--", "sh", "-ec", with_binds(binds), "sh", program,
                                         *arguments], stdout=log, stderr=log, env=environment())
    return [child], list(ports)


def with_binds(binds):
    lines = [f"mount --bind {shlex.quote(str(own))} {path}" for path, own in binds.items()]
    return "\n".join([*lines, 'exec "$@"'])


def write_users(directory):
    """This machine's users and those that the packages would have made: {path: file to be there}."""
    binds = {}
    for path, line in (("/etc/passwd", "{name}:x:{id}:{id}::/nonexistent:/usr/sbin/nologin\n"),
                       ("/etc/group", "{name}:x:{id}:\n")):
        own = directory / pathlib.Path(path).name
        text = pathlib.Path(path).read_text()
        known = {entry.split(":")[0] for entry in text.splitlines()}
        own.write_text(text + "".join(line.format(name=name, id=number) for name, number in USER_IDS.items()
                                      if name not in known))
        binds[path] = own
    return binds


def prepare_exim(directory, wanted, _binds):
    (directory / "spool").mkdir()
    for path in (directory, directory / "spool"):
        os.chown(path, USER_IDS["Debian-exim"], USER_IDS["Debian-exim"])
    os.chown(directory / "key.pem", USER_IDS["Debian-exim"], 0)
    config = directory / "exim.conf"
    config.write_text(EXIM.format(directory=directory, name=wanted["name"],
                                  ports=" : ".join(map(str, wanted["ports"]))))
    return ["-bdf", "-C", config]


def prepare_opensmtpd(directory, wanted, binds):
    # Compiled-in paths; nothing of the machine's own below them is needed.
    for path, own in (("/var/spool", "spool"), ("/var/lib", "lib"), ("/run", "run")):
        (directory / own).mkdir()
        binds[path] = directory / own
    # It looks up every client's name before it greets: here that has no name, which it knows at once.
    (directory / "resolv.conf").write_text("lookup file\n")
    binds["/etc/resolv.conf"] = directory / "resolv.conf"
    for needed in ("spool/smtpd", "lib/opensmtpd/empty"):
        (directory / needed).mkdir(parents=True)
        (directory / needed).chmod(0o711)
    words = {"name": wanted["name"], "directory": directory}
    listeners = [OPENSMTPD_PKI.format(**words)] if wanted["tls"] else []
    listeners += [OPENSMTPD_LISTENER.format(address=address, port=port, **words,
                                            how=OPENSMTPD_TLS[port].format(**words) if wanted["tls"] else "")
                  for port in wanted["ports"] for address in ("0.0.0.0", "::")]
    config = directory / "smtpd.conf"
    config.write_text(OPENSMTPD.format(listeners="\n".join(listeners)))
    return ["-d", "-f", config]
