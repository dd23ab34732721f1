# SPDX-License-Identifier: Apache-2.0
"""logs: -f, --tail, --since, -t, over rotated files and of what isn't the monitor's."""
import os
import re
import signal
import time
from pathlib import Path

import pytest

from harness.cli import coracle, eventually, start

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"


@pytest.fixture
def web(busybox):
    """Five lines, then one more for each signal; stderr in between."""
    coracle("run", "-d", busybox, "web", "sh", "-c",
            "n=5; trap 'n=$((n+1)); echo line $n' USR1; trap 'exit 0' TERM;"
            "for i in 1 2 3 4 5; do echo line $i; done; echo oops >&2; while :; do sleep 0.02; done")
    eventually(lambda: "oops" in coracle("logs", "web").err)
    yield "web"
    coracle("rm", "-f", "web")


def lines(first, last):
    return "".join(f"line {i}\n" for i in range(first, last + 1))


def test_all_of_it(web):
    done = coracle("logs", web)
    assert (done.out, done.err) == (lines(1, 5), "oops\n")


@pytest.mark.parametrize("tail, out", [("0", ""), ("1", ""), ("2", lines(5, 5)), ("100", lines(1, 5)), ("all", lines(1, 5))])
def test_tail(web, tail, out):
    assert coracle("logs", "--tail", tail, web).out == out  # the last line of all is on standard error


def test_times(web):
    for line, text in zip(coracle("logs", "-t", web).out.splitlines(), lines(1, 5).splitlines(), strict=True):
        assert re.fullmatch(STAMP + " " + text, line)


def test_since(web):
    stamps = [line.split()[0] for line in coracle("logs", "-t", web).out.splitlines()]
    assert stamps == sorted(stamps)
    assert coracle("logs", "--since", "10m", web).out == lines(1, 5)
    assert coracle("logs", "--since", str(int(time.time()) + 1000), web).out == ""
    assert coracle("logs", "--since", "yesterday", web, code=2).err.startswith("coracle: --since yesterday: not a time")


def test_follow(web):
    with start("coracle", "logs", "-f", "--tail", "2", web) as follower:
        assert follower.stdout.readline() == b"line 5\n"
        for i in (6, 7):
            coracle("kill", "-s", "USR1", web)
            assert follower.stdout.readline() == b"line %d\n" % i
        coracle("stop", web)
        assert follower.stdout.read() == b"" and follower.wait(30) == 0
    assert coracle("logs", web).out == lines(1, 7)  # it stays until the task goes


def test_follow_ends_with_its_reader(web):
    with start("coracle", "logs", "-f", web) as follower:
        assert follower.stdout.readline() == b"line 1\n"
        follower.send_signal(signal.SIGINT)
        assert follower.wait(30) != 0


def test_follow_over_rotations(busybox):
    script = "n=0; while [ $n -lt 3000 ]; do n=$((n+1)); echo line $n; done; sleep 1000"
    coracle("run", "-d", "--log-size", "16k", "--log-files", "9", busybox, "web", "sh", "-c", script)
    try:
        with start("coracle", "logs", "-f", "web") as follower:
            seen = [follower.stdout.readline().decode()]
            while seen[-1] != "line 3000\n":
                seen.append(follower.stdout.readline().decode())
            numbers = [int(line.split()[1]) for line in seen]
            assert numbers == list(range(numbers[0], 3001))  # none twice, none missed
            coracle("stop", "--time", "0", "web")
            assert follower.wait(30) == 0
    finally:
        coracle("rm", "-f", "web")


def test_what_the_monitor_did_not_write_is_passed_over(web):
    log = next(Path("/run/coracle").glob("*/web/log"))
    whole = log.read_text()
    entry = whole.splitlines()[0]
    bad = ["{", "}", "", "null", entry[:-1], entry.replace("stdout", "stdwhat"), entry.replace('"time"', '"tide"'),
           entry.replace("line", "li\\u12g4ne"), entry.replace("line", "li\\"), entry.replace("line", "\\ud800"),
           "\0" * 100, "x" * 300000, '{"log":"' + "y" * 100000 + '","stream":"stdout","time":"2026"}']
    log.write_text("\n".join(bad) + "\n" + whole)
    done = coracle("logs", web)
    assert (done.out, done.err) == (lines(1, 5), "oops\n")


def test_a_fifo_that_nobody_reads(busybox, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    said = coracle("run", "--rm", "--log-uri", f"file://{tmp_path}/fifo", busybox, "t", "true", code=125, timeout=30).err
    assert "No such device or address" in said
