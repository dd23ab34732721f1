# SPDX-License-Identifier: Apache-2.0
"""run, attached: what goes in, what comes out, and what the container is made of."""
import fcntl
import hashlib
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness import counts, sandbox
from harness.cli import coracle, ctr, environment, eventually, remove_snapshots, start
from harness.images import Image, busybox_layer, entry, imported, layer, link

REF = "docker.io/library/test:latest"


def sh(busybox, script, *flags, **how):
    return coracle("run", "--rm", *flags, busybox, "t", "sh", "-c", script, **how)


def wait_for(process, text):
    """Reads lines of a started command until one holds `text`."""
    for line in process.stdout:
        if text in line.decode():
            return
    raise AssertionError(f"ended without saying {text}: {process.stderr.read().decode()}")


# --- exit codes -----------------------------------------------------------------------------------

@pytest.mark.quick
@pytest.mark.parametrize("code", [0, 1, 7, 125, 255])
def test_exit_code(busybox, code):
    sh(busybox, f"exit {code}", code=code)
    ctr("run", "--rm", "docker.io/library/busybox:latest", "t", "sh", "-c", f"exit {code}", code=code)


def test_killed_by_a_signal(busybox):
    with start("coracle", "run", "--rm", busybox, "t", "sh", "-c", "echo up; exec sleep 1000") as p:
        wait_for(p, "up")
        coracle("tasks", "kill", "--signal", "KILL", "t")
        assert p.wait(60) == 137


@pytest.mark.parametrize("program, ours, text", [
    ("nosuch", 127, 'exec: "nosuch": executable file not found in $PATH'),
    ("/etc/passwd", 126, 'exec: "/etc/passwd": permission denied'),
    ("/etc", 126, 'exec: "/etc": permission denied'),
])
def test_what_cannot_be_executed(busybox, program, ours, text):
    assert text in coracle("run", "--rm", busybox, "t", program, code=ours).err
    said = ctr("run", "--rm", "docker.io/library/busybox:latest", "t", program, code=1).err
    assert said.startswith("ctr: ") and text in said


# --- standard input and output --------------------------------------------------------------------

@pytest.mark.quick
def test_streams_are_apart(busybox):
    done = sh(busybox, "cat; echo out; echo err >&2", stdin="in\n")
    assert (done.out, done.err) == ("in\nout\n", "err\n")


def test_end_of_input_is_delivered(busybox):
    for _ in range(5):
        assert coracle("run", "--rm", busybox, "t", "cat", stdin="x").out == "x"
        with open("/dev/null") as null:
            assert coracle("run", "--rm", busybox, "t", "cat", stdin=null).out == ""


def test_early_closed_output_ends_the_program(busybox):
    with start("coracle", "run", "--rm", busybox, "t", "yes") as p:
        assert p.stdout.readline() == b"y\n"
        p.stdout.close()
        # The kernel keeps SIGPIPE from the first process of a pid namespace: that sees EPIPE.
        assert p.wait(60) in (1, 128 + signal.SIGPIPE)


def test_much_output(busybox):
    out = sh(busybox, "head -c 20000000 /dev/zero | tr '\\0' x").out
    assert len(out) == 20_000_000


def test_command_substitution_ends_with_the_container(busybox):
    done = subprocess.run(["sh", "-c", f"echo \"$(coracle run --rm {busybox} t echo hi)\""],
                          capture_output=True, env=environment(), timeout=60)
    assert done.stdout == b"hi\n"


def test_files_behind_redirections_stay_out_of_reach(busybox, tmp_path):
    """Root in a container can open /proc/self/fd/N anew; it gets the bytes, not the file."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.write_text("secret\n")
    out.write_text("")
    with open(source) as stdin, open(out, "w") as stdout:
        p = start("coracle", "run", "--rm", busybox, "t", "sh", "-c",
                  "cat; echo evil > /proc/self/fd/0; echo said > /proc/self/fd/1; echo end",
                  stdin=stdin, stdout=stdout)
        p.communicate(timeout=60)
    assert source.read_text() == "secret\n"
    assert out.read_text().startswith("secret\n") and out.read_text().endswith("end\n")


def test_null_io(busybox):
    done = coracle("run", "--rm", "--null-io", busybox, "t", "sh", "-c", "echo x; echo y >&2; cat", stdin="z")
    assert (done.out, done.err) == ("", "")


# --- signals --------------------------------------------------------------------------------------

def test_signals_are_forwarded(busybox):
    script = "trap 'echo got; exit 3' TERM; echo up; while :; do sleep 0.05; done"
    with start("coracle", "run", "--rm", busybox, "t", "sh", "-c", script) as p:
        wait_for(p, "up")
        p.send_signal(signal.SIGTERM)
        assert p.wait(60) == 3
        assert b"got" in p.stdout.read()


def interrupt_is_pending(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return any(int(word, 16) & 2 for word in re.findall(r"^(?:Sig|Shd)Pnd:\s*(\w+)", status, re.M))


def test_the_third_interrupt_lets_the_caller_go(busybox):
    """A program that is pid 1 gets no SIGINT that it doesn't catch; the shell before it would."""
    with start("coracle", "run", "--rm", busybox, "deaf", "sh", "-c", "trap '' INT; echo up; exec sleep 1000") as p:
        wait_for(p, "up")
        for _ in range(3):
            p.send_signal(signal.SIGINT)
            while interrupt_is_pending(p.pid):  # two of one kind would be one
                pass
        assert p.wait(60) == 130
        # The container has the pipe still: a line, not its end.
        assert "coracle kill -s KILL deaf ends it" in p.stderr.readline().decode()
    assert "deaf" in coracle("ps", "-q").out.split()
    coracle("kill", "-s", "KILL", "deaf")


@pytest.mark.parametrize("command", [["run", "--rm", "busybox", "t", "cat"], ["start", "t"]])
def test_a_signal_while_it_cleans_leaves_nothing(busybox, command):
    """It is for a program that has ended: the clean-up goes to its end first."""
    if command[0] == "start":
        coracle("create", busybox, "t", "cat")
    with start("coracle", *command, stdin=subprocess.PIPE) as p:
        assert eventually(lambda: re.search(r"^t +\d+ +RUNNING", ctr("tasks", "ls").out, re.M))
        with open("/run/coracle/default/t/lock", "r+") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)  # what it claims to clean
            p.stdin.close()
            waiting = f":{os.fstat(lock.fileno()).st_ino} "
            eventually(lambda: [line for line in Path("/proc/locks").read_text().splitlines()
                                if " -> " in line and waiting in line])
            p.send_signal(signal.SIGTERM)
        assert p.wait(60) in (0, -signal.SIGTERM)
    counts.until(lambda now: not now["cgroups"] and not now["processes"] and not now["trash"])
    coracle("rm", "t", code=None)


def test_kill_of_the_command_leaves_the_container(busybox):
    """The monitor of each container: it runs on, is listed, can be killed and removed."""
    with start("coracle", "run", "--rm", busybox, "orphan", "sh", "-c", "echo up; exec sleep 1000") as p:
        wait_for(p, "up")
        p.kill()
        p.wait(60)
    assert re.search(r"^orphan +\d+ +RUNNING", ctr("tasks", "ls").out, re.M)
    assert "orphan" in coracle("ps").out
    assert ctr("containers", "ls", "-q").out == "orphan\n"
    assert json.loads(ctr("containers", "info", "orphan").out)["ID"] == "orphan"
    ctr("tasks", "kill", "-s", "KILL", "orphan")
    deadline = time.monotonic() + 60
    while ctr("containers", "ls", "-q").out and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ctr("containers", "ls", "-q").out == ""


def test_kept_container(busybox):
    coracle("run", busybox, "kept", "sh", "-c", "echo data > /file")
    assert ctr("containers", "ls", "-q").out == "kept\n"
    coracle("run", busybox, "kept", "true", code=125)
    assert 'already exists' in ctr("run", "docker.io/library/busybox:latest", "kept", "true", code=1).err
    assert re.search(r"^kept +sha256:\w+ +Active", ctr("snapshots", "ls").out, re.M)
    assert ctr("c", "rm", "kept").err == ""
    assert ctr("containers", "ls", "-q").out == ""


def test_running_container_is_not_removed(busybox):
    with start("coracle", "run", "--rm", busybox, "busy", "sh", "-c", "echo up; exec sleep 1000") as p:
        wait_for(p, "up")
        assert "cannot delete a non stopped container" in ctr("c", "rm", "busy", code=1).err
        ctr("t", "kill", "-s", "9", "busy")
        p.wait(60)


# --- the flags ------------------------------------------------------------------------------------

def spec_of(busybox, *flags):
    return json.loads(coracle("spec", *flags, busybox, "t", "sh").out)


@pytest.mark.quick
def test_flags_are_what_they_say(busybox, tmp_path):
    (tmp_path / "env").write_text("F=from-file\n# comment\n")
    (tmp_path / "data").write_text("mounted")
    tmp_path.chmod(0o755)
    out = sh(busybox, "echo $A $F; pwd; id -u; id -g; hostname; cat /mnt/data; "
                      "touch /x 2>/dev/null && echo writable || echo read-only",
             "--env", "A=1", "--env-file", tmp_path / "env", "--cwd", "/tmp", "--user", "65534:7",
             "--hostname", "inside", "--read-only",
             "--mount", f"type=bind,src={tmp_path},dst=/mnt,options=rbind:ro").out
    assert out.splitlines() == ["1 from-file", "/tmp", "65534", "7", "inside", "mountedread-only"]


def test_capabilities(busybox):
    def mask(*flags):
        return int(re.search(r"CapEff:\s+(\w+)", sh(busybox, "cat /proc/self/status", *flags).out)[1], 16)
    default = 0xa80425fb
    assert mask() == default
    assert mask("--cap-add", "CAP_SYS_TIME") == default | 1 << 25
    assert mask("--cap-drop", "CAP_NET_RAW") == default & ~(1 << 13)
    assert mask("--user", "1000") == 0
    assert mask("--privileged") > default


def test_no_new_privileges_and_seccomp(busybox):
    def status(*flags):
        out = sh(busybox, "cat /proc/self/status", *flags).out
        return tuple(int(re.search(rf"^{k}:\s+(\d+)", out, re.M)[1]) for k in ("NoNewPrivs", "Seccomp"))
    assert status() == (1, 2)
    assert status("--no-seccomp") == (1, 0)
    assert status("--allow-new-privs") == (0, 2)
    assert status("--privileged") == (1, 0)
    assert status("--privileged", "--seccomp") == (1, 2)


def test_seccomp_profile(busybox, tmp_path):
    (tmp_path / "p.json").write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}))
    out = sh(busybox, "mkdir /x 2>/dev/null && echo made || echo refused",
             "--seccomp-profile", tmp_path / "p.json").out
    assert out == "refused\n"


def test_memory_limit(busybox):
    if not any((Path(p) / "memory.limit_in_bytes").exists() or
               "memory" in (Path(p) / "cgroup.controllers").read_text().split()
               for p, v2 in sandbox.hierarchies().items() if v2 or (Path(p) / "memory.limit_in_bytes").exists()):
        pytest.skip("no memory controller here")
    sh(busybox, "tail -c 200000000 /dev/zero | wc -c", "--memory-limit", str(32 << 20), code=None)
    done = coracle("run", "--rm", "--memory-limit", str(32 << 20), busybox, "t", "tail", "-c", "200000000",
                   "/dev/zero", code=None)
    assert done.code == 137


def run_block_io(busybox, tmp_path, block_io, **how):
    spec = json.loads(coracle("spec", busybox, "t", "sleep", "1000").out)
    spec["linux"]["resources"]["blockIO"] = block_io
    (tmp_path / "config.json").write_text(json.dumps(spec))
    return coracle("run", "-d", "--rm", "--config", tmp_path / "config.json", "t", **how)


def run_throttled(busybox, tmp_path, device, **how):
    major, minor = device
    return run_block_io(busybox, tmp_path, {
        "throttleReadBpsDevice": [{"major": major, "minor": minor, "rate": 1048576}],
        "throttleWriteIOPSDevice": [{"major": major, "minor": minor, "rate": 77}]}, **how)


def test_block_io_weights(busybox, tmp_path):
    """Which file takes them is src/kernel/test_cgroup.c; here: they arrive, or the run says why not."""
    done = run_block_io(busybox, tmp_path, {"weight": 300}, code=None)
    if done.code == 0:
        groups = [g for p in sandbox.hierarchies() for g in Path(p).glob("coracle/*/default/t.*")]
        files = [g / name for g in groups for name in ["blkio.bfq.weight", "blkio.weight", "io.bfq.weight", "io.weight"]]
        assert any("300" in f.read_text() for f in files if f.exists())
        coracle("rm", "-f", "t")
    else:
        assert done.err.startswith("coracle: block I/O weights: no writable cgroup controller, or none with a scheduler "
                                   "that has them (BFQ, iocost)"), done.err
    for block_io, said in [
            ({"weightDevice": [{"major": 240, "minor": 999, "weight": 100}]},
             ["block I/O weight: there is no block device 240:999, or it is a partition"] if done.code == 0 else ["weights: "]),
            ({"leafWeight": 100}, ["block I/O leaf weights: no cgroup controller has them"]),
            ({"weightDevice": [{"major": 240, "minor": 999, "leafWeight": 100}]}, ["block I/O leaf weights: "]),
            ({"weight": 1001}, ["linux.resources.blockIO.weight: "]),
            ({"weightDevice": [{"major": -1, "minor": 0, "weight": 100}]}, ["linux.resources.blockIO.weightDevice[0].major: "]),
            ({"weightDevice": [{"major": 8, "minor": 0, "weight": 70000}]}, ["weightDevice[0].weight: "]),
            ({"weightDevice": 1}, ["linux.resources.blockIO.weightDevice: not an array"])]:
        err = run_block_io(busybox, tmp_path, block_io, code=125).err
        assert all(text in err for text in said), (block_io, err)
    disks = [f.parents[1] for f in Path("/sys/block").glob("*/queue/scheduler") if "[bfq]" not in f.read_text()]
    if done.code == 0 and disks:
        major, minor = map(int, (disks[0] / "dev").read_text().split(":"))
        err = run_block_io(busybox, tmp_path, {"weightDevice": [{"major": major, "minor": minor, "weight": 100}]}, code=125).err
        assert f"block I/O weight: device {major}:{minor} has a scheduler without weights (BFQ has them)" in err


def test_block_io_throttles(busybox, tmp_path):
    v1 = next((Path(p) for p in sandbox.hierarchies() if (Path(p) / "blkio.throttle.read_bps_device").exists()), None)
    v2 = next((Path(p) for p, v2 in sandbox.hierarchies().items()
               if v2 and "io" in (Path(p) / "cgroup.controllers").read_text().split()), None)
    disk = next(Path("/sys/block").glob("loop*"), None) or next(Path("/sys/block").glob("*"), None)
    if not (v1 or v2) or not disk:
        pytest.skip("no controller of block I/O here, or no disk")
    device = tuple(map(int, (disk / "dev").read_text().split(":")))
    run_throttled(busybox, tmp_path, device)
    name = f"{device[0]}:{device[1]}"
    if v1:
        group = next(v1.glob("coracle/*/default/t.*"))
        assert (group / "blkio.throttle.read_bps_device").read_text() == f"{name} 1048576\n"
        assert (group / "blkio.throttle.write_iops_device").read_text() == f"{name} 77\n"
    else:
        line = (next(v2.glob("coracle/*/default/t.*")) / "io.max").read_text()
        assert line == f"{name} rbps=1048576 wbps=max riops=max wiops=77\n"
    coracle("rm", "-f", "t")
    refused = run_throttled(busybox, tmp_path, (240, 999), code=125)
    assert "there is no block device 240:999" in refused.err


def test_dockers_limits(busybox):
    script = "ulimit -Sn; ulimit -Hn; df -k /dev/shm | tail -1 | awk '{print $2}'; grep -c ' /scratch tmpfs rw,nosuid,nodev,noexec' /proc/mounts"
    out = sh(busybox, script, "--ulimit", "nofile=100:200", "--shm-size", "2m", "--tmpfs", "/scratch:size=1m").out
    assert out.split() == ["100", "200", "2048", "1"]


def test_stop_signal(busybox):
    coracle("run", "-d", "--stop-signal", "USR1", busybox, "t", "sh", "-c", "trap 'exit 7' USR1; while :; do sleep 0.01; done")
    coracle("stop", "t")
    assert coracle("wait", "t").out.strip() == "7"
    coracle("rm", "t")
    assert "NOSUCH" in coracle("run", "--stop-signal", "NOSUCH", busybox, "t", "true", code=125).err


def test_labels_and_annotations(busybox):
    spec = spec_of(busybox, "--label", "a=1", "--annotation", "b=2")
    assert spec["annotations"]["a"] == "1" and spec["annotations"]["b"] == "2"


def test_pid_file(busybox, tmp_path):
    with start("coracle", "run", "--rm", "--pid-file", tmp_path / "pid", busybox, "t",
               "sh", "-c", "echo up; exec sleep 1000") as p:
        wait_for(p, "up")
        pid = (tmp_path / "pid").read_text()
        assert pid.isdigit() and os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid")
        ctr("t", "kill", "-s", "KILL", "t")
        p.wait(60)


def test_net_host(busybox):
    out = sh(busybox, "readlink /proc/self/ns/net", "--net-host").out
    assert out.strip() == os.readlink("/proc/self/ns/net")


def test_with_ns(busybox):
    subprocess.run(["ip", "netns", "add", "other"], check=True)
    try:
        inode = os.stat("/run/netns/other").st_ino
        out = sh(busybox, "readlink /proc/self/ns/net", "--with-ns", "network:/run/netns/other").out
        assert out.strip() == f"net:[{inode}]"
    finally:
        subprocess.run(["ip", "netns", "del", "other"], check=True)


def test_rootfs(busybox, tmp_path):
    with_root = tmp_path / "root"
    with_root.mkdir()
    coracle("images", "mount", "--rw", busybox, with_root)
    try:
        assert coracle("run", "--rm", "--rootfs", with_root, "t", "/bin/echo", "hi").out == "hi\n"
    finally:
        coracle("images", "unmount", "--rm", with_root)


def test_native_snapshotter(busybox):
    out = coracle("run", "--rm", "--snapshotter", "native", busybox, "t", "cat", "/proc/mounts").out
    assert not out.splitlines()[0].startswith("overlay")
    # The unpacked layers stay, as ctr's do; take them away for the count.
    remove_snapshots("native")


def test_command_replaces_the_entrypoint(tmp_path):
    image = Image(busybox_layer(), Entrypoint=["echo", "entry"], Cmd=["cmd"])
    with imported(image.oci(tmp_path / "i.tar"), REF):
        assert coracle("run", "--rm", "test", "t").out == "entry cmd\n"
        assert coracle("run", "--rm", "test", "t", "echo", "own").out == "own\n"


def test_spec_starts_the_same_container(busybox, tmp_path):
    spec = coracle("spec", "--env", "A=b", "--hostname", "h", busybox, "t", "sh", "-c", "echo $A; hostname").out
    (tmp_path / "config.json").write_text(spec)
    assert coracle("run", "--rm", "--config", tmp_path / "config.json", "t").out == "b\nh\n"


# --- from inside ----------------------------------------------------------------------------------

@pytest.mark.quick
def test_what_a_container_sees(busybox):
    out = sh(busybox, "ls /dev; echo; ls /proc/self/fd; echo; cat /proc/self/cgroup; echo; ls /sys/fs/cgroup; "
                      "umask; cat /proc/1/comm; ip -o link | wc -l").out
    devices = out.split("\n\n")[0].split()
    assert devices == sorted(["core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr",
                              "stdin", "stdout", "tty", "urandom", "zero"]) or "core" not in devices
    assert out.split("\n\n")[1].split() == ["0", "1", "2", "3"]  # 3 is ls's own
    assert "0022" in out and out.splitlines()[-1] == "1"


def test_masked_and_read_only_paths(busybox):
    masked = [p for p in ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/latency_stats") if os.path.exists(p)]
    assert masked
    assert sh(busybox, f"cat {' '.join(masked)} | wc -c; ls /sys/firmware | wc -l").out == "0\n0\n"
    assert "Read-only" in sh(busybox, "echo 1 > /proc/sys/kernel/sysrq; touch /sys/x", code=1).err


def test_our_programs_are_out_of_reach(busybox):
    """CVE-2019-5736: what /proc/self/exe names in a container is never the host's file."""
    def state():
        files = [Path("/usr/local/bin/coracle"), *Path("/usr/local/libexec/coracle").iterdir()]
        return {f: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
    before = state()
    sh(busybox, "for p in /proc/[0-9]*; do echo evil > $p/exe; done", code=None)
    assert state() == before


def test_script_that_names_proc_self_exe(tmp_path):
    image = Image(layer(entry("bin/"), entry("x", "#!/proc/self/exe\n", mode=0o755)), busybox_layer())
    with imported(image.oci(tmp_path / "i.tar"), REF):
        coracle("run", "--rm", "test", "t", "/x", code=None)


@pytest.mark.parametrize("fd", range(3, 12))
def test_leaked_descriptors(busybox, fd):
    """CVE-2024-21626: a working directory through a descriptor of ours."""
    done = sh(busybox, "pwd; ls", "--cwd", f"/proc/self/fd/{fd}", code=None)
    assert done.code == 125 and f"working directory /proc/self/fd/{fd}: " in done.err


@pytest.mark.parametrize("bad", ["proc", "sys", "dev"])
def test_mount_points_that_are_links(tmp_path, bad):
    image = Image(layer(entry("elsewhere/"), link(bad, "elsewhere")), busybox_layer())
    with imported(image.oci(tmp_path / "i.tar"), REF):
        said = coracle("run", "--rm", "test", "t", "true", code=125).err
        assert f"/{bad}" in said


def test_dev_null_of_the_image(tmp_path):
    """CVE-2025-31133: the image's /dev/null is a link; the mask must not follow it."""
    image = Image(layer(entry("dev/"), link("dev/null", "/proc/sys/kernel/core_pattern")), busybox_layer())
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    with imported(image.oci(tmp_path / "i.tar"), REF):
        assert coracle("run", "--rm", "test", "t", "sh", "-c", "head -c 1 /proc/kcore | wc -c").out == "0\n"
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_many_short_ones(busybox, soak):
    before = counts.rested()
    for _ in range(soak(20, 1000)):
        coracle("run", "--rm", busybox, "t", "true")
    counts.assert_back(before)
