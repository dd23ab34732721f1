# SPDX-License-Identifier: Apache-2.0
"""Images from files: the forms that skopeo, podman and docker write, and layers as they really are."""
import bz2
import gzip
import json
import os
import re
import stat
import struct
import subprocess
import tarfile

import pytest

from harness.cli import coracle, ctr
from harness.images import (Image, busybox_layer, describe_tree, entry, imported, layer, link,
                            mounted, write_tar, zstd)

REF = "docker.io/library/test:latest"
# security.capability, version 2: cap_net_raw+ep (include/uapi/linux/capability.h)
CAP_NET_RAW = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


def simple():
    return Image(layer(entry("hello", "hello\n")))


@pytest.mark.quick
def test_oci_layout(tmp_path):
    image = simple()
    with imported(image.oci(tmp_path / "i.tar"), REF):
        lines = ctr("images", "ls").out.splitlines()
        assert re.split(r" +", lines[0].strip()) == ["REF", "TYPE", "DIGEST", "SIZE", "PLATFORMS", "LABELS"]
        row = next(line.split() for line in lines if line.startswith(REF))
        assert row[1:3] == ["application/vnd.oci.image.manifest.v1+json", image.target]
        assert ctr("images", "ls", "-q", f"name=={REF}").out == REF + "\n"
        assert "complete (2/2)" in ctr("images", "check", f"name=={REF}").out
    assert ctr("images", "ls", "-q", f"name=={REF}").out == ""


@pytest.mark.parametrize("compress", [None, gzip.compress, zstd])
def test_compressed_archive(tmp_path, compress):
    data = simple().oci(tmp_path / "i.tar").read_bytes()
    (tmp_path / "c.tar").write_bytes(compress(data) if compress else data)
    with imported(tmp_path / "c.tar", REF):
        assert "complete (2/2)" in ctr("images", "check", f"name=={REF}").out


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
def test_compressed_layers(tmp_path, compress):
    image = Image(layer(entry("a", "1" * 100_000)), layer(entry("b", "2")), compress=compress)
    with imported(image.oci(tmp_path / "i.tar"), REF), mounted(REF, tmp_path / "m") as root:
        assert (root / "a").read_text() == "1" * 100_000 and (root / "b").read_text() == "2"


def test_docker_archive(tmp_path):
    with imported(simple().docker(tmp_path / "d.tar"), REF), mounted(REF, tmp_path / "m") as root:
        assert (root / "hello").read_text() == "hello\n"


def test_docker_archive_whose_names_begin_with_a_dot(tmp_path):
    """As tar -c . writes it, and with the same in manifest.json."""
    image = Image(busybox_layer(), name="docker.io/library/dots:latest", User="root:")
    with tarfile.open(image.docker(tmp_path / "plain.tar")) as tar:
        files = {m.name: tar.extractfile(m).read() for m in tar}
    manifest = json.loads(files.pop("manifest.json"))
    manifest[0]["Config"] = "./" + manifest[0]["Config"]
    manifest[0]["Layers"] = ["./" + name for name in manifest[0]["Layers"]]
    files["manifest.json"] = json.dumps(manifest).encode()
    archive = write_tar(tmp_path / "dots.tar", {"./" + name: data for name, data in files.items()})
    with imported(archive, "docker.io/library/dots:latest"):
        assert coracle("run", "--rm", "dots", "t", "id", "-u").out == "0\n"  # a user without its group


def test_from_standard_input(tmp_path):
    archive = simple().oci(tmp_path / "i.tar")
    with subprocess.Popen(["cat", archive], stdout=subprocess.PIPE) as pipe:
        coracle("images", "import", "-", stdin=pipe.stdout)
    assert ctr("images", "ls", "-q", f"name=={REF}").out == REF + "\n"
    ctr("images", "rm", REF)


def test_as_skopeo_writes_it(tmp_path, cache):
    for kind, name in (("docker-archive", "t"), ("oci-archive", "t")):
        out = tmp_path / f"{kind}.tar"
        subprocess.run(["skopeo", "copy", "-q", f"oci-archive:{cache}/busybox.tar",
                        f"{kind}:{out}:docker.io/library/{name}:latest"], check=True,
                       env={**os.environ, "TMPDIR": str(tmp_path)})
        with imported(out, "docker.io/library/t:latest"):
            assert coracle("run", "--rm", "t", "skopeo", "echo", "yes").out == "yes\n"


def test_twice_is_once(tmp_path):
    archive = simple().oci(tmp_path / "i.tar")
    with imported(archive, REF):
        coracle("images", "import", archive)
        assert ctr("images", "ls", "-q", f"name=={REF}").out == REF + "\n"


def test_shared_layers_stay_until_the_last(tmp_path):
    shared = layer(entry("shared", "x"))
    one = Image(shared, name="docker.io/library/one:latest").oci(tmp_path / "1.tar")
    two = Image(shared, layer(entry("more", "y")), name="docker.io/library/two:latest").oci(tmp_path / "2.tar")
    with imported(two, "docker.io/library/two:latest"):
        with imported(one, "docker.io/library/one:latest"):
            pass
        with mounted("two", tmp_path / "m") as root:
            assert (root / "shared").read_text() == "x"


def test_tag(tmp_path):
    with imported(simple().oci(tmp_path / "i.tar"), REF):
        assert ctr("images", "tag", REF, "docker.io/library/other:1").out == "docker.io/library/other:1\n"
        assert ctr("images", "rm", "docker.io/library/other:1").out == "docker.io/library/other:1\n"
        assert ctr("images", "ls", "-q", f"name=={REF}").out == REF + "\n"


def test_inspect_shows_the_tree(tmp_path):
    image = simple()
    with imported(image.oci(tmp_path / "i.tar"), REF):
        out = ctr("images", "inspect", REF).out
        assert out.splitlines()[0] == REF
        assert image.target in out and image.manifest["layers"][0]["digest"] in out
        assert '"diff_ids"' in ctr("images", "inspect", "--content", REF).out


def test_short_names(tmp_path):
    with imported(simple().oci(tmp_path / "i.tar"), REF):
        for name in ("test", "test:latest", "library/test", "docker.io/library/test"):
            coracle("images", "mount", name, tmp_path)
            coracle("images", "unmount", "--rm", tmp_path)


def test_platform_is_chosen(tmp_path):
    """An index with two platforms: the host's is unpacked; one that isn't there is an error."""
    mine, other = simple(), Image(layer(entry("arm", "")))
    other.config["architecture"] = "s390x"
    other.seal()
    mine.blobs.update(other.blobs)
    second = other.index["manifests"][0]
    second.pop("annotations")
    mine.index["manifests"].append(second)
    archive = mine.oci(tmp_path / "i.tar")
    with imported(archive, REF), mounted(REF, tmp_path / "m") as root:
        assert os.listdir(root) == ["hello"]


def test_only_foreign_platforms(tmp_path):
    image = simple()
    image.config["architecture"] = "s390x"
    image.seal()
    said = ctr("images", "import", image.oci(tmp_path / "i.tar"), code=1).err
    assert said.startswith("ctr: ") and "image might be filtered out" in said


# --- real layers, row by row ----------------------------------------------------------------------

@pytest.fixture(params=["overlayfs", "native"])
def unpacked(request, tmp_path):
    """Imports layers, returns the merged root."""
    stack = []

    def make(*layers):
        archive = Image(*layers).oci(tmp_path / "i.tar")
        for step in (imported(archive, REF, flags=("--snapshotter", request.param)),
                     mounted(REF, tmp_path / "root", "--snapshotter", request.param)):
            value = step.__enter__()
            stack.append(step)
        return value
    yield make
    while stack:
        stack.pop().__exit__(None, None, None)


def test_whiteout(unpacked):
    root = unpacked(layer(entry("a", "1"), entry("b", "2")), layer(entry(".wh.a", "")))
    assert os.listdir(root) == ["b"]


def test_whiteout_concerns_lower_layers_only(unpacked):
    root = unpacked(layer(entry("k", "old")), layer(entry("k", "new"), entry(".wh.k", "")))
    assert (root / "k").read_text() == "new"


def test_opaque_folder(unpacked):
    root = unpacked(layer(entry("d/"), entry("d/old", "1"), entry("d/old2", "1")),
                    layer(entry("d/"), entry("d/new", "2"), entry("d/.wh..wh..opq", "")))
    assert os.listdir(root / "d") == ["new"]


def test_hard_links(unpacked):
    root = unpacked(layer(entry("a", "1"), link("b", "a", hard=True)), layer(link("c", "a", hard=True)))
    assert os.stat(root / "a").st_ino == os.stat(root / "b").st_ino or (root / "c").exists()
    assert (root / "c").read_text() == "1"


def test_symlinked_parent_is_followed_in_the_merged_tree(unpacked):
    root = unpacked(layer(entry("usr/"), entry("usr/lib/"), link("lib", "usr/lib")),
                    layer(entry("lib/two", "2")))
    assert os.readlink(root / "lib") == "usr/lib" and (root / "usr/lib/two").read_text() == "2"


def test_missing_parents_take_the_lower_folder(unpacked):
    root = unpacked(layer(entry("d/", mode=0o1750, uid=7, gid=8)), layer(entry("d/f", "x")))
    st = os.stat(root / "d")
    assert (stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, st.st_mtime) == (0o1750, 7, 8, 1_600_000_000)


def test_file_over_folder(unpacked):
    root = unpacked(layer(entry("x/"), entry("x/y", "1")), layer(entry("x", "file")))
    assert (root / "x").read_text() == "file"


def test_modes_owners_devices(unpacked):
    root = unpacked(layer(entry("su", "x", mode=0o4755, uid=1000, gid=1001), entry("tmp/", mode=0o1777),
                          entry("fifo", type=tarfile.FIFOTYPE, mode=0o600),
                          entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)))
    su = os.stat(root / "su")
    assert (su.st_mode & 0o7777, su.st_uid, su.st_gid) == (0o4755, 1000, 1001)
    assert os.stat(root / "tmp").st_mode & 0o7777 == 0o1777
    assert stat.S_ISFIFO(os.stat(root / "fifo").st_mode)
    assert os.stat(root / "null").st_rdev == os.makedev(1, 3)


def test_file_capabilities_and_xattrs(unpacked):
    root = unpacked(layer(entry("ping", "x", uid=5, pax_headers={
        "SCHILY.xattr.security.capability": CAP_NET_RAW.decode("latin-1")} if CAP_NET_RAW.isascii() else {
        "SCHILY.xattr.user.plain": "v"}), entry("u", "x", pax_headers={"SCHILY.xattr.user.note": "v"})))
    assert os.getxattr(root / "u", "user.note") == b"v"
    if CAP_NET_RAW.isascii():
        assert os.getxattr(root / "ping", "security.capability") == CAP_NET_RAW


def test_forged_overlay_marks_are_not_set(unpacked):
    root = unpacked(layer(entry("secret/"), entry("secret/s", "1"), entry("d/", pax_headers={
        "SCHILY.xattr.trusted.overlay.redirect": "/secret"})))
    assert os.listdir(root / "d") == []
    assert not any(n.startswith("trusted.overlay.redirect") for n in os.listxattr(root / "d"))


def test_names(unpacked):
    long = "n" * 255
    deep = "/".join(["deep" * 20] * 12)
    parts = deep.split("/")
    folders = [entry("/".join(parts[:i + 1]) + "/") for i in range(len(parts))]
    raw = b"caf\xe9".decode("utf-8", "surrogateescape")
    root = unpacked(layer(entry(long, "1"), entry(raw, "2"), *folders, entry(deep + "/f", "3")))
    assert sorted(os.listdir(os.fsencode(root))) == sorted([long.encode(), b"caf\xe9", parts[0].encode()])
    assert (root / deep / "f").read_text() == "3"


def test_gnu_long_names(unpacked):
    name = "g" * 200
    root = unpacked(layer(entry(name, "1"), format=tarfile.GNU_FORMAT))
    assert (root / name).read_text() == "1"


def test_times(unpacked):
    root = unpacked(layer(entry("f", "1", pax_headers={"mtime": "1600000000.123456789"}),
                          entry("old", "1", pax_headers={"mtime": "-1.5"}),
                          entry("d/", pax_headers={"mtime": "1500000000.5"}), entry("d/f", "x"),
                          entry("l", type=tarfile.SYMTYPE, linkname="f", pax_headers={"mtime": "1.25"})))
    assert os.stat(root / "f").st_mtime_ns == 1_600_000_000_123_456_789
    assert os.stat(root / "old").st_mtime_ns == -1_500_000_000
    assert os.stat(root / "d").st_mtime_ns == 1_500_000_000_500_000_000
    assert os.lstat(root / "l").st_mtime_ns == 1_250_000_000


def test_sparse_file_as_gnu_tar_writes_it(unpacked, tmp_path):
    source = tmp_path / "sparse"
    with open(source, "wb") as file:
        file.seek(50 << 20)
        file.write(b"end")
    for i, how in enumerate((["--format=gnu"], ["--format=pax", "--sparse-version=0.0"],
                             ["--format=pax", "--sparse-version=0.1"], ["--format=pax", "--sparse-version=1.0"])):
        os.rename(source, tmp_path / f"sparse{i}")
        source = tmp_path / f"sparse{i}"
        out = tmp_path / f"l{i}.tar"
        subprocess.run(["tar", "-C", tmp_path, "-S", *how, "-cf", out, f"sparse{i}"], check=True)
    root = unpacked(*[(tmp_path / f"l{i}.tar").read_bytes() for i in range(4)])
    for i in range(4):
        st = os.stat(root / f"sparse{i}")
        assert (st.st_size, st.st_blocks < 1000) == ((50 << 20) + 3, True)
        with open(root / f"sparse{i}", "rb") as file:
            file.seek(50 << 20)
            assert file.read() == b"end"


def test_names_that_point_outside_end_inside(unpacked):
    root = unpacked(layer(entry("/abs", "1"), entry("../../up", "2"), entry("a/"), entry("a/../../b", "3")))
    assert sorted(os.listdir(root)) == ["a", "abs", "b", "up"]


def test_the_same_tree_as_umoci(tmp_path):
    """Everything at once, against somebody else's unpacking."""
    image = Image(
        layer(entry("./", mode=0o755), entry("bin/"), entry("bin/a", "a" * 5000, mode=0o4711),
              link("bin/b", "bin/a", hard=True), link("sbin", "bin"), entry("gone/"), entry("gone/x", "1"),
              entry("kept/", mode=0o2775, gid=50), entry("kept/x", "1")),
        layer(entry("kept/y", "2"), entry(".wh.gone", ""), entry("sbin/c", "3", uid=1),
              entry("bin/a", "changed")))
    archive = image.oci(tmp_path / "i.tar")
    os.mkdir(tmp_path / "layout")
    subprocess.run(["tar", "-C", tmp_path / "layout", "-xf", archive], check=True)
    subprocess.run(["umoci", "unpack", "--image", f"{tmp_path}/layout:latest", tmp_path / "bundle"],
                   check=True, capture_output=True)
    theirs = describe_tree(tmp_path / "bundle/rootfs")
    with imported(archive, REF), mounted(REF, tmp_path / "m") as root:
        ours = describe_tree(root)
    assert_same_tree(ours, theirs)


def assert_same_tree(ours, theirs):
    from harness.images import tree_differences
    assert tree_differences(ours, theirs) == []


def test_bzip2_is_named(tmp_path):
    data = bz2.compress(simple().oci(tmp_path / "i.tar").read_bytes())
    (tmp_path / "c.tar").write_bytes(data)
    said = coracle("images", "import", tmp_path / "c.tar", code=125).err
    assert said.startswith("coracle: ") and len(said.splitlines()) <= 2


def test_layers_are_equal_to_the_busybox_image(busybox, tmp_path):
    with mounted(busybox, tmp_path / "m") as root:
        with tarfile.open(fileobj=__import__("io").BytesIO(busybox_layer())) as tar:
            names = {member.name.rstrip("/") for member in tar}
        assert {os.path.relpath(os.path.join(d, f), root) for d, ds, fs in os.walk(root) for f in ds + fs} == names
