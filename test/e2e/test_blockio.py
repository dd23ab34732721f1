# SPDX-License-Identifier: Apache-2.0
"""--blockio-config-file and --blockio-class: goresctrl's classes become linux.resources.blockIO."""
import json
import os
import stat
from pathlib import Path

import pytest

from harness.cli import coracle, ctr

CLASSES = """
Classes:
  slow:
    - Weight: 80
    - Devices: [{devices}]
      ThrottleReadBps: 60M
      ThrottleWriteBps: 1Mi
      ThrottleReadIOPS: 10k
      Weight: 50
    - Devices: [{again}]
      ThrottleReadBps: 1.5k
  weight-only:
    - Weight: 400
  nothing:
"""


@pytest.fixture
def disks(tmp_path):
    """Nodes of block devices that needn't be there: only their numbers count."""
    for name, kind, minor in [("disk-a", stat.S_IFBLK, 1), ("disk-b", stat.S_IFBLK, 2), ("tty", stat.S_IFCHR, 3)]:
        os.mknod(tmp_path / name, kind | 0o600, os.makedev(240, minor))
    (tmp_path / "by-id").mkdir()
    (tmp_path / "by-id/ata-SSD").symlink_to("../disk-b")
    (tmp_path / "by-id/ata-gone").symlink_to("../gone")
    return tmp_path


def config(folder, devices, again="", text=CLASSES):
    path = folder / "classes.yaml"
    path.write_text(text.format(devices=", ".join(f'"{folder}/{d}"' for d in devices), again=again))
    return path


def block_io(*flags, code=0, busybox):
    done = coracle("spec", *flags, busybox, "t", code=code)
    return done if code else (json.loads(done.out)["linux"]["resources"].get("blockIO"), done.err)


def test_classes(busybox, disks):
    path = config(disks, ["disk-?"], f'"{disks}/by-id/*SSD"')
    made, err = block_io("--blockio-config-file", path, "--blockio-class", "slow", busybox=busybox)
    a, b = {"major": 240, "minor": 1}, {"major": 240, "minor": 2}
    assert made == {
        "weight": 80, "weightDevice": [a | {"weight": 50}, b | {"weight": 50}],
        "throttleReadBpsDevice": [a | {"rate": 60000000}, b | {"rate": 1500}],
        "throttleWriteBpsDevice": [a | {"rate": 1 << 20}, b | {"rate": 1 << 20}],
        "throttleReadIOPSDevice": [a | {"rate": 10000}, b | {"rate": 10000}]}
    assert err == ""
    flags = ["--blockio-config-file", path, "--blockio-class"]
    assert block_io(*flags, "weight-only", busybox=busybox) == ({"weight": 400}, "")
    assert block_io(*flags, "nothing", busybox=busybox) == ({}, "")
    assert block_io("--blockio-config-file", path, busybox=busybox) == (None, "")  # looked at, and no more


def test_what_is_no_block_device_is_passed_over(busybox, disks):
    path = config(disks, ["nosuch", "x*", "tty", "by-id/ata-gone", "by-id", "disk-a"])
    made, err = block_io("--blockio-config-file", path, "--blockio-class", "slow", busybox=busybox)
    assert [d["minor"] for d in made["weightDevice"]] == [1]
    for name, what in [("nosuch", "matches nothing"), ("x*", "matches nothing"), ("tty", "is no block device"),
                       ("by-id/ata-gone", "can't be looked at"), ("by-id", "is no block device")]:
        assert f"block I/O class slow: {disks}/{name} {what}" in err


@pytest.mark.parametrize("text, said", [
    ("Classes: {{a: [{{Weight: 5}}]}}", 'value of "Weight" (5) smaller than minimum (10)'),
    ("Classes:\n  - a: b: c", "line 2: mapping values are not allowed in this context"),
    ("Classes: {{a: [{{ThrottleReadBps: 1 M, Devices: [x]}}]}}", 'syntax error in "ThrottleReadBps" ("1 M")'),
    ("Klassen:", 'unknown field "Klassen"'),
    ("a: " + "[" * 100, "more than 16 levels"),
    ("#" * (300 << 10), "262144"),
], ids=["bounds", "yaml", "quantity", "field", "depth", "size"])
def test_bad_files(busybox, tmp_path, text, said):
    path = config(tmp_path, [], text=text)
    err = block_io("--blockio-config-file", path, "--blockio-class", "a", code=125, busybox=busybox).err
    assert err.startswith("coracle: blockio-config-file error: failed to ") and said in err, err


def test_ctrs_words(busybox):
    """test/golden/ctr-2.1.1/README.md: blockio-class, blockio-config-missing."""
    for flags, said in [(["--blockio-class", "slow"], 'blockio-class error: no OCI BlockIO parameters for class "slow"'),
                        (["--blockio-config-file", "nosuch.yaml"], 'blockio-config-file error: failed to read config file '
                         '"nosuch.yaml": open nosuch.yaml: no such file or directory')]:
        done = ctr("run", *flags, "docker.io/library/busybox:latest", "demo", "true", code=1)
        assert (done.out, done.err.splitlines()[0]) == ("", f"ctr: {said}")
    hint = coracle("run", "--blockio-class", "slow", busybox, "demo", "true", code=125).err
    assert "--blockio-config-file FILE defines classes" in hint


def test_a_container_has_them(busybox, tmp_path):
    disk = next(iter(sorted(Path("/dev").glob("loop[0-9]*"))), None)
    if not disk or not stat.S_ISBLK(disk.stat().st_mode):
        pytest.skip("no loop device here")
    (tmp_path / "c.yaml").write_text(f"Classes:\n  slow:\n  - Devices: [{disk}]\n    ThrottleReadBps: 60M\n")
    done = coracle("run", "-d", "--rm", "--blockio-config-file", tmp_path / "c.yaml", "--blockio-class", "slow",
                   busybox, "t", "sleep", "1000", code=None)
    if done.code:
        assert "block I/O throttles: no writable cgroup controller" in done.err
        pytest.skip("no controller of block I/O here")
    name = f"{os.major(disk.stat().st_rdev)}:{os.minor(disk.stat().st_rdev)}"
    groups = [g for top in Path("/sys/fs/cgroup").rglob("coracle") for g in top.glob("*/default/t.*")]
    files = [g / f for g in groups for f in ("blkio.throttle.read_bps_device", "io.max")]
    assert any(f"{name} " in f.read_text() and "60000000" in f.read_text() for f in files if f.exists())
    coracle("rm", "-f", "t")
