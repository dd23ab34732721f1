# SPDX-License-Identifier: Apache-2.0
"""--http-dump and --http-trace: what is asked and answered, on standard error, without what opens a door."""
import re

import pytest

from harness.cli import coracle, ctr
from harness.images import OCI, Image, entry, layer
from harness.registry import Proxy, Registry, basic, needs, reply

SECRET = "5ecret-of-mine"
missing = needs("openssl")


def image():
    return Image(layer(entry("a", "1")), layer(entry("b", "2")), compress="gzip")


def pull(r, *flags, env=None, code=0):
    said = coracle("images", "pull", "--plain-http", *flags, r.ref, env=env, code=code)
    coracle("images", "rm", r.ref, code=None)
    coracle("gc")
    return said


def exchanges(text):
    """{number: [what was told of it]}, without the time of the step."""
    found = {}
    for number, line in re.findall(r"\[(\d+)\] ([<>=] .*)$", text, re.MULTILINE):
        found.setdefault(int(number), []).append(line)
    return found


@pytest.mark.quick
def test_dump():
    img = image()
    with Registry(img) as r:
        said = pull(r, "--http-dump")
        assert said.out == f"{r.ref:40}\tsaved\t\n"
        told = exchanges(said.err)
        # Each question has its answer, and there are as many as came to the registry.
        assert len(told) == len(r.log) and all([line[0] for line in lines] == [">", "<"] for lines in told.values())
        asked = sorted(re.match(r"> (\S+) (\S+) HTTP/1.1 ", lines[0]).groups() for lines in told.values())
        assert asked == sorted((method, path) for method, path, _ in r.log)
        assert all(f" | Host: {r.host} | " in lines[0] and "User-Agent: coracle/" in lines[0] for lines in told.values())
        manifest = next(lines for lines in told.values() if f"GET /v2/test/manifests/{img.target}" in lines[0])
        assert f"Accept: {OCI}manifest.v1+json" in manifest[0] or "application/vnd.oci.image" in manifest[0]
        assert manifest[1].startswith("< HTTP/1.1 200 OK | ") and f"Docker-Content-Digest: {img.target}" in manifest[1]
        assert "schemaVersion" not in said.err  # no bodies
        assert not exchanges(pull(r).err) and not exchanges(pull(r, "--http-dump=false").err)


def test_trace():
    with Registry(image()) as r:
        told = exchanges(pull(r, "--http-trace").err)
        assert len(told) == len(r.log)
        for (line,) in told.values():
            assert re.fullmatch(rf"= (GET|HEAD) {r.url}/v2/\S+: 200 from 127.0.0.1 port {r.port}, "
                                r"a (new connection|connection used before); ms: name [\d.]+, connected [\d.]+, "
                                r"TLS 0.0, asked [\d.]+, first byte [\d.]+, all [\d.]+; \d+ bytes", line), line
        assert sum("a new connection" in line for (line,) in told.values()) < len(told)


def test_trace_of_nobody():
    said = ctr("images", "pull", "--plain-http", "--http-trace", "127.0.0.1:1/test:latest", code=1)
    assert re.search(r"\[1\] = HEAD http://127.0.0.1:1/v2/test/manifests/latest: 0 from nobody port 0", said.err)


def test_login_and_token_are_not_shown():
    img = image()

    def challenge(request):
        if request.path.startswith("/token"):
            return reply(request, 200, f'{{"token": "{SECRET}-token"}}'.encode())
        if request.headers.get("Authorization") == f"Bearer {SECRET}-token":
            return False
        return reply(request, 401, headers={
            "WWW-Authenticate": f'Bearer realm="{r.url}/token",service="s",scope="repository:test:pull"'})

    with Registry(img, behave=challenge) as r:
        said = pull(r, "--http-dump", "--http-trace")
    assert SECRET not in said.err and "Authorization: Bearer [not shown]" in said.err
    assert 'scope="repository:test:pull"' in said.err
    assert "> GET /token?... HTTP/1.1" in said.err

    def ask(request):
        if request.headers.get("Authorization") == basic("me", SECRET):
            return False
        return reply(request, 401, headers={"WWW-Authenticate": 'Basic realm="x"', "Set-Cookie": f"s={SECRET}"})

    with Registry(img, behave=ask) as r:
        said = pull(r, "--http-dump", "--http-trace", "--user", f"me:{SECRET}")
        wrong = pull(r, "--http-dump", "--user", f"me:{SECRET}x", code=125)
    for one, secret in ((said, SECRET), (wrong, SECRET + "x")):
        assert SECRET not in one.err and basic("me", secret).split()[1] not in one.err
        assert "Authorization: Basic [not shown]" in one.err and "Set-Cookie: [not shown]" in one.err


def test_signatures_of_redirects_are_not_shown():
    img = image()

    def send_on(request):
        if "/blobs/" not in request.path or "X-Sig" in request.path:
            return False
        return reply(request, 307, headers={"Location": f"{r.url}{request.path}?X-Sig={SECRET}&b=1"})

    with Registry(img, behave=send_on) as r:
        said = pull(r, "--http-dump", "--http-trace")
    assert SECRET not in said.err and "?... HTTP/1.1" in said.err
    assert re.search(r"Location: http://\S+/blobs/sha256:[0-9a-f]{64}\?\.\.\.", said.err)


def test_own_headers_and_proxies_are_not_shown(tmp_path):
    with Registry(image()) as r:
        folder = tmp_path / r.host
        folder.mkdir()
        (folder / "hosts.toml").write_text(f'[host."{r.url}".header]\nX-Mine = "{SECRET} and more"\n')
        said = pull(r, "--http-dump", "--http-trace", "--hosts-dir", tmp_path)
        assert any(headers.get("X-Mine") == f"{SECRET} and more" for _, _, headers in r.log)
        assert SECRET not in said.err and "X-Mine: [not shown]" in said.err
    with Registry(image()) as r, Proxy() as proxy:
        ref = f"registry.example:{r.port}/test:latest"
        said = coracle("images", "pull", "--plain-http", "--http-dump", "--http-trace", ref,
                       env={"HTTP_PROXY": proxy.url.replace("//", f"//me:{SECRET}@")})
        coracle("images", "rm", ref)
        coracle("gc")
        assert any("Proxy-Authorization" in headers for _, _, headers in proxy.log)
        assert SECRET not in said.err and basic("me", SECRET).split()[1] not in said.err
        assert "Proxy-Authorization: Basic [not shown]" in said.err


def test_what_a_registry_sends_is_no_terminal_command():
    def escape(request):
        if request.command == "HEAD":
            return False
        return reply(request, 500, b"", {"X-Bad": "\x1b[2J\x07", "X-Long": "y" * 30000})

    with Registry(image(), behave=escape) as r:
        said = pull(r, "--http-dump", code=125)
    assert "\x1b" not in said.err and "\x07" not in said.err and "X-Bad: .[2J." in said.err
    assert max(map(len, said.err.splitlines())) < 2500


def test_push_and_objects():
    img = image()
    with Registry(img) as r:
        said = coracle("content", "fetch-object", "--plain-http", "--http-dump", r.ref)
        assert said.out.encode() == img.blobs[img.target] and len(exchanges(said.err)) == len(r.log)


@pytest.mark.skipif(missing, reason=f"needs {' '.join(missing)}")
def test_login():
    def ask(request):
        if request.headers.get("Authorization") == basic("me", SECRET):
            return False
        return reply(request, 401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    with Registry(image(), behave=ask) as r:
        said = coracle("login", "--http-dump", "--plain-http", "--user", f"me:{SECRET}x", r.host, code=125)
        assert "> GET /v2/ HTTP/1.1" in said.err and "Authorization: Basic [not shown]" in said.err
        assert basic("me", SECRET + "x").split()[1] not in said.err and SECRET not in said.err


# --- what breaking it has found -------------------------------------------------------------------

@pytest.mark.parametrize("query", ['?x="b"&sig=', "?x=b>c&sig=", "#sig="])
def test_odd_queries(query):
    img = image()

    def send_on(request):
        if "/blobs/" not in request.path or "sig" in request.path or "?x" in request.path:
            return False
        return reply(request, 307, headers={"Location": f"{r.url}{request.path}{query}{SECRET}"})

    with Registry(img, behave=send_on) as r:
        said = pull(r, "--http-dump", "--http-trace", code=None).err
        assert SECRET not in said and "< HTTP/1.1 307" in said and "/blobs/" in said


def test_redirects_that_are_refused_are_told_without_their_secrets():
    for location in (f"http://u:{SECRET}/x@h/y", f"http://u:a?{SECRET}@h/", f"ftp://h/x?{SECRET}", f"http://h^/x?{SECRET}", f"http://u:{SECRET}@h/x", f"ftp://u:{SECRET}@h/"):
        with Registry(image(), behave=lambda request: "/blobs/" in request.path and reply(
                request, 307, headers={"Location": location})) as r:
            said = pull(r, code=125).err
            assert SECRET not in said and "redirect" in said


def test_long_heads_are_one_head(tmp_path):
    """curl tells of a head in pieces when it doesn't go out at once."""
    with Registry(image()) as r:
        folder = tmp_path / r.host
        folder.mkdir()
        headers = "".join(f'"X-{i}" = "{"y" * 1000}{SECRET}"\n' for i in range(60))
        (folder / "hosts.toml").write_text(f'[host."{r.url}".header]\n{headers}"User-Agent" = "{SECRET}"\n')
        said = pull(r, "--http-dump", "--hosts-dir", tmp_path, code=None)
        assert SECRET not in said.err and "yyy" not in said.err
        assert said.err.count("> HEAD /v2/test/manifests/latest HTTP/1.1") == 1


@pytest.mark.parametrize("proxy", ["http://me:" + "z" * 230 + "{}@proxy:x", "http://me:{}pa/ss@127.0.0.1:1", "foo://me:{}@127.0.0.1:1", "http://me:{}@127.0.0.1:x"])
def test_a_proxys_password_is_in_no_error(proxy):
    said = coracle("images", "pull", "--plain-http", "--http-dump", "registry.example:1/x:y", code=125,
                   env={"HTTP_PROXY": proxy.format(SECRET)})
    assert SECRET not in said.err and "zzz" not in said.err and "HTTP_PROXY" in said.err


def test_a_proxy_without_a_password_is_named():
    """What curl says of it helps, and hides nothing."""
    said = coracle("images", "pull", "--plain-http", "registry.example:1/x:y", code=125,
                   env={"HTTP_PROXY": "127.0.0.1"}).err
    assert "Failed to connect to 127.0.0.1" in said and "isn't http://" not in said


def test_each_answer_has_its_line():
    """Of 1xx, too; and what came of one that is refused."""
    def early(request):
        if request.command != "GET":
            return False
        request.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        return False

    with Registry(image(), behave=early) as r:
        said = pull(r, "--http-dump").err
        assert "< HTTP/1.1 103 Early Hints | Link: </x>\n" in said and "< HTTP/1.1 200 OK | " in said

    def nonsense(request):
        request.wfile.write(b"HTTP/1.1 200 OK\r\nServer: mine\r\nWWW-Authenticate: Basic realm=\"\r\n\r\n")
        request.close_connection = True
        return True

    with Registry(image(), behave=nonsense) as r:
        assert "< HTTP/1.1 200 OK | Server: mine" in pull(r, "--http-dump", code=125).err
