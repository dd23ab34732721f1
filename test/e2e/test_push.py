# SPDX-License-Identifier: Apache-2.0
"""What a push sends: counted by a registry in this process that takes it by the specification."""
import os
import re

import pytest

from harness.cli import coracle
from harness.images import DOCKER, OCI, Image, entry, layer
from harness.registry import Registry, Store, reply
from test_pull import platforms_index

MIB = 1 << 20
CHUNK = 32 * MIB


def image(*sizes, **how):
    return Image(*(layer(entry(f"f{i}", os.urandom(size))) for i, size in enumerate(sizes)), **how)


@pytest.fixture
def pulled():
    """Pulls images from registries of their own; all are removed afterwards."""
    registries, refs = [], []

    def pull(*images, platforms=(), index=()):
        r = Registry(*images)
        r.__enter__()
        registries.append(r)
        if index:
            platforms_index(r, *index)
        coracle("images", "pull", "--plain-http", *platforms, r.ref)
        refs.append(r.ref)
        return r
    yield pull
    for ref in refs:
        coracle("images", "rm", ref)
    for r in registries:
        r.__exit__()


def push(store, name, ref, *flags):
    """Gives the bytes and requests of blobs that it took."""
    store.received.clear()
    coracle("images", "push", "--plain-http", *flags, f"{store.host}/{name}", ref)
    return store.received


def test_at_once_and_in_chunks(pulled):
    """Up to 32 MiB a blob goes by one PUT, above by PATCHes of that; every byte once."""
    img = image(100, CHUNK + 5 * MIB)
    r = pulled(img)
    with Store() as store:
        sent = push(store, "a:1", r.ref)
        small, large = img.packed
        assert len(large) > CHUNK > len(small)
        assert store.bytes_received() == len(small) + len(large) + img.manifest["config"]["size"]
        patches = [size for method, _, _, size in sent if method == "PATCH"]
        assert patches == [CHUNK, len(large) - CHUNK]
        assert sorted(size for method, _, _, size in sent if method == "PUT") == sorted(
            [0, len(small), img.manifest["config"]["size"]])
        assert {d: store.blobs[d] for d in img.blobs} == img.blobs  # byte for byte, the manifest too
        assert store.names["a", "1"] == img.target


def test_what_is_there_is_not_sent(pulled):
    img = image(1000, 2000)
    more = Image(*img.layers, layer(entry("new", "3")))
    first, second = pulled(img), pulled(more)
    with Store() as store:
        push(store, "a:1", first.ref)
        assert push(store, "a:1", first.ref) == []  # all of it
        asked = [line for line in store.log if line[0] == "PUT"]
        assert push(store, "a:again", first.ref) == []  # but for a name
        assert len([line for line in store.log if line[0] == "PUT"]) == len(asked) + 1
        sent = push(store, "a:2", second.ref)
        assert {d for _, _, d, _ in sent} == {more.manifest["layers"][2]["digest"], more.manifest["config"]["digest"]}


def test_mounted_from_where_it_was(pulled):
    """Into another repository of the registry it came from: no byte of a blob is sent."""
    img = image(1000, 2000)
    r = pulled(img)
    with Store() as store:
        push(store, "one:1", r.ref)
        try:
            coracle("images", "pull", "--plain-http", f"{store.host}/one:1")
            assert push(store, "two/three:1", f"{store.host}/one:1") == []
            assert store.has["two/three"] == set(img.blobs)
        finally:
            coracle("images", "rm", f"{store.host}/one:1")


def test_a_mount_that_is_refused_is_sent(pulled):
    """The registry answers 202 when it doesn't want to mount."""
    img = image(1000)
    r = pulled(img)
    with Store() as store:
        push(store, "one:1", r.ref)
        try:
            coracle("images", "pull", "--plain-http", f"{store.host}/one:1")
            store.has["one"].clear()
            assert len(push(store, "two:1", f"{store.host}/one:1")) == 2
            assert store.has["two"] == set(img.blobs)
        finally:
            coracle("images", "rm", f"{store.host}/one:1")


def test_index_with_all_platforms(pulled):
    """Byte for byte: what is pulled with all platforms and pushed has the digest it had."""
    r = pulled(index=("linux/amd64", "linux/arm64", "windows/amd64"), platforms=("--all-platforms",))
    with Store() as store:
        push(store, "a/b:1", r.ref)
        assert store.names["a/b", "1"] == r.tags["latest"]
        assert {d: store.blobs[d] for d in r.blobs} == r.blobs
        assert store.types[r.tags["latest"]] == OCI + "index.v1+json"
        manifests = [path for method, path, _ in store.log if method == "PUT" and "/manifests/" in path]
        assert len(manifests) == 4 and manifests[-1] == "/v2/a/b/manifests/1"  # what it names goes first


def test_docker_schema_2_stays_what_it_is(pulled):
    img = image(1000)
    img.manifest["mediaType"] = DOCKER + "distribution.manifest.v2+json"
    img.manifest["config"]["mediaType"] = DOCKER + "container.image.v1+json"
    img.manifest["layers"][0]["mediaType"] = DOCKER + "image.rootfs.diff.tar"
    img.seal_manifest()
    img.index["manifests"][0]["mediaType"] = DOCKER + "distribution.manifest.v2+json"
    r = pulled(img)
    with Store() as store:
        push(store, "a:1", r.ref)
        assert store.names["a", "1"] == img.target
        assert store.types[img.target] == DOCKER + "distribution.manifest.v2+json"
        assert store.blobs[img.target] == img.blobs[img.target]


def test_an_upload_that_breaks_is_begun_anew(pulled):
    """The connection breaks in the middle, twice; then it goes through, whole."""
    img = image(3 * MIB)
    r = pulled(img)
    breaks = []

    def behave(request):
        if request.command != "PUT" or "digest=" not in request.path or len(breaks) == 2 or \
                int(request.headers["Content-Length"]) < MIB:
            return False
        breaks.append(request.rfile.read(MIB))
        request.close_connection = True
        return True

    with Store(behave=behave) as store:
        push(store, "a:1", r.ref)
        assert len(breaks) == 2 and store.names["a", "1"] == img.target
        assert {d: store.blobs[d] for d in img.blobs} == img.blobs


# --- registries that lie --------------------------------------------------------------------------

def drained(status, headers=(), body=b""):
    """An answer once the body has been read."""
    def answer(request):
        request.rfile.read(int(request.headers.get("Content-Length", 0)))
        return reply(request, status, body, headers)
    return answer


def on(method, word, answer):
    return lambda request: request.command == method and word in request.path and answer(request)


def hang_up(request):
    request.close_connection = True
    return True


def stay_silent(request):
    request.connection.settimeout(60)
    try:
        while request.connection.recv(65536):
            pass  # until the client hangs up
    except OSError:
        pass
    return hang_up(request)


UPLOADS, MANIFESTS = "/blobs/uploads/", "/manifests/"
LIARS = {
    "forbidden": (on("POST", UPLOADS, drained(403)), "403 Forbidden"),
    "broken": (on("POST", UPLOADS, drained(500)), "500"),
    "too-many": (on("POST", UPLOADS, drained(429, {"Retry-After": "0"})), "429 Too Many Requests"),
    "tomorrow": (on("POST", UPLOADS, drained(503, {"Retry-After": "86400"})), "asked again in 86400 seconds"),
    "no-location": (on("POST", UPLOADS, drained(202)), "no Location"),
    "to-a-file": (on("POST", UPLOADS, drained(202, {"Location": "file:///etc/passwd"})), "only http and https"),
    "to-metadata": (on("POST", UPLOADS, drained(202, {"Location": "http://169.254.169.254/x"})), "link-local"),
    "with-a-password": (on("POST", UPLOADS, drained(202, {"Location": "http://a:b@127.0.0.1/x"})), "user information"),
    "in-a-circle": (on("POST", UPLOADS, lambda q: drained(307, {"Location": q.path})(q)), "more than 10 redirects"),
    "hangs-up": (on("PUT", UPLOADS, hang_up), "Empty reply|reset|closed|[Pp]ipe|Send failure"),
    "silent": (on("PUT", UPLOADS, stay_silent), "too slow|Operation"),
    "refuses-the-blob": (on("PUT", UPLOADS, drained(400, body=b'{"errors":[{"message":"no such digest"}]}')),
                         "400: no such digest"),
    "another-blob": (on("PUT", UPLOADS, drained(201, {"Docker-Content-Digest": "sha256:" + "0" * 64})),
                     "the registry has it as sha256:0000"),
    "says-mounted": (on("POST", UPLOADS, drained(201)), "400: blob unknown"),
    "says-it-is-there": (on("HEAD", "/blobs/", drained(200)), "400: blob unknown"),
    "refuses-the-manifest": (on("PUT", MANIFESTS, drained(413)), "413"),
    "another-manifest": (on("PUT", MANIFESTS, drained(201, {"Docker-Content-Digest": "sha256:" + "0" * 64})),
                         "the registry has it as sha256:0000"),
    "endless-answer": (on("PUT", MANIFESTS, lambda q: drained(201, body=b"x" * (1 << 20))(q)), "a body of more than"),
}


@pytest.mark.parametrize("row", LIARS)
def test_lie(row, busybox):
    """The error says what is wrong; and once the registry is honest, the same push goes well."""
    behave, says = LIARS[row]
    with Store(behave=behave) as store:
        said = coracle("images", "push", "--plain-http", "--user", "me:x", f"{store.host}/a:1", busybox, code=125,
                       env={"CORACLE_REGISTRY_STALL": "1"}).err
        lines = [line for line in said.splitlines() if ": done, " not in line]  # of blobs that took long
        assert re.search(says, lines[0]), said
        assert all(line.startswith(("coracle: ", "hint: ")) for line in lines), said
        store.behave = None
        coracle("images", "push", "--plain-http", f"{store.host}/a:1", busybox)
        assert ("a", "1") in store.names
