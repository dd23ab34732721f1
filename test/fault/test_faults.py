# SPDX-License-Identifier: Apache-2.0
"""For n = 1, 2, 3…: the n-th call of one kind fails in every process of a command, until a run passes
untouched. Each time: a clear error or none, no crash, and nothing left after the next gc."""
import re
import subprocess

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


def walk(call, error, log, argv, after, soak):
    step = soak(3, 1)
    first = FIRST.get(call, 1)
    for n in [*range(first, 10), *range(10, MOST, step)]:
        done, met = inject(call, error, n, log, *argv)
        after()
        assert_decent(done, f"{call} number {n} fails with {error}")
        if not met:
            return
    raise AssertionError(f"more than {MOST} calls of {call}")


@pytest.mark.parametrize("call", RUN)
def test_run(busybox, warm, tmp_path, soak, call):
    before = counts.rested()

    def after():
        for name in ctr("tasks", "ls", "-q").out.split():
            ctr("tasks", "kill", "-s", "KILL", name, code=None)
        coracle("gc")
        counts.assert_back(before)
    walk(call, "ENOMEM", tmp_path / "log", ["run", "--rm", "--cni", busybox, "fault", "true"], after, soak)


@pytest.mark.parametrize("call", IMPORT)
def test_import(busybox, tmp_path, soak, call):
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
         tmp_path / "log", ["images", "import", archive], after, soak)


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
