# SPDX-License-Identifier: Apache-2.0
"""-t: terminals held by the monitor; the outer one is as it was, whatever dies first."""
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios

import pytest

from harness.cli import coracle, ctr, environment, eventually
from harness.images import Image, busybox_layer, imported, layer, link
from harness.screen import Screen

REF = "docker.io/library/test:latest"


@pytest.fixture(autouse=True)
def no_container():
    yield
    for name in ctr("c", "ls", "-q").out.split():
        coracle("rm", "-f", name)


@pytest.mark.quick
def test_run(busybox):
    with Screen("coracle", "run", "--rm", "-t", busybox, "t", "sh", "-c",
                "tty; stty size; echo $TERM; ls -l /dev/console; exit 5", rows=33, columns=101) as s:
        assert s.end() == 5
        lines = s.seen.decode().split("\r\n")
        assert lines[0] == "/dev/pts/0" and lines[1] == "33 101" and lines[2] == "xterm"
        assert lines[3].startswith("crw--w----")
        assert s.is_restored()


def test_typing_resizing_and_ctrl_c(busybox):
    with Screen("coracle", "run", "--rm", "-it", busybox, "t", "sh") as s:
        s.type("echo a''b\n")
        s.wait_for("ab\r\n")
        s.resize(44, 55)
        os.kill(s.process.pid, signal.SIGWINCH)
        s.type("until stty size | grep -q '44 55'; do sleep 0.05; done; echo big''ger\n")
        s.wait_for("bigger\r\n")
        s.type("exit 7\n")
        assert s.end() == 7 and s.is_restored()
    with Screen("coracle", "run", "--rm", "-it", busybox, "t", "sh", "-c",
                "trap 'exit 6' INT; echo up; while :; do sleep 0.05; done") as s:
        s.wait_for("up")
        s.type("\x03")
        assert s.end() == 6 and s.is_restored()


@pytest.mark.quick
def test_detach_keys_and_attach(busybox):
    with Screen("coracle", "run", "--rm", "-it", busybox, "t", "sh") as s:
        s.type("X=kept\n")
        s.wait_for("kept\r\n.*# ")
        s.type("\x10\x11")
        assert s.end() == 0 and s.is_restored()
    with Screen("coracle", "attach", "--detach-keys", "ctrl-a", "t") as s:
        s.type("echo $X' still'\n")
        s.wait_for("kept still\r\n")
        with Screen("coracle", "attach", "t") as other:  # both see the same
            other.type("echo he''re\n")  # it is attached from here on
            other.wait_for("here\r\n")
            s.type("echo to''gether\n")
            other.wait_for("together\r\n")
            s.wait_for("together\r\n")
            other.type("\x10p\x10\x11")  # the first key alone is typed
            assert other.end() == 0
        s.type("\x01")
        assert s.end() == 0 and s.is_restored()
    with Screen("ctr", "t", "attach", "t") as s:
        s.type("\nexit 4\n")
        assert s.end() == 4
    eventually(lambda: ctr("c", "ls", "-q").out == "")


def test_what_it_said_is_in_the_log(busybox):
    coracle("run", "-d", "-t", busybox, "t", "sh", "-c", "tty; exit 0")
    eventually(lambda: "STOPPED" in ctr("t", "ls").out)
    assert coracle("logs", "t").out == "/dev/pts/0\r\n"
    coracle("rm", "t")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_death_of_the_command_restores_the_terminal(busybox, how):
    with Screen("coracle", "run", "--rm", "-it", busybox, "t", "sh") as s:
        s.wait_for("# ")
        assert not s.is_restored()
        os.kill(s.process.pid, how)
        s.process.wait(30)
        assert eventually(s.is_restored)
    assert re.search(r"^t +\d+ +RUNNING", ctr("t", "ls").out, re.M)
    coracle("rm", "-f", "t")


def test_death_of_the_monitor_restores_the_terminal(busybox):
    with Screen("coracle", "run", "--rm", "-it", busybox, "t", "sh") as s:
        s.wait_for("# ")
        pid = int(re.search(r"^t +(\d+)", ctr("t", "ls").out, re.M).group(1))
        parent = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
        os.kill(parent, 9)
        assert s.end() == 137 and s.is_restored()


def test_kill_of_the_container(busybox):
    with Screen("coracle", "run", "--rm", "-it", busybox, "t", "sh") as s:
        s.wait_for("# ")
        coracle("rm", "-f", "t")
        assert s.end() == 137 and s.is_restored()


def test_a_stopped_screen_stops_nobody(busybox):
    """Nobody reads the outer terminal, as after Ctrl-S."""
    for end in (["rm", "-f", "t"], None):
        with Screen("coracle", "run", "--rm", "-it", busybox, "t", "yes") as s:
            eventually(lambda: re.search(r"^t +\d+ +RUNNING", ctr("t", "ls").out, re.M))
            size = -1
            while size != (size := struct.unpack("i", fcntl.ioctl(s.master, termios.FIONREAD, b"1234"))[0]) or not size:
                select.select([], [], [], 0.1)
            if end:
                coracle(*end)
                assert s.process.wait(30) == 137
            else:
                s.process.terminate()
                assert s.process.wait(30) == 0
                coracle("rm", "-f", "t")
            assert s.is_restored()


@pytest.mark.quick
def test_exec(busybox):
    coracle("run", "-d", busybox, "web", "sleep", "1000")
    with Screen("coracle", "exec", "-it", "web", "sh", rows=30, columns=90) as s:
        s.type("tty; stty size\n")
        s.wait_for("/dev/pts/0\r\n30 90\r\n")
        s.type("exit 6\n")
        assert s.end() == 6 and s.is_restored()
    with Screen("ctr", "t", "exec", "--exec-id", "e1", "-t", "web", "tty") as s:
        assert s.end() == 0 and s.seen == b"/dev/pts/0\r\n"
    # As another user it is that one's.
    with Screen("coracle", "exec", "-t", "-u", "1000", "web", "sh", "-c", "echo x > $(tty); ls -ln $(tty)") as s:
        assert s.end() == 0 and re.search(rb"crw--w---- +1 1000 +5 ", s.seen), s.seen
    # Killed, its process gets a hang-up like on any terminal that goes away.
    with Screen("coracle", "exec", "-it", "web", "sh", "-c", "echo up; exec sleep 777") as s:
        s.wait_for("up")
        s.process.kill()
        s.process.wait()
        assert eventually(s.is_restored)
    coracle("rm", "-f", "web")


def test_without_a_terminal(busybox):
    said = coracle("run", "--rm", "-t", busybox, "t", "true", code=125).err
    assert said.splitlines()[0] == "coracle: -t needs a terminal: standard input is none"
    assert len(ctr("run", "--rm", "-t", "docker.io/library/busybox:latest", "t", "true", code=1).err.splitlines()) == 2
    assert ctr("c", "ls", "-q").out == ""
    coracle("attach", "nosuch", code=125)


def test_much_output_arrives_whole(busybox):
    script = "stty -opost; i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done; exit 9"
    with Screen("coracle", "run", "--rm", "-t", busybox, "t", "sh", "-c", script) as s:
        assert s.end() == 9
        while select.select([s.master], [], [], 0)[0]:
            s.read(0)
        assert s.seen == b"".join(b"line %d\n" % i for i in range(5000))


def test_hostile_dev(busybox, tmp_path):
    """The image's own /dev, /dev/console and /dev/pts don't lead anywhere (CVE-2025-52565)."""
    for path in ("dev", "dev/pts", "dev/console", "dev/ptmx"):
        image = Image(busybox_layer(), layer(link(path, "/etc")))
        with imported(image.oci(tmp_path / "i.tar"), REF):
            with Screen("coracle", "run", "--rm", "-t", REF, "t", "tty") as s:
                code = s.end()
                assert (code == 0 and b"/dev/pts/0" in s.seen) or code == 125, s.seen


def test_attach_to_output(busybox):
    coracle("run", "-d", busybox, "loop", "sh", "-c", "trap 'exit 4' TERM; while :; do echo tick; sleep 0.05; done")
    followers = [subprocess.Popen(["coracle", "attach", "loop"], stdout=subprocess.PIPE, env=environment())
                 for _ in range(2)]
    for p in followers:
        assert p.stdout.readline() == b"tick\n"
    coracle("stop", "loop")
    assert [p.wait(30) for p in followers] == [4, 4]
    for p in followers:
        p.stdout.close()
    coracle("rm", "loop")
    with subprocess.Popen(["coracle", "run", "--rm", busybox, "a", "sh", "-c", "echo up; exec sleep 1000"],
                          stdout=subprocess.PIPE, env=environment()) as p:
        assert p.stdout.readline() == b"up\n"
        assert "goes to the command that started it" in coracle("attach", "a", code=125).err
        assert "goes to the command" in coracle("logs", "a", code=125).err or "went to" in coracle("logs", "a", code=125).err
        coracle("rm", "-f", "a")
