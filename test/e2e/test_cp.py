# SPDX-License-Identifier: Apache-2.0
"""cp in both directions; the container is hostile."""
import os
import subprocess

import pytest

from harness.cli import coracle, ctr


@pytest.fixture(params=["running", "stopped"])
def web(request, busybox):
    coracle("run", "-d", busybox, "web", "sleep", "1000")
    yield "web", request.param
    coracle("rm", "-f", "web", code=None)


def prepare(web, script):
    name, state = web
    coracle("exec", name, "sh", "-c", script)
    if state == "stopped":
        coracle("stop", "--time", "0", name)
    return name


def test_out(web, tmp_path):
    name = prepare(web, "mkdir -p /d/e; echo one > /d/a; echo two > /d/e/b; ln -s a /d/l; chmod 4750 /d/a; mkfifo /d/p")
    done = coracle("cp", f"{name}:/d", tmp_path)
    assert (tmp_path / "d/a").read_text() == "one\n" and (tmp_path / "d/e/b").read_text() == "two\n"
    assert os.readlink(tmp_path / "d/l") == "a" and (tmp_path / "d/a").stat().st_mode & 0o7777 == 0o750
    assert not (tmp_path / "d/p").exists() and "p: no file, folder or link, not copied" in done.err
    coracle("cp", f"{name}:/d/a", tmp_path / "new")
    assert (tmp_path / "new").read_text() == "one\n"
    assert f"container {name}: open /nosuch: " in coracle("cp", f"{name}:/nosuch", tmp_path, code=125).err
    assert "cp -: not in coracle yet" in coracle("cp", f"{name}:/d/a", "-", code=125).err
    coracle("cp", f"{name}:/d/a", tmp_path / "nosuch/x", code=125)


def test_into(web, tmp_path):
    name = prepare(web, "mkdir /d; echo old > /d/file")
    (tmp_path / "t/u").mkdir(parents=True)
    (tmp_path / "t/u/file").write_text("deep\n")
    (tmp_path / "file").write_text("new\n")
    coracle("cp", tmp_path / "t", f"{name}:/d")
    coracle("cp", tmp_path / "file", f"{name}:/d")
    coracle("cp", tmp_path / "file", f"{name}:other")
    if web[1] == "stopped":
        coracle("start", "-d", name)
    assert coracle("exec", name, "cat", "/d/t/u/file", "/d/file", "/other").out == "deep\nnew\nnew\n"


def test_links_lead_nowhere_else(web, tmp_path):
    """Links in the container's tree are the container's, on the way and at the end."""
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    out = tmp_path / "out"
    out.mkdir()
    name = prepare(web, f"mkdir -p /d{tmp_path}; echo mine > /d{secret}; ln -s {tmp_path} /way; ln -s {secret} /end; "
                        f"ln -s /proc/1/root /magic; ln -s {secret} /d/inside; mkfifo /d/waits")
    coracle("cp", f"{name}:/way/secret", out, code=125)
    coracle("cp", f"{name}:/end", out, code=125)
    coracle("cp", f"{name}:/magic/etc/hostname", out, code=125)
    coracle("cp", f"{name}:/../../../d{secret}", out / "own")
    assert (out / "own").read_text() == "mine\n"
    host = tmp_path / "host"
    host.write_text("from the host\n")
    coracle("cp", host, f"{name}:/end", code=125)
    coracle("cp", host, f"{name}:/d/inside", code=125)
    coracle("cp", host, f"{name}:/way", code=125)
    coracle("cp", host, f"{name}:/d/waits", code=125)
    assert secret.read_text() == "secret\n" and sorted(p.name for p in tmp_path.iterdir()) == ["host", "out", "secret"]


def test_usage(busybox, tmp_path):
    coracle("cp", "a", "b", code=2)
    coracle("cp", "a:/x", "b:/y", code=2)
    coracle("cp", "nosuch:/x", tmp_path, code=125)
