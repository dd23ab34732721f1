# SPDX-License-Identifier: Apache-2.0
"""--uidmap and --gidmap: a user namespace whose files come through idmapped mounts."""
import json
import os
import subprocess
from pathlib import Path

import pytest

from harness.cli import coracle, ctr, eventually, run

MAPS = ("--uidmap", "0:100000:65536", "--gidmap", "0:200000:65536")


def sh(busybox, script, *flags, **how):
    return coracle("run", "--rm", *MAPS, *flags, busybox, "t", "sh", "-c", script, **how)


def columns(text):
    return [line.split() for line in text.splitlines()]


def test_who_it_is(busybox):
    out = sh(busybox, "cat /proc/self/uid_map /proc/self/gid_map; id -u; stat -c '%u %g' /bin/sh /etc").out
    assert columns(out) == [["0", "100000", "65536"], ["0", "200000", "65536"], ["0"], ["0", "0"], ["0", "0"]]


def test_it_owns_nothing_outside(busybox, tmp_path):
    """What it is root of is its own; a file of the host's root stays the host's."""
    (tmp_path / "secret").write_text("s")
    (tmp_path / "secret").chmod(0o600)
    tmp_path.chmod(0o755)
    mount = f"type=bind,src={tmp_path},dst=/mnt,options=rbind:rw"
    done = sh(busybox, "stat -c %u /mnt/secret; cat /mnt/secret; mount -t tmpfs none /mnt; touch /x && echo made",
              "--mount", mount)
    assert columns(done.out) == [["65534"], ["made"]]
    assert "Permission denied" in done.err and "permission denied (are you root?)" in done.err.lower()


def test_streams_can_be_opened(busybox):
    done = sh(busybox, "echo out > /dev/stdout; echo err > /dev/stderr")
    assert (done.out, done.err) == ("out\n", "err\n")
    assert sh(busybox, "id -u; echo out > /dev/stdout", "--user", "1000:7").out == "1000\nout\n"


def test_devices_and_file_systems(busybox):
    script = ("echo x > /dev/null && head -c2 /dev/zero | od -An -tx1; head -c1 /dev/urandom | wc -c;"
              "grep -c ' /sys sysfs ' /proc/mounts; cat /proc/keys; mknod /tmp/n c 1 3")
    done = sh(busybox, script, code=1)
    assert columns(done.out) == [["00", "00"], ["1"], ["1"]]
    assert "mknod: /tmp/n: Operation not permitted" in done.err


@pytest.mark.parametrize("how", [["--net-host"], ["--snapshotter", "native"], ["--read-only"]])
def test_with_other_flags(busybox, how):
    before = native_snapshots()
    assert sh(busybox, "stat -c %u /bin; grep -c ' /sys ' /proc/mounts", *how).out == "0\n1\n"
    for name in native_snapshots() - before:  # the unpacked layer stays; taken away for the count
        ctr("snapshots", "--snapshotter", "native", "rm", name)


def native_snapshots():
    return {line.split()[0] for line in ctr("snapshots", "--snapshotter", "native", "ls").out.splitlines()[1:]}


def test_with_a_network(busybox, network):
    lines = columns(sh(busybox, "ls /sys/class/net; ip -4 addr show eth0 | grep -c 10.123.", "--cni").out)
    assert lines == [["eth0"], ["lo"], ["1"]]


def test_detached_exec_cp_and_a_second_start(busybox, tmp_path):
    coracle("run", "-d", *MAPS, busybox, "web", "sh", "-c", "touch /made; sleep 1000")
    try:
        pid = int(columns(ctr("tasks", "ls").out)[1][1])
        assert os.stat(f"/proc/{pid}").st_uid == 100000
        assert coracle("exec", "web", "sh", "-c", "id -u; cat /proc/self/gid_map; echo o > /dev/stdout").out \
            .split() == ["0", "0", "200000", "65536", "o"]
        assert coracle("exec", "-u", "7", "web", "id", "-u").out == "7\n"
        (tmp_path / "d").mkdir()
        (tmp_path / "d/f").write_text("copied\n")
        coracle("cp", tmp_path / "d", "web:/")
        assert coracle("exec", "web", "stat", "-c", "%u %g", "/d", "/d/f").out == "0 0\n0 0\n"
        coracle("stop", "--time", "0", "web")
        coracle("cp", tmp_path / "d/f", "web:/after")
        coracle("start", "-d", "web")
        eventually(lambda: coracle("exec", "web", "stat", "-c", "%u", "/made", "/after", "/d/f", code=None).out
                   == "0\n0\n0\n")
    finally:
        coracle("rm", "-f", "web")


# --- a user namespace that is there -----------------------------------------------------------------

@pytest.fixture
def joined(busybox):
    """A container's, as a pod's containers share the first one's."""
    coracle("run", "-d", *MAPS, busybox, "first", "sleep", "1000")
    pid = int(columns(ctr("tasks", "ls").out)[1][1])
    yield pid, ("--with-ns", f"user:/proc/{pid}/ns/user")
    coracle("rm", "-f", "first", code=None)  # a test may have


def test_join(busybox, joined):
    pid, flags = joined
    script = ("cat /proc/self/uid_map /proc/self/gid_map; readlink /proc/self/ns/user; id -u; id -G;"
              "stat -c '%u %g' /bin/sh /etc; echo x >/dev/null;"
              "echo $$")
    out = coracle("run", "--rm", *flags, busybox, "t", "sh", "-c", script).out
    assert columns(out) == [["0", "100000", "65536"], ["0", "200000", "65536"],
                            [os.readlink(f"/proc/{pid}/ns/user")], ["0"], ["0"], ["0", "0"], ["0", "0"],
                            ["1"]]


def test_joined_devices_stay_the_hosts(busybox, joined):
    done = coracle("run", "--rm", *joined[1], "--privileged", busybox, "t", "mknod", "/tmp/n", "c", "1", "3", code=1)
    assert "Operation not permitted" in done.err


def test_join_with_the_rest_of_a_pod(busybox, joined):
    """Network, IPC and UTS of the same container, which its user namespace owns; then its processes."""
    pid, flags = joined
    kinds = {"network": "net", "ipc": "ipc", "uts": "uts", "pid": "pid"}
    both = [word for kind, name in kinds.items() for word in ("--with-ns", f"{kind}:/proc/{pid}/ns/{name}")]
    out = coracle("run", "--rm", *flags, *both, busybox, "t", "sh", "-c",
                  "for n in user net ipc uts pid; do readlink /proc/self/ns/$n; done; ls /sys/class/net;"
                  "ps | grep -c '[s]leep 1000'").out
    assert out.split() == [*(os.readlink(f"/proc/{pid}/ns/{n}") for n in ("user", "net", "ipc", "uts", "pid")),
                           "lo", "1"]


def test_join_detached(busybox, joined, tmp_path):
    """exec, cp and a second start; what IDs it has is known while it runs."""
    coracle("run", "-d", *joined[1], busybox, "web", "sh", "-c", "touch /made; sleep 1000")
    try:
        assert coracle("exec", "web", "sh", "-c", "id -u; cat /proc/self/gid_map; echo o > /dev/stdout").out \
            .split() == ["0", "0", "200000", "65536", "o"]
        (tmp_path / "f").write_text("copied\n")
        coracle("cp", tmp_path / "f", "web:/f")
        assert coracle("exec", "web", "stat", "-c", "%u %g", "/f").out == "0 0\n"
        coracle("stop", "--time", "0", "web")
        assert "its IDs are known only while it runs" in coracle("cp", tmp_path / "f", "web:/g", code=None).err
        assert "out of a user namespace" in coracle("commit", "web", "img", code=None).err
        coracle("start", "-d", "web")
        eventually(lambda: coracle("exec", "web", "stat", "-c", "%u", "/made", "/f", code=None).out == "0\n0\n")
        coracle("stop", "--time", "0", "web")
        coracle("rm", "-f", "first")
        assert "namespace path: lstat" in coracle("start", "-d", "web", code=None).err
    finally:
        coracle("rm", "-f", "web")


def test_join_with_a_network_and_a_terminal(busybox, joined, network):
    lines = columns(coracle("run", "--rm", "--cni", *joined[1], busybox, "t", "sh", "-c",
                            "ls /sys/class/net; ip -4 addr show eth0 | grep -c 10.123.").out)
    assert lines == [["eth0"], ["lo"], ["1"]]
    done = subprocess.run(["script", "-qec", f"coracle run --rm -t {' '.join(joined[1])} {busybox} t "
                           "sh -c 'tty; stat -c %u /dev/console'", "/dev/null"],
                          capture_output=True, text=True, check=True)
    assert done.stdout.replace("^@", "").split() == ["/dev/pts/0", "0"]


def test_join_says_what_maps_it_expected(busybox, joined):
    wrong = ("--uidmap", "0:1000:10", "--gidmap", "0:1000:10")
    assert "has other mappings than asked" in coracle("run", "--rm", *wrong, *joined[1], busybox, "t", "true",
                                                      code=None).err
    assert coracle("run", "--rm", *MAPS, *joined[1], busybox, "t", "id", "-u").out == "0\n"


@pytest.mark.parametrize("maps, text", [
    ([], "a user namespace needs a mapping for its root, user and group 0"),
    (["0 100000 65536"], None),
])
def test_join_one_where_groups_are_denied(busybox, tmp_path, maps, text):
    holder = subprocess.Popen(["unshare", "-U", "sleep", "1000"])
    proc = Path(f"/proc/{holder.pid}")
    flags = ("--with-ns", f"user:{proc}/ns/user")
    try:
        eventually(lambda: (proc / "comm").read_text() == "sleep\n")
        (proc / "setgroups").write_text("deny")
        for line in maps:
            (proc / "uid_map").write_text(line)
            (proc / "gid_map").write_text(line)
        done = coracle("run", "-d", *flags, busybox, "t", "sleep", "1000", code=None)
        if text:
            assert text in done.err
            return
        groups = ("grep", "^Groups", "/proc/self/status")
        caller = ("setpriv", "--groups", "4242", "coracle")  # whose groups are nobody else's
        in_exec = run(*caller, "exec", "t", *groups)
        coracle("rm", "-f", "t")
        spec = json.loads(coracle("spec", *flags, busybox, "t", *groups).out)
        spec["process"]["user"]["additionalGids"] = [10]
        (tmp_path / "config.json").write_text(json.dumps(spec))
        done = run(*caller, "run", "--rm", "--config", tmp_path / "config.json", "t")
    finally:
        coracle("rm", "-f", "t", code=None)
        holder.kill()
        holder.wait()
    assert in_exec.out == done.out == "Groups:\t \n"
    assert done.err == ("coracle: warning: the user namespace denies setgroups: the user's supplementary groups "
                        "are left out\n")


def test_a_terminal(busybox):
    done = subprocess.run(["script", "-qec", f"coracle run --rm -t {' '.join(MAPS)} {busybox} t "
                           "sh -c 'tty; echo here > /dev/tty; stat -c %u /dev/console'", "/dev/null"],
                          capture_output=True, text=True, check=True)
    assert done.stdout.replace("^@", "").split() == ["/dev/pts/0", "here", "0"]


@pytest.mark.parametrize("flags, text", [
    (["--uidmap", "0:100000:65536"], "flags --uidmap and --gidmap must be specified together"),
    (["--uidmap", "5:100000:10", "--gidmap", "0:100000:10"],
     "a user namespace needs a mapping for its root, user and group 0"),
    (["--uidmap", "0:100000:10", "--uidmap", "5:200000:10", "--gidmap", "0:100000:10"], "overlaps another"),
    (["--with-ns", "user:/proc/self/ns/user"], "user namespace /proc/self/ns/user is the host's"),
    (["--with-ns", "user:/proc/self/ns/net"], "not a user namespace"),
    (["--with-ns", "user:/nowhere"], "namespace path: lstat /nowhere: no such file or directory"),
    ([*MAPS, "--user", "70000"], "change user and groups: Invalid argument"),
])
def test_what_cannot_be(busybox, flags, text):
    assert text in coracle("run", "--rm", *flags, busybox, "t", "true", code=None).err


# --- flags of runc, of what this kernel lacks, and of sandboxes ------------------------------------

def test_flags_without_an_effect_say_so(busybox):
    done = coracle("run", "--rm", "--runc-binary", "/usr/bin/crun", "--runc-root", "/r", "--sandbox", "pod",
                   "--fifo-dir", "/srv/fifos", busybox, "t", "echo", "hi")
    assert done.out == "hi\n"
    assert done.err.splitlines() == [
        "coracle: warning: --runc-binary /usr/bin/crun: coracle is its own runtime",
        "coracle: warning: --runc-root /r: coracle is its own runtime",
        "coracle: warning: --sandbox pod: the container is recorded for it, and joins nothing"]


def test_snapshot_label(busybox):
    coracle("run", "--snapshotter-label", "a=b", busybox, "kept", "true")
    try:
        assert '"a": "b"' in coracle("snapshots", "info", "kept").out
    finally:
        coracle("rm", "kept")


@pytest.mark.parametrize("flags, text, there", [
    (["--rdt-class", "gold"], "resctrl class gold: nothing is mounted at /sys/fs/resctrl", "/sys/fs/resctrl/info"),
    (["--apparmor-profile", "p"], "process.apparmorProfile p: this kernel has no AppArmor", "/sys/module/apparmor"),
    (["--apparmor-default-profile", "p"],
     "open /sys/kernel/security/apparmor/profiles: no such file or directory",
     "/sys/kernel/security/apparmor/profiles"),
    (["--runc-systemd-cgroup"], "option --runc-systemd-cgroup requires --cgroup to be set", None),
    (["--runc-systemd-cgroup", "--cgroup", "a:b:c"], "coracle makes its cgroups itself", None),
])
def test_what_is_not_here(busybox, flags, text, there):
    if there and Path(there).exists():
        pytest.skip(f"this machine has {there}")
    done = coracle("run", "--rm", *flags, busybox, "t", "true", code=None)
    assert done.code in (2, 125) and text in done.err


def test_a_commit_is_refused(busybox):
    """The upper bears the host's IDs: an image of it would belong to nobody."""
    coracle("run", *MAPS, busybox, "t", "touch", "/f")
    assert "a commit out of a user namespace does not work yet" in coracle("commit", "t", "made", code=125).err
    coracle("rm", "t")


@pytest.mark.parametrize("option", ["idmap", "ridmap"])
def test_a_mapping_that_a_mount_has_not(busybox, tmp_path, option):
    said = coracle("run", "--rm", "--mount", f"type=bind,src={tmp_path},dst=/m,options=rbind:{option}", busybox, "t",
                   "true", code=125).err
    assert "idmap without uidMappings of its own is not supported" in said
