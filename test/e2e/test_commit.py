# SPDX-License-Identifier: Apache-2.0
"""commit and snapshots diff: what a container saw is what its image holds, also in others' hands."""
import gzip
import io
import json
import os
import signal
import subprocess
import tarfile

import pytest

from harness.cli import coracle, ctr, eventually, start
from harness.images import (Image, describe_tree, entry, imported, layer, mounted, tree_differences)

BASE = "docker.io/library/base:latest"
NEW = "docker.io/library/new:latest"
# What coracle doesn't look at, and others do.
UNKNOWN = {"Healthcheck": {"Test": ["CMD", "true"]}, "OnBuild": ["RUN x"], "Shell": ["/bin/zsh"]}
HISTORY = [{"created_by": "one"}, {"created_by": "ENV", "empty_layer": True}, {"created_by": "two"}]

# Everything that an upper can hold; busybox has no setfattr and no capabilities: python puts these.
CHANGES = """
set -e
rm /d/gone; rm -r /d/sub; mkdir /d/sub; echo fresh > /d/sub/fresh
rm -r /all; echo now-a-file > /all
mkdir -p /new/deep; echo a > /new/deep/a; ln /new/deep/a /new/deep/b; ln -s nowhere /new/link
mkfifo /new/fifo; mknod /new/null c 1 3; mknod /new/block b 7 200
chmod 4755 /d/kept; chown 12:34 /d/owned; touch -d @1 /d/owned
printf x | dd of=/new/sparse bs=1 seek=5000000 2>/dev/null
head -c 300000 /dev/urandom > /new/noise
: > "$(printf '/new/\\377\\nname')"
mv /d/moved /moved
touch -d @1600000000 /d/touched
"""


@pytest.fixture
def base(tmp_path, cache):
    busybox = tarfile.open(cache / "busybox.tar")
    rootfs = max((busybox.extractfile(m).read() for m in busybox if m.isfile()), key=len)
    own = layer(entry("d/"), *[entry(f"d/{n}", n) for n in ("gone", "kept", "owned", "moved", "touched")],
                entry("d/sub/"), entry("d/sub/old", "old"), entry("all/"), entry("all/x", "x"))
    # busybox's own layer stands below, as it is in its archive
    below = gzip.decompress(rootfs) if rootfs[:2] == b"\x1f\x8b" else rootfs
    image = Image(below, own, name=BASE, **UNKNOWN)
    image.config["history"] = HISTORY
    image.config["docker_version"] = "20"
    image.seal()
    with imported(image.oci(tmp_path / "base.tar"), BASE):
        yield BASE


@pytest.fixture
def container(base):
    coracle("run", "--privileged", base, "work", "/bin/sh", "-c", CHANGES)
    yield "work"
    coracle("containers", "rm", "work", code=None)


def seen_by(key, folder):
    """What the container sees: its snapshot, mounted as ctr would be told to."""
    folder.mkdir()
    command = ctr("snapshots", "mounts", folder, key).out
    subprocess.run(["sh", "-c", command], check=True)
    try:
        return describe_tree(folder)
    finally:
        subprocess.run(["umount", folder], check=True)


def umoci_tree(image, tmp_path):
    coracle("images", "export", tmp_path / "out.tar", image)
    (tmp_path / "layout").mkdir()
    subprocess.run(["tar", "xf", tmp_path / "out.tar", "-C", tmp_path / "layout"], check=True)
    index = tmp_path / "layout/index.json"
    assert b"latest" in index.read_bytes()
    subprocess.run(["umoci", "unpack", "--image", f"{tmp_path}/layout:latest", tmp_path / "bundle"],
                   check=True, capture_output=True)
    return describe_tree(tmp_path / "bundle/rootfs")


def put_attributes(tmp_path):
    """File capabilities and attributes, in the container's own writable layer."""
    folder = tmp_path / "put"
    folder.mkdir()
    subprocess.run(["sh", "-c", ctr("snapshots", "mounts", folder, "work").out], check=True)
    try:
        os.setxattr(folder / "new/noise", "user.x", b"\0binary\xff")
        os.setxattr(folder / "new/noise", "security.capability",
                    bytes.fromhex("0100000200040000000000000000000000000000"))
        os.utime(folder / "new/deep/a", ns=(5, 1_234_567_890_123_456_789))
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.quick
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_the_same_tree(container, tmp_path, compression):
    put_attributes(tmp_path)
    wanted = seen_by(container, tmp_path / "seen")
    digest = coracle("commit", "--compression", compression, container, "new").out.strip()
    try:
        row = next(line.split() for line in ctr("images", "ls").out.splitlines() if line.startswith(NEW))
        assert row[2] == digest
        assert "complete (4/4)" in ctr("images", "check", f"name=={NEW}").out
        with mounted(NEW, tmp_path / "m") as root:
            assert tree_differences(describe_tree(root), wanted) == []
            assert (root / "new/sparse").stat().st_blocks < 1000
        assert coracle("run", "--rm", "new", "again", "/bin/cat", "/d/sub/fresh").out == "fresh\n"
        if compression == "gzip":  # Debian's umoci knows no zstd
            assert tree_differences(umoci_tree(NEW, tmp_path), wanted) == []
    finally:
        coracle("images", "rm", NEW)


def test_only_what_is_changed(base):
    """Copied up and equal is no change; twice the same bytes."""
    coracle("run", base, "work", "/bin/sh", "-c",
            "cp -p /d/kept /k && cat /k > /d/kept && touch -d @1600000000 /d/kept && rm /k")
    try:
        one = subprocess.run(["coracle", "snapshots", "diff", "work"], capture_output=True, check=True).stdout
        two = subprocess.run(["coracle", "snapshots", "diff", "work"], capture_output=True, check=True).stdout
        assert one == two
        names = tarfile.open(fileobj=io.BytesIO(one)).getnames()
        mountpoints = {"dev", "proc", "run", "sys"}  # made in the snapshot, as by others
        assert [n for n in names if n not in mountpoints] == ["d"]
    finally:
        coracle("containers", "rm", "work")


def test_diff_as_ctr(base, tmp_path):
    assert ctr("snapshots", "diff", code=1).err.splitlines()[0] == "ctr: snapshot id must be provided"
    assert ctr("snapshots", "diff", "nosuch",
               code=1).err.splitlines()[0] == "ctr: snapshot nosuch does not exist: not found"
    ctr("snapshots", "prepare", "s1")
    try:
        folder = tmp_path / "s1"
        folder.mkdir()
        subprocess.run(["sh", "-c", ctr("snapshots", "mounts", folder, "s1").out], check=True)
        (folder / "x").write_text("x\n")
        subprocess.run(["umount", folder], check=True)
        for media, mode in (("tar+gzip", "r:gz"), ("tar", "r:")):
            done = subprocess.run(["ctr", "snapshots", "diff", "--media-type",
                                   f"application/vnd.oci.image.layer.v1.{media}", "s1"],
                                  capture_output=True, check=True)
            assert tarfile.open(fileobj=io.BytesIO(done.stdout), mode=mode).getnames() == ["x"]
        with start("coracle", "content", "ingest", "named", stdin=subprocess.PIPE) as other:
            eventually(lambda: "named" in ctr("content", "active").out)
            said = coracle("snapshots", "diff", "--ref", "named", "s1", code=125).err
            assert "ref named locked: unavailable" in said
            other.kill()
        before = ctr("content", "ls", "-q").out.split()
        subprocess.run(["ctr", "snapshots", "diff", "--keep", "--ref", "named", "--label", "a=1", "s1"],
                       capture_output=True, check=True)
        kept = [d for d in ctr("content", "ls", "-q").out.split() if d not in before]
        assert len(kept) == 1 and "a=1" in ctr("content", "label", kept[0]).out
        ctr("content", "rm", kept[0])
    finally:
        ctr("snapshots", "rm", "s1")
        coracle("gc")


def test_changes_of_the_config(container):
    coracle("commit", "-a", "me", "-m", "why", "-c", 'CMD ["/bin/echo", "hi"]', "-c", "ENV A=1",
            "-c", "WORKDIR /new", "-c", 'LABEL k="v w"', container, "new")
    try:
        assert coracle("run", "--rm", "new", "again").out == "hi\n"
        assert coracle("run", "--rm", "new", "again", "/bin/sh", "-c", "echo $A $PWD").out == "1 /new\n"
        text = ctr("images", "inspect", "--content", NEW).out
        for word in ('"author": "me"', '"comment": "why"', '"k": "v w"'):
            assert word in text
        for bad, why in (("FROM x", "not understood"), ("WORKDIR x", "not an absolute path"), ("ENV =", "not KEY=VALUE")):
            assert why in coracle("commit", "-c", bad, container, "bad", code=125).err
        assert "bad" not in ctr("images", "ls", "-q").out
    finally:
        coracle("images", "rm", NEW)


def config_of(name):
    image = next(line.split() for line in ctr("images", "ls").out.splitlines() if line.startswith(name))
    manifest = json.loads(ctr("content", "get", image[2]).out)
    return json.loads(ctr("content", "get", manifest["config"]["digest"]).out)


def test_the_base_lives_on(container):
    """What coracle doesn't know of the base's config, and its past; a commit of a commit, too."""
    coracle("commit", "-m", "why", container, "new")
    try:
        coracle("run", "new", "again", "/bin/true")
        coracle("commit", "-c", "CMD x", "again", "new")
        config = config_of(NEW)
        assert {key: config["config"][key] for key in UNKNOWN} == UNKNOWN
        assert config["docker_version"] == "20" and len(config["rootfs"]["diff_ids"]) == 4
        assert config["history"][:3] == HISTORY
        assert [entry.get("comment") for entry in config["history"][3:]] == ["why", None]
        assert config["config"]["Cmd"] == ["/bin/sh", "-c", "x"]
    finally:
        coracle("containers", "rm", "again")
        coracle("images", "rm", NEW)


def test_a_name_that_no_layer_holds(base):
    coracle("run", base, "work", "/bin/sh", "-c", "mkdir /new; : > /new/.wh.x")
    try:
        said = coracle("commit", "work", "new", code=125).err
        assert "/new: .wh.x: a layer can't hold this name" in said
        assert NEW not in ctr("images", "ls", "-q").out
    finally:
        coracle("containers", "rm", "work")


@pytest.mark.parametrize("flags", [[], ["--rm"]])
def test_running(base, flags):
    coracle("run", "-d", *flags, base, "live", "/bin/sh", "-c", "echo begun > /file; while :; do :; done")
    try:
        eventually(lambda: coracle("exec", "live", "/bin/cat", "/file", code=None).code == 0)
        coracle("commit", "live", "new")
        row = next(line.split() for line in ctr("tasks", "ls").out.splitlines() if line.startswith("live"))
        assert row[2] == "RUNNING"
        assert coracle("run", "--rm", "new", "again", "/bin/cat", "/file").out == "begun\n"
        coracle("images", "rm", NEW)
        coracle("pause", "live")
        coracle("commit", "live", "new")
        assert "PAUSED" in ctr("tasks", "ls").out
    finally:
        ctr("tasks", "rm", "-f", "live", code=None)
        coracle("containers", "rm", "-f", "live", code=None)
        coracle("images", "rm", NEW)


def test_kill_in_the_middle(base, soak):
    """Nothing is listed, nothing stays, and the container isn't left frozen."""
    coracle("run", "-d", base, "live", "/bin/sh", "-c",
            "dd if=/dev/urandom of=/noise bs=1M count=60 2>/dev/null; touch /ready; while :; do :; done")
    try:
        eventually(lambda: coracle("exec", "live", "/bin/ls", "/ready", code=None).code == 0)
        for i in range(soak(6, 50)):
            # Its whole group, as Ctrl-C and a dying terminal do: what thaws the container stays.
            command = start("coracle", "commit", "live", "new", start_new_session=True)
            eventually(lambda: command.poll() is not None or i % 2 or "PAUSED" in ctr("tasks", "ls").out)
            os.killpg(command.pid, signal.SIGINT if i % 3 == 2 else signal.SIGKILL)
            command.communicate(timeout=60)
            eventually(lambda: "RUNNING" in ctr("tasks", "ls").out)
            if command.returncode:
                assert NEW not in ctr("images", "ls", "-q").out
            coracle("images", "rm", NEW, code=None)
            coracle("gc")
    finally:
        coracle("containers", "rm", "-f", "live")


def test_what_a_commit_froze_nobody_thaws(base):
    coracle("run", "-d", base, "live", "/bin/sh", "-c",
            "dd if=/dev/urandom of=/noise bs=1M count=60 2>/dev/null; touch /ready; while :; do :; done")
    try:
        eventually(lambda: coracle("exec", "live", "/bin/ls", "/ready", code=None).code == 0)
        with start("coracle", "commit", "live", "new") as command:
            eventually(lambda: "PAUSED" in ctr("tasks", "ls").out)
            os.kill(command.pid, signal.SIGSTOP)
            for verb in ("unpause", "pause"):
                assert "live: is just being committed" in coracle(verb, "live", code=125).err
            assert "PAUSED" in ctr("tasks", "ls").out
            os.kill(command.pid, signal.SIGCONT)
            assert command.wait(60) == 0
        assert "RUNNING" in ctr("tasks", "ls").out
        coracle("pause", "live")
        coracle("unpause", "live")
    finally:
        coracle("containers", "rm", "-f", "live")
        coracle("images", "rm", NEW, code=None)


def test_twelve_at_once(base):
    coracle("run", "-d", base, "live", "/bin/sh", "-c", "echo x > /x; touch /ready; while :; do :; done")
    try:
        eventually(lambda: coracle("exec", "live", "/bin/ls", "/ready", code=None).code == 0)
        commands = [start("coracle", "commit", "live", f"new:{i}") for i in range(12)]
        for command in commands:
            assert command.communicate(timeout=120)[1] == b"" and command.returncode == 0
        assert "RUNNING" in ctr("tasks", "ls").out
        for i in range(12):
            assert coracle("run", "--rm", f"new:{i}", "again", "/bin/cat", "/x").out == "x\n"
            coracle("images", "rm", f"new:{i}")
    finally:
        coracle("containers", "rm", "-f", "live")


def test_refused(container, base, tmp_path):
    assert "not found" in coracle("commit", "nosuch", "new", code=125).err
    assert coracle("commit", container, "UPPER", code=125).err
    coracle("images", "rm", base)
    said = coracle("commit", container, "new", code=125).err
    assert "the image that container work was made of is gone" in said and "hint: " in said
    # for the fixtures' ends
    coracle("containers", "rm", container)
    coracle("images", "import", tmp_path / "base.tar")
    ctr("snapshots", "--snapshotter", "native", "prepare", "n")
    assert "only overlayfs" in ctr("snapshots", "--snapshotter", "native", "diff", "n", code=1).err
    ctr("snapshots", "--snapshotter", "native", "rm", "n")
