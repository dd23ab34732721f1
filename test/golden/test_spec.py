# SPDX-License-Identifier: Apache-2.0
"""`coracle spec` against the specs that ctr made: each row of the table in ctr-2.1.1/README.md, as it was
typed there. The unit test `engine spec` has the same table without command line and store."""
import json
import os
import re
import shlex
import socket
from pathlib import Path

import pytest

from harness.cli import coracle
from harness.images import Image, entry, layer

GOLDEN = Path(__file__).parent / "ctr-2.1.1"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"
APP_PASSWD = PASSWD + "app:x:1000:1000::/home:/bin/sh\n"
APP_GROUP = GROUP + "wheel:x:10:root,app\naudio:x:29:app\napp:x:1000:\n"
IMAGES = {
    "docker.io/demo/plain:1": (PASSWD, GROUP, {"Cmd": ["/bin/sh"], "Env": [PATH]}),
    "docker.io/demo/full:1": (APP_PASSWD, APP_GROUP, {
        "Entrypoint": ["/bin/echo", "entry"], "Cmd": ["cmd"], "WorkingDir": "/app/dir", "User": "app",
        "Env": [PATH, "A=image"], "Labels": {"org.example.l": "1", "dup": "image"},
        "StopSignal": "SIGQUIT", "Volumes": {"/data": {}}, "ExposedPorts": {"80/tcp": {}}}),
    "docker.io/demo/empty:1": (APP_PASSWD, APP_GROUP, {"Cmd": None, "Env": None}),
    "docker.io/demo/uid:1": (APP_PASSWD, APP_GROUP, {"User": "1000", "Cmd": ["id"], "Env": None}),
    "docker.io/demo/baduser:1": (APP_PASSWD, APP_GROUP, {"User": "ghost:1", "Cmd": None, "Env": None}),
}
ELSEWHERE = {  # rows that are not about what stands in a spec
    "config", "gpus", "blockio-class", "blockio-config-missing", "platform-bad", "platform-arm64",
    "snapshotter-bad",
}
DEVIATIONS = {  # ours, on purpose: a change to ctr's spec, or a message
    "env": lambda s: s["process"]["env"].remove("A=1") or reorder(s, "A=2", 1),
    "tty-env-term": lambda s: s["process"]["env"].remove("TERM=xterm"),
    "cpu-quota": lambda s: s["linux"]["resources"]["cpu"].pop("period"),
    "uidmap-alone": "flags --uidmap and --gidmap must be specified together",
    "cap-add-unknown": 'capability "CAP_NOSUCH": unknown',
    "user-unknown": 'user "nosuch": no users found',
    "image-user-unknown": 'user "ghost": no users found',
}


def reorder(spec, entry, place):
    env = spec["process"]["env"]
    env.remove(entry)
    env.insert(place, entry)


def rows():
    for line in (GOLDEN / "README.md").read_text().splitlines():
        cells = re.split(r" \| ", line.strip("| "))
        if len(cells) > 4 and cells[1].startswith("`ctr run"):
            yield cells[0], shlex.split(cells[1].strip("`")), cells[2].strip(), line


pytestmark = pytest.mark.keeps  # the images stay for the session
ROWS = [pytest.param(*row, id=row[0]) for row in rows()]


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The folder in which ctr's commands were typed, and the images."""
    folder = tmp_path_factory.mktemp("srv")
    for name, (passwd, group, config) in IMAGES.items():
        root = layer(entry("etc/"), entry("etc/passwd", passwd), entry("etc/group", group))
        archive = Image(root, name=name, **config).oci(folder / "image.tar")
        coracle("images", "import", archive)
    (folder / "env.txt").write_text("# comment\nFROM_FILE=1\nHOME2=/x y\nEMPTY=\n\nNAKED\n")
    (folder / "seccomp.json").write_text(json.dumps(golden("spec-seccomp-profile.json")["linux"]["seccomp"]))
    (folder / "rootfs").mkdir()
    return folder


def golden(name):
    return json.loads((GOLDEN / name).read_text())


def own_capabilities():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"CapEff:\s*(\w+)", status).group(1), 16)


def normal(spec, argv):
    """What is a set is sorted, what is the machine's own is taken out."""
    process, linux = spec["process"], spec["linux"]
    process.get("user", {}).get("additionalGids", []).sort()
    for names in process["capabilities"].values():
        names.sort()
    for rule in linux.get("seccomp", {}).get("syscalls", []):
        rule["names"].sort()
    if "--privileged" in argv:
        del process["capabilities"]
        linux.pop("devices", None)
        linux.get("seccomp", {}).pop("syscalls", None)  # follows the capabilities
    for device in linux.get("devices", []):
        for key in ("fileMode", "uid", "gid"):
            del device[key]
    notes = spec.get("annotations", {})
    for key in [k for k in notes if k.startswith("io.coracle.")]:
        del notes[key]
    if not notes:
        spec.pop("annotations", None)
    return spec


def command(argv):
    """`ctr run …` as `coracle spec …`: seccomp, on by default here, is off there."""
    argv = ["docker.io/demo/plain:1" if a.endswith("/busybox:latest") else a for a in argv[2:]]
    argv = [a for a in argv if a not in ("-d", "--rm")]
    return argv if {"--seccomp", "--seccomp-profile"} & set(argv) else ["--no-seccomp", *argv]


@pytest.mark.parametrize("name, argv, file, line", ROWS)
def test_row(demo, name, argv, file, line):
    if name in ELSEWHERE:
        pytest.skip("not about what stands in a spec")
    deviation = DEVIATIONS.get(name)
    for flag, value in zip(argv, argv[1:]):
        if flag == "--device" and file.startswith("spec-") and not os.path.exists(value):
            pytest.skip(f"{value}: not on this machine")
    done = coracle("spec", *command(argv), code=None, cwd=demo, env={"CORACLE_COMPAT": "ctr"})
    if "not in coracle yet" in done.err:
        pytest.skip(done.err.strip())
    if not file.startswith("spec-") or isinstance(deviation, str):
        text = deviation or re.search(r"`ctr: (.*?)\\n", line).group(1).replace("\\\\", "\\")
        assert done.code == 1 and text in done.err.splitlines()[-1], done
        return
    assert done.code == 0, done
    wanted = json.loads((GOLDEN / file).read_text().replace("/srv/rootfs", f"{demo}/rootfs")
                        .replace("HOSTNAME=host1", "HOSTNAME=" + socket.gethostname()))
    ours = normal(json.loads(done.out), argv)
    theirs = normal(wanted, argv)
    if deviation:
        assert ours != theirs, "no deviation any more"
        deviation(theirs)
    assert ours == theirs


def test_privileged_has_what_we_hold(demo):
    spec = json.loads(coracle("spec", "--privileged", "docker.io/demo/plain:1", "demo").out)
    held = own_capabilities()
    assert len(spec["process"]["capabilities"]["bounding"]) == bin(held & (1 << 41) - 1).count("1")
    assert "seccomp" not in spec["linux"]


def test_seccomp_is_on_by_default(demo):
    spec = json.loads(coracle("spec", "docker.io/demo/plain:1", "demo").out)
    ours, theirs = spec["linux"]["seccomp"], golden("spec-seccomp.json")["linux"]["seccomp"]
    for profile in (ours, theirs):
        for rule in profile["syscalls"]:
            rule["names"].sort()
    assert ours == theirs
