# SPDX-License-Identifier: Apache-2.0
"""Everything that a container could leave behind, counted."""
import json
import os
import subprocess
import time
from pathlib import Path

from . import sandbox

STATE = Path("/run/coracle")
CNI = Path("/var/lib/cni")


def _names(folder, pattern="*"):
    return sorted(str(p.relative_to(folder)) for p in Path(folder).glob(pattern))


def _nft():
    """Elements of sets and maps, and rules. Empty tables and chains may stay."""
    run = subprocess.run(["nft", "-j", "list", "ruleset"], capture_output=True, text=True, check=True)
    found = []
    for item in json.loads(run.stdout or '{"nftables": []}')["nftables"]:
        for kind in ("set", "map"):
            for element in item.get(kind, {}).get("elem", ()):
                found.append(f"{item[kind]['table']}.{item[kind]['name']}: {json.dumps(element)}")
    return sorted(found)


def _leases():
    return sorted(str(p.relative_to(CNI)) for p in (CNI / "networks").rglob("*")
                  if p.is_file() and p.name != "lock" and not p.name.startswith("last_reserved_ip"))



def _interfaces():
    """All but bridges: those stay, as upstream's do."""
    run = subprocess.run(["ip", "-j", "-d", "link"], capture_output=True, text=True, check=True)
    return sorted(link["ifname"] for link in json.loads(run.stdout)
                  if link.get("linkinfo", {}).get("info_kind") != "bridge")


def _cgroups():
    found = []
    for path in sandbox.hierarchies():
        for folder, names, _ in os.walk(path):  # passes over what vanishes meanwhile
            if os.path.relpath(folder, path).count("/") < 2:
                continue  # coracle/STORE/NAMESPACE may stay and may go: they are nobody's
            found += [os.path.join(folder, name) for name in names]
    return sorted(set(found))


def _mounts():
    return sorted(line.split(" - ")[0].split(" ", 3)[3]
                  for line in Path("/proc/self/mountinfo").read_text().splitlines())


def take(store=sandbox.STORE, state=STATE):
    """A picture of all that could leak, by kind."""
    store, state = Path(store), Path(state)
    return {
        "mounts": _mounts(),
        "interfaces": _interfaces(),
        "nft elements": _nft(),
        "cgroups": _cgroups(),
        "processes": [_describe(pid) for pid in sandbox.stray_processes()],
        "network namespaces": _names("/run/netns"),
        "leases": _leases(),
        "network cache": _names(CNI / "results"),
        "network owners": _names(CNI / "coracle", "*/*"),
        "snapshots": _names(store / "snapshots", "*/*") + _names(store / "snapshots", "new-*"),
        "uppers": _names(store / "uppers"),
        "trash": _names(store / "trash"),
        "ingests": _names(store / "content/ingest"),
        "blobs": _names(store / "content/blobs/sha256"),
        "run state": [n for n in _names(state, "*/*")],
        "temporary files": [n for n in _names("/tmp") if not n.startswith("pytest-of-")],
    }


def _describe(pid):
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return f"{pid} {command.strip() or Path(f'/proc/{pid}/comm').read_text().strip()}"
    except OSError:
        return f"{pid}"


def difference(before, after):
    lines = []
    for kind in before:
        old, new = list(before[kind]), list(after[kind])
        for item in before[kind]:
            if item in new:
                new.remove(item)
                old.remove(item)
        lines += [f"{kind}: left over {item}" for item in new]
        lines += [f"{kind}: lost {item}" for item in old]
    return lines


def until(condition, seconds=30):
    """Looks until condition(picture) holds."""
    deadline = time.monotonic() + seconds
    while not condition(take()):
        if time.monotonic() > deadline:
            raise AssertionError("it never came true")
        time.sleep(0.05)


def rested(seconds=30):
    """A picture in which nothing is dying any more: commands answer before they have cleaned all."""
    deadline, same, last = time.monotonic() + seconds, 0, take()
    while same < 4:
        if time.monotonic() > deadline:
            raise AssertionError("it never came to rest")
        time.sleep(0.05)
        now = take()
        same = same + 1 if not now["trash"] and not difference(last, now) else 0
        last = now
    return last


def assert_back(before, seconds=5, **where):
    """Namespaces and what hangs on them die slowly: looks again for up to `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        lines = difference(before, take(**where))
        if not lines:
            return
        if time.monotonic() > deadline:
            raise AssertionError("not as it was before:\n  " + "\n  ".join(lines[:40]))
        time.sleep(0.05)
