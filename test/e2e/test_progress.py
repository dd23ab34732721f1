# SPDX-License-Identifier: Apache-2.0
"""What a pull shows: bars on a terminal, lines elsewhere; and what Ctrl-C leaves there."""
import random
import re
import signal
import termios

import pytest

from harness.cli import coracle, ctr
from harness.images import Image, entry, layer
from harness.registry import Registry, trickle
from test_tty import Screen

PIECE = 32768


class Counter:
    blobs, sent = {}, 0


class Slow(Registry):
    """Two layers of 2 MiB that take some seconds, and a small one."""

    def __init__(self, pause=0.05):
        rng = random.Random(5)
        self.counter = Counter()
        self.image = Image(*(layer(entry(f"f{i}", rng.randbytes(size))) for i, size in enumerate((2 << 20, 2 << 20, 9))))
        super().__init__(self.image, behave=trickle(self.counter, piece=PIECE, pause=pause))
        self.counter.blobs = self.blobs

    def digits(self, i):
        return self.image.manifest["layers"][i]["digest"][7:]


def screen_of(seen):
    """The lines that stand on a terminal after these bytes: what our drawing uses of its language."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[\d*[A-Za-z]|\x1b\[\?\d+[hl]|[^\x1b]", seen):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.endswith("A") and len(part) > 1:
            row = max(0, row - int(part[2:-1] or 1))
        elif part == "\x1b[K":
            lines[row] = lines[row][:column]
        elif part == "\x1b[J":
            lines[row:] = [lines[row][:column]]
        elif len(part) == 1:
            lines[row] = lines[row].ljust(column)[:column] + part + lines[row][column + 1:]
            column += 1
    return lines, row, column


BAR = r"\[=*>? *\] +\d+% [\d.]+ [KM]iB / 2\.0 MiB, [\d.]+ [KM]iB/s, \d+ s left"


@pytest.mark.parametrize("columns", [80, 120])
def test_bars_on_a_terminal(columns):
    with Slow() as r:
        with Screen("coracle", "images", "pull", "--plain-http", r.ref, columns=columns) as screen:
            screen.wait_for(BAR)
            lines, _, _ = screen_of(screen.seen.decode())
            shown = [line for line in lines if re.search(BAR, line)]
            assert shown and all(len(line) < columns for line in lines), lines
            assert any(f" {r.digits(i)[:4]}" in line for line in shown for i in (0, 1)), lines
            screen.wait_for("saved")
            assert screen.end() == 0
            lines, row, column = screen_of(screen.seen.decode())
            assert not any("[" in line for line in lines), lines  # no bar is left
            assert lines[-2].startswith(r.ref) and lines[row] == "" and column == 0
            assert termios.tcgetattr(screen.slave) == screen.before
        coracle("images", "rm", r.ref)


def test_ctrl_c_keeps_what_came():
    """The terminal is clean, the code is a signal's, and the next pull goes on."""
    with Slow() as r:
        with Screen("coracle", "images", "pull", "--plain-http", r.ref) as screen:
            screen.wait_for(BAR)
            screen.type("\x03")
            code = screen.end()
            assert code in (130, -signal.SIGINT), (code, screen.seen)
            lines, row, column = screen_of(screen.seen.decode().replace("^C", ""))
            assert not any("[" in line for line in lines) and column == 0, lines
            assert termios.tcgetattr(screen.slave) == screen.before
        assert ctr("images", "ls", "-q", f"name=={r.ref}").out == ""
        came, r.behave = r.counter.sent, None
        assert came > PIECE
        coracle("images", "pull", "--plain-http", r.ref)
        ranges = [h.get("Range") for _, path, h in r.asked("/blobs/") if h.get("Range")]
        assert ranges, "nothing was gone on from"
        coracle("images", "rm", r.ref)


def test_lines_elsewhere():
    """No bars, no escapes: a line for each layer that took its time, and the result."""
    with Slow() as r:
        done = coracle("images", "pull", "--plain-http", r.ref)
        assert "\x1b" not in done.err and "\r" not in done.err
        lines = done.err.splitlines()
        for i in (0, 1):
            assert [l for l in lines if f"sha256:{r.digits(i)}" in l and re.search(r": done, 2\.0 MiB in [\d.]+ s$", l)], done.err
        assert len(lines) == len(set(lines))
        assert done.out == f"{r.ref:<40}\tsaved\t\n"
        coracle("images", "rm", r.ref)


def test_quick_pulls_say_nothing():
    with Registry(Image(layer(entry("a", "1")))) as r:
        done = coracle("images", "pull", "--plain-http", r.ref)
        assert done.err == ""
        coracle("images", "rm", r.ref)
