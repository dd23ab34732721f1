# SPDX-License-Identifier: Apache-2.0
"""Images for tests: well-formed ones, and ones that lie."""
import contextlib
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."


def make_cached(cache):
    """Images that need programs or packages of the host; made once."""
    cache.mkdir(exist_ok=True)
    if not (cache / "busybox.tar").exists():
        new = cache / "busybox.tar.new"
        subprocess.run([TOP / "tools/busybox-image", new], check=True)
        new.rename(cache / "busybox.tar")


# --- layers ---------------------------------------------------------------------------------------

def entry(name, content=None, **fields):
    """One tar entry: a file if it has content, a directory if its name ends in /, else by `type`."""
    info = tarfile.TarInfo(name)
    info.mtime = fields.pop("mtime", 1_600_000_000)
    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        info.size = len(data)
        info.mode = 0o644
    elif name.endswith("/"):
        info.type, info.mode, data = tarfile.DIRTYPE, 0o755, b""
    else:
        data = b""
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def link(name, target, hard=False):
    return entry(name, type=tarfile.LNKTYPE if hard else tarfile.SYMTYPE, linkname=target)


def layer(*entries, format=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def busybox_layer():
    """The layer of the cached busybox image, as bytes."""
    with tarfile.open(TOP / ".cache/busybox.tar") as tar:
        return max((tar.extractfile(m).read() for m in tar if m.isfile()), key=len)


# --- archives -------------------------------------------------------------------------------------

def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Image:
    """Layers and a config, to be written as one of the archive forms. Attributes may be spoiled
    before writing: `blobs` (digest: bytes), `manifest`, `index`, `config`."""

    def __init__(self, *layers, name="docker.io/library/test:latest", compress=None, **config):
        self.name, self.layers = name, layers
        packed = [{None: lambda b: b, "gzip": lambda b: gzip.compress(b, mtime=0),
                   "zstd": zstd}[compress](data) for data in layers]
        suffix = {None: "", "gzip": "+gzip", "zstd": "+zstd"}[compress]
        self.config = {
            "created": "2024-01-02T03:04:05Z", "architecture": machine(), "os": "linux",
            "config": {"Env": ["PATH=/bin:/usr/bin"], "Cmd": ["sh"], **config},
            "rootfs": {"type": "layers", "diff_ids": [digest(data) for data in layers]},
        }
        self.packed, self.suffix = packed, suffix
        self.seal()

    def seal(self):
        """Makes blobs, manifest and index from layers and config."""
        config = json.dumps(self.config).encode()
        self.blobs = {digest(data): data for data in (*self.packed, config)}
        self.manifest = {
            "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json",
            "config": {"mediaType": OCI + "config.v1+json", "digest": digest(config), "size": len(config)},
            "layers": [{"mediaType": OCI + "layer.v1.tar" + self.suffix, "digest": digest(data),
                        "size": len(data)} for data in self.packed],
        }
        return self.seal_manifest()

    def seal_manifest(self):
        manifest = json.dumps(self.manifest).encode()
        self.blobs[digest(manifest)] = manifest
        self.index = {
            "schemaVersion": 2, "mediaType": OCI + "index.v1+json",
            "manifests": [{
                "mediaType": OCI + "manifest.v1+json", "digest": digest(manifest), "size": len(manifest),
                "platform": {"architecture": self.config["architecture"], "os": self.config["os"]},
                "annotations": {"io.containerd.image.name": self.name,
                                "org.opencontainers.image.ref.name": self.name.rsplit(":", 1)[-1]},
            }],
        }
        return self

    @property
    def target(self):
        return self.index["manifests"][0]["digest"]

    def oci(self, path):
        """An OCI layout in a tar."""
        files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
                 "index.json": json.dumps(self.index).encode()}
        files.update({"blobs/" + d.replace(":", "/"): data for d, data in self.blobs.items()})
        return write_tar(path, files)

    def docker(self, path):
        """What `docker save` wrote before it knew OCI layouts."""
        config = json.dumps(self.config).encode()
        files = {digest(config)[7:] + ".json": config}
        names = []
        for i, data in enumerate(self.layers):
            names.append(f"{digest(data)[7:71]}{i}/layer.tar")
            files[names[-1]] = data
        tag = self.name.removeprefix("docker.io/library/")
        files["manifest.json"] = json.dumps([{"Config": digest(config)[7:] + ".json",
                                              "RepoTags": [tag], "Layers": names}]).encode()
        return write_tar(path, files)


def write_tar(path, files):
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return Path(path)


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


def machine():
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


# --- a tree as a list -----------------------------------------------------------------------------

def describe_tree(root):
    """{path: (kind, mode, uid, gid, size, mtime_ns, link or device, xattrs, sha256)}, byte paths."""
    found, links = {}, {}
    root = os.fsencode(root)
    for folder, folders, files in os.walk(root):
        folders.sort()
        names = sorted(files + folders)  # of hard links the first is named: the same everywhere
        for name in [b"."] + names if folder == root else names:
            path = os.path.normpath(os.path.join(folder, name))
            st = os.lstat(path)
            kind = st.st_mode >> 12
            rel = os.path.relpath(path, root)
            special, content = None, None
            if kind == 0o12:
                special = os.readlink(path)
            elif kind in (0o2, 0o6):
                special = st.st_rdev
            elif kind == 0o10:
                with open(path, "rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
            twin = links.setdefault((st.st_dev, st.st_ino), rel) if kind == 0o10 else None
            xattrs = {n: os.getxattr(path, n, follow_symlinks=False)
                      for n in os.listxattr(path, follow_symlinks=False)
                      if not n.startswith(("trusted.overlay.", "user.rootlesscontainers", "user.umoci"))}
            found[rel] = (oct(st.st_mode), st.st_uid, st.st_gid, st.st_size if kind == 0o10 else 0,
                          st.st_mtime_ns, special, xattrs, content, twin)
    return found


def tree_differences(a, b):
    """What differs between two descriptions, in words; [] if nothing does."""
    lines = [f"only in the first: {os.fsdecode(p)}" for p in sorted(a.keys() - b.keys())]
    lines += [f"only in the second: {os.fsdecode(p)}" for p in sorted(b.keys() - a.keys())]
    lines += [f"{os.fsdecode(p)}: {a[p]} != {b[p]}" for p in sorted(a.keys() & b.keys()) if a[p] != b[p]]
    return lines


# --- in the store ---------------------------------------------------------------------------------

@contextlib.contextmanager
def imported(archive, *names, flags=()):
    """Imports an archive for the length of a block; everything of it is gone afterwards."""
    from . import cli
    cli.coracle("images", "import", *flags, archive)
    try:
        yield names[0] if names else None
    finally:
        cli.coracle("images", "rm", *names)


@contextlib.contextmanager
def mounted(name, folder, *flags):
    """An image's root file system, mounted for the length of a block."""
    from . import cli
    Path(folder).mkdir(exist_ok=True)
    cli.coracle("images", "mount", *flags, name, folder)
    try:
        yield Path(folder)
    finally:
        cli.coracle("images", "unmount", "--rm", *flags, folder)
