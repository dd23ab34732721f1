# SPDX-License-Identifier: Apache-2.0
"""Networks by CNI configurations, with the plugins that are built in."""
import ipaddress
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from harness.cli import coracle, ctr, start

TOP = Path(__file__).resolve().parents[2]
WALK = TOP / "test/fixtures/walk/0-containerd-nat.conf"


def address(out):
    return re.search(r"inet (\d+\.\d+\.\d+\.\d+)/(\d+)", out)


@pytest.fixture
def uplink():
    """A second machine behind a default route: 1.1.1.1 in a network namespace of its own."""
    def ip(*args, ns=None):
        subprocess.run(["ip", *(["-n", ns] if ns else []), *args], check=True)
    ip("netns", "add", "outside")
    ip("link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", "outside")
    ip("addr", "add", "192.0.2.1/24", "dev", "up0")
    ip("link", "set", "up0", "up")
    ip("addr", "add", "192.0.2.2/24", "dev", "eth0", ns="outside")
    ip("addr", "add", "1.1.1.1/32", "dev", "lo", ns="outside")
    ip("link", "set", "lo", "up", ns="outside")
    ip("link", "set", "eth0", "up", ns="outside")
    ip("route", "add", "default", "via", "192.0.2.2", "dev", "up0")
    yield "up0"
    ip("route", "del", "default")
    ip("link", "del", "up0")
    ip("netns", "del", "outside")


@pytest.mark.quick
def test_address_and_gateway_without_an_uplink(busybox, warm, no_uplink):
    done = coracle("run", "--rm", "--cni", busybox, "t", "sh", "-c",
                   "ip addr show eth0; ping -c 3 -i 0.2 10.123.0.1")
    assert ipaddress.ip_address(address(done.out)[1]) in ipaddress.ip_network("10.123.0.0/16")
    assert "3 packets received, 0% packet loss" in done.out


def test_the_first_packet_gets_through(busybox, warm, soak):
    for _ in range(soak(10, 200)):
        out = coracle("run", "--rm", "--cni", busybox, "t", "ping", "-c", "1", "-W", "5", "10.123.0.1").out
        assert "1 packets received" in out


def test_only_loopback_without_cni(busybox):
    out = coracle("run", "--rm", busybox, "t", "ip", "-o", "addr").out
    assert [line.split()[1] for line in out.splitlines() if "inet " in line] == ["lo"]


def test_two_containers_talk(busybox, warm):
    with start("coracle", "run", "--rm", "--cni", busybox, "server", "sh", "-c",
               "ip -4 -o addr show eth0; echo hello > /tmp/index.html; httpd -f -p 80 -h /tmp") as server:
        ip = address(server.stdout.readline().decode())[1]
        out = coracle("run", "--rm", "--cni", busybox, "client", "sh", "-c",
                      f"for i in 1 2 3 4 5 6 7 8 9; do wget -q -O - http://{ip}/ && exit; sleep 0.2; done").out
        assert out == "hello\n"
        ctr("tasks", "kill", "-s", "KILL", "server")
        server.wait(60)


def test_masquerade(busybox, warm, uplink):
    out = coracle("run", "--rm", "--cni", busybox, "t", "ping", "-c", "3", "-i", "0.2", "1.1.1.1").out
    assert "3 packets received, 0% packet loss" in out


@pytest.mark.quick
def test_the_walks_file_unchanged(busybox, net_d, uplink):
    (net_d / WALK.name).write_bytes(WALK.read_bytes())
    done = coracle("run", "--rm", "--cni", busybox, "t", "sh", "-c",
                   "ip addr show eth0; ip route; ping -c 3 -i 0.2 172.20.0.1; ping -c 3 -i 0.2 1.1.1.1")
    assert ipaddress.ip_address(address(done.out)[1]) in ipaddress.ip_network("172.20.0.0/16")
    assert "default via 172.20.0.1" in done.out
    assert done.out.count("3 packets received, 0% packet loss") == 2
    assert "Ethernet" in done.err  # the note: that link isn't here, the default route serves


def test_no_configuration(busybox, net_d):
    text = "no network config found in /etc/cni/net.d: cni plugin not initialized"
    said = ctr("run", "--rm", "--cni", "docker.io/library/busybox:latest", "t", "true", code=1).err
    assert said.splitlines()[0] == f"ctr: {text}"
    said = coracle("run", "--rm", "--cni", busybox, "t", "true", code=125).err.splitlines()
    assert said[0] == f"coracle: {text}" and said[1].startswith("hint: ")


@pytest.mark.parametrize("name, content, text", [
    ("1-broken.conf", "{", "failed to load CNI config file /etc/cni/net.d/1-broken.conf: "),
    ("1-unknown.conf", '{"cniVersion":"0.4.0","name":"bad","type":"nosuch"}',
     'plugin type="nosuch" name="bad" failed (add): failed to find plugin "nosuch" in path'),
])
def test_broken_configurations(busybox, net_d, name, content, text):
    (net_d / name).write_text(content)
    said = ctr("run", "--rm", "--cni", "docker.io/library/busybox:latest", "t", "true", code=1).err
    assert text in said


def test_addresses_used_up(busybox, net_d):
    (net_d / "10-small.conflist").write_text(json.dumps({
        "cniVersion": "1.0.0", "name": "small", "plugins": [{
            "type": "bridge", "bridge": "small0", "isGateway": True,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.124.0.0/30"}]]}}]}))
    with start("coracle", "run", "--rm", "--cni", busybox, "one", "sh", "-c", "echo up; exec sleep 1000") as p:
        assert p.stdout.readline() == b"up\n"
        said = coracle("run", "--rm", "--cni", busybox, "two", "true", code=125).err
        assert "no IP addresses available in range set" in said
        ctr("t", "kill", "-s", "KILL", "one")
        p.wait(60)


def test_net_host_and_cni_refuse_each_other(busybox, warm):
    coracle("run", "--rm", "--cni", "--net-host", busybox, "t", "true", code=None)
    said = coracle("run", "--rm", "--cni", "--net-host", busybox, "t", "true", code=None)
    assert said.code != 0 and "--net-host" in said.err


def test_names_are_resolved_by_the_hosts_servers(busybox, warm):
    original = Path("/etc/resolv.conf").read_text()
    try:
        os.path.islink("/etc/resolv.conf") and os.unlink("/etc/resolv.conf")
        Path("/etc/resolv.conf").write_text("nameserver 192.0.2.53\nsearch example.org\n")
        out = coracle("run", "--rm", "--cni", busybox, "t", "cat", "/etc/resolv.conf", "/etc/hosts").out
        assert "nameserver 192.0.2.53" in out and "localhost" in out
        # systemd-resolved's stub listens on the host's loopback: its real servers go in.
        Path("/etc/resolv.conf").write_text("nameserver 127.0.0.53\n")
        os.makedirs("/run/systemd/resolve", exist_ok=True)
        Path("/run/systemd/resolve/resolv.conf").write_text("nameserver 192.0.2.54\n")
        out = coracle("run", "--rm", "--cni", busybox, "t", "cat", "/etc/resolv.conf").out
        assert "nameserver 192.0.2.54" in out and "127.0.0.53" not in out
    finally:
        Path("/etc/resolv.conf").write_text(original)


def test_forward_policy_drop_is_passed_or_named(busybox, warm, uplink):
    """As docker and ufw leave it."""
    subprocess.run(["nft", "-f", "-"], check=True, text=True, input="""
        table ip filter {
            chain FORWARD {
                type filter hook forward priority 0; policy drop;
            }
        }
        """)
    try:
        done = coracle("run", "--rm", "--cni", busybox, "t", "ping", "-c", "1", "-W", "2", "1.1.1.1", code=None)
        assert done.code == 0 or "FORWARD" in done.err
    finally:
        subprocess.run(["nft", "delete", "table", "ip", "filter"], check=True)


def test_spec_with_a_network(busybox, warm, tmp_path):
    spec = coracle("spec", "--cni", busybox, "t", "ip", "-4", "-o", "addr", "show", "eth0").out
    (tmp_path / "config.json").write_text(spec)
    out = coracle("run", "--rm", "--config", tmp_path / "config.json", "t").out
    assert address(out)


def test_killed_from_outside_the_address_is_free(busybox, warm):
    with start("coracle", "run", "--rm", "--cni", busybox, "t", "sh", "-c", "echo up; exec sleep 1000") as p:
        assert p.stdout.readline() == b"up\n"
        p.kill()
        p.wait(60)
    ctr("t", "kill", "-s", "KILL", "t")
