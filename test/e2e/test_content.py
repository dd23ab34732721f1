# SPDX-License-Identifier: Apache-2.0
"""content and leases, as test/golden/ctr-2.1.1/output-content.txt and output-leases-namespaces.txt
have them."""
import re
import subprocess

import pytest

from harness.cli import coracle, ctr
from harness.images import Image, entry, imported, layer

REF = "docker.io/library/test:latest"


@pytest.mark.quick
def test_content(tmp_path):
    image = Image(layer(entry("a", "1")))
    with imported(image.oci(tmp_path / "i.tar"), REF):
        digests = sorted(image.blobs)
        assert set(digests) <= set(ctr("content", "ls", "-q").out.split())
        lines = ctr("content", "ls").out.splitlines()
        assert lines[0].startswith("DIGEST" + "\t" * 9 + "SIZE\t") and lines[0].endswith("LABELS")
        rows = [re.split(r"\t+", line) for line in lines[1:]]
        rows = [row for row in rows if row[0] in digests]
        assert [row[0] for row in rows] == digests
        assert {row[1] for row in rows} >= {f"{len(image.blobs[image.target])}B"}
        got = subprocess.run(["coracle", "content", "get", image.target], capture_output=True, check=True)
        assert got.stdout == image.blobs[image.target]
        assert ctr("content", "label", image.target, "a=1", "b=2").out.strip() == "a=1,b=2"
        assert ctr("content", "label", image.target, "a=").out.strip() == "b=2"


@pytest.mark.parametrize("digest, text", [
    ("f38f83b0", "invalid checksum digest format"), ("sha256:f38f83b0", "invalid checksum digest length"),
    ("", "invalid checksum digest format"), ("sha256:" + "0" * 64, "content digest sha256:" + "0" * 64 + ": not found")])
def test_get_what_is_not_there(digest, text):
    assert ctr("content", "get", digest, code=1).err == f"ctr: {text}\n"


def test_remove(tmp_path):
    assert ctr("content", "rm", "sha256:" + "0" * 64).out == ""
    assert ctr("content", "rm").out == ""
    assert "invalid checksum digest format" in ctr("content", "rm", "nosuch", code=1).err
    image = Image(layer(entry("a", "1")))
    with imported(image.oci(tmp_path / "i.tar"), REF):
        gone = image.manifest["layers"][0]["digest"]
        assert ctr("content", "rm", gone).out == gone + "\n"
        assert "incomplete" in ctr("images", "check", f"name=={REF}").out
    coracle("gc")


def test_leases():
    assert ctr("leases", "create", "--id", "demo").out == "demo\n"
    assert ctr("leases", "create", "--id", "demo", code=1).err == 'ctr: lease "demo": already exists\n'
    ctr("leases", "create", "--id", "l2", "--expires", "1h", "a=1", "b")
    ctr("leases", "create", "--id", "l3", "-x", "0s")
    name = ctr("leases", "create").out.strip()
    assert ctr("leases", "ls", "-q").out.split() == sorted(["demo", "l2", "l3", name])
    rows = [line.split() for line in ctr("leases", "ls").out.splitlines()]
    time = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    found = {row[0]: row[2] for row in rows[1:]}
    assert rows[0] == ["ID", "CREATED", "AT", "LABELS"]
    assert re.fullmatch(f"containerd.io/gc.expire={time}", found["demo"])
    assert re.fullmatch(f"a=1,b=true,containerd.io/gc.expire={time}", found["l2"]) and found["l3"] == "-"
    assert len(ctr("leases", "ls", "id==demo").out.splitlines()) == 2
    assert ctr("leases", "rm", "demo", "l2", "l3", name).out.split() == ["demo", "l2", "l3", name]
    assert ctr("leases", "rm", "demo", code=1).err == 'ctr: lease "demo": not found\n'
