# SPDX-License-Identifier: Apache-2.0
"""Registries on loopback: Debian's docker-registry, and one in this process that can lie."""
import base64
import contextlib
import http.client
import http.server
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

from .images import digest

HOST = "127.0.0.1"


def free_port():
    with socket.socket() as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


def certificate(folder, name=HOST):
    """A CA of its own and a certificate for loopback: (ca, cert, key)."""
    ca, ca_key, cert, key, csr, ext = (Path(folder) / n for n in
                                       ("ca.pem", "ca.key", "cert.pem", "key.pem", "csr", "ext"))
    ext.write_text(f"subjectAltName=IP:{name},DNS:localhost,DNS:registry.test\n")
    quiet = {"check": True, "capture_output": True}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", ca_key,
                    "-out", ca, "-subj", "/CN=test CA", "-days", "2"], **quiet)
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", csr,
                    "-subj", "/CN=test"], **quiet)
    subprocess.run(["openssl", "x509", "-req", "-in", csr, "-CA", ca, "-CAkey", ca_key, "-out", cert,
                    "-days", "2", "-CAcreateserial", "-extfile", ext], **quiet)
    return ca, cert, key


@contextlib.contextmanager
def docker_registry(folder, tls=None, htpasswd=None, token=None):
    """Debian's docker-registry; gives "127.0.0.1:PORT"."""
    port = free_port()
    settings = {"version": 0.1, "http": {"addr": f"{HOST}:{port}"},
                "storage": {"filesystem": {"rootdirectory": f"{folder}/blobs"}}}
    if tls:
        settings["http"]["tls"] = {"certificate": str(tls[1]), "key": str(tls[2])}
    if htpasswd:
        file = Path(folder) / "htpasswd"
        user, secret = htpasswd
        done = subprocess.run(["htpasswd", "-Bbn", user, secret], capture_output=True, check=True)
        file.write_bytes(done.stdout)
        settings["auth"] = {"htpasswd": {"realm": "test", "path": str(file)}}
    if token:
        settings["auth"] = {"token": {"realm": f"{token.url}/token", "service": "test", "issuer": "issuer",
                                      "rootcertbundle": str(token.certificate)}}
    config = Path(folder) / "registry.yml"
    config.write_text(json.dumps(settings))  # YAML, too
    with open(Path(folder) / "registry.log", "wb") as log:
        server = subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log)
    try:
        wait_for(port)
        yield f"{HOST}:{port}"
    finally:
        server.kill()
        server.wait()


def wait_for(port):
    until = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection((HOST, port), timeout=5).close()
        except OSError:
            assert time.monotonic() < until, "the registry doesn't listen"
            time.sleep(0.02)


def skopeo_copy(source, target, *flags):
    subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", "--dest-tls-verify=false", *flags,
                    source, target], check=True)


def needs(*programs):
    return [p for p in programs if not shutil.which(p)]


class Registry:
    """A registry in this process. `behave(request)` is asked first; what returns true is done.
    `log` has (method, path, headers) of every request, `sent` the bytes of bodies by digest."""

    def __init__(self, *images, tls=None, behave=None, repository="test", tag="latest", client_ca=None,
                 tls_max=ssl.TLSVersion.MAXIMUM_SUPPORTED):
        self.repository, self.behave = repository, behave
        self.blobs, self.tags, self.types = {}, {}, {}
        for image in images:
            self.add(image, tag)
        self.log, self.sent, self.lock = [], {}, threading.Lock()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                registry.serve(self)

            do_HEAD = do_POST = do_PUT = do_PATCH = do_GET

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass  # clients that hang up are what is tested

        self.server = Server((HOST, 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls[1], tls[2])
            context.maximum_version = tls_max
            if client_ca:  # who shows no certificate of it is turned away
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(client_ca)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.host = f"{HOST}:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        self.ref = f"{self.host}/{repository}:{tag}"

    def add(self, image, tag="latest"):
        self.blobs.update(image.blobs)
        manifest = image.index["manifests"][0]
        self.tags[tag] = manifest["digest"]
        self.types[manifest["digest"]] = manifest["mediaType"]

    def add_document(self, document, media_type, tag=None):
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.blobs[digest(data)], self.types[digest(data)] = data, media_type
        if tag:
            self.tags[tag] = digest(data)
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05},
                                       daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *args):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def serve(self, request):
        with self.lock:
            self.log.append((request.command, request.path, dict(request.headers)))
        if self.behave and self.behave(request):
            return
        self.honest(request)

    def honest(self, request):
        path = request.path.split("?")[0]
        match = re.fullmatch(rf"/v2/{self.repository}/(manifests|blobs)/(.+)", path)
        if not match:
            return reply(request, 200 if path == "/v2/" else 404)
        kind, name = match.groups()
        name = self.tags.get(name, name) if kind == "manifests" else name
        data = self.blobs.get(name)
        if data is None or (kind == "manifests" and name not in self.types):
            return reply(request, 404, b'{"errors":[{"code":"UNKNOWN","message":"not here"}]}')
        headers = {"Docker-Content-Digest": name,
                   "Content-Type": self.types.get(name, "application/octet-stream")
                   if kind == "manifests" else "application/octet-stream"}
        start = int(re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "bytes=0-")).group(1))
        with self.lock:
            self.sent[name] = self.sent.get(name, 0) + (request.command != "HEAD") * (len(data) - start)
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        reply(request, 206 if start else 200, data[start:], headers)

    def asked(self, word):
        with self.lock:
            return [entry for entry in self.log if word in entry[1]]


def reply(request, status, body=b"", headers=()):
    request.send_response(status)
    headers = dict(headers)
    headers.setdefault("Content-Length", len(body))
    for name, value in headers.items():
        request.send_header(name, str(value))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)
    return True


def basic(user, secret):
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenIssuer(Registry):
    """A realm for Debian's docker-registry: gives to `user` what is asked for, to others `anonymous`
    (a list of actions). `given`: what it gave, by request."""

    def __init__(self, tls, user, anonymous=()):
        super().__init__(tls=tls)
        _, self.certificate, self.key = tls
        self.user, self.anonymous, self.given = user, anonymous, []

    def honest(self, request):
        login = request.headers.get("Authorization")
        if login not in (None, basic(*self.user)):
            return reply(request, 401)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
        access = []
        for scope in query.get("scope", ()):
            kind, name, actions = scope.split(":", 2)
            may = [a for a in actions.split(",") if login or a in self.anonymous]
            access.append({"type": kind, "name": name, "actions": may})
        self.given.append(access)
        return reply(request, 200, json.dumps({"token": self.sign(access)}).encode())

    def sign(self, access):
        pem = self.certificate.read_text()
        der = "".join(pem.split("-----")[2].split())
        head = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
        now = int(time.time())
        claims = {"iss": "issuer", "sub": "x", "aud": "test", "exp": now + 300, "nbf": now - 10, "iat": now,
                  "jti": str(len(self.given)), "access": access}
        text = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text.encode(),
                                capture_output=True, check=True).stdout
        return f"{text}.{base64url(signed)}"


def send_head(request, data):
    """The head of an answer, with the range that is asked for; gives where the body begins."""
    start = int(re.search(r"\d+", request.headers.get("Range", "0")).group())
    request.send_response(206 if start else 200)
    if start:
        request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
    request.send_header("Content-Length", str(len(data) - start))
    request.end_headers()
    return start


def trickle(counter, piece=65536, pause=0.01):
    """A behaviour: large blobs come slowly, so that a pull can be killed in the middle. `counter` has
    the `blobs`; its `sent` counts the bytes."""
    def behave(request):
        data = counter.blobs.get(request.path.rsplit("/", 1)[-1], b"")
        if "/blobs/" not in request.path or len(data) < 2 * piece:
            return False
        for i in range(send_head(request, data), len(data), piece):
            request.wfile.write(data[i:i + piece])
            counter.sent += len(data[i:i + piece])
            time.sleep(pause)
        return True
    return behave


class Store(Registry):
    """One that takes pushes, by repository. `received`: bytes of blobs that were sent, in order of
    (method, repository, digest or "", size)."""

    def __init__(self, **how):
        super().__init__(**how)
        self.has, self.uploads, self.received, self.names = {}, {}, [], {}

    def honest(self, request):
        path, _, query = request.path.partition("?")
        size = int(request.headers.get("Content-Length", 0))
        body = request.rfile.read(size) if size else b""
        query = urllib.parse.parse_qs(query)
        match = re.fullmatch(r"/v2/(.+)/(manifests|blobs/uploads|blobs)/(.*)", path)
        if not match:
            return reply(request, 200 if path == "/v2/" else 404)
        repository, kind, name = match.groups()
        here = self.has.setdefault(repository, set())
        with self.lock:
            if kind == "blobs/uploads":
                return self.upload(request, repository, name, query, body)
            if request.command == "PUT":
                return self.put_manifest(request, repository, name, body)
        name = self.names.get((repository, name), name)
        if name not in here:
            return reply(request, 404, b'{"errors":[{"code":"UNKNOWN","message":"not here"}]}')
        headers = {"Docker-Content-Digest": name, "Content-Type": self.types.get(name, "application/octet-stream")}
        return reply(request, 200, self.blobs[name], headers)

    def upload(self, request, repository, name, query, body):
        here = self.has[repository]
        if request.command == "POST":
            mount = query.get("mount", [""])[0]
            if mount and mount in self.has.get(query["from"][0], ()):
                here.add(mount)
                return reply(request, 201, headers={"Location": f"/v2/{repository}/blobs/{mount}"})
            name = str(len(self.uploads))
            self.uploads[name] = b""
            return reply(request, 202, headers={"Location": f"/v2/{repository}/blobs/uploads/{name}?state=x"})
        if "Content-Range" in request.headers and not request.headers["Content-Range"].startswith(
                f"{len(self.uploads[name])}-"):
            return reply(request, 416)
        self.uploads[name] += body
        wanted = query.get("digest", [""])[0]
        self.received.append((request.command, repository, wanted, len(body)))
        if request.command == "PATCH":
            return reply(request, 202, headers={"Location": f"/v2/{repository}/blobs/uploads/{name}?state=y"})
        if digest(self.uploads[name]) != wanted:
            return reply(request, 400)
        self.blobs[wanted] = self.uploads.pop(name)
        here.add(wanted)
        return reply(request, 201, headers={"Location": f"/v2/{repository}/blobs/{wanted}"})

    def put_manifest(self, request, repository, name, body):
        """As the specification wants it: only once all that it names is here."""
        here, document = self.has[repository], json.loads(body)
        named = [*document.get("layers", ()), *document.get("manifests", ())]
        named += [document["config"]] if "config" in document else []
        if any(d["digest"] not in here and not d.get("urls") for d in named):
            return reply(request, 400, b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown"}]}')
        self.blobs[digest(body)] = body
        self.types[digest(body)] = request.headers["Content-Type"]
        self.names[repository, name] = digest(body)
        here.add(digest(body))
        return reply(request, 201)

    def bytes_received(self):
        return sum(size for _, _, _, size in self.received)


class Proxy:
    """An HTTP proxy whose every name is loopback. `log`: (method, target, headers). `refuse`: the
    status that it answers with."""

    def __init__(self, refuse=None):
        self.log, self.refuse = [], refuse
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self):
                if proxy.note(self):
                    return
                there = socket.create_connection((HOST, int(self.path.rsplit(":", 1)[1])))
                self.send_response(200)
                self.end_headers()
                pump = threading.Thread(target=copy_bytes, args=(there, self.connection), daemon=True)
                pump.start()
                copy_bytes(self.connection, there)
                pump.join()
                there.close()
                self.close_connection = True

            def do_GET(self):
                if proxy.note(self):
                    return
                url = urllib.parse.urlsplit(self.path)
                there = http.client.HTTPConnection(HOST, url.port or 80)
                there.request(self.command, f"{url.path}?{url.query}".rstrip("?"), headers=dict(self.headers))
                answer = there.getresponse()
                body = answer.read()
                reply(self, answer.status, body, {k: v for k, v in answer.getheaders()
                                                  if k not in ("Date", "Server")})

            do_HEAD = do_GET

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://{HOST}:{self.server.server_address[1]}"

    def note(self, request):
        self.log.append((request.command, request.path, dict(request.headers)))
        return self.refuse and reply(request, self.refuse)

    __enter__, __exit__ = Registry.__enter__, Registry.__exit__


def copy_bytes(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other half has hung up
