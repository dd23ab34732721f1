# SPDX-License-Identifier: Apache-2.0
"""content and leases, as test/golden/ctr-2.1.1/output-content.txt and output-leases-namespaces.txt
have them."""
import re
import signal
import subprocess
from pathlib import Path

import pytest

from harness.cli import coracle, ctr, eventually, start
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


def stored():
    return set(ctr("content", "ls", "-q").out.split())


HELLO = "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"


def test_ingest():
    before = stored()
    try:
        assert ctr("content", "ingest", "demo-ref", stdin="hello\n").out == ""
        assert coracle("content", "ingest", "demo-ref", stdin="hello\n").out == HELLO + "\n"  # again
        coracle("gc")  # it stays until somebody removes it
        assert ctr("content", "get", HELLO).out == "hello\n"
        ctr("content", "ingest", "--expected-digest", HELLO, "--expected-size", "6", "r", stdin="hello\n")
        assert ctr("content", "ingest", code=1).err.splitlines()[0] == \
            "ctr: must specify a transaction reference"
        for flags, stdin, text in (
                (["--expected-size", "7"], "hello\n", "unexpected commit size 6, expected 7"),
                (["--expected-size", "5"], "hallo\n", "the blob has more than 5 bytes"),
                (["--expected-digest", HELLO], "hallo\n", f"expected {HELLO}"),
                (["--expected-digest", "sha256:1"], "hallo\n", "sha256:1"),
                (["--expected-size", "-1"], "hallo\n", "a number of bytes")):
            assert text in ctr("content", "ingest", *flags, "r", stdin=stdin, code=1).err
        assert stored() - before == {HELLO}
        empty = coracle("content", "ingest", "r", stdin="").out.strip()
        assert ctr("content", "get", empty).out == ""
        ctr("content", "rm", empty)
    finally:
        ctr("content", "rm", HELLO)
        coracle("gc")


def test_active():
    """What is being written has its name, nobody else takes that, and it is gone with its writer."""
    assert ctr("content", "active").out.split() == ["REF", "SIZE", "AGE"]
    writer = start("coracle", "content", "ingest", "slow ref", stdin=subprocess.PIPE)
    try:
        writer.stdin.write(b"x" * 300000)
        writer.stdin.flush()
        eventually(lambda: "300kB" in ctr("content", "active").out)
        assert "slow ref" in ctr("content", "active", "^slow").out
        assert "slow ref" not in ctr("content", "active", "^ref").out
        assert "pattern" in ctr("content", "active", "(", code=1).err
        assert "ref slow ref locked: unavailable" in coracle("content", "ingest", "slow ref", code=125).err
        writer.send_signal(signal.SIGINT)
        assert writer.wait(60) == -signal.SIGINT
        assert "slow ref" not in ctr("content", "active").out
    finally:
        writer.kill()
        writer.communicate()


def test_kill_while_ingesting():
    before = stored()
    writer = start("coracle", "content", "ingest", "r", stdin=subprocess.PIPE)
    writer.stdin.write(b"x" * 300000)
    writer.stdin.flush()
    eventually(lambda: "300kB" in ctr("content", "active").out)
    writer.kill()
    writer.communicate()
    assert coracle("content", "ingest", "r", stdin="hello\n").out == HELLO + "\n"
    assert stored() - before == {HELLO}
    ctr("content", "rm", HELLO)
    coracle("gc")


def test_edit():
    before = stored()
    coracle("content", "ingest", "r", stdin="hello\n")
    try:
        edited = ctr("content", "edit", "--editor", "sed -i s/hello/bye/", HELLO).out
        assert edited == "sha256:abc6fd595fc079d3114d4b71a4d84b1d1d0f79df1e70f8813212f2a65d8916df\n"
        assert ctr("content", "get", edited.strip()).out == "bye\n"
        assert ctr("content", "edit", HELLO, env={"EDITOR": "true"}).out == HELLO + "\n"
        for flags, text in ((["--validate", HELLO], "validating the edit result not supported"),
                            ([HELLO], "editor is required"),
                            (["--editor", "false", HELLO], "the editor's exit status is 1"),
                            (["--editor", "rm", HELLO], "what the editor left"),
                            (["--editor", "kill -9 $$;", HELLO], "the editor was ended by signal 9"),
                            (["--editor", "ln -sf /etc/passwd", HELLO], "what the editor left"),
                            (["--editor", "true", "sha256:" + "0" * 64], "not found")):
            assert text in ctr("content", "edit", *flags, env={"EDITOR": ""}, code=1).err
        assert stored() - before == {HELLO, edited.strip()}
        assert not list(Path("/tmp").glob("coracle-edit-*"))
        ctr("content", "rm", edited.strip())
    finally:
        ctr("content", "rm", HELLO)
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
