# SPDX-License-Identifier: Apache-2.0
"""hosts.toml with a section for the registry itself; what several hosts said; what a login is known by;
and hints that fit."""
import json
import os
import re
import signal
import subprocess

import pytest

from harness.cli import coracle, ctr, eventually
from harness.images import Image, entry, layer
from harness.screen import Screen
from harness.registry import Registry, Store, basic, certificate, needs, reply, trickle
from test_registry_access import folder_of, image, pull, pulls

missing = needs("openssl")
pytestmark = pytest.mark.skipif(missing, reason=f"needs {' '.join(missing)}")


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls"))


def wants(user, secret):
    def behave(request):
        if request.headers.get("Authorization") == basic(user, secret):
            return False
        return reply(request, 401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    return behave


def cut(image, blob, n_bytes):
    """The connection breaks behind so many bytes of the blob."""
    def behave(request):
        if not request.path.endswith(blob):
            return False
        request.send_response(200)
        request.send_header("Content-Length", str(len(image.blobs[blob])))
        request.end_headers()
        request.wfile.write(image.blobs[blob][:n_bytes])
        request.close_connection = True
        return True
    return behave


# --- the registry's own section -------------------------------------------------------------------

@pytest.mark.parametrize("server", [True, False])
@pytest.mark.parametrize("capabilities", ["", 'capabilities = ["pull", "resolve"]\n'])
def test_a_section_of_the_registry_itself(tls, tmp_path, server, capabilities):
    """As containerd's documents have it: the CA in the section. --user is for it, and it is asked once."""
    with Registry(image(), tls=tls, behave=wants("me", "secret")) as r:
        ref = r.ref
        folder_of(tmp_path, r, ca__pem=tls[0], hosts__toml=(f'server = "{r.url}"\n' if server else "")
                  + f'[host."{r.url}"]\n{capabilities}ca = "ca.pem"\n')
        flags = ["--hosts-dir", tmp_path, "--user", "me:secret"]
        pulls(ref, *flags)
        env = {"DOCKER_CONFIG": str(tmp_path / "docker")}
        coracle("login", *flags, r.host, env=env)
        pulls(ref, "--hosts-dir", tmp_path, env=env)
        r.log.clear()
        said = pull(ref.replace(":latest", ":nosuch"), *flags, code=125).err
        assert said.count("404 Not Found") == 1 and "certificate" not in said
        assert len([line for line in r.log if "nosuch" in line[1] and "Authorization" in line[2]]) == 1


def test_push_to_a_section(tls, tmp_path, busybox):
    """One that takes no pushes is the registry all the same."""
    with Store(tls=tls, behave=wants("me", "secret")) as r:
        folder_of(tmp_path, r, ca__pem=tls[0],
                  hosts__toml=f'[host."{r.url}"]\ncapabilities = ["pull", "resolve"]\nca = "ca.pem"\n')
        coracle("images", "push", "--hosts-dir", tmp_path, "--user", "me:secret", f"{r.host}/test:pushed", busybox)
        assert r.bytes_received()


def test_its_place_among_mirrors(tmp_path):
    """It is asked where the file has it, and the mirror behind it when it has nothing."""
    with Registry(image()) as mirror, Registry(image()) as r:
        del r.tags["latest"]
        folder_of(tmp_path, r, hosts__toml=f'[host."{r.url}"]\n[host."{mirror.url}"]\n')
        pull(r.ref, "--hosts-dir", tmp_path, "--user", "me:secret")
        coracle("images", "rm", r.ref)
        assert r.asked("manifests/latest") and mirror.asked("manifests/latest")
        # A mirror is none of the registry's business.
        assert all("Authorization" not in headers for _, _, headers in mirror.log)


def test_user_is_not_for_the_registry_over_http(tls, tmp_path):
    """Unless that is all it speaks."""
    with Registry(image()) as r:
        folder = folder_of(tmp_path, r, hosts__toml=f'server = "https://{r.host}"\n[host."{r.url}"]\n')
        pull(r.ref, "--hosts-dir", tmp_path, "--user", "me:secret")
        coracle("images", "rm", r.ref)
        assert r.log and all("Authorization" not in headers for _, _, headers in r.log)
        r.behave = wants("me", "secret")
        assert "401" in pull(r.ref, "--hosts-dir", tmp_path, "--user", "me:secret", code=125).err
        (folder / "hosts.toml").write_text(f'server = "{r.url}"\n[host."{r.url}"]\n')
        pulls(r.ref, "--hosts-dir", tmp_path, "--user", "me:secret")


@pytest.mark.parametrize("sections", ['[host."https://{0}"]\n[host."http://{0}"]\n',
                                      'server = "https://127.0.0.1:1"\n[host."http://{0}"]\n'])
def test_nor_is_a_section_behind_it(tmp_path, sections):
    """Whose http section stands where: the password stays at home."""
    with Registry(image(), behave=wants("me", "secret")) as r:
        folder_of(tmp_path, r, hosts__toml=sections.format(r.host))
        assert "401" in pull(r.ref, "--hosts-dir", tmp_path, "--user", "me:secret", code=125).err
        coracle("login", "--hosts-dir", tmp_path, "--user", "me:secret", r.host, code=125,
                env={"DOCKER_CONFIG": str(tmp_path)})
        assert r.log and all("Authorization" not in headers for _, _, headers in r.log)


def test_other_spellings_of_it(tls, tmp_path):
    with Registry(image(), tls=tls, behave=wants("me", "secret")) as r:
        folder_of(tmp_path, r, ca__pem=tls[0], hosts__toml=f'server = "{r.url}/"\n[host."HTTPS://X"]\n')
        assert "only http and https" in pull(r.ref, "--hosts-dir", tmp_path, code=125).err
    with Registry(image(), tls=tls, behave=wants("me", "secret")) as r:
        folder_of(tmp_path, r, ca__pem=tls[0], hosts__toml=f'[host."{r.url}/v2/"]\nca = "ca.pem"\n')
        pulls(r.ref, "--hosts-dir", tmp_path, "--user", "me:secret")


@pytest.mark.parametrize("line", ['skip_verify = "x"', 'ca = 1', ""])
@pytest.mark.parametrize("url", ["https://me:s3cret@h", "https://me:s3cret/x@h", "https://me:s3c?ret@h"])
def test_a_password_in_a_hosts_toml_is_not_told(tmp_path, line, url):
    folder_of(tmp_path, type("R", (), {"host": "reg.example:1"}), hosts__toml=f'[host."{url}"]\n{line}\n')
    said = pull("reg.example:1/a", "--hosts-dir", tmp_path, code=125).err
    assert "s3c" not in said and 'host "...@..."' in said


def test_flags_of_tls_are_for_its_section(tls, tmp_path):
    with Registry(image(), tls=tls) as r:
        folder_of(tmp_path, r, hosts__toml=f'[host."{r.url}"]\n')
        assert "certificate" in pull(r.ref, "--hosts-dir", tmp_path, code=125).err
        pulls(r.ref, "--hosts-dir", tmp_path, "--tlscacert", tls[0])
        pulls(r.ref, "--hosts-dir", tmp_path, "--skip-verify")


def test_paths_of_flags_are_the_users(tls, tmp_path):
    """Not the folder's, whatever lies there."""
    with Registry(image(), tls=tls) as r:
        folder = folder_of(tmp_path / "certs.d", r)
        (folder / "decoy.crt.not").write_text(tls[0].read_text())
        (tmp_path / "own.crt").write_text(tls[0].read_text())
        pulls(r.ref, "--hosts-dir", tmp_path / "certs.d", "--tlscacert", "own.crt", cwd=tmp_path)
        said = pull(r.ref, "--hosts-dir", tmp_path / "certs.d", "--tlscacert", "decoy.crt.not", code=125).err
        assert "--tlscacert: decoy.crt.not: no such file" in said


def test_a_folder_of_hosts_that_is_not_there(tmp_path):
    said = pull("127.0.0.1:1/a", "--hosts-dir", tmp_path / "nosuch", code=125).err
    assert f"--hosts-dir {tmp_path}/nosuch: No such file or directory" in said


# --- several hosts --------------------------------------------------------------------------------

@pytest.mark.parametrize("dead_first", [True, False])
def test_every_host_is_heard(tmp_path, dead_first):
    with Registry(image()) as r:
        dead = "http://127.0.0.1:1"
        if dead_first:
            folder_of(tmp_path, r, hosts__toml=f'server = "{r.url}"\n[host."{dead}"]\n')
        else:
            folder_of(tmp_path, r, hosts__toml=f'server = "{dead}"\n[host."{r.url}"]\n')
        said = pull(r.ref.replace(":latest", ":nosuch"), "--hosts-dir", tmp_path, code=125).err
    words = [f"{dead}/v2/test/manifests/nosuch", f"{r.url}/v2/test/manifests/nosuch"]
    assert "404 Not Found" in said and "Failed to connect" in said
    assert [said.index(word) for word in (words if dead_first else words[::-1])] == \
        sorted(said.index(word) for word in words)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_mirror_that_refuses_costs_nothing(tmp_path, status):
    """The registry's own word decides whether what came is kept."""
    img = Image(layer(entry("a", os.urandom(300_000))))
    big = img.manifest["layers"][0]["digest"]

    with Registry(img, behave=cut(img, big, 100_000)) as r, Registry(behave=lambda request: reply(request, status)) as mirror:
        folder_of(tmp_path, r, hosts__toml=f'server = "{r.url}"\n[host."{mirror.url}"]\n')
        said = pull(r.ref, "--hosts-dir", tmp_path, code=125).err
        assert str(status) in said and "hint: what came is kept" in said
        r.behave = None
        r.sent.clear()
        pulls(r.ref, "--hosts-dir", tmp_path)
        assert r.sent[big] < len(img.blobs[big])


# --- logins ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("spelling", ["{}", "http://{}", "https://{}", "https://{}/v1/", "{}/v2/"])
def test_logout_forgets_every_spelling(tmp_path, spelling):
    with Registry(image(), behave=wants("me", "secret")) as r:
        (tmp_path / "config.json").write_text(json.dumps({
            "auths": {spelling.format(r.host): {"auth": basic("me", "secret").split()[1]},
                      "other.example": {"auth": "b3RoZXI6eA=="}}}))
        env = {"DOCKER_CONFIG": str(tmp_path)}
        pulls(r.ref, env=env)
        coracle("logout", r.host, env=env)
        assert list(json.loads((tmp_path / "config.json").read_text())["auths"]) == ["other.example"]
        assert "401" in pull(r.ref, env=env, code=125).err


def test_login_takes_a_url(tmp_path):
    env = {"DOCKER_CONFIG": str(tmp_path)}
    with Registry(image(), behave=wants("me", "secret")) as r:
        coracle("login", "--user", "me:secret", f"https://{r.host}/", env=env)
        assert list(json.loads((tmp_path / "config.json").read_text())["auths"]) == [r.host]
        coracle("logout", f"http://{r.host}", env=env)
        said = coracle("login", "--user", "me:wrong", r.host, env=env, code=125).err
        assert "401 Unauthorized" in said and "hint: does it exist? the registry knows no such user" in said


def test_login_asks(tmp_path):
    """On a terminal for a name and, without an echo, for the password; elsewhere it says what lacks."""
    env = {"DOCKER_CONFIG": str(tmp_path)}
    with Registry(image(), behave=wants("me", "secret")) as r:
        assert "login as whom? --user NAME" in coracle("login", r.host, env=env, code=2).err
        with Screen("coracle", "login", r.host, env=env) as screen:
            screen.wait_for("Username: ")
            screen.type("me\n")
            screen.wait_for("Password: ")
            screen.type("secret\n")
            assert "secret" not in screen.wait_for("Login Succeeded")
            assert screen.end() == 0 and screen.is_restored()
        assert list(json.loads((tmp_path / "config.json").read_text())["auths"]) == [r.host]
        assert coracle("logout", r.host, env=env).out == f"Removing login credentials for {r.host}\n"
        both = ["--password", "x", "--password-stdin"]
        assert "which one?" in coracle("login", "--user", "me", *both, r.host, env=env, code=2).err
        assert "which one?" in coracle("login", "--user", "me:x", "--password-stdin", r.host, env=env, code=2).err


# --- what helps -----------------------------------------------------------------------------------

def test_hints(tls):
    with Registry(image()) as r:
        assert "there are" not in pull(r.ref, "--platform", "linux/s390x", code=None).err  # no index
        for flags, ref, hint in (
                ((), r.ref.replace("/test:", "/nosuch:"), "without a tag :latest"),
                (("--tlscacert", tls[0]), r.ref, "it doesn't speak TLS: --plain-http"),
                ((), "127.0.0.1:1/a", "is the registry up")):
            assert hint in pull(ref, *flags, code=125).err.partition("hint: ")[2]
        coracle("images", "rm", r.ref, code=None)
        said = coracle("content", "fetch-blob", r.ref, "sha256:" + "1" * 64, code=125).err
        assert "hint: manifests are no blobs" in said
        said = coracle("run", "--rm", r.ref.replace("/test:", "/nosuch:"), "x", code=125).err
        assert "404" in said and "hint: is it the right name?" in said


def test_platforms_that_are_there():
    from test_pull import platforms_index
    with Registry() as r:
        platforms_index(r, "linux/arm64", "windows/arm64")
        said = pull(r.ref, "--platform", "linux/s390x", code=125).err
        assert "linux/s390x: not found; there are linux/arm64, windows/arm64" in said


def test_a_single_manifest_of_another_platform(tmp_path):
    """It is taken, as by ctr; and said."""
    with Registry(image()) as r:
        said = pull(r.ref, "--platform", "linux/s390x").err
        assert re.search(r'image "\S+" is for linux/\S+ alone, not for linux/s390x', said)
        assert "alone" not in pull(r.ref).err
        said = coracle("run", "--rm", "--platform", "linux/s390x", r.ref, "x", "true", code=None).err
        assert "alone, not for linux/s390x" in said
        coracle("images", "rm", r.ref)


def test_push_at_the_top(busybox):
    with Store() as r:
        assert coracle("push", f"{r.host}/test:new", busybox).out.startswith(f"{r.host}/test:new")
        assert r.bytes_received()


# --- under way, and broken off --------------------------------------------------------------------

def test_partly_here(tmp_path):
    """A pull that is under way is listed, also of another store; what it leaves is kept, and can be dropped."""
    store = ["--root", tmp_path / "root", "--state", tmp_path / "state"]
    img = Image(layer(entry("a", os.urandom(3_000_000))))
    big = img.manifest["layers"][0]["digest"]
    with Registry(img) as r:
        partial = tmp_path / "root/content/partial" / big.split(":")[1]
        counter = type("Counter", (), {"blobs": img.blobs, "sent": 0})
        r.behave = trickle(counter, pause=0.05)
        p = subprocess.Popen(["coracle", *map(str, store), "images", "pull", r.ref], stderr=subprocess.PIPE)
        try:
            eventually(lambda: big in coracle(*store, "content", "active").out)
            assert big in ctr(*store, "content", "active", "^blob").out
            assert big not in coracle("content", "active").out
            eventually(lambda: partial.stat().st_size)
            coracle(*store, "gc", "--partial")  # it is held
            assert big in coracle(*store, "content", "active").out
        finally:
            p.send_signal(signal.SIGINT)
            p.communicate()
        coracle(*store, "gc")
        assert partial.stat().st_size and big not in coracle(*store, "content", "active").out
        plan = coracle(*store, "gc", "--partial", "--dry-run").out
        assert "an interrupted pull has left it" in plan and partial.exists()
        assert "partial blob" not in coracle(*store, "gc", "--dry-run").out
        assert "partial blob" in coracle(*store, "gc", "--partial").out and not partial.exists()


def test_partly_here_and_wholly(tmp_path):
    """What a dead pull had got whole is held by its lease; that goes with the rest, and what lives stays."""
    store = ["--root", tmp_path / "root", "--state", tmp_path / "state"]
    img = Image(layer(entry("a", "1" * 5000)), layer(entry("b", os.urandom(3_000_000))))
    small, big = (item["digest"] for item in img.manifest["layers"])
    with Registry(img) as r:
        r.behave = trickle(type("Counter", (), {"blobs": img.blobs, "sent": 0}), pause=0.05)
        p = subprocess.Popen(["coracle", *map(str, store), "images", "pull", r.ref], stderr=subprocess.PIPE)
        try:
            eventually(lambda: small in coracle(*store, "content", "ls", code=None).out  # once it is there
                       and big in coracle(*store, "content", "active").out)
            assert "pull-" not in coracle(*store, "gc", "--partial").out
            assert small in coracle(*store, "content", "ls").out
        finally:
            p.kill()
            p.communicate()
        coracle(*store, "gc")
        assert small in coracle(*store, "content", "ls").out
        assert "pull-" in coracle(*store, "gc", "--partial", "--dry-run").out
        assert small in coracle(*store, "content", "ls").out
        coracle(*store, "gc", "--partial")
        assert not ctr(*store, "content", "ls", "-q").out and not ctr(*store, "leases", "ls", "-q").out


def test_no_room_keeps_what_came(tmp_path):
    """What was fetched of a blob isn't the worse for a full disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", disk], check=True)
    try:
        store = ["--root", disk / "root", "--state", tmp_path / "state"]
        img = Image(layer(entry("b", os.urandom(6_000_000))))
        big = img.manifest["layers"][0]["digest"]
        partial = disk / "root/content/partial" / big.split(":")[1]
        with Registry(img) as r:
            r.behave = trickle(type("Counter", (), {"blobs": img.blobs, "sent": 0}), pause=0.02)
            p = subprocess.Popen(["coracle", *map(str, store), "images", "pull", r.ref], stderr=subprocess.PIPE)
            eventually(lambda: partial.exists() and partial.stat().st_size > 1_000_000)
            p.send_signal(signal.SIGINT)
            p.communicate()
            came = partial.stat().st_size
            (disk / "full").write_bytes(b"x" * 12_500_000)
            said = coracle(*store, "images", "pull", r.ref, code=125).err
            assert "are free" in said and partial.stat().st_size == came
            (disk / "full").unlink()
            r.behave = None
            r.sent.clear()
            coracle(*store, "content", "fetch", r.ref)
            assert r.sent[big] == len(img.blobs[big]) - came
    finally:
        subprocess.run(["umount", disk], check=True)


def test_what_came_is_kept_is_said():
    img = Image(layer(entry("a", os.urandom(300_000))))
    big = img.manifest["layers"][0]["digest"]

    with Registry(img, behave=cut(img, big, 1000)) as r:
        assert "hint: what came is kept for a day" in pull(r.ref, code=125).err
        r.behave = None
        pulls(r.ref)
