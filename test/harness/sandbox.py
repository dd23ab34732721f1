# SPDX-License-Identifier: Apache-2.0
"""Namespaces of the test session: nothing that a test does is seen outside of it.

enter() gives the calling process its own mount, network, IPC and UTS namespace, with
- /run and /tmp a fresh tmpfs; /etc, /opt, /usr/local and /var/lib overlays whose changes vanish,
- the program under test installed in /usr/local, as users have it,
- /var/lib/coracle a fresh ext4 with a journal,
- in every cgroup hierarchy a group of its own as the visible root.
"""
import atexit
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET = 0x20000, 0x4000000, 0x8000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE, MS_SHARED = 4096, 16384, 1 << 18, 1 << 20
CGROUPS = Path("/sys/fs/cgroup")
STORE = Path("/var/lib/coracle")
_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags):
    if _libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def mount(source, target, kind=None, flags=0, data=None):
    def c(text):
        return None if text is None else os.fsencode(text)
    if _libc.mount(c(source), c(target), c(kind), ctypes.c_ulong(flags), c(data)) != 0:
        raise OSError(ctypes.get_errno(), f"mount {kind or source} on {target}")


def umount(target):
    if _libc.umount2(os.fsencode(target), 0) != 0:
        raise OSError(ctypes.get_errno(), f"umount {target}")


def links_up():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def enter(build=None, cgroups=True):
    """Into the namespaces; installs the program from the folder `build`. Without `cgroups` the
    hierarchies are left as they are: for programs that can't live with a group as root."""
    unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET)
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    socket.sethostname("testhost")
    if cgroups:
        _enter_cgroup()
    cover("/run", "mode=755")
    cover("/tmp", "mode=1777")
    for folder in ("/etc", "/opt", "/usr/local", "/var/lib"):
        overlay(folder)
    os.makedirs("/run/netns")
    mount("/run/netns", "/run/netns", None, MS_BIND)
    mount(None, "/run/netns", None, MS_SHARED)  # as whoever pins the first namespace leaves it
    for folder in ("/etc/cni", "/var/lib/cni", "/opt/cni"):
        subprocess.run(["rm", "-rf", folder], check=True)  # in the overlay only
        os.makedirs(folder)
    links_up()
    make_disk(STORE, "4G")
    if build:
        for name in ("bin/coracle", "bin/ctr", "libexec/coracle", "share/coracle"):  # of an install.sh before;
            subprocess.run(["rm", "-rf", f"/usr/local/{name}"], check=True)  # in the overlay only
        subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--quiet"], check=True)
        os.symlink("coracle", "/usr/local/bin/ctr")  # as install.sh makes it


def cover(folder, options):
    """An empty tmpfs over a folder; the checkout stays to be seen if it lies in there."""
    top = Path(__file__).resolve().parents[2]
    kept = os.open(top, os.O_PATH) if top.is_relative_to(folder) else -1
    mount("tmpfs", folder, "tmpfs", 0, options)
    if kept >= 0:
        top.mkdir(parents=True)
        mount(f"/proc/self/fd/{kept}", top, None, MS_BIND | MS_REC)
        os.close(kept)


def overlay(folder):
    """Makes a folder writable for us alone."""
    changes = Path("/run/test-overlay") / folder.strip("/").replace("/", "-")
    for part in ("upper", "work"):
        (changes / part).mkdir(parents=True)
    mount("overlay", folder, "overlay", 0,
          f"lowerdir={folder},upperdir={changes}/upper,workdir={changes}/work")


def make_disk(folder, size, kind="ext4"):
    """A fresh file system with a journal, from a file that lies in memory, on `folder`."""
    image = Path("/run/test-disks") / f"{str(folder).strip('/').replace('/', '-')}.img"
    image.parent.mkdir(exist_ok=True)
    Path(folder).mkdir(parents=True, exist_ok=True)
    with open(image, "wb") as file:
        file.truncate(parse_size(size))
    force = {"ext4": "-F", "xfs": "-f"}[kind]
    subprocess.run([f"mkfs.{kind}", "-q", force, str(image)], check=True)
    mount_disk(folder, image)
    return image


def mount_disk(folder, image):
    """A worker of ours that is still leaving has a mount namespace of its own: until it is gone, the
    same file system, shut down or not, would be mounted once more instead of what is on the disk."""
    deadline = time.monotonic() + 30
    while subprocess.run(["losetup", "-j", str(image)], check=True, capture_output=True).stdout:
        assert time.monotonic() < deadline, f"{image} is still in use"
        time.sleep(0.02)
    subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True)


def parse_size(size):
    return int(size[:-1]) << {"K": 10, "M": 20, "G": 30}[size[-1]]


# --- cgroups --------------------------------------------------------------------------------------

def hierarchies():
    """Mount points of all cgroup hierarchies: {path: is_v2}."""
    found = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind = rest.split()[0]
        if kind in ("cgroup", "cgroup2"):
            found[fields.split()[4]] = kind == "cgroup2"
    return found


_groups = []  # (descriptor of the real root, is_v2)
_held = []  # descriptors of our groups, locked: a group that nobody holds is a dead session's
_owner = os.getpid()
_name = f"coracle-tests.{os.urandom(4).hex()}"  # not by pid: there are pid namespaces


def _enter_cgroup():
    """Every hierarchy shows a group of ours as its root; we live in a leaf of the v2 one."""
    for path, is_v2 in hierarchies().items():
        root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.mkdir(_name, dir_fd=root)
        except OSError:
            continue  # not writable here: the tests that need it skip
        own = Path(path) / _name
        _hold(own)
        for left in Path(path).glob("coracle-tests.*"):
            if left != own and time.time() - left.stat().st_mtime > 60 and _hold(left):
                _remove_tree(left, tries=1)
        _groups.append((root, is_v2))
        if is_v2:
            _delegate(Path(path), own)
            (own / "pytest").mkdir()
            (own / "pytest/cgroup.procs").write_text(str(os.getpid()))
        for name in ("cpuset.cpus", "cpuset.mems"):  # empty in a new v1 group
            if not is_v2 and (own / name).exists():
                (own / name).write_text((Path(path) / name).read_text())
        mount(str(own), path, None, MS_BIND)
    atexit.register(_leave_cgroup)


def _hold(group):
    """Locks a group for the life of this process; False if another one has it."""
    fd = os.open(group, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return False
    _held.append(fd)
    return True


def _delegate(root, own):
    for controller in (root / "cgroup.controllers").read_text().split():
        for group in (root, own):
            try:
                (group / "cgroup.subtree_control").write_text("+" + controller)
            except OSError:
                pass  # the group has processes, or v1 holds the controller


def own_group():
    """The v2 group that all processes of the session are in or below, or None."""
    for path, is_v2 in hierarchies().items():
        if is_v2 and (Path(path) / "pytest/cgroup.procs").exists():
            return Path(path)
    return None


def session_processes():
    """Every process below the session's v2 group but the session's own leaf."""
    group, found = own_group(), []
    for folder, _, _ in os.walk(group or ""):  # passes over what vanishes meanwhile
        if folder == str(group / "pytest"):
            continue
        try:
            found += Path(folder, "cgroup.procs").read_text().split()
        except OSError:
            pass
    return sorted(map(int, found))


def stray_processes():
    """Processes of the session that are neither this one nor its living ancestors' commands."""
    group = own_group()
    leaf = (group / "pytest/cgroup.procs").read_text().split() if group else []
    return sorted({int(p) for p in leaf} - {os.getpid()} | set(session_processes()))


def _leave_cgroup():
    if os.getpid() != _owner:
        return  # a forked child
    for pid in stray_processes():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    for root, is_v2 in _groups:
        here = f"/proc/self/fd/{root}"
        if is_v2:
            Path(here, "cgroup.procs").write_text(str(os.getpid()))
        _remove_tree(Path(here, _name))


def _remove_tree(group, tries=50):
    for _ in range(tries):
        for folder in sorted((p for p in group.rglob("*") if p.is_dir()), reverse=True):
            try:
                folder.rmdir()
            except OSError:
                pass
        try:
            group.rmdir()
            return
        except OSError:
            time.sleep(0.1)  # the last process is still dying
