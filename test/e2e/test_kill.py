# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the command at random moments: the next command works, and gc brings everything back."""
import os
import random
import re
import signal
import time

import pytest

from harness import counts
from harness.cli import coracle, ctr, start
from harness.images import Image, entry, layer

REF = "docker.io/library/test:latest"


def kill_at_random(rng, longest, *argv):
    """Starts a command and kills it within `longest` seconds; True if it was still there."""
    process = start(*argv)
    time.sleep(rng.uniform(0, longest))  # not to wait for anything: the moment is what is random
    alive = process.poll() is None
    process.kill()
    process.communicate(timeout=60)
    return alive


def settle():
    """Ends what survived its command, then collects."""
    for name in ctr("tasks", "ls", "-q").out.split():
        ctr("tasks", "kill", "-s", "KILL", name, code=None)
    deadline = time.monotonic() + 30
    # A STOPPED one's monitor was killed: it is listed until somebody collects.
    while re.search("RUNNING|CREATED", ctr("tasks", "ls").out) and time.monotonic() < deadline:
        time.sleep(0.02)
    for name in ctr("containers", "ls", "-q").out.split():
        ctr("containers", "rm", name, code=None)
    coracle("gc")


def how_long(*argv):
    began = time.monotonic()
    coracle(*argv)
    return time.monotonic() - began


@pytest.mark.parametrize("flags", [[], ["--cni"]], ids=["run", "run --cni"])
def test_kill_of_run(busybox, warm, soak, flags):
    rng = random.Random(13)
    argv = ["run", "--rm", *flags, busybox, "victim", "sh", "-c", "sleep 0.02"]
    longest = 1.2 * max(how_long(*argv) for _ in range(3))
    before = counts.rested()
    hit = 0
    for i in range(soak(30, 300)):
        hit += kill_at_random(rng, longest, "coracle", *argv)
        # The next command works, under the same ID, whatever the last one left.
        for _ in range(100):
            done = coracle("run", "--rm", *flags, busybox, "victim", "true", code=None)
            if done.code == 0:
                break
            assert "already exists" in done.err, repr(done)
            time.sleep(0.02)  # the first one's program still sleeps
        assert done.code == 0, repr(done)
        settle()
        counts.assert_back(before)
    assert hit > 0


def test_kill_of_import(busybox, soak, tmp_path):
    rng = random.Random(13)
    files = [entry(f"d{i % 10}/f{i}", bytes([i % 256]) * 3000) for i in range(2000)]
    archive = Image(layer(*files[:1000]), layer(*files[1000:]), compress="gzip").oci(tmp_path / "i.tar")
    longest = 1.2 * how_long("images", "import", archive)
    ctr("images", "rm", REF)
    coracle("gc")
    before = counts.rested()
    hit = 0
    for i in range(soak(30, 300)):
        hit += kill_at_random(rng, longest, "coracle", "images", "import", archive)
        if ctr("images", "ls", "-q", f"name=={REF}").out:
            # Listed means whole.
            check = ctr("images", "check", f"name=={REF}").out
            assert "complete (3/3)" in check and "true" in check, check
            ctr("images", "rm", REF)
        coracle("gc")
        counts.assert_back(before)
    coracle("images", "import", archive)
    ctr("images", "rm", REF)
    assert hit > 0


def test_kill_of_gc(busybox, soak):
    rng = random.Random(13)
    before = counts.rested()
    for i in range(soak(10, 100)):
        kill_at_random(rng, 0.03, "coracle", "run", "--rm", busybox, "victim", "true")
        kill_at_random(rng, 0.03, "coracle", "gc")
        settle()
        counts.assert_back(before)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_import_that_is_interrupted_leaves_nothing(busybox, soak, tmp_path, name):
    """Not even for the next gc; and it dies of the signal, as a shell wants to know."""
    rng = random.Random(13)
    files = [entry(f"d{i % 10}/f{i}", rng.randbytes(3000)) for i in range(2000)]
    archive = Image(layer(*files[:1000]), layer(*files[1000:]), compress="gzip").oci(tmp_path / "i.tar")
    longest = 1.2 * how_long("images", "import", archive)
    ctr("images", "rm", REF)
    coracle("gc")
    before = counts.rested()
    hit = 0
    for i in range(soak(15, 150)):
        process = start("coracle", "images", "import", archive)
        time.sleep(rng.uniform(0, longest))  # not to wait for anything: the moment is what is random
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=60)
        assert process.returncode in (0, -getattr(signal, name)), (process.returncode, err)
        hit += process.returncode != 0
        if ctr("images", "ls", "-q", f"name=={REF}").out:
            ctr("images", "rm", REF)
            coracle("gc")
        counts.assert_back(before)
    assert hit > 0


def test_a_deadline_leaves_nothing(busybox, tmp_path):
    files = [entry(f"f{i}", bytes([i % 256]) * 3000) for i in range(3000)]
    archive = Image(layer(*files), compress="gzip").oci(tmp_path / "i.tar")
    before = counts.rested()
    said = coracle("--timeout", "50ms", "images", "import", archive, code=125).err
    assert "--timeout" in said
    counts.assert_back(before)


def test_what_a_parent_leaves(cache, busybox):
    """An ignored SIGCHLD, a umask without the owner's bits: nothing of it reaches our steps."""
    def leave():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        os.umask(0o777)
    for argv, code in ((["run", "--rm", busybox, "left", "sh", "-c", "exit 7"], 7),
                       (["images", "import", cache / "busybox.tar"], 0)):
        process = start("coracle", *argv, preexec_fn=leave)
        _, err = process.communicate(timeout=60)
        assert process.returncode == code, err
