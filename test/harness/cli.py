# SPDX-License-Identifier: Apache-2.0
"""The commands, as a user types them."""
import os
import subprocess
import tempfile
import time

TIMEOUT = 120  # against hanging only


class Result:
    def __init__(self, argv, code, out, err):
        self.argv, self.code, self.out, self.err = argv, code, out, err

    def __repr__(self):
        return (f"$ {' '.join(map(str, self.argv))}\n[exit {self.code}]\n--- stdout\n{self.out}"
                f"--- stderr\n{self.err}")


def environment(extra=None):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith(("CORACLE_", "CONTAINERD_", "CNI_", "NETCONF"))
           and not k.lower().endswith("_proxy")}
    env["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    env["LC_ALL"] = "C.UTF-8"
    env.update(extra or {})
    return env


def run(*argv, code=0, stdin="", env=None, cwd=None, timeout=TIMEOUT):
    """Runs to the end; `code` None takes any exit status."""
    argv = [str(a) for a in argv]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(argv, input=None if hasattr(data, "fileno") else data,
                          stdin=data if hasattr(data, "fileno") else None,
                          capture_output=True, env=environment(env), cwd=cwd, timeout=timeout)
    result = Result(argv, done.returncode, done.stdout.decode(errors="surrogateescape"),
                    done.stderr.decode(errors="surrogateescape"))
    assert code is None or result.code == code, f"wanted exit {code}:\n{result!r}"
    return result


def coracle(*args, **how):
    return run("coracle", *args, **how)


def ctr(*args, **how):
    return run("ctr", *args, **how)


def remove_snapshots(driver):
    """All of one driver. One with children can't go before them; each round takes the leaves."""
    while names := [line.split()[0] for line in ctr("snapshots", "--snapshotter", driver, "ls").out.splitlines()[1:]]:
        gone = [name for name in names
                if ctr("snapshots", "--snapshotter", driver, "rm", name, code=None).code == 0]
        assert gone, f"none of {names} can be removed"


# The peak of a command's memory counts what its parent had when it was forked: a small parent.
MEASURE = """import os, resource, sys
code = os.spawnvp(os.P_WAIT, sys.argv[2], sys.argv[2:])
with open(sys.argv[1], "w") as out:
    out.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024))
sys.exit(code if code >= 0 else 128 - code)
"""


def start_measured(*argv, **how):
    """The same, and a function that gives the peak of its resident memory, in bytes, afterwards."""
    out = tempfile.NamedTemporaryFile("r")
    command = start("/usr/bin/python3", "-S", "-c", MEASURE, out.name, *argv, **how)
    return command, lambda: int(out.read())


class Beside(subprocess.Popen):
    def __exit__(self, kind, *more):
        if kind:  # a test that failed must not wait for what it wanted to end
            self.kill()
        return super().__exit__(kind, *more)


def start(*argv, env=None, **how):
    """A command that runs beside the test; the caller waits for it."""
    how.setdefault("stdin", subprocess.DEVNULL)
    how.setdefault("stdout", subprocess.PIPE)
    how.setdefault("stderr", subprocess.PIPE)
    return Beside([str(a) for a in argv], env=environment(env), **how)


def eventually(check, timeout=30):
    """Polls until `check` gives something true, and returns it: for what another process does."""
    deadline = time.monotonic() + timeout
    while not (found := check()):
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)
    return found
