# SPDX-License-Identifier: GPL-3.0-or-later
"""A small DNS of the lab's own: an authority with a signed root (Knot) and a resolver (Unbound).

The authority holds the root zone and every zone of its `zones`; the ones with `signed` hang on a
DS record in the root, one with `broken_ds` on a wrong one. `anchor/root.key` in the network's
directory is the trust anchor: the lab's commands find it in /usr/share/dns.
"""

import pathlib
import re
import subprocess

from . import process

KNOTD, KEYMGR, UNBOUND = "/usr/sbin/knotd", "/usr/sbin/keymgr", "/usr/sbin/unbound"
ALGORITHM = "ECDSAP256SHA256"
WRONG_DIGEST = "00" * 32

KNOT_CONF = """\
server:
    rundir: "{directory}"
    listen: [ 0.0.0.0@53, ::@53 ]
    user: root:root
database:
    storage: "{directory}"
log:
  - target: stderr
    any: warning
policy:
  - id: lab
    algorithm: {algorithm}
    single-type-signing: on
template:
  - id: default
    storage: "{directory}"
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
zone:
"""

UNBOUND_CONF = """\
server:
    directory: "{directory}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    interface: 0.0.0.0
    interface: ::0
    access-control: 0.0.0.0/0 allow
    access-control: ::0/0 allow
    root-hints: "{directory}/root.hints"
    trust-anchor-file: "{anchor}"
    module-config: "validator iterator"
    harden-referral-path: no
    local-zone: "example." nodefault
    local-zone: "test." nodefault
remote-control:
    control-enable: no
"""


def start_authority(service, directory, addresses, certificates):
    """Keys, zones, then knotd: (children, ports). `addresses` of this node are the zones' name server's.
    In records, `{spki:NAME}` is the digest of a certificate's key, `{key:NAME}` that key as a whole."""
    place = pathlib.Path(directory, "knot")
    place.mkdir(parents=True)
    zones = service["zones"]
    signed = [".", *(name for name, zone in zones.items() if zone.get("signed"))]
    conf = place / "knot.conf"
    conf.write_text(KNOT_CONF.format(directory=place, algorithm=ALGORITHM) + "".join(
        f'  - domain: "{name}"\n    file: "{file_name(name)}"\n'
        + ("    dnssec-signing: on\n    dnssec-policy: lab\n" if name in signed else "")
        for name in [".", *zones]))
    ds = {name: make_key(conf, name) for name in signed}
    glue = "".join(f"ns.lab. {'A' if family == 'v4' else 'AAAA'} {text}\n" for family, text in addresses.items())
    head = "$TTL 300\n@ SOA ns.lab. admin.lab. 1 3600 900 86400 300\n@ NS ns.lab.\n"
    root = head + glue
    for name, zone in zones.items():
        (place / file_name(name)).write_text(head + with_digests(zone["records"], certificates))
        root += f"{name} NS ns.lab.\n"
        if zone.get("signed"):
            tag, algorithm, kind, digest = ds[name]
            root += f"{name} DS {tag} {algorithm} {kind} {WRONG_DIGEST if zone.get('broken_ds') else digest}\n"
    (place / file_name(".")).write_text(root)
    anchor = anchor_directory(directory)
    anchor.mkdir(exist_ok=True)
    anchor.chmod(0o755)
    (anchor / "root.key").write_text(f". IN DS {' '.join(ds['.'])}\n")
    with open(place / "knot.log", "wb") as log:
        return [process.start([KNOTD, "-c", str(conf)], stdout=log, stderr=log)], [53]


def with_digests(records, certificates):
    records = re.sub(r"\{key:([a-z0-9-]+)\}", lambda found: certificates.key(found[1]).hex(), records)
    return re.sub(r"\{spki:([a-z0-9-]+)\}", lambda found: certificates.key_digest(found[1]), records)


def file_name(zone):
    return (zone.strip(".") or "root") + ".zone"


def anchor_directory(directory):
    """`directory` is a node's: the anchor is the network's."""
    return pathlib.Path(directory).parent / "anchor"


def make_key(conf, zone):
    """A key for a zone: the fields of its DS record, with a SHA-256 digest."""
    call = [KEYMGR, "-c", str(conf), zone]
    subprocess.run([*call, "generate", f"algorithm={ALGORITHM}", "ksk=yes", "zsk=yes"], check=True,
                   capture_output=True, timeout=10)
    shown = subprocess.run([*call, "ds"], check=True, capture_output=True, text=True, timeout=10).stdout
    fields = [line.split()[2:] for line in shown.splitlines()]  # ZONE DS TAG ALGORITHM KIND DIGEST
    return next(one for one in fields if one[2] == "2")


def start_resolver(_service, directory, authority):
    """Unbound, resolving from the lab's root down and validating: (children, ports)."""
    place = pathlib.Path(directory, "unbound")
    place.mkdir(parents=True)
    glue = "".join(f"ns.lab. {'A' if family == 'v4' else 'AAAA'} {text}\n" for family, text in authority.items())
    (place / "root.hints").write_text(". NS ns.lab.\n" + glue)
    conf = place / "unbound.conf"
    conf.write_text(UNBOUND_CONF.format(directory=place, anchor=anchor_directory(directory) / "root.key"))
    with open(place / "unbound.log", "wb") as log:
        return [process.start([UNBOUND, "-d", "-p", "-c", str(conf)], stdout=log, stderr=log)], [53]
