# SPDX-License-Identifier: Apache-2.0
"""images usage, prune, convert: what test/golden/ctr-2.1.1/output-images.txt has, and what it has not."""
import json
import random
import signal
import subprocess
from pathlib import Path

import pytest

from harness.cli import coracle, ctr, eventually, start
from harness.images import (OCI, Image, busybox_layer, describe_tree, digest, entry, imported, layer, mounted,
                            tree_differences)

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


# --- convert ----------------------------------------------------------------------------------------

NEW = "docker.io/library/new:latest"
DOCKER = "application/vnd.docker."


def document(digest_):
    return json.loads(ctr("content", "get", digest_).out)


def tree(name, folder):
    with mounted(name, folder) as root:
        return describe_tree(root)


@pytest.fixture
def gzipped(tmp_path):
    image = Image(layer(entry("a", "1" * 100000)), layer(entry("b/"), entry("b/c", "2")), name=REF,
                  compress="gzip")
    image.manifest["annotations"] = {"kept": "yes"}
    image.manifest["layers"][0]["annotations"] = {"kept": "too"}
    with imported(image.seal_manifest().oci(tmp_path / "i.tar"), REF):
        yield image


def converted(*flags):
    """What becomes of it, as a document; the digest that is said is the stored one."""
    said = ctr("images", "convert", *flags, REF, "new").out.strip()
    row = next(line.split() for line in ctr("images", "ls").out.splitlines() if line.startswith(NEW))
    assert row[2] == said
    return document(said)


@pytest.mark.quick
@pytest.mark.parametrize("flags, suffix", [
    (["--uncompress"], ""), (["--compression", "none"], ""), (["--compression", "zstd"], "+zstd")])
def test_convert_layers(gzipped, tmp_path, flags, suffix):
    wanted = tree(REF, tmp_path / "m")
    new = converted(*flags)
    try:
        types = [blob["mediaType"] for blob in new["layers"]]
        assert types == [OCI + "layer.v1.tar" + suffix] * 2
        assert new["annotations"] == {"kept": "yes"} and new["layers"][0]["annotations"] == {"kept": "too"}
        assert new["config"] == gzipped.manifest["config"]
        diff_ids = gzipped.config["rootfs"]["diff_ids"]
        for blob, diff_id in zip(new["layers"], diff_ids):
            assert f"containerd.io/uncompressed={diff_id}" in ctr("content", "label", blob["digest"]).out
            data = subprocess.run(["coracle", "content", "get", blob["digest"]], capture_output=True).stdout
            assert digest(data) == blob["digest"] and len(data) == blob["size"]
            assert suffix or blob["digest"] == diff_id
        assert "complete (3/3)" in ctr("images", "check", f"name=={NEW}").out
        # without what it came of
        coracle("images", "rm", REF)
        assert tree_differences(tree(NEW, tmp_path / "n"), wanted) == []
        assert converted_back(tmp_path) == diff_ids
    finally:
        coracle("images", "rm", NEW)
        coracle("images", "import", tmp_path / "i.tar")


def converted_back(tmp_path):
    """The diff IDs as umoci sees them, of layers that are gzip again."""
    said = coracle("images", "convert", "--compression", "gzip", NEW, NEW).out.strip()
    assert all(blob["mediaType"].endswith("+gzip") for blob in document(said)["layers"])
    coracle("images", "export", tmp_path / "back.tar", NEW)
    (tmp_path / "layout").mkdir()
    subprocess.run(["tar", "xf", tmp_path / "back.tar", "-C", tmp_path / "layout"], check=True)
    subprocess.run(["umoci", "unpack", "--image", f"{tmp_path}/layout:latest", tmp_path / "bundle"],
                   check=True, capture_output=True)
    return document(document(said)["config"]["digest"])["rootfs"]["diff_ids"]


def test_convert_what_needs_no_change(gzipped):
    for flags in ([], ["--oci"], ["--compression", "gzip"], ["--all-platforms"]):
        assert converted(*flags) == gzipped.manifest
    coracle("images", "rm", NEW)


def test_convert_dockers(tmp_path):
    image = Image(layer(entry("a", "1")), name=REF, compress="gzip")
    image.manifest.update(mediaType=DOCKER + "distribution.manifest.v2+json")
    image.manifest["config"]["mediaType"] = DOCKER + "container.image.v1+json"
    image.manifest["layers"][0]["mediaType"] = DOCKER + "image.rootfs.diff.tar.gzip"
    image.seal_manifest()
    image.index["manifests"][0]["mediaType"] = image.manifest["mediaType"]
    with imported(image.oci(tmp_path / "i.tar"), REF):
        assert converted() == image.manifest
        plain = converted("--uncompress")
        assert plain["layers"][0]["mediaType"] == DOCKER + "image.rootfs.diff.tar"
        assert plain["config"] == image.manifest["config"] and plain["mediaType"] == image.manifest["mediaType"]
        new = converted("--oci")
        types = [new["mediaType"], new["config"]["mediaType"], new["layers"][0]["mediaType"]]
        assert types == [OCI + "manifest.v1+json", OCI + "config.v1+json", OCI + "layer.v1.tar+gzip"]
        assert new["layers"][0]["digest"] == image.manifest["layers"][0]["digest"]
        coracle("images", "rm", NEW)


def test_convert_an_index(tmp_path):
    images = {arch: Image(layer(entry("a", arch * 9999)), name=REF, compress="gzip") for arch in ("amd64", "arm64")}
    top = images["amd64"]
    for arch, image in images.items():
        image.config["architecture"] = arch
        image.seal()
        top.blobs.update(image.blobs)
    entries = [{**images[arch].index["manifests"][0], "annotations": {"arch": arch}} for arch in images]
    attestation = {"mediaType": OCI + "manifest.v1+json", "digest": "sha256:" + "1" * 64, "size": 3,
                   "platform": {"architecture": "unknown", "os": "unknown"}}
    inner = json.dumps({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "x": 1,
                        "manifests": [*entries, attestation]}).encode()
    top.blobs[digest(inner)] = inner
    top.index["manifests"] = [{"mediaType": OCI + "index.v1+json", "digest": digest(inner), "size": len(inner),
                               "annotations": {"io.containerd.image.name": REF}}]
    top.oci(tmp_path / "i.tar")
    coracle("images", "import", "--all-platforms", tmp_path / "i.tar")
    try:
        said = coracle("images", "convert", "--platform", "linux/s390x", REF, "new", code=125).err
        assert "nothing for platform linux/s390x" in said
        new = converted("--uncompress", "--platform", "linux/arm64")
        assert new["x"] == 1 and [entry_["annotations"] for entry_ in new["manifests"]] == [{"arch": "arm64"}]
        both = coracle("images", "convert", "--uncompress", "--all-platforms", REF, "new")
        assert "left out" in both.err
        manifests = document(both.out.strip())["manifests"]
        assert [entry_["platform"]["architecture"] for entry_ in manifests] == ["amd64", "arm64"]
        for entry_ in manifests:
            assert document(entry_["digest"])["layers"][0]["mediaType"] == OCI + "layer.v1.tar"
        assert "linux/amd64,linux/arm64" in ctr("images", "ls", f"name=={NEW}").out
        coracle("images", "rm", NEW)
    finally:
        coracle("images", "rm", REF)


def test_convert_refuses(gzipped, tmp_path):
    for args, text, code in (
            (["nosuch", "new"], 'image "nosuch": not found', 125),
            ([REF], "src and target image need to be specified", 2),
            ([REF, "UPPER"], "UPPER", 125),
            (["--compression", "xz", REF, "new"], "none, gzip or zstd", 2),
            (["--compression", "zstd", "--uncompress", REF, "new"], "one of them", 2)):
        assert text in coracle("images", "convert", *args, code=code).err
    # a layer that somebody has spoiled, one that is gone
    spoiled = Path("/var/lib/coracle/content/blobs/sha256") / gzipped.manifest["layers"][0]["digest"][7:]
    honest = spoiled.read_bytes()
    spoiled.write_bytes(layer(entry("a", "evil")))
    said = coracle("images", "convert", "--compression", "zstd", REF, "new", code=125).err
    assert "the digest of its bytes is sha256:" in said
    spoiled.write_bytes(honest[:100])
    assert "ends too early" in coracle("images", "convert", "--uncompress", REF, "new", code=125).err
    spoiled.write_bytes(honest)
    gone = gzipped.manifest["layers"][1]["digest"]
    coracle("content", "rm", gone)
    assert "not found" in coracle("images", "convert", "--uncompress", REF, "new", code=125).err
    assert "new" not in ctr("images", "ls", "-q").out
    coracle("gc")


def test_kill_while_converting(tmp_path, soak):
    rng = random.Random(1)
    before = set(ctr("content", "ls", "-q").out.split())
    image = Image(*(layer(entry(f"f{i}", rng.randbytes(3_000_000))) for i in range(3)), name=REF, compress="gzip")
    with imported(image.oci(tmp_path / "i.tar"), REF):
        wanted = tree(REF, tmp_path / "m")
        for i in range(soak(6, 50)):
            command = start("coracle", "images", "convert", "--compression", "zstd", REF, "new")
            # some before anything, some in the middle, some behind
            eventually(lambda: command.poll() is not None or i % 3 == 0
                       or "session" in ctr("content", "active").out)
            command.send_signal(signal.SIGINT if i % 2 else signal.SIGKILL)
            command.communicate(timeout=60)
            if NEW in ctr("images", "ls", "-q").out.split():
                assert tree_differences(tree(NEW, tmp_path / f"n{i}"), wanted) == []
                coracle("images", "rm", NEW)
            coracle("gc")
        assert set(ctr("content", "ls", "-q").out.split()) - before == set(image.blobs)


def test_twelve_conversions_at_once(gzipped, tmp_path):
    """To one name: all succeed, and what is there in the end is whole."""
    wanted = tree(REF, tmp_path / "m")
    kinds = ("none", "gzip", "zstd")
    commands = [start("coracle", "images", "convert", "--compression", kinds[i % 3], REF, "new") for i in range(12)]
    said = set()
    for command in commands:
        out, err = command.communicate(timeout=120)
        assert err == b"" and command.returncode == 0
        said.add(out.decode().strip())
    row = next(line.split() for line in ctr("images", "ls").out.splitlines() if line.startswith(NEW))
    assert len(said) == 3 and row[2] in said
    assert tree_differences(tree(NEW, tmp_path / "n"), wanted) == []
    coracle("images", "rm", NEW)


def test_a_commit_and_a_conversion_of_what_was_pruned(busybox, tmp_path):
    """Layers that are only unpacked: it runs, and says what it can't do. One of the two is another image's
    as well, in a namespace that hasn't pruned it."""
    def own(*args, **how):
        return coracle("-n", "pruned", *args, **how)

    image = Image(busybox_layer(), layer(entry("pruned", "its own")), name=REF)
    image.oci(tmp_path / "i.tar")
    own("images", "import", tmp_path / "i.tar")
    try:
        gone = own("content", "prune", "references").out.split()
        assert gone
        own("run", REF, "work", "touch", "/x")
        for command in (["commit", "work", "new"], ["images", "convert", "--compression", "zstd", REF, "new"],
                        ["images", "push", "--plain-http", "127.0.0.1:1/x:1", REF]):
            said = own(*command, code=125).err
            assert any(digest in said for digest in gone) and "not found" in said
        assert own("images", "ls", "-q").out.split() == [REF]
    finally:
        own("containers", "rm", "work", code=None)
        own("images", "rm", REF)
        own("namespaces", "rm", "pruned")


@pytest.mark.quick
def test_filters_by_regular_expression(tmp_path):
    """`~=` wherever filters are: a match anywhere; what is no expression is an error (ctr shows nothing)."""
    def own(*args, **how):
        return coracle("-n", "filtered", *args, **how)

    archive = two_layers().oci(tmp_path / "i.tar")
    own("images", "import", archive)
    own("images", "tag", REF, "other.example/web:v1.2")
    own("containers", "create", "test", "web-1", "/x")
    own("leases", "create", "--id", "lease-7", "purpose=a test")
    try:
        for kind, flags, rows in [
                ("images", "-q", {"name~=^docker\\.io/": [REF], "name~=/:v\\d+(\\.\\d+)*$/": ["other.example/web:v1.2"],
                                  "name~=.": [REF, "other.example/web:v1.2"], "name~=^x": []}),
                ("containers", "-q", {"id~=^web-\\d$": ["web-1"], "id~=/^web$/": [], "image~=|library/te|": ["web-1"]}),
                ("leases", "-q", {"id~=7$": ["lease-7"], 'labels.purpose~=/^a\\\\b/': ["lease-7"], "id~=8": []})]:
            for filter_, wanted in rows.items():
                assert own(kind, "ls", flags, filter_).out.split() == wanted, (kind, filter_)
            bad = own(kind, "ls", flags, "id~=/(a/", code=125).err
            assert bad.startswith("coracle: filters: parse error: [id~= >|/|< (a/]: error parsing regexp: "
                                  "missing closing ): `(a`"), bad
        assert ctr("-n", "filtered", "images", "ls", "name~=[", code=1).err.startswith(
            "ctr: failed to list images: filters: parse error: [name~= >|[|< ]: error parsing regexp: missing closing ]: `[`")
    finally:
        own("leases", "rm", "lease-7")
        own("containers", "rm", "web-1")
        own("images", "rm", REF, "other.example/web:v1.2")
