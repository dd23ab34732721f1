# SPDX-License-Identifier: Apache-2.0
"""Windows images beyond the walk: layers of people's own, honest and hostile, and how they run."""
import contextlib
import json
import os
import pathlib
import random
import re
import subprocess
import tarfile
import time

import pytest

from harness import counts, sandbox, windows
from harness.cli import coracle, ctr, eventually, start
from harness.images import imported, mounted
from test_windows_walk import needs_wine

NAME = "docker.io/library/windows-test:latest"
# In the version resource of every program of Windows itself.
MICROSOFTS = "Microsoft\u00ae Windows\u00ae Operating System".encode("utf-16-le")


def archive(tmp_path, *layers, **config):
    return windows.WindowsImage(*layers, name=NAME, **config).oci(tmp_path / "image.tar")


def lines(result):
    return result.out.replace("\r\n", "\n").splitlines()


@needs_wine
def test_exit_codes_and_streams(tmp_path):
    with imported(archive(tmp_path, windows.base_layer()), NAME):
        for wanted in (0, 3, 255):
            coracle("run", "--rm", NAME, "t", "cmd", "/c", f"exit {wanted}", code=wanted)
        coracle("run", "--rm", NAME, "t", "cmd", "/c", "exit 256", code=1)
        coracle("run", "--rm", NAME, "t", "cmd", "/c", "exit -1", code=255)
        done = coracle("run", "--rm", NAME, "t", "cmd", "/c", "echo out& echo err>&2")
        assert (done.out, done.err) == ("out\r\n", "err\r\n")
        said = coracle("run", "--rm", NAME, "t", "nosuch.exe", code=127).err
        assert said == "coracle: nosuch.exe: The system cannot find the file specified.\r\n"
        said = coracle("run", "--rm", "--cwd", "C:\\nosuch", NAME, "t", "cmd", code=126).err
        assert said == "coracle: C:\\nosuch: The directory name is invalid.\r\n"


@needs_wine
@pytest.mark.parametrize("code, low", [(0, 0), (7, 7), (256, 1), (0x12345678, 0x78), (0xC0000135, 0x35), (0xFFFFFFFF, 255)])
def test_all_bits_of_an_exit_code(tmp_path, code, low):
    signed = code - (1 << 32 if code >> 31 else 0)
    with imported(archive(tmp_path, windows.base_layer()), NAME):
        coracle("run", "-d", NAME, "t", "cmd", "/c", f"ping -n 2 -w 1 127.0.0.1 >nul & exit {signed}")
        assert coracle("wait", "t").out == f"{code}\n"
        row = next(r for r in json.loads(coracle("ps", "-a", "--format", "json").out) if r["id"] == "t")
        assert (row["status"], row["exit_code"]) == ("STOPPED", code)
        assert coracle("wait", "t").out == f"{code}\n"
        assert json.loads(coracle("inspect", "t").out)["State"] == {"Status": "exited", "Pid": 0, "ExitCode": code}
        assert "State" not in json.loads(ctr("c", "info", "t").out)
        coracle("rm", "t")
        coracle("run", "--rm", NAME, "t", "cmd", "/c", f"exit {signed}", code=low)


@needs_wine
def test_a_missing_library_has_windows_code(tmp_path):
    (tmp_path / "d").mkdir(mode=0o755)
    (tmp_path / "d/none.def").write_text("LIBRARY nosuchdll\nEXPORTS\n nothing\n")
    (tmp_path / "d/none.c").write_text("int nothing(void); int main(void) { return nothing(); }")
    for argv in (["x86_64-w64-mingw32-dlltool", "-d", "none.def", "-l", "none.a"],
                 ["x86_64-w64-mingw32-gcc", "-o", "none.exe", "none.c", "none.a"]):
        subprocess.run(argv, cwd=tmp_path / "d", check=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    with imported(archive(tmp_path, windows.base_layer()), NAME):
        coracle("run", "-d", "--mount", f"type=bind,src={tmp_path}/d,dst=D:,options=rbind", NAME, "t", "D:\\none.exe")
        assert coracle("wait", "t").out == f"{0xC0000135}\n"
        coracle("rm", "t")


@needs_wine
def test_environment_is_windows_own(tmp_path):
    image = archive(tmp_path, windows.base_layer(), Env=["A=image", "WINEDEBUG=+all", "LD_PRELOAD=/x", "E="])
    with imported(image, NAME):
        env = dict(line.split("=", 1) for line in
                   lines(coracle("run", "--rm", "--env", "a=flag", NAME, "t", "cmd", "/c", "set")))
        assert env["A"] == "flag" and env["USERNAME"] == "ContainerUser" and env["COMPUTERNAME"] == "T"
        assert env["SystemRoot"] == "C:\\Windows"
        assert not [name for name in env if name.startswith(("WINE", "LD_")) or name == "E"]


@needs_wine
def test_users_and_what_they_may_write(tmp_path):
    with imported(archive(tmp_path, windows.base_layer()), NAME):
        out = lines(coracle("run", "--rm", NAME, "t", "cmd", "/c", "whoami & echo x>%TEMP%\\x& type %TEMP%\\x"))
        assert out == ["T\\ContainerUser", "x"]
        assert "Access denied" in coracle("run", "--rm", NAME, "t", "cmd", "/c", "echo x> c:\\x", code=None).err
        out = lines(coracle("run", "--rm", "--user", "ContainerAdministrator", NAME, "t", "cmd", "/c",
                            "whoami & echo x>c:\\x& type c:\\x"))
        assert out == ["T\\ContainerAdministrator", "x"]
        said = coracle("run", "--rm", "--user", "nobody", NAME, "t", "cmd", code=125).err
        assert 'no user "nobody"' in said


@needs_wine
def test_no_drive_for_linux(tmp_path):
    with imported(archive(tmp_path, windows.base_layer()), NAME):
        coracle("run", "--rm", NAME, "t", "cmd", "/c", "type z:\\etc\\passwd", code=1)


@needs_wine
def test_upper_layers_and_the_registry(tmp_path):
    app = windows.layer(
        windows.entry("Files"), windows.entry("Files/App"),
        windows.entry("Files/App/hello.txt", "hello\r\n"), windows.entry("Hives"))
    change = windows.layer(
        windows.entry("FILES"), windows.entry("files/APP"), windows.entry("files/app/HELLO.TXT", "changed\r\n"),
        windows.entry("Files/.wh.License.txt", "", records={}))
    base = windows.base_layer(windows.entry("Files/License.txt", "x"))
    with imported(archive(tmp_path, base, app, change), NAME):
        out = lines(coracle("run", "--rm", NAME, "t", "cmd", "/c", "type c:\\app\\Hello.txt"))
        assert out == ["changed"]
        coracle("run", "--rm", NAME, "t", "cmd", "/c", "type c:\\License.txt", code=1)


@needs_wine
def test_no_program_of_the_image_takes_wines_place(tmp_path):
    base = windows.base_layer(windows.entry("Files/Windows/System32/cmd.exe", b"MZ not a program"),
                              windows.entry("Files/Windows/System32/ntdll.dll", b"MZ not a library"))
    with imported(archive(tmp_path, base), NAME):
        assert lines(coracle("run", "--rm", NAME, "t", "cmd", "/c", "echo wine")) == ["wine"]


@needs_wine
def test_a_folder_becomes_a_layer(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/read me.txt").write_text("text")
    coracle("images", "create-windows-base", "win-base")
    coracle("images", "add-windows-layer", "--target", "C:\\tools", "win-base", tmp_path / "tools", "win-tools")
    assert coracle("run", "--rm", "win-tools", "t", "cmd", "/c", "type",
                   "c:\\tools\\read me.txt").out == "text"
    coracle("images", "rm", "win-tools", "win-base")


@needs_wine
def test_no_heap_lies_where_wine_needs_the_page(tmp_path):
    """0x7ffe0000 of each process is Windows' own; a heap that begins at random around it took it once in
    some thousand starts, and the container ended with 1 and no word."""
    coracle("images", "create-windows-base", "win-base")
    with start("coracle", "run", "--rm", "win-base", "t", "cmd", "/c", "echo up& timeout /t 1000 /nobreak") as process:
        assert process.stdout.readline().split() == [b"up"]
        init = int(ctr("tasks", "ls").out.splitlines()[1].split()[1])
        group = pathlib.Path(f"/proc/{init}/cgroup").read_text()
        deadline, found = time.monotonic() + 60, {}
        while len(found) < 3:  # start.exe, cmd.exe, timeout.exe
            assert time.monotonic() < deadline, found
            for entry in pathlib.Path("/proc").iterdir():
                with contextlib.suppress(OSError):
                    if (entry / "cgroup").read_text() == group and "wine64" in os.readlink(entry / "exe"):
                        heap = re.search(r"^([0-9a-f]+)-.*\[heap\]$", (entry / "maps").read_text(), re.M)
                        if heap:
                            found[entry.name] = int(heap[1], 16)
        assert all(address > 1 << 32 for address in found.values()), found
        ctr("tasks", "kill", "-s", "KILL", "t")
        process.wait(60)
    coracle("images", "rm", "win-base")


SEES = r"""
#include <windows.h>
#include <stdio.h>
int main(void)
{
	DWORD_PTR mine = 0, all = 0;
	SYSTEM_INFO info;
	GetProcessAffinityMask(GetCurrentProcess(), &mine, &all);
	GetSystemInfo(&info);
	printf("%d %lu\n", mine == all, info.dwNumberOfProcessors);
	fflush(stdout);
	Sleep(INFINITE);
	return 0;
}
"""


@needs_wine
def test_all_processors_are_the_programs(tmp_path):
    """A start happens on one of them; the program never sees that, and is free soon."""
    (tmp_path / "d").mkdir(mode=0o755)
    (tmp_path / "d/sees.c").write_text(SEES)
    subprocess.run(["x86_64-w64-mingw32-gcc", "-o", "sees.exe", "sees.c"], cwd=tmp_path / "d", check=True,
                   env={**os.environ, "TMPDIR": str(tmp_path)})

    def allowed(pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return re.search(r"Cpus_allowed_list:\s*(\S+)", status)[1]
    with imported(archive(tmp_path, windows.base_layer()), NAME), \
            start("coracle", "run", "--rm", "--mount", f"type=bind,src={tmp_path}/d,dst=D:,options=rbind", NAME, "t", "D:\\sees.exe") as run:
        assert run.stdout.readline() == f"1 {os.sysconf('SC_NPROCESSORS_ONLN')}\r\n".encode()
        pids = [line.split()[0] for line in coracle("tasks", "ps", "t").out.splitlines()[1:]]
        assert len(pids) == 4  # boot, the server, start.exe, the program
        eventually(lambda: {allowed(pid) for pid in pids} == {allowed("self")})
        coracle("tasks", "kill", "-s", "KILL", "t")


@needs_wine
def test_twelve_at_once_with_a_network(tmp_path, network, warm, soak):
    with imported(archive(tmp_path, windows.base_layer()), NAME):
        for _ in range(soak(1, 20)):
            running = [start("coracle", "run", "--rm", "--cni", NAME, f"t{i}", "ipconfig") for i in range(12)]
            addresses = set()
            for process in running:
                out, err = process.communicate(timeout=120)
                assert (process.returncode, err) == (0, b"")
                addresses.add(re.search(rb"IPv4 Address[. ]*: ([0-9.]+)", out)[1])
            assert len(addresses) == 12


@needs_wine
def test_killed_at_any_moment(tmp_path, soak):
    with imported(archive(tmp_path, windows.base_layer()), NAME):
        for delay in range(0, 100, soak(20, 1)):  # milliseconds, over the whole life
            with start("coracle", "run", "--rm", NAME, "t", "cmd", "/c", "echo x") as process:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(delay / 1000)
                process.kill()
            counts.until(lambda now: not now["processes"], seconds=30)
        coracle("gc")


def below(pid, comm):
    """The processes of that name which descend from `pid`."""
    with contextlib.suppress(OSError):
        if pathlib.Path(f"/proc/{pid}/comm").read_text().rstrip("\n") == comm:
            yield pid
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from below(int(child), comm)


@needs_wine
@pytest.mark.parametrize("victim", ["coracle-shim", "coracle-boot", "wineserver64", "start.exe", "timeout"])
def test_kill_of_any_of_its_processes(tmp_path, soak, victim):
    rng = random.Random(14)
    with imported(archive(tmp_path, windows.base_layer()), NAME):
        coracle("run", "--rm", NAME, "t", "cmd", "/c", "exit 0")  # what is made at the first use is there
        before = counts.rested()
        hit = 0
        for _ in range(soak(4, 50)):
            with start("coracle", "run", "--rm", NAME, "t", "timeout", "/t", "9999", "/nobreak") as process:
                time.sleep(rng.uniform(0, 0.15))  # the moment is what is random
                killed = list(below(process.pid, victim))
                for pid in killed:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, 9)
                hit += len(killed)
                if not killed:  # it isn't there yet
                    process.kill()
                process.wait(30)
            coracle("rm", "-f", "t", code=None)
            coracle("gc")
            counts.assert_back(before)
            assert lines(coracle("run", "--rm", NAME, "t", "cmd", "/c", "echo fine")) == ["fine"]
        assert hit


def hive_of(data):
    return windows.entry("Files/Windows/System32/config/SOFTWARE", data)


HOSTILE = {
    "above": (windows.entry("Files/../../x", "x"), '".." in the path'),
    "absolute": (windows.entry("/Files/x", "x"), "an empty name in the path"),
    "drive": (windows.entry("C:/x", "x"), "a colon in the path"),
    "orphan stream": (windows.entry("Files/x:s", "x"), "a stream that doesn't follow its file"),
    "device": (windows.entry("Files/dev", kind=tarfile.CHRTYPE), "a device in a layer of Windows"),
    "attributes": (windows.entry("Files/x", "x", attributes="0x20"), "MSWINDOWS.fileattr"),
    "clash": (windows.entry("Files/WINDOWS", "x"), "is of another type"),
    "tombstone": (windows.entry("Files/.wh.x", ""), "base layer cannot have tombstones"),
    "no letters": (windows.entry("Files/bad\udcff", "x"), "the name is not UTF-8"),
    "stream's type": (windows.entry("Files/x:s:$INDEX_ALLOCATION", "x"), "a colon in the name"),
    "under a link": (windows.entry("Files/LINK/x", "x"), "lies below a link"),
    "link out": (windows.entry("Files/x", kind=tarfile.LNKTYPE, link="etc/passwd"), "invalid hard link in layer"),
    "link above": (windows.entry("Files/x", kind=tarfile.LNKTYPE, link="Files/../../etc/passwd"), '".." in the path'),
    "hive": (hive_of(b"regf" + bytes(8188)), "SOFTWARE: hive: wrong checksum"),
    "hive, empty": (hive_of(b"regf"), "SOFTWARE: hive: 4 bytes are too few"),
    "hive, size": (hive_of(windows.hive(size=1 << 30)), "SOFTWARE: hive: bins of 1073741824 bytes in a file of 8192"),
    "hive, loop": (hive_of(windows.hive(loops=True)), "SOFTWARE: hive: offset 0x20: "),
    "hive, long loop": (hive_of(windows.hive(depth=20, loops=True)), "SOFTWARE: hive: offset 0x20: "),
    "hive, depth": (hive_of(windows.hive(depth=600)), "SOFTWARE: hive: keys deeper than 512"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_layers_are_refused(tmp_path, what):
    bad, message = HOSTILE[what]
    link = windows.entry("Files/link", kind=tarfile.SYMTYPE, link="C:\\Windows", attributes=0x400)
    said = coracle("images", "import", archive(tmp_path, windows.base_layer(link, bad)), code=125).err
    assert message in said
    assert len(said.splitlines()) <= 2  # the error, perhaps a hint


@pytest.mark.parametrize("delta", [windows.hive(loops=True), windows.hive(depth=600), windows.hive(size=1 << 30), b"regf" * 4096],
                         ids=["loop", "depth", "size", "no hive"])
def test_hostile_deltas_are_refused(tmp_path, delta):
    above = windows.layer(windows.entry("Files"), windows.entry("Hives"), windows.entry("Hives/Software_Delta", delta))
    said = coracle("images", "import", archive(tmp_path, windows.base_layer(), above), code=125).err
    assert "Software_Delta: hive: " in said


@needs_wine
def test_names_that_windows_has_trouble_with(tmp_path):
    """Taken, as NTFS does; of two that differ by case only the later one counts."""
    odd = ["nul", "CON.txt", "aux", "COM1", "tail.", "tail ", "conin$"]
    files = [windows.entry("Files/odd")] + [windows.entry(f"Files/odd/{name}", f"in {name}") for name in odd]
    same = [windows.entry("Files/Read.txt", "first"), windows.entry("FILES/READ.TXT", "last"),
            windows.entry("FILES/READ.TXT:stream:$DATA", "hidden"), windows.entry("FILES/READ.TXT:more", "hidden")]
    with imported(archive(tmp_path, windows.base_layer(*files, *same)), NAME):
        with mounted(NAME, tmp_path / "m") as root:
            assert {name: (root / "Files/odd" / name).read_text() for name in odd} == {name: f"in {name}" for name in odd}
            assert [p.name for p in (root / "Files").iterdir() if p.name.lower().startswith("read")] == ["Read.txt"]
        out = lines(coracle("run", "--rm", NAME, "t", "cmd", "/c", "type c:\\odd\\nul& type c:\\rEAD.tXT"))
        assert out == ["last"]  # the device, not the file


HIDDEN = {"WINEPREFIX": "/x", "WINESERVER": "/x", "WINELOADER": "/x", "WINEDLLPATH": "/x", "WINEDLLOVERRIDES": "cmd.exe=n",
          "WINEDEBUG": "+all", "WINEBOOTSTRAPMODE": "1", "LD_PRELOAD": "/x", "LD_LIBRARY_PATH": "/x", "LD_AUDIT": "/x"}


@needs_wine
@pytest.mark.parametrize("by", ["image", "flags", "spec"])
def test_nothing_reaches_wines_own_environment(tmp_path, by):
    given = [f"{name}={value}" for name, value in HIDDEN.items()] + ["KEPT=yes"]
    rows = [line for entry in given for line in ("--env", entry)] if by == "flags" else []
    with imported(archive(tmp_path, windows.base_layer(), Env=given if by == "image" else []), NAME):
        if by == "spec":
            spec = json.loads(coracle("spec", NAME, "t", "cmd").out)
            spec["process"]["env"] = given
            spec["process"].pop("args", None)
            spec["process"]["commandLine"] = "cmd /c set"
            layers = json.loads(coracle("snapshots", "--snapshotter", "windows", "prepare", "--mounts", "t",
                                        coracle("snapshots", "--snapshotter", "windows", "ls").out.splitlines()[1].split()[0]).out)
            parents = json.loads(layers[0]["Options"][1].split("=", 1)[1])
            spec["windows"] = {"layerFolders": [*parents, layers[0]["Source"]]}
            (tmp_path / "config.json").write_text(json.dumps(spec))
            done = coracle("run", "--rm", "--config", tmp_path / "config.json", "t")
            coracle("snapshots", "--snapshotter", "windows", "rm", "t")
        else:
            done = coracle("run", "--rm", *rows, NAME, "t", "cmd", "/c", "set")
        env = dict(line.split("=", 1) for line in lines(done))
        assert env["KEPT"] == "yes" and done.err == ""
        assert not [name for name in env if name in HIDDEN]


def test_links_lead_nowhere_outside(tmp_path):
    link = windows.entry("Files/passwd", kind=tarfile.SYMTYPE, link="/etc/passwd", attributes=0x400)
    away = windows.entry("Files/share", kind=tarfile.SYMTYPE, link="\\\\server\\x", attributes=0x400)
    with imported(archive(tmp_path, windows.base_layer(link, away)), NAME), mounted(NAME, tmp_path / "m") as root:
        assert os.readlink(root / "Files/passwd") == "etc/passwd"  # of drive C:
        assert not os.path.lexists(root / "Files/share")


@needs_wine
def test_what_is_only_for_linux_is_refused(tmp_path):
    with imported(archive(tmp_path, windows.base_layer()), NAME):
        for flags in (["--tmpfs", "/x"], ["--ulimit", "nofile=9"], ["--shm-size", "1m"], ["--mount", "type=tmpfs,dst=/x"]):
            refused = coracle("run", "--rm", *flags, NAME, "t", "cmd", code=125)
            assert "not for Windows images" in refused.err


@needs_wine
def test_init_is_there_anyway(tmp_path):
    """coracle-boot is what --init asks for."""
    with imported(archive(tmp_path, windows.base_layer()), NAME):
        coracle("run", "--rm", "--init", NAME, "t", "cmd", "/c", "exit 7", code=7)
        assert "io.coracle.init" not in coracle("spec", "--init", NAME, "t", "cmd").out


@needs_wine
def test_mounts_and_a_read_only_drive(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "in.txt").write_text("in")
    with imported(archive(tmp_path, windows.base_layer()), NAME):
        for where, options in (("C:\\data", "rbind"), ("D:", "rbind"), ("D:", "rbind:ro")):
            path = where if where.startswith("C") else "D:"
            done = coracle("run", "--rm", "--mount", f"type=bind,src={folder},dst={where},options={options}",
                           "--user", "ContainerAdministrator", NAME, "t", "cmd", "/c",
                           f"type {path}\\in.txt& echo out>{path}\\out.txt", code=None)
            assert done.out == "in" and (folder / "out.txt").exists() == (options == "rbind"), done
            (folder / "out.txt").unlink(missing_ok=True)
        said = coracle("run", "--rm", "--read-only", "--user", "ContainerAdministrator", NAME, "t", "cmd", "/c",
                       "echo x> c:\\x& ver", code=None)
        assert "Access denied" in said.err and "Windows 10.0" in said.out


@needs_wine
def test_layers_of_applications_win_over_the_template(tmp_path):
    """Data files do; of a DLL's name in system32 Wine still loads its own."""
    (tmp_path / "d").mkdir(mode=0o755)

    def build(name, text, *flags):
        (tmp_path / "d/x.c").write_text(text)
        subprocess.run(["x86_64-w64-mingw32-gcc", "-o", name, "x.c", *flags], cwd=tmp_path / "d", check=True,
                       env={**os.environ, "TMPDIR": str(tmp_path)})
        return (tmp_path / "d" / name).read_bytes()
    foreign = build("foreign.dll", "int nothing_of_windows;", "-shared")
    build("u.exe", "#include <windows.h>\n#include <userenv.h>\n#include <stdio.h>\nint main(void) { DWORD n = 260;"
          " char p[260] = \"\"; GetProfilesDirectoryA(p, &n); printf(\"%s\\n\", p); return 0; }", "-luserenv")
    app = windows.layer(
        windows.entry("Files"), windows.entry("Files/Windows"), windows.entry("Files/Windows/System32"),
        windows.entry("Files/Windows/System32/Sort.exe", "mine"),  # of the template
        windows.entry("Files/Windows/System32/USERENV.dll", foreign),  # which Wine would rather have native
        windows.entry("Files/Windows/System32/kernel32.dll", foreign),
        windows.entry("Files/Windows/System32/appown.dll", foreign),
        windows.entry("Files/Windows/System32/ulib.dll", foreign + MICROSOFTS), windows.entry("Hives"))
    with imported(archive(tmp_path, windows.base_layer(), app), NAME):
        assert coracle("run", "--rm", NAME, "t", "cmd", "/c", "type c:\\windows\\system32\\sort.exe").out == "mine"
        out = lines(coracle("run", "--rm", "--mount", f"type=bind,src={tmp_path}/d,dst=D:,options=rbind", NAME, "t", "D:\\u.exe"))
        assert out == ["C:\\Users"]
        # Wine has neither; what is a part of Windows is left out of updates of the system, too.
        coracle("run", "--rm", NAME, "t", "cmd", "/c", "if exist c:\\windows\\system32\\appown.dll exit 7", code=7)
        coracle("run", "--rm", NAME, "t", "cmd", "/c", "if exist c:\\windows\\system32\\ulib.dll exit 7")


@needs_wine
def test_a_scratch_layer_is_one_containers(tmp_path):
    with imported(archive(tmp_path, windows.base_layer()), NAME):
        rows = [line.split() for line in coracle("snapshots", "--snapshotter", "windows", "ls").out.splitlines()[1:]]
        coracle("snapshots", "--snapshotter", "windows", "prepare", "scratch", rows[0][0])
        try:
            mounts = json.loads(coracle("snapshots", "--snapshotter", "windows", "prepare", "--mounts", "other", rows[0][0]).out)
            top = os.path.dirname(mounts[0]["Source"])
            number = int(os.path.basename(mounts[0]["Source"]))
            spec = {"ociVersion": "1.2.1", "root": {"path": ""},
                    "process": {"cwd": "C:\\", "args": ["cmd", "/c", "echo yes& pause"], "user": {}},
                    "windows": {"layerFolders": [json.loads(mounts[0]["Options"][1].split("=", 1)[1])[0], f"{top}/{number - 1}"]}}
            config = tmp_path / "config.json"
            config.write_text(json.dumps(spec))
            with start("coracle", "run", "--rm", "--config", config, "first", stdin=subprocess.PIPE) as first:
                assert first.stdout.readline() == b"yes\r\n"
                said = coracle("run", "--rm", "--config", config, "second", code=125).err
                assert said.startswith('coracle: snapshot "scratch" is in use by another container\nhint: ')
                first.communicate(b"x", timeout=60)
            assert coracle("run", "--rm", "--config", config, "second", stdin="x").out.startswith("yes\r\n")
        finally:
            coracle("snapshots", "--snapshotter", "windows", "rm", "scratch", "other")


@needs_wine
def test_the_installed_template_is_used(tmp_path):
    """A new --root has none of its own then; a foreign --state goes with it."""
    libexec = os.path.realpath("/usr/local/libexec/coracle")
    coracle("__template")
    try:
        assert len([n for n in os.listdir(f"{libexec}/templates") if n.startswith("template-")]) == 1
        store = sandbox.STORE / "other"
        flags = ("--root", store, "--state", tmp_path / "state")
        coracle(*flags, "images", "create-windows-base", "win")
        done = coracle(*flags, "run", "--rm", "win", "t", "cmd", "/c", "echo yes")
        assert (done.out, done.err) == ("yes\r\n", "")
        assert not (store / "windows").exists()
    finally:
        while store.exists():  # the last command's trash is deleted behind its answer
            subprocess.run(["rm", "-rf", store], check=False)
        subprocess.run(["rm", "-rf", f"{libexec}/templates"], check=True)


@needs_wine
def test_info_names_wine_and_its_differences():
    wine = json.loads(coracle("info").out)["windows"]
    assert re.match(r"\d+\.\d+", wine["wine"])
    if wine["wine"].startswith("8.0"):
        assert wine["unlike_windows"][0] == "cmd runs what stands behind && and || whatever came before"
        assert len(wine["unlike_windows"]) == 4
