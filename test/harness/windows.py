# SPDX-License-Identifier: Apache-2.0
"""Windows images for tests: layers in the form that Windows' own tools write."""
import base64
import io
import json
import struct
import tarfile

from . import images

OS_VERSION = "10.0.20348.3000"
# Owner and group BUILTIN\Users, no DACL: what builders on Linux write.
DESCRIPTOR = "AQAAgBQAAAAkAAAAAAAAAAAAAAABAgAAAAAABSAAAAAhAgAAAQIAAAAAAAUgAAAAIQIAAA=="


def entry(name, content=None, *, kind=None, link="", attributes=None, records=None, mtime=1_600_000_000):
    """One entry as go-winio writes it: a directory without content, no slash at its end."""
    info = tarfile.TarInfo(name)
    info.mtime = mtime
    info.type = kind or (tarfile.REGTYPE if content is not None else tarfile.DIRTYPE)
    info.linkname = link
    data = content.encode() if isinstance(content, str) else content or b""
    info.size = len(data)
    info.mode = 0
    if attributes is None:
        attributes = 16 if info.type == tarfile.DIRTYPE else 32
    info.pax_headers = {"MSWINDOWS.fileattr": str(attributes), "MSWINDOWS.rawsd": DESCRIPTOR,
                        "LIBARCHIVE.creationtime": "1600000000"}
    if records is not None:
        info.pax_headers = records
    return info, data


def layer(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def hive(depth=0, loops=False, size=None):
    """A root key, and keys below it, each in the one before; the last one may have itself or the root
    below it. `size` is what the header says of the bins, where it isn't the truth."""
    cells = b""
    for level in range(depth + 1):
        at, name = 32 + len(cells), b"k" if level else b"ROOT"
        below = 0x20 if loops and level == depth else at + 0x68
        n = int(loops or level < depth)
        key = struct.pack("<i2sHQIIIIIIIIIIIIIIIHH", -0x58, b"nk", 0x20 if level else 0x2c, 0, 0, 0xFFFFFFFF, n, 0,
                          at + 0x58 if n else 0xFFFFFFFF, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF,
                          0, 0, 0, 0, 0, len(name), 0) + name
        cells += key.ljust(0x58, b"\0") + (struct.pack("<i2sHII", -16, b"lh", 1, below, 0) if n else b"")
    bins = (32 + len(cells) + 8 + 4095) // 4096 * 4096
    bin_ = struct.pack("<4sIIQQI", b"hbin", 0, bins, 0, 0, 0) + cells + struct.pack("<i", bins - 32 - len(cells))
    head = struct.pack("<4sIIQIIIIIII", b"regf", 1, 1, 0, 1, 5, 0, 1, 0x20, size or bins, 1).ljust(508, b"\0")
    checksum = 0
    for (word,) in struct.iter_unpack("<I", head):
        checksum ^= word
    return (head + struct.pack("<I", checksum)).ljust(4096, b"\0") + bin_.ljust(bins, b"\0")


def base_layer(*more):
    """What Windows takes at least: folders and five hives."""
    folders = ["Files", "Files/Windows", "Files/Windows/System32", "Files/Windows/System32/config",
               "Files/Windows/System32/drivers", "Files/Windows/System32/drivers/etc", "Files/Users"]
    hives = ["DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"]
    return layer(*(entry(f) for f in folders),
                 *(entry("Files/Windows/System32/config/" + h, hive()) for h in hives),
                 entry("Files/Windows/System32/drivers/etc/hosts", "# none\r\n"), *more)


class WindowsImage(images.Image):
    def __init__(self, *layers, name="mcr.microsoft.com/windows/nanoserver:ltsc2022", os_version=OS_VERSION,
                 **config):
        config.setdefault("Env", [])
        config.setdefault("Cmd", ["c:\\windows\\system32\\cmd.exe"])
        config.setdefault("User", "ContainerUser")
        super().__init__(*layers, name=name, **config)
        self.config.update({"os": "windows", "architecture": "amd64", "os.version": os_version})
        self.seal()
        self.index["manifests"][0]["platform"]["os.version"] = os_version
