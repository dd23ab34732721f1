# SPDX-License-Identifier: Apache-2.0
"""A power cut straight after `images import` returned: what is listed is whole, byte for byte.

The shutdown ioctl drops the page cache and the journal's uncommitted part, as a cut does; what
lies in the disk's own cache is not lost by it, so a missing barrier is not found."""
import fcntl
import hashlib
import os
import struct
import time
from pathlib import Path

import pytest

from harness import sandbox
from harness.cli import coracle, start
from harness.images import Image, describe_tree, entry, layer, link, tree_differences
from harness.registry import Registry, trickle

SHUTDOWN = 0x8004587d  # _IOR('X', 125, __u32), the same in ext4 and xfs
NO_LOG_FLUSH = 2
REF = "docker.io/library/test:latest"


def big_image():
    rng = hashlib.sha256(b"seed")
    files = []
    for i in range(300):
        rng.update(b"x")
        files.append(entry(f"d{i % 7}/f{i}", rng.digest() * (i % 400 + 1), mode=0o640, uid=i))
    return Image(layer(*[entry(f"d{i}/") for i in range(7)], *files[:150]),
                 layer(*files[150:], link("l", "d1/f1"), entry("d0/.wh.f0", "")), compress="gzip")


class Disk:
    def __init__(self, folder, kind):
        self.folder, self.state = folder, folder.with_name(folder.name + "-state")
        self.image = sandbox.make_disk(folder, "512M", kind)

    def coracle(self, *args, **how):
        return coracle("--root", self.folder, "--state", self.state, *args, **how)

    def cut(self, process=None):
        """`process` runs until the power is gone."""
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)
        if process:
            process.kill()
            process.communicate(timeout=60)
        deadline = time.monotonic() + 30
        while True:  # the last process of ours may still be leaving
            try:
                sandbox.umount(self.folder)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        sandbox.mount_disk(self.folder, self.image)

    def tree(self, mountpoint):
        self.coracle("images", "mount", "test", mountpoint)
        try:
            return describe_tree(mountpoint)
        finally:
            self.coracle("images", "unmount", "--rm", mountpoint)

    def bad_blobs(self):
        blobs = self.folder / "content/blobs/sha256"
        return [b.name for b in blobs.iterdir() if hashlib.sha256(b.read_bytes()).hexdigest() != b.name]


@pytest.fixture(params=["ext4", "xfs"])
def disk(request, tmp_path):
    if not any(os.access(f"{d}/mkfs.{request.param}", os.X_OK) for d in os.environ["PATH"].split(":")):
        pytest.skip(f"no mkfs.{request.param} here")
    made = Disk(tmp_path / "disk", request.param)
    yield made
    sandbox.umount(made.folder)
    made.image.unlink()


def test_cut_after_import(disk, tmp_path, soak):
    archive = big_image().oci(tmp_path / "i.tar")
    (tmp_path / "m").mkdir()
    disk.coracle("images", "import", archive)
    wanted = disk.tree(tmp_path / "m")
    disk.coracle("images", "rm", "test")
    disk.coracle("gc")
    for _ in range(soak(10, 100)):
        disk.coracle("images", "import", archive)
        disk.cut()
        assert disk.coracle("images", "ls", "-q").out == REF + "\n"
        assert "complete (3/3)" in disk.coracle("images", "check").out
        assert disk.bad_blobs() == []
        assert tree_differences(disk.tree(tmp_path / "m"), wanted) == []
        disk.coracle("images", "rm", "test")
        disk.coracle("gc")
        for folder in ("content/ingest", "trash"):
            assert not (disk.folder / folder).exists() or os.listdir(disk.folder / folder) == []


def test_cut_in_the_middle(disk, tmp_path, soak):
    """At any moment: either it is listed and whole, or it isn't listed and the next import works."""
    archive = big_image().oci(tmp_path / "i.tar")
    (tmp_path / "m").mkdir()
    began = time.monotonic()
    disk.coracle("images", "import", archive)
    whole = time.monotonic() - began
    wanted = disk.tree(tmp_path / "m")
    disk.coracle("images", "rm", "test")
    rounds = soak(10, 100)
    for i in range(rounds):
        process = start("coracle", "--root", disk.folder, "--state", disk.state, "images", "import", archive)
        time.sleep(1.1 * whole * i / rounds)  # not to wait for anything: the moment is what is tried
        process.kill()
        process.communicate(timeout=60)
        disk.cut()
        if disk.coracle("images", "ls", "-q").out:
            assert disk.bad_blobs() == []
            assert tree_differences(disk.tree(tmp_path / "m"), wanted) == []
        disk.coracle("gc")
        disk.coracle("images", "import", archive)
        assert tree_differences(disk.tree(tmp_path / "m"), wanted) == []
        disk.coracle("images", "rm", "test")
        disk.coracle("gc")
        assert not (disk.folder / "content/ingest").exists() or os.listdir(disk.folder / "content/ingest") == []
        left = [p for p in Path(disk.folder / "snapshots").glob("*/*")]
        assert left == []


def test_cut_in_a_pull(disk, tmp_path, soak):
    """The store is whole at any moment, and the next pull asks only for what isn't there."""
    class counter:
        blobs, sent = {}, 0

    (tmp_path / "m").mkdir()
    img = big_image()
    with Registry(img, behave=trickle(counter, piece=8192, pause=0.002)) as r:
        counter.blobs = r.blobs

        def tree():
            disk.coracle("images", "mount", r.ref, tmp_path / "m")
            try:
                return describe_tree(tmp_path / "m")
            finally:
                disk.coracle("images", "unmount", "--rm", tmp_path / "m")

        began = time.monotonic()
        disk.coracle("images", "pull", "--plain-http", r.ref)
        whole = time.monotonic() - began
        wanted, rounds = tree(), soak(6, 30)
        disk.coracle("images", "rm", r.ref)
        for i in range(rounds):
            process = start("coracle", "--root", disk.folder, "--state", disk.state, "images", "pull",
                            "--plain-http", r.ref)
            time.sleep(1.2 * whole * i / rounds)  # not to wait for anything: the moment is what is tried
            disk.cut(process)
            assert disk.bad_blobs() == []
            if disk.coracle("images", "ls", "-q").out:
                assert tree_differences(tree(), wanted) == []
            disk.coracle("images", "pull", "--plain-http", r.ref)
            assert tree_differences(tree(), wanted) == []
            disk.coracle("images", "rm", r.ref)
            disk.coracle("gc")
            left = [p for p in Path(disk.folder).glob("snapshots/*/*")] + [p for p in Path(disk.folder).glob("content/ingest/*")]
            assert left == []


def test_cut_after_removal(disk, tmp_path):
    """What was removed may be back, but then it is whole."""
    archive = big_image().oci(tmp_path / "i.tar")
    (tmp_path / "m").mkdir()
    disk.coracle("images", "import", archive)
    wanted = disk.tree(tmp_path / "m")
    disk.coracle("images", "rm", "test")
    disk.cut()
    if disk.coracle("images", "ls", "-q").out:
        assert tree_differences(disk.tree(tmp_path / "m"), wanted) == []
        disk.coracle("images", "rm", "test")
    disk.coracle("gc")


def test_cut_during_commit(disk, tmp_path, cache, soak):
    """At any moment of a commit: the image is whole or not there, the container's own is untouched."""
    base, new = "docker.io/library/busybox:latest", "docker.io/library/new:latest"
    script = "mkdir /d; for i in 1 2 3 4 5 6 7 8; do head -c 400000 /dev/urandom > /d/$i; ln /d/$i /d/l$i; done; rm /bin/vi"
    (tmp_path / "m").mkdir()
    disk.coracle("images", "import", cache / "busybox.tar")
    disk.coracle("run", base, "work", "/bin/sh", "-c", script)
    began = time.monotonic()
    disk.coracle("commit", "work", "new")
    whole = time.monotonic() - began

    def tree(name):
        disk.coracle("images", "mount", name, tmp_path / "m")
        try:
            return describe_tree(tmp_path / "m")
        finally:
            disk.coracle("images", "unmount", "--rm", tmp_path / "m")

    wanted, below = tree("new"), tree("busybox")
    assert wanted != below
    disk.coracle("images", "rm", "new")
    disk.coracle("gc")
    rounds = soak(15, 100)
    for i in range(rounds):
        process = start("coracle", "--root", disk.folder, "--state", disk.state, "commit", "work", "new")
        time.sleep(1.3 * whole * i / rounds)  # not to wait for anything: the moment is what is tried
        code = process.poll()
        process.kill()
        process.communicate(timeout=60)
        disk.cut()
        names = disk.coracle("images", "ls", "-q").out.split()
        assert base in names and (code != 0 or new in names)  # what returned is there
        assert disk.bad_blobs() == []
        if new in names:
            assert tree_differences(tree("new"), wanted) == []
        assert tree_differences(tree("busybox"), below) == []
        disk.coracle("images", "rm", "new", code=None)
        disk.coracle("gc")
        assert not (disk.folder / "content/ingest").exists() or os.listdir(disk.folder / "content/ingest") == []
    disk.coracle("containers", "rm", "work")
