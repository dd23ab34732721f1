# SPDX-License-Identifier: Apache-2.0
"""snapshots, by both drivers, as ctr prints them."""
import json
import os
import re
import subprocess

import pytest

from harness.cli import coracle, ctr
from harness.images import Image, entry, imported, layer, mounted

REF = "docker.io/library/test:latest"


@pytest.fixture(params=["overlayfs", "native"])
def driver(request, tmp_path):
    """`snapshots` of one driver, with an unpacked image; its chain ID as `chain`."""
    def snapshots(*args, **how):
        return ctr("snapshots", "--snapshotter", request.param, *args, **how)
    snapshots.name = request.param
    archive = Image(layer(entry("a", "1")), layer(entry("b", "2"))).oci(tmp_path / "i.tar")
    with imported(archive, REF, flags=("--snapshotter", request.param)):
        rows = [line.split() for line in snapshots("ls").out.splitlines()[1:]]
        parents = {row[1] for row in rows if len(row) == 3}
        snapshots.chain = next(r[0] for r in rows if len(r) == 3 and r[0] not in parents and r[2] == "Committed")
        snapshots.base = next(r[1] for r in rows if r[0] == snapshots.chain)
        yield snapshots


def rows(snapshots):
    return [line.split() for line in snapshots("ls").out.splitlines()[1:]]


@pytest.mark.quick
def test_prepare_prints_its_mounts(driver):
    mounts = json.loads(driver("prepare", "--mounts", "work", driver.chain).out)
    assert list(mounts[0]) == ["Type", "Source", "Target", "Options"]
    if driver.name == "overlayfs":
        options = mounts[0]["Options"]
        assert mounts[0]["Type"] == "overlay"
        assert [o.split("=")[0] for o in options][:3] == ["workdir", "upperdir", "lowerdir"]
        match = re.fullmatch(r"upperdir=(/.*)/snapshots/overlayfs/(\d+)/fs",
                             next(o for o in options if o.startswith("upperdir=")))
        assert match and os.path.isdir(match[0].split("=")[1])
    else:
        assert (mounts[0]["Type"], mounts[0]["Options"]) == ("bind", ["rbind", "rw"])
        assert sorted(os.listdir(mounts[0]["Source"])) == ["a", "b"]
    assert ["work", driver.chain, "Active"] in rows(driver)
    driver("rm", "work")


def test_prepare_commit_view(driver, tmp_path):
    assert driver("prepare", "work", driver.chain).out == ""
    script = driver("mounts", tmp_path, "work").out
    subprocess.run(["sh", "-c", script], check=True)
    (tmp_path / "c").write_text("3")
    (tmp_path / "a").unlink()
    subprocess.run(["umount", tmp_path], check=True)
    driver("commit", "done", "work")
    assert ["done", driver.chain, "Committed"] in rows(driver)
    script = driver("view", "-t", tmp_path, "look", "done").out
    assert script.startswith("mount -t ")
    subprocess.run(["sh", "-c", script], check=True)
    assert sorted(os.listdir(tmp_path)) == ["b", "c"]
    with pytest.raises(OSError):
        (tmp_path / "d").write_text("")
    subprocess.run(["umount", tmp_path], check=True)
    assert "cannot remove snapshot with child" in driver("rm", "done", code=1).err
    driver("rm", "look", "done")


def test_without_a_parent(driver):
    mounts = json.loads(driver("prepare", "--mounts", "empty").out)
    assert mounts[0]["Type"] == "bind" and sorted(mounts[0]["Options"]) == ["rbind", "rw"]
    driver("rm", "empty")


def test_view_of_one_layer(driver):
    mounts = json.loads(driver("view", "--mounts", "one", driver.base).out)
    assert mounts[0]["Type"] == "bind" and sorted(mounts[0]["Options"]) == ["rbind", "ro"]
    driver("rm", "one")


def test_info_tree_usage(driver):
    driver("prepare", "work", driver.chain)
    info = json.loads(driver("info", "work").out)
    assert (info["Kind"], info["Name"], info["Parent"]) == ("Active", "work", driver.chain)
    tree = driver("tree").out.splitlines()
    assert f" {driver.base}" in tree and f"  \\_ {driver.chain}" in tree
    assert driver("usage").out.splitlines()[0].split() == ["KEY", "SIZE", "INODES"]
    assert "work" in driver("usage", "work").out
    driver("rm", "work")


@pytest.mark.parametrize("args, text", [
    (["info", "nosuch"], "snapshot nosuch does not exist: not found"),
    (["rm", "nosuch"], "snapshot nosuch does not exist: not found"),
    (["prepare", "x", "nosuch"], "nosuch"),
    (["commit", "x", "nosuch"], "nosuch"),
])
def test_unknown(driver, args, text):
    said = driver(*args, code=1).err
    assert said.startswith("ctr: ") or "level=error" in said
    assert text in said


def test_used_key_and_wrong_kinds(driver):
    driver("prepare", "work", driver.chain)
    assert 'snapshot "work": already exists' in driver("prepare", "work", driver.chain, code=1).err
    assert driver("prepare", "x", "work", code=1).err.startswith("ctr: ")
    assert "is not active" in driver("commit", "y", driver.chain, code=1).err
    driver("rm", "work")


def test_the_image_is_unchanged_by_what_stands_on_it(driver, tmp_path):
    driver("prepare", "work", driver.chain)
    script = driver("mounts", tmp_path, "work").out
    subprocess.run(["sh", "-c", script], check=True)
    (tmp_path / "a").write_text("changed")
    subprocess.run(["umount", tmp_path], check=True)
    with mounted(REF, tmp_path / "m", "--snapshotter", driver.name) as root:
        assert (root / "a").read_text() == "1"
    driver("rm", "work")


def test_unknown_driver():
    assert "zfs" in coracle("snapshots", "--snapshotter", "zfs", "ls", code=None).err


def test_unpack(driver):
    manifest = ctr("images", "ls", f"name=={REF}").out.splitlines()[1].split()[2]
    ctr("snapshots", "unpack", "--snapshotter", driver.name, manifest)
    assert any(row[0] == driver.chain for row in rows(driver))
