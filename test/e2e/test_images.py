# SPDX-License-Identifier: Apache-2.0
"""images usage, prune: what test/golden/ctr-2.1.1/output-images.txt has, and what it has not."""
import json

import pytest

from harness.cli import coracle, ctr
from harness.images import Image, entry, imported, layer

REF = "docker.io/library/test:latest"


def two_layers(name=REF, what="1"):
    return Image(layer(entry("a", what * 100000)), layer(entry("b/"), entry("b/c", what)), name=name)


@pytest.mark.quick
def test_usage(tmp_path):
    with imported(two_layers().oci(tmp_path / "i.tar"), REF):
        rows = [line.split() for line in ctr("images", "usage", REF).out.splitlines()]
        assert rows[0] == ["KEY", "SIZE", "INODES"] and len(rows) == 3
        # as the snapshots say themselves, the topmost first
        keys = [row[0] for row in rows[1:]]
        parents = {row[0]: row[1] for row in
                   (line.split() for line in ctr("snapshots", "ls").out.splitlines()[1:])}
        assert parents[keys[0]] == keys[1]
        own = {row[0]: row[1:] for row in
               (line.split() for line in ctr("snapshots", "usage").out.splitlines()[1:])}
        assert [own[key] for key in keys] == [row[1:] for row in rows[1:]]
        shown = json.loads(coracle("images", "usage", "--format", "json", "test").out)
        assert [item["key"] for item in shown] == keys
        assert [item["inodes"] for item in shown] == [2, 1]


def test_usage_of_what_is_not_there(tmp_path):
    said = 'failed to ensure if image nosuch exists: image "nosuch": not found'
    assert ctr("images", "usage", "nosuch", code=1).err.splitlines()[0] == f"ctr: {said}"
    assert ctr("images", "usage", code=1).err.splitlines()[0] == "ctr: please provide an image reference"
    two_layers().oci(tmp_path / "i.tar")
    coracle("images", "import", "--no-unpack", tmp_path / "i.tar")
    try:
        said = coracle("images", "usage", "test", code=125).err
        assert f"image {REF}: it isn't unpacked by the snapshotter overlayfs" in said
    finally:
        coracle("images", "rm", "test")


def test_prune(tmp_path):
    def own(*args, **how):
        return coracle("-n", "pruned", *args, **how)

    two_layers().oci(tmp_path / "i.tar")
    kept = two_layers(REF.replace("/test", "/kept"), "3")
    kept.oci(tmp_path / "k.tar")
    own("images", "import", tmp_path / "i.tar")
    own("images", "import", tmp_path / "k.tar")
    try:
        assert "requires --all" in own("images", "prune").err
        assert own("images", "ls", "-q").out.split() == [kept.name, REF]
        own("containers", "create", "kept", "rests", "x")
        assert own("images", "prune", "--all").out.split() == [REF]
        assert own("images", "prune", "--all").out == ""
        # what only it needed is gone with it
        assert set(own("content", "ls", "-q").out.split()) == set(kept.blobs)
        assert len(own("snapshots", "ls").out.splitlines()) == 1 + 3
        own("containers", "rm", "rests")
        assert own("images", "prune", "--all").out.split() == [kept.name]
        assert own("content", "ls", "-q").out == ""
    finally:
        own("containers", "rm", "rests", code=None)
        own("images", "rm", "kept", "test", code=None)
        own("namespaces", "rm", "pruned")
