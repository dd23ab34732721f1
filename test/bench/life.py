#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A container's life beside containerd's, docker's and podman's: exec, memory of idle containers, many at
once, the thousandth container, a long log. Interleaved in one run, on a fresh ext4 with a journal.

  test/bench/life.py [--rounds N] [--no-peers] [PART...]     parts: exec idle many thousand log

Needs root, and for the peers test/bench/peers.sh, Debian's docker.io, podman and conmon. Prints tables in Markdown.
"""
import argparse
import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run import BUILD, IMAGE, PEERS, SUBNETS, TOP, Peers, build, disks, measure, network, program  # noqa: E402
from harness import images, peers as others, sandbox  # noqa: E402

CTR = [str(PEERS / "bin/ctr")]
QUIET = {"stdout": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
# More than the hard limit of a small machine is what podman asks for otherwise.
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]


def do(argv, **how):
    return subprocess.run([str(word) for word in argv], check=True, **{**QUIET, **how})


class Engines:
    """How each engine says a thing; those beside us only where they are there."""

    def __init__(self, disk, peers, dockerd):
        self.coracle = program(disk)
        self.ctr = CTR if peers else None
        self.podman = [shutil.which("podman"), "--root", str(disk / "podman"), "--runroot", "/run/bench-podman", "--cgroup-manager",
                       "cgroupfs", "--runtime", "runc", "--events-backend", "file"]
        if not peers or not self.podman[0] or not shutil.which("conmon"):
            self.podman = None
        self.docker = [shutil.which("docker"), *dockerd.argv[1:]] if dockerd else None
        do([*self.coracle, "images", "import", TOP / ".cache/busybox.tar"])
        exported = disk / "busybox.tar"  # which docker reads, too
        do([*self.coracle, "images", "export", exported, "busybox"])
        for name in ("podman", "docker"):
            if getattr(self, name):
                do([*getattr(self, name), "load", "-i", exported], stderr=subprocess.DEVNULL)

    def names(self):
        return [name for name in ("coracle", "ctr", "docker", "podman") if getattr(self, name)]

    def run(self, name, ident):
        if name == "ctr":
            return [*self.ctr, "run", "--rm", IMAGE, ident, "true"]
        if name == "docker":
            return [*self.docker, "run", "--rm", "--name", ident, "--network", "none", "busybox", "true"]
        return [*self.coracle, "run", "--rm", "busybox", ident, "true"]

    def start(self, name, ident, *command):
        if name == "docker":
            return [*self.docker, "run", "-d", "--name", ident, "--network", "none", "busybox", *command]
        if name == "podman":
            return [*self.podman, "run", "-d", "--name", ident, "--network", "none", "--log-driver", "k8s-file", *LIMITS,
                    "busybox", *command]
        if name == "ctr":
            return [*self.ctr, "run", "-d", "--null-io", IMAGE, ident, *command]
        return [*self.coracle, "run", "-d", "busybox", ident, *command]

    def exec(self, name, ident, *command):
        if name == "ctr":
            return [*self.ctr, "tasks", "exec", "--exec-id", "x", ident, *command]
        return [*getattr(self, name), "exec", ident, *command]

    def remove(self, name, ident):
        if name == "ctr":
            do([*self.ctr, "tasks", "rm", "--force", ident], stderr=subprocess.DEVNULL)  # it warns of 137
            do([*self.ctr, "containers", "rm", ident])
        elif name == "podman":
            do([*self.podman, "rm", "-f", "-t", "0", ident])
        elif name == "docker":
            do([*self.docker, "rm", "-f", ident])
        else:
            do([*self.coracle, "rm", "-f", ident])

    def end(self):
        """Nothing stays of a bench that fell over."""
        for name, listed in (("coracle", [*self.coracle, "ps", "-aq"]), ("ctr", [*(self.ctr or []), "c", "ls", "-q"]),
                             ("docker", [*(self.docker or []), "ps", "-aq"])):
            if getattr(self, name):
                for ident in subprocess.run(listed, stdout=subprocess.PIPE, text=True).stdout.split():
                    with contextlib.suppress(subprocess.CalledProcessError):  # half of one
                        self.remove(name, ident)
        if self.podman:
            do([*self.podman, "rm", "-f", "-t", "0", "-a"])
            for path in sandbox.hierarchies():
                shutil.rmtree(f"{path}/libpod_parent", ignore_errors=True)


def median(times):
    return statistics.median(times)


def timed(argv):
    began = time.monotonic()
    do(argv)
    return (time.monotonic() - began) * 1e3


# --- exec

def bench_exec(engines, rounds):
    for name in engines.names():
        do(engines.start(name, "ex", "sleep", "10000"))
    rows = measure({name: engines.exec(name, "ex", "true") for name in engines.names()}, rounds)
    print("\n### `exec ID true`\n\n| | min | median | 95 % | peak MiB | coracle is faster by |\n|---|---|---|---|---|---|")
    for name, runs in rows.items():
        times = sorted(ms for ms, _, _ in runs)
        print(f"| {name} | {times[0]:.2f} | {median(times):.2f} | {times[int(len(times) * .95)]:.2f} | "
              f"{max(kib for _, kib, _ in runs) / 1024:.1f} | "
              f"{median(times) / median(ms for ms, _, _ in rows['coracle']):.1f} × |")
    for name in engines.names():
        engines.remove(name, "ex")


# --- idle: what stays in memory

MONITORS = {"coracle": "coracle-shim", "ctr": "containerd-shim-runc-v2", "docker": "containerd-shim-runc-v2",
            "podman": "conmon"}


def processes():
    """{pid: (name, parent)}"""
    found = {}
    for entry in os.listdir("/proc"):
        try:
            name, rest = Path(f"/proc/{int(entry)}/stat").read_text().split("(", 1)[1].rsplit(")", 1)
            found[int(entry)] = (name, int(rest.split()[1]))
        except (ValueError, FileNotFoundError, ProcessLookupError):
            pass
    return found


def pss_kib(pid):
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


def bench_idle(engines, _, daemons):
    """`daemons`: {name: pids}, with what they started before there was a container."""
    print("\n### 51 idle containers (`sleep`)\n")
    print("| | PSS KiB, all | daemon | monitors | the containers' own | a monitor |\n|---|---|---|---|---|---|")
    for name in engines.names():
        before = processes()
        for i in range(51):
            do(engines.start(name, f"i{i}", "sleep", "10000"))
        time.sleep(1)  # for what starts to come to rest; nothing waits for it
        now = {pid: of for pid, of in processes().items() if pid not in before}
        monitors = [pid for pid, of in now.items() if of[0] == MONITORS[name][:15]]
        own = [pid for pid, of in now.items() if of[1] in monitors]
        assert len(own) == 51, now
        parts = [sum(map(pss_kib, daemons.get(name, []))), sum(map(pss_kib, monitors)), sum(map(pss_kib, own))]
        print(f"| {name} | {sum(parts)} | {parts[0]} | {parts[1]} | {parts[2]} | {parts[1] / len(monitors):.0f} |")
        for i in range(51):
            engines.remove(name, f"i{i}")


# --- many: twelve at once

def bench_many(engines, rounds):
    print("\n### Twelve `run --rm … true` at once, without end\n\n| | containers | a second (median of 5 turns) |\n|---|---|---|")
    turns = {name: [] for name in engines.names() if name != "podman"}
    for _ in range(5):
        for name, found in turns.items():
            n = 600 if name == "coracle" else 96
            began = time.monotonic()
            do(["xargs", "-P", "12", "-I", "{}", *engines.run(name, "m{}")], stdin=None,
               input="\n".join(map(str, range(n))).encode())
            found.append(n / (time.monotonic() - began))
    for name, found in turns.items():
        print(f"| {name} | {600 if name == 'coracle' else 96} | {median(found):.0f} |")


# --- thousand

def bench_thousand(engines, rounds):
    """Start, list and stop of one container beside none, and beside 999 that run."""
    found = {}
    coracle = engines.coracle
    for beside in (0, 999):
        for i in range(beside):
            do(engines.start("coracle", f"k{i}", "sleep", "10000"))
        times = {"run -d": [], "ps": [], "inspect": [], "stop": [], "rm": [], "run --rm": []}
        for _ in range(rounds):
            times["run -d"].append(timed(engines.start("coracle", "one", "sleep", "10000")))
            times["ps"].append(timed([*coracle, "ps"]))
            times["inspect"].append(timed([*coracle, "inspect", "one"]))
            times["stop"].append(timed([*coracle, "kill", "-s", "KILL", "one"]) + timed([*coracle, "wait", "one"]))
            times["rm"].append(timed([*coracle, "rm", "one"]))
            times["run --rm"].append(timed([*coracle, "run", "--rm", "busybox", "two", "true"]))
        found[beside] = times
        for i in range(beside):
            engines.remove("coracle", f"k{i}")
    print("\n### The 1,000th container (ms, medians)\n\n| | the first | beside 999 running | |\n|---|---|---|---|")
    for what in found[0]:
        first, last = median(found[0][what]), median(found[999][what])
        print(f"| {what} | {first:.1f} | {last:.1f} | {last / first:.2f} × |")


# --- log

def bench_log(engines, rounds):
    """64 MiB of short lines from the program to the log; until the container has ended."""
    command = ["sh", "-c", "yes 'a line of a log, thirty-two bytes' | head -c 67108864"]
    names = [name for name in engines.names() if name != "ctr"]
    times = {name: [] for name in names}
    for _ in range(max(5, rounds // 6)):
        for name in names:
            began = time.monotonic()
            do(engines.start(name, "log", *command))
            do([*getattr(engines, name), "wait", "log"])
            times[name].append(time.monotonic() - began)
            engines.remove(name, "log")
    print("\n### A log of 64 MiB of short lines\n\n| | s, median | MiB/s |\n|---|---|---|")
    for name, found in times.items():
        print(f"| {name} | {median(found):.2f} | {64 / median(found):.0f} |")


def main():
    parts = {"exec": bench_exec, "idle": bench_idle, "many": bench_many, "thousand": bench_thousand, "log": bench_log}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("parts", nargs="*", default=list(parts))
    options = parser.parse_args()
    build()
    images.make_cached(TOP / ".cache")
    sandbox.enter(BUILD, cgroups=False)
    peers = not options.no_peers and (PEERS / "bin/runc").exists()
    for name in SUBNETS:
        folder = Path("/run/bench-net") / name
        folder.mkdir(parents=True)
        (folder / "10-bench.conflist").write_text(network(name))
    print(f"{options.rounds} rounds, interleaved; kernel {os.uname().release}, {os.cpu_count()} CPUs, load "
          f"{os.getloadavg()[0]:.1f}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leaves by the doors below
    for kind, folder in disks(["ext4"]):
        with contextlib.ExitStack() as running:
            daemons, dockerd = {}, None
            if peers:
                daemons["ctr"] = [running.enter_context(Peers(folder)).daemon.pid]
            if peers and not others.why_no_docker():
                dockerd = running.enter_context(others.Docker(folder / "docker"))
                its = dockerd.daemon.pid
                daemons["docker"] = [its, *(pid for pid, (_, parent) in processes().items() if parent == its)]
            engines = Engines(folder, peers, dockerd)
            try:
                for part in options.parts:
                    more = (daemons,) if part == "idle" else ()
                    parts[part](engines, options.rounds, *more)
                    sys.stdout.flush()
            finally:
                engines.end()


if __name__ == "__main__":
    main()
