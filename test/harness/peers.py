# SPDX-License-Identifier: Apache-2.0
"""Other engines, to see whether they read what we write. Each leaves nothing."""
import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

from . import images, sandbox

PEERS = images.TOP / ".cache/peers/bin"  # containerd's, by test/bench/peers.sh
CONTAINERD = """version = 3
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
                    "io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri"]
[grpc]
  address = "{folder}/socket"
"""


def why_no_containerd():
    """A reason to skip, or None."""
    if not (PEERS / "containerd").exists():
        return "containerd isn't built: test/bench/peers.sh"
    return None


def why_no_docker():
    if not shutil.which("dockerd") or not shutil.which("docker"):
        return "no docker daemon here, only what reads its archives (skopeo docker-archive:)"
    return None


class Containerd:
    """containerd 2.1 with everything of it in a folder; `ctr(*args)` gives what was said."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.env = {**os.environ, "PATH": f"{PEERS}:{os.environ['PATH']}"}

    def ctr(self, *args, code=0):
        done = subprocess.run([PEERS / "ctr", "--address", self.folder / "socket", *map(str, args)],
                              capture_output=True, text=True, env=self.env, timeout=120)
        assert code is None or done.returncode == code, f"ctr {args}: {done}"
        return done.stdout

    def start(self):
        config = self.folder / "config.toml"
        config.write_text(CONTAINERD.format(folder=self.folder))
        self.log = open(self.folder / "log", "a")
        self.daemon = subprocess.Popen([PEERS / "containerd", "--config", config], env=self.env,
                                       stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while subprocess.run([PEERS / "ctr", "--address", self.folder / "socket", "version"],
                             capture_output=True, env=self.env).returncode != 0:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self, signal=15):
        self.daemon.send_signal(signal)
        self.daemon.wait(60)
        self.log.close()

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        for path in sandbox.hierarchies():  # runc leaves the group of the namespace
            with contextlib.suppress(OSError):
                os.rmdir(f"{path}/default")


class Podman:
    """podman with its stores in a folder, whose path it wants short."""

    FOLDER = Path("/run/test-podman")

    def __enter__(self):
        self.FOLDER.mkdir()
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.FOLDER)

    def __call__(self, *args):
        argv = ["podman", "--root", self.FOLDER / "root", "--runroot", self.FOLDER / "run", "--storage-driver", "vfs",
                "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--tmpdir", self.FOLDER / "tmp",
                "--runtime", "runc", *args]
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"podman {args}: {done.stdout}{done.stderr}"
        return done.stdout


class Docker:
    """dockerd with its root in `folder`, and the containerd that it brings; `argv` is its client."""

    RUN = Path("/run/test-docker")

    def __init__(self, folder):
        socket = f"unix://{self.RUN}/docker.sock"
        self.argv = ["docker", "--host", socket]
        self.command = ["dockerd", "--data-root", str(folder), "--exec-root", f"{self.RUN}/exec", "--pidfile", f"{self.RUN}/pid",
                        "--host", socket, "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver", "overlay2"]

    def __enter__(self):
        self.RUN.mkdir()
        with open(self.RUN / "log", "w") as log:
            self.daemon = subprocess.Popen(self.command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while subprocess.run([*self.argv, "version"], capture_output=True).returncode != 0:
            assert time.monotonic() < deadline and self.daemon.poll() is None, (self.RUN / "log").read_text()
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.daemon.terminate()
        self.daemon.wait(60)
        shutil.rmtree(self.RUN)
        for path in sandbox.hierarchies():
            with contextlib.suppress(OSError):
                os.rmdir(f"{path}/docker")

    def __call__(self, *args):
        return subprocess.run([*self.argv, *map(str, args)], capture_output=True, text=True, check=True, timeout=120).stdout
