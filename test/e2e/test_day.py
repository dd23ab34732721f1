# SPDX-License-Identifier: Apache-2.0
"""A day with containers: a web server that is looked into, a database that is killed, top in tmux."""
import re
import subprocess
import urllib.request

import pytest

from harness.cli import coracle, eventually, start

REF = "docker.io/library/debian:bookworm"


@pytest.fixture(scope="module", autouse=True)
def debian(cache):
    archive = cache / "debian-oci.tar"
    if not archive.exists():
        pytest.skip("no debian image: test/fixtures/make could not make it (no mirror?)")
    coracle("images", "import", archive)
    yield "debian:bookworm"
    coracle("images", "rm", REF)


def on_a_terminal(command):
    done = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, text=True, check=True)
    return done.stdout.replace("^@", "").replace("\r", "").replace("\b", "")


def test_web_server(debian, warm, tmp_path):
    coracle("run", "-d", "--rm", "--cni", debian, "web", "sh", "-c",
            "cd /srv && echo hello > index.html && exec python3 -u -m http.server 80")
    try:
        address = re.search(r"inet (10\.123\.\d+\.\d+)/", coracle(
            "exec", "web", "python3", "-c",
            "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('10.123.0.1', 1));"
            "print(f'inet {s.getsockname()[0]}/')").out)[1]
        eventually(lambda: "Serving HTTP" in coracle("logs", "web").out)

        def fetch(name=""):
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            return opener.open(f"http://{address}/{name}", timeout=5).read().decode()
        with start("coracle", "logs", "-f", "web", stderr=subprocess.STDOUT) as follower:
            assert fetch() == "hello\n"
            while b'"GET / HTTP/1.1" 200' not in follower.stdout.readline():
                pass
            assert on_a_terminal("coracle exec -it web sh -c 'tty; echo from-a-terminal > /srv/new'") == "/dev/pts/0\n"
            assert fetch("new") == "from-a-terminal\n"
            (tmp_path / "up").write_text("copied in\n")
            coracle("cp", tmp_path / "up", "web:/srv/")
            assert fetch("up") == "copied in\n"
            coracle("cp", "web:/srv/new", tmp_path / "down")
            assert (tmp_path / "down").read_text() == "from-a-terminal\n"
            row = coracle("stats", "--no-stream", "web").out.splitlines()[1].split()
            assert row[0] == "web" and row[1].endswith("%") and row[-1] == "1"
            coracle("pause", "web")
            with pytest.raises(TimeoutError):
                fetch()  # nobody answers
            coracle("unpause", "web")
            assert fetch() == "hello\n"
            coracle("stop", "--time", "0", "web")
            follower.stdout.read()
            assert follower.wait(30) == 0
        eventually(lambda: coracle("ps", "-a", "-q").out == "")  # --rm: its end has cleaned
    finally:
        coracle("rm", "-f", "web", code=None)


def test_database_that_is_killed(debian, tmp_path, soak):
    """Its data on a mount, under load, killed at once; nothing that it has acknowledged is lost."""
    (tmp_path / "data").mkdir()
    coracle("create", f"--mount=type=bind,src={tmp_path}/data,dst=/data,options=rbind:rw", debian, "db", "redis-server",
            "--dir", "/data", "--appendonly", "yes", "--appendfsync", "always", "--unixsocket", "/tmp/redis")
    ask = ["exec", "db", "redis-cli", "-s", "/tmp/redis"]
    last = 0
    try:
        for _ in range(soak(3, 30)):
            coracle("start", "-d", "db")
            eventually(lambda: coracle(*ask, "ping", code=None).out == "PONG\n")
            has = int(coracle(*ask, "get", "n").out.strip() or 0)
            assert has in (last, last + 1)  # one more may be there that nobody had heard of
            with start("coracle", *ask, "-r", "-1", "incr", "n") as load:
                for line in load.stdout:
                    last = int(line)
                    if last == has + 2000:
                        coracle("kill", "-s", "KILL", "db")
            assert last >= has + 2000
            assert coracle("wait", "db").out.strip() == "137"
    finally:
        coracle("rm", "-f", "db")


def test_top_in_tmux(busybox, tmp_path):
    """A full-screen program in a real terminal emulator, which is resized."""
    if not subprocess.run(["sh", "-c", "command -v tmux"], capture_output=True).stdout:
        pytest.skip("no tmux")

    def tmux(*args):
        return subprocess.run(["tmux", "-S", tmp_path / "socket", "-f", "/dev/null", *args], capture_output=True, text=True)
    try:
        tmux("new-session", "-d", "-x", "90", "-y", "20", f"coracle run --rm -it --name top {busybox} top -d 1; sleep 1000")
        eventually(lambda: re.search(r"PID +PPID +USER", tmux("capture-pane", "-p").stdout))
        assert tmux("display", "-p", "#{alternate_on}#{pane_width}").returncode == 0
        size = lambda: coracle("exec", "top", "stty", "-F", "/dev/console", "size").out.split()
        assert size() == ["20", "90"]
        tmux("resize-window", "-x", "120", "-y", "40")
        eventually(lambda: size() == ["40", "120"])
        tmux("send-keys", "q")
        eventually(lambda: coracle("ps", "-q").out == "")
    finally:
        tmux("kill-server")
        coracle("rm", "-f", "top", code=None)
