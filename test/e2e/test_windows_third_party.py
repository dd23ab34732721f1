# SPDX-License-Identifier: Apache-2.0
"""Windows programs of others, each in an image of Windows' layer format (test/fixtures/programs)."""
import contextlib
import hashlib
import re
from pathlib import Path

import pytest

from harness import cli, counts
from harness.cli import coracle, eventually, start
from test_windows_walk import needs_wine

PROGRAMS = Path(__file__).resolve().parents[2] / ".cache/programs"
pytestmark = needs_wine


@contextlib.contextmanager
def image_with(*names):
    """A base, and a layer for each of the programs: C:\\NAME. The name of the image on top."""
    for name in names:
        if not (PROGRAMS / name).is_dir():
            pytest.skip(f"{name} is not in .cache/programs: test/fixtures/programs could not fetch it (no network?)")
    refs = ["nano"]
    coracle("images", "create-windows-base", "nano")
    try:
        for name in names:
            refs.append(f"with-{name}")
            coracle("images", "add-windows-layer", "--target", f"C:\\{name}", refs[-2], PROGRAMS / name, refs[-1])
        yield refs[-1]
    finally:
        coracle("images", "rm", *reversed(refs))


def run(image, *args, code=0, flags=(), err=""):
    done = coracle("run", "--rm", *flags, image, "t", *args, code=code)
    assert done.err == err
    return done.out.replace("\r\n", "\n")


@pytest.fixture
def source(tmp_path):
    """C:\\src of a container, which every user may write into."""
    folder = tmp_path / "src"
    folder.mkdir()
    folder.chmod(0o777)
    tmp_path.chmod(0o755)
    return folder, ("--mount", f"type=bind,src={folder},dst=C:\\src,options=rbind", "--cwd", "C:\\src")


def test_ruff(source):
    folder, flags = source
    (folder / "bad.py").write_text("import os\nx=1\nprint( x )\n")
    (folder / "bad.py").chmod(0o666)
    with image_with("ruff") as image:
        out = run(image, "C:\\ruff\\ruff.exe", "check", "--no-cache", "--select", "F", "--output-format", "concise", "bad.py", code=1, flags=flags)
        assert "bad.py:1:8: F401 " in out and "Found 1 error." in out
        done = coracle("run", "--rm", *flags, image, "t", "C:\\ruff\\ruff.exe", "format", "--no-cache", "bad.py")
        assert done.out.strip() == "1 file reformatted"
        assert (folder / "bad.py").read_text() == "import os\n\nx = 1\nprint(x)\n"


def test_ripgrep(source):
    folder, flags = source
    (folder / "sub").mkdir()
    for i in range(200):
        (folder / f"sub/{i}.txt").write_text(f"line\nneedle {i}\n")
    with image_with("ripgrep") as image:
        assert run(image, "C:\\ripgrep\\rg.exe", "-n", "needle 1[0-9]$", "--sort", "path", ".", flags=flags).splitlines() == [
            f".\\sub\\{i}.txt:2:needle {i}" for i in range(10, 20)]
        assert run(image, "C:\\ripgrep\\rg.exe", "-c", "needle", "--no-filename", ".", flags=flags) == "1\n" * 200
        run(image, "C:\\ripgrep\\rg.exe", "nosuch", ".", code=1, flags=flags)


def test_7za(source):
    folder, flags = source
    (folder / "data").write_bytes(bytes(range(256)) * 4096)
    with image_with("7zip-bin") as image:
        assert "Everything is Ok" in run(image, "C:\\7zip-bin\\7za.exe", "a", "-mmt=2", "x.7z", "data", flags=flags)
        (folder / "data").rename(folder / "before")
        assert "Everything is Ok" in run(image, "C:\\7zip-bin\\7za.exe", "x", "x.7z", flags=flags)
    assert (folder / "data").read_bytes() == (folder / "before").read_bytes()


BUILD = """cmake_minimum_required(VERSION 3.20)
project(made NONE)
add_custom_command(OUTPUT half.txt COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/in.txt half.txt
                   DEPENDS in.txt)
add_custom_command(OUTPUT out.txt COMMAND ${CMAKE_COMMAND} -E cat half.txt half.txt > out.txt DEPENDS half.txt)
add_custom_target(made ALL DEPENDS out.txt)
"""


def test_cmake_and_ninja(source):
    folder, flags = source
    (folder / "CMakeLists.txt").write_text(BUILD)
    (folder / "in.txt").write_text("twice\n")
    with image_with("cmake", "ninja") as image:
        flags = (*flags, "--env", "PATH=C:\\cmake\\bin;C:\\ninja;C:\\windows\\system32")
        out = run(image, "cmake", "-G", "Ninja", "-B", "build", flags=flags)
        assert "-- Build files have been written to: C:/src/build" in out
        assert "out.txt" in run(image, "cmake", "--build", "build", flags=flags)
        assert (folder / "build/out.txt").read_text().split() == ["twice", "twice"]
        assert "ninja: no work to do." in run(image, "ninja", "-C", "build", flags=flags)


def test_a_web_server(busybox, warm):
    with image_with("server") as image:
        with start("coracle", "run", "--rm", "--cni", image, "web", "cmd", "/c", "ipconfig & C:\\server\\server.exe") as web:
            out = ""
            while "serving" not in out:
                line = web.stdout.readline().decode()
                assert line, web.stderr.read()
                out += line
            url = f"http://{re.search(r'IPv4 Address[. ]*: ([0-9.]+)', out)[1]}:8080"
            assert eventually(lambda: cli.run("coracle", "run", "--rm", "--cni", busybox, "b", "wget", "-q", "-O", "-",
                                              f"{url}/hello", code=None).out) == "web from cmd\n"
            fetch = ("run", "--rm", "--cni", image, "client", "C:\\server\\server.exe", "fetch")
            assert coracle(*fetch, f"{url}/hello").out == "web from cmd\n"
            sums = {hashlib.sha256(coracle(*fetch, f"{url}/file").out.encode()).hexdigest(),
                    hashlib.sha256(b"0123456789" * 100000).hexdigest()}
            assert len(sums) == 1
            coracle(*fetch, f"{url}/end")
            web.communicate(timeout=60)
            assert web.returncode == 0
    # A connection whose last packet met a closed interface keeps the namespace until the kernel gives up.
    counts.until(lambda now: now["interfaces"] == ["lo"], seconds=150)
