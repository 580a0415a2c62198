"""Somebody who is told: Python's own HTTP server, which does by path what servers do. Prints its port, then one line of
JSON for each message. With a certificate (and key) in one file as argument it speaks TLS."""

import http.server
import json
import os
import ssl
import sys
import time

seen = {}


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        name = self.path.split("/")[1].split("?")[0]
        if name == "":
            name = json.loads(body)["topic"]
        told = {"path": self.path, "headers": dict(self.headers.items()), "body": body.decode()}
        # In one piece: requests are answered on threads of their own.
        os.write(1, (json.dumps(told) + "\n").encode())
        seen[name] = seen.get(name, 0) + 1
        getattr(self, "on_" + name.replace("-", "_"), self.on_ok)()

    def say(self, status, text="", **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def on_ok(self):
        self.say(200, '{"id":"abc"}')

    def on_gone(self):
        self.say(404, '{"code":40401,"error":"no such webhook gone-canary-path"}', Content_Type="application/json")

    def on_plain(self):
        self.say(403, "forbidden for Bearer canary-token\x1b[31m\nsecond line", Content_Type="text/plain")

    def on_page(self):
        self.say(502, "<html>" + "x" * 300_000)

    def on_moved(self):
        self.say(307, Location="http://169.254.169.254/latest/canary-place")

    def on_flaky(self):
        self.say(500) if seen["flaky"] == 1 else self.on_ok()

    def on_busy(self):
        self.say(429, Retry_After="1") if seen["busy"] == 1 else self.on_ok()

    def on_hang(self):
        time.sleep(60)

    def on_drip(self):
        for letter in "HTTP/1.1 200 OK\r\nX: " + "y" * 600:
            self.wfile.write(letter.encode())
            time.sleep(0.1)

    def on_dripping_body(self):
        self.send_response(500)
        self.send_header("Content-Length", "100")
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b"x")
            time.sleep(0.1)

    def on_endless(self):
        self.send_response(500)
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 65536)

    def on_head(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n")

    def on_garbage(self):
        self.wfile.write(b"\x00\x01 this is no HTTP\r\n\r\n")
        self.close_connection = True

    def on_hangup(self):
        self.connection.shutdown(2)
        self.close_connection = True

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
server.daemon_threads = True
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_port, flush=True)
server.serve_forever()
