# SPDX-License-Identifier: Apache-2.0
"""What we push and export, read by the others: skopeo, umoci, podman, containerd's ctr, docker."""
import json
import subprocess

import pytest

from harness import peers
from harness.cli import coracle, ctr
from harness.images import describe_tree, mounted, tree_differences
from harness.registry import docker_registry, needs

missing = needs("docker-registry", "skopeo", "umoci")
pytestmark = pytest.mark.skipif(missing, reason=f"needs {' '.join(missing)}")
no_containerd = pytest.mark.skipif(bool(peers.why_no_containerd()), reason=f"{peers.why_no_containerd()}")
no_docker = pytest.mark.skipif(bool(peers.why_no_docker()), reason=f"{peers.why_no_docker()}")
no_podman = pytest.mark.skipif(needs("podman"), reason="no podman here")
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
def test_docker_load(exported):
    done = subprocess.run(["docker", "load", "-i", exported], capture_output=True, text=True, check=True)
    assert "busybox:latest" in done.stdout
