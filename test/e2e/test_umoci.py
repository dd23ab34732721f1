# SPDX-License-Identifier: Apache-2.0
"""The unpacked tree equals umoci's, file by file: hand-made layers, one row of what layers do each.

Needs root and umoci.
"""
import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]


BUILD = Path(os.environ.get("CORACLE_BUILD", TOP / "build-debug"))


pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("umoci"), reason="needs umoci"),
]


def entry(name, kind="f", data=b"", mode=None, uid=0, gid=0, mtime=1000000.125, link="", dev=(0, 0),
          **xattrs):
    info = tarfile.TarInfo(name)
    info.type = {"f": tarfile.REGTYPE, "d": tarfile.DIRTYPE, "l": tarfile.SYMTYPE,
                 "h": tarfile.LNKTYPE, "c": tarfile.CHRTYPE, "b": tarfile.BLKTYPE,
                 "p": tarfile.FIFOTYPE}[kind]
    info.mode = mode if mode is not None else 0o755 if kind == "d" else 0o644
    info.uid, info.gid, info.mtime, info.linkname = uid, gid, mtime, link
    info.devmajor, info.devminor = dev
    info.size = len(data)
    info.pax_headers = {"SCHILY.xattr." + k.replace("__", "."): v for k, v in xattrs.items()}
    return info, data


def layer(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def oci_layout(path, layers):
    """An OCI layout as a folder (for umoci) and as a tar beside it (for us)."""
    blobs = path / "blobs/sha256"
    blobs.mkdir(parents=True)

    def put(data, media_type):
        (blobs / digest(data)[7:]).write_bytes(data)
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    oci = "application/vnd.oci.image."
    config = put(json.dumps({
        "architecture": os.uname().machine.replace("x86_64", "amd64").replace("aarch64", "arm64"),
        "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in layers]},
        "history": [{"created_by": "test"} for _ in layers],
    }).encode(), oci + "config.v1+json")
    manifest = put(json.dumps({
        "schemaVersion": 2, "mediaType": oci + "manifest.v1+json", "config": config,
        "layers": [put(gzip.compress(one, mtime=0), oci + "layer.v1.tar+gzip") for one in layers],
    }).encode(), oci + "manifest.v1+json")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "test"}
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    archive = path.with_suffix(".tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(path, arcname=".")
    return archive


def describe(root, ignore_times=()):
    """path -> everything that a program could see; hard links by group."""
    tree, groups = {}, {}
    for folder, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(folder, name)
            rel = os.path.relpath(path, root)
            st = os.lstat(path)
            row = [stat.S_IFMT(st.st_mode), oct(stat.S_IMODE(st.st_mode)), st.st_uid, st.st_gid]
            if rel not in ignore_times:
                row.append(st.st_mtime_ns)
            row.append(sorted((k, os.getxattr(path, k, follow_symlinks=False))
                              for k in os.listxattr(path, follow_symlinks=False)))
            if stat.S_ISREG(st.st_mode):
                row += [st.st_size, hashlib.sha256(Path(path).read_bytes()).hexdigest()]
            elif stat.S_ISLNK(st.st_mode):
                row.append(os.readlink(path))
            elif stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
                row.append(st.st_rdev)
            if st.st_nlink > 1 and not stat.S_ISDIR(st.st_mode):
                groups.setdefault(st.st_ino, []).append(rel)
            tree[rel] = row
    for names in groups.values():
        for name in names:
            tree[name].append(sorted(names))
    return tree


def in_own_namespace(script, *args):
    subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-euc", script, "sh",
                    *map(str, args)], check=True)


def ours(tmp, archive, way):
    out = tmp / ("ours-" + way)
    out.mkdir()
    subprocess.run([BUILD / "src/transfer/try_transfer", *(["--native"] if way == "native" else []),
                    BUILD / "src/coracle-transfer", archive, out], check=True)
    if way == "native":
        return out / "0"
    lowers = sorted((p for p in out.iterdir() if p.name.isdigit()), key=lambda p: -int(p.name))
    merged = tmp / "merged"
    mount_point = tmp / "mount"
    mount_point.mkdir()
    # copied out of the overlay, so that no mount outlives the namespace
    in_own_namespace('mount -t overlay overlay -o "ro,redirect_dir=nofollow,lowerdir=$1" "$2"; '
                     'cp -a "$2" "$3"',
                     ":".join(map(str, lowers)) + (":" + str(mount_point) if len(lowers) == 1 else ""),
                     mount_point, merged)
    return merged


def umoci(tmp, layout):
    subprocess.run(["umoci", "unpack", "--image", f"{layout}:test", tmp / "bundle"], check=True,
                   stdout=subprocess.DEVNULL)
    return tmp / "bundle/rootfs"


BASE = layer(
    entry("usr", "d", mode=0o751, uid=7, mtime=77.5, user__u=u"v"),
    entry("usr/lib64", "d", mtime=78),
    entry("usr/lib64/one", data=b"1", mode=0o4711, uid=9, gid=9, mtime=79.25, user__one="1"),
    entry("lib64", "l", link="usr/lib64"),
    entry("abs", "l", link="/usr"),
    entry("up", "l", link="../../../usr"),
    entry("file", data=b"f", mode=0o600),
    entry("o", "d", mtime=80),
    entry("o/x", data=b"x"),
    entry("o/sub", "d"),
    entry("o/sub/y", data=b"y"),
    entry("k", data=b"old"),
    entry("dir", "d", mode=0o1777),
    entry("dir/in", data=b"in"),
    entry("pipe", "p", mode=0o622, uid=3),
)

CASES = {
    "plain": [BASE],
    "devices": [layer(
        entry("null", "c", mode=0o666, dev=(1, 3), uid=5), entry("disk", "b", mode=0o660, dev=(8, 17)),
        entry("pipe", "p", mode=0o600), entry("s", "l", link="nowhere", uid=3, gid=4, mtime=5.5),
        entry("suid", mode=0o6755, uid=10, gid=11, data=b"#!"), entry("sticky", "d", mode=0o1777))],
    "names": [layer(
        entry("x" * 120 + "/" + "y" * 200, data=b"long"), entry("caf\udce9", data=b"latin"),
        entry("sp ace\nline", data=b"1"), entry("l", "l", link="z" * 300))],
    "times": [layer(
        entry("before", mtime=-5.5), entry("ns", mtime=1.123456789 // 1e-9 * 1e-9),
        entry("d", "d", mtime=123.5), entry("d/e", "d", mtime=124.5), entry("d/e/f", mtime=125.5))],
    "hard links": [layer(
        entry("a", data=b"a"), entry("b", "h", link="a"), entry("d", "d"), entry("d/c", "h", link="./b"),
        entry("s", "l", link="a"), entry("t", "h", link="s"))],
    "merged tree": [BASE, layer(
        entry("lib64/two", data=b"2"), entry("abs/three", data=b"3"), entry("up/four", data=b"4"),
        entry("hard", "h", link="usr/lib64/one"), entry("fifo", "h", link="pipe"))],
    "whiteouts": [BASE, layer(
        entry(".wh.file"), entry("k", data=b"new"), entry(".wh.k"), entry("dir/.wh.in"),
        entry("usr/lib64/.wh.one"))],
    "whiteout of a tree": [BASE, layer(entry(".wh.usr"), entry(".wh.o"))],
    "whiteout, then new": [BASE, layer(
        entry(".wh.dir"), entry("dir", "d", mode=0o700, mtime=5), entry("dir/fresh", data=b"1"))],
    "opaque": [BASE, layer(
        entry("o", "d", mtime=90), entry("o/new", data=b"1"), entry("o/.wh..wh..opq"),
        entry("o/newer", data=b"2"))],
    "opaque first": [BASE, layer(
        entry("o", "d", mtime=90), entry("o/.wh..wh..opq"), entry("o/sub", "d", mtime=91),
        entry("o/sub/z", data=b"2"))],
    "replaced": [BASE, layer(
        entry("file", "d", mode=0o700), entry("file/f", data=b"1"), entry("dir", data=b"now a file"),
        entry("lib64", "d", mode=0o711), entry("lib64/own", data=b"1"), entry("o/sub", "l", link="x"))],
    "metadata only": [BASE, layer(
        entry("usr", "d", mode=0o700, uid=1, gid=2, mtime=300.5), entry("dir", "d", user__x="1"))],
    "three": [BASE, layer(entry(".wh.o"), entry("n", data=b"n")), layer(
        entry("o", "d"), entry("o/again", data=b"1"), entry("m", "h", link="n"))],
    "attributes": [layer(
        entry("f", data=b"1", user__a="1", user__b="x" * 1000), entry("d", "d", user__c="2"))],
}


@pytest.mark.parametrize("way", ["overlay", "native"])
@pytest.mark.parametrize("name", CASES)
def test_equal(tmp_path, name, way):
    archive = oci_layout(tmp_path / "image", CASES[name])
    theirs = describe(umoci(tmp_path, tmp_path / "image"), IMPLIED.get(name, ()))
    assert describe(ours(tmp_path, archive, way), IMPLIED.get(name, ())) == theirs


# Parents that no layer names get today's time from umoci, 1970 from us.
IMPLIED = {"names": ("x" * 120,)}
