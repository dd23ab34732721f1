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


def hive():
    """The smallest hive: a root key without anything in it."""
    cells = struct.pack("<i2sHQIIIIIIIIIIIIIIIHH", -0x58, b"nk", 0x2c, 0, 0, 0xFFFFFFFF, 0, 0, 0xFFFFFFFF,
                        0xFFFFFFFF, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 0, 0, 0, 4, 0) + b"ROOT"
    cells += b"\0" * (0x58 - len(cells))
    free = 4096 - 32 - len(cells)
    bin_ = struct.pack("<4sIIQQI", b"hbin", 0, 4096, 0, 0, 0) + cells + struct.pack("<i", free)
    head = struct.pack("<4sIIQIIIIIII", b"regf", 1, 1, 0, 1, 5, 0, 1, 0x20, 4096, 1).ljust(508, b"\0")
    checksum = 0
    for (word,) in struct.iter_unpack("<I", head):
        checksum ^= word
    return (head + struct.pack("<I", checksum)).ljust(4096, b"\0") + bin_.ljust(4096, b"\0")


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
