# SPDX-License-Identifier: Apache-2.0
"""For n = 1, 2, 3…: the n-th call of one kind fails in every process of a command, until a run passes
untouched. Each time: a clear error or none, no crash, and nothing left after the next gc.

CORACLE_FAULT_TABLE=FILE: what was tried and how it ended, as a table (docs/faults.md)."""
import collections
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from harness import counts
from harness.cli import coracle, ctr, environment
from harness.images import Image, entry, layer, link

REF = "docker.io/library/test:latest"
MOST = 400  # against a loop that never ends
# The first ask whether 0, 1 and 2 are open, which fails for one reason only.
FIRST = {"fcntl": 4}

RUN = ["openat", "openat2", "mkdirat", "fsopen", "fsmount", "move_mount", "open_tree", "mount_setattr",
       "fsconfig", "clone3", "clone", "vfork", "pipe2", "socket", "sendto", "sendmsg", "unlinkat", "renameat2",
       "fcntl", "memfd_create", "setns", "unshare", "fstatfs", "epoll_ctl", "signalfd4", "pidfd_open"]
IMPORT = ["openat", "openat2", "mkdirat", "linkat", "renameat2", "fdatasync", "fsync", "syncfs", "fchown",
          "fchownat", "fchmod", "ftruncate", "utimensat", "clone3", "clone", "vfork", "socketpair", "pipe2",
          "sendmsg", "recvmsg", "mount", "pivot_root", "unlinkat", "fcntl", "mknodat", "symlinkat", "pwrite64"]
EXEC = ["openat", "openat2", "mkdirat", "clone3", "vfork", "pipe2", "socket", "socketpair", "connect", "sendmsg",
        "recvmsg", "fcntl", "memfd_create", "setns", "fstatfs", "signalfd4", "pidfd_open", "unlinkat", "renameat2"]
REMOVE = ["openat", "openat2", "socket", "connect", "sendmsg", "recvmsg", "unlinkat", "renameat2", "fcntl", "fstatfs",
          "pidfd_open", "pidfd_send_signal", "getdents64", "pwrite64", "unlink", "setns", "sendto", "umount2"]


@pytest.fixture(scope="module")
def table():
    """Rows of what was tried; {(command, call, error): [failures, of them said, of them unharmed]}"""
    rows = collections.defaultdict(lambda: [0, 0, 0])
    yield rows
    if not os.environ.get("CORACLE_FAULT_TABLE"):
        return
    lines = ["| command | call | error | failures | said | unharmed |", "|---|---|---|---|---|---|"]
    lines += [f"| {command} | `{call}` | {error} | {' | '.join(map(str, row))} |"
              for (command, call, error), row in rows.items()]
    sums = [sum(column) for column in zip(*rows.values())]
    lines.append(f"| all | {len(rows)} | | " + " | ".join(map(str, sums)) + " |")
    Path(os.environ["CORACLE_FAULT_TABLE"]).write_text("\n".join(lines) + "\n")


def inject(call, error, n, log, *argv):
    """One run of `coracle argv…`; returns (done, whether the fault was met)."""
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", log, "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={n}",
         "coracle", *map(str, argv)], capture_output=True, text=True, env=environment(), timeout=120)
    return done, "(INJECTED)" in log.read_text()


def assert_decent(done, what):
    """It ended by itself; if it failed it said what, in one line and perhaps a hint."""
    said = f"{what}: exit {done.returncode}\n{done.stderr}"
    if "leave network namespace" in done.stderr:
        return  # what can't get back into its own network must go at once
    assert 0 <= done.returncode < 128, said
    assert "(null)" not in done.stderr and "Sanitizer" not in done.stderr, said
    if done.returncode:
        assert re.search(r"^coracle: .", done.stderr, re.M), said


class Walk:
    """`command`: its name in the table."""

    def __init__(self, command, table, log, soak):
        self.command, self.table, self.log, self.step = command, table, log, soak(3, 1)

    def __call__(self, call, error, argv, after, before=None):
        first = FIRST.get(call, 1)
        for n in [*range(first, 10), *range(10, MOST, self.step)]:
            if before:
                before()
            done, met = inject(call, error, n, self.log, *argv)
            after()
            assert_decent(done, f"{call} number {n} fails with {error}")
            if not met:
                return
            row = self.table[self.command, call, error]
            row[0] += 1
            row[1 if done.returncode else 2] += 1
        raise AssertionError(f"more than {MOST} calls of {call}")


@pytest.fixture
def walk(request, table, tmp_path, soak):
    return Walk(request.function.__name__.removeprefix("test_"), table, tmp_path / "log", soak)


@pytest.mark.parametrize("call", RUN)
def test_run(busybox, warm, walk, call):
    before = counts.rested()

    def after():
        for name in ctr("tasks", "ls", "-q").out.split():
            ctr("tasks", "kill", "-s", "KILL", name, code=None)
        coracle("gc")
        counts.assert_back(before)
    walk(call, "ENOMEM", ["run", "--rm", "--cni", busybox, "fault", "true"], after)


@pytest.mark.parametrize("call", IMPORT)
def test_import(busybox, tmp_path, walk, call):
    archive = Image(layer(entry("d/"), entry("d/f", "x" * 5000), link("l", "d/f")),
                    layer(entry("d/g", "2"), entry("d/.wh.f", ""))).oci(tmp_path / "i.tar")
    before = counts.rested()

    def after():
        if ctr("images", "ls", "-q", f"name=={REF}").out:
            assert "complete (3/3)" in ctr("images", "check", f"name=={REF}").out
            ctr("images", "rm", REF)
        coracle("gc")
        counts.assert_back(before)
    walk(call, "ENOSPC" if call in ("openat", "pwrite64", "fdatasync", "ftruncate") else "EIO",
         ["images", "import", archive], after)


@pytest.mark.parametrize("call", EXEC)
def test_exec(busybox, walk, call):
    """Whatever fails, the container goes on."""
    coracle("run", "-d", busybox, "fault", "sleep", "1000")
    try:
        assert coracle("exec", "fault", "true").code == 0
        before = counts.rested()

        def after():
            assert coracle("exec", "fault", "echo", "on").out == "on\n"
            counts.assert_back(before)
        walk(call, "ENOMEM", ["exec", "fault", "true"], after)
    finally:
        coracle("rm", "-f", "fault")


@pytest.mark.parametrize("call", REMOVE)
def test_rm(busybox, warm, walk, call):
    """It is gone, or still there and can be removed."""
    before = counts.rested()

    def made():
        coracle("run", "-d", "--cni", busybox, "fault", "sleep", "1000")

    def after():
        if "fault" in coracle("ps", "-aq").out.split():
            coracle("rm", "-f", "fault")
        coracle("gc")
        counts.assert_back(before)
    walk(call, "EIO", ["rm", "-f", "fault"], after, made)


@pytest.mark.parametrize("call", REMOVE)
def test_gc(busybox, warm, walk, call):
    """What a dead monitor left is collected now or by the next one."""
    before = counts.rested()

    def made():
        coracle("run", "-d", "--rm", "--cni", busybox, "fault", "sleep", "1000")
        init = int(ctr("tasks", "ls").out.splitlines()[1].split()[1])
        os.kill(int(Path(f"/proc/{init}/stat").read_text().rsplit(")", 1)[1].split()[1]), signal.SIGKILL)

    def after():
        coracle("gc")
        assert coracle("ps", "-aq").out == ""
        counts.assert_back(before)
    walk(call, "EIO", ["gc"], after, made)


@pytest.mark.parametrize("call", ["recvmsg", "wait4", "ppoll", "poll", "epoll_wait", "flock"])
def test_interrupted_calls_are_repeated(busybox, warm, tmp_path, call):
    """EINTR is no error."""
    log = tmp_path / "log"
    for n in range(1, 12):
        done, met = inject(call, "EINTR", n, log, "images", "ls", "-q")
        assert done.returncode == 0, f"{call} number {n}: {done.stderr}"
        if not met:
            break


def test_full_output_is_an_error(busybox):
    with open("/dev/full", "w") as full:
        for argv in (["images", "ls"], ["containers", "ls"], ["spec", busybox, "x"], ["--help"]):
            done = subprocess.run(["coracle", *argv], stdout=full, stderr=subprocess.PIPE, text=True,
                                  env=environment(), timeout=60)
            assert done.returncode == 125 and "write to standard output: " in done.stderr, (argv, done)
