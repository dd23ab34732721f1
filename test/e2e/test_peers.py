# SPDX-License-Identifier: Apache-2.0
"""What we push and export, read by the others: skopeo, umoci, podman, containerd's ctr, docker."""
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness import peers
from harness.cli import coracle, ctr
from harness.images import Image, describe_tree, entry, layer, mounted, tree_differences
from harness.registry import TokenIssuer, certificate, docker_registry, needs, skopeo_copy

missing = needs("docker-registry", "skopeo", "umoci")
pytestmark = pytest.mark.skipif(missing, reason=f"needs {' '.join(missing)}")
no_containerd = pytest.mark.skipif(bool(peers.why_no_containerd()), reason=f"{peers.why_no_containerd()}")
no_docker = pytest.mark.skipif(bool(peers.why_no_docker()), reason=f"{peers.why_no_docker()}")
no_podman = pytest.mark.skipif(needs("podman", "runc"), reason="no podman here, or no runc for it")
BUSYBOX = "docker.io/library/busybox:latest"


@pytest.fixture
def pushed(tmp_path, busybox):
    """busybox, pushed by us to a docker-registry: its reference."""
    with docker_registry(tmp_path) as host:
        coracle("images", "push", f"{host}/my/busybox:1", busybox)
        yield f"{host}/my/busybox:1"


@pytest.fixture
def exported(tmp_path, busybox):
    coracle("images", "export", tmp_path / "out.tar", busybox)
    return tmp_path / "out.tar"


def our_digest():
    return ctr("images", "ls", f"name=={BUSYBOX}").out.splitlines()[1].split()[2]


def skopeo(*args):
    return subprocess.run(["skopeo", *map(str, args)], check=True, capture_output=True, text=True).stdout


def same_tree_as_umocis(layout, tmp_path):
    subprocess.run(["umoci", "unpack", "--image", layout, tmp_path / "bundle"], check=True, capture_output=True)
    with mounted(BUSYBOX, tmp_path / "m") as root:
        assert not tree_differences(describe_tree(tmp_path / "bundle/rootfs"), describe_tree(root))


def test_skopeo_and_umoci_of_what_was_pushed(pushed, tmp_path):
    assert json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{pushed}"))["Digest"] == our_digest()
    skopeo("copy", "--insecure-policy", "--src-tls-verify=false", f"docker://{pushed}", f"oci:{tmp_path}/layout:x")
    same_tree_as_umocis(f"{tmp_path}/layout:x", tmp_path)


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_skopeo_and_umoci_of_what_was_exported(exported, tmp_path, form):
    """docker-archive: is what `docker load` reads."""
    assert json.loads(skopeo("inspect", f"{form}:{exported}"))["Os"] == "linux"
    skopeo("copy", "--insecure-policy", f"{form}:{exported}", f"oci:{tmp_path}/layout:x")
    same_tree_as_umocis(f"{tmp_path}/layout:x", tmp_path)


@no_podman
def test_podman(pushed, exported):
    with peers.Podman() as podman:
        podman("pull", "-q", "--tls-verify=false", pushed)
        assert podman("image", "inspect", "--format", "{{.Digest}}", pushed).strip() == our_digest()
        podman("rmi", "-f", pushed)
        assert BUSYBOX in podman("load", "-q", "-i", exported)
        run = ["run", "--rm", "--network", "none", "--cgroupns", "private", "--security-opt", "seccomp=unconfined"]
        run += ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]  # raising them may be forbidden
        assert podman(*run, BUSYBOX, "echo", "podman reads it") == "podman reads it\n"
        podman("rmi", "-f", BUSYBOX)


@no_containerd
def test_ctr(pushed, exported, tmp_path):
    with peers.Containerd(tmp_path / "containerd") as theirs:
        theirs.ctr("images", "pull", "--plain-http", pushed)
        assert our_digest() in theirs.ctr("images", "ls")
        theirs.ctr("images", "rm", "--sync", pushed)
        theirs.ctr("images", "import", exported)
        assert our_digest() in theirs.ctr("images", "ls", f"name=={BUSYBOX}")
        assert theirs.ctr("run", "--rm", BUSYBOX, "x", "echo", "ctr reads it") == "ctr reads it\n"
        # And what it exports is read here, as the image it is.
        theirs.ctr("images", "export", tmp_path / "theirs.tar", BUSYBOX)
        before = our_digest()
        coracle("images", "import", tmp_path / "theirs.tar")
        assert our_digest() == before


@no_docker
def test_docker(exported, tmp_path):
    with peers.Docker(tmp_path / "docker") as docker:
        assert "busybox:latest" in docker("load", "-i", exported)
        digest = docker("image", "inspect", "--format", "{{.Id}}", "busybox").strip().partition(":")[2]
    with tarfile.open(exported) as archive:
        assert json.load(archive.extractfile("manifest.json"))[0]["Config"].endswith(digest)


# --- Debian's docker-registry, with all it has ----------------------------------------------------

def same_tree_as_umocis_of(ref, tmp_path, *flags):
    skopeo("copy", "--insecure-policy", "--src-tls-verify=false", *flags, f"docker://{ref}", f"oci:{tmp_path}/layout:x")
    subprocess.run(["umoci", "unpack", "--image", f"{tmp_path}/layout:x", tmp_path / "bundle"], check=True,
                   capture_output=True)
    with mounted(ref, tmp_path / "m") as root:
        assert not tree_differences(describe_tree(tmp_path / "bundle/rootfs"), describe_tree(root))


def test_debian_over_https_with_a_password(tmp_path, cache):
    """debootstrap's image with a second layer: file by file as umoci unpacks it."""
    if not (cache / "debian-oci.tar").exists():
        pytest.skip("no .cache/debian-oci.tar: test/fixtures/make")
    (tmp_path / "tls").mkdir()
    tls = certificate(tmp_path / "tls")
    with docker_registry(tmp_path, tls=tls, htpasswd=("me", "x")) as host:
        ref = f"{host}/debian:12"
        skopeo_copy(f"oci-archive:{cache}/debian-oci.tar", f"docker://{ref}", "--dest-creds", "me:x")
        coracle("images", "pull", "--tlscacert", tls[0], "--user", "me:x", ref)
        try:
            same_tree_as_umocis_of(ref, tmp_path, "--src-creds", "me:x")
            assert "bookworm" in coracle("run", "--rm", ref, "d", "cat", "/etc/os-release").out
        finally:
            coracle("images", "rm", ref)


def test_tokens_of_a_real_registry(tmp_path, busybox):
    """Signed tokens: for a push both ways, for a mount of the other repository, too, for anybody to pull."""
    (tmp_path / "tls").mkdir()
    tls = certificate(tmp_path / "tls")
    with TokenIssuer(tls, ("me", "x"), anonymous=["pull"]) as issuer, \
            docker_registry(tmp_path, tls=tls, token=issuer) as host:
        flags = ("--tlscacert", tls[0])
        said = coracle("images", "push", *flags, f"{host}/one:1", busybox, code=125).err
        assert "401 Unauthorized" in said
        coracle("images", "push", *flags, "--user", "me:x", f"{host}/one:1", busybox)
        coracle("images", "pull", *flags, f"{host}/one:1")
        try:
            coracle("images", "push", *flags, "--user", "me:x", f"{host}/two:1", f"{host}/one:1")
            scopes = [{(a["name"], *a["actions"]) for a in access} for access in issuer.given]
            assert any(("one", "pull") in scope and any(s[0] == "two" and "push" in s for s in scope)
                       for scope in scopes), scopes
            log = (tmp_path / "registry.log").read_text()
            assert "mount=sha256" in log
            coracle("run", "--rm", f"{host}/one:1", "x", "true")
        finally:
            coracle("images", "rm", f"{host}/one:1")
        said = coracle("images", "pull", *flags, "--user", "me:wrong", f"{host}/one:1", code=125).err
        assert "status 401" in said


def large_image(n_layers, total):
    """Files of this machine's /usr, `total` bytes of them, in so many layers."""
    rest, files = total, []
    for folder, _, names in os.walk("/usr/lib"):
        for name in sorted(names):
            path = os.path.join(folder, name)
            if rest > 0 and os.path.isfile(path) and not os.path.islink(path):
                rest -= os.path.getsize(path)
                files.append(path)
    share = -(-len(files) // n_layers)
    layers = []
    for i in range(n_layers):
        part = files[i * share:(i + 1) * share]
        # Of folders that no layer names, each engine has its own idea of the time.
        folders = {f"{parent}/" for path in part for parent in list(Path(path[1:]).parents)[:-1]}
        layers.append(layer(*map(entry, sorted(folders)), *(entry(path[1:], Path(path).read_bytes()) for path in part)))
    return Image(*layers, name="docker.io/library/large:1")  # skopeo packs them


@pytest.mark.parametrize("n_layers", [1, 8])
def test_large(tmp_path, n_layers):
    """250 MB in one layer and in eight."""
    if not os.environ.get("CORACLE_SOAK"):
        pytest.skip("takes a minute: CORACLE_SOAK=1")
    large_image(n_layers, 250_000_000).oci(tmp_path / "large.tar")
    with docker_registry(tmp_path) as host:
        ref = f"{host}/large:1"
        skopeo_copy(f"oci-archive:{tmp_path}/large.tar", f"docker://{ref}")
        coracle("images", "pull", ref)
        try:
            same_tree_as_umocis_of(ref, tmp_path)
        finally:
            coracle("images", "rm", ref)
