#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Starts of containers beside the floor and beside ctr, interleaved in one run, as ratios.

  test/bench/run.py [--rounds N] [--disk ext4|tmpfs ...] [--no-peers]

Needs root, a build folder build-bench (it is made), and for the peers test/bench/peers.sh.
Everything runs in namespaces of its own; on a fresh ext4 with a journal in a file, and on tmpfs.
Prints tables in Markdown: milliseconds from exec of the command to its end.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "test"))
from harness import images, sandbox  # noqa: E402

BUILD = TOP / "build-bench"
PEERS = TOP / ".cache/peers"
IMAGE = "docker.io/library/busybox:latest"
SUBNETS = {"ours": "10.77.0.0/16", "theirs": "10.78.0.0/16"}
CONTAINERD = """version = 3
root = "{root}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
                    "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri"]
[grpc]
  address = "/run/containerd/containerd.sock"
"""


def network(name):
    return json.dumps({"cniVersion": "1.0.0", "name": name, "plugins": [
        {"type": "bridge", "bridge": f"{name}0", "isGateway": True, "ipMasq": True, "hairpinMode": True,
         "ipam": {"type": "host-local", "ranges": [[{"subnet": SUBNETS[name]}]],
                  "routes": [{"dst": "0.0.0.0/0"}]}},
        {"type": "portmap", "capabilities": {"portMappings": True}}]})


def build():
    if not (BUILD / "build.ninja").exists():
        subprocess.run(["meson", "setup", BUILD, "-Dbuildtype=release", "-Db_lto=true", "-Dbench=true",
                        "-Dtests=disabled"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD], check=True, stdout=subprocess.DEVNULL)


def layer(folder):
    """The busybox layer, unpacked for the floor."""
    folder.mkdir(parents=True)
    archive = folder.with_name("layer.tar")
    archive.write_bytes(images.busybox_layer())
    with tarfile.open(archive) as tar:
        tar.extractall(folder)
    archive.unlink()
    return folder


def cgroup2():
    return next(path for path, is_v2 in sandbox.hierarchies().items() if is_v2)


class Peers:
    """containerd with its own root, started for the length of a block."""

    def __init__(self, disk):
        self.disk = disk

    def __enter__(self):
        config = Path("/run/bench-containerd.toml")
        config.write_text(CONTAINERD.format(root=self.disk / "containerd"))
        env = {**os.environ, "PATH": f"{PEERS}/bin:{os.environ['PATH']}"}
        self.log = open("/run/bench-containerd.log", "w")
        self.daemon = subprocess.Popen([PEERS / "bin/containerd", "--config", config], env=env,
                                       stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while subprocess.run([PEERS / "bin/ctr", "version"], capture_output=True).returncode != 0:
            if time.monotonic() > deadline:
                raise SystemExit(Path("/run/bench-containerd.log").read_text())
            time.sleep(0.1)
        subprocess.run([PEERS / "bin/ctr", "images", "import", TOP / ".cache/busybox.tar"], check=True,
                       stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.daemon.terminate()
        self.daemon.wait(60)
        self.log.close()
        for path in sandbox.hierarchies():  # runc leaves the group of the namespace
            try:
                os.rmdir(f"{path}/default")
            except OSError:
                pass


def program(disk):
    return ["/usr/local/bin/coracle", "--root", str(disk / "coracle"), "--state", f"/run/coracle-{disk.name}"]


def commands(disk, peers):
    """{what: argv}; the first is what ratios are told against."""
    floor = disk / "floor"
    (floor / "root").mkdir(parents=True)
    coracle = program(disk)
    found = {
        "floor": [BUILD / "test/bench/floor", layer(disk / "layer"), floor, cgroup2()],
        "coracle run --rm": [*coracle, "run", "--rm", "busybox", "b", "true"],
        "coracle run --rm --cni": [*coracle, "--cni-netconfpath", "/run/bench-net/ours", "run", "--rm", "--cni",
                                   "busybox", "b", "true"],
        "coracle version": [*coracle, "version"],
    }
    if peers:
        found["ctr run --rm"] = [PEERS / "bin/ctr", "run", "--rm", IMAGE, "b", "true"]
        found["ctr run --rm --cni"] = [PEERS / "bin/ctr", "run", "--rm", "--cni", IMAGE, "b", "true"]
    subprocess.run([*coracle, "images", "import", TOP / ".cache/busybox.tar"], check=True, stdout=subprocess.DEVNULL)
    for argv in found.values():  # warm, and an error is seen at once
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return found


def measure(found, rounds):
    argv = [BUILD / "test/bench/measure", str(rounds)]
    for i, command in enumerate(found.values()):
        argv += ["+"] * (i > 0) + [str(word) for word in command]
    out = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout
    rows = {name: [] for name in found}
    names = list(found)
    for line in out.splitlines():
        number, ms, kib, cpu, status = line.split()
        if status != "0":
            raise SystemExit(f"{names[int(number)]}: exit {status}")
        rows[names[int(number)]].append((float(ms), int(kib), float(cpu)))
    return rows


def table(rows, title):
    base = statistics.median(ms for ms, _, _ in rows["floor"])
    print(f"\n### {title}\n")
    print("| what | min | median | 95 % | CPU median | peak MiB | of the floor | faster than ctr |")
    print("|---|---|---|---|---|---|---|---|")
    for name, runs in rows.items():
        times = sorted(ms for ms, _, _ in runs)
        median = statistics.median(times)
        theirs = rows.get("ctr run --rm --cni" if "--cni" in name else "ctr run --rm")
        times_faster = (f"{statistics.median(ms for ms, _, _ in theirs) / median:.1f} ×"
                        if theirs and name.startswith("coracle run") else "")
        print(f"| {name} | {times[0]:.2f} | {median:.2f} | {times[int(len(times) * .95)]:.2f} | "
              f"{statistics.median(cpu for _, _, cpu in runs):.1f} | "
              f"{max(kib for _, kib, _ in runs) / 1024:.1f} | {median / base:.2f} | {times_faster} |")


def memory(disk):
    """The monitor of an idle container, once its command is gone."""
    coracle = program(disk)
    process = subprocess.Popen([*coracle, "run", "--rm", "busybox", "idle", "sh", "-c", "echo up; exec sleep 1000"],
                               stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    process.stdout.readline()
    task = subprocess.run([*coracle, "tasks", "ls"], stdout=subprocess.PIPE, text=True).stdout
    pid = next(line.split()[1] for line in task.splitlines() if line.startswith("idle"))
    monitor = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1]
    sizes = dict(line.split()[:2] for line in Path(f"/proc/{monitor}/smaps_rollup").read_text().splitlines()[1:])
    name = Path(f"/proc/{monitor}/comm").read_text().strip()
    print(f"\nThe monitor of an idle container ({name}): {sizes['Rss:']} KiB resident, {sizes['Pss:']} KiB PSS.")
    subprocess.run([*coracle, "tasks", "kill", "-s", "KILL", "idle"], check=True)
    process.wait(60)


def disks(kinds):
    for kind in kinds:
        folder = Path("/run/bench") / kind
        folder.mkdir(parents=True)
        if kind == "tmpfs":
            sandbox.mount("tmpfs", folder, "tmpfs")
        else:
            sandbox.make_disk(folder, "4G", kind)
        yield kind, folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--disk", nargs="+", default=["ext4", "tmpfs"])
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    build()
    images.make_cached(TOP / ".cache")
    sandbox.enter(BUILD, cgroups=False)
    peers = not options.no_peers and (PEERS / "bin/runc").exists()
    for name in SUBNETS:
        folder = Path("/run/bench-net") / name
        folder.mkdir(parents=True)
        (folder / "10-bench.conflist").write_text(network(name))
    Path("/etc/cni/net.d").mkdir()
    (Path("/etc/cni/net.d") / "10-bench.conflist").write_text(network("theirs"))
    if peers:
        shutil.copytree(PEERS / "cni", "/opt/cni/bin")
    print(f"{options.rounds} rounds, interleaved; kernel {os.uname().release}, {os.cpu_count()} CPUs, load "
          f"{os.getloadavg()[0]:.1f}")
    for kind, folder in disks(options.disk):
        if peers:
            with Peers(folder):
                table(measure(commands(folder, True), options.rounds), kind)
        else:
            table(measure(commands(folder, False), options.rounds), kind)
        memory(folder)


if __name__ == "__main__":
    main()
