# SPDX-License-Identifier: Apache-2.0
"""content fetch --metadata-only: manifests and configs without layers. Such an image is listed, isn't
complete, says so wherever its layers are needed, and becomes complete when it is pulled."""
import json
import signal
import subprocess
import threading

import pytest

from harness.cli import coracle, ctr
from harness.images import OCI, Image, busybox_layer, digest, entry, layer
from harness.registry import Registry
from test_attestations import buildx
from test_pull import platforms_index, platforms_of


def fetch(ref, *flags, code=0):
    return ctr("content", "fetch", "--plain-http", "--metadata-only", *flags, ref, code=code)


def blobs():
    return set(ctr("content", "ls", "-q").out.split())


def check_row(ref):
    return next(line for line in ctr("images", "check").out.splitlines() if line.startswith(ref))


def came(registry):
    """What the registry sent bytes of; who asks whether it has something gets none."""
    return {name for name, n_bytes in registry.sent.items() if n_bytes}


def documents(image):
    return {image.target, image.manifest["config"]["digest"]}


@pytest.fixture
def fetched():
    """An image of two layers, fetched so, and its registry; nothing of it stays."""
    before = blobs()
    image = Image(busybox_layer(), layer(entry("second", "2")), compress="gzip")
    with Registry(image) as r:
        assert fetch(r.ref, "--label", "a=1").out.split() == [r.ref, "saved"]
        yield image, r
        coracle("images", "rm", r.ref, code=None)
        coracle("gc")
    assert blobs() == before


@pytest.mark.quick
def test_no_layer_is_asked_for(fetched):
    image, r = fetched
    assert came(r) == documents(image) <= blobs()
    assert not blobs() & {item["digest"] for item in image.manifest["layers"]}
    row = check_row(r.ref)
    assert "incomplete (1/3)" in row and row.split()[-1] == "false"
    assert "a=1" in ctr("images", "ls").out
    assert image.target in coracle("images", "inspect", r.ref).out


def test_it_is_kept_by_its_name_and_goes_with_it(fetched):
    image, r = fetched
    for _ in range(2):
        coracle("gc")
        assert documents(image) <= blobs()
    assert not ctr("leases", "ls", "-q").out
    coracle("images", "rm", r.ref)
    coracle("gc")
    assert not documents(image) & blobs()


def test_what_needs_the_layers_says_so(fetched, tmp_path):
    image, r = fetched
    layers = [item["digest"] for item in image.manifest["layers"]]  # of some the snapshot may be here
    before = ctr("snapshots", "ls").out
    for args in (["run", "--rm", "--pull", "never", r.ref, "x", "true"],
                 ["images", "mount", r.ref, str(tmp_path)],
                 ["snapshots", "unpack", image.target],
                 ["images", "export", str(tmp_path / "x.tar"), r.ref],
                 ["images", "push", "--plain-http", f"{r.host}/test:new", r.ref],
                 ["images", "convert", "--uncompress", r.ref, f"{r.host}/test:converted"]):
        said = coracle(*args, code=None)
        assert said.code and any(one in said.err for one in layers) and "not found" in said.err, args
        if args[0] in ("run", "snapshots") or args[1] == "mount":
            assert "hint: coracle images pull" in said.err
    assert ctr("snapshots", "ls").out == before and not list(tmp_path.iterdir())
    assert not coracle("ps", "-aq").out.split()


def test_a_pull_makes_it_whole(fetched):
    image, r = fetched
    r.sent.clear()
    coracle("images", "pull", "--plain-http", r.ref)
    assert came(r) == {item["digest"] for item in image.manifest["layers"]}
    row = check_row(r.ref)
    assert " complete (3/3)" in row and row.split()[-1] == "true"
    coracle("gc")
    assert set(image.blobs) <= blobs()
    # Fetched so again it loses nothing.
    fetch(r.ref)
    coracle("gc")
    assert set(image.blobs) <= blobs() and " complete (3/3)" in check_row(r.ref)


def test_run_pulls_the_layers(fetched):
    image, r = fetched
    said = coracle("run", "--rm", "--pull", "missing", r.ref, "x", "cat", "/second")
    assert said.out == "2"
    assert {item["digest"] for item in image.manifest["layers"]} <= came(r)


def test_run_says_both_if_it_cannot(fetched):
    image, r = fetched
    for blob in image.manifest["layers"]:
        del r.blobs[blob["digest"]]
    asked = len(r.log)
    said = coracle("run", "--rm", r.ref, "x", "true", code=125)
    assert "not found" in said.err and "404" in said.err
    # One pull, not one for each time that a gc might have been quicker.
    assert len([e for e in r.log[asked:] if "manifests/latest" in e[1]]) == 1


def test_layers_of_others_are_not_held(fetched):
    """A layer that another image has is that image's: it goes with it."""
    image, r = fetched
    other = Image(busybox_layer(), layer(entry("third", "3")), compress="gzip")
    shared = image.manifest["layers"][0]["digest"]
    with Registry(other) as o:
        coracle("content", "fetch", "--plain-http", o.ref)
        fetch(r.ref)
        assert "incomplete (2/3)" in check_row(r.ref) and shared in blobs()
        coracle("images", "rm", o.ref)
        coracle("gc")
    assert "incomplete (1/3)" in check_row(r.ref) and shared not in blobs()


def test_platforms():
    """As in ctr of all of an index; of some if they are named."""
    before = blobs()
    with Registry() as r:
        index = platforms_index(r, "linux/amd64", "linux/arm64", "windows/amd64")
        configs = {digest(b) for b in r.blobs.values() if b'"architecture"' in b and b'"rootfs"' in b}
        manifests = {item["digest"] for item in json.loads(r.blobs[index["digest"]])["manifests"]}
        fetch(r.ref, "--platform", "linux/arm64")
        assert platforms_of(r.ref) == ["linux/arm64"]
        fetch(r.ref)
        assert sorted(platforms_of(r.ref)) == ["linux/amd64", "linux/arm64", "windows/amd64"]
        assert blobs() - before == {index["digest"]} | manifests | configs == came(r)
        coracle("images", "rm", r.ref)
        fetch(r.ref, "--platform", "linux/s390x", code=1)
    coracle("gc")
    assert blobs() == before


def test_attestations():
    before = blobs()
    with Registry() as r:
        buildx(r)
        fetch(r.ref)
        assert sorted(platforms_of(r.ref)) == ["linux/amd64", "linux/arm64"]
        coracle("gc")
        coracle("images", "pull", "--plain-http", "--all-platforms", r.ref)
        assert blobs() - before == set(r.blobs)
        coracle("images", "rm", r.ref)
    coracle("gc")
    assert blobs() == before


def test_a_lie_leaves_nothing():
    before, images = blobs(), ctr("images", "ls", "-q").out
    image = Image(layer(entry("a", "1")))
    config = image.manifest["config"]["digest"]
    with Registry(image) as r:
        r.blobs[config] = b"x" * len(r.blobs[config])
        assert config in fetch(r.ref, code=1).err
        assert blobs() == before and ctr("images", "ls", "-q").out == images


def test_killed_and_gone_on_with():
    """What came stays under a lease; the next one asks for the rest only."""
    before = blobs()
    image = Image(layer(entry("a", "1")))
    config = image.manifest["config"]["digest"]
    held, reached = threading.Event(), threading.Event()

    def hold(request):
        if request.path.endswith(config) and not held.is_set():
            reached.set()
            held.wait(30)
            return True
        return False

    with Registry(image, behave=hold) as r:
        p = subprocess.Popen(["coracle", "content", "fetch", "--plain-http", "--metadata-only", r.ref])
        assert reached.wait(30)
        p.send_signal(signal.SIGKILL)
        p.wait()
        held.set()
        assert r.ref not in ctr("images", "ls", "-q").out
        r.sent.clear()
        fetch(r.ref)
        assert came(r) == {config}
        coracle("images", "rm", r.ref)
    coracle("gc")
    assert blobs() == before


def test_twelve_at_once():
    before = blobs()
    image = Image(busybox_layer(), layer(entry("a", "1")), compress="gzip")
    with Registry(image) as r:
        args = ["coracle", "content", "fetch", "--plain-http"]
        all_of_them = [subprocess.Popen([*args, *(["--metadata-only"] if i % 2 else []), r.ref],
                                        stdout=subprocess.DEVNULL) for i in range(12)]
        assert [p.wait() for p in all_of_them] == [0] * 12
        coracle("gc")
        assert set(image.blobs) <= blobs() and " complete (3/3)" in check_row(r.ref)
        coracle("images", "rm", r.ref)
    coracle("gc")
    assert blobs() == before


# --- what breaking it has found -------------------------------------------------------------------

def hostile(r, *entries):
    return r.add_document({"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": list(entries)},
                          OCI + "index.v1+json", "latest")


def entry_of(r, image):
    r.blobs.update(image.blobs)
    r.types[image.target] = OCI + "manifest.v1+json"
    item = {**image.index["manifests"][0], "platform": {"os": "linux", "architecture": image.config["architecture"]}}
    item.pop("annotations", None)
    return item


def with_config(image):
    """Its config has changed, and its layers shall stay as they are said to be."""
    config = json.dumps(image.config).encode()
    image.blobs[digest(config)] = config
    image.manifest["config"].update(digest=digest(config), size=len(config))
    image.seal_manifest()
    return image


def test_many_namings():
    """15,500 layers, 500 of them named by thirty manifests: refused in bounded time, and nothing stays."""
    before = blobs()
    with Registry() as r:
        layers = [{"mediaType": OCI + "layer.v1.tar", "digest": digest(f"layer {k}".encode()), "size": 10}
                  for k in range(500)]
        entries = []
        for i in range(60):
            image = Image(layer(entry("a", str(i))))
            image.manifest["layers"] = layers if i % 2 else [
                {**item, "digest": digest(f"{i} {item['digest']}".encode())} for item in layers]
            image.config["rootfs"]["diff_ids"] = [digest(f"{i} d {k}".encode()) for k in range(500)]
            image.config["architecture"] = "arm64"
            entries.append(entry_of(r, with_config(image)))
        hostile(r, *entries)
        said = coracle("content", "fetch", "--metadata-only", r.ref, code=125, timeout=60)
        assert "too many values" in said.err
    assert blobs() == before and "pull-" not in ctr("leases", "ls", "-q").out


@pytest.mark.parametrize("what", ["manifest", "config", "index"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("flags", [("content", "fetch", "--metadata-only"), ("images", "pull", "--all-platforms")])
def test_a_layer_that_is_a_document(what, first, flags):
    """Refused in either order, and nothing stays: a gc would take the one for the other."""
    before = blobs()
    with Registry() as r:
        good = Image(layer(entry("a", "1")))
        good.config["architecture"] = "arm64"
        good.seal()
        other = entry_of(r, good)
        if what == "index":
            other = hostile(r, other)
        victim = {"manifest": other, "config": good.manifest["config"], "index": other}[what]
        liar = Image(layer(entry("b", "2")))
        liar.manifest["layers"][0].update(digest=victim["digest"], size=victim["size"])
        liar.seal_manifest()
        bad = entry_of(r, liar)
        hostile(r, *((bad, other) if first else (other, bad)))
        said = coracle(*flags, "--plain-http", r.ref, code=125).err
        assert victim["digest"] in said and "a layer and a document at once" in said
        assert r.ref not in ctr("images", "ls", "-q").out
    assert blobs() == before and "pull-" not in ctr("leases", "ls", "-q").out


def test_many_layers_are_no_documents():
    with Registry() as r:
        entries = []
        for i in range(15):
            image = Image(layer(entry("a", str(i))))
            image.manifest["layers"] = [{**image.manifest["layers"][0], "digest": digest(f"{i} {k}".encode())}
                                        for k in range(190)]
            image.config["rootfs"]["diff_ids"] = [digest(f"d{i} {k}".encode()) for k in range(190)]
            image.config["architecture"] = "arm64" if i else "amd64"
            entries.append(entry_of(r, with_config(image)))
        hostile(r, *entries)
        fetch(r.ref)
        coracle("images", "rm", r.ref)
    coracle("gc")


def test_sizes_that_no_disk_has():
    before = blobs()
    image = Image(layer(entry("a", "1")), layer(entry("b", "2")), layer(entry("c", "3")))
    for item in image.manifest["layers"]:
        item["size"] = 2 ** 62
    image.seal_manifest()
    with Registry(image) as r:
        assert "bytes and more" in fetch(r.ref, code=1).err
        coracle("images", "pull", "--plain-http", r.ref, code=125)
    assert blobs() == before
    plan = coracle("gc", "--partial", "--dry-run").out
    assert not any(item["digest"].split(":")[1] in plan for item in image.manifest["layers"])


def test_what_is_here_of_some_platforms(tmp_path):
    """Documents of all, layers of one: what can be exported and converted is that one."""
    with Registry() as r:
        platforms_index(r, "linux/amd64", "linux/arm64")
        coracle("images", "pull", "--plain-http", "--platform", "linux/amd64", r.ref)
        fetch(r.ref)
        said = coracle("images", "export", "--all-platforms", tmp_path / "x.tar", r.ref).err
        assert "linux/arm64: no layer is here, left out" in said
        coracle("images", "export", tmp_path / "y.tar", r.ref)
        said = coracle("images", "export", "--platform", "linux/arm64", tmp_path / "z.tar", r.ref, code=125).err
        assert "hint: coracle images pull" in said
        coracle("images", "convert", "--uncompress", r.ref, f"{r.host}/test:new")
        said = coracle("images", "convert", "--uncompress", "--all-platforms", r.ref, f"{r.host}/test:two", code=125).err
        assert "not found" in said and "two" not in ctr("images", "ls").out
        coracle("images", "rm", r.ref, f"{r.host}/test:new")
        coracle("images", "import", tmp_path / "x.tar")
        assert "linux/amd64" in platforms_of(r.ref)
        coracle("images", "rm", r.ref)
    coracle("gc")
