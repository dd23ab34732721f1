# SPDX-License-Identifier: Apache-2.0
"""Attacks that need a whole command; the others are in src/runtime/test_attacks.c (docs/security.md)."""
import os

from harness.cli import coracle


def sh(busybox, script, *flags, **how):
    return coracle("run", "--rm", *flags, busybox, "t", "sh", "-c", script, **how)


def test_release_agent(busybox):
    """CVE-2022-0492: nobody in a container mounts a hierarchy of cgroups, in a user namespace neither."""
    tries = [f"{enter} sh -c 'mkdir -p /tmp/c; mount -t cgroup -o {what} none /tmp/c && echo mounted'"
             for enter in ("", "unshare -r", "unshare -Urm") for what in ("memory", "pids", "none,name=evil")]
    done = sh(busybox, "; ".join(tries) + "; find / -xdev -name release_agent -o -name notify_on_release | wc -l;"
              "ls -d /sys/fs/cgroup/*/ 2>/dev/null | wc -l", code=None)
    assert done.out == "0\n0\n"
    assert done.err.lower().count("permission") + done.err.lower().count("not permitted") >= len(tries), done.err


def test_sockets_in_the_hosts_network(busybox):
    """CVE-2020-15257: no abstract socket of ours can be reached by a container in the host's network."""
    before = abstract()
    coracle("run", "-d", busybox, "other", "sleep", "1000")
    try:
        seen = sh(busybox, "cat /proc/net/unix", "--net-host").out
    finally:
        coracle("rm", "-f", "other")
    names = [line.split()[7] for line in seen.splitlines()[1:] if len(line.split()) > 7]
    assert any(name.endswith("monitor.sock") for name in names)  # a path, which leads nowhere from in there
    assert {name for name in names if name.startswith("@")} <= before
    assert oct(os.stat("/run/coracle").st_mode)[-3:] == "700"


def abstract():
    with open("/proc/net/unix") as lines:
        return {line.split()[7] for line in lines if len(line.split()) > 7 and line.split()[7].startswith("@")}
