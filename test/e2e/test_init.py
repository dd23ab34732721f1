# SPDX-License-Identifier: Apache-2.0
"""--init: an init of ours is pid 1, and the program its child."""
import itertools
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from harness.cli import coracle, ctr, eventually, start
from harness.images import Image, busybox_layer, entry, imported, layer
from harness.screen import Screen

REF = "docker.io/library/test:latest"
IGNORED = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
STOPPING = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
# Eight that end when somebody opens the pipe: the shell, which would wait for some of them, is gone by then.
ORPHANS = "mkfifo /f; for i in 1 2 3 4 5 6 7 8; do (cat /f &); done; exec sleep 1000"


@pytest.fixture(autouse=True)
def no_container():
    yield
    for name in ctr("c", "ls", "-q").out.split():
        coracle("rm", "-f", name)


def sh(busybox, script, *flags, **how):
    return coracle("run", "--rm", "--init", *flags, busybox, "t", "sh", "-c", script, **how)


def running(busybox, *argv, flags=("--init",), name="t"):
    """The pid of init, once the container runs."""
    coracle("run", "-d", *flags, busybox, name, *argv)
    return pid_of(name)


def pid_of(name):
    return int(re.search(rf"^{name} +(\d+) +RUNNING", ctr("t", "ls").out, re.M).group(1))


def stat(pid):
    """comm, then the fields of /proc/PID/stat from state on; None: it is gone."""
    try:
        comm, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(") ")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return [comm, *rest.split()]


def children(pid):
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def program_of(init):
    return children(init)[0]


def started(comm, name="t"):
    """The pid of a program that is being started."""
    def look():
        row = re.search(rf"^{name} +(\d+) +RUNNING", ctr("t", "ls").out, re.M)
        return row and [p for p in children(row.group(1)) if (stat(p) or [""])[0] == comm]
    return eventually(look)[0]


def end_orphans(init, name, wanted):
    """Until init's children are in these states."""
    def look():
        coracle("exec", name, "sh", "-c", ": <> /f")  # who comes to the pipe later waits for the next round
        return sorted(stat(p)[1] for p in children(init) if stat(p)) == wanted
    eventually(lambda: "sleep" in [(stat(p) or [""])[0] for p in [init, *children(init)]])
    eventually(look)


def zombies(pid):
    return [p for p in children(pid) if (stat(p) or " ")[1:2] == ["Z"]]


def ended(name="t"):
    return eventually(lambda: re.search(rf"^{name} +\d+ +STOPPED", ctr("t", "ls").out, re.M))


def code_of(name="t"):
    return int(re.search(r"exited \((\d+)\)", coracle("ps", "-a").out).group(1))


# --- what it is for -------------------------------------------------------------------------------

@pytest.mark.quick
def test_streams_and_exit_codes(busybox):
    done = sh(busybox, "cat; echo out; echo err >&2; exit 7", stdin="in\n", code=7)
    assert (done.out, done.err) == ("in\nout\n", "err\n")
    sh(busybox, "exit 0")
    sh(busybox, "kill -9 $$", code=137)
    sh(busybox, "kill $$", code=143)


@pytest.mark.quick
def test_who_is_who(busybox):
    assert sh(busybox, "echo $$ $PPID; cat /proc/1/comm").out == "2 1\ncoracle-init\n"
    init = running(busybox, "sleep", "1000")
    assert Path(f"/proc/{init}/cmdline").read_text().rstrip("\0") == "coracle-init\0sleep\0001000"
    assert coracle("exec", "t", "ps", "-o", "pid,args").out.splitlines()[1] == "    1 coracle-init sleep 1000"
    # It holds nothing: who reads the program's output sees its end.
    assert os.listdir(f"/proc/{init}/fd") == []


def test_orphans_are_reaped(busybox):
    """Without it they stay as zombies: the program never waits for them."""
    plain = running(busybox, "sh", "-c", ORPHANS, flags=(), name="plain")
    end_orphans(plain, "plain", ["Z"] * 8)
    init = running(busybox, "sh", "-c", ORPHANS)
    end_orphans(init, "t", ["S"])
    # Those of exec, too.
    for name in ("t", "plain"):
        coracle("exec", name, "sh", "-c", "(sleep 0.01 &); (sleep 0.01 &)")
    assert eventually(lambda: len(zombies(plain)) == 10)
    assert eventually(lambda: len(children(init)) == 1) and zombies(init) == []


def test_stop_needs_no_patience(busybox):
    """A program that is pid 1 gets no signal that it doesn't catch; one below init ends by it."""
    running(busybox, "sleep", "1000")
    coracle("stop", "--time", "-1", "t")
    ended()
    assert code_of() == 143


def test_every_signal_arrives(busybox):
    numbers = [n for n in range(1, 65) if n not in IGNORED | STOPPING | {signal.SIGKILL}]
    for number in numbers:
        coracle("run", "-d", "--init", busybox, "t", "sleep", "1000")
        coracle("kill", "--signal", number, "t")
        assert coracle("wait", "t").out == f"{128 + number}\n", number
        coracle("rm", "t")


def test_stops_and_what_is_ignored(busybox):
    init = running(busybox, "sleep", "1000")
    program = program_of(init)
    for number in sorted(STOPPING - {signal.SIGSTOP}):
        coracle("kill", "--signal", number, "t")
        eventually(lambda: stat(program)[1] == "T")
        assert stat(init)[1] == "S"
        coracle("kill", "--signal", "CONT", "t")
        eventually(lambda: stat(program)[1] == "S")
    for number in sorted(IGNORED):
        coracle("kill", "--signal", number, "t")
    coracle("kill", "--signal", "STOP", "t")  # init's alone
    eventually(lambda: stat(init)[1] == "T")
    assert stat(program)[1] == "S"
    coracle("kill", "--signal", "TERM", "t")
    coracle("kill", "--signal", "CONT", "t")
    assert coracle("wait", "t").out == "143\n"


def test_signals_are_passed_on_once(busybox):
    """From outside, from inside to pid 1, and to the program's own group. CHLD is init's."""
    script = "trap 'echo USR1' USR1; trap 'echo CHLD' CHLD; echo up; while :; do read -t 1000 x; done"
    running(busybox, "sh", "-c", script)
    eventually(lambda: coracle("logs", "t").out == "up\n")
    coracle("kill", "--signal", "CHLD", "t")
    for n, how in enumerate([["kill", "--signal", "USR1", "t"], ["exec", "t", "kill", "-USR1", "1"],
                             ["exec", "t", "kill", "-USR1", "-2"]], 1):
        coracle(*how)
        eventually(lambda: coracle("logs", "t").out == "up\n" + n * "USR1\n")


def test_attached(busybox):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with start("coracle", "run", "--rm", "--init", busybox, "t", "sh", "-c", "echo up; exec sleep 1000") as p:
            assert p.stdout.readline() == b"up\n"
            p.send_signal(number)
            assert p.wait(60) == 128 + number


def test_what_lives_when_the_program_ends(busybox):
    assert sh(busybox, "(sleep 1000 &); sleep 1000 & trap '' TERM; exit 3", code=3).out == ""


def test_a_program_that_makes_init_its_tracer(busybox, tmp_path):
    """Its stops are then told to init as its end would be: it hasn't ended."""
    (tmp_path / "traced.c").write_text("#include <signal.h>\n#include <sys/ptrace.h>\n"
                                       "int main(void) { return ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 || raise(SIGUSR1); }")
    subprocess.run(["gcc", "-static", "-o", tmp_path / "traced", tmp_path / "traced.c"], check=True)
    init = running(busybox, "/mnt/traced", flags=("--init", "--mount", f"type=bind,src={tmp_path},dst=/mnt,options=rbind:ro"))
    program = program_of(init)
    eventually(lambda: stat(program)[1] == "t")
    coracle("kill", "--signal", "CHLD", "t")
    coracle("exec", "t", "kill", "-CHLD", "1")
    os.kill(program, signal.SIGKILL)
    assert coracle("wait", "t").out == "137\n"


# --- errors ---------------------------------------------------------------------------------------

def test_what_cannot_be_executed_is_said_as_without(tmp_path):
    files = [entry("text", "no program\n", mode=0o755), entry("script", "#!/nosuch\n", mode=0o755),
             entry("elf", b"\x7fELF" + bytes(60), mode=0o755)]
    image = Image(busybox_layer(), layer(*files))
    with imported(image.oci(tmp_path / "i.tar"), REF):
        for program, code in (("nosuch", 127), ("/nosuch", 127), ("/etc/passwd", 126), ("/etc", 126), ("/text", 126),
                              ("/script", 127), ("/elf", 126)):
            for flags in ((), ("-d",), ("--pid-file", tmp_path / "pid")):
                plain = coracle("run", "--rm", *flags, REF, "t", program, code=code)
                assert coracle("run", "--rm", "--init", *flags, REF, "t", program, code=code).err == plain.err
                assert plain.err.startswith(f'coracle: exec: "{program}": ')


@pytest.mark.parametrize("call", ["clone", "wait4", "rt_sigtimedwait", "kill", "setpgid", "close", "rt_sigprocmask"])
def test_profile_that_forbids_what_init_does(busybox, tmp_path, call):
    (tmp_path / "p.json").write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [call], "action": "SCMP_ACT_ERRNO"}]}))
    said = coracle("run", "--rm", "--init", "--seccomp-profile", tmp_path / "p.json", busybox, "t", "true", code=125)
    assert said.err.splitlines() == [f"coracle: init: {call}: Operation not permitted",
                                     "hint: a seccomp profile has to allow what an init does"]


def test_profile_that_kills(busybox, tmp_path):
    (tmp_path / "p.json").write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["clone"], "action": "SCMP_ACT_KILL_PROCESS"}]}))
    flags = ["--seccomp-profile", tmp_path / "p.json"]
    coracle("run", "--rm", "--init", *flags, busybox, "t", "true", code=128 + signal.SIGSYS)


def test_no_room_for_two_processes(busybox, tmp_path):
    spec = json.loads(coracle("spec", "--init", busybox, "t", "true").out)
    spec["linux"]["resources"]["pids"] = {"limit": 1}
    (tmp_path / "config.json").write_text(json.dumps(spec))
    done = coracle("run", "--rm", "--config", tmp_path / "config.json", "t", code=125)
    if "pids" in done.err:
        pytest.skip("no pids controller here")
    assert done.err == "coracle: init: clone: Resource temporarily unavailable\n"


# --- terminals ------------------------------------------------------------------------------------

def test_ctrl_c_comes_once(busybox):
    script = "trap 'echo g''ot' INT; echo u''p; while :; do read -t 1000 x && echo li''ne; done"
    with Screen("coracle", "run", "--rm", "--init", "-it", busybox, "t", "sh", "-c", script) as s:
        s.wait_for("up")
        for n in range(1, 4):
            s.type("\x03")
            s.wait_for("(got[^g]*){%d}" % n)
            s.type("\n")
            s.wait_for("(line[^l]*){%d}" % n)
        assert s.seen.count(b"got") == 3
        coracle("kill", "t")
        assert s.end() == 143 and s.is_restored()


def test_job_control(busybox):
    with Screen("coracle", "run", "--rm", "--init", "-it", busybox, "t", "sh") as s:
        s.wait_for("# ")
        assert b"job control turned off" not in s.seen
        s.type("sleep 777\n")
        s.wait_for("sleep 777\r\n")
        init = pid_of("t")
        job = lambda: [p for p in children(program_of(init)) if stat(p)[0] == "sleep"]
        eventually(lambda: job() and stat(init)[6] == str(job()[0]))  # it has the foreground
        s.type("\x1a")
        s.wait_for("Stopped")
        s.type("fg\n")
        eventually(lambda: stat(job()[0])[1] == "S")
        s.type("\x03")
        s.type("stty tostop; echo st''ill; exit 5\n")
        s.wait_for("still")
        assert s.end() == 5 and s.is_restored()


def test_ctrl_z_stops_a_program_that_is_no_shell(busybox):
    with Screen("coracle", "run", "--rm", "--init", "-it", busybox, "t", "sleep", "1000") as s:
        program = started("sleep")
        assert stat(program)[3] == stat(program)[6] == str(program)  # group, and the terminal's
        s.type("\x1a")
        eventually(lambda: stat(program)[1] == "T")
        coracle("kill", "--signal", "CONT", "t")
        eventually(lambda: stat(program)[1] == "S")
        s.type("\x03")
        assert s.end() == 130 and s.is_restored()


# --- as others ------------------------------------------------------------------------------------

@pytest.mark.parametrize("flags", [
    ["--user", "1000:1000"], ["--cap-drop", "ALL"], ["--allow-new-privs"], ["--privileged"], ["--no-seccomp"],
    ["--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536"], ["--read-only"],
    ["--user", "1000:1000", "--allow-new-privs"]])
def test_init_is_as_confined_as_the_program(busybox, flags):
    if "ALL" in flags:
        flags = [word for cap in ("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID",
                                  "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE")
                 for word in ("--cap-drop", f"CAP_{cap}")]
    def confinement(pid):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines() + Path(f"/proc/{pid}/limits").read_text().splitlines()
        return [line for line in lines if re.match("Uid|Gid|Groups|Cap|Seccomp:|NoNew|Umask|Max", line)]
    plain = confinement(running(busybox, "sleep", "1000", flags=flags, name="plain"))
    init = running(busybox, "sleep", "1000", flags=["--init", *flags])
    assert confinement(program_of(init)) == plain and len(plain) > 20
    assert confinement(init) == plain
    coracle("kill", "t")
    assert coracle("wait", "t").out == "143\n"


def test_our_file_stays_out_of_reach(busybox):
    """CVE-2019-5736: it runs as long as the container, which can open it, but never for writing."""
    file = Path("/usr/local/libexec/coracle/coracle-init")
    before = file.read_bytes()
    done = sh(busybox, "exec 3< /proc/1/exe; echo evil > /proc/1/exe; echo evil > /proc/self/fd/3; ls -l /proc/1/exe",
              "--privileged", code=None)
    assert file.read_bytes() == before
    assert done.err.count("Read-only file system") == 2, repr(done)


def test_foreign_pid_namespace(busybox):
    """There it is no pid 1, but a subreaper; the program dies with it."""
    other = running(busybox, "sleep", "1000", flags=(), name="other")
    for path in (f"/proc/{os.getpid()}/ns/pid", f"/proc/{other}/ns/pid"):
        init = running(busybox, "sh", "-c", ORPHANS, flags=("--init", "--with-ns", f"pid:{path}"))
        end_orphans(init, "t", ["S"])
        program = program_of(init)
        os.kill(init, signal.SIGKILL)
        eventually(lambda: stat(program) is None or stat(program)[1] == "Z")  # who is pid 1 there reaps, or not
        assert coracle("wait", "t").out == "137\n"
        coracle("rm", "t")
        coracle("run", "-d", "--init", "--with-ns", f"pid:{path}", busybox, "t", "sleep", "1000")
        coracle("kill", "t")
        assert coracle("wait", "t").out == "143\n"
        coracle("rm", "t")


# --- the whole life -------------------------------------------------------------------------------

@pytest.mark.quick
def test_a_kept_container_has_it_again(busybox):
    coracle("create", "--init", busybox, "t", "sleep", "1000")
    for _ in range(2):
        coracle("start", "-d", "t")
        init = pid_of("t")
        assert stat(init)[0] == "coracle-init" and stat(program_of(init))[0] == "sleep"
        assert coracle("exec", "t", "cat", "/proc/1/comm").out == "coracle-init\n"
        coracle("stop", "t")
    info = json.loads(coracle("inspect", "t").out)
    assert info["Spec"]["annotations"] == {"io.coracle.init": "true"}
    assert info["Spec"]["process"]["args"] == ["sleep", "1000"]
    # An image that is made of it asks for none.
    coracle("commit", "t", "test")
    assert coracle("run", "--rm", "test", "u", "cat", "/proc/1/comm").out == "cat\n"
    coracle("images", "rm", REF)


def test_a_spec_says_it(busybox, tmp_path):
    spec = coracle("spec", "--init", busybox, "t", "cat", "/proc/1/comm").out
    assert json.loads(spec)["annotations"]["io.coracle.init"] == "true"
    assert "io.coracle.init" not in coracle("spec", "--init=false", busybox, "t", "true").out
    (tmp_path / "config.json").write_text(spec)
    for command in (coracle, ctr):
        assert command("run", "--rm", "--config", tmp_path / "config.json", "t").out == "coracle-init\n"


def test_pid_file_and_processes(busybox, tmp_path):
    init = running(busybox, "sleep", "1000", flags=("--init", "--pid-file", tmp_path / "pid"))
    program = program_of(init)
    assert (tmp_path / "pid").read_text() == str(init)
    assert [line.split()[0] for line in coracle("tasks", "ps", "t").out.splitlines()[1:]] == [str(init), str(program)]
    rows = coracle("top", "t").out.splitlines()
    assert rows[1].endswith(" coracle-init sleep 1000") and rows[2].endswith(" sleep 1000")


def test_deaths(busybox):
    """Whoever dies, nothing is left."""
    for who, user in itertools.product(("monitor", "init", "program"), ("0", "1000")):
        init = running(busybox, "sh", "-c", "sleep 1000 & (sleep 1000 &); exec sleep 1000",
                       flags=("--init", "--user", user))
        program = program_of(init)
        os.kill({"monitor": int(stat(init)[2]), "init": init, "program": program}[who], signal.SIGKILL)
        eventually(lambda: stat(init) is None and stat(program) is None)
        coracle("rm", "-f", "t")
    with start("coracle", "run", "--rm", "--init", busybox, "t", "sh", "-c", "echo up; exec sleep 1000") as p:
        assert p.stdout.readline() == b"up\n"
        p.kill()
    coracle("stop", "t")
    eventually(lambda: ctr("c", "ls", "-q").out == "")


def test_twelve_at_once(busybox):
    script = "for i in 1 2 3 4 5; do (sleep 0.01 &); done; exit "
    for _ in range(3):
        runs = [start("coracle", "run", "--rm", "--init", busybox, f"t{n}", "sh", "-c", script + str(n))
                for n in range(12)]
        for n, p in enumerate(runs):
            with p:
                assert (p.wait(60), p.stderr.read()) == (n, b"")


def test_a_signal_right_after_the_start(busybox):
    """None is lost between start and program."""
    for _ in range(20):
        coracle("run", "-d", "--rm", "--init", busybox, "t", "sleep", "1000")
        coracle("kill", "t")
        eventually(lambda: ctr("c", "ls", "-q").out == "")
