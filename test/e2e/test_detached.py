# SPDX-License-Identifier: Apache-2.0
"""run -d: whoever detaches, the exit cleans; a kept container's task stays with its code."""
import os
import re
import subprocess
from pathlib import Path

import pytest

from harness.cli import coracle, ctr, eventually

BUSYBOX = "docker.io/library/busybox:latest"


def status(container):
    match = re.search(rf"^{container} +\d+ +(\w+)", ctr("tasks", "ls").out, re.M)
    return match.group(1) if match else None


def ended(container):
    return eventually(lambda: status(container) == "STOPPED")


@pytest.mark.quick
def test_kept_task_stays_stopped(busybox):
    assert coracle("run", "-d", busybox, "web", "sh", "-c", "echo hi; exit 7").out == ""
    ended("web")
    assert "exited (7)" in coracle("ps", "-a").out
    assert coracle("logs", "web").out == "hi\n"
    assert coracle("gc").code == 0
    assert status("web") == "STOPPED"
    coracle("rm", "web")
    assert status("web") is None


@pytest.mark.quick
def test_removed_by_its_exit(busybox):
    coracle("run", "-d", "--rm", busybox, "web", "true")
    eventually(lambda: ctr("c", "ls", "-q").out == "")


def test_network_is_given_back(busybox, warm):
    coracle("run", "-d", "--rm", "--cni", busybox, "web", "sleep", "0.1")
    coracle("run", "-d", "--cni", busybox, "kept", "true")
    eventually(lambda: ctr("c", "ls", "-q").out == "kept\n" and status("kept") == "STOPPED")
    coracle("rm", "kept")


def test_nobody_reads_and_the_program_goes_on(busybox):
    """containerd's stops after 130 KB."""
    script = "i=0; while [ $i -lt 40000 ]; do echo $i 01234567890123456789; i=$((i+1)); done; exit 3"
    coracle("run", "-d", busybox, "loud", "sh", "-c", script)
    ended("loud")
    assert "exited (3)" in coracle("ps", "-a").out
    lines = coracle("logs", "loud").out.splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(40000))
    coracle("rm", "loud")


def test_log_is_capped_and_rotated(busybox):
    script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"
    coracle("run", "-d", "--log-size", "64k", "--log-files", "2", busybox, "loud", "sh", "-c", script)
    ended("loud")
    folder = Path("/run/coracle/default/loud")
    files = sorted(p.name for p in folder.glob("log*"))
    assert files == ["log", "log.1"]
    assert all(p.stat().st_size <= 65536 for p in folder.glob("log*"))
    lines = coracle("logs", "loud").out.splitlines()
    numbers = [int(line.split()[1]) for line in lines]
    assert numbers == list(range(numbers[0], 20000)) and 0 < numbers[0] < 19800
    coracle("rm", "loud")


@pytest.fixture
def small_state(tmp_path, cache):
    """A store of its own whose state folder holds two megabytes."""
    state = tmp_path / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", state], check=True)
    flags = ["--root", tmp_path / "root", "--state", state]
    coracle(*flags, "images", "import", cache / "busybox.tar")
    yield flags, state
    subprocess.run(["umount", "-l", state], check=True)
    subprocess.run(["rm", "-r", tmp_path / "root"], check=True)


def fill(path):
    """Writes until the disk is full."""
    with open(path, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 512)
        except OSError:
            pass


def test_full_disk_loses_lines_and_counts_them(small_state):
    """More lines than a pipe holds: some of them meet the full disk before there is room again."""
    flags, state = small_state
    script = ("mkfifo /b /a; echo up; read go < /a; i=0; "
              "while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; read go < /b; echo end")
    coracle(*flags, "run", "-d", "busybox", "loud", "sh", "-c", script)
    pid = re.search(r"^loud +(\d+)", coracle(*flags, "tasks", "ls").out, re.M).group(1)
    begin, end = Path(f"/proc/{pid}/root/a"), Path(f"/proc/{pid}/root/b")
    eventually(begin.exists)
    fill(state / "filler")
    begin.write_text("go\n")
    writer = os.open(end, os.O_WRONLY)  # its reader comes when the lines were written
    (state / "filler").unlink()
    os.write(writer, b"go\n")
    os.close(writer)
    eventually(lambda: "STOPPED" in coracle(*flags, "tasks", "ls").out)
    log = coracle(*flags, "logs", "loud")
    assert log.out.startswith("up\n") and log.out.endswith("end\n")
    lost = re.findall(r"coracle: (\d+) lines lost: No space left on device", log.err)
    assert lost and sum(map(int, lost)) + log.out.count("line ") == 20000
    coracle(*flags, "rm", "loud")


def test_a_log_leaves_room_for_the_commands(small_state):
    """What a container says can't keep us from looking at it and stopping it."""
    flags, _ = small_state
    coracle(*flags, "run", "-d", "busybox", "loud", "sh", "-c",
            "i=0; while [ $i -lt 64 ]; do cat /bin/busybox; i=$((i+1)); done; touch /said; exec sleep 1000")
    pid = re.search(r"^loud +(\d+)", coracle(*flags, "tasks", "ls").out, re.M).group(1)
    eventually(Path(f"/proc/{pid}/root/said").exists)
    assert coracle(*flags, "exec", "loud", "echo", "fine").out == "fine\n"
    assert coracle(*flags, "run", "--rm", "busybox", "second", "echo", "fine").out == "fine\n"
    coracle(*flags, "stop", "-t", "0", "loud")
    coracle(*flags, "rm", "loud")


def test_log_uri(busybox, tmp_path):
    log = tmp_path / "deep/er/x.log"
    coracle("run", "--rm", "--log-uri", f"file://{log}", busybox, "a", "sh", "-c", "echo o; echo e >&2")
    assert sorted(log.read_text().split()) == ["e", "o"]
    coracle("run", "-d", "--rm", "--log-uri", f"file://{log}", busybox, "b", "echo", "more")
    eventually(lambda: "more\n" in log.read_text())
    eventually(lambda: ctr("c", "ls", "-q").out == "")
    assert log.stat().st_mode & 0o777 == 0o644
    said = ctr("run", "--rm", "--log-uri", "nosuch:///x", BUSYBOX, "c", "true", code=1).err
    assert said == "ctr: unknown STDIO scheme nosuch\n"
    coracle("run", "-d", "--log-size", "17", busybox, "c", "true", code=2)
    coracle("run", "-d", "--log-size", "lots", busybox, "c", "true", code=2)


def test_null_io(busybox):
    coracle("run", "-d", "--null-io", busybox, "quiet", "sh", "-c", "echo unheard; cat")
    ended("quiet")
    assert coracle("logs", "quiet").out == ""
    coracle("rm", "quiet")


def test_kill_9_of_the_monitor(busybox):
    """The container dies with it; the next command says so, and what it had is collected."""
    coracle("run", "-d", busybox, "web", "sleep", "1000")
    pid = int(re.search(r"^web +(\d+)", ctr("tasks", "ls").out, re.M).group(1))
    parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, 9)
    ended("web")
    coracle("gc")
    assert "exited (137)" in coracle("ps", "-a").out
    coracle("rm", "web")
