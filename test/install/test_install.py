# SPDX-License-Identifier: Apache-2.0
"""install.sh, on a machine of its own: twice, interrupted, beside other networks, and away again."""
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness import sandbox
from harness.cli import environment, run

TOP = Path(__file__).resolve().parents[2]
NET_D = Path("/etc/cni/net.d")
OURS = NET_D / "50-coracle-nat.conflist"


def install(*args, **how):
    return run(TOP / "install.sh", "--no-deps", *args, timeout=900, **how)


def picture(*folders):
    """Every file below the folders, with its content."""
    found = {}
    for folder in folders:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_symlink():
                found[str(path)] = os.readlink(path)
            elif path.is_file():
                found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.fixture(autouse=True)
def fresh_machine():
    """Whatever a test installs or downloads goes again; the image of the demonstration too."""
    subprocess.run("rm -rf /usr/local/bin/* /usr/local/libexec/coracle /usr/local/share/coracle",
                   shell=True, check=True)
    another = shutil.which("ctr")
    if another:  # of a containerd on this machine: here nobody can execute it
        sandbox.mount("/dev/null", another, None, sandbox.MS_BIND)
    yield
    if Path("/usr/local/bin/coracle").exists():
        run("coracle", "images", "rm", "busybox", code=None)
        run("coracle", "gc")  # of demonstrations that were killed
        run(TOP / "install.sh", "--uninstall")
    subprocess.run(f"rm -rf {NET_D}/* /var/lib/cni/*", shell=True, check=True)
    subprocess.run(["ip", "link", "del", "other0"], capture_output=True)
    if another:
        subprocess.run(["umount", another], check=True)


@pytest.fixture
def elsewhere(tmp_path):
    prefix = tmp_path / "prefix"
    yield prefix
    if (prefix / "bin/coracle").exists():
        run(prefix / "bin/coracle", "images", "rm", "busybox", code=None)


def assert_demonstration(out):
    assert re.search(r"^address: 10\.\d+\.\d+\.\d+/16$", out, re.M), out
    assert re.search(r"^PING 10\.\d+\.0\.1 ", out, re.M), out
    assert "3 packets received, 0% packet loss" in out
    assert "What to type next" in out


def test_one_command(no_uplink):
    out = install().out
    assert_demonstration(out)
    assert OURS.is_file() and os.readlink("/usr/local/bin/ctr") == "coracle"
    # What the last lines say works.
    for line in re.findall(r"^  (coracle run .*?)(?:   .*)?$", out, re.M):
        assert "eth0" in run("sh", "-c", line).out
    assert "docker.io/library/busybox:latest" in run("ctr", "images", "ls", "-q").out


def test_twice_ends_in_the_same_state(no_uplink):
    install()
    before = picture("/usr/local", NET_D)
    assert_demonstration(install().out)
    assert picture("/usr/local", NET_D) == before


def test_interrupted_at_any_moment(no_uplink, soak):
    install()
    wanted = picture("/usr/local", NET_D)
    run(TOP / "install.sh", "--uninstall")
    rounds = soak(8, 60)
    began = time.monotonic()
    install()
    whole = time.monotonic() - began
    run(TOP / "install.sh", "--uninstall")
    for i in range(rounds):
        process = subprocess.Popen([TOP / "install.sh", "--no-deps"], env=environment(), start_new_session=True,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(whole * i / rounds)  # not to wait for anything: the moment is what is tried
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
        if i % 2:
            install()
            assert picture("/usr/local", NET_D) == wanted
        if Path("/usr/local/share/coracle/manifest").exists():
            run(TOP / "install.sh", "--uninstall")
        assert picture("/usr/local/bin", "/usr/local/libexec", "/usr/local/share/coracle", NET_D) == {}
    install()
    assert picture("/usr/local", NET_D) == wanted


def test_uninstall_leaves_what_is_not_ours(no_uplink):
    install()
    OURS.write_text(OURS.read_text().replace('"hairpinMode": true', '"hairpinMode": false'))
    Path("/usr/local/bin/mine").touch()
    run("coracle", "images", "rm", "busybox")
    out = run(TOP / "install.sh", "--uninstall").out
    assert "/var/lib/coracle" in out
    assert OURS.exists() and Path("/usr/local/bin/mine").exists()
    assert not Path("/usr/local/bin/coracle").exists() and not os.path.lexists("/usr/local/bin/ctr")
    Path("/usr/local/bin/mine").unlink()


def test_another_network_that_works(no_uplink):
    NET_D.mkdir(parents=True, exist_ok=True)
    other = NET_D / "10-other.conflist"
    other.write_text('{"cniVersion":"1.0.0","name":"other","plugins":[{"type":"bridge","bridge":"other0",'
                     '"isGateway":true,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.99.0.0/16"}]],'
                     '"routes":[{"dst":"0.0.0.0/0"}]}}]}')
    out = install().out
    assert "address: 10.99." in out and os.listdir(NET_D) == ["10-other.conflist"]


def test_another_network_that_does_not_work(no_uplink):
    NET_D.mkdir(parents=True, exist_ok=True)
    (NET_D / "0-other.conf").write_text('{"cniVersion":"0.4.0","name":"x","type":"calico"}')
    out = install().out
    assert_demonstration(out)
    assert os.listdir(NET_D) == ["0-other.conf"]
    last = out.splitlines()[-6:]
    assert any("/etc/cni/net.d/0-other.conf can't be used here: " in line and "calico" in line for line in last)
    command = last[-1].strip()
    assert command.startswith("cp /usr/local/share/coracle/net.d/50-coracle-nat.conflist ")
    run("sh", "-c", command)
    assert "eth0" in run("coracle", "run", "--rm", "--cni", "busybox", "t", "ip", "addr").out
    run("coracle", "images", "rm", "busybox")
    run(TOP / "install.sh", "--uninstall")
    assert os.listdir(NET_D) == ["0-other.conf"]


def test_another_ctr(tmp_path, no_uplink):
    other = tmp_path / "bin"
    other.mkdir()
    (other / "ctr").write_text("#!/bin/sh\n")
    (other / "ctr").chmod(0o755)
    path = {"PATH": f"{other}:{environment()['PATH']}"}
    out = install(env=path).out
    assert "there is another ctr" in out and not os.path.lexists("/usr/local/bin/ctr")
    out = install("--ctr", env=path).out
    assert os.readlink("/usr/local/bin/ctr") == "coracle" and str(other) in out


def test_a_subnet_in_use_is_avoided(no_uplink):
    subprocess.run("ip link add d0 type veth peer name d1 && ip addr add 10.88.7.1/24 dev d0 && ip link set d0 up",
                   shell=True, check=True)
    try:
        assert "address: 10.89." in install().out
    finally:
        subprocess.run(["ip", "link", "del", "d0"], check=True)


@pytest.mark.parametrize("args, text", [
    (["--nosuch"], "install.sh: unknown argument --nosuch"), (["--prefix"], "install.sh: --prefix needs a folder"),
    (["--uninstall", "--prefix", "/nosuch"], "install.sh: nothing is installed under /nosuch"),
])
def test_wrong_use(args, text):
    done = run(TOP / "install.sh", *args, code=1)
    assert done.err.startswith(text)


def test_without_root():
    done = run("setpriv", "--reuid", "1000", "--clear-groups", TOP / "install.sh", code=None)
    assert done.code != 0 and ("needs root" in done.err or "Permission denied" in done.err)


def test_the_bridge_keeps_its_subnet(no_uplink):
    """Whatever removed the configuration left the bridge: its subnet is taken again."""
    subprocess.run("ip link add coracle0 type bridge && ip addr add 10.90.0.1/16 dev coracle0 && "
                   "ip link set coracle0 up", shell=True, check=True)
    assert "address: 10.90." in install().out


def test_wrong_distribution():
    original = Path("/etc/os-release").read_text()
    path = Path(os.path.realpath("/etc/os-release"))
    release = Path("/etc/os-release")
    release.unlink()
    release.write_text('ID=fedora\nVERSION_ID=40\nPRETTY_NAME="Fedora 40"\n')
    try:
        done = run(TOP / "install.sh", code=1)
        assert "this is Fedora 40, not Debian 12" in done.err and "--no-deps" in done.err
    finally:
        release.write_text(original)
        assert path.exists()


def test_help():
    assert "--uninstall" in run(TOP / "install.sh", "--help").out


# Last: another prefix is another build.
def test_own_prefix(elsewhere, no_uplink):
    out = install("--prefix", elsewhere).out
    assert_demonstration(out)
    assert f"{elsewhere}/bin/coracle run" in out
    assert not Path("/usr/local/bin/coracle").exists()
    run(elsewhere / "bin/coracle", "images", "rm", "busybox")
    run(TOP / "install.sh", "--uninstall", "--prefix", elsewhere)
    assert picture(elsewhere) == {} and not OURS.exists()
    assert "coracle0" not in run("ip", "-o", "link").out
