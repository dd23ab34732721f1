# SPDX-License-Identifier: Apache-2.0
"""The life of a task: created, started, paused, stopped, removed; ctr's words and docker's verbs."""
import contextlib
import json
import os
import re
import signal
from pathlib import Path

import pytest

from harness.cli import coracle, ctr, eventually, start

BUSYBOX = "docker.io/library/busybox:latest"


def status(container):
    match = re.search(rf"^{container} +\d+ +(\w+)", ctr("tasks", "ls").out, re.M)
    return match.group(1) if match else None


def is_stopped(container):
    return eventually(lambda: status(container) == "STOPPED")


@pytest.fixture
def web(busybox):
    coracle("run", "-d", busybox, "web", "sleep", "1000")
    yield "web"
    coracle("rm", "-f", "web", code=None)


def refused(text, *argv):
    said = [line for line in ctr(*argv, code=1).err.splitlines() if not line.startswith("hint: ")]
    assert said[-1] == f"ctr: {text}"


@pytest.mark.quick
def test_pause_and_resume(web):
    ctr("t", "pause", web)
    assert status(web) == "PAUSED"
    refused("cannot pause a paused container", "t", "pause", web)
    refused("cannot exec in a paused state", "t", "exec", "--exec-id", "e", web, "true")
    refused("task must be stopped before deletion: paused: failed precondition", "t", "rm", web)
    ctr("t", "resume", web)
    assert status(web) == "RUNNING"
    refused("cannot resume a running process", "t", "resume", web)
    ctr("t", "pause", web)
    said = ctr("t", "rm", "-f", web).err
    assert re.fullmatch(r'time="[^"]+" level=warning msg="task web exit with non-zero exit code 137"\n', said)
    assert ctr("t", "ls").out == "TASK    PID    STATUS    \n"
    refused("no running task found: task web not found", "t", "ps", web)


@pytest.mark.quick
def test_stopped_task(web):
    refused("task must be stopped before deletion: running: failed precondition", "t", "rm", web)
    refused("task web: already exists", "t", "start", "-d", web)
    ctr("t", "kill", "-s", "KILL", web)
    is_stopped(web)
    refused("process already finished: not found", "t", "kill", web)
    refused("cannot exec in a stopped state", "t", "exec", "--exec-id", "e", web, "true")
    refused("cannot pause a stopped container", "t", "pause", web)
    assert ctr("t", "ps", web).out == "PID    INFO\n"
    refused("task web: already exists", "t", "start", "-d", web)
    ctr("t", "rm", web)
    refused("no running task found: task web not found", "t", "rm", web)
    refused('container "nosuch" in namespace "default": not found', "t", "rm", "nosuch")
    ctr("t", "start", "-d", web)
    assert status(web) == "RUNNING"


def test_execs_are_known_by_name(web):
    ctr("t", "exec", "-d", "--exec-id", "bg", web, "sleep", "500")
    refused("id bg: already exists", "t", "exec", "-d", "--exec-id", "bg", web, "sleep", "500")
    lines = ctr("t", "ps", web).out.splitlines()
    assert len(lines) == 3 and lines[1].endswith("-") and lines[2].endswith('exec_id:"bg"')
    assert [p.get("exec_id") for p in json.loads(coracle("tasks", "ps", "--format", "json", web).out)] == [None, "bg"]
    refused("specify an exec-id or all; not both", "t", "kill", "--all", "--exec-id", "x", web)
    ctr("t", "kill", "--exec-id", "bg", "-s", "KILL", web)
    eventually(lambda: "bg" not in ctr("t", "ps", web).out)
    ctr("t", "rm", "--exec-id", "bg", web, code=137)
    refused("no running process found: process does not exist bg: not found", "t", "rm", "--exec-id", "bg", web)


@pytest.mark.quick
def test_create_and_start(busybox):
    ctr("c", "create", BUSYBOX, "job", "sh", "-c", "echo out; exit 5")
    assert ctr("c", "ls", "-q").out == "job\n" and status("job") is None
    assert re.search(r"^job +sha256:\w+ +Active", ctr("snapshots", "ls").out, re.M)
    assert ctr("t", "start", "job", code=5).out == "out\n"
    assert status("job") is None  # attached, it takes its task with it
    coracle("start", "-d", "job")
    is_stopped("job")
    assert coracle("logs", "job").out == "out\n"
    coracle("start", "-d", "job")  # makes room by itself
    is_stopped("job")
    assert coracle("wait", "job").out == "5\n"
    refused('container "nosuch" in namespace "default": not found', "t", "start", "nosuch")
    coracle("rm", "job")
    assert "job" not in ctr("snapshots", "ls").out


def test_files_survive_a_restart(busybox):
    coracle("run", "-d", busybox, "db", "sh", "-c", "echo x >> /data; exec sleep 1000")
    for _ in range(3):
        coracle("stop", "--time", "0", "db")
        coracle("start", "-d", "db")
    assert coracle("exec", "db", "cat", "/data").out == "x\n" * 4
    coracle("rm", "-f", "db")


def test_network_comes_back_with_a_start(busybox, warm):
    coracle("run", "-d", "--cni", busybox, "web", "sleep", "1000")
    coracle("stop", "--time", "0", "web")
    coracle("start", "-d", "web")
    assert "10.123." in coracle("exec", "web", "ip", "addr", "show", "eth0").out
    coracle("rm", "-f", "web")


def test_start_that_fails_leaves_the_container(busybox):
    coracle("create", busybox, "bad", "nosuch")
    coracle("start", "bad", code=127)
    coracle("start", "-d", "bad", code=127)
    assert ctr("c", "ls", "-q").out == "bad\n" and status("bad") is None
    coracle("rm", "bad")


def test_stop(busybox):
    coracle("run", "-d", busybox, "kind", "sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done")
    eventually(lambda: coracle("logs", "kind").out)
    coracle("stop", "kind")
    assert coracle("wait", "kind").out == "3\n"
    coracle("stop", "kind")  # already
    coracle("run", "-d", "--rm", busybox, "deaf", "sleep", "1000")  # pid 1 without a handler
    coracle("pause", "deaf")
    coracle("stop", "--time", "0", "deaf")
    assert ctr("c", "ls", "-q").out == "kind\n"
    coracle("rm", "kind")
    coracle("stop", "nosuch", code=125)


@pytest.mark.parametrize("verb", [["rm", "-f"], ["stop", "--time", "0"], ["tasks", "rm", "-f"]])
def test_somebody_else_ends_an_attached_one(busybox, verb):
    """Whoever waits for it cleans, too: neither waits for the other for ever."""
    with start("coracle", "run", "--rm", busybox, "web", "sh", "-c", "echo up; exec sleep 1000") as p:
        assert p.stdout.readline() == b"up\n"
        coracle(*verb, "web")
        assert p.wait(60) == 137
    assert ctr("c", "ls", "-q").out == ""


def test_pauses_at_once(busybox):
    coracle("run", "-d", busybox, "web", "sleep", "1000")
    for verb, text in (("pause", b"cannot pause a paused container"), ("unpause", b"cannot resume a running process")):
        commands = [start("coracle", verb, "web") for _ in range(6)]
        said = [command.communicate(timeout=60)[1] for command in commands]
        assert sum(command.returncode == 0 for command in commands) == 1
        assert sum(text in line for line in said) == 5
    coracle("rm", "-f", "web")


def links_of(pid):
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(fd)


def test_wait_is_told_of_the_end(busybox):
    coracle("run", "-d", "--rm", busybox, "web", "sh", "-c", "read x < /dev/zero; sleep 0.2; exit 9")
    with start("coracle", "wait", "web") as p:
        eventually(lambda: any("socket:" in link for link in links_of(p.pid)))  # to the monitor: it has looked
        coracle("kill", "-s", "KILL", "web")
        assert p.wait(60) == 0 and p.stdout.read() == b"137\n"


def test_metrics(web):
    table = ctr("t", "metrics", web).out.splitlines()
    assert re.match(r"ID +TIMESTAMP", table[0]) and re.match(r"web +seconds:\d+ nanos:\d+", table[1])
    assert re.search(r"^cpuacct.usage +\d+", "\n".join(table), re.M)
    found = json.loads(ctr("t", "metrics", "--format", "json", web).out)
    assert found["cpu"]["usage"]["total"] > 0
    if "memory" in found:
        assert found["memory"]["usage"]["limit"] == 9223372036854771712  # none
    refused("format must be table or json", "t", "metrics", "--format", "yaml", web)
    assert ctr("t", "metric", "--format", "json", web).code == 0
    refused('container "nosuch" in namespace "default": not found', "t", "metrics", "nosuch")


def test_twelve_opposite_commands(busybox):
    """Starts, stops and removals of one container at once: each is done or refused, none hangs."""
    coracle("create", busybox, "web", "sleep", "1000")
    verbs = [["start", "-d", "web"], ["stop", "--time", "0", "web"], ["tasks", "rm", "-f", "web"]] * 4
    running = [start("coracle", *verb) for verb in verbs]
    for p in running:
        assert p.communicate(timeout=60) is not None and p.returncode in (0, 125)
    coracle("rm", "-f", "web")


def test_top_and_stats(web):
    coracle("exec", "-d", web, "sh", "-c", "while :; do :; done")
    rows = coracle("top", web).out.splitlines()
    assert rows[0].split() == ["PID", "PPID", "STATE", "CPU", "RESIDENT", "COMMAND"]
    assert rows[1].endswith("sleep 1000") and rows[2].endswith("while :; do :; done")
    assert json.loads(coracle("top", "--format", "json", web).out)[1]["state"] in "RS"
    rows = coracle("stats", "--no-stream").out.splitlines()
    assert re.match(r"CONTAINER +CPU +MEMORY +LIMIT +PIDS", rows[0]) and len(rows) == 2
    cpu = float(re.match(r"web +([\d.]+)% +[\d.]+ .iB +- +2", rows[1]).group(1))
    assert 0 < cpu < 400
    assert json.loads(coracle("stats", "--format", "json", web).out)[0]["pids"] == 2
    coracle("stats", "nosuch", code=125)
