# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes that cannot outlive the lab."""

import collections
import ctypes
import os
import signal
import subprocess
import time
import traceback

PR_SET_PDEATHSIG = 1
CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_SLAVE = 0x1000, 0x4000, 0x80000
STOP_GRACE_SECONDS = 1.0

libc = ctypes.CDLL(None, use_errno=True)

# A background child: the leader of a process group, and what ends that group.
Child = collections.namedtuple("Child", "pid stop_signal")


def die_with_parent(sig=signal.SIGKILL):
    """In a child: receive `sig` when the parent dies, however it dies."""
    libc.prctl(PR_SET_PDEATHSIG, int(sig), 0, 0, 0)


def make_mounts(binds, filesystems=()):
    """A mount namespace like this one, but with other files and directories at some paths ({path: what is to be
    there}) and new filesystems at others ((type, path)): an open file that keeps it."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            enter_new_mounts(binds, filesystems)
            os.write(told, b"1")
            signal.pause()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(told)
    try:
        if os.read(ready, 1) != b"1":
            raise RuntimeError("no mount namespace could be made")
        return os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def enter_new_mounts(binds, filesystems):
    die_with_parent()
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    mount(b"none", b"/", MS_REC | MS_SLAVE)
    for path, replacement in binds.items():
        mount(os.fsencode(replacement), os.fsencode(os.path.realpath(path)), MS_BIND)
    for kind, path in filesystems:
        mount(b"none", os.fsencode(path), 0, kind.encode())


def enter_mounts(fd):
    """In a child: use a mount namespace of make_mounts()."""
    here = os.getcwd()
    if libc.setns(fd, CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.chdir(here)  # it has led to the root


def mount(source, target, flags, kind=None):
    if libc.mount(source, target, kind, ctypes.c_ulong(flags), None) != 0:
        err = ctypes.get_errno()
        raise OSError(err, f"mount on {target.decode()}: {os.strerror(err)}")


def start(command, stop_signal=signal.SIGTERM, prepare=die_with_parent, **popen_options):
    """Start a background child in a process group of its own, bound to the lab's life."""
    popen_options.setdefault("stdin", subprocess.DEVNULL)
    child = subprocess.Popen(command, preexec_fn=prepare, process_group=0, **popen_options)
    return Child(child.pid, stop_signal)


def start_contained(command, **popen_options):
    """The same for programs that change their user and fork daemons (Postfix).

    A process that changes its credentials loses its death signal, so such a
    program gets a PID namespace: when the first process there dies, the kernel
    kills all the rest. That first process takes no SIGTERM from outside, hence
    SIGKILL to stop it; nothing of what it writes is kept anyway.
    """
    keeper = ["unshare", "--pid", "--fork", "--kill-child", "--",
              "sh", "-c", '"$@" & wait', "sh", *command]
    return start(keeper, stop_signal=signal.SIGKILL, **popen_options)


def start_function(function, *args, log=os.devnull):
    """Run a Python function in a forked background child bound to the lab's life."""
    pid = os.fork()
    if pid:
        return Child(pid, signal.SIGTERM)
    status = 1
    try:
        die_with_parent()
        os.setpgid(0, 0)
        for sig in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sig, signal.SIG_DFL)
        redirect_standard_files(log)
        function(*args)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def redirect_standard_files(log):
    null = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)


def stop(children):
    """End process groups started here and reap their leaders."""
    for child in children:
        signal_group(child.pid, child.stop_signal)
    deadline = time.monotonic() + STOP_GRACE_SECONDS
    waiting = list(children)
    while waiting:
        waiting = [child for child in waiting if not reaped(child.pid)]
        if waiting and time.monotonic() > deadline:
            break
        if waiting:
            time.sleep(0.002)
    for child in waiting:
        signal_group(child.pid, signal.SIGKILL)
        reaped(child.pid, block=True)


def signal_group(pid, sig):
    for send in (os.killpg, os.kill):  # the child may not have made its group yet
        try:
            send(pid, sig)
            return
        except ProcessLookupError:
            continue


def reaped(pid, block=False):
    try:
        return os.waitpid(pid, 0 if block else os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
