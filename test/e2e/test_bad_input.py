# SPDX-License-Identifier: Apache-2.0
"""Bad input: a clear error with the next step, the right exit code, and nothing left.
What is left is counted after every test (conftest.py)."""
import json
import os
import re
import tarfile

import pytest

from harness import sandbox
from harness.cli import coracle, ctr
from harness.images import (DOCKER, OCI, Image, busybox_layer, entry, imported, layer, link,
                            write_tar)

REF = "docker.io/library/test:latest"
BUSYBOX = "docker.io/library/busybox:latest"


def refused(*args, code=125, **how):
    """Runs it as coracle; one error line, perhaps a hint; returns both."""
    done = coracle(*args, code=code, **how)
    lines = [line for line in done.err.splitlines() if not line.startswith("coracle: warning")]
    assert lines and lines[0].startswith("coracle: "), repr(done)
    assert len(lines) == 1 or lines[1].startswith("hint: "), repr(done)
    assert "failed to" not in lines[0] or "CNI" in lines[0] or "add" in lines[0]
    return done.err


# --- the command line -----------------------------------------------------------------------------

@pytest.mark.quick
def test_unknown_flag_names_the_nearest(busybox):
    said = refused("run", "--rn", busybox, "t", "true", code=2)
    assert "--rn" in said and "--rm" in said
    assert "-hostnam" in ctr("run", "--hostnam", "x", BUSYBOX, "t", code=1).err


def test_unknown_command():
    assert "iamges" in refused("iamges", code=2)
    ctr("iamges", code=3)


@pytest.mark.quick
def test_unknown_image():
    said = refused("run", "--rm", "nosuch", "t", "true")
    assert said.startswith('coracle: image "nosuch": not found')
    assert "hint: " in said
    assert ctr("run", "--rm", "nosuch", "t", "true", code=1).err.splitlines()[0] == 'ctr: image "nosuch": not found'


def test_unknown_container():
    assert ctr("c", "info", "nosuch", code=1).err.startswith(
        'ctr: container "nosuch" in namespace "default": not found')
    refused("tasks", "kill", "nosuch")
    refused("containers", "rm", "nosuch")


def test_missing_arguments(busybox):
    assert "image ref must be provided" in ctr("run", code=1).err
    assert "container id must be provided" in ctr("run", BUSYBOX, code=1).err


@pytest.mark.parametrize("bad", ["a b", "-x", "a/b", "..", "x" * 77, "é", ""])
def test_bad_id(busybox, bad):
    done = ctr("run", "--rm", "--", BUSYBOX, bad, "true", code=None)
    assert done.code == 1 and done.err.startswith("ctr: ")


def test_used_id(busybox):
    coracle("run", busybox, "used", "true")
    try:
        said = refused("run", "--rm", busybox, "used", "true")
        assert "used" in said and "already exists" in said
    finally:
        coracle("containers", "rm", "used")


@pytest.mark.parametrize("flags, text", [
    (["--memory-limit", "64q"], "64q"),
    (["--cpus", "fast"], "fast"),
    (["--user", "nosuch"], "no users found"),
    (["--cap-add", "CAP_NOSUCH"], "CAP_NOSUCH"),
    (["--env-file", "/nosuch"], "/nosuch"),
    (["--mount", "type=bind,src=/nosuch,dst=/x,options=rbind"], "/nosuch"),
    (["--mount", "nonsense"], "expected key=val"),
    (["--with-ns", "network:/nosuch"], "/nosuch"),
    (["--with-ns", "network:/etc/passwd"], "/etc/passwd"),
    (["--with-ns", "bogus:/proc/1/ns/net"], "bogus"),
    (["--seccomp-profile", "/nosuch"], "/nosuch"),
    (["--snapshotter", "zfs"], "zfs"),
    (["--platform", "a/b/c/d/e"], "a/b/c/d/e"),
    (["--cwd", "relative"], "Cwd must be an absolute path"),
    (["--pid-file", "/nosuch/pid"], "/nosuch/pid"),
])
def test_bad_values(busybox, flags, text):
    done = coracle("run", "--rm", *flags, busybox, "t", "true", code=None)
    assert done.code in (2, 125) and text in done.err, repr(done)
    assert ctr("run", "--rm", *flags, BUSYBOX, "t", "true", code=None).code == 1


def test_missing_executable(busybox):
    assert 'exec: "nosuch"' in refused("run", "--rm", busybox, "t", "nosuch", code=127)


# --- config.json ----------------------------------------------------------------------------------

@pytest.fixture
def spec(busybox):
    return json.loads(coracle("spec", busybox, "t", "true").out)


@pytest.mark.parametrize("text, said", [
    ("", "unexpected end of JSON input"), ("{", "JSON"), ("[]", "config.json"), ("null", "config.json"),
    ('{"process": "x"}', "ociVersion"), ('{"ociVersion": "1.2.1", "process": "x"}', "process"), ("{}" * 2, "config.json"), ("\xff", "config.json"),
    ("[" * 100_000, "config.json"), ('{"a":"' + "x" * (20 << 20) + '"}', "config.json"),
], ids=range(10))
def test_config_that_is_none(tmp_path, text, said):
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    done = coracle("run", "--rm", "--config", tmp_path / "config.json", "t", code=125)
    assert said in done.err and len(done.err) < 2000, repr(done)[:2000]


def test_config_that_is_missing():
    assert "/nosuch.json" in refused("run", "--rm", "--config", "/nosuch.json", "t")


def test_config_with_a_missing_root(spec, tmp_path):
    spec["root"]["path"] = "/nosuch/root"
    spec.pop("annotations", None)
    (tmp_path / "config.json").write_text(json.dumps(spec))
    assert "/nosuch/root" in refused("run", "--rm", "--config", tmp_path / "config.json", "t")


@pytest.mark.parametrize("spoil, said", [
    (lambda s: s["process"].update(args=[]), "args"),
    (lambda s: s["process"].update(cwd="x"), "cwd"),
    (lambda s: s["process"].pop("args"), "args"),
    (lambda s: s["linux"]["namespaces"].append({"type": "bogus"}), "bogus"),
    (lambda s: s["mounts"].append({"destination": "/x", "type": "nosuchfs", "source": "none"}), "/x"),
    (lambda s: s["mounts"].append({"destination": "/proc/self", "type": "bind", "source": "/etc",
                                   "options": ["rbind"]}), "/proc/self"),
    (lambda s: s["linux"].update(maskedPaths=["../../x"]), None),
], ids=range(7))
def test_config_with_nonsense(spec, tmp_path, spoil, said):
    spoil(spec)
    (tmp_path / "config.json").write_text(json.dumps(spec))
    done = coracle("run", "--rm", "--config", tmp_path / "config.json", "t", code=None)
    if said:
        assert done.code == 125 and said in done.err, repr(done)


# --- archives -------------------------------------------------------------------------------------

def import_fails(path, *texts, code=125):
    said = refused("images", "import", path, code=code)
    for text in texts:
        assert re.search(text, said), said
    return said


def test_missing_archive():
    import_fails("/nosuch.tar", "/nosuch.tar")


@pytest.mark.parametrize("data", [b"", b"x" * 512, b"not a tar" * 1000, os.urandom(4096), b"\0" * 10240,
                                  b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd" + b"x" * 100], ids=range(7))
def test_archive_that_is_none(tmp_path, data):
    (tmp_path / "x.tar").write_bytes(data)
    import_fails(tmp_path / "x.tar")


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.999])
def test_truncated_archive(cache, tmp_path, part):
    data = (cache / "busybox.tar").read_bytes().rstrip(b"\0")
    (tmp_path / "x.tar").write_bytes(data[:int(len(data) * part)])
    import_fails(tmp_path / "x.tar")


def test_corrupt_bytes(tmp_path):
    """Every 20th of the archive gets one wrong byte: never a wrong image, never a crash."""
    data = Image(layer(entry("a", "x" * 3000), entry("b/"), link("c", "a"))).oci(tmp_path / "i.tar").read_bytes()
    for at in range(0, len(data), len(data) // 20):
        spoiled = bytearray(data)
        spoiled[at] ^= 0x55
        (tmp_path / "x.tar").write_bytes(spoiled)
        done = coracle("images", "import", tmp_path / "x.tar", code=None)
        assert done.code in (0, 125), repr(done)
        if done.code == 0:
            for name in ctr("images", "ls", "-q").out.split():
                if name != BUSYBOX:
                    ctr("images", "rm", name)


def spoiled_image(spoil):
    image = Image(layer(entry("a", "1")))
    spoil(image)
    return image


def wrong_digest(image):
    image.blobs[image.manifest["layers"][0]["digest"]] = layer(entry("a", "2"))


def wrong_diff_id(image):
    image.config["rootfs"]["diff_ids"] = ["sha256:" + "0" * 64]
    image.seal()


def missing_layer(image):
    del image.blobs[image.manifest["layers"][0]["digest"]]


def missing_config(image):
    del image.blobs[image.manifest["config"]["digest"]]


def wrong_size(image):
    image.manifest["layers"][0]["size"] += 1
    image.seal_manifest()


def more_diff_ids(image):
    image.config["rootfs"]["diff_ids"].append("sha256:" + "0" * 64)
    image.seal()


def manifest_and_index(image):
    """CVE-2021-41190."""
    image.manifest["manifests"] = image.index["manifests"]
    image.seal_manifest()


def digest_with_a_path(image):
    image.manifest["layers"][0]["digest"] = "sha256:../../../../../../../etc/passwd"
    image.seal_manifest()


def config_is_no_json(image):
    image.blobs[image.manifest["config"]["digest"]] = b"{"
    del image.config["config"]


def schema_1(image):
    image.manifest = {"schemaVersion": 1, "mediaType": DOCKER + "distribution.manifest.v1+json"}
    image.seal_manifest()


def index_in_a_circle(image):
    image.index["manifests"][0]["mediaType"] = OCI + "index.v1+json"


@pytest.mark.parametrize("spoil, said", [
    (wrong_digest, r"sha256:"), (wrong_diff_id, r"diff ?ID|sha256:"), (missing_layer, r"sha256:"),
    (missing_config, r"sha256:"), (wrong_size, r"size|sha256:|bytes"), (more_diff_ids, r"diff|layers"),
    (manifest_and_index, r"manifest"), (digest_with_a_path, r"digest"), (config_is_no_json, r"sha256:|JSON"),
    (schema_1, r"schema|media|manifest"), (index_in_a_circle, r"index|manifest"),
])
def test_images_that_contradict_themselves(tmp_path, spoil, said):
    import_fails(spoiled_image(spoil).oci(tmp_path / "i.tar"), said)
    assert ctr("images", "ls", "-q").out.replace(BUSYBOX + "\n", "") == ""


HOSTILE = {
    "link to outside": [link("x", "/"), entry("x/evil", "1")],
    "link upwards": [link("x", "../../../.."), entry("x/evil", "1")],
    "hard link to outside": [link("x", "../../../etc/passwd", hard=True)],
    "hard link to an absolute path": [link("x", "/etc/passwd", hard=True)],
    "link in a circle": [link("a", "b"), link("b", "a"), entry("a/x", "1")],
    "whiteout of the root": [entry(".wh.", "")],
    "whiteout of the parent": [entry(".wh...", "")],
    "whiteout upwards": [entry("d/"), entry("d/.wh...", "")],
    "long name": [entry("n" * 5000, "1")],
    "long component": [entry("n" * 256, "1")],
    "deep": [entry("/".join("d" * 1 for _ in range(2000)), "1")],
    "nul in a name": [entry("a", "1", pax_headers={"path": "x\0y"})],
    "unknown type": [entry("x", type=b"Z")],
    "multi-volume": [entry("x", type=b"M")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_layers(tmp_path, name):
    outside = sorted(os.listdir("/etc")), sorted(os.listdir("/")), os.stat("/etc/passwd").st_nlink
    image = Image(layer(*HOSTILE[name]))
    done = coracle("images", "import", image.oci(tmp_path / "i.tar"), code=None)
    assert done.code in (0, 125), repr(done)
    assert (sorted(os.listdir("/etc")), sorted(os.listdir("/")), os.stat("/etc/passwd").st_nlink) == outside
    if done.code == 0:
        ctr("images", "rm", REF)


def test_names_of_archive_members(tmp_path):
    for name in ("../../etc/evil", "/etc/evil", "blobs/sha256/../../../evil"):
        files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', name: b"x", "index.json": b"{}"}
        import_fails(write_tar(tmp_path / "x.tar", files))
    assert not os.path.exists("/etc/evil")


def test_huge_documents(tmp_path):
    for document in (b"[" * 1_000_000, b'{"a":' * 100_000, b'{"schemaVersion":2,"x":"' + b"y" * (64 << 20) + b'"}'):
        files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": document}
        import_fails(write_tar(tmp_path / "x.tar", files))


@pytest.mark.parametrize("images, said", [
    ([{"Config": "c.json", "RepoTags": ["a" * 5000], "Layers": ["l.tar"]}], "too long"),
    ([{"Config": "c.json", "RepoTags": ["t:x"] * 20000, "Layers": ["l.tar"]}], "20000 items"),
    ([{"Config": "c.json", "RepoTags": ["t:x"], "Layers": ["l.tar"] * 5000}], "5000 items"),
    ([{"Config": "c.json", "RepoTags": [f"t{i}:x"], "Layers": ["l.tar"]} for i in range(3000)], "too many images"),
], ids=range(4))
def test_a_bound_is_not_called_a_full_disk(tmp_path, images, said):
    files = {"manifest.json": json.dumps(images).encode(), "l.tar": layer(entry("a", "1")), "c.json": b"{}"}
    assert "No space left" not in import_fails(write_tar(tmp_path / "x.tar", files), said)


def test_bomb(tmp_path):
    """A layer that grows a thousandfold beyond its limit is stopped."""
    import gzip
    import io
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed:
        info = tarfile.TarInfo("big")
        info.size = 64 << 30
        packed.write(info.tobuf())
        block = bytes(1 << 20)
        for _ in range(512):
            packed.write(block)
    data = out.getvalue()
    image = Image(layer(entry("a", "")))
    image.packed, image.suffix = [data], "+gzip"
    image.seal()
    import_fails(image.oci(tmp_path / "i.tar"))


def test_user_database_of_the_image(tmp_path):
    for passwd in (entry("etc/passwd", type=tarfile.FIFOTYPE), link("etc/passwd", "/etc/passwd"),
                   entry("etc/passwd", "x" * (2 << 20)), entry("etc/passwd", "web:x:-1:-1::/:/bin/sh\n"),
                   entry("etc/passwd", "web:x:4294967295:0::/:/bin/sh\n")):
        image = Image(layer(entry("etc/"), passwd), busybox_layer_without_etc())
        with imported(image.oci(tmp_path / "i.tar"), REF):
            done = coracle("run", "--rm", "--user", "web", "test", "t", "id", code=125)
            assert "web" in done.err or "passwd" in done.err or "no users found" in done.err, repr(done)


def busybox_layer_without_etc():
    import io
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(busybox_layer())) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            if not member.name.startswith("etc"):
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
    return out.getvalue()


# --- a full disk ----------------------------------------------------------------------------------

def test_full_disk(cache, tmp_path):
    """A small tmpfs as root: import says so, and leaves what was there."""
    for size in ("300k", "1500k", "2500k", "3800k"):
        root, state = tmp_path / f"root-{size}", tmp_path / f"state-{size}"
        root.mkdir()
        sandbox.mount("tmpfs", root, "tmpfs", 0, f"size={size},mode=711")
        try:
            done = coracle("--root", root, "--state", state, "images", "import", cache / "busybox.tar", code=125)
            assert "No space left on device" in done.err, repr(done)
            listing = coracle("--root", root, "--state", state, "images", "ls", "-q", code=None)
            assert listing.out == "", repr(listing)
            blobs = root / "content/blobs/sha256"
            assert not blobs.exists() or os.listdir(blobs) == []
            for folder in ("content/ingest", "trash"):
                assert not (root / folder).exists() or os.listdir(root / folder) == []
        finally:
            sandbox.umount(root)


def test_full_disk_while_running(busybox):
    """The container's own writes fail, nothing else does."""
    done = coracle("run", "--rm", "--mount", "type=tmpfs,dst=/t,options=size=1m", busybox, "t", "sh", "-c",
                   "dd if=/dev/zero of=/t/x bs=1M count=8", code=1)
    assert "No space left on device" in done.err


def test_unwritable_standard_output():
    import subprocess
    from harness.cli import environment
    with open("/dev/full", "w") as full:
        done = subprocess.run(["coracle", "images", "ls"], stdout=full, stderr=subprocess.PIPE,
                              env=environment(), timeout=60)
    assert done.returncode == 125 and b"No space left on device" in done.stderr
