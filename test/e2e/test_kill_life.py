# SPDX-License-Identifier: Apache-2.0
"""kill -9 of commands and monitors at random moments of a container's life: the next command works,
and gc brings everything back."""
import json
import os
import random
import re
import signal
import socket
import time
from pathlib import Path

import pytest

from harness import counts
from harness.cli import coracle, ctr, eventually, start


def kill_at_random(rng, longest, *argv):
    process = start("coracle", *argv)
    time.sleep(rng.uniform(0, longest))  # not to wait for anything: the moment is what is random
    alive = process.poll() is None
    process.kill()
    process.communicate(timeout=60)
    return alive


def how_long(*argv):
    began = time.monotonic()
    coracle(*argv, code=None)
    return time.monotonic() - began


def monitor_of(container):
    match = re.search(rf"^{container} +(\d+) +RUNNING", ctr("tasks", "ls").out, re.M)
    if not match:
        return None
    try:
        return int(Path(f"/proc/{match.group(1)}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def clear(container):
    """Whatever its state is: rm -f takes it, at once or as soon as another command lets it."""
    def gone():
        coracle("rm", "-f", container, code=None)
        return container not in ctr("c", "ls", "-q").out.split()
    eventually(gone)


COMMANDS = {
    "run": ["run", "-d", "IMAGE", "victim", "sleep", "1000"],
    "run --rm": ["run", "-d", "--rm", "IMAGE", "victim", "sleep", "1000"],
    "exec": ["exec", "victim", "sh", "-c", "sleep 0.01"],
    "named exec": ["tasks", "exec", "--exec-id", "e", "victim", "true"],
    "stop": ["stop", "--time", "0", "victim"],
    "rm": ["rm", "-f", "victim"],
    "start": ["start", "-d", "victim"],
    "cp": ["cp", "victim:/etc", "TARGET"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_kill_of_commands(busybox, soak, command, tmp_path):
    rng = random.Random(15)
    argv = [{"IMAGE": busybox, "TARGET": tmp_path / "etc"}.get(a, a) for a in COMMANDS[command]]
    before = counts.rested()
    hit, longest = 0, None
    for _ in range(soak(6, 60)):
        if command == "start":
            coracle("create", busybox, "victim", "sleep", "1000")
        elif not command.startswith("run"):
            coracle("run", "-d", busybox, "victim", "sleep", "1000")
        if longest is None:
            longest = 1.2 * how_long(*argv)
        else:
            hit += kill_at_random(rng, longest, *argv)
        clear("victim")
        coracle("gc")
        counts.assert_back(before)
    assert hit > 0


def test_what_a_killed_monitor_leaves_is_told_as_what_it_is(busybox):
    coracle("run", "-d", busybox, "victim", "sleep", "1000")
    os.kill(monitor_of("victim"), 9)
    eventually(lambda: "exited (137)" in coracle("ps", "-a").out)
    assert json.loads(coracle("inspect", "victim").out)["State"]["ExitCode"] == 137
    assert coracle("wait", "victim", code=None).out.strip() == "137"
    coracle("rm", "victim")


def test_kill_of_the_monitor(busybox, soak):
    """Also under a program that has changed its user, and so lost its death signal."""
    rng = random.Random(15)
    before = counts.rested()
    for i in range(soak(8, 50)):
        user = ["--user", "1000"] if i % 2 else []
        script = "while :; do sleep 0.01; done"
        coracle("run", "-d", *user, busybox, "victim", "sh", "-c", script)
        time.sleep(rng.uniform(0, 0.05))
        os.kill(monitor_of("victim"), 9)
        if i % 3 == 0:  # the very next command works on it
            coracle("start", "-d", "victim")
        clear("victim")
        coracle("gc")
        counts.assert_back(before)


def test_an_id_is_free_the_moment_its_last_life_has_answered(busybox, soak):
    for _ in range(soak(10, 100)):
        coracle("run", "-d", "--rm", busybox, "again", "sleep", "1000")
        coracle("rm", "-f", "again")


def fill_queue(name):
    """Whoever has asked a monitor that accepts nobody keeps a place, also when gone."""
    for _ in range(1000):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
            asking.setblocking(False)
            try:
                asking.connect(f"/run/coracle/default/{name}/monitor.sock")
            except BlockingIOError:
                return
    raise AssertionError("it has no end")


@pytest.mark.parametrize("is_full", [False, True])
def test_a_monitor_that_does_not_answer_is_no_ended_container(busybox, is_full):
    """Nobody takes it for one: not the exit code, not what may be removed, committed or started."""
    coracle("run", "-d", busybox, "victim", "sleep", "1000")
    monitor = monitor_of("victim")
    os.kill(monitor, signal.SIGSTOP)
    if is_full:
        fill_queue("victim")
    commands = [["wait", "victim"], ["kill", "victim"], ["stop", "victim"], ["rm", "victim"], ["rm", "-f", "victim"],
                ["start", "victim"], ["commit", "victim", "new"], ["exec", "victim", "true"], ["cp", "victim:/etc", "."],
                ["logs", "victim"]]
    try:
        asked = [start("coracle", *words) for words in commands]  # each gives it ten seconds
        shown = start("coracle", "ps", "--format", "json")
        assert '"UNKNOWN"' in shown.communicate(timeout=60)[0].decode()
        for words, process in zip(commands, asked, strict=True):
            said = process.communicate(timeout=60)[1].decode()
            assert "container default/victim: its monitor doesn't answer" in said, words
            assert process.returncode == 125
        assert "victim" not in coracle("gc").out
    finally:
        os.kill(monitor, signal.SIGCONT)
    assert coracle("exec", "victim", "echo", "on").out == "on\n"
    coracle("rm", "-f", "victim")


def test_a_monitor_that_falls_silent_below_an_exec(busybox, tmp_path):
    """It answered once; the container is not paused for that."""
    coracle("run", "-d", busybox, "victim", "sleep", "1000")
    monitor = monitor_of("victim")
    (tmp_path / "logger").write_text(f"#!/bin/sh\nkill -STOP {monitor}\nexec 5>&-\nexec cat <&3")
    (tmp_path / "logger").chmod(0o755)
    try:
        said = coracle("tasks", "exec", "--exec-id", "e", "--log-uri", f"binary://{tmp_path}/logger", "victim", "true",
                       code=125).err
    finally:
        os.kill(monitor, signal.SIGCONT)
    assert "doesn't answer" in said and "unpause" not in said
    coracle("rm", "-f", "victim")


def test_a_dozen_may_attach_and_look_at_it(busybox):
    """A monitor talks to sixteen at once: each of these takes one."""
    coracle("run", "-d", busybox, "victim", "sh", "-c", "while :; do echo on; sleep 0.1; done")
    attached = [start("coracle", "attach", "victim") for _ in range(12)]
    try:
        for command in attached:
            assert command.stdout.readline() == b"on\n"
        assert coracle("exec", "victim", "echo", "hi").out == "hi\n"
        assert coracle("exec", "victim", "true").code == 0
    finally:
        coracle("rm", "-f", "victim")
        for command in attached:
            command.communicate(timeout=30)
