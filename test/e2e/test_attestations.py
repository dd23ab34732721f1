# SPDX-License-Identifier: Apache-2.0
"""Indexes that name more than images: as buildx makes them, with attestations for unknown/unknown."""
import json
import subprocess

import pytest

from harness.cli import coracle, ctr
from harness.images import OCI, Image, digest, entry, layer
from harness.registry import Registry, docker_registry, needs

missing = needs("docker-registry", "skopeo")
debian_registry = pytest.mark.skipif(missing, reason=f"needs {' '.join(missing)}")


def descriptor(data, media_type, **more):
    return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}


def attestation(of):
    """What buildx puts beside an image: (its documents, its descriptor in the index)."""
    statement = json.dumps({"_type": "https://in-toto.io/Statement/v0.1", "of": of}).encode()
    config = json.dumps({"architecture": "unknown", "os": "unknown", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": [digest(statement)]}}).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
        "config": descriptor(config, OCI + "config.v1+json"),
        "layers": [descriptor(statement, "application/vnd.in-toto+json",
                              annotations={"in-toto.io/predicate-type": "https://spdx.dev/Document"})]}).encode()
    return [statement, config, manifest], descriptor(
        manifest, OCI + "manifest.v1+json", platform={"architecture": "unknown", "os": "unknown"},
        annotations={"vnd.docker.reference.digest": of, "vnd.docker.reference.type": "attestation-manifest"})


def buildx(registry):
    """An index of two platforms with an attestation each, in the registry; gives all its blobs."""
    blobs, entries = {}, []
    for arch in ("amd64", "arm64"):
        image = Image(layer(entry("a", arch)), compress="gzip")
        image.config["architecture"] = arch
        image.seal()
        documents, beside = attestation(image.target)
        blobs.update(image.blobs)
        blobs.update({digest(data): data for data in documents})
        entries += [{k: v for k, v in image.index["manifests"][0].items() if k != "annotations"}, beside]
        for item in entries[-2:]:
            registry.types[item["digest"]] = item["mediaType"]
    registry.blobs.update(blobs)
    top = registry.add_document({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": entries},
                                OCI + "index.v1+json", "latest")
    return {**blobs, top["digest"]: registry.blobs[top["digest"]]}, top["digest"]


def stored():
    return set(ctr("content", "ls", "-q").out.split())


def test_one_platform_brings_none(tmp_path):
    before = stored()
    with Registry() as r:
        blobs, _ = buildx(r)
        coracle("images", "pull", "--plain-http", "--platform", "linux/arm64", r.ref)
        assert len(stored() - before) == 4  # index, manifest, config, layer
        assert "linux/arm64" in ctr("images", "ls").out
        coracle("images", "rm", r.ref)


@debian_registry
def test_all_platforms_bring_them_and_hand_them_on(tmp_path):
    before = stored()
    with Registry() as r, docker_registry(tmp_path) as host:
        blobs, target = buildx(r)
        coracle("images", "pull", "--plain-http", "--all-platforms", r.ref)
        try:
            assert stored() - before == set(blobs)
            coracle("gc")
            assert stored() - before == set(blobs)
            row = next(line for line in ctr("images", "ls").out.splitlines() if line.startswith(r.ref)).split()
            assert row[2] == target and row[5] == "linux/amd64,linux/arm64"  # nothing runs on unknown
            # an archive that others read as a whole
            coracle("images", "export", "--all-platforms", tmp_path / "out.tar", r.ref)
            (tmp_path / "layout").mkdir()
            subprocess.run(["tar", "xf", tmp_path / "out.tar", "-C", tmp_path / "layout"], check=True)
            here = {f"sha256:{p.name}" for p in (tmp_path / "layout/blobs/sha256").iterdir()}
            assert here == set(blobs)
            subprocess.run(["skopeo", "copy", "--all", f"oci:{tmp_path}/layout:latest",
                            f"dir:{tmp_path}/dir"], check=True, capture_output=True)
            # a registry that refuses an index whose manifests it lacks
            ref = f"{host}/my/buildx:1"
            coracle("images", "push", "--plain-http", ref, r.ref)
            said = subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{ref}"],
                                  capture_output=True, check=True).stdout
            assert said == blobs[target]
        finally:
            coracle("images", "rm", r.ref)
        assert stored() == before
        # and back
        coracle("images", "import", "--all-platforms", tmp_path / "out.tar")
        try:
            assert set(blobs) <= stored()
            coracle("images", "push", "--plain-http", f"{host}/other:1", r.ref)
        finally:
            coracle("images", "rm", r.ref)


def test_what_lacks_is_an_error_of_a_pull_and_none_of_an_archive(tmp_path):
    with Registry() as r:
        blobs, target = buildx(r)
        coracle("images", "pull", "--plain-http", "--all-platforms", r.ref)
        coracle("images", "export", "--all-platforms", tmp_path / "out.tar", r.ref)
        coracle("images", "rm", r.ref)
        statement = next(d for d, data in blobs.items() if b"in-toto.io/Statement" in data)
        lacking = r.blobs.pop(statement)
        said = coracle("images", "pull", "--plain-http", "--all-platforms", r.ref, code=125).err
        assert statement in said and r.ref not in ctr("images", "ls", "-q").out
        r.blobs[statement] = lacking + b"x"
        assert coracle("images", "pull", "--plain-http", "--all-platforms", r.ref, code=125).err
        # of an archive what is there is taken
        (tmp_path / "layout").mkdir()
        subprocess.run(["tar", "xf", tmp_path / "out.tar", "-C", tmp_path / "layout"], check=True)
        (tmp_path / "layout/blobs/sha256" / statement[7:]).unlink()
        subprocess.run(["tar", "cf", tmp_path / "less.tar", "-C", tmp_path / "layout", "."], check=True)
        coracle("images", "import", "--all-platforms", tmp_path / "less.tar")
        assert set(blobs) - stored() == {statement}
        coracle("images", "rm", r.ref)
        coracle("gc")
