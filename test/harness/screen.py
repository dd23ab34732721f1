# SPDX-License-Identifier: Apache-2.0
"""Commands on terminals."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from harness.cli import environment


class Screen:
    """A command on a terminal of its own."""

    def __init__(self, *argv, rows=24, columns=80, env=None):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.seen = b""
        self.process = subprocess.Popen(
            [str(a) for a in argv], stdin=self.slave, stdout=self.slave, stderr=self.slave,
            env=environment(env), preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def read(self, timeout):
        if select.select([self.master], [], [], timeout)[0]:
            self.seen += os.read(self.master, 65536)

    def wait_for(self, pattern, timeout=30):
        deadline = time.monotonic() + timeout
        while not re.search(pattern.encode(), self.seen):
            assert time.monotonic() < deadline, (pattern, self.seen)
            assert self.process.poll() is None or select.select([self.master], [], [], 0)[0], self.seen
            self.read(0.1)
        return self.seen.decode(errors="replace")

    def end(self, timeout=30):
        deadline = time.monotonic() + timeout
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.seen
            self.read(0.05)
        self.read(0)
        return self.process.returncode

    def is_restored(self):
        return termios.tcgetattr(self.slave) == self.before
