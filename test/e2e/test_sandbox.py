# SPDX-License-Identifier: Apache-2.0
"""The tests' own ground: if this fails, nothing else in here means anything."""
import os
from pathlib import Path

import pytest

from harness import counts, sandbox


@pytest.mark.quick
def test_nothing_of_the_host_is_reachable(no_uplink):
    for kind in ("net", "mnt", "ipc", "uts"):
        assert os.readlink(f"/proc/self/ns/{kind}") != os.readlink(f"/proc/{os.getppid()}/ns/{kind}")
    assert os.listdir("/run/netns") == []


def test_a_leak_is_found():
    before = counts.take()
    Path("/run/netns/cni-left").touch()
    with pytest.raises(AssertionError, match="network namespaces: left over cni-left"):
        counts.assert_back(before, seconds=0)
    Path("/run/netns/cni-left").unlink()
    counts.assert_back(before, seconds=0)


def test_a_stray_process_is_found():
    before = counts.take()
    pid = os.posix_spawn("/bin/sleep", ["sleep", "100"], os.environ)
    with pytest.raises(AssertionError, match=f"processes: left over {pid} sleep 100"):
        counts.assert_back(before, seconds=0)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    assert sandbox.own_group() is None or pid not in sandbox.session_processes()
