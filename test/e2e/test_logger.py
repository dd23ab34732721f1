# SPDX-License-Identifier: Apache-2.0
"""--log-uri: loggers, and files beside a terminal."""
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness.cli import coracle, ctr, eventually, start

PROGRAM = """#!/usr/bin/python3 -SE
import json, os, sys, threading
def copy(fd, name):
    with open(fd, "rb") as f, open(os.path.join(sys.argv[2], name), "ab", buffering=0) as out:
        for part in iter(lambda: os.read(fd, 65536), b""):
            out.write(part)
copies = [threading.Thread(target=copy, args=a) for a in ((3, "out"), (4, "err"))]
[t.start() for t in copies]
with open(os.path.join(sys.argv[2], "start"), "w") as f:
    json.dump({"argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd(), "sid": os.getsid(0) == os.getpid(),
               "null": [os.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1, 2)]}, f)
MORE
[t.join() for t in copies]
open(os.path.join(sys.argv[2], "done"), "w").close()
"""


@pytest.fixture
def logger(tmp_path):
    def make(more="os.close(5)"):
        program = tmp_path / "logger"
        program.write_text(PROGRAM.replace("MORE", more))
        program.chmod(0o755)
        return f"binary://{program}?dir={tmp_path}&x=a%20b&x=second"
    yield make
    if (tmp_path / "start").exists():
        eventually((tmp_path / "done").exists)  # its streams have ended, and so does it


def test_protocol(busybox, logger, tmp_path):
    uri = logger()
    done = coracle("run", "--rm", "--log-uri", uri, busybox, "t", "sh", "-c", "cat; echo out; echo err >&2; exit 3",
                   code=3, stdin="in\n")
    assert (done.out, done.err) == ("", "")
    eventually((tmp_path / "done").exists)
    assert (tmp_path / "out").read_text() == "out\n" and (tmp_path / "err").read_text() == "err\n"
    begun = json.loads((tmp_path / "start").read_text())
    begun["env"].pop("LC_CTYPE", None)  # Python's own
    assert begun == {"argv": ["dir", str(tmp_path), "x", "a b"], "cwd": "/", "sid": True, "null": ["/dev/null"] * 3,
                     "env": {"CONTAINER_ID": "t", "CONTAINER_NAMESPACE": "default"}}


def test_detached_and_exec(busybox, logger, tmp_path):
    uri = logger("os.write(5, b'1')")
    coracle("run", "-d", "--log-uri", uri, busybox, "web", "sh", "-c", "echo one; exec sleep 1000")
    try:
        eventually(lambda: (tmp_path / "out").read_bytes() == b"one\n")
        assert "its output goes to binary://" in coracle("logs", "web", code=None).err
        other = tmp_path / "exec"
        other.mkdir()
        coracle("tasks", "exec", "--exec-id", "e", "--log-uri", uri.replace(f"dir={tmp_path}", f"dir={other}"), "web",
                "echo", "two")
        eventually((other / "done").exists)
        assert (other / "out").read_bytes() == b"two\n"
    finally:
        coracle("rm", "-f", "web")


@pytest.mark.parametrize("uri, text", [
    ("binary:///nosuch/program", "logger /nosuch/program: No such file or directory"),
    ("binary:///etc/passwd", "logger /etc/passwd: Permission denied"),
    ("binary://relative", "not binary:// and the absolute path of a program"),
    ("binary:///x?a=%zz", "not a query"),
    ("nosuch:///x", "unknown STDIO scheme nosuch"),
])
def test_what_cannot_log(busybox, uri, text):
    assert text in coracle("run", "--rm", "--log-uri", uri, busybox, "t", "true", code=None).err


def test_a_container_that_cannot_start_ends_its_logger(busybox, logger, tmp_path):
    coracle("run", "--rm", "--log-uri", logger(), busybox, "t", "nosuch", code=127)
    eventually((tmp_path / "done").exists)


@pytest.mark.parametrize("words", [["run", "--rm"], ["tasks", "exec", "--exec-id", "e"]])
def test_a_signal_ends_the_wait_for_a_logger(busybox, tmp_path, words):
    """That is never ready; one that wants no end doesn't."""
    program = tmp_path / "logger"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nsleep 1000\n")
    program.chmod(0o755)
    coracle("run", "-d", busybox, "web", "sleep", "1000")
    words += ["--log-uri", f"binary://{program}", *([busybox, "t"] if words[0] == "run" else ["web"]), "true"]
    try:
        with start("coracle", *words) as command:
            pid = eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
            command.send_signal(signal.SIGUSR1)
            time.sleep(0.2)
            assert command.poll() is None
            command.send_signal(signal.SIGTERM)
            assert b"interrupted by SIGTERM" in command.communicate(timeout=5)[1]
        assert command.returncode == 125
        eventually(lambda: not Path(f"/proc/{pid}").exists())
        assert ctr("containers", "ls", "-q").out == "web\n"
    finally:
        coracle("rm", "-f", "web")


# --- a terminal and a file --------------------------------------------------------------------------

def test_terminal_and_file(busybox, tmp_path):
    log = tmp_path / "new/log"
    done = subprocess.run(["script", "-qec", f"coracle run --rm -t --log-uri file://{log} {busybox} t "
                           "sh -c 'tty; seq 3000'", "/dev/null"], capture_output=True, text=True, check=True)
    shown = done.stdout.replace("^@", "").split()
    assert shown == log.read_text().replace("^@", "").split() == ["/dev/pts/0", *map(str, range(1, 3001))]


def test_detached_terminal_and_file(busybox, tmp_path):
    coracle("run", "-d", "-t", "--log-uri", f"file://{tmp_path}/log", busybox, "web", "sh", "-c", "tty; exec sleep 1000")
    try:
        eventually(lambda: (tmp_path / "log").read_bytes() == b"/dev/pts/0\r\n")
    finally:
        coracle("rm", "-f", "web")


def test_terminal_and_logger(busybox):
    done = coracle("run", "-d", "--rm", "-t", "--log-uri", "binary:///bin/true", busybox, "t", "true", code=125)
    assert "the output of a terminal can't go to a logger" in done.err
