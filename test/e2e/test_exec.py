# SPDX-License-Identifier: Apache-2.0
"""exec, in docker's and in ctr's form."""
import re
import signal
import subprocess
from pathlib import Path

import pytest

from harness.cli import coracle, ctr, environment, eventually, start

CAPS = "a80425fb"


@pytest.fixture
def web(busybox):
    coracle("run", "-d", "--env", "A=1", busybox, "web", "sleep", "1000")
    yield "web"
    coracle("rm", "-f", "web", code=None)


@pytest.mark.quick
def test_streams_and_exit_codes(web):
    done = coracle("exec", "-i", web, "sh", "-c", "cat; echo out; echo err >&2; exit 7", stdin="in\n", code=7)
    assert (done.out, done.err) == ("in\nout\n", "err\n")
    assert coracle("exec", web, "cat", stdin="not passed on\n").out == ""
    assert ctr("tasks", "exec", "--exec-id", "e1", web, "cat", stdin="from stdin\n").out == "from stdin\n"
    assert ctr("tasks", "exec", "--exec-id", "e1", web, "sh", "-c", "exit 7", code=7).out == ""
    ctr("tasks", "exec", "--exec-id", "e1", web, "sh", "-c", "kill -9 $$", code=137)


@pytest.mark.parametrize("program, ours, text", [
    ("nosuch", 127, 'exec: "nosuch": executable file not found in $PATH'),
    ("/etc/passwd", 126, 'exec: "/etc/passwd": permission denied'),
])
def test_what_cannot_be_executed(web, program, ours, text):
    assert text in coracle("exec", web, program, code=ours).err
    said = ctr("tasks", "exec", "--exec-id", "e", web, program, code=1).err
    assert said.startswith("ctr: ") and said.splitlines()[0].endswith(text)


@pytest.mark.parametrize("argv, text", [
    (["exec", "--exec-id", "e", "nosuch", "true"], 'container "nosuch" in namespace "default": not found'),
    (["exec", "web", "echo"], 'Required flag "exec-id" not set'),
    (["exec", "--exec-id", "e", "web"], "args must not be empty"),
    (["exec", "--exec-id", "e", "--cwd", "/nosuch", "web", "pwd"],
     'chdir to cwd ("/nosuch") set in config.json failed: no such file or directory'),
    (["exec", "--exec-id", "b ad", "web", "true"],
     'invalid exec id b ad: identifier "b ad" must match ^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$: invalid argument'),
    (["exec", "--exec-id", "e", "--user", "nosuch", "web", "id"], "no users found"),
])
def test_errors_are_ctrs(web, argv, text):
    assert ctr("tasks", *argv, code=1).err.splitlines()[0].endswith(text)


def test_who_and_where(web):
    assert "uid=1000 gid=1000 groups=1000" in ctr(
        "t", "exec", "--exec-id", "e", "--user", "1000:1000", web, "id").out
    assert "uid=65534(nobody)" in coracle("exec", "--user", "nobody", web, "id").out
    assert coracle("exec", "--cwd", "/tmp", web, "pwd").out == "/tmp\n"
    out = coracle("exec", "-e", "A=2", "-e", "B=3", web, "env").out
    assert "A=2\n" in out and "B=3\n" in out and "A=1" not in out and "HOME=/root\n" in out


def test_it_is_as_confined_as_the_container(web):
    """Capabilities, filter, no_new_privs, namespaces, groups, descriptors are those of the first process."""
    script = "grep -E '^(Cap|Seccomp|NoNewPrivs)' /proc/$1/status; for n in mnt pid net uts ipc cgroup user; do " \
             "readlink /proc/$1/ns/$n; done; cat /proc/$1/cgroup"
    of_init = coracle("exec", web, "sh", "-c", script, "sh", "1").out
    of_self = coracle("exec", web, "sh", "-c", script, "sh", "self").out
    assert of_self == of_init and CAPS in of_self
    assert re.search(r"^Seccomp:\s+2$", of_self, re.M) and re.search(r"^NoNewPrivs:\s+1$", of_self, re.M)
    assert coracle("exec", web, "sh", "-c", "ls /proc/$$/fd; true").out.split() == ["0", "1", "2"]
    # As another user it is the same: nothing permitted, nothing inherited.
    status = coracle("exec", "--user", "1000", web, "grep", "Cap", "/proc/self/status").out
    assert re.findall(r"Cap(\w+):\s+(\w+)", status)[:3] == [("Inh", "0" * 16), ("Prm", "0" * 16), ("Eff", "0" * 16)]


def test_groups_of_version_one(busybox):
    """Limits hold for it, too."""
    coracle("run", "-d", "--memory-limit", str(32 << 20), busybox, "small", "sleep", "1000")
    done = coracle("exec", "small", "sh", "-c", "head -c 100000000 /dev/zero | tail", code=None)
    assert done.code != 0
    coracle("rm", "-f", "small")


def test_kill_of_the_container_ends_it(web):
    with start("coracle", "exec", web, "sh", "-c", "echo up; exec sleep 1000") as p:
        assert p.stdout.readline() == b"up\n"
        coracle("rm", "-f", web)
        assert p.wait(60) == 137


def test_signals_are_forwarded(web):
    with start("coracle", "exec", web, "sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done") as p:
        assert p.stdout.readline() == b"up\n"
        p.send_signal(signal.SIGTERM)
        assert p.wait(60) == 3


def test_stopped_container(busybox):
    coracle("run", "-d", busybox, "web", "true")
    eventually(lambda: "STOPPED" in ctr("tasks", "ls").out)
    assert ctr("t", "exec", "--exec-id", "e", "web", "true", code=1).err == "ctr: cannot exec in a stopped state\n"
    coracle("rm", "web")


def test_many_at_once(web):
    running = [start("coracle", "exec", web, "echo", i) for i in range(12)]
    assert [p.communicate(timeout=60)[0] for p in running] == [f"{i}\n".encode() for i in range(12)]
    assert all(p.returncode == 0 for p in running)


def test_early_closed_output(web):
    with start("coracle", "exec", web, "yes") as p:
        assert p.stdout.readline() == b"y\n"
        p.stdout.close()
        assert p.wait(60) == 128 + signal.SIGPIPE


def test_kill_9_of_the_command(web):
    """It goes on in the container, and ends with it; the name is free after both have gone."""
    with start("coracle", "tasks", "exec", "--exec-id", "e", web, "sh", "-c", "echo up; exec sleep 1000") as p:
        assert p.stdout.readline() == b"up\n"
        p.kill()
        p.wait(60)
    assert "sleep 1000" in coracle("exec", web, "ps").out
    assert "id e: already exists" in coracle("tasks", "exec", "--exec-id", "e", web, "true", code=125).err


TRACER = r"""
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
// Takes hold of each process that appears; says what it was, and which filter it had.
int main(void)
{
	puts("up");
	for (int pid = getpid() + 1;;) {
		char path[64], text[4096];
		if (access("/quit", F_OK) == 0)
			return 0;
		snprintf(path, sizeof path, "/proc/%d/status", pid + 1);
		// Whatever it does next, it stops at the latest on its way out.
		if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXIT) < 0) { // not yet, or never
			pid += access(path, F_OK) == 0;
			continue;
		}
		ptrace(PTRACE_INTERRUPT, pid, 0, 0);
		int status;
		if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) {
			pid++; // it was past its end already: nothing to take hold of
			continue;
		}
		snprintf(path, sizeof path, "/proc/%d/status", pid);
		int fd = open(path, O_RDONLY);
		ssize_t n = read(fd, text, sizeof text - 1);
		close(fd);
		text[n < 0 ? 0 : n] = 0;
		char *filter = strstr(text, "Seccomp:");
		text[strcspn(text, "\n")] = 0;
		printf("%s %.10s\n", text, filter ? filter : "");
		fflush(stdout);
		ptrace(PTRACE_DETACH, pid, 0, 0);
		pid++;
	}
}
"""


def test_nobody_inside_traces_what_has_no_filter_yet(busybox, tmp_path):
    """Between our joining and the program, a process of the container must not take hold of ours."""
    (tmp_path / "tracer.c").write_text(TRACER)
    subprocess.run(["gcc", "-O2", "-static", "-o", tmp_path / "tracer", tmp_path / "tracer.c"], check=True)
    coracle("run", "-d", "--mount", f"type=bind,src={tmp_path},dst=/t,options=rbind:ro", busybox, "evil", "/t/tracer")
    for user in ["0", "0", "1000"] * 8:
        coracle("exec", "-u", user, "evil", "true")
    coracle("exec", "evil", "touch", "/quit")
    coracle("wait", "evil")
    caught = coracle("logs", "evil").out.splitlines()[1:]
    coracle("rm", "evil")
    assert not [line for line in caught if "coracle" in line or not line.endswith("2")], caught


# --- a hostile container (docs: the family's known attacks) ----------------------------------------

def test_program_that_looks_back(web):
    """#!/proc/self/exe would run, and let rewrite, what executes it (CVE-2019-5736)."""
    folder = Path("/usr/local/libexec/coracle")
    before = {p.name: p.read_bytes() for p in [*folder.iterdir(), Path("/usr/local/bin/coracle")]}
    coracle("exec", web, "sh", "-c", "printf '#!/proc/self/exe\\n' > /bin/evil; chmod +x /bin/evil; "
            "ln -s /proc/self/exe /bin/evil2")
    for program in ("/bin/evil", "/bin/evil2"):
        coracle("exec", web, program, code=None)
    done = coracle("exec", web, "sh", "-c", "echo x > /proc/self/exe; ls -l /proc/1/exe", code=None)
    assert "coracle" not in done.out
    assert before == {p.name: p.read_bytes() for p in [*folder.iterdir(), Path("/usr/local/bin/coracle")]}


def test_working_directory_by_a_leaked_descriptor(web):
    """CVE-2024-21626."""
    for n in range(3, 40):
        done = coracle("exec", "--cwd", f"/proc/self/fd/{n}", web, "ls", code=125)
        assert "chdir to cwd" in done.err, done


def test_users_file_that_is_a_trap(web):
    """A FIFO, a device, a link to the host's, in the place of /etc/passwd: an error, and no waiting."""
    for trap in ("mkfifo /etc/passwd", "ln -s /proc/1/mem /etc/passwd", "mkdir /etc/passwd"):
        coracle("exec", web, "sh", "-c", f"rm -rf /etc/passwd; {trap}")
        coracle("exec", "--user", "nobody", web, "true", code=125)
        coracle("exec", web, "true")  # root needs no file
    coracle("exec", web, "sh", "-c", "rm -rf /etc/passwd; mkfifo /dev/null2; mv /dev/null2 /dev/null")
    assert coracle("exec", web, "sh", "-c", "cat; echo end").out == "end\n"  # its own is checked, or not used


def test_nobody_inside_can_trace_it(busybox):
    """Before it executes it is not dumpable: /proc/PID/… of it is the host's root's alone."""
    coracle("run", "-d", "--user", "1000", busybox, "web", "sh", "-c",
            "while :; do for p in /proc/[0-9]*; do [ $p != /proc/1 ] && ls $p/fd 2>/dev/null >> /tmp/seen; done; done")
    for _ in range(20):
        coracle("exec", "web", "true")
    seen = coracle("exec", "web", "cat", "/tmp/seen", code=None).out.split()
    assert not [fd for fd in seen if int(fd) > 20], seen
    coracle("rm", "-f", "web")
