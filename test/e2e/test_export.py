# SPDX-License-Identifier: Apache-2.0
"""images export: one archive that containerd, docker, podman, skopeo and umoci read."""
import json
import subprocess
import tarfile

import pytest

from harness.cli import coracle, ctr
from harness.images import Image, digest, entry, imported, layer, mounted
from harness.registry import Registry

REF = "docker.io/library/test:latest"


def contents(path):
    with tarfile.open(path) as tar:
        return {m.name: (m, tar.extractfile(m).read() if m.isfile() else None) for m in tar}


@pytest.mark.quick
def test_as_ctr_writes_it(tmp_path):
    """test/golden/ctr-2.1.1/output-images.txt: names, modes, documents."""
    image = Image(layer(entry("a", "1")))
    with imported(image.oci(tmp_path / "i.tar"), REF):
        ctr("i", "export", tmp_path / "out.tar", REF)
        found = contents(tmp_path / "out.tar")
        blobs = sorted("blobs/sha256/" + d[7:] for d in image.blobs)
        assert list(found) == ["blobs", "blobs/sha256", *blobs, "index.json", "manifest.json", "oci-layout"]
        assert {m.mode for n, (m, _) in found.items() if n in blobs} == {0o444}
        assert all((m.mtime, m.uid, m.gid, m.uname) == (0, 0, 0, "") for m, _ in found.values())
        assert all(digest(found[n][1])[7:] == n.rsplit("/", 1)[1] for n in blobs)
        target = image.index["manifests"][0]
        assert found["index.json"][1].decode() == (
            '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":['
            f'{{"mediaType":"{target["mediaType"]}","digest":"{target["digest"]}","size":{target["size"]},'
            f'"annotations":{{"io.containerd.image.name":"{REF}","org.opencontainers.image.ref.name":"latest"}}}}]}}')
        config = image.manifest["config"]["digest"][7:]
        assert json.loads(found["manifest.json"][1]) == [{
            "Config": f"blobs/sha256/{config}", "RepoTags": ["test:latest"],
            "Layers": ["blobs/sha256/" + d["digest"][7:] for d in image.manifest["layers"]]}]
        assert found["oci-layout"][1] == b'{"imageLayoutVersion":"1.0.0"}'
        # Again, and into a pipe: the same bytes.
        piped = subprocess.run(["coracle", "images", "export", "-", "test"], capture_output=True, check=True)
        assert piped.stdout == (tmp_path / "out.tar").read_bytes()
        coracle("images", "export", "--skip-manifest-json", tmp_path / "bare.tar", "test")
        assert "manifest.json" not in contents(tmp_path / "bare.tar")


def test_others_read_it(tmp_path, busybox):
    coracle("images", "export", tmp_path / "b.tar", busybox)
    for kind in ("oci-archive", "docker-archive"):
        subprocess.run(["skopeo", "inspect", f"{kind}:{tmp_path}/b.tar"], check=True, capture_output=True)
    (tmp_path / "layout").mkdir()
    subprocess.run(["tar", "xf", tmp_path / "b.tar", "-C", tmp_path / "layout"], check=True)
    subprocess.run(["umoci", "unpack", "--image", f"{tmp_path}/layout:latest", tmp_path / "bundle"],
                   check=True, capture_output=True)
    assert (tmp_path / "bundle/rootfs/bin/busybox").exists()


def test_there_and_back(tmp_path):
    one = Image(layer(entry("a", "1")), layer(entry("b", "2")), name="docker.io/library/one:1")
    two = Image(*one.layers, layer(entry("c", "3")), name="example.org/two/x:2")
    with imported(one.oci(tmp_path / "1.tar"), one.name), imported(two.oci(tmp_path / "2.tar"), two.name):
        coracle("images", "export", tmp_path / "both.tar", "one:1", two.name)
    names = set(contents(tmp_path / "both.tar"))
    assert {"blobs/sha256/" + d[7:] for d in {**one.blobs, **two.blobs}} < names
    with imported(tmp_path / "both.tar", one.name, two.name), mounted(two.name, tmp_path / "m") as root:
        assert (root / "c").read_text() == "3"


def test_an_error_leaves_the_old_archive(tmp_path, busybox):
    out = tmp_path / "out.tar"
    out.write_text("old")
    done = coracle("images", "export", out, busybox, "nosuch", code=125)
    assert done.err.startswith('coracle: image "nosuch": not found') and out.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.tar"]
    assert ctr("i", "export", out, code=1).err.startswith(
        "ctr: please provide both an output filename and an image reference to export")
    full = coracle("images", "export", "/dev/full", busybox, code=125)
    assert "No space left" in full.err


def test_platforms(tmp_path):
    from test_pull import platforms_index
    with Registry() as r:
        platforms_index(r, "linux/amd64", "linux/arm64")
        coracle("images", "pull", "--plain-http", "--all-platforms", r.ref)
        coracle("images", "export", tmp_path / "host.tar", r.ref)
        coracle("images", "export", "--all-platforms", tmp_path / "all.tar", r.ref)
        coracle("images", "export", "--platform", "linux/arm64", tmp_path / "arm.tar", r.ref)
        sizes = [len(contents(tmp_path / f"{n}.tar")) for n in ("host", "all", "arm")]
        assert sizes[1] == sizes[0] + 3 == sizes[2] + 3
        assert "nothing for platform linux/s390x" in coracle(
            "images", "export", "--platform", "linux/s390x", tmp_path / "x.tar", r.ref, code=125).err
        coracle("images", "rm", r.ref)
