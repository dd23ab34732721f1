# SPDX-License-Identifier: Apache-2.0
"""The small Windows programs of our own (winapps/): what Windows prints, and its exit codes."""
import contextlib
import re
import socket
import struct
import subprocess
import threading

import pytest

from harness.cli import coracle
from test_network import uplink  # noqa: F401  (a fixture)
from test_windows_walk import needs_wine

pytestmark = needs_wine
USAGE = '\nType "TIMEOUT /?" for usage.\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files for the programs, C:\\d in a container of the image `nano`."""
    top = tmp_path_factory.mktemp("d")
    top.chmod(0o755)
    (top / "sub").mkdir()
    (top / "fruit.txt").write_bytes(b"pear\r\nApple\r\nbanana\r\napple\r\n")
    (top / "sub/more.txt").write_bytes(b"one\ttwo\nThree banana")
    (top / "blank.txt").write_bytes(b"a\r\n\r\n\r\n\r\nb\r\n")
    (top / "words.txt").write_bytes(b"cat\r\nconcat\r\ncategory\r\na.c\r\nabc\r\n[x]\r\nco-cat\r\n")
    (top / "wanted.txt").write_bytes(b"pear\r\nbanana\r\n")
    coracle("images", "create-windows-base", "nano")
    yield top
    coracle("images", "rm", "nano")


def run(folder, *args, stdin="", code=0, flags=()):
    done = coracle("run", "--rm", *flags, "--mount", f"type=bind,src={folder},dst=C:\\d,options=rbind", "--cwd",
                   "C:\\d", "nano", "t", *args, stdin=stdin, code=code)
    assert "\n" not in re.sub("\r\n", "", done.out + done.err), "a line that doesn't end in CR LF"
    return done.out.replace("\r\n", "\n"), done.err.replace("\r\n", "\n")


PROGRAMS = [  # stdin, arguments, exit code, standard output, standard error
    ("", ("sort", "fruit.txt"), 0, "Apple\napple\nbanana\npear\n", ""),
    ("", ("sort", "/r", "fruit.txt"), 0, "pear\nbanana\nApple\napple\n", ""),
    ("", ("sort", "/R", "/uniq", "fruit.txt"), 0, "pear\nbanana\nApple\n", ""),
    ("", ("sort", "/+2", "fruit.txt"), 0, "banana\npear\nApple\napple\n", ""),
    ("", ("sort", "/l", "C", "fruit.txt"), 0, "Apple\napple\nbanana\npear\n", ""),
    ("b\nB\nA", ("sort", "/c"), 0, "A\nb\nB\n", ""),
    ("", ("sort",), 0, "", ""),
    ("", ("sort", "nosuch"), 1, "", "nosuchThe system cannot find the file specified.\n"),
    ("", ("sort", "/y"), 1, "", "Invalid switch.\n"),
    ("", ("sort", "a", "b"), 1, "", "Input file specified two times.\n"),
    ("", ("findstr", "banana", "fruit.txt"), 0, "banana\n", ""),
    ("", ("findstr", "pear banana", "fruit.txt"), 0, "pear\nbanana\n", ""),
    ("", ("findstr", "/c:pear banana", "fruit.txt"), 1, "", ""),
    ("", ("findstr", "/s", "/i", "/n", "BANANA", "*.txt"), 0,
     "fruit.txt:3:banana\nwanted.txt:2:banana\nsub\\more.txt:2:Three banana\n", ""),
    ("", ("findstr", "/m", "/s", "/c:Three b", "*"), 0, "sub\\more.txt\n", ""),
    ("", ("findstr", "/v", "pp", "fruit.txt"), 0, "pear\nbanana\n", ""),
    ("", ("findstr", "/vin", "PP", "fruit.txt"), 0, "1:pear\n3:banana\n", ""),
    ("", ("findstr", "/r", "^[a-c].*e$", "fruit.txt"), 0, "apple\n", ""),
    ("", ("findstr", "/b", "cat", "words.txt"), 0, "cat\ncategory\n", ""),
    ("", ("findstr", "/e", "cat", "words.txt"), 0, "cat\nconcat\nco-cat\n", ""),
    ("", ("findstr", "/x", "cat", "words.txt"), 0, "cat\n", ""),
    ("", ("findstr", r"\<cat\>", "words.txt"), 1, "", ""),  # no metacharacter: a text
    ("", ("findstr", "/r", r"\<cat\>", "words.txt"), 0, "cat\nco-cat\n", ""),
    ("", ("findstr", "a.c", "words.txt"), 0, "a.c\nabc\n", ""),
    ("", ("findstr", "/l", "a.c", "words.txt"), 0, "a.c\n", ""),
    ("", ("findstr", r"a\.c", "words.txt"), 1, "", ""),
    ("", ("findstr", "/r", r"a\.c", "words.txt"), 0, "a.c\n", ""),
    ("", ("findstr", "/r", "[^a-z.-]", "words.txt"), 0, "[x]\n", ""),
    ("", ("findstr", "/g:wanted.txt", "/o", "fruit.txt"), 0, "0:pear\n13:banana\n", ""),
    ("x1\r\nx2\r\n", ("findstr", "/x", "x2"), 0, "x2\n", ""),
    ("a" * 5000 + "\r\n", ("findstr", "/r", "a*a*a*a*a*a*a*a*b"), 1, "", ""),
    ("", ("findstr", "nosuch", "fruit.txt"), 1, "", ""),
    ("", ("findstr", "x", "nosuch.txt"), 1, "", "FINDSTR: Cannot open nosuch.txt\n"),
    ("", ("findstr",), 2, "", "FINDSTR: Bad command line\n"),
    ("", ("cmd", "/c", "type fruit.txt | findstr /i apple | sort /r"), 0, "Apple\napple\n", ""),
    ("", ("more", "sub\\more.txt"), 0, "one     two\nThree banana\n", ""),
    ("a\tb\nc", ("more", "/t4"), 0, "a   b\nc\n", ""),
    ("", ("more", "/s", "blank.txt"), 0, "a\n\nb\n", ""),
    ("", ("more", "+2", "fruit.txt"), 0, "banana\napple\n", ""),
    ("", ("more", "nosuch"), 1, "Cannot access file C:\\d\\nosuch\n", ""),
    ("", ("timeout", "/t", "1", "/nobreak"), 0,
     "\nWaiting for 1 seconds, press CTRL+C to quit ..." + "\b" * 35 + "0\n", ""),
    ("", ("timeout", "5"), 1, "",
     "ERROR: Input redirection is not supported, exiting the process immediately.\n"),
    ("", ("timeout", "/t", "x"), 1, "",
     "ERROR: Invalid value for timeout specified. Valid range is -1 to 99999 seconds.\n"),
    ("", ("timeout", "1", "2"), 1, "",
     "ERROR: Invalid syntax. Default option is not allowed more than '1' time(s)." + USAGE),
    ("", ("timeout", "/y"), 1, "", "ERROR: Invalid argument/option - '/y'." + USAGE),
]


@pytest.mark.parametrize("stdin, args, code, out, err", PROGRAMS, ids=[" ".join(p[1]) for p in PROGRAMS])
def test_texts_and_codes(folder, stdin, args, code, out, err):
    assert run(folder, *args, stdin=stdin, code=code) == (out, err)


def test_sort_writes_over_its_input(folder, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "list").write_bytes(b"b\na\n")
    run(tmp_path, "sort", "list", "/o", "list", flags=("--user", "ContainerAdministrator"))
    assert (tmp_path / "list").read_bytes() == b"a\r\nb\r\n"


def test_more_shows_a_pipe_as_it_comes(folder):
    out, _ = run(folder, "cmd", "/c", "(echo 1& echo 2) | c:\\windows\\system32\\more.exe")
    assert out.split() == ["1", "2"]


# --- nslookup

def name(text):
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".") if part) + b"\0"


def record(kind, data):
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


ZONE = {
    ("host.example", 1): [record(1, bytes([192, 0, 2, 7]))],
    ("both.example", 1): [record(1, bytes([192, 0, 2, 8])), record(1, bytes([192, 0, 2, 9]))],
    ("both.example", 28): [record(28, bytes.fromhex("20010db8" + "0" * 23 + "1"))],
    ("7.2.0.192.in-addr.arpa", 12): [record(12, name("host.example"))],
    ("mail.example", 15): [record(15, b"\0\x0a" + name("mx.example"))],
    ("text.example", 16): [record(16, b"\x05v=one")],
    ("loop.example", 1): [b"\xc0\x1e" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes(4)],  # a name that is itself
    ("lies.example", 1): [record(1, bytes(4))[:-2]],
    ("host.example", 28): [], ("mail.example", 1): [],
}


def answer(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += query[at] + 1
    kind = struct.unpack(">H", query[at + 1:at + 3])[0]
    key = ".".join(labels)
    records = ZONE.get((key, kind))
    code = 0 if any(known == key for known, _ in ZONE) else 3
    body = b"".join(records or [])
    return query[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(records or []), 0, 0) + query[12:at + 5] + body


@contextlib.contextmanager
def dns_server(address):
    """Answers from ZONE at port 53 of a bridge's address, until the end of the block."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))

        def serve():
            while True:
                query, peer = server.recvfrom(4096)
                if query == b"end":
                    return
                server.sendto(answer(query), peer)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"end", (address, 53))
            thread.join()


HEAD = "Server:  UnKnown\nAddress:  10.123.0.1\n\n"
LOOKUPS = [
    (("host.example",), HEAD + "Name:    host.example\nAddress:  192.0.2.7\n\n", ""),
    (("both.example",), HEAD + "Name:    both.example\nAddresses:  2001:db8::1\n          192.0.2.8\n"
     "          192.0.2.9\n\n", ""),
    (("192.0.2.7",), HEAD + "Name:    host.example\nAddress:  192.0.2.7\n\n", ""),
    (("-type=mx", "mail.example"),
     HEAD + "mail.example\tMX preference = 10, mail exchanger = mx.example\n\n", ""),
    (("-q=TXT", "text.example"), HEAD + 'text.example\ttext =\n\n\t"v=one"\n\n', ""),
    (("nosuch.example",), HEAD, "*** UnKnown can't find nosuch.example: Non-existent domain\n"),
    (("loop.example",), HEAD + "Name:    loop.example\n\n", ""),
    (("lies.example",), HEAD + "Name:    lies.example\n\n", ""),
]


def test_nslookup(folder, warm):
    with dns_server("10.123.0.1"):
        for args, out, err in LOOKUPS:
            assert run(folder, "nslookup", *args, "10.123.0.1", flags=("--cni",)) == (out, err), args
        out, _ = run(folder, "nslookup", "-", "10.123.0.1", stdin="host.example\nexit\n", flags=("--cni",))
        assert out == HEAD.replace("Server", "Default Server") + "> " + LOOKUPS[0][1] + "> \n"


# --- tracert

ROUTE = r"""
Tracing route to 1\.1\.1\.1 over a maximum of 5 hops

  1(    <1| +\d+) ms(    <1| +\d+) ms(    <1| +\d+) ms  10\.123\.0\.1 
  2(    <1| +\d+) ms(    <1| +\d+) ms(    <1| +\d+) ms  1\.1\.1\.1 

Trace complete\.
"""


def test_tracert(folder, warm, uplink):  # noqa: F811
    flags = ("--cni", "--user", "ContainerAdministrator")
    out, _ = run(folder, "tracert", "-d", "-h", "5", "1.1.1.1", flags=flags)
    assert re.fullmatch(ROUTE, out), out
    # Without the right to raw sockets only the target's own answer comes.
    out, _ = run(folder, "tracert", "-d", "-h", "5", "-w", "100", "1.1.1.1", flags=("--cni",))
    assert "  1     *        *        *     Request timed out.\n" in out and "  1.1.1.1 \n" in out
    out, _ = run(folder, "tracert", "nosuch.invalid", code=1, flags=("--cni",))
    assert out == "Unable to resolve target system name nosuch.invalid.\n"
    out, _ = run(folder, "tracert", "-d", "1.1.1.1")
    assert out.endswith("  1  General failure.\n\nTrace complete.\n")


# --- volumes: start.exe answers for Wine's mount manager

def test_dir_shows_the_volume(folder):
    out, err = run(folder, "cmd", "/c", "dir")
    assert [line.strip() for line in out.splitlines()[:4]] == [
        "Volume in drive C has no label.", "Volume Serial Number is 5caf-fe12", "", "Directory of C:\\d"]
    assert "fruit.txt" in out and err == ""
    assert run(folder, "cmd", "/c", "vol d:", code=None)[0] == ""


QUESTIONS = r"""
#include <windows.h>
#include <winioctl.h>
#include <stdio.h>
static char big[1 << 20];
int main(void)
{
	DWORD n, serial = 0;
	HANDLE m = CreateFileA("\\\\.\\MountPointManager", GENERIC_READ | GENERIC_WRITE, 3, NULL, OPEN_EXISTING, 0, NULL);
	for (DWORD size = 0; size <= sizeof(big); size = size * 2 + 1)
		for (int code = 0; code < 64; code++)
			if (code != 33)
				DeviceIoControl(m, 'm' << 16 | code << 2, big, size, big, size, &n, NULL);
			else
				DeviceIoControl(m, 'm' << 16 | 1 << 14 | code << 2, big, size, big, size % 40, &n, NULL);
	for (int i = 0; i < 2000; i++) // more than the server has handles for, if one were kept each time
		if (!GetVolumeInformationA("C:\\", NULL, 0, &serial, NULL, NULL, NULL, 0))
			return 1;
	printf("%lx %u\n", serial, GetDriveTypeA("C:\\"));
	return 0;
}
"""


def test_questions_of_any_size_and_number(folder):
    (folder / "ask.c").write_text(QUESTIONS)
    subprocess.run(["x86_64-w64-mingw32-gcc", "-o", folder / "ask.exe", folder / "ask.c"], check=True)
    assert run(folder, "C:\\d\\ask.exe") == ("5caffe12 3\n", "")
