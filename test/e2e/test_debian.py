# SPDX-License-Identifier: Apache-2.0
"""A real distribution: Debian 12 by debootstrap, with a second layer, as skopeo writes archives."""
import io
import os
import re
import shutil
import subprocess
import tarfile

import pytest

from harness.cli import coracle, ctr, remove_snapshots, start
from harness.images import Image, describe_tree, imported, mounted, tree_differences
from harness.registry import Registry

REF = "docker.io/library/debian:bookworm"


@pytest.fixture(scope="module")
def debian(cache):
    archive = cache / "debian-oci.tar"
    if not archive.exists():
        pytest.skip("no debian image: test/fixtures/make could not make it (no mirror?)")
    coracle("images", "import", archive)
    yield "debian:bookworm"
    ctr("images", "rm", REF)


@pytest.fixture(scope="module", autouse=True)
def first(debian):
    """The image is there before the first count."""


def test_python(debian, warm):
    assert coracle("run", "--rm", "--cni", debian, "d", "python3", "-c", "print(6*7)").out == "42\n"


def test_web_server_fetched_by_another_container(debian, warm):
    with start("coracle", "run", "--rm", "--cni", debian, "server", "sh", "-c",
               "cd /etc && python3 -c 'import socket; print(socket.gethostbyname(socket.gethostname()), flush=True)';"
               "cat /proc/net/fib_trie | grep -B1 'host LOCAL' | grep -oE '10[.][0-9.]+' | head -1;"
               "exec python3 -u -m http.server 8000") as server:
        ip = None
        for line in server.stdout:
            found = re.fullmatch(r"(10\.123\.\d+\.\d+)\n", line.decode())
            ip = found[1] if found else ip
            if b"Serving HTTP" in line:
                break
        out = coracle("run", "--rm", "--cni", debian, "client", "python3", "-c",
                      "import urllib.request; print(urllib.request.urlopen("
                      f"'http://{ip}:8000/debian_version').read().decode(), end='')").out
        assert out.startswith("12.")
        ctr("tasks", "kill", "-s", "KILL", "server")
        server.wait(60)


def test_apt(debian):
    out = coracle("run", "--rm", debian, "d", "apt", "list", "--installed").out
    assert re.search(r"^python3/", out, re.M) and re.search(r"^iputils-ping/", out, re.M)


def test_ping_by_a_user(debian, warm):
    """Its file capability survived: as the container's own process, whose permitted set is kept
    over the change of uid until exec; and by a shell, where new privileges are allowed."""
    out = coracle("run", "--rm", "--cni", "--user", "1000", debian, "d", "ping", "-c", "1", "10.123.0.1").out
    assert "1 received" in out
    out = coracle("run", "--rm", "--cni", "--user", "1000", "--allow-new-privs", debian, "d",
                  "sh", "-c", "ping -c 1 10.123.0.1").out
    assert "1 received" in out


@pytest.mark.parametrize("driver", ["overlayfs", "native"])
def test_the_same_tree_as_umoci(debian, cache, tmp_path, driver):
    os.mkdir(tmp_path / "layout")
    subprocess.run(["tar", "-C", tmp_path / "layout", "-xf", cache / "debian-oci.tar"], check=True)
    tag = re.search(r'"org.opencontainers.image.ref.name":\s*"([^"]+)"',
                    (tmp_path / "layout/index.json").read_text())[1]
    subprocess.run(["umoci", "unpack", "--image", f"{tmp_path}/layout:{tag}", tmp_path / "bundle"],
                   check=True, capture_output=True)
    theirs = describe_tree(tmp_path / "bundle/rootfs")
    assert len(theirs) > 5000
    with mounted(debian, tmp_path / "m", "--snapshotter", driver) as root:
        ours = describe_tree(root)
    if driver == "native":
        remove_snapshots("native")
    assert tree_differences(ours, theirs) == []


def test_docker_archive_is_the_same(debian, cache, tmp_path):
    with mounted(debian, tmp_path / "a") as root:
        wanted = describe_tree(root)
    with imported(cache / "debian-docker.tar", "docker.io/library/debian:docker"):
        with mounted("debian:docker", tmp_path / "b") as root:
            assert tree_differences(describe_tree(root), wanted) == []


def pieces(cache, n):
    """The largest layer of the archive, cut into n layers between its entries: parents and targets of hard
    links lie in layers below."""
    with tarfile.open(cache / "debian-oci.tar") as archive:
        blob = archive.extractfile(max(archive.getmembers(), key=lambda m: m.size))
        with tarfile.open(fileobj=io.BytesIO(blob.read())) as tar:
            members = tar.getmembers()
            step = -(-len(members) // n)
            for i in range(0, len(members), step):
                out = io.BytesIO()
                with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as piece:
                    for member in members[i:i + step]:
                        piece.addfile(member, tar.extractfile(member) if member.isreg() else None)
                yield out.getvalue()


@pytest.mark.skipif(not shutil.which("umoci"), reason="needs umoci")
@pytest.mark.parametrize("n", [1, 8])
def test_pulled_the_same_tree_as_umoci(debian, cache, tmp_path, n):
    image = Image(*pieces(cache, n), compress="gzip")
    assert len(image.layers) == n
    os.mkdir(tmp_path / "layout")
    image.oci(tmp_path / "image.tar")
    subprocess.run(["tar", "-C", tmp_path / "layout", "-xf", tmp_path / "image.tar"], check=True)
    subprocess.run(["umoci", "unpack", "--image", f"{tmp_path}/layout:latest", tmp_path / "bundle"],
                   check=True, capture_output=True)
    theirs = describe_tree(tmp_path / "bundle/rootfs")
    assert len(theirs) > 5000
    with Registry(image) as r:
        coracle("images", "pull", "--plain-http", r.ref)
        with mounted(r.ref, tmp_path / "m") as root:
            ours = describe_tree(root)
        coracle("images", "rm", r.ref)
    assert not tree_differences(theirs, ours)
