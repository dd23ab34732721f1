#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that nothing is lost: pulls that are killed, and power cuts, at random moments.

  sudo test/durability.py [--kills 50] [--cuts 30] [--seed N] [--build build-debug] [--no-peers]

1. `kill -9` of a pull, again and again until it is through. The registry counts its bytes: the next
   pull goes on from where the last one was killed. The result is compared file by file.
2. The power cut: the store lies on an ext4 of its own in a loop file, which is shut down in the middle
   of a pull by the ioctl GOINGDOWN without a flush of the journal, as when the power goes, and
   mounted again. An image that is listed is whole, byte for byte; one that isn't can be pulled. Then
   the same in the middle of `commit`.
3. The same cuts with containerd, if test/bench/peers.sh has built it: what its store is worth then,
   each time on a new file system.

Everything happens in namespaces of its own and on file systems in memory; nothing is left. What lies in
a disk's own cache is not lost by the ioctl: a missing barrier is not found by it. Exit code 1 if
anything of ours was lost.
"""
import argparse
import fcntl
import hashlib
import os
import random
import struct
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "test"))
from harness import cli, peers, sandbox  # noqa: E402
from harness.images import Image, describe_tree, entry, layer, tree_differences  # noqa: E402
from harness.registry import Registry, trickle  # noqa: E402

SHUTDOWN, NO_LOG_FLUSH = 0x8004587d, 2
WORK = Path("/run/durability")


def make_image(rng):
    """Three layers, 300 files of all sizes, 12 MB in all."""
    files = [entry(f"d{i % 7}/f{i}", rng.randbytes(rng.choice((0, 100, 5000, 120_000))), mode=0o640, uid=i)
             for i in range(300)]
    return Image(layer(*[entry(f"d{i}/") for i in range(7)], *files[:100]), layer(*files[100:200]),
                 layer(*files[200:], entry("d0/.wh.f0", "")), compress="gzip")


class Trickling:
    """A registry that sends slowly, and counts."""

    def __init__(self, image):
        self.sent = 0
        self.registry = Registry(image, behave=trickle(self, piece=32768, pause=0.004))

    def __enter__(self):
        self.registry.__enter__()
        return self

    def __exit__(self, *args):
        self.registry.__exit__(*args)

    blobs = property(lambda self: self.registry.blobs)
    ref = property(lambda self: self.registry.ref)


class Disk:
    """A store on a file system that can be cut."""

    def __init__(self, name):
        self.folder = WORK / name
        self.file = sandbox.make_disk(self.folder, "1G")

    def shut_down(self):
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def anew(self):
        self.unmount()
        subprocess.run(["mkfs.ext4", "-q", "-F", self.file], check=True)
        sandbox.mount_disk(self.folder, self.file)

    def again(self):
        self.unmount()
        sandbox.mount_disk(self.folder, self.file)

    def unmount(self):
        deadline = time.monotonic() + 30
        while subprocess.run(["umount", self.folder], capture_output=True).returncode:
            assert time.monotonic() < deadline, f"{self.folder} stays busy"
            time.sleep(0.02)


class Ours:
    name = "coracle"

    def __init__(self, disk):
        self.disk = disk

    def argv(self, *args):
        return ["coracle", "--root", self.disk.folder, "--state", f"{self.disk.folder}-state", *args]

    def run(self, *args):
        return cli.run(*self.argv(*args)).out

    def pull(self, ref):
        return cli.start(*self.argv("images", "pull", "--plain-http", ref))

    def crash(self):
        pass  # nothing of ours runs

    def restart(self):
        pass

    def listed(self, ref):
        return ref in self.run("images", "ls", "-q").split()

    def remove(self, ref):
        self.run("images", "rm", ref)
        self.run("gc")

    def clean(self, ref):
        """For the next cut."""
        self.remove(ref)

    def tree(self, ref):
        target = WORK / "m"
        target.mkdir(exist_ok=True)
        self.run("images", "mount", ref, target)
        try:
            return describe_tree(target)
        finally:
            self.run("images", "unmount", "--rm", target)

    def blobs(self):
        return self.disk.folder / "content/blobs/sha256"


class Theirs(Ours):
    name = "containerd"

    def __init__(self, disk):
        super().__init__(disk)
        self.daemon = peers.Containerd(disk.folder)
        self.daemon.start()

    def run(self, *args):
        return self.daemon.ctr(*args)

    def pull(self, ref):
        return cli.start(peers.PEERS / "ctr", "--address", self.disk.folder / "socket", "images", "pull",
                         "--plain-http", ref, env={"PATH": self.daemon.env["PATH"]})

    def crash(self):
        self.daemon.stop(9)

    def restart(self):
        self.daemon.start()

    def clean(self, ref):
        """On a new file system: what one cut has broken would spoil all that follow."""
        self.crash()
        self.disk.anew()
        self.restart()

    def tree(self, ref):
        """Without times: of folders that no layer names it is when they were unpacked."""
        return {name: (*what[:4], 0, *what[5:]) for name, what in super().tree(ref).items()}

    def blobs(self):
        return self.disk.folder / "root/io.containerd.content.v1.content/blobs/sha256"


def damage(engine, ref, wanted):
    """What of a listed image isn't as it was: a list of words, empty if it is whole."""
    found = []
    for blob in engine.blobs().iterdir() if engine.blobs().exists() else ():
        if hashlib.sha256(blob.read_bytes()).hexdigest() != blob.name:
            found.append(f"blob {blob.name[:12]} is something else")
    try:
        differences = tree_differences(engine.tree(ref), wanted)
    except AssertionError as e:
        differences = [str(e).strip().splitlines()[-1][-200:]]
    return found + (["%d differences in its files, as %s" % (len(differences), differences[0])] if differences else [])


def through(engine, ref):
    process = engine.pull(ref)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)


def kills(n, rng):
    image = make_image(rng)
    whole = sum(map(len, image.packed))
    killed = rounds = lost = most = 0
    with Trickling(image) as r:
        engine = Ours(Disk("kills"))
        begun = time.monotonic()
        through(engine, r.ref)
        seconds, wanted = time.monotonic() - begun, engine.tree(r.ref)
        engine.remove(r.ref)
        sent_before = r.sent
        while killed < n:
            while True:  # until one is through
                before = r.sent
                process = engine.pull(r.ref)
                try:
                    process.communicate(timeout=rng.uniform(0.02, 0.6) * seconds)
                    assert process.returncode == 0
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
                    killed += 1
                most = max(most, r.sent - before)
            rounds += 1
            if not engine.listed(r.ref) or damage(engine, r.ref, wanted):
                lost += 1
                print("   lost:", damage(engine, r.ref, wanted))
            engine.remove(r.ref)
        sent = r.sent - sent_before
    print(f"kill -9: {killed} kills of {rounds} pulls of {whole >> 10} KiB; the registry sent "
          f"{sent >> 10} KiB, {100 * sent / (whole * rounds):.0f} % of what was needed without a kill "
          f"({(sent - whole * rounds) / killed / 1024:.0f} KiB a kill, under way in sockets); "
          f"{rounds - lost} of {rounds} whole")
    return lost


def cut(engine, process, moment):
    """The power goes after so many seconds, or when the process is done; true if it had done its work."""
    try:
        process.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        pass  # in the middle
    returned = process.poll() == 0
    engine.disk.shut_down()
    process.kill()
    process.communicate()
    engine.crash()
    engine.disk.again()
    engine.restart()
    return returned


def moment_of(i, seconds, rng):
    """A third of the cuts comes right after the end."""
    return 10 * seconds if i % 3 == 0 else rng.uniform(0, 1.1) * seconds


def cuts(n, rng, make_engine):
    image = make_image(rng)
    disk = Disk(make_engine.name)
    engine = make_engine(disk)
    listed = bad = broken = 0
    with Trickling(image) as r:
        begun = time.monotonic()
        through(engine, r.ref)
        seconds, wanted = time.monotonic() - begun, engine.tree(r.ref)
        engine.clean(r.ref)
        for i in range(n):
            returned = cut(engine, engine.pull(r.ref), moment_of(i, seconds, rng))
            if engine.listed(r.ref):
                listed += 1
                if wrong := damage(engine, r.ref, wanted):
                    bad += 1
                if wrong and bad <= 3:
                    print(f"   cut {i}{' after the pull' if returned else ''}: listed, but {'; '.join(wrong)[-300:]}")
            elif returned:
                bad += 1
                print(f"   cut {i}: the pull had returned, and nothing is listed")
            try:
                through(engine, r.ref)
                wrong = damage(engine, r.ref, wanted)
            except AssertionError as e:
                wrong = [str(e)[-300:]]
            if wrong:
                broken += 1
                if broken <= 3:
                    print(f"   cut {i}: after the next pull {'; '.join(wrong)[-300:]}")
            engine.clean(r.ref)
    engine.crash()
    print(f"power cut, {engine.name}: {n} cuts in pulls; {listed} times the image was listed afterwards, "
          f"{bad} times it wasn't whole; the next pull left {broken} times something that isn't whole")
    return bad + broken


CHANGES = """rm -r /bin/[; mkdir /new; ln -s x /new/l
for i in $(seq 200); do head -c $((i * 300)) /dev/urandom > /new/f$i; done"""
COMMITTED = "docker.io/library/new:1"


def commits(n, rng):
    disk = Disk("commit")
    engine = Ours(disk)
    engine.run("images", "import", TOP / ".cache/busybox.tar")
    engine.run("run", "busybox", "work", "sh", "-c", CHANGES)
    begun = time.monotonic()
    engine.run("commit", "work", COMMITTED)
    seconds, wanted = time.monotonic() - begun, engine.tree(COMMITTED)
    engine.remove(COMMITTED)
    listed = bad = 0
    for i in range(n):
        os.sync()  # the container's own files are not what is tried
        process = cli.start(*engine.argv("commit", "work", COMMITTED))
        returned = cut(engine, process, moment_of(i, seconds, rng))
        is_listed = engine.listed(COMMITTED)
        listed += is_listed
        wrong = damage(engine, COMMITTED, wanted) if is_listed else ["it isn't listed"] if returned else []
        if not is_listed:
            engine.run("commit", "work", COMMITTED)
            wrong += damage(engine, COMMITTED, wanted)
        if wrong:
            bad += 1
            print(f"   cut {i}{' after the commit' if returned else ''}: {'; '.join(wrong)[-300:]}")
        engine.remove(COMMITTED)
    engine.run("containers", "rm", "work")
    print(f"power cut, coracle: {n} cuts in commits; {listed} times the image was listed afterwards, "
          f"{bad} times something was lost")
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--cuts", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--build", default=os.environ.get("CORACLE_BUILD", str(TOP / "build-debug")))
    parser.add_argument("--no-peers", action="store_true")
    args = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("this makes namespaces and mounts: run it as root")
    sandbox.enter(args.build)
    WORK.mkdir()
    rng = random.Random(args.seed)
    print(f"seed {args.seed}")
    lost = kills(args.kills, rng) if args.kills else 0
    lost += cuts(args.cuts, rng, Ours) if args.cuts else 0
    lost += commits(args.cuts, rng) if args.cuts else 0
    why = peers.why_no_containerd()
    if args.cuts and why and not args.no_peers:
        print(f"power cut, containerd: not tried, {why}")
    elif args.cuts and not args.no_peers:
        cuts(args.cuts, rng, Theirs)
    raise SystemExit(1 if lost else 0)


if __name__ == "__main__":
    main()
