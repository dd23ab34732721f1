# SPDX-License-Identifier: Apache-2.0
"""The walk: containerd's first steps with a network, as people type them with ctr, on Linux."""
import json
import re
import subprocess
from pathlib import Path

from harness.cli import ctr, start
from test_network import WALK, address, uplink  # noqa: F401  (a fixture)

IMAGE = "docker.io/library/busybox:latest"


def test_step_by_step(busybox, net_d, uplink, tmp_path):  # noqa: F811
    # Without --cni there is no network but the loopback.
    out = ctr("run", "--rm", IMAGE, "my-container", "ip", "addr").out
    assert "eth0" not in out and "lo" in out

    # --net-host is Linux's to give.
    assert "up0" in ctr("run", "--rm", "--net-host", IMAGE, "my-container", "ip", "addr").out

    # --cni without a configuration.
    said = ctr("run", "--rm", "--cni", IMAGE, "my-container", "ip", "addr", code=1).err
    assert said.splitlines()[0] == "ctr: no network config found in /etc/cni/net.d: cni plugin not initialized"

    # The file of the walk, copied in as it is.
    (net_d / WALK.name).write_bytes(WALK.read_bytes())
    out = ctr("run", "--rm", "--cni", IMAGE, "my-container", "sh", "-c",
              "ip addr show eth0; ping -c 4 -i 0.2 172.20.0.1; ping -c 4 -i 0.2 1.1.1.1").out
    assert address(out)[0].startswith("inet 172.20.")
    assert out.count("4 packets received, 0% packet loss") == 2

    # Snapshots.
    rows = ctr("snapshot", "ls").out.splitlines()
    assert rows[0].split() == ["KEY", "PARENT", "KIND"]
    chain = next(row.split()[0] for row in rows if row.rstrip().endswith("Committed"))
    mounts = json.loads(ctr("snapshot", "prepare", "--mounts", "walk", chain).out)
    assert mounts[0]["Type"] == "overlay" and mounts[0]["Target"] == ""
    keys = [option.split("=")[0] for option in mounts[0]["Options"]]
    assert keys == ["workdir", "upperdir", "lowerdir", "index"] or keys[:3] == ["workdir", "upperdir", "lowerdir"]
    assert any(row.split() == ["walk", chain, "Active"] for row in ctr("snapshot", "ls").out.splitlines())
    ctr("snapshot", "rm", "walk")

    # A spec of one's own, without and with a network.
    spec = json.loads(subprocess.run(
        ["coracle", "spec", "busybox", "my-container", "ip", "addr"], capture_output=True, check=True).stdout)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(spec))
    out = ctr("run", "--rm", "--config", config, "my-container").out
    assert "eth0" not in out and "lo" in out
    out = ctr("run", "--rm", "--cni", "--config", config, "my-container").out
    assert "172.20." in out  # never "required env variables [CNI_NETNS] missing"

    # Where the walk finds the namespace: a container that waits, and its record.
    with start("ctr", "run", "--rm", "--cni", IMAGE, "waiting", "sh", "-c", "echo up; exec sleep 1000") as p:
        assert p.stdout.readline() == b"up\n"
        info = json.loads(ctr("c", "info", "waiting").out)
        kinds = {n["type"]: n.get("path", "") for n in info["Spec"]["linux"]["namespaces"]}
        assert re.fullmatch(r"(/run/netns/cni-[0-9a-f-]{36})?", kinds["network"])
        ctr("t", "kill", "-s", "KILL", "waiting")
        p.wait(60)


def test_the_walks_file_is_the_walks_file():
    import hashlib
    assert hashlib.sha256(Path(WALK).read_bytes()).hexdigest() == \
        "b8eda18a84881565f78c065b4f667a5f447fe3c5d6c1ca3d6fa8f24b23b9074d"
