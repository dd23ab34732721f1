# SPDX-License-Identifier: Apache-2.0
"""The walk as it was written: Windows images, with Wine as their userland (test/fixtures/walk)."""
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import cli, sandbox, windows
from harness.registry import Registry
from test_network import WALK, uplink  # noqa: F401  (a fixture)

IMAGE = "mcr.microsoft.com/windows/nanoserver:ltsc2022"
FOLDER = WALK.parent
GUID = "5f7d467c-3011-48bc-9337-ce78cf399345"
needs_wine = pytest.mark.skipif(
    not (Path("/usr/lib/wine/wine64").exists() and shutil.which("x86_64-w64-mingw32-gcc")),
    reason="Wine or mingw is missing: apt-get install --no-install-recommends wine64 gcc-mingw-w64-x86-64")

PING = r"""
Pinging 1.1.1.1 with 32 bytes of data:
(Reply from 1.1.1.1: bytes=32 time(=\d+|<1)ms TTL=\d+\n){4}
Ping statistics for 1.1.1.1:
    Packets: Sent = 4, Received = 4, Lost = 0 \(0% loss\),
Approximate round trip times in milli-seconds:
    Minimum = \d+ms, Maximum = \d+ms, Average = \d+ms
"""
TITLE = "\nWindows IP Configuration\n\n"
NO_NETWORK = TITLE + "\nPinging 1.1.1.1 with 32 bytes of data:\n" + "PING: transmit failed. General failure.\n" * 4


def matches(pattern, text):
    assert re.fullmatch(pattern, text), f"wanted:\n{pattern}\ngot:\n{text}"


class Store:
    """A store of its own, so that numbers of snapshots begin with 1."""

    def __init__(self, folder):
        self.flags = ("--root", folder / "root", "--state", folder / "state")

    def ctr(self, *args, **how):
        result = cli.ctr(*self.flags, *args, **how)
        result.raw, result.out = result.out, result.out.replace("\r\n", "\n")
        return result

    def start(self, *args, **how):
        return cli.start("ctr", *self.flags, *args, **how)


@pytest.fixture
def walk():
    """The walk's image in a fresh store. Its base layer is snapshot 1."""
    folder = sandbox.STORE / "walk"  # an overlay's upper layer can't lie everywhere
    store = Store(folder)
    store.ctr("images", "create-windows-base", IMAGE)
    yield store
    while folder.exists():  # the last command's trash is deleted behind its answer
        subprocess.run(["rm", "-rf", folder], check=False)


TRANSCRIPT = FOLDER / "transcript.txt"
PLACES = {"<IP>": r"172\.20\.\d+\.\d+", "=<T>ms TTL": r"(?:=\d+|<1)ms TTL", "<T>": r"\d+", "<TTL>": r"\d+",
          " <SUFFIX>": "(?: .*)?", "<DIGEST>": "sha256:[0-9a-f]{64}", "<SNAP>": r"[\w/.-]+/snapshots/windows",
          "<TIME>": r"[\d:TZ-]+", "<GUID>": "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"}


@pytest.fixture
def registry_of_microsofts():
    """A hosts.toml sends mcr.microsoft.com to a registry on the loopback."""
    base = windows.WindowsImage(windows.base_layer(), name=IMAGE)
    with Registry(base, repository="windows/nanoserver", tag="ltsc2022") as registry:
        folder = Path("/etc/coracle/certs.d/mcr.microsoft.com")
        folder.mkdir(parents=True)
        (folder / "hosts.toml").write_text(f'server = "{registry.url}"\n')
        yield
        shutil.rmtree("/etc/coracle")


@needs_wine
def test_word_for_word(registry_of_microsofts, net_d, uplink, capsys):  # noqa: F811
    """The lines of the walk, as a script (test/e2e/walk)."""
    store = sandbox.STORE / "typed"
    store.mkdir()
    said = cli.run(Path(__file__).with_name("walk"), env={"WALK_STORE": str(store)}).out
    while store.exists():
        subprocess.run(["rm", "-rf", store], check=False)
    with capsys.disabled():
        if os.environ.get("WALK_SHOW"):
            print("\n" + said)
    # The link-local address stands only where the container has IPv6.
    got = [line.rstrip() for line in said.splitlines() if "Link-local IPv6" not in line]
    wanted = TRANSCRIPT.read_text().splitlines()
    for number, line in enumerate(wanted):
        pattern = re.escape(line)
        for place, expression in PLACES.items():
            pattern = pattern.replace(re.escape(place), expression)
        assert number < len(got) and re.fullmatch(pattern, got[number]), f"line {number + 1}, {line!r}, in\n{said}"
    assert len(got) == len(wanted), said


@needs_wine
def test_no_network(walk):
    done = walk.ctr("run", "--rm", IMAGE, "my-container", "ipconfig")
    assert done.out == TITLE
    assert done.raw == TITLE.replace("\n", "\r\n")
    assert done.err == ""


@needs_wine
def test_ping(walk, net_d, uplink):  # noqa: F811
    (net_d / WALK.name).write_bytes(WALK.read_bytes())
    matches(PING, walk.ctr("run", "--rm", "--cni", IMAGE, "my-container", "ping", "1.1.1.1").out)
    lost = walk.ctr("run", "--rm", "--cni", IMAGE, "my-container", "ping", "-n", "2", "-w", "200", "172.20.9.9",
                    code=1).out
    assert "Packets: Sent = 2, Received = 0, Lost = 2 (100% loss)" in lost


def prepare_fourteen(walk):
    """As the walk: the fourteenth snapshot on the base layer."""
    rows = walk.ctr("snapshot", "ls").out.splitlines()
    assert rows[0] == "KEY" + " " * 69 + "PARENT KIND      "
    digest, kind = rows[1].split()
    assert kind == "Committed" and re.fullmatch("sha256:[0-9a-f]{64}", digest)
    for number in range(2, 14):
        walk.ctr("snapshot", "prepare", f"spent-{number}", digest)
    return digest, json.loads(walk.ctr("snapshot", "prepare", "--mounts", "my-snapshot", digest).out)


def test_snapshots(walk):
    digest, mounts = prepare_fourteen(walk)
    folder = f"{walk.flags[1]}/snapshots/windows"
    assert mounts == [{"Type": "windows-layer", "Source": f"{folder}/14", "Target": "",
                       "Options": ["rw", f'parentLayerPaths=["{folder}/1"]']}]
    said = walk.ctr("snapshot", "prepare", "--mounts", "my-snapshot", digest, code=1).err
    assert said.splitlines()[0] == 'ctr: snapshot "my-snapshot": already exists'
    assert walk.ctr("snapshot", "info", "my-snapshot").out.count(digest) == 1
    assert f"{folder}/14" in walk.ctr("snapshot", "mounts", "/mnt", "my-snapshot").out
    walk.ctr("snapshot", "rm", "my-snapshot")
    assert "my-snapshot" not in walk.ctr("snapshot", "ls").out


@needs_wine
def test_own_spec_without_network(walk, tmp_path):
    prepare_fourteen(walk)
    config = FOLDER / "config-no-network.json"
    done = walk.ctr("run", "--rm", "--config", config, "my-container", code=1)
    assert done.out.startswith(NO_NETWORK)
    spec = json.loads(config.read_text())
    spec["process"]["args"] = ["cmd", "/c", "hostname & whoami & echo kept> c:\\kept.txt"]
    mine = tmp_path / "config.json"
    mine.write_text(json.dumps(spec))
    out = walk.ctr("run", "--rm", "--config", mine, "my-container").out
    assert out.lower() == "builder\nbuilder\\containeradministrator\n"
    assert (walk.flags[1] / "snapshots/windows/14/fs/Files/kept.txt").read_bytes() == b"kept\r\n"
    spec["windows"]["layerFolders"] = [f"{walk.flags[1]}/snapshots/windows/{n}" for n in (1, 14)]
    spec["process"]["args"] = ["cmd", "/c", "type c:\\kept.txt"]
    mine.write_text(json.dumps(spec))
    assert walk.ctr("run", "--rm", "--config", mine, "my-container").out == "kept\n"


@needs_wine
def test_where_the_guid_comes_from(walk, net_d, uplink):  # noqa: F811
    (net_d / WALK.name).write_bytes(WALK.read_bytes())
    with walk.start("run", "--rm", "--cni", IMAGE, "my-container", "cmd", "/c", "ping 1.1.1.1 && pause",
                    stdin=subprocess.PIPE) as waiting:
        out = b""
        while not re.search(rb"Press any key to continue ?\. ?\. ?\.", out):
            out += waiting.stdout.read1(4096)
        network = json.loads(walk.ctr("c", "info", "my-container").out)["Spec"]["windows"]["network"]
        assert network["allowUnqualifiedDNSQuery"] is True
        guid = network["networkNamespace"]
        assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", guid)
        assert Path(f"/run/netns/cni-{guid}").exists()
        rows = walk.ctr("netns", "ls").out.splitlines()
        assert rows[1].split()[:2] == [guid, "default-my-container_nat"]
        nat = json.loads(walk.ctr("network", "ls", "--format", "json").out)[0]
        assert (nat["name"], nat["type"], nat["subnet"], nat["gateway"]) == ("nat", "nat", "172.20.0.0/16", "172.20.0.1")
        assert [(e["name"], e["namespace"]) for e in nat["endpoints"]] == [("default-my-container_nat", guid)]
        waiting.communicate(b"x", timeout=60)
        assert waiting.returncode == 0
    matches(PING, out.decode().replace("\r\n", "\n").split("Press")[0])


@pytest.mark.parametrize("name, sha256", [
    ("0-containerd-nat.conf", "b8eda18a84881565f78c065b4f667a5f447fe3c5d6c1ca3d6fa8f24b23b9074d"),
    ("config-no-network.json", "5395a07472cda982252f04a67a7c4c559a01943e657553e99c7ed92d6eea60c6"),
    ("config-network.json", "50505fb7ecba8a4781e2c3a494d6f28d27ed98529608fb514878360b50c216df"),
])
def test_files_of_the_walk_are_unchanged(name, sha256):
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == sha256
