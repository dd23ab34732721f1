#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Windows containers: their start beside a Linux one's and stock Wine's, memory, the unpack of a base.

  test/bench/windows.py [--rounds N] [--disk ext4|tmpfs] [PART...]     parts: start busy idle unpack

Needs root, Wine and mingw; for the unpack, test/bench/peers.sh. Interleaved, on a fresh file system.
Stock Wine runs in a container of ours whose root is this machine's: Debian with wine64 as it comes.
Prints tables in Markdown.
"""
import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run import PEERS, TOP, BUILD, Peers, build, disks, measure, program  # noqa: E402
from harness import images, sandbox  # noqa: E402

EXIT = ("cmd", "/c", "exit", "0")
CONTAINERS = 20


def do(*argv, **how):
    how.setdefault("stdout", subprocess.DEVNULL)
    return subprocess.run([str(word) for word in argv], check=True, stdin=subprocess.DEVNULL, **how)


def stock_run(coracle, disk, *flags):
    return [*coracle, "run", *flags, "--rootfs", "--mount", f"type=bind,src={disk}/prefix,dst=/mnt,options=rbind",
            "--env", "WINEPREFIX=/mnt", "--env", "WINEDEBUG=-all", "--env", "PATH=/usr/bin:/bin", "/run/bench-wine/root", "w",
            "/usr/lib/wine/wine64"]


def stock_wine(coracle, disk):
    """The command that starts `cmd /c exit 0` under Wine as it is, with a prefix that is ready."""
    root = Path("/run/bench-wine")
    for part in ("upper", "work", "root"):
        (root / part).mkdir(parents=True)
    sandbox.mount("overlay", root / "root", "overlay", 0, f"lowerdir=/,upperdir={root}/upper,workdir={root}/work")
    (disk / "prefix").mkdir()
    argv = [*stock_run(coracle, disk, "--rm"), *EXIT]
    done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        print(f"\nStock Wine does not start here: {done.stderr.decode()[-200:]}")
        return None
    return argv


def difference(rows, name, base):
    """Median of what a run took more than the base's run of the same round."""
    return statistics.median(mine[0] - theirs[0] for mine, theirs in zip(rows[name], rows[base]))


def start_table(rows, title):
    print(f"\n### {title}\n\n| what | min | median | 95 % | more than Linux' `true`, median of rounds | CPU median |")
    print("|---|---|---|---|---|---|")
    for name, runs in rows.items():
        times = sorted(ms for ms, _, _ in runs)
        print(f"| {name} | {times[0]:.1f} | {statistics.median(times):.1f} | {times[int(len(times) * .95)]:.1f} | "
              f"{difference(rows, name, 'Linux true'):+.1f} | {statistics.median(cpu for _, _, cpu in runs):.1f} |")


def starts(coracle, stock, options):
    found = {"Linux true": [*coracle, "run", "--rm", "busybox", "b", "true"],
             "`cmd /c exit 0`": [*coracle, "run", "--rm", "nano", "b", *EXIT]}
    if stock:
        found["stock Wine, `cmd /c exit 0`"] = stock
    for argv in found.values():
        do(*argv)
    if "start" in options.parts:
        start_table(measure(found, options.rounds), "Start, idle machine")
    if "busy" in options.parts:
        with subprocess.Popen(["sh", "-c", "while :; do :; done"]) as busy:
            start_table(measure(found, options.rounds), "Start, beside one busy process")
            busy.kill()


def sizes(pid):
    """(PSS, private) of a process, in KiB."""
    rows = dict(line.split()[:2] for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(rows["Pss:"]), int(rows["Private_Clean:"]) + int(rows["Private_Dirty:"])


def family(pid):
    """The process, all below it, and its monitor."""
    found = [int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])]
    ready = [pid]
    while ready:
        pid = ready.pop()
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").iterdir():
            ready += map(int, (task / "children").read_text().split())
    return found


def idle_stock(coracle, disk):
    """Stock Wine's processes when it waits for a key: one container's memory."""
    do(*stock_run(coracle, disk, "-d", "-t"), "cmd", "/c", "pause")
    try:
        time.sleep(5)  # its services come one after the other
        listed = subprocess.run([*coracle, "tasks", "ls"], stdout=subprocess.PIPE, text=True, check=True).stdout
        pid = next(int(line.split()[1]) for line in listed.splitlines() if line.startswith("w "))
        members = []
        for p in family(pid):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                members.append((p, *sizes(p)))
        print(f"\nStock Wine that waits, one container of {len(members)} processes: PSS {sum(m[1] for m in members) / 1024:.1f} MB, "
              f"private {sum(m[2] for m in members) / 1024:.1f} MB")
    finally:
        do(*coracle, "rm", "-f", "w")


def idle(coracle, options):
    """Containers that wait, and the start of one more beside few and beside many."""
    found = {"Linux true": [*coracle, "run", "--rm", "busybox", "b", "true"],
             "one more": [*coracle, "run", "--rm", "nano", "b", *EXIT]}
    rows = {}
    for n in range(CONTAINERS - 1):
        do(*coracle, "run", "-d", "nano", f"idle{n}", "timeout", "/t", "99999", "/nobreak")
        if n + 1 in (1, CONTAINERS - 1):
            time.sleep(2)  # to rest
            rows[n + 2] = measure(found, options.rounds)
    do(*coracle, "run", "-d", "nano", f"idle{CONTAINERS - 1}", "timeout", "/t", "99999", "/nobreak")
    time.sleep(2)
    listed = subprocess.run([*coracle, "tasks", "ls"], stdout=subprocess.PIPE, text=True, check=True).stdout
    pids = [int(line.split()[1]) for line in listed.splitlines()[1:] if line.startswith("idle")]
    pss, private, largest = 0, [], {}
    for pid in pids:
        members = [(p, *sizes(p)) for p in family(pid)]
        pss += sum(size for _, size, _ in members)
        private.append(sum(own for _, _, own in members))
        largest = {Path(f"/proc/{p}/comm").read_text().strip(): own for p, _, own in members}
    print(f"\n### {len(pids)} idle containers (`timeout /nobreak`)\n")
    print(f"Sum of PSS by {len(pids)}: {pss / len(pids) / 1024:.2f} MB; private memory of each: "
          f"{statistics.median(private) / 1024:.2f} MB (most: {max(private) / 1024:.2f}); of one, KiB: {largest}")
    for n, runs in rows.items():
        times = [ms for ms, _, _ in runs["one more"]]
        print(f"Start of container {n}: min {min(times):.1f}, median {statistics.median(times):.1f} ms; "
              f"{difference(runs, 'one more', 'Linux true'):+.1f} to Linux' `true`")
    for n in range(CONTAINERS):
        do(*coracle, "rm", "-f", f"idle{n}")


def unpack(coracle, disk, options):
    """The import of a base as large as a real one, with ours and with ctr."""
    archive, name = disk / "base.tar", "docker.io/library/filled:latest"
    do(*coracle, "images", "create-windows-base", "--fill", options.fill, name)
    do(*coracle, "images", "export", archive, name)
    engines = {"coracle images import": coracle}
    with Peers(disk):
        engines["ctr images import"] = [str(PEERS / "bin/ctr")]
        took = {what: [] for what in engines}
        for _ in range(options.unpack_rounds + 1):
            for what, argv in engines.items():
                subprocess.run([*argv, "images", "rm", name], capture_output=True)
                if argv is coracle:
                    do(*coracle, "gc")
                else:
                    subprocess.run([*argv, "content", "prune", "references"], capture_output=True)
                os.sync()
                begin = time.monotonic()
                do(*argv, "images", "import", archive, stderr=subprocess.DEVNULL)
                took[what].append((time.monotonic() - begin) * 1000)
    print(f"\n### Import and unpack of a base with {options.fill} of programs and data\n\n| what | min | median |\n|---|---|---|")
    for what, times in took.items():
        print(f"| {what} | {min(times[1:]):.0f} | {statistics.median(times[1:]):.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--unpack-rounds", type=int, default=5)
    parser.add_argument("--fill", default="300M")
    parser.add_argument("--disk", default="ext4")
    parser.add_argument("parts", nargs="*", default=["start", "busy", "idle", "unpack"], metavar="PART")
    options = parser.parse_args()
    build()
    images.make_cached(TOP / ".cache")
    sandbox.enter(BUILD, cgroups=False)
    print(f"{options.rounds} rounds, interleaved; kernel {os.uname().release}, {os.cpu_count()} CPUs, load "
          f"{os.getloadavg()[0]:.1f}, {options.disk}")
    for _, disk in disks([options.disk]):
        coracle = program(disk)
        do(*coracle, "images", "import", TOP / ".cache/busybox.tar")
        do(*coracle, "images", "create-windows-base", "nano")
        stock = stock_wine(coracle, disk)
        if {"start", "busy"} & set(options.parts):
            starts(coracle, stock, options)
        if "idle" in options.parts:
            idle(coracle, options)
            if stock:
                idle_stock(coracle, disk)
        if "unpack" in options.parts and (PEERS / "bin/ctr").exists():
            unpack(coracle, disk, options)


if __name__ == "__main__":
    main()
