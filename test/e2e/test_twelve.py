# SPDX-License-Identifier: Apache-2.0
"""Twelve at once."""
import json
import re
import signal
import threading
import time

from harness import counts
from harness.cli import coracle, ctr, start
from harness.images import Image, busybox_layer, entry, layer


def test_twelve_with_a_network(busybox, warm, soak):
    """Each exits 0, no address is given twice, and nothing is left."""
    before = counts.rested()
    for _ in range(soak(20, 200)):
        # Each tells its address and stays until all twelve have told theirs.
        running = [start("coracle", "run", "--rm", "--cni", busybox, f"t{i}", "sh", "-c",
                         "trap 'exit 0' TERM; ip -4 -o addr show eth0; while :; do sleep 0.02; done")
                   for i in range(12)]
        addresses = []
        for process in running:
            line = process.stdout.readline().decode()
            found = re.search(r"inet ([\d.]+)/", line)
            assert found, line + process.stderr.read().decode()
            addresses.append(found[1])
        for process in running:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(60) for process in running] == [0] * 12, \
            [process.stderr.read() for process in running]
        for process in running:
            process.stdout.close()
            process.stderr.close()
        assert len(set(addresses)) == 12, addresses
    counts.assert_back(before)


def test_twelve_that_end_at_once(busybox, warm, soak):
    before = counts.rested()
    for _ in range(soak(20, 200)):
        running = [start("coracle", "run", "--rm", "--cni", busybox, f"t{i}", "true") for i in range(12)]
        for process in running:
            _, err = process.communicate(timeout=120)
            assert process.returncode == 0, err.decode()
    counts.assert_back(before)


def test_twelve_with_one_id(busybox):
    """One gets it; the others are told."""
    running = [start("coracle", "run", "--rm", busybox, "same", "sh", "-c", "echo mine; sleep 1") for _ in range(12)]
    results = [(p.communicate(timeout=120), p.returncode) for p in running]
    winners = [r for r in results if r[1] == 0]
    assert winners, results
    for (_, err), code in results:
        assert code == 0 or (code == 125 and b"already exists" in err), (code, err)


def test_twelve_imports(cache, busybox):
    running = [start("coracle", "images", "import", cache / "busybox.tar") for _ in range(12)]
    for process in running:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
    assert "complete (2/2)" in ctr("images", "check", "name==docker.io/library/busybox:latest").out


def test_readers_beside_writers(busybox):
    running = [start("coracle", "run", "--rm", busybox, f"r{i}", "true") for i in range(6)]
    for _ in range(10):
        coracle("ps", "--all")
        for line in ctr("containers", "ls", "-q").out.split():
            done = ctr("containers", "info", line, code=None)
            assert done.code == 0 and json.loads(done.out) or "not found" in done.err
    for process in running:
        assert process.wait(60) == 0


def test_runs_beside_import_removal_and_gc(tmp_path, soak):
    """Whoever loses a race is told that the image is gone, never that a part of it is."""
    archive = Image(layer(entry("own", "1")), busybox_layer()).oci(tmp_path / "i.tar")
    end, odd = time.monotonic() + soak(6, 120), []

    def again(*argv, said=None):
        while time.monotonic() < end:
            done = coracle(*argv, code=None)
            if done.code and not (said and re.search(said, done.err)):
                odd.append(repr(done))
    gone = 'image "test": not found'
    loops = [threading.Thread(target=again, args=argv, kwargs={"said": said}) for argv, said in (
        (("images", "import", archive), None),
        (("images", "rm", "test"), gone),
        (("gc",), None), (("gc",), None),
        (("run", "--rm", "test", "passing", "true"), gone),
        (("run", "--rm", "--snapshotter", "native", "test", "copied", "true"), gone),
        (("run", "test", "kept", "true"), gone + "|already exists"),
        (("containers", "rm", "kept"), "not found|running|not stopped"))]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    assert not odd, odd[:3]
    coracle("containers", "rm", "kept", code=None)
    coracle("images", "rm", "test", code=None)
    coracle("gc")
