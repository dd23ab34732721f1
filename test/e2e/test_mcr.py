# SPDX-License-Identifier: Apache-2.0
"""Microsoft's registry by its name, which a hosts.toml leads to one on loopback; the image there is our
own base in their format."""
from pathlib import Path

import pytest

from harness.cli import coracle, ctr
from harness.registry import docker_registry, needs
from test_windows_walk import needs_wine

NAME = "mcr.microsoft.com/windows/nanoserver:ltsc2022"
missing = needs("docker-registry")
pytestmark = pytest.mark.skipif(missing, reason=f"needs {' '.join(missing)}")


@pytest.fixture
def registry(tmp_path):
    """Has the base under Microsoft's name; nothing of it is here."""
    folder = Path("/etc/coracle/certs.d/mcr.microsoft.com")
    with docker_registry(tmp_path) as host:
        coracle("images", "create-windows-base", "base")
        coracle("images", "push", f"{host}/windows/nanoserver:ltsc2022", "base")
        coracle("images", "rm", "base")
        folder.mkdir(parents=True)
        (folder / "hosts.toml").write_text(f'server = "http://{host}"\n')
        try:
            yield tmp_path / "registry.log"
        finally:
            (folder / "hosts.toml").unlink()
            for path in (folder, folder.parent, folder.parent.parent):
                path.rmdir()


@needs_wine
def test_ipconfig(registry, warm):
    """The walk's last line, from a registry: as coracle it is pulled by itself."""
    done = coracle("run", "--rm", "--cni", NAME, "x", "ipconfig")
    assert done.out.startswith("\r\nWindows IP Configuration\r\n") and "IPv4 Address" in done.out
    assert "/v2/windows/nanoserver/manifests/" in registry.read_text()
    assert ctr("images", "ls", "-q", f"name=={NAME}").out == NAME + "\n"
    assert ctr("run", "--rm", NAME, "x", "ipconfig").out.startswith("\r\nWindows IP Configuration\r\n")
    coracle("images", "rm", NAME)


@needs_wine
def test_as_ctr(registry):
    """ctr doesn't pull by itself."""
    assert ctr("run", "--rm", NAME, "x", "ipconfig", code=1).err.startswith(f'ctr: image "{NAME}": not found')
    ctr("images", "pull", NAME)
    row = ctr("images", "ls", f"name=={NAME}").out.splitlines()[1].split()
    assert row[0] == NAME and row[-2].startswith("windows(10.0.")
    assert ctr("run", "--rm", NAME, "x", "cmd", "/c", "echo here").out == "here\r\n"
    coracle("images", "rm", NAME)
