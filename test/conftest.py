# SPDX-License-Identifier: Apache-2.0
"""Every pytest test runs as root in namespaces of the session (harness/sandbox.py), against the
program of the build folder $CORACLE_BUILD (default build-debug), installed there. After each test
everything that could leak is as before, or the test fails."""
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from harness import cli, counts, images, sandbox

TOP = Path(__file__).resolve().parents[1]
BUILD = os.environ.get("CORACLE_BUILD", str(TOP / "build-debug"))
SOAK = bool(os.environ.get("CORACLE_SOAK"))


def pytest_configure(config):
    if os.geteuid() != 0:
        pytest.exit("these tests make namespaces and mounts: run them as root", 2)
    if not Path(BUILD, "build.ninja").is_file():
        pytest.exit(f"{BUILD} is no build folder: meson setup {BUILD} && ninja -C {BUILD}", 2)
    # A shell starts background jobs with SIGINT ignored, which commands would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    images.make_cached(TOP / ".cache")  # needs the host's network and file systems
    sandbox.enter(BUILD)


@pytest.fixture(scope="session")
def soak():
    """Chooses between a quick and a long number of rounds."""
    return lambda quick, long: long if SOAK else quick


@pytest.fixture(scope="session")
def cache():
    return TOP / ".cache"


@pytest.fixture(scope="session")
def busybox(cache):
    """The name of the busybox image; imported once."""
    cli.coracle("images", "import", cache / "busybox.tar")
    return "busybox"


@pytest.fixture(scope="session")
def warm(busybox, network):
    """After the first container with a network: bridge, tables and folders exist."""
    cli.coracle("run", "--rm", "--cni", busybox, "warm", "true")
    # Its own interface dies late, and so may what cleans behind the answer.
    counts.until(lambda now: now["interfaces"] == ["lo"] and not now["processes"] and not now["trash"])


NAT = """{"cniVersion": "1.0.0", "name": "test", "plugins": [
  {"type": "bridge", "bridge": "test0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.123.0.0/16"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
"""


@pytest.fixture(scope="session")
def network():
    """The usual configuration; a test that wants another uses `net_d`."""
    folder = Path("/etc/cni/net.d")
    folder.mkdir(exist_ok=True)
    (folder / "50-test.conflist").write_text(NAT)
    return folder


@pytest.fixture
def net_d(network, tmp_path):
    """An empty /etc/cni/net.d for one test."""
    aside = tmp_path / "net.d"
    shutil.copytree(network, aside)
    for file in network.iterdir():
        file.unlink()
    yield network
    for file in network.iterdir():
        file.unlink()
    shutil.copytree(aside, network, dirs_exist_ok=True)


@pytest.fixture(autouse=True)
def nothing_left(request):
    """The promise: what ended leaves nothing."""
    before = counts.take()
    yield
    if not request.node.get_closest_marker("keeps"):
        counts.assert_back(before)


@pytest.fixture
def no_uplink():
    """Nothing: the session's network namespace has `lo` only. Named where a test relies on it."""
    routes = subprocess.run(["ip", "route", "show", "default"], capture_output=True, text=True)
    assert routes.stdout == ""
