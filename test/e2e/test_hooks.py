# SPDX-License-Identifier: Apache-2.0
"""Hooks of a config.json: when and where each runs, what it is told, and what becomes of its failures."""
import json
import os
import re
import signal
from pathlib import Path

import pytest

from harness import images
from harness.cli import coracle, ctr, eventually, run, start

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
ERRORS, WARNINGS = KINDS[:4], KINDS[4:]
STATUS = dict(zip(KINDS, ("creating", "creating", "creating", "created", "running", "stopped")))
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
RUNTIME = {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in NAMESPACES}

# Writes one line of what a hook sees. Host programs, in whatever namespace.
RECORD = """import json, os, sys
read = sys.stdin.read()
state = json.loads(read)
say = {"name": sys.argv[1], "argv": sys.argv, "state": state, "env": dict(os.environ), "cwd": os.getcwd(),
       "there": sorted(os.listdir(".")), "leads": os.getsid(0) == os.getpid(), "umask": os.umask(0),
       "ns": {n: os.readlink("/proc/thread-self/ns/" + n) for n in %r} if os.path.exists("/proc/thread-self/ns") else {},
       "fds": [], "mask": [l for l in open("/proc/thread-self/status") if l.startswith(("SigBlk", "SigIgn"))]
       if os.path.exists("/proc/thread-self/status") else []}
for fd in range(64):
    try:
        os.fstat(fd)
        say["fds"].append(fd)
    except OSError:
        pass
if "pid" in state and not sys.argv[1].startswith("createContainer"):  # its pid means nothing in this /proc
    try:
        say["its"] = {n: os.readlink("/proc/%%d/ns/%%s" %% (state["pid"], n)) for n in %r}
        say["net"] = open("/proc/%%d/net/dev" %% state["pid"]).read()
    except OSError:
        assert state["status"] == "running"  # a short life
if os.path.isdir(state["bundle"]):
    say["bundle"] = json.load(open(state["bundle"] + "/config.json"))
with open(sys.argv[2], "a") as log:
    log.write(json.dumps(say) + "\\n")
""" % (NAMESPACES, NAMESPACES)


class Bench:
    """A config.json in the making; `log` has a line for each hook that ran."""

    def __init__(self, busybox, folder):
        self.busybox, self.folder, self.hooks = busybox, folder, {}
        self.log, self.inside = folder / "log", folder / "inside"
        folder.chmod(0o755)
        self.inside.mkdir(mode=0o777)
        self.inside.chmod(0o777)
        (folder / "record.py").write_text(RECORD)

    def host(self, kind, name=None, **more):
        """One that writes down what it sees, outside of the container's root."""
        self.hooks.setdefault(kind, []).append({
            "path": "/usr/bin/python3", "env": ["ONE=1", "TWO=a b"],
            "args": ["a name of its own", "-IS", str(self.folder / "record.py"), name or kind, str(self.log)], **more})

    def sh(self, kind, script, **more):
        self.hooks.setdefault(kind, []).append({"path": "/bin/sh", "args": ["sh", "-c", script], **more})

    def config(self, *program, change=lambda spec: None, flags=()):
        spec = json.loads(coracle("spec", *flags, self.busybox, "t", *program).out)
        spec["hooks"] = self.hooks
        spec["mounts"].append({"destination": "/inside", "type": "bind", "source": str(self.inside),
                               "options": ["rbind", "rw"]})
        change(spec)
        path = self.folder / "config.json"
        path.write_text(json.dumps(spec))
        return path

    def run(self, *program, flags=("--rm",), change=lambda spec: None, **how):
        return coracle("run", *flags, "--config", self.config(*program, change=change), "t", **how)

    def ran(self):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines]

    def names(self):
        return [hook["name"] for hook in self.ran()]


@pytest.fixture
def bench(busybox, tmp_path):
    return Bench(busybox, tmp_path)


# --- When, where, what ---------------------------------------------------------------------------

@pytest.mark.quick
def test_each_in_its_order_and_place(bench):
    for kind in KINDS:
        for name in (f"{kind} 1", f"{kind} 2"):
            if kind == "startContainer":
                bench.sh(kind, f"cat > '/inside/{name}'; for n in {' '.join(NAMESPACES)}; do readlink "
                         f"/proc/self/ns/$n; done > '/inside/{name} ns'; env > '/inside/{name} env'; echo talk",
                         env=["PATH=/bin"])
            else:
                bench.host(kind, name)
    bench.sh("poststart", f": > {bench.inside}/go")
    done = bench.run("sh", "-c", "while ! test -e /inside/go; do :; done; ls /inside; exit 7", code=7,
                     change=lambda spec: spec["annotations"].update({"a": "\"quoted\" \u00e4"}))
    assert "startContainer 2" in done.out and done.err == ""  # the program came after it
    ran = bench.ran()
    assert [hook["name"] for hook in ran] == [f"{kind} {i}" for kind in KINDS if kind != "startContainer"
                                              for i in (1, 2)]
    inside = json.loads((bench.inside / "startContainer 1").read_text())
    # What stands beside PATH the shell has put there.
    assert set((bench.inside / "startContainer 1 env").read_text().split()) <= {"PATH=/bin", "PWD=/", "SHLVL=1", "_=/bin/env"}
    its = dict(zip(NAMESPACES, (bench.inside / "startContainer 2 ns").read_text().split()))
    assert all(its[n] != RUNTIME[n] for n in ("ipc", "mnt", "net", "pid", "uts"))
    states = [(hook["name"].split()[0], hook["state"]) for hook in ran] + [("startContainer", inside)]
    for kind, state in states:
        assert state["ociVersion"] == "1.2.1" and state["id"] == "t" and state["status"] == STATUS[kind]
        assert state["bundle"] == "/run/coracle/default/t"
        assert state["annotations"]["a"] == "\"quoted\" \u00e4"
        assert ("pid" in state) == (kind != "poststop")
    assert inside["pid"] == 1
    for hook in ran:
        kind = hook["name"].split()[0]
        assert {**hook["env"], "LC_CTYPE": ""} == {"ONE": "1", "TWO": "a b", "LC_CTYPE": ""}  # python's own
        assert hook["fds"] == [0, 1, 2] and hook["leads"] and hook["umask"] == 0o022
        assert all(int(line.split()[1], 16) & ~0x1001000 == 0 for line in hook["mask"])  # python ignores PIPE and XFSZ
        if kind == "createContainer":
            assert hook["state"]["pid"] == 1
            assert "busybox" not in hook["there"] and {"bin", "dev", "inside"} <= set(hook["there"])
            assert hook["ns"] == {**its, "pid": its["pid"]}
            continue
        assert hook["ns"] == RUNTIME and hook["cwd"] == "/"
        assert hook["bundle"]["hooks"]["poststop"] and hook["bundle"]["process"]["args"][0] == "sh"
        if kind != "poststop":
            assert hook["its"] == its
    assert ctr("c", "ls", "-q").out == ""


@pytest.mark.quick
def test_create_container_has_the_containers_namespaces(bench):
    """Its program is the host's; a mount and a file of its own stay in the container."""
    bench.sh("createContainer", f"""for n in {' '.join(NAMESPACES)}; do readlink /proc/self/ns/$n; done > {bench.folder}/ns
        hostname > {bench.folder}/name; echo made > ./from-hook""", env=["PATH=/usr/bin:/bin"])
    out = bench.run("sh", "-c", "cat /from-hook; hostname; for n in cgroup ipc mnt net pid uts; do readlink "
                    "/proc/self/ns/$n; done", change=lambda spec: spec.update(hostname="inner")).out.split("\n")
    assert out[:2] == ["made", "inner"] and (bench.folder / "name").read_text() == "inner\n"
    assert not Path("/from-hook").exists()
    seen = (bench.folder / "ns").read_text().split()
    assert seen == out[2:8]


@pytest.mark.quick
def test_network_is_there(bench, warm):
    bench.host("createRuntime")
    bench.host("poststop")
    path = bench.config("true", flags=("--cni",))
    coracle("run", "--rm", "--config", path, "t")
    assert bench.names() == ["createRuntime", "poststop"]
    assert "eth0" in bench.ran()[0]["net"] and bench.ran()[0]["its"]["net"] != RUNTIME["net"]


def test_args_default_to_the_path(bench):
    (bench.folder / "hook").write_text(f"#!/bin/sh\necho \"$0 $#\" > {bench.folder}/argv\n")
    (bench.folder / "hook").chmod(0o755)
    bench.hooks["prestart"] = [{"path": str(bench.folder / "hook")}]
    bench.run("true")
    assert (bench.folder / "argv").read_text() == f"{bench.folder}/hook 0\n"


def test_start_container_may_what_the_program_may(bench):
    """Its file may be the image's: no right more than the program's, no way to our own file, no filter less."""
    look = "grep -E '^(Cap|NoNewPrivs|Seccomp:|Uid|Groups)' /proc/self/status; ls /proc/self/fd | wc -l; umask; pwd"
    bench.sh("startContainer", f"({look}) > /inside/hook; wc -c < /proc/1/exe > /inside/exe; true", env=["PATH=/bin"])

    def user(spec):
        spec["process"].update(user={"uid": 1000, "gid": 1000}, cwd="/tmp")
        spec["process"]["capabilities"]["permitted"] = spec["process"]["capabilities"]["effective"] = ["CAP_CHOWN"]
        spec["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["sethostname"], "action": "SCMP_ACT_ERRNO"}]}
    for change in (user, lambda spec: None):
        out = bench.run("sh", "-c", look, change=change).out
        assert (bench.inside / "hook").read_text() == out and "Seccomp:\t2" in out
    bench.run("true", change=lambda spec: [spec["process"]["capabilities"][s].append("CAP_SYS_PTRACE")
                                           for s in ("bounding", "permitted", "effective")])
    assert int((bench.inside / "exe").read_text()) == Path("/usr/local/libexec/coracle/coracle-init").stat().st_size


def test_user_namespace(bench):
    bench.host("createRuntime")
    bench.sh("createContainer", "echo $(id -u) > ./from-hook", env=["PATH=/usr/bin:/bin"])
    bench.sh("startContainer", "id -u > /inside/uid", env=["PATH=/bin"])
    bench.host("poststop")
    path = bench.config("cat", "/from-hook", "/inside/uid",
                        flags=("--uidmap", "0:100000:65536", "--gidmap", "0:200000:65536"))
    assert coracle("run", "--rm", "--config", path, "t").out == "0\n0\n"
    assert bench.names() == ["createRuntime", "poststop"]


def test_before_an_init_that_stays(bench):
    bench.sh("startContainer", "readlink /proc/self > /inside/pid; exit $(cat /inside/code)", env=["PATH=/bin"])
    (bench.inside / "code").write_text("0\n")
    path = bench.config("sh", "-c", "cat /proc/1/comm; exit 4", flags=("--init",))
    assert coracle("run", "--rm", "--config", path, "t", code=4).out == "coracle-init\n"
    (bench.inside / "code").write_text("7\n")
    assert "startContainer hook /bin/sh: exit status 7" in coracle("run", "--rm", "--config", path, "t", code=125).err


def test_terminal_stays_the_programs(bench):
    bench.sh("createRuntime", "test ! -t 0 && test ! -t 1 && ! (: < /dev/tty) 2> /dev/null")
    bench.sh("startContainer", "test ! -t 0 && test ! -t 1 && ! (: < /dev/tty) 2> /dev/null")
    bench.host("poststop")
    path = bench.config("tty", flags=("-t",))
    done = run("script", "-qec", f"coracle run --rm --config {path} t", "/dev/null")
    assert "/dev/pts/0\r\n" in done.out and bench.names() == ["poststop"]


# --- Failures ------------------------------------------------------------------------------------

@pytest.mark.quick
@pytest.mark.parametrize("kind", ERRORS)
def test_failure_is_an_error(bench, kind):
    bench.sh(kind, "echo first; echo it is >&2; printf 'broken\\n' >&2; exit 3")
    bench.sh(kind, f"touch {bench.folder}/second /inside/second")
    bench.host("poststop", "poststop 1")
    bench.sh("poststop", "exit 1")
    bench.host("poststop", "poststop 3")
    for flags in (("--rm",), (), ("-d",), ("-d", "--rm", "--pid-file", bench.folder / "pid")):
        done = bench.run("touch", "/inside/ran", flags=flags, code=125)
        assert done.err.splitlines() == [
            "coracle: warning: poststop hook /bin/sh: exit status 1",
            f"coracle: {kind} hook /bin/sh: exit status 3: first it is broken"]
        assert ctr("c", "ls", "-q").out == "" and not list(bench.inside.iterdir())
        assert not (bench.folder / "second").exists()
    assert bench.names() == ["poststop 1", "poststop 3"] * 4
    assert ctr("run", "--rm", "--config", bench.folder / "config.json", "t", code=1).err.splitlines()[-1] == \
        f"ctr: {kind} hook /bin/sh: exit status 3: first it is broken"


@pytest.mark.quick
@pytest.mark.parametrize("kind", WARNINGS)
def test_failure_is_a_warning(bench, kind):
    bench.sh(kind, "echo why >&2; exit 3")
    bench.sh(kind, "kill -9 $$")
    bench.hooks[kind].append({"path": "/nosuch"})
    bench.host(kind)
    done = bench.run("sh", "-c", "echo out; exit 7", code=7)
    assert done.out == "out\n" and done.err.splitlines() == [
        f"coracle: warning: {kind} hook /bin/sh: exit status 3: why",
        f"coracle: warning: {kind} hook /bin/sh: killed by SIGKILL",
        f"coracle: warning: {kind} hook /nosuch: no such file or directory"]
    assert bench.names() == [kind]


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("path,why", [("/nosuch/hook", "no such file or directory"),
                                      ("/etc/passwd", "permission denied"), ("/etc", "permission denied")])
def test_what_cannot_be_executed(bench, kind, path, why):
    bench.hooks[kind] = [{"path": path}]
    assert bench.run("true", code=125).err == f"coracle: {kind} hook {path}: {why}\n"


@pytest.mark.parametrize("kind", KINDS)
def test_timeout_kills_its_children(bench, kind):
    (bench.folder / "children").mkdir(mode=0o777)
    (bench.folder / "children").chmod(0o777)
    there = "/inside" if kind == "startContainer" else bench.inside
    bench.sh(kind, f"echo waiting; sleep 1234567 & sleep 1234567 & : > {there}/began; wait", timeout=1,
             env=["PATH=/usr/bin:/bin"])
    done = bench.run("true", code=125 if kind in ERRORS else 0)
    said = "coracle: " if kind in ERRORS else "coracle: warning: "
    assert done.err == f"{said}{kind} hook /bin/sh: killed after 1 s: waiting\n"
    assert (bench.inside / "began").exists()
    eventually(lambda: run("pgrep", "-f", "sleep 1234567", code=None).code == 1)


def test_hooks_that_do_not_listen_or_do_not_stop_talking(bench):
    """A state larger than a pipe holds, and more output than one does; what it leaves running is its own."""
    bench.sh("createRuntime", "exec <&-; yes | head -c 5000000; sleep 0.2 &", env=["PATH=/usr/bin:/bin"])
    bench.sh("createRuntime", "wc -c; yes x | head -c 1000000; printf '\\001\\033[31mlast\\n' >&2; exit 1",
             env=["PATH=/usr/bin:/bin"])
    done = bench.run("true", code=125, change=lambda spec: spec["annotations"].update(a="x" * 300_000))
    assert done.err.endswith("x x x \\x01\\x1b[31mlast\n") and len(done.err) < 600


def test_program_is_missing(bench):
    for kind in ("prestart", "poststart", "poststop"):
        bench.host(kind)
    done = bench.run("/nosuch", code=127)
    assert 'exec: "/nosuch": stat /nosuch: no such file or directory' in done.err
    assert bench.names() == ["prestart", "poststop"]


@pytest.mark.parametrize("kind", ERRORS + ("poststart",))
def test_interrupted(bench, kind):
    there = "/inside" if kind == "startContainer" else bench.inside
    bench.sh(kind, f": > {there}/began; exec sleep 1234567", env=["PATH=/usr/bin:/bin"])
    bench.host("poststop")
    command = start("coracle", "run", "--rm", "--config", bench.config("sh", "-c", "trap 'exit 9' INT; while :; do sleep 0.1; done"), "t")
    eventually((bench.inside / "began").exists)
    command.send_signal(signal.SIGWINCH)
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=60)
    if kind == "poststart":  # the program has it, too
        assert err.decode() == "coracle: warning: poststart hook /bin/sh: interrupted\n" and command.returncode == 9
    else:
        assert err.decode() == "coracle: interrupted by SIGINT\n" and command.returncode == 125
    assert bench.names() == ["poststop"]
    eventually(lambda: run("pgrep", "-f", "sleep 1234567", code=None).code == 1)


def test_poststop_interrupted(bench):
    bench.sh("poststop", f": > {bench.inside}/began; exec sleep 1234567", env=["PATH=/usr/bin:/bin"])
    command = start("coracle", "run", "--rm", "--config", bench.config("true"), "t")
    eventually((bench.inside / "began").exists)
    command.send_signal(signal.SIGINT)
    assert b"warning: poststop hook /bin/sh: interrupted" in command.communicate(timeout=60)[1]
    assert ctr("c", "ls", "-q").out == ""


# --- Nobody there --------------------------------------------------------------------------------

def folder_gone():
    return not Path("/run/coracle/default/t").exists()


@pytest.mark.quick
def test_detached(bench):
    for kind in KINDS:
        if kind != "startContainer":
            bench.host(kind)
    bench.run("true", flags=("-d", "--rm"))
    eventually(folder_gone)
    assert bench.names() == [kind for kind in KINDS if kind != "startContainer"]


def monitor():
    pid = re.search(r"^t +(\d+) +(RUNNING|CREATED)", ctr("tasks", "ls").out, re.M).group(1)
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.quick
@pytest.mark.parametrize("flags", [("-d",), ("-d", "--rm")])
@pytest.mark.parametrize("collector", [("rm", "-f", "t"), ("gc",), ("run", "--rm", "IMAGE", "t", "true")])
def test_monitor_killed(bench, flags, collector):
    """Whoever collects runs them, and only once."""
    bench.host("poststop")
    bench.run("sleep", "1000", flags=flags)
    os.kill(monitor(), signal.SIGKILL)
    fails = collector[0] == "run" and "--rm" not in flags  # a kept container keeps its ID
    coracle(*[bench.busybox if a == "IMAGE" else a for a in collector], code=125 if fails else None)
    coracle("gc")
    coracle("rm", "-f", "t", code=None)
    assert bench.names() == ["poststop"]
    assert bench.ran()[0]["state"]["status"] == "stopped"


@pytest.mark.parametrize("kind", ERRORS)
def test_monitor_killed_in_a_hook(bench, kind):
    """Init and the hooks in it die with it; a hook outside is waited for."""
    there = "/inside" if kind == "startContainer" else bench.inside
    bench.sh(kind, f": > {there}/began; while ! test -e {bench.folder}/go; do sleep 0.05; done", env=["PATH=/usr/bin:/bin"])
    bench.host("poststop")
    command = start("coracle", "run", "--rm", "--config", bench.config("touch", "/inside/ran"), "t")
    eventually((bench.inside / "began").exists)
    os.kill(monitor(), signal.SIGKILL)
    if kind in ("prestart", "createRuntime"):
        (bench.folder / "go").touch()
    command.communicate(timeout=60)
    assert command.returncode in (125, 137) and not (bench.inside / "ran").exists()
    assert bench.names() == ["poststop"] and ctr("c", "ls", "-q").out == ""


def test_command_killed_while_it_waits(bench):
    bench.host("poststop")
    command = start("coracle", "run", "--rm", "--config", bench.config("sleep", "1000"), "t")
    eventually(lambda: "RUNNING" in ctr("tasks", "ls").out)
    command.kill()
    command.wait()  # the container has its pipes
    assert bench.names() == []
    coracle("stop", "--time", "0", "t")
    eventually(folder_gone)
    assert bench.names() == ["poststop"]


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("flags", [("--rm",), ()])
def test_command_killed_in_a_hook(bench, kind, flags):
    """The hook dies with who runs it; the monitor's cleaner finds what is owed."""
    there = "/inside" if kind == "startContainer" else bench.inside
    bench.sh(kind, f": > {there}/began; exec sleep 1234567", env=["PATH=/usr/bin:/bin"])
    bench.host("poststop")
    command = start("coracle", "run", *flags, "--config", bench.config("true"), "t")
    eventually((bench.inside / "began").exists)
    command.kill()
    command.wait()  # the container has its pipes
    if kind == "startContainer":  # it has been started: nobody but its stop ends it
        coracle("rm", "-f", "t")
    eventually(lambda: bench.names() == ["poststop"])
    eventually(lambda: run("pgrep", "-f", "sleep 1234567", code=None).code == 1)
    eventually(lambda: coracle("rm", "-f", "t", code=None) and folder_gone())
    assert bench.names() == ["poststop"]


def test_killed_in_poststop(bench):
    """Nobody knows how far they came: once more, from the first."""
    bench.host("poststop", "first")
    bench.sh("poststop", f"test -e {bench.inside}/began || {{ : > {bench.inside}/began; exec sleep 1234567; }}",
             env=["PATH=/usr/bin:/bin"])
    bench.host("poststop", "last")
    command = start("coracle", "run", "--config", bench.config("true"), "t")
    eventually((bench.inside / "began").exists)
    command.kill()
    command.wait()  # the container has its pipes
    eventually(lambda: bench.names() == ["first", "first", "last"])
    eventually(lambda: coracle("rm", "-f", "t", code=None) and folder_gone())
    assert bench.names() == ["first", "first", "last"]


# --- Other ways to one ---------------------------------------------------------------------------

def test_created_and_started_again(bench):
    for kind in ("createRuntime", "poststart", "poststop"):
        bench.host(kind)
    coracle("containers", "create", "--config", bench.config("sh", "-c", "exit 5"), "t")
    assert bench.names() == []
    assert coracle("tasks", "start", "t", code=5).err == ""
    assert bench.names() == ["createRuntime", "poststart", "poststop"]
    coracle("tasks", "start", "-d", "t")
    eventually(lambda: len(bench.names()) == 6)
    coracle("start", "t", code=5)
    assert bench.names() == ["createRuntime", "poststart", "poststop"] * 3
    coracle("rm", "t")
    assert len(bench.names()) == 9


def test_exec_runs_none(bench):
    for kind in KINDS:
        if kind != "startContainer":
            bench.host(kind)
    bench.run("sleep", "1000", flags=("-d",))
    before = bench.names()
    assert coracle("exec", "t", "echo", "hi").out == "hi\n"
    assert bench.names() == before
    coracle("rm", "-f", "t")
    assert bench.names() == before + ["poststop"]


def test_commands_see_it_meanwhile(bench):
    """A container whose hook runs is there, and can be ended by others."""
    bench.sh("prestart", f": > {bench.inside}/began; exec sleep 1234567", env=["PATH=/usr/bin:/bin"], timeout=30)
    command = start("coracle", "run", "--rm", "--config", bench.config("true"), "t")
    eventually((bench.inside / "began").exists)
    assert re.search(r"^t +\d+ +CREATED", ctr("tasks", "ls").out, re.M)
    command.send_signal(signal.SIGTERM)
    assert command.communicate(timeout=60)[1] == b"coracle: interrupted by SIGTERM\n"


def test_init_killed_meanwhile(bench):
    bench.sh("prestart", f"cat > {bench.inside}/state; cd {bench.inside}; mv state began; while ! test -e go; do "
             "sleep 0.05; done", env=["PATH=/usr/bin:/bin"], timeout=60)
    bench.host("poststop")
    command = start("coracle", "run", "--rm", "--config", bench.config("true"), "t")
    eventually((bench.inside / "began").exists)
    os.kill(json.loads((bench.inside / "began").read_text())["pid"], signal.SIGKILL)
    (bench.inside / "go").touch()
    command.communicate(timeout=60)
    assert command.returncode in (125, 137) and bench.names() == ["poststop"]


def test_twelve_at_once(bench):
    for kind in ("prestart", "createContainer", "poststart", "poststop"):
        bench.host(kind)
    path = bench.config("true")
    commands = [start("coracle", "run", "--rm", "--config", path, f"t{i}") for i in range(12)]
    assert [(c.communicate(timeout=120)[1], c.returncode) for c in commands] == [(b"", 0)] * 12
    ids = [(hook["state"]["id"], hook["name"]) for hook in bench.ran()]
    assert sorted(ids) == sorted((f"t{i}", kind) for i in range(12)
                                 for kind in ("prestart", "createContainer", "poststart", "poststop"))


# --- Who may bring them --------------------------------------------------------------------------

def test_images_bring_none(bench, tmp_path):
    """Neither a member of the config nor a label nor an annotation becomes one."""
    hooks = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", f"touch {tmp_path}/ran"]}] for kind in KINDS}
    image = images.Image(images.busybox_layer(), name="docker.io/library/hooked:latest", hooks=hooks, Hooks=hooks,
                         Labels={"hooks": json.dumps(hooks), "io.coracle.hooks": json.dumps(hooks)})
    image.config.update(hooks=hooks, Hooks=hooks)
    image.seal()
    image.manifest.update(hooks=hooks, annotations={"hooks": json.dumps(hooks)})
    image.seal_manifest()
    with images.imported(image.oci(tmp_path / "hooked.tar"), "hooked"):
        assert "hooks" not in json.loads(coracle("spec", "hooked", "t", "true").out)
        coracle("run", "--rm", "--label", f"hooks={json.dumps(hooks)}", "hooked", "t", "true")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("hooks,why", [
    ([], "hooks: not an object"), ({"prestart": {}}, "hooks.prestart: not an array"),
    ({"prestart": [{"path": "x"}]}, "hooks.prestart[0].path: not an absolute path"),
    ({"poststop": [{}]}, "hooks.poststop[0].path: missing"),
    ({"poststop": [{"path": "/x", "args": "x"}]}, "hooks.poststop[0].args: not an array"),
    ({"poststop": [{"path": "/x", "timeout": 0}]}, "hooks.poststop[0].timeout: not a number from 1 to 2147483647"),
    ({"poststop": [{"path": "/x", "timeout": 1e30}]}, "hooks.poststop[0].timeout: not a whole number"),
    ({"prestart": [{"path": "/x"}] * 1000}, "hooks.prestart"),
])
def test_bad_hooks(bench, hooks, why):
    bench.hooks = hooks
    assert why in bench.run("true", code=125).err
