# SPDX-License-Identifier: Apache-2.0
"""Full disks: what is written is lost and said to be, what is there can be removed."""
import subprocess

import pytest

from harness.cli import coracle, eventually, run, start

COMMANDS = [  # all that print
    "images ls", "images inspect busybox", "images export - busybox", "ps", "ps -a --format json", "logs web",
    "stats --no-stream", "top web", "inspect web", "exec web echo hi", "run --rm busybox t echo hi", "spec busybox t",
    "--help", "run --help", "--version", "version", "info", "gc --dry-run", "tasks ls", "tasks ps web",
    "tasks metrics web", "snapshots ls", "content ls", "network ls", "netns ls", "namespaces ls", "leases ls",
]


@pytest.fixture(scope="module")
def web(busybox):
    coracle("run", "-d", busybox, "web", "sh", "-c", "echo logged; exec sleep 1000")
    eventually(lambda: coracle("logs", "web").out)
    yield "web"
    coracle("rm", "-f", "web")


@pytest.mark.keeps
@pytest.mark.parametrize("command", COMMANDS)
def test_output_that_is_lost(web, command):
    done = run("sh", "-c", f"exec coracle {command} > /dev/full", code=125)
    assert done.err.splitlines()[-1].endswith(": No space left on device")


@pytest.mark.keeps
def test_following_ends(web):
    assert run("sh", "-c", "exec coracle logs -f web > /dev/full", code=125).err.endswith("No space left on device\n")


def test_the_programs_own_failure_counts_more(busybox):
    done = run("sh", "-c", f"exec coracle run --rm {busybox} t sh -c 'echo hi; exit 3' > /dev/full", code=3)
    assert done.err == "coracle: warning: write the container's output: No space left on device\n"
    # A reader that has gone is no error of the disk's.
    assert run("sh", "-c", f"coracle run --rm {busybox} t yes | head -1").out == "y\n"


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_all_can_be_removed(cache, tmp_path, kind):
    disk, image = tmp_path / "disk", tmp_path / "image"
    disk.mkdir()
    if kind == "ext4":
        subprocess.run(["truncate", "-s", "96M", image], check=True)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, disk], check=True)
    else:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", disk], check=True)

    def small(*args, **how):
        return coracle("--root", disk / "root", "--state", disk / "state", *args, **how)
    try:
        small("images", "import", cache / "busybox.tar")
        small("run", "busybox", "kept", "true")
        for name in ("one", "two"):
            small("run", "-d", "busybox", name, "sleep", "1000")
        small("run", "-d", "--rm", "busybox", "passing", "sleep", "1000")
        fill(disk)
        assert len(small("ps", "-a", "-q").out.split()) == 4
        small("stop", "--time", "0", "one")
        small("rm", "kept")
        small("rm", "-f", "one", "two", "passing")
        small("images", "rm", "busybox")
        small("gc")
        assert small("ps", "-a", "-q").out == "" and small("images", "ls", "-q").out == ""
    finally:
        for name in ("fill", "rest"):
            (disk / name).unlink(missing_ok=True)
        left = small("ps", "-a", "-q", code=None).out.split()
        if left:
            small("rm", "-f", *left)
        small("gc", code=None)
        eventually(lambda: subprocess.run(["umount", disk], capture_output=True).returncode == 0)


def fill(disk):
    subprocess.run(["dd", "if=/dev/zero", f"of={disk}/fill", "bs=64k"], stderr=subprocess.DEVNULL)
    subprocess.run(["dd", "if=/dev/zero", f"of={disk}/rest", "bs=512"], stderr=subprocess.DEVNULL)


# --- few descriptors --------------------------------------------------------------------------------

@pytest.mark.keeps
def test_few_descriptors(web, busybox):
    assert run("sh", "-c", "ulimit -n 64; exec coracle exec web echo hi").out == "hi\n"
    assert run("sh", "-c", f"ulimit -n 64; exec coracle run --rm {busybox} t echo hi").out == "hi\n"


# --- job control ------------------------------------------------------------------------------------

def test_a_stopped_command_keeps_its_container(busybox):
    """Ctrl-Z stops the command, as any job; the container goes on, and is waited for afterwards."""
    with start("coracle", "run", "--rm", busybox, "t", "sh", "-c",
               "trap 'exit 7' USR1; echo up; while :; do sleep 0.05; done",
               process_group=0) as p:  # nothing stops in a group that nobody in its session looks after
        assert p.stdout.readline() == b"up\n"
        subprocess.run(["kill", "-TSTP", str(p.pid)], check=True)
        eventually(lambda: "T (stopped)" in open(f"/proc/{p.pid}/status").read())
        assert coracle("ps", "-q").out.split().count("t") == 1
        subprocess.run(["kill", "-CONT", str(p.pid)], check=True)
        coracle("kill", "-s", "USR1", "t")
        assert p.wait(60) == 7
