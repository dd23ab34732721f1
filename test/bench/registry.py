#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls from a registry on loopback beside containerd's, docker's and podman's, interleaved in one run, as ratios.

  test/bench/registry.py [--rounds N] [--slow-rounds N] [--memory-rounds N] [--disk ext4|tmpfs ...]
                         [--no-peers] [--also NAME=PROGRAM ...]

An image of 263 MB (94 MB as gzip) of this machine's /usr in one layer, the same in eight, and one that
shares seven of the eight. Wall time, CPU of all processes (client and daemon; not the registry's), and,
in rounds of their own, the peak of the sum of their PSS. Needs root, docker-registry, skopeo, and for the
peers test/bench/peers.sh, Debian's docker.io and podman. Podman syncs what it unpacks, file by file, and
docker its records: --slow-rounds limits the rounds of both. --also measures another coracle, of an older build.
Everything runs in namespaces of its own; on a fresh ext4 with a journal in a file, and on tmpfs.
"""
import argparse
import contextlib
import io
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run import BUILD, PEERS, TOP, Peers, build, disks  # noqa: E402
from harness import images, peers as others, registry, sandbox  # noqa: E402

SIZE, LAYERS = 263_000_000, 8
CTR = str(PEERS / "bin/ctr")
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}


def do(argv, **how):
    subprocess.run([str(word) for word in argv], check=True, **{**QUIET, **how})


# --- images

def chosen_files():
    """Of /usr in the order of their names, folders before what is in them, until they are SIZE bytes."""
    total, found = 0, []
    for folder, folders, files in os.walk("/usr"):
        folders[:] = sorted(f for f in folders if (folder, f) != ("/usr", "local"))
        found.append(folder)
        for name in sorted(files):
            path = os.path.join(folder, name)
            if os.path.getsize(path) > 20_000_000 if os.path.isfile(path) else True:
                continue
            found.append(path)
            total += os.lstat(path).st_size + 1024
            if total > SIZE:
                return found
    return found


def parents(path):
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[:i]) for i in range(1, len(parts))]


def tar_of(paths):
    """With the folders above what it holds, as build tools write layers."""
    out, seen = io.BytesIO(), set()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in paths:
            for one in [p for p in parents(path) if p not in seen] + [path]:
                if one not in seen:
                    seen.add(one)
                    tar.add(one, recursive=False)
    return out.getvalue()


def make_images(folder):
    """OCI archives; they are made once for a build folder."""
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        paths = chosen_files()
        step = -(-len(paths) // LAYERS)
        eight = [tar_of(paths[i * step:(i + 1) * step]) for i in range(LAYERS)]
        other = tar_of([path for path in reversed(paths[-step:]) if not os.path.isdir(path)])
        for name, layers in (("one", [tar_of(paths)]), ("eight", eight), ("shared", [*eight[:-1], other])):
            images.Image(*layers, name=f"docker.io/library/{name}:latest", compress="gzip").oci(folder / f"{name}.tar")
        (folder / "done").touch()
    return {name: folder / f"{name}.tar" for name in ("one", "eight", "shared")}


# --- engines

class Coracle:
    slow = False

    def __init__(self, program, disk):
        self.argv, self.disk, self.root, self.n = [program], disk, None, 0

    def fresh(self):
        if self.root:
            shutil.rmtree(self.root)
        self.n += 1
        self.root = self.disk / f"store-{os.path.basename(self.argv[0])}-{id(self)}-{self.n}"

    def pull(self, ref):
        return [*self.argv, "--root", self.root, "--state", f"/run/state-{id(self)}-{self.n}", "images", "pull",
                "--plain-http", ref]

    daemon = None


class Ctr:
    slow = False

    def __init__(self, daemon):
        self.daemon = daemon

    def fresh(self):
        names = subprocess.run([CTR, "images", "ls", "-q"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        names = [name for name in names if name.startswith("127.0.0.1")]
        if names:
            do([CTR, "images", "rm", "--sync", *names])

    def pull(self, ref):
        return [CTR, "images", "pull", "--plain-http", ref]


class Dockerd:
    slow = True

    def __init__(self, running):
        self.argv, self.daemon = running.argv, running.daemon.pid

    def fresh(self):
        do([*self.argv, "image", "prune", "-a", "-f"])

    def pull(self, ref):
        return [*self.argv, "pull", "-q", ref]


class Podman:
    slow, daemon = True, None

    def __init__(self, disk):
        self.argv = [shutil.which("podman"), "--root", str(disk / "podman"), "--runroot", "/run/bench-podman",
                     "--cgroup-manager", "cgroupfs", "--events-backend", "file"]

    def fresh(self):
        do([*self.argv, "rmi", "-a", "-f"])

    def pull(self, ref):
        return [*self.argv, "pull", "-q", "--tls-verify=false", ref]


# --- measuring

def cpu_ms(pid):
    """Of a process and the children it has reaped."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) * 1000 / os.sysconf("SC_CLK_TCK")


def run(engine, ref):
    argv = [str(word) for word in engine.pull(ref)]
    daemon = engine.daemon
    before = cpu_ms(daemon) if daemon else 0
    began = time.monotonic()
    child = subprocess.Popen(argv, **QUIET)
    _, status, usage = os.wait4(child.pid, 0)
    wall = (time.monotonic() - began) * 1e3
    child.returncode = status
    if status:
        raise SystemExit(f"{' '.join(argv)}: status {status}")
    return wall, (usage.ru_utime + usage.ru_stime) * 1e3 + (cpu_ms(daemon) - before if daemon else 0)


def family(roots):
    parent = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent[int(entry)] = int(Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            pass
    found = set(roots)
    while True:
        more = {pid for pid, of in parent.items() if of in found} - found
        if not more:
            return found
        found |= more


def pss_kib(pids):
    total = 0
    for pid in pids:
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def peak_kib(engine, ref):
    """Seen every few milliseconds: a short peak can be missed."""
    child = subprocess.Popen([str(word) for word in engine.pull(ref)], **QUIET)
    peak = 0
    while child.poll() is None:
        peak = max(peak, pss_kib(family([child.pid, *([engine.daemon] if engine.daemon else [])])))
        time.sleep(0.002)
    return peak


SCENES = (("one layer", None, "one"), ("eight layers", None, "eight"), ("one of eight", "eight", "shared"))


def measure(engines, host, options):
    rows = {scene[0]: {name: [] for name in engines} for scene in SCENES}
    peaks = {scene[0]: {name: 0 for name in engines} for scene in SCENES}
    for n in range(-options.memory_rounds, options.rounds):  # the first are for memory, and warm up
        for scene, before, image in SCENES:
            for name, engine in engines.items():
                if engine.slow and n >= options.slow_rounds:
                    continue
                engine.fresh()
                if before:
                    run(engine, f"{host}/{before}:latest")
                os.sync()
                ref = f"{host}/{image}:latest"
                if n < 0:
                    peaks[scene][name] = max(peaks[scene][name], peak_kib(engine, ref))
                else:
                    rows[scene][name].append(run(engine, ref))
    for engine in engines.values():
        engine.fresh()
    return rows, peaks


def table(rows, peaks, title):
    print(f"\n| {title} | rounds | min s | median s | CPU s, median | peak MiB | of coracle |")
    print("|---|---|---|---|---|---|---|")
    for scene, of in rows.items():
        base = statistics.median(wall for wall, _ in of["coracle"])
        for name, runs in of.items():
            walls = sorted(wall for wall, _ in runs)
            median = statistics.median(walls)
            print(f"| {scene}: {name} | {len(walls)} | {walls[0] / 1e3:.2f} | {median / 1e3:.2f} | "
                  f"{statistics.median(cpu for _, cpu in runs) / 1e3:.2f} | {peaks[scene][name] / 1024:.0f} | {median / base:.2f} |",
                  flush=True)


def floor(archive, folder):
    """What one thread needs for the parts, by the tools of the distribution; files from memory."""
    with tarfile.open(archive) as tar:
        blob = max(tar.getmembers(), key=lambda m: m.size)
        packed = tar.extractfile(blob).read()
    gz, plain = Path("/run/floor.gz"), Path("/run/floor.tar")
    gz.write_bytes(packed)
    do(["sh", "-c", f"gzip -dc {gz} > {plain}"])
    parts = {"SHA-256 of the gzip": ["openssl", "dgst", "-sha256", gz], "SHA-256 of the tar": ["openssl", "dgst", "-sha256", plain],
             "files, by GNU tar": ["tar", "-xf", plain, "-C", folder / "floor"],
             "gunzip by zlib's kin": ["sh", "-c", f"gzip -dc {gz} > /dev/null"]}
    if shutil.which("igzip"):
        parts["gunzip by isa-l"] = ["sh", "-c", f"igzip -dc {gz} > /dev/null"]
    times = {name: [] for name in parts}
    for _ in range(5):
        for name, argv in parts.items():
            shutil.rmtree(folder / "floor", ignore_errors=True)
            (folder / "floor").mkdir()
            began = time.monotonic()
            do(argv)
            times[name].append(time.monotonic() - began)
    shutil.rmtree(folder / "floor")
    print(f"\nParts, least of 5: " + ", ".join(f"{name} {min(t):.2f} s" for name, t in times.items())
          + f"; gzip {len(packed) / 1e6:.0f} MB, tar {plain.stat().st_size / 1e6:.0f} MB")
    gz.unlink()
    plain.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--slow-rounds", type=int, default=30)
    parser.add_argument("--memory-rounds", type=int, default=3)
    parser.add_argument("--disk", nargs="+", default=["ext4", "tmpfs"])
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--also", nargs="*", default=[], metavar="NAME=PROGRAM")
    options = parser.parse_args()
    build()
    archives = make_images(BUILD / "registry-images")
    sandbox.enter(BUILD, cgroups=False)
    sandbox.links_up()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leaves by the doors below
    peers = not options.no_peers and (PEERS / "bin/containerd").exists()
    print(f"{options.rounds} rounds, interleaved; kernel {os.uname().release}, {os.cpu_count()} CPUs, load "
          f"{os.getloadavg()[0]:.1f}")
    blobs = Path("/run/bench-registry")
    blobs.mkdir()
    with registry.docker_registry(blobs) as host:
        for name, archive in archives.items():
            registry.skopeo_copy(f"oci-archive:{archive}", f"docker://{host}/{name}:latest")
        for kind, folder in disks(options.disk):
            floor(archives["one"], folder)
            engines = {"coracle": Coracle("/usr/local/bin/coracle", folder)}
            for also in options.also:
                name, _, program = also.partition("=")
                engines[name] = Coracle(program, folder)
            if not peers:
                table(*measure(engines, host, options), kind)
                continue
            with contextlib.ExitStack() as running:
                engines["ctr and containerd"] = Ctr(running.enter_context(Peers(folder)).daemon.pid)
                if options.slow_rounds and not others.why_no_docker():
                    engines["docker"] = Dockerd(running.enter_context(others.Docker(folder / "docker")))
                if options.slow_rounds and shutil.which("podman"):
                    engines["podman"] = Podman(folder)
                table(*measure(engines, host, options), kind)


if __name__ == "__main__":
    main()
