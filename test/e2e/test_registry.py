# SPDX-License-Identifier: Apache-2.0
"""Registries that lie, one row each: the error says what is wrong, memory is bounded, nothing of it
is listed; and when the same registry has become honest, the same pull goes well."""
import gzip
import json
import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from harness import cli
from harness.cli import coracle, ctr
from harness.images import DOCKER, OCI, Image, digest, entry, layer
from harness.registry import Registry, basic, certificate, needs, reply, send_head

STALL = "1"
TABLE = os.environ.get("CORACLE_LIES")  # a file that gets a line for each
MEMORY_MAX = (512 if "asan" in os.environ.get("CORACLE_BUILD", "") else 40) << 20
PARTIAL = Path("/var/lib/coracle/content/partial")


def image(size=300_000):
    return Image(layer(entry("a", os.urandom(1024) * (size // 1024))), layer(entry("b", "2")))


# --- behaviours: (registry, request) → true if that was the answer -------------------------------

def on(word, *methods):
    """Only requests whose path has the word, by these methods."""
    def decorate(answer):
        def behave(r, request):
            fits = word in request.path and (not methods or request.command in methods)
            return bool(fits and answer(r, request))
        behave.__name__ = answer.__name__
        return behave
    return decorate


def status(code, word="/v2/", headers=(), body=b""):
    return on(word)(lambda r, q: reply(q, code, body, headers))


def redirect(location, word="/blobs/"):
    return on(word)(lambda r, q: reply(q, 307, b"", {"Location": location}))


def hang(r, request):
    request.connection.settimeout(60)
    try:
        request.connection.recv(1)  # until the client hangs up
    except OSError:
        pass
    request.close_connection = True
    return True


def large(r, request):
    """Is it the first layer's blob?"""
    return r.blobs.get(request.path.rsplit("/", 1)[-1], b"") == r.images[0].packed[0]


def partly(then):
    """Half of the first layer, then something."""
    @on("/blobs/")
    def behave(r, request):
        if not large(r, request):
            return False
        data = r.images[0].packed[0]
        start = send_head(request, data)
        request.wfile.write(data[start:start + (len(data) - start) // 2])
        request.wfile.flush()
        return then(r, request)
    return behave


def cut(r, request):
    request.close_connection = True
    return True


def drip(r, request):
    try:
        while True:
            request.wfile.write(b"x")
            time.sleep(0.1)
    except OSError:
        return cut(r, request)


def endless(request, piece=b"x" * 65536):
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    try:
        while True:
            request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    except OSError:
        request.close_connection = True
    return True


def endless_headers(r, request):
    try:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            request.wfile.write(b"X-More: " + b"y" * 8000 + b"\r\n")
    except OSError:
        return cut(r, request)


def raw(data):
    def behave(r, request):
        request.wfile.write(data)
        return cut(r, request)
    return behave


def first_layer(change):
    """The first layer's bytes, changed."""
    @on("/blobs/")
    def behave(r, request):
        return large(r, request) and reply(request, 200, change(r.images[0].packed[0]))
    return behave


def bearer(realm, extra=""):
    return status(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="x"{extra}'})


def own_realm(code, body, headers=()):
    """A realm on the registry itself that answers so."""
    def behave(r, request):
        if request.path.startswith("/token"):
            return reply(request, code, body, headers)
        return bearer(f"{r.url}/token")(r, request)
    return behave


def range_lie(r, request):
    if large(r, request) and "Range" in request.headers:
        data = r.images[0].packed[0]
        return reply(request, 206, data[5:], {"Content-Range": f"bytes 5-{len(data) - 1}/{len(data)}"})
    return partly(cut)(r, request)


ROWS = {
    # silence and noise
    "hang": (hang, "GET|HEAD"),
    "hang-in-a-blob": (partly(hang), "too slow|Operation"),
    "drip": (partly(drip), "too slow|Operation"),
    "500": (status(500), "500"),
    "503-json": (status(503, body=b'{"errors":[{"code":"X","message":"under repair"}]}'), "503"),
    "429": (status(429, headers={"Retry-After": "0"}), "429 Too Many Requests"),
    "429-for-a-day": (status(429, headers={"Retry-After": "86400"}), "asked again in 86400 seconds"),
    "403": (status(403), "403 Forbidden"),
    "404-blob": (status(404, "/blobs/"), "404 Not Found"),
    "cut": (partly(cut), "transfer closed|bytes remaining"),
    "cut-at-once": (cut, "Empty reply"),
    "not-http": (raw(b"\x00\x01\x02SSH-2.0-x\r\n\r\n"), "HTTP"),
    "endless-headers": (endless_headers, "headers of more than|Too large|exceed"),
    # bodies
    "endless-manifest": (on("/manifests/", "GET")(lambda r, q: endless(q)), "a body of more than"),
    "endless-blob": (on("/blobs/")(lambda r, q: endless(q)), "more than the \\d+ bytes"),
    "short-blob": (first_layer(lambda d: d[:1000]), "ends after 1000 of"),
    "long-blob": (first_layer(lambda d: d + b"x"), "more than the \\d+ bytes"),
    "wrong-blob": (first_layer(lambda d: b"y" * len(d)), "the digest of its bytes is"),
    "empty-blob": (first_layer(lambda d: b""), "ends after 0 of"),
    "another-range": (range_lie, "another range"),
    "wrong-manifest": (on("/manifests/sha256", "GET")(lambda r, q: reply(q, 200, b"{}", {
        "Content-Type": OCI + "manifest.v1+json"})), "the digest of its bytes is|body"),
    "head-of-nonsense": (on("/manifests/", "HEAD")(lambda r, q: reply(q, 200, b"", {
        "Docker-Content-Digest": "sha256:zz"})), "digest"),
    "head-of-another": (on("/manifests/", "HEAD")(lambda r, q: reply(q, 200, b"", {
        "Docker-Content-Digest": "sha256:" + "0" * 64})), "404 Not Found"),
    "digest-header-lies": (on("/manifests/")(lambda r, q: q.command == "HEAD" and reply(q, 200) or
                                             reply(q, 200, r.blobs[r.tags["latest"]], {
        "Docker-Content-Digest": "sha256:" + "0" * 64,
        "Content-Type": OCI + "manifest.v1+json"})), "Docker-Content-Digest"),
    "manifest-gzipped-unasked": (on("/manifests/", "GET")(lambda r, q: reply(
        q, 200, gzip.compress(r.blobs[r.tags["latest"]]), {"Content-Encoding": "gzip"})),
        "the digest of its bytes is"),
    # redirects
    "redirect-loop": (on("/blobs/")(lambda r, q: reply(q, 302, b"", {"Location": q.path})),
                      "more than 10 redirects"),
    "redirect-to-file": (redirect("file:///etc/passwd"), "only http and https"),
    "redirect-to-ftp": (redirect("ftp://127.0.0.1/x"), "only http and https"),
    "redirect-to-metadata": (redirect("http://169.254.169.254/latest/"), "link-local"),
    "redirect-to-metadata-6": (redirect("http://[fe80::1]/"), "link-local"),
    "redirect-to-mapped-metadata": (redirect("http://[::ffff:169.254.169.254]/"), "link-local"),
    "redirect-to-odd-metadata": (redirect("http://0xa9fea9fe/"), "link-local|resolve"),
    "redirect-with-password": (redirect("http://a:b@127.0.0.1/"), "user information"),
    "redirect-with-newline": (redirect("http://127.0.0.1/\tx"), "a character"),
    "redirect-to-nowhere": (status(302, "/blobs/"), "a redirect to nowhere"),
    # logins
    "realm-missing": (status(401, headers={"WWW-Authenticate": "Bearer service=x"}), "without a realm"),
    "realm-is-file": (bearer("file:///etc/passwd"), "only http and https"),
    "realm-is-metadata": (bearer("http://169.254.169.254/"), "link-local"),
    "challenge-garbage": (status(401, headers={"WWW-Authenticate": 'Bearer realm="x'}), "without its end"),
    "challenge-none": (status(401), "401 Unauthorized"),
    "token-none": (own_realm(200, b"{}"), "no token"),
    "token-garbage": (own_realm(200, b"<html>"), "authorization"),
    "token-with-newline": (own_realm(200, b'{"token":"a\\r\\nX-Evil: 1"}'), "blanks or controls"),
    "token-endless": (lambda r, q: endless(q) if q.path.startswith("/token")
                      else bearer(f"{r.url}/token")(r, q), "a body of more than"),
    "token-refused": (own_realm(403, b""), "status 403"),
    "token-is-never-enough": (own_realm(200, b'{"token":"a"}'), "401 Unauthorized"),
    "token-redirected": (own_realm(302, b"", {"Location": "http://127.0.0.1/"}), "status 302"),
}


class Liar(Registry):
    def __init__(self, *images, behave=None, **how):
        self.images = images
        super().__init__(*images, behave=(lambda q: behave(self, q)) if behave else None, **how)


def fails(r, *flags, says=None, ref=None):
    """The pull fails with such a text, as cli, within its memory; gives what it said."""
    command, peak = cli.start_measured("coracle", "images", "pull", *flags, ref or r.ref,
                                       env={"CORACLE_REGISTRY_STALL": STALL})
    begun = time.monotonic()
    killer = threading.Timer(120, lambda: os.kill(command.pid, signal.SIGKILL))
    killer.start()
    err = command.stderr.read().decode(errors="replace")
    command.wait()
    killer.cancel()
    peak_bytes = peak()
    command.stdout.close()
    command.stderr.close()
    if TABLE:
        name = os.environ.get("PYTEST_CURRENT_TEST", "").split("::")[-1].split(" ")[0]
        with open(TABLE, "a") as table:
            print(f"{name} | {command.returncode} | {peak_bytes >> 20} MB | "
                  f"{time.monotonic() - begun:.1f} s | {err.splitlines()[0][9:] if err else ''}", file=table)
    lines = err.splitlines()
    assert command.returncode == 125, err
    assert lines and lines[0].startswith("coracle: ") and all(
        l.startswith(("coracle: ", "hint: ")) for l in lines), err
    assert says is None or re.search(says, lines[0]), err
    assert peak_bytes < MEMORY_MAX
    assert ctr("images", "ls", "-q", f"name=={ref or r.ref}").out == ""
    return err


def heals(r, *flags):
    """Honest from now on: the same pull goes well, and all of it can be removed."""
    r.behave = None
    coracle("images", "pull", *flags, r.ref)
    assert "complete" in ctr("images", "check", f"name=={r.ref}").out
    coracle("images", "rm", r.ref)
    for file in PARTIAL.glob("*") if PARTIAL.exists() else ():
        file.unlink()  # of digests that only the liar knew


@pytest.mark.parametrize("row", ROWS)
def test_lie(row):
    behave, says = ROWS[row]
    with Liar(image(), behave=behave) as r:
        fails(r, "--plain-http", says=says)
        heals(r, "--plain-http")


# --- documents that lie -----------------------------------------------------------------------------

def manifest(**changes):
    img = image(5000)
    document = dict(img.manifest)
    document.update(changes)
    return img, {k: v for k, v in document.items() if v is not None}


def layer_entry(**changes):
    return {"mediaType": OCI + "layer.v1.tar", "digest": "sha256:" + "1" * 64, "size": 10, **changes}


MANIFEST, INDEX = OCI + "manifest.v1+json", OCI + "index.v1+json"

DOCUMENTS = {
    "not-json": (b"<html>", MANIFEST, "manifest"),
    "empty": (b"", MANIFEST, "manifest"),
    "nothing-in-it": (b"{}", MANIFEST, "config|schema"),
    "manifest-and-index": (manifest(manifests=[])[1], MANIFEST, "at once|index and"),
    "type-by-header": (manifest()[1], INDEX, "type"),
    "type-in-document": (manifest(mediaType=INDEX)[1], MANIFEST, "type"),
    "schema-1": (manifest(schemaVersion=1)[1], DOCKER + "distribution.manifest.v1+prettyjws", "schemaVersion"),
    "too-large": (json.dumps(manifest(annotations={"x": "y" * (5 << 20)})[1]).encode(), MANIFEST, "more than"),
    "too-deep-json": (b'{"a":' * 200 + b"1" + b"}" * 200, MANIFEST, "levels|deep|JSON"),
    "600-layers": (manifest(layers=[layer_entry()] * 600)[1], MANIFEST, "layers"),
    "layer-of-no-type": (manifest(layers=[layer_entry(mediaType="application/x-evil")])[1], MANIFEST,
                         "media type application/x-evil"),
    "layer-by-md5": (manifest(layers=[layer_entry(digest="md5:abc")])[1], MANIFEST, "digest"),
    "layer-by-sha512": (manifest(layers=[layer_entry(digest="sha512:" + "1" * 128)])[1], MANIFEST, "sha256"),
    "layer-of-negative-size": (manifest(layers=[layer_entry(size=-1)])[1], MANIFEST, "size"),
    "layer-of-exabytes": (manifest(layers=[layer_entry(size=1 << 62)] * 2)[1], MANIFEST, "bytes and more"),
    "layer-of-petabytes": (manifest(layers=[layer_entry(size=1 << 50)] * 2)[1], MANIFEST, "bytes are needed"),
    "config-of-another-size": (manifest(config={"mediaType": OCI + "config.v1+json",
                                                "digest": image(5000).manifest["config"]["digest"],
                                                "size": 5 << 20})[1], MANIFEST, "document of"),
    "config-missing": (manifest(config={"mediaType": OCI + "config.v1+json", "digest": "sha256:" + "2" * 64,
                                        "size": 5})[1], MANIFEST, "404"),
    "layers-without-diff-ids": (manifest(layers=[])[1], MANIFEST, "diff IDs"),
    "artifact": (manifest(config={"mediaType": "application/vnd.oci.empty.v1+json",
                                  "digest": "sha256:" + "2" * 64, "size": 2})[1], MANIFEST, "not an image|no image"),
    "index-of-nothing": ({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}, INDEX, "no match for platform"),
    "index-of-2000": ({"schemaVersion": 2, "mediaType": INDEX,
                       "manifests": [layer_entry(mediaType=MANIFEST)] * 2000}, INDEX, "manifests"),
    "index-names-a-ghost": ({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        layer_entry(mediaType=MANIFEST, platform={"os": "linux", "architecture": "amd64"})]}, INDEX, "404"),
}


@pytest.mark.parametrize("row", DOCUMENTS)
def test_document(row):
    document, media_type, says = DOCUMENTS[row]
    honest = image(5000)
    with Liar(honest) as r:
        r.add_document(document, media_type, "latest")
        if isinstance(document, dict) and "config" in document and row.startswith(("layer", "600")):
            config = json.dumps(honest.config).encode()
            document["config"] = {**document["config"], "digest": digest(config), "size": len(config)}
            r.add_document(document, media_type, "latest")
        fails(r, "--plain-http", says=says)
        r.add(honest)
        heals(r, "--plain-http")


def test_index_in_index_in_index():
    with Liar(image()) as r:
        inner = r.images[0].index["manifests"][0]
        for _ in range(5):
            inner = r.add_document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]}, INDEX, "latest")
        fails(r, "--plain-http", says="indexes more than 3 deep")
        r.add(r.images[0])
        heals(r, "--plain-http")


def test_gzip_bomb():
    """Behind the tar's end 3 GiB of zeros, in 3 MB."""
    data = layer(entry("a", "1"))
    bomb = gzip.compress(data) + gzip.compress(bytes(64 << 20)) * 48
    img = image()
    img.manifest["layers"] = [{"mediaType": OCI + "layer.v1.tar+gzip", "digest": digest(bomb), "size": len(bomb)}]
    img.config["rootfs"]["diff_ids"] = [digest(data)]
    config = json.dumps(img.config).encode()
    img.manifest["config"].update(digest=digest(config), size=len(config))
    img.blobs = {digest(bomb): bomb, digest(config): config}
    img.seal_manifest()
    with Liar(img) as r:
        fails(r, "--plain-http", says="more than|limit|diff ID")
        r.images = (image(),)
        r.add(r.images[0])
        heals(r, "--plain-http")


# --- who gets credentials -----------------------------------------------------------------------------

@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    if needs("openssl"):
        pytest.skip("needs openssl")
    return certificate(tmp_path_factory.mktemp("tls"))


SECRET = basic("me", "secret")


def thieves(thief):
    return [headers for _, _, headers in thief.log if "Authorization" in headers or "X-Own" in headers]


def test_redirect_carries_no_credentials(tls, tmp_path):
    """A blob elsewhere is fetched, but neither password nor own headers go there."""
    img = image()
    with Liar(img) as thief:
        def behave(r, q):
            if q.headers.get("Authorization") != SECRET:
                return reply(q, 401, b"", {"WWW-Authenticate": "Basic realm=x"})
            return "/blobs/" in q.path and reply(q, 307, b"", {"Location": thief.url + q.path})
        with Liar(img, behave=behave) as r:
            folder = tmp_path / f"{r.host.replace(':', '_')}_"
            folder.mkdir()
            (folder / "hosts.toml").write_text(f'server = "{r.url}"\n[header]\nX-Own = "1"\n')
            coracle("images", "pull", "--user", "me:secret", "--hosts-dir", tmp_path, r.ref)
            coracle("images", "rm", r.ref)
            assert thief.asked("/blobs/") and not thieves(thief)
            assert all(h.get("X-Own") == "1" for _, _, h in r.log)


@pytest.mark.parametrize("registry_tls, thief_tls", [(True, False), (False, True), (False, False)])
def test_realm_of_a_thief(tls, registry_tls, thief_tls):
    """Credentials for a realm: named over https, and https itself. Here one of them isn't."""
    name = "localhost"  # not the registry's own name
    with Liar(tls=tls if thief_tls else None) as thief:
        realm = thief.url.replace("127.0.0.1", name) + "/token"
        with Liar(image(), tls=tls if registry_tls else None, behave=bearer(realm)) as r:
            flags = ["--tlscacert", tls[0]] if registry_tls else ["--plain-http"]
            fails(r, *flags, "--user", "me:secret", says="credentials are not given to the realm")
            assert not thief.log
            heals(r, *flags)


def test_mirror_gets_no_credentials_of_the_registry(tmp_path):
    img = image()
    asks = status(401, "/manifests/", {"WWW-Authenticate": "Basic realm=x"})
    with Liar(img, behave=asks) as mirror, Liar(img) as r:
        folder = tmp_path / f"{r.host.replace(':', '_')}_"
        folder.mkdir()
        (folder / "hosts.toml").write_text(f'server = "{r.url}"\n[host."{mirror.url}"]\n')
        coracle("images", "pull", "--user", "me:secret", "--hosts-dir", tmp_path, r.ref)
        coracle("images", "rm", r.ref)
        assert mirror.log and not thieves(mirror)


# --- certificates --------------------------------------------------------------------------------------

def test_unknown_certificate_is_never_followed_by_http(tls):
    with Liar(image(), tls=tls) as r:
        fails(r, says="certificate")
        assert not r.log
        heals(r, "--tlscacert", tls[0])


def test_certificate_of_another_name(tmp_path):
    if needs("openssl"):
        pytest.skip("needs openssl")
    other = certificate(tmp_path, name="10.0.0.1")
    with Liar(image(), tls=other) as r:
        fails(r, "--tlscacert", other[0], says="certificate|no alternative")
        assert not r.log
        heals(r, "-k")


def test_a_tls_flag_means_https(tls):
    with Liar(image()) as r:
        fails(r, "--tlscacert", tls[0], says="SSL|TLS|version")
        fails(r, "-k", says="SSL|TLS|version")
        assert not [line for line in r.log if line[0] in ("GET", "HEAD")]
        heals(r)


# --- not reached: an error at once --------------------------------------------------------------------

@pytest.mark.parametrize("host, says", [("127.0.0.1:1", "connect"), ("nosuch.invalid", "resolve")])
def test_not_reached(host, says):
    fails(None, ref=f"{host}/x:latest", says=f"(?i){says}")


def test_retry_after_then_well():
    state = []

    def behave(r, q):
        state.append(q.path)
        return len(state) < 3 and reply(q, 503, b"", {"Retry-After": "1"})
    with Liar(image(), behave=behave) as r:
        coracle("images", "pull", "--plain-http", r.ref)
        coracle("images", "rm", r.ref)


def test_ranges_ignored():
    """A registry that doesn't know ranges is begun anew, once what came first was cut."""
    state = []

    def behave(r, q):
        if not large(r, q):
            return False
        state.append(q.headers.get("Range"))
        if len(state) == 1:
            return partly(cut)(r, q)
        return reply(q, 200, r.images[0].packed[0])
    with Liar(image(), behave=behave) as r:
        coracle("images", "pull", "--plain-http", r.ref)
        coracle("images", "rm", r.ref)
        assert len(state) == 2 and state[1]
