# SPDX-License-Identifier: Apache-2.0
"""content fetch, fetch-object, fetch-blob, push-object, prune references."""
import json
import random
import subprocess

import pytest

from harness.cli import coracle, ctr
from harness.images import OCI, Image, busybox_layer, digest, entry, imported, layer
from harness.registry import Registry, docker_registry, needs, reply

REF = "docker.io/library/test:latest"
missing = needs("docker-registry")
debian_registry = pytest.mark.skipif(missing, reason=f"needs {' '.join(missing)}")


def raw(*args, code=0):
    """Bytes, not text."""
    done = subprocess.run(["coracle", "content", *args], capture_output=True)
    assert done.returncode == code, done.stderr
    return done.stdout


@pytest.mark.quick
def test_fetch():
    """Everything is there, nothing is unpacked; it can be run all the same."""
    image = Image(busybox_layer(), layer(entry("fetched", "1")))
    with Registry(image) as r:
        assert ctr("content", "fetch", "--plain-http", "--label", "a=1", r.ref).out.split() == [r.ref, "saved"]
        try:
            row = next(line for line in ctr("images", "check").out.splitlines() if line.startswith(r.ref))
            assert "complete (3/3)" in row and row.split()[-1] == "false"
            assert "a=1" in ctr("images", "ls").out
            assert set(ctr("content", "ls", "-q").out.split()) >= set(image.blobs)
            assert coracle("run", "--rm", r.ref, "fetched", "echo", "1").out == "1\n"
        finally:
            coracle("images", "rm", r.ref)
    assert "please provide" in ctr("content", "fetch", code=1).err


def test_fetch_objects():
    noise = random.Random(1).randbytes(3_000_000)
    image = Image(layer(entry("a", noise)), compress="gzip")
    big = image.manifest["layers"][0]["digest"]
    config = image.manifest["config"]["digest"]
    before = ctr("content", "ls", "-q").out
    with Registry(image) as r:
        assert raw("fetch-object", "--plain-http", r.ref) == image.blobs[image.target]
        assert raw("fetch-object", "--plain-http", r.ref, "latest") == image.blobs[image.target]
        assert raw("fetch-object", "--plain-http", r.ref, image.target) == image.blobs[image.target]
        assert raw("fetch-blob", "--plain-http", r.ref, config, big) == image.blobs[config] + image.blobs[big]
        assert raw("fetch-blob", "--plain-http", "--media-type", OCI + "manifest.v1+json", r.ref,
                   image.target) == image.blobs[image.target]
        assert ctr("content", "ls", "-q").out == before and r.ref not in ctr("images", "ls", "-q").out
        for args, text in (
                (["fetch-object", r.ref, "nosuch"], "404 Not Found"),
                (["fetch-object", r.ref.replace("test:", "nosuch:")], "404 Not Found"),
                (["fetch-object", r.ref, "../blobs/x"], "../blobs/x"),
                (["fetch-object", r.ref, "a?b"], "a?b"),
                (["fetch-object", r.ref, "sha256:1"], "sha256:1"),
                (["fetch-object"], "please provide a reference"),
                (["fetch-blob", r.ref], "must specify digests"),
                (["fetch-blob", r.ref, "sha256:1"], "sha256:1"),
                (["fetch-blob", r.ref, "sha256:" + "0" * 64], "404 Not Found")):
            said = coracle("content", args[0], "--plain-http", *args[1:], code=None)
            assert said.code and text in said.err and said.out == ""


def test_a_lie_is_not_handed_on():
    """Not one byte of what isn't the digest's reaches standard output, and nothing stays."""
    image = Image(layer(entry("a", "1" * 1000)))
    blob = image.manifest["layers"][0]["digest"]

    def lie(request):
        if request.path.endswith(blob) or request.path.endswith(image.target):
            return reply(request, 200, b"x" * 2560)
        return False

    with Registry(image, behave=lie) as r:
        assert raw("fetch-blob", "--plain-http", r.ref, blob, code=125) == b""
        assert raw("fetch-object", "--plain-http", r.ref, image.target, code=125) == b""
        assert "digest" in coracle("content", "fetch-blob", "--plain-http", r.ref, blob, code=125).err


@debian_registry
def test_push_object(tmp_path):
    """One after the other, as the registry wants them; the manifest alone brings nothing along."""
    image = Image(layer(entry("a", "1")), name=REF)
    with docker_registry(tmp_path) as host, imported(image.oci(tmp_path / "i.tar"), REF):
        ref = f"{host}/one:1"

        def push(what, media_type, **how):
            return ctr("content", "push-object", "--plain-http", ref, what, media_type, **how)

        manifest = image.manifest["mediaType"]
        assert "400: blob unknown" in push(image.target, manifest, code=1).err
        for blob in (*image.manifest["layers"], image.manifest["config"]):
            said = push(blob["digest"], blob["mediaType"]).out
            assert said == f"Pushed {blob['digest']} {blob['mediaType']}\n"
        assert push(image.target, manifest).out == f"Pushed {image.target} {manifest}\n"
        assert raw("fetch-object", "--plain-http", ref) == image.blobs[image.target]
        assert "not found" in push("sha256:" + "0" * 64, manifest, code=1).err
        assert "please provide" in ctr("content", "push-object", ref, image.target, code=1).err


def test_prune_references(tmp_path):
    """Layers that are unpacked go, what runs goes on; what somebody still needs packed stays."""
    shared, own = layer(entry("a", "1")), layer(entry("b", "2"))
    image = Image(busybox_layer(), shared, name=REF)
    other = Image(shared, own, name=REF.replace("/test", "/other"))
    image.oci(tmp_path / "i.tar")
    other.oci(tmp_path / "o.tar")
    coracle("-n", "pruned", "images", "import", tmp_path / "i.tar")
    coracle("-n", "pruned", "images", "import", "--no-unpack", tmp_path / "o.tar")

    def in_ns(*args, **how):
        return coracle("-n", "pruned", *args, **how)

    try:
        first, both = (blob["digest"] for blob in image.manifest["layers"])
        before = set(in_ns("content", "ls", "-q").out.split())
        assert in_ns("content", "prune", "references", "--dry").out.split() == [first]
        assert set(in_ns("content", "ls", "-q").out.split()) == before
        said = in_ns("content", "prune", "references")
        assert said.out.split() == [first] and "can't be pushed" in said.err
        assert before - set(in_ns("content", "ls", "-q").out.split()) == {first}
        assert in_ns("content", "prune", "references").out == ""
        assert in_ns("run", "--rm", REF, "runs", "cat", "/a").out == "1"
        assert "incomplete (2/3)" in in_ns("images", "check", f"name=={REF}").out
        assert first in in_ns("images", "export", tmp_path / "x.tar", REF, code=125).err
        in_ns("images", "import", tmp_path / "i.tar")  # heals it
        assert "incomplete" not in in_ns("images", "check").out
        in_ns("snapshots", "unpack", other.target)
        both_gone = set(in_ns("content", "prune", "references").out.split())
        assert both_gone == {first, both, other.manifest["layers"][1]["digest"]}
    finally:
        in_ns("images", "rm", "test", "other")
        in_ns("namespaces", "rm", "pruned")
