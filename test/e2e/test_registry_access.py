# SPDX-License-Identifier: Apache-2.0
"""Who we are to a registry, and by which way we get there: certificates, proxies, tokens, logins."""
import json
import os
import re
import ssl
from pathlib import Path

import pytest

from harness.cli import coracle, ctr
from harness.images import Image, entry, layer
from harness.registry import HOST, Proxy, Registry, Store, basic, certificate, needs, reply

missing = needs("openssl")
pytestmark = pytest.mark.skipif(missing, reason=f"needs {' '.join(missing)}")
NAME = "registry.test"  # what a proxy is asked for; only it knows that it is loopback
NOWHERE = "http://127.0.0.1:1"


def image():
    return Image(layer(entry("a", os.urandom(10000))), layer(entry("b", "2")))


def pull(ref, *flags, **how):
    return coracle("images", "pull", *flags, ref, **how)


def pulls(ref, *flags, **how):
    pull(ref, *flags, **how)
    assert "complete" in ctr("images", "check", f"name=={ref}").out
    coracle("images", "rm", ref)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def other_tls(tmp_path_factory):
    """Of another CA; also the clients' one."""
    return certificate(tmp_path_factory.mktemp("other"))


@pytest.fixture
def named():
    """Names for this test, in /etc/hosts."""
    hosts = Path("/etc/hosts")
    before = hosts.read_text()
    yield lambda *lines: hosts.write_text(before + "\n".join(lines) + "\n")
    hosts.write_text(before)


def folder_of(dirs, r, **files):
    folder = Path(dirs) / f"{r.host.replace(':', '_')}_"
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content if isinstance(content, str) else content.read_text())
    return folder


# --- certificates ---------------------------------------------------------------------------------

def test_client_certificate_is_wanted(tls, other_tls):
    with Registry(image(), tls=tls, client_ca=other_tls[0], tls_max=ssl.TLSVersion.TLSv1_2) as r:
        said = pull(r.ref, "--tlscacert", tls[0], code=125).err
        assert "alert" in said and "hint: perhaps it wants to see a certificate of yours: --tlscert" in said
        assert not r.log
    with Registry(image(), tls=tls, client_ca=other_tls[0]) as r:
        pulls(r.ref, "--tlscacert", tls[0], "--tlscert", other_tls[1], "--tlskey", other_tls[2])
        said = pull(r.ref, "--tlscacert", tls[0], "--tlscert", other_tls[1], "--tlskey", tls[2], code=125).err
        assert re.search("key|certificate", said) and str(other_tls[2]) not in said
        said = pull(r.ref, "--tlscert", "/nosuch.cert", code=125).err
        assert said.startswith("coracle: ") and "--tlscert: /nosuch.cert: no such file" in said


def test_docker_files_in_certs_d(tls, other_tls, tmp_path):
    """ca.crt, client.cert and client.key, as docker has them."""
    with Registry(image(), tls=tls, client_ca=other_tls[0]) as r:
        folder = folder_of(tmp_path, r, ca__crt=tls[0], client__cert=other_tls[1], client__key=other_tls[2])
        pulls(r.ref, "--hosts-dir", tmp_path)
        (folder / "client.key").unlink()
        said = pull(r.ref, "--hosts-dir", tmp_path, code=125).err
        assert f"{folder}: client.key: no such file" in said


@pytest.mark.parametrize("client", ['"both.pem"', '["both.pem"]', '[["client.pem", "client.key"]]'])
def test_client_in_hosts_toml(tls, other_tls, tmp_path, client):
    with Registry(image(), tls=tls, client_ca=other_tls[0]) as r:
        both = other_tls[1].read_text() + other_tls[2].read_text()
        folder_of(tmp_path, r, both__pem=both, client__pem=other_tls[1], client__key=other_tls[2], ca__pem=tls[0],
                  hosts__toml=f'server = "{r.url}"\nca = "ca.pem"\nclient = {client}\n')
        pulls(r.ref, "--hosts-dir", tmp_path)


@pytest.mark.parametrize("root", ["/etc/coracle/certs.d", "/etc/containerd/certs.d"])
def test_usual_folders(tls, root):
    with Registry(image(), tls=tls) as r:
        folder = folder_of(root, r, ca__crt=tls[0])
        try:
            pulls(r.ref)
        finally:
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()


@pytest.fixture
def system_ca(other_tls):
    """The system trusts the other CA."""
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    bundle.parent.mkdir(parents=True, exist_ok=True)
    before = bundle.read_text() if bundle.exists() else None
    bundle.write_text((before or "") + other_tls[0].read_text())
    yield
    bundle.write_text(before) if before is not None else bundle.unlink()


def test_own_ca_stands_beside_the_systems(tls, other_tls, tmp_path, system_ca):
    """A registry of one's own CA that sends for its blobs to where the system's CA is known."""
    img = image()
    with Registry(img, tls=other_tls) as storage:
        def behave(q):
            return "/blobs/" in q.path and reply(q, 307, b"", {"Location": storage.url + q.path})
        with Registry(img, tls=tls, behave=behave) as r:
            pulls(r.ref, "--tlscacert", tls[0])
            folder_of(tmp_path, r, hosts__toml=f'server = "{r.url}"\nca = "{tls[0]}"\n')
            pulls(r.ref, "--hosts-dir", tmp_path)
            assert storage.asked("/blobs/")
            assert "certificate" in pull(r.ref, code=125).err
            env = {"SSL_CERT_FILE": str(tls[0])}  # in place of the system's
            assert "certificate" in pull(r.ref, "--tlscacert", tls[0], code=125, env=env).err
            r.behave = None
            pulls(r.ref, env=env)  # what came of it before lies under a lease of a day


def test_only_the_registry_itself_may_speak_plainly(other_tls, system_ca):
    """On loopback http is tried where TLS isn't spoken; not because of where one was redirected."""
    img = image()
    with Registry() as plain:
        def behave(q):
            return "/blobs/" in q.path and reply(q, 307, b"", {"Location": f"https://{plain.host}{q.path}"})
        with Registry(img, tls=other_tls, behave=behave) as r:
            said = pull(r.ref, code=125).err
            assert f"GET https://{plain.host}/" in said and "wrong version number" in said
            assert all(method in ("GET", "HEAD") for method, _, _ in r.log) and not plain.asked("/")
            r.behave = None
            pulls(r.ref)


def test_our_certificate_is_for_the_registry_only(tls, other_tls):
    """Who is redirected to doesn't get to see it. (What TLS says may be lost when it hangs up.)"""
    img = image()
    with Registry(img, tls=tls, client_ca=other_tls[0]) as storage:
        def behave(q):
            return "/blobs/" in q.path and reply(q, 307, b"", {"Location": storage.url + q.path})
        with Registry(img, tls=tls, client_ca=other_tls[0], behave=behave) as r:
            flags = ("--tlscacert", tls[0], "--tlscert", other_tls[1], "--tlskey", other_tls[2])
            said = pull(r.ref, *flags, code=125).err
            assert f"GET {storage.url}/v2/test/blobs/" in said and not storage.log
            r.behave = None
            pulls(r.ref, *flags)


# --- names ----------------------------------------------------------------------------------------

def test_short_names_are_docker_hubs(tmp_path):
    """`short` is docker.io/library/short, whose folder is docker.io; a mirror is told for whom it is asked."""
    with Registry(image(), repository="library/short") as r:
        (tmp_path / "docker.io").mkdir()
        (tmp_path / "docker.io/hosts.toml").write_text(f'[host."{r.url}"]\n')
        pull("short", "--hosts-dir", tmp_path)
        assert ctr("images", "ls", "-q", "name==docker.io/library/short:latest").out
        assert all(path.endswith("?ns=docker.io") for _, path, _ in r.log) and r.log
        coracle("images", "rm", "short")


def test_a_link_local_registry_that_was_asked_for(tmp_path):
    """What a user writes down is asked, where it leads nowhere here."""
    said = pull("169.254.7.7:5000/x", code=125).err
    assert "link-local" not in said and re.search("connect|unreachable", said)


# --- proxies --------------------------------------------------------------------------------------

def wants_password(q):
    return q.headers.get("Authorization") != basic("me", "x") and reply(
        q, 401, headers={"WWW-Authenticate": "Basic realm=x"})


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_https_through_a_proxy(tls, variable):
    """By CONNECT: the proxy learns the name, and neither password nor anything else."""
    with Registry(image(), tls=tls, behave=wants_password) as r, Proxy() as proxy:
        env = {variable: proxy.url.replace("//", "//pro:xy@"), "HTTP_PROXY": NOWHERE}
        pulls(f"{NAME}:{r.port}/test:latest", "--tlscacert", tls[0], "--user", "me:x", env=env)
        assert proxy.log and {line[:2] for line in proxy.log} == {("CONNECT", f"{NAME}:{r.port}")}
        for _, _, headers in proxy.log:
            assert "Authorization" not in headers and headers["Proxy-Authorization"] == basic("pro", "xy")
        assert r.log and not any("Proxy-Authorization" in headers for _, _, headers in r.log)


def test_http_through_a_proxy():
    with Registry(image()) as r, Proxy() as proxy:
        env = {"HTTP_PROXY": proxy.url, "HTTPS_PROXY": NOWHERE}
        pulls(f"{NAME}:{r.port}/test:latest", "--plain-http", env=env)
        assert all(path.startswith(f"http://{NAME}:{r.port}/v2/") for _, path, _ in proxy.log) and proxy.log


def test_push_and_token_through_a_proxy(tls):
    """The realm is asked through it, too."""
    def token(q):
        return reply(q, 200, b'{"token": "t"}') if q.headers.get("Authorization") == basic("me", "x") else reply(q, 401)

    def wants_token(q):
        if q.headers.get("Authorization") == "Bearer t":
            return False
        q.rfile.read(int(q.headers.get("Content-Length", 0)))
        return reply(q, 401, headers={"WWW-Authenticate": f'Bearer realm="https://{NAME}:{realm.port}/token"'})

    with Store(tls=tls, behave=wants_token) as r, Registry(tls=tls, behave=token) as realm, Proxy() as proxy, \
            Registry(image()) as source:
        pull(source.ref)
        coracle("images", "push", "--tlscacert", tls[0], "--user", "me:x", f"{NAME}:{r.port}/x:1", source.ref,
                env={"HTTPS_PROXY": proxy.url})
        coracle("images", "rm", source.ref)
        assert ("x", "1") in r.names
        assert {path for _, path, _ in proxy.log} == {f"{NAME}:{r.port}", f"{NAME}:{realm.port}"}


def test_no_proxy(tls, named):
    named(f"{HOST} {NAME}")
    with Registry(image(), tls=tls) as r, Proxy() as proxy:
        ref = f"{NAME}:{r.port}/test:latest"
        for none in (NAME, ".test", f"a.b, {NAME}:{r.port}", "*"):
            pulls(ref, "--tlscacert", tls[0], env={"HTTPS_PROXY": proxy.url, "NO_PROXY": none})
        assert not proxy.log
        pulls(ref, "--tlscacert", tls[0], env={"HTTPS_PROXY": proxy.url, "no_proxy": f"{NAME}:1,x.{NAME}"})
        assert proxy.log


def test_loopback_has_no_proxy():
    with Registry(image()) as r:
        for host in (r.host, f"localhost:{r.port}"):
            pulls(f"{host}/test:latest", "--plain-http", env={
                "HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "http_proxy": NOWHERE, "ALL_PROXY": NOWHERE})


@pytest.mark.parametrize("refuse, times", [(407, 1), (403, 1), (502, 5)])
def test_a_proxy_that_refuses(tls, refuse, times):
    """It is asked again only where that may help."""
    with Proxy(refuse=refuse) as proxy:
        said = pull(f"{NAME}:9/test:latest", "--tlscacert", tls[0], code=125,
                    env={"HTTPS_PROXY": proxy.url.replace("//", "//pro:xy@")}).err
        assert f"response {refuse}" in said and "pro:xy" not in said and len(proxy.log) == times
        assert ("hint: the proxy wants a login" in said) == (refuse == 407)


def test_a_proxy_that_is_not_there(tls):
    said = pull(f"{NAME}:9/test:latest", code=125, env={"HTTPS_PROXY": NOWHERE}).err
    assert "connect" in said.lower() and len(said.splitlines()) <= 2


@pytest.mark.parametrize("where", ["http://0xa9fea9fe/latest", "http://[::ffff:a9fe:a9fe]/", "http://2852039166/"])
def test_link_local_is_not_asked_through_a_proxy(where):
    """It might itself stand where such addresses lead somewhere."""
    def behave(q):
        return "/blobs/" in q.path and reply(q, 307, b"", {"Location": where})
    with Registry(image(), behave=behave) as r, Proxy() as proxy:
        said = pull(f"{NAME}:{r.port}/test:latest", "--plain-http", code=125, env={"HTTP_PROXY": proxy.url}).err
        assert "link-local" in said
        assert all(NAME in path for _, path, _ in proxy.log)


def test_a_name_of_link_local_past_the_proxy(named):
    """NO_PROXY sends us there ourselves: then what the name stands for is looked at."""
    named("169.254.169.254 metadata.test")

    def behave(q):
        return "/blobs/" in q.path and reply(q, 307, b"", {"Location": "http://metadata.test/latest"})
    with Registry(image(), behave=behave) as r, Proxy() as proxy:
        said = pull(f"{NAME}:{r.port}/test:latest", "--plain-http", code=125,
                    env={"HTTP_PROXY": proxy.url, "NO_PROXY": "metadata.test"}).err
        assert "link-local" in said
        assert all(NAME in path for _, path, _ in proxy.log)


# --- tokens and logins ----------------------------------------------------------------------------

def token_server(q):
    """Gives a token for the identity token `again` alone."""
    if q.command == "POST" and "refresh_token=again" in q.rfile.read(int(q.headers["Content-Length"])).decode():
        return reply(q, 200, b'{"access_token": "sesame"}')
    return reply(q, 401)


def test_identity_tokens(tls, tmp_path):
    """From config.json, and from a helper that says "<token>" for the user."""
    def behave(q):
        return q.headers.get("Authorization") != "Bearer sesame" and reply(q, 401, headers={
            "WWW-Authenticate": f'Bearer realm="{realm.url}/token",service="x"'})

    helper = tmp_path / "docker-credential-box"
    helper.write_text('#!/bin/sh\ncat >/dev/null\necho \'{"Username": "<token>", "Secret": "again"}\'\n')
    helper.chmod(0o755)
    env = {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with Registry(tls=tls, behave=token_server) as realm, Registry(image(), tls=tls, behave=behave) as r:
        for config in ({"auths": {r.host: {"identitytoken": "again"}}}, {"credsStore": "box"},
                       {"credHelpers": {r.host: "box"}}):
            (tmp_path / "config.json").write_text(json.dumps(config))
            realm.log.clear()
            pulls(r.ref, "--tlscacert", tls[0], env=env)
            assert realm.asked("/token")
        coracle("logout", r.host, env={"DOCKER_CONFIG": str(tmp_path / "none")}, code=125)


def test_helpers_that_fail(tls, tmp_path):
    """One that isn't there, says nonsense, says too much, doesn't know: never a login by accident."""
    env = {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    (tmp_path / "config.json").write_text('{"credsStore": "box"}')
    with Registry(image(), tls=tls) as r:
        flags = ("--tlscacert", tls[0])
        said = pull(r.ref, *flags, env=env, code=125).err
        assert "docker-credential-box: not found in $PATH" in said and "hint: docker's config.json names it" in said
        helper = tmp_path / "docker-credential-box"
        for script, says in (("echo '<html>'", "credential helper box"),
                             ("yes | head -c 200000", "docker-credential-box"),
                             ("echo '{\"Username\": 1, \"Secret\": 2}'", "credential helper box")):
            helper.write_text(f"#!/bin/sh\ncat >/dev/null\n{script}\n")
            helper.chmod(0o755)
            assert says in pull(r.ref, *flags, env=env, code=125).err
        helper.write_text("#!/bin/sh\ncat >/dev/null\necho 'credentials not found in native keychain'\nexit 1\n")
        pulls(r.ref, *flags, env=env)
        assert not any("Authorization" in headers for _, _, headers in r.log)


def test_login_where_docker_keeps_it(tls, tmp_path):
    """Without $DOCKER_CONFIG in ~/.docker, for the owner alone; what else stands there stays."""
    env = {"HOME": str(tmp_path)}
    with Registry(tls=tls, behave=wants_password) as r:
        said = coracle("login", "--tlscacert", tls[0], "-u", "me", "--password-stdin", r.host, env=env, stdin="no\n",
                       code=125).err
        assert "401" in said and not (tmp_path / ".docker").exists()
        coracle("login", "--tlscacert", tls[0], "-u", "me", "--password-stdin", r.host, env=env, stdin="x\n")
        config = tmp_path / ".docker/config.json"
        assert config.stat().st_mode & 0o777 == 0o600 and config.parent.stat().st_mode & 0o777 == 0o700
        assert json.loads(config.read_text()) == {"auths": {r.host: {"auth": basic("me", "x").split()[1]}}}
        r.add(image())
        pulls(r.ref, "--tlscacert", tls[0], env=env)
        coracle("logout", r.host, env=env)
        assert json.loads(config.read_text()) == {"auths": {}}
        assert "401 Unauthorized" in pull(r.ref, "--tlscacert", tls[0], env=env, code=125).err


def test_signatures_of_redirects_are_not_told():
    """A registry sends for its blobs to URLs that open the door to whoever has them."""
    img = image()

    def storage(q):
        return reply(q, 403)
    with Registry(img, behave=storage) as s3:
        def behave(q):
            return "/blobs/" in q.path and reply(q, 307, b"", {"Location": f"{s3.url}/blob?X-Signature=53cr3t"})
        with Registry(img, behave=behave) as r:
            done = coracle("--debug", "images", "pull", "--plain-http", r.ref, code=125)
            assert s3.asked("53cr3t") and f"GET {s3.url}/blob?...: 403 Forbidden" in done.err
            assert "53cr3t" not in done.err
            r.behave = None
            pulls(r.ref, "--plain-http")


def test_an_upload_elsewhere_takes_no_password():
    """A registry may send uploads to another host; who we are is not for that one."""
    with Store() as thief:
        def behave(q):
            if q.headers.get("Authorization") != basic("me", "x"):
                q.rfile.read(int(q.headers.get("Content-Length", 0)))
                return reply(q, 401, headers={"WWW-Authenticate": "Basic realm=x"})
            return q.command == "POST" and reply(
                q, 202, headers={"Location": f"{thief.url}/v2/x/blobs/uploads/0"})
        thief.has["x"] = set()
        thief.uploads["0"] = b""
        with Store(behave=behave) as r, Registry(image()) as source:
            pull(source.ref)
            coracle("images", "push", "--plain-http", "--user", "me:x", f"{r.host}/x:1", source.ref, code=125)
            coracle("images", "rm", source.ref)
            assert thief.log and not any("Authorization" in headers for _, _, headers in thief.log)
