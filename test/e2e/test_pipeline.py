# SPDX-License-Identifier: Apache-2.0
"""Layers are unpacked while their blobs come, several at a time. Proved by order: the registry keeps the
rest of a blob back until what its beginning holds is seen in the store, not yet under a name."""
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness import cli
from harness.cli import coracle
from harness.images import Image, digest, entry, layer, link, mounted
from harness.registry import Registry
from harness.sandbox import STORE

BIG = os.urandom(1 << 20)


def wait_until(seen):
    deadline = time.monotonic() + 20
    while not seen():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def unpacked(name):
    """Folders of layers on their way in that hold such a file, whole or not."""
    return list((STORE / "snapshots").glob(f"new-*/fs/{name}"))


class Held(Registry):
    """Keeps the end of a blob back until `until()`; `held` says which of them it had to give without."""

    def __init__(self, img, holds, spoil=None):
        super().__init__(img, behave=self.hold)
        self.holds = {digest(img.packed[i]): until for i, until in holds.items()}
        self.in_vain, self.spoil = [], spoil

    def hold(self, request):
        name = request.path.rsplit("/", 1)[-1]
        if name not in self.holds or request.command != "GET":
            return False
        data = self.blobs[name]
        if self.spoil:
            data = data[:-1] + bytes([data[-1] ^ self.spoil])
        start = int(re.search(r"\d+", request.headers.get("Range", "0")).group())
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.send_header("Content-Length", str(len(data) - start))
        request.end_headers()
        keep = len(data) - 20_000
        request.wfile.write(data[start:keep])
        request.wfile.flush()
        if not wait_until(self.holds[name]):
            self.in_vain.append(name)
        request.wfile.write(data[max(start, keep):])
        return True


def three():
    return Image(*(layer(entry(f"d{i}/"), entry(f"d{i}/first", str(i)), entry(f"d{i}/big", BIG)) for i in range(3)))


def pull(r, *flags, **how):
    return coracle("images", "pull", "--plain-http", *flags, r.ref, **how)


@pytest.mark.quick
def test_unpacked_before_the_last_byte(tmp_path):
    with Held(three(), {1: lambda: unpacked("d1/first")}) as r:
        pull(r)
        assert not r.in_vain
        with mounted(r.ref, tmp_path / "m") as root:
            assert [(root / f"d{i}/big").read_bytes() == BIG for i in range(3)] == [True] * 3
        coracle("images", "rm", r.ref)


def test_layers_in_parallel(tmp_path):
    """The lowest layer isn't whole before a file of the one above it is there."""
    with Held(three(), {0: lambda: unpacked("d1/big")}) as r:
        pull(r)
        assert not r.in_vain
        coracle("images", "rm", r.ref)


def test_who_needs_what_is_below_waits(tmp_path):
    """The second layer writes through a link, to a parent it takes for granted, and links to a file of the
    first one, which comes only when the second has begun."""
    below = layer(entry("real/", mode=0o701, uid=7), entry("real/f", "below"), link("way", "real"),
                  entry("gone", "x"), entry("pad", BIG))
    above = layer(entry("first", "1"), entry("way/new", "through"), link("real/hard", "real/f", hard=True),
                  entry(".wh.gone", ""), entry("pad2", BIG))
    with Held(Image(below, above), {0: lambda: unpacked("first")}) as r:
        pull(r)
        assert not r.in_vain
        with mounted(r.ref, tmp_path / "m") as root:
            assert (root / "real/new").read_text() == "through" and (root / "way").is_symlink()
            assert (root / "real").stat().st_uid == 7 and (root / "real").stat().st_mode & 0o777 == 0o701
            assert (root / "real/hard").stat().st_ino == (root / "real/f").stat().st_ino
            assert not (root / "gone").exists()
        coracle("images", "rm", r.ref)


def test_wrong_only_at_the_end():
    """All of a layer is unpacked when its last byte turns out to be wrong: nothing of it is seen."""
    with Held(three(), {1: lambda: unpacked("d1/first")}, spoil=1) as r:
        said = pull(r, code=125).err
        assert not r.in_vain
        assert re.search(r"blob sha256:\w+: the digest of its bytes is sha256:", said), said
        assert coracle("images", "ls", "-q", f"name=={r.ref}").out == ""
        r.spoil = 0  # healed
        pull(r)
        coracle("images", "rm", r.ref)


def test_another_diff_id():
    img = three()
    img.config["rootfs"]["diff_ids"][1] = "sha256:" + "3" * 64
    img.seal()
    with Registry(img) as r:
        said = pull(r, code=125).err
        assert f"layer {digest(img.packed[1])}: diff ID is {digest(img.layers[1])}, the image says sha256:333" in said
        assert len([line for line in said.splitlines() if line.startswith("coracle: ")]) == 1


def test_one_blob_in_three_layers(tmp_path):
    """Followers of one blob: the first reads while it comes, the others when it is there."""
    data = layer(entry("same", BIG), link("again", "same", hard=True))
    with Held(Image(data, layer(entry("between", "1")), data, data), {0: lambda: unpacked("same")}) as r:
        pull(r)
        assert not r.in_vain
        with mounted(r.ref, tmp_path / "m") as root:
            assert (root / "again").read_bytes() == BIG and (root / "between").exists()
        coracle("images", "rm", r.ref)


def test_native(tmp_path):
    with Registry(three()) as r:
        pull(r, "--snapshotter", "native")
        with mounted(r.ref, tmp_path / "m", "--snapshotter", "native") as root:
            assert (root / "d0/first").read_text() == "0" and (root / "d2/big").read_bytes() == BIG
        coracle("images", "rm", r.ref)


def descendants(pid):
    out = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in out.splitlines()]
    return [(int(row[0]), row[2]) for row in rows if int(row[1]) == pid]


def held_pull(r, name):
    """A pull whose layer 1 has begun to be unpacked and doesn't end: (process, pids of its unpackers)."""
    command = cli.start("coracle", "images", "pull", "--plain-http", r.ref)
    assert wait_until(lambda: unpacked(name))
    return command, [pid for pid, args in descendants(command.pid) if args.endswith(" unpack")]


def test_an_unpacker_that_is_killed():
    """What it had is thrown away, and the layer unpacked again when its blob is there."""
    go = []
    with Held(three(), {1: lambda: go}) as r:
        command, unpackers = held_pull(r, "d1/first")
        assert unpackers
        for pid in unpackers:
            os.kill(pid, signal.SIGKILL)
        go.append(True)
        assert command.wait(60) == 0
        command.stdout.close()
        command.stderr.close()
        assert "complete" in coracle("images", "check", f"name=={r.ref}").out
        coracle("images", "rm", r.ref)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_in_the_middle(sign):
    go = []
    with Held(three(), {1: lambda: go}) as r:
        command, unpackers = held_pull(r, "d1/first")
        command.send_signal(sign)
        assert command.wait(60) != 0
        command.stdout.close()
        command.stderr.close()
        assert wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in unpackers))
        go.append(True)
        r.sent.clear()
        pull(r)  # goes on from there
        coracle("images", "rm", r.ref)
        coracle("gc")


def test_a_bad_beginning_is_read_too_early(tmp_path):
    """A partial file that holds something else is found wrong at the end and fetched anew; who had read it
    meanwhile begins anew too."""
    img = three()
    name = digest(img.packed[1])
    partial = STORE / "content/partial" / name.split(":")[1]
    partial.parent.mkdir(exist_ok=True)
    partial.write_bytes(b"x" * 5000 + img.packed[1][5000:600_000])
    with Registry(img) as r:
        pull(r)
        with mounted(r.ref, tmp_path / "m") as root:
            assert (root / "d1/big").read_bytes() == BIG
        coracle("images", "rm", r.ref)
