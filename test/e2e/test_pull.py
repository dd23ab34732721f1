# SPDX-License-Identifier: Apache-2.0
"""Images from honest registries, on loopback: Debian's docker-registry over http and https, with
passwords and tokens, and one in this process that counts."""
import json
import os
import random
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from harness import cli
from harness.cli import coracle, ctr
from harness.images import (OCI, Image, busybox_layer, describe_tree, digest, entry, layer, mounted,
                            tree_differences)
from harness.registry import (Registry, basic, certificate, docker_registry, needs, reply,
                              skopeo_copy, trickle)

missing = needs("docker-registry", "htpasswd", "skopeo", "umoci", "openssl")
debian_registry = pytest.mark.skipif(missing, reason=f"needs {' '.join(missing)}")


def image(n=3, size=100_000, **how):
    rng = random.Random(n)
    return Image(*(layer(entry(f"d{i}/"), entry(f"d{i}/f", rng.randbytes(size))) for i in range(n)), **how)


def pull(ref, *flags, **how):
    return coracle("images", "pull", *flags, ref, **how)


def remove(ref):
    coracle("images", "rm", ref)


@pytest.fixture
def tls(tmp_path):
    folder = tmp_path / "tls"
    folder.mkdir()
    return certificate(folder)


# --- docker-registry ------------------------------------------------------------------------------

@debian_registry
@pytest.mark.quick
def test_the_same_tree_as_umoci(tmp_path, cache):
    with docker_registry(tmp_path) as host:
        ref = f"{host}/library/busybox:latest"
        skopeo_copy(f"oci-archive:{cache}/busybox.tar", f"docker://{ref}")
        pull(ref)  # loopback: no TLS, so http
        try:
            assert "complete" in ctr("images", "check", f"name=={ref}").out
            skopeo_copy(f"docker://{ref}", f"oci:{tmp_path}/layout:latest", "--src-tls-verify=false")
            subprocess.run(["umoci", "unpack", "--image", f"{tmp_path}/layout:latest",
                            tmp_path / "bundle"], check=True, capture_output=True)
            with mounted(ref, tmp_path / "m") as root:
                assert not tree_differences(describe_tree(tmp_path / "bundle/rootfs"), describe_tree(root))
            assert coracle("run", "--rm", ref, "pulled", "echo", "hello").out == "hello\n"
        finally:
            remove(ref)


@debian_registry
def test_plain_http_and_docker_schema(tmp_path, cache):
    with docker_registry(tmp_path) as host:
        ref = f"{host}/a/b/c:1.0"
        skopeo_copy(f"oci-archive:{cache}/busybox.tar", f"docker://{ref}", "--format", "v2s2")
        pull(ref, "--plain-http")
        remove(ref)


@debian_registry
def test_https_with_a_ca_of_its_own(tmp_path, tls, cache):
    with docker_registry(tmp_path, tls=tls) as host:
        ref = f"{host}/busybox:latest"
        skopeo_copy(f"oci-archive:{cache}/busybox.tar", f"docker://{ref}")
        said = pull(ref, code=125).err
        assert "certificate" in said and "hint: --tlscacert" in said
        assert "http://" not in said  # never after a certificate error
        for flags in (["--tlscacert", tls[0]], ["-k"], ["--skip-verify"]):
            pull(ref, *flags)
            remove(ref)
        folder = tmp_path / "hosts" / f"{host.replace(':', '_')}_"
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(tls[0].read_bytes())
        pull(ref, "--hosts-dir", tmp_path / "hosts")
        remove(ref)
        (folder / "hosts.toml").write_text(f'server = "https://{host}"\nca = "{tls[0]}"\n')
        pull(ref, "--hosts-dir", tmp_path / "hosts")
        remove(ref)


@debian_registry
def test_password(tmp_path, tls, cache):
    with docker_registry(tmp_path, tls=tls, htpasswd=("me", "s3cret:x")) as host:
        ref = f"{host}/busybox:latest"
        skopeo_copy(f"oci-archive:{cache}/busybox.tar", f"docker://{ref}", "--dest-creds", "me:s3cret:x")
        assert "hint: " in pull(ref, "-k", code=125).err
        assert "401 Unauthorized" in pull(ref, "-k", "--user", "me:wrong", code=125).err
        pull(ref, "-k", "--user", "me:s3cret:x")
        remove(ref)
        config = tmp_path / "docker"
        config.mkdir()
        auths = {"auths": {host: {"auth": basic("me", "s3cret:x").split()[1]}}}
        (config / "config.json").write_text(json.dumps(auths))
        pull(ref, "-k", env={"DOCKER_CONFIG": str(config)})
        remove(ref)
        helper = tmp_path / "docker-credential-test"
        helper.write_text(f"""#!/bin/sh
read server && test "$1 $server" = "get {host}" || exit 1
echo '{{"ServerURL": "{host}", "Username": "me", "Secret": "s3cret:x"}}'
""".replace("read server", "server=$(cat)"))
        helper.chmod(0o755)
        (config / "config.json").write_text(json.dumps({"credHelpers": {host: "test"}}))
        pull(ref, "-k", env={"DOCKER_CONFIG": str(config), "PATH": f"{tmp_path}:{os.environ['PATH']}"})
        remove(ref)


# --- tokens ---------------------------------------------------------------------------------------

class TokenServer(Registry):
    """The realm: gives `token` to whom says `wanted` (None: anybody)."""

    def __init__(self, wanted, **how):
        super().__init__(behave=self.give, **how)
        self.wanted = wanted

    def give(self, request):
        if self.wanted and request.headers.get("Authorization") != self.wanted:
            return reply(request, 401)
        if request.command == "POST":
            body = request.rfile.read(int(request.headers["Content-Length"])).decode()
            if "refresh_token=again" not in body:
                return reply(request, 401)
            return reply(request, 200, b'{"access_token": "sesame"}')
        return reply(request, 200, b'{"token": "sesame"}')


def wants_token(realm):
    def behave(request):
        if request.headers.get("Authorization") == "Bearer sesame":
            return False
        return reply(request, 401, headers={
            "WWW-Authenticate": f'Bearer realm="{realm.url}/token",service="test"'})
    return behave


@pytest.mark.parametrize("flags, wanted", [
    ([], None), (["--user", "me:x"], basic("me", "x")), (["--refresh", "again"], None)])
def test_token(tls, flags, wanted):
    with TokenServer(wanted, tls=tls) as realm, Registry(image(), tls=tls, behave=wants_token(realm)) as r:
        pull(r.ref, "--tlscacert", tls[0], *flags)
        remove(r.ref)
        assert all("service=test" in path or method == "POST" for method, path, _ in realm.log)
        assert any("scope=repository%3Atest%3Apull" in path for _, path, _ in realm.log) or "--refresh" in flags


# --- what is asked for, and how often ---------------------------------------------------------------

@pytest.mark.quick
def test_nothing_is_fetched_twice():
    with Registry(image()) as r:
        pull(r.ref, "--plain-http")
        sent = dict(r.sent)
        assert all(n == len(r.blobs[d]) for d, n in sent.items()) and len(sent) == 5
        pull(r.ref, "--plain-http")
        assert r.sent == sent
        remove(r.ref)


def test_a_second_image_costs_what_differs():
    first = image(3)
    second = Image(*first.layers, layer(entry("new", "1")))
    with Registry(first) as r:
        pull(r.ref, "--plain-http")
        r.add(second, "second")
        r.sent.clear()
        pull(f"{r.host}/test:second", "--plain-http")
        new = set(second.blobs) - set(first.blobs)
        assert set(r.sent) == new
        remove(r.ref)
        remove(f"{r.host}/test:second")


def platforms_index(r, *names):
    entries = []
    for name in names:
        os_name, _, architecture = name.partition("/")
        one = Image(layer(entry(architecture, name)))
        one.config["architecture"], one.config["os"] = architecture, os_name
        one.seal()
        r.blobs.update(one.blobs)
        r.types[one.target] = OCI + "manifest.v1+json"
        entries.append({**one.index["manifests"][0], "platform": {"os": os_name, "architecture": architecture}})
        entries[-1].pop("annotations")
    return r.add_document({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": entries},
                          OCI + "index.v1+json", "latest")


def platforms_of(ref):
    """The column, not the line: a port or a digest may hold any digits."""
    rows = [line.split() for line in ctr("images", "ls").out.splitlines()]
    return next(row[-2].split(",") for row in rows if row[0] == ref)


def test_platforms(tmp_path):
    with Registry() as r:
        platforms_index(r, "linux/amd64", "linux/386", "linux/arm64", "windows/amd64")
        pull(r.ref, "--plain-http", "--platform", "linux/amd64")
        assert platforms_of(r.ref) == ["linux/amd64"]
        with mounted(r.ref, tmp_path / "m") as root:
            assert (root / "amd64").read_text() == "linux/amd64"
        pull(r.ref, "--plain-http", "--all-platforms")
        assert sorted(platforms_of(r.ref)) == ["linux/386", "linux/amd64", "linux/arm64", "windows/amd64"]
        remove(r.ref)
        said = pull(r.ref, "--plain-http", "--platform", "linux/s390x", code=125).err
        assert "no match for platform in manifest: linux/s390x" in said


@pytest.mark.parametrize("compress", [None, "gzip", "zstd"])
def test_forms_of_layers(tmp_path, compress):
    img = image(2, compress=compress)
    with Registry(img) as r:
        pull(r.ref, "--plain-http", "--local")  # ctr's flag, which means nothing here
        with mounted(r.ref, tmp_path / "m") as root:
            assert (root / "d1/f").stat().st_size == 100_000
        assert sorted(r.sent) == sorted(img.blobs)
        remove(r.ref)


@pytest.mark.parametrize("flags, most", [(["--max-concurrent-downloads", "1"], 1), ([], 3),
                                         (["--max-concurrent-downloads", "6"], 6)])
def test_so_many_at_once(flags, most):
    """Counted at the registry: never more blobs at once than was said, and so many where there are more."""
    img, lock, now, seen = image(9, size=5000), threading.Lock(), [0], [0]

    def behave(request):
        if "/blobs/" not in request.path or r.blobs[request.path.rsplit("/", 1)[-1]] not in img.packed:
            return False
        with lock:
            now[0] += 1
            seen[0] = max(seen[0], now[0])
        deadline = time.monotonic() + 0.5  # or until as many are here as may be
        while seen[0] < most and time.monotonic() < deadline:
            time.sleep(0.005)
        with lock:
            now[0] -= 1
        return False

    with Registry(img, behave=behave) as r:
        pull(r.ref, "--plain-http", *flags)
        remove(r.ref)
    assert seen[0] == most


def test_mirror_then_registry(tmp_path):
    """A mirror without the manifest, one that breaks in the middle, then the registry."""
    img = image()

    def breaks(request):
        return "/blobs/" in request.path and reply(request, 500)

    with Registry() as empty, Registry(img, behave=breaks) as broken, Registry(img) as r:
        folder = tmp_path / f"{r.host.replace(':', '_')}_"
        folder.mkdir()
        (folder / "hosts.toml").write_text(
            f'server = "{r.url}"\n[host."{empty.url}"]\n[host."{broken.url}"]\n'
            f'capabilities = ["pull", "resolve"]\n[host."{broken.url}".header]\nx-test = ["yes"]\n')
        pull(r.ref, "--hosts-dir", tmp_path)
        assert empty.asked("manifests") and broken.asked("manifests") and broken.asked("blobs")
        assert f"?ns=127.0.0.1%3A{r.port}" in broken.log[0][1] or f"?ns={r.host}" in broken.log[0][1]
        assert broken.log[0][2]["x-test"] == "yes" and not any("x-test" in h for _, _, h in r.log)
        assert r.asked("blobs") and not r.asked("manifests")
        remove(r.ref)


def test_foreign_layer_by_its_urls():
    img = image(1)
    with Registry() as elsewhere:
        data = img.packed[0]
        elsewhere.blobs[digest(data)] = data
        img.manifest["layers"][0].update(
            mediaType=OCI + "layer.nondistributable.v1.tar",
            urls=[f"{elsewhere.url}/v2/test/blobs/{digest(data)}"])
        img.seal_manifest()
        with Registry(img) as r:
            del r.blobs[digest(data)]
            pull(r.ref, "--plain-http", "--user", "me:secret")
            assert not any("Authorization" in headers for _, _, headers in elsewhere.log)
            remove(r.ref)


def test_run_pulls_what_is_missing():
    busybox = Image(busybox_layer())
    with Registry(busybox) as r:
        never = coracle("run", "--rm", "--pull", "never", r.ref, "p", "true", code=125)
        assert never.err.startswith(f'coracle: image "{r.ref}": not found\n') and not r.log
        assert ctr("run", "--rm", r.ref, "p", "true", code=1).err.startswith(f'ctr: image "{r.ref}": not found')
        assert not r.log
        assert coracle("run", "--rm", r.ref, "p", "echo", "1").out == "1\n"
        asked = len(r.log)
        assert coracle("run", "--rm", r.ref, "p", "echo", "2").out == "2\n" and len(r.log) == asked
        coracle("run", "--rm", "--pull", "always", r.ref, "p", "true")
        assert len(r.log) == asked + 1  # HEAD
        remove(r.ref)
        assert "not found" in coracle("create", "--pull", "never", r.ref, "c", "true", code=125).err
        assert "not found" in ctr("containers", "create", r.ref, "c", "true", code=1).err  # as ctr never
        coracle("create", r.ref, "c", "true")
        coracle("containers", "rm", "c")
        coracle("create", "--pull", "always", r.ref, "c", "true")
        coracle("containers", "rm", "c")
        remove(r.ref)
        coracle("create", "--pull", "sometimes", r.ref, "c", "true", code=2)
        coracle("run", "--pull", "sometimes", r.ref, "p", "true", code=2)
        said = coracle("run", "--rm", r.ref.replace("test:", "nosuch:"), "p", "true", code=125).err
        assert "not found; pull" in said and "404 Not Found" in said


# --- interrupted ------------------------------------------------------------------------------------

class Slowly:
    """What trickle() counts by."""

    blobs, sent = {}, 0


def test_kill_and_go_on(tmp_path, soak):
    """Killed at random moments until it is through: what came isn't asked for again."""
    img = image(2, size=4 << 20)
    whole, slowly, rng, kills = sum(map(len, img.packed)), Slowly(), random.Random(7), 0
    with Registry(img, behave=trickle(slowly)) as r:
        slowly.blobs = r.blobs
        while kills < soak(6, 50):
            slowly.sent, before, through = 0, kills, False
            while not through:
                command = cli.start("coracle", "images", "pull", "--plain-http", r.ref)
                try:
                    assert command.wait(rng.uniform(0.05, 0.4)) == 0
                    through = True
                except subprocess.TimeoutExpired:
                    command.send_signal(signal.SIGKILL)
                    command.wait()
                    kills += 1
                command.stdout.close()
                command.stderr.close()
            # What was under way in sockets at a kill is lost: some pieces each time.
            assert slowly.sent < whole + (kills - before) * (6 << 20)
            assert "complete" in ctr("images", "check", f"name=={r.ref}").out
            with mounted(r.ref, tmp_path / "m") as root:
                assert (root / "d1/f").stat().st_size == 4 << 20
            remove(r.ref)
            coracle("gc")


@pytest.mark.parametrize("n", [2, 12])
def test_at_once_they_share_the_work(n):
    img = image(3, size=1 << 20)
    slowly = Slowly()
    with Registry(img, behave=trickle(slowly)) as r:
        slowly.blobs = r.blobs
        all_of_them = [cli.start("coracle", "images", "pull", "--plain-http", r.ref) for _ in range(n)]
        said = [command.communicate(timeout=60) for command in all_of_them]
        assert [command.returncode for command in all_of_them] == [0] * n, said
        remove(r.ref)
    assert slowly.sent == sum(map(len, img.packed))


# --- what is linked -------------------------------------------------------------------------------

def test_who_links_what():
    def needed(program):
        out = subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True).stdout
        return set(re.findall(r"\[(lib\w+)[-.0-9]*\.so", out))

    libexec = Path("/usr/local/libexec/coracle")
    network = {"libcurl", "libssl", "libnghttp2"}
    assert needed("/usr/local/bin/coracle") <= {"libc", "libm"}  # none, but for coverage
    assert not needed(libexec / "coracle-transfer") & network
    assert "libisal" not in needed(libexec / "coracle-fetch")


# --- pushed -----------------------------------------------------------------------------------------

def push(remote, *args, **how):
    return coracle("images", "push", *args, remote, **how)


def skopeo_inspect(ref):
    done = subprocess.run(["skopeo", "inspect", "--tls-verify=false", f"docker://{ref}"],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@debian_registry
@pytest.mark.quick
def test_push(tmp_path, busybox):
    with docker_registry(tmp_path) as host:
        ref = f"{host}/my/busybox:1"
        assert push(ref, code=125).err.startswith(f'coracle: image "{ref}": not found')
        coracle("images", "push", ref, busybox)
        coracle("images", "push", ref, busybox)  # again: nothing to do
        here = ctr("images", "ls", "name==docker.io/library/busybox:latest").out.splitlines()[1].split()
        assert skopeo_inspect(ref)["Digest"] == here[2]
        # Into another repository of it, from where it is.
        pull(ref)
        coracle("images", "push", f"{host}/other:2", ref)
        assert skopeo_inspect(f"{host}/other:2")["Digest"] == here[2]
        log = (tmp_path / "registry.log").read_text()
        assert "mount=sha256" in log and "from=my%2Fbusybox" in log
        remove(ref)
        coracle("run", "--rm", f"{host}/other:2", "pushed", "true")
        remove(f"{host}/other:2")


@debian_registry
def test_push_https_password_large(tmp_path, tls):
    """Above 32 MiB a blob goes in chunks."""
    img = image(2, size=40 << 20, name="docker.io/library/large:1")
    img.oci(tmp_path / "large.tar")
    with docker_registry(tmp_path, tls=tls, htpasswd=("me", "x")) as host:
        coracle("images", "import", tmp_path / "large.tar")
        said = coracle("images", "push", "-k", f"{host}/large:1", "large:1", code=125).err
        assert "401 Unauthorized" in said and "hint: " in said
        coracle("images", "push", "--tlscacert", tls[0], "--user", "me:x", f"{host}/large:1", "large:1")
        remove("large:1")
        pull(f"{host}/large:1", "-k", "--user", "me:x")
        assert "PATCH" in (tmp_path / "registry.log").read_text()
        remove(f"{host}/large:1")


@debian_registry
def test_push_of_an_index(tmp_path):
    with docker_registry(tmp_path) as host, Registry() as r:
        platforms_index(r, "linux/amd64", "linux/arm64")
        pull(r.ref, "--plain-http", "--platform", "linux/amd64")
        said = coracle("images", "push", f"{host}/two:1", r.ref, code=125).err
        assert "not found" in said and "--platform OS/ARCH" in said
        coracle("images", "push", "--platform", "linux/amd64", f"{host}/one:1", r.ref)
        assert skopeo_inspect(f"{host}/one:1")["Architecture"] == "amd64"
        pull(r.ref, "--plain-http", "--all-platforms")
        coracle("images", "push", f"{host}/two:1", r.ref)
        remove(r.ref)
        pull(f"{host}/two:1", "--all-platforms")
        assert "linux/arm64" in ctr("images", "ls", f"name=={host}/two:1").out
        remove(f"{host}/two:1")


# --- login ------------------------------------------------------------------------------------------

@debian_registry
def test_login_and_logout(tmp_path, tls, busybox):
    config = tmp_path / "docker"
    env = {"DOCKER_CONFIG": str(config), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with docker_registry(tmp_path, tls=tls, htpasswd=("me", "pass word")) as host:
        said = coracle("login", "-k", "--user", "me", "-p", "wrong", host, env=env, code=125).err
        assert "401 Unauthorized" in said and not (config / "config.json").exists()
        done = coracle("login", "-k", "-u", "me", "--password-stdin", host, env=env, stdin="pass word\n")
        assert done.out == "Login Succeeded\n" and "readable" in done.err
        assert (config / "config.json").stat().st_mode & 0o777 == 0o600
        stored = json.loads((config / "config.json").read_text())
        assert stored == {"auths": {host: {"auth": basic("me", "pass word").split()[1]}}}
        coracle("images", "push", "-k", f"{host}/x:1", busybox, env=env)
        (config / "config.json").write_text(json.dumps({"HttpHeaders": {"a": "b"}, **stored}))
        coracle("logout", host, env=env)
        assert json.loads((config / "config.json").read_text()) == {"HttpHeaders": {"a": "b"}, "auths": {}}
        assert "nobody is logged in" in coracle("logout", host, env=env, code=125).err
        # With a helper.
        helper = tmp_path / "docker-credential-box"
        helper.write_text(f"#!/bin/sh\ncase $1 in\nstore) cat >{tmp_path}/box;;\n"
                          f"get) cat >/dev/null; cat {tmp_path}/box;;\nerase) rm {tmp_path}/box;;\nesac\n")
        helper.chmod(0o755)
        (config / "config.json").write_text('{"credsStore": "box"}')
        assert "readable" not in coracle("login", "-k", "-u", "me:pass word", host, env=env).err
        assert json.loads((tmp_path / "box").read_text()) == {
            "ServerURL": host, "Username": "me", "Secret": "pass word"}
        pull(f"{host}/x:1", "-k", env=env)
        remove(f"{host}/x:1")
        coracle("logout", host, env=env)
        assert not (tmp_path / "box").exists()
        assert (config / "config.json").read_text() == '{"credsStore": "box"}'


def test_login_by_token(tls, tmp_path):
    env = {"DOCKER_CONFIG": str(tmp_path / "docker")}
    with TokenServer(basic("me", "x"), tls=tls) as realm, Registry(image(), tls=tls, behave=wants_token(realm)) as r:
        coracle("login", "-k", "-u", "me:x", r.host, env=env)
        assert "scope" not in realm.log[0][1]
        pull(r.ref, "-k", env=env)
        remove(r.ref)
