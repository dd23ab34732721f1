# SPDX-License-Identifier: Apache-2.0
"""A little HTTP proxy between network namespaces: listens on 127.0.0.1:PORT in the namespace of
process PID, fetches from here. For apt and debootstrap on a test machine without a network.

  proxy.py PID PORT [COMMAND...]      ends with the command
"""
import ctypes
import http.client
import http.server
import os
import socketserver
import subprocess
import sys
import threading
import urllib.parse

CLONE_NEWNET = 0x40000000
PASSED_ON = ("range", "if-range", "if-modified-since", "user-agent", "accept", "authorization", "cache-control")


class Proxy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.scheme != "http":
            return self.send_error(501, "only http")
        upstream = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=120)
        headers = {k: v for k, v in self.headers.items() if k.lower() in PASSED_ON}
        upstream.request(self.command, url.path + ("?" + url.query if url.query else ""), headers=headers)
        answer = upstream.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            while block := answer.read(1 << 16):
                self.wfile.write(block)
        upstream.close()
        self.close_connection = True

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def main(pid, port, *command):
    libc = ctypes.CDLL(None, use_errno=True)
    here, there = os.open("/proc/self/ns/net", os.O_RDONLY), os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    # A socket belongs to the namespace it was made in.
    if libc.setns(there, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    server = Server(("127.0.0.1", int(port)), Proxy)
    if libc.setns(here, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.exit(subprocess.run(command, close_fds=False).returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
