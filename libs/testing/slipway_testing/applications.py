"""Small applications to deploy: real programs without dependencies, each with a known fault or none."""

import textwrap


def web(text: str) -> dict[str, str]:
    """Answers every GET with `text`; `/slow?seconds=N` streams for so long; `/ws` echoes over a WebSocket."""
    return {"Procfile": "web: python app.py\n", "app.py": textwrap.dedent(WEB).replace("@TEXT@", text)}


def static(text: str) -> dict[str, str]:
    return {"index.html": f"<!doctype html><title>static</title><p>{text}</p>\n"}


def script(source: str) -> dict[str, str]:
    """A Procfile application of one Python file."""
    return {"Procfile": "web: python app.py\n", "app.py": textwrap.dedent(source)}


EXITS_AT_ONCE = script(
    """
    import sys
    print("reading the configuration")
    print("FATAL: DATABASE_URL is not set", file=sys.stderr)
    sys.exit(3)
    """
)
NEVER_LISTENS = script(
    """
    import time
    print("thinking about it", flush=True)
    time.sleep(3600)
    """
)
FLOODS = script(
    """
    import os, threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    def flood():
        line = "flood " + "x" * 200
        while True:
            print(line)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"still here")

        def log_message(self, *arguments):
            pass

    threading.Thread(target=flood, daemon=True).start()
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
    """
)

WEB = '''
    """A web server on nothing but the standard library."""

    import base64
    import hashlib
    import os
    import signal
    import sys
    import threading
    import time
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from urllib.parse import parse_qs, urlsplit

    TEXT = "@TEXT@"


    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            url = urlsplit(self.path)
            if url.path == "/slow":
                return self.slow(float(parse_qs(url.query)["seconds"][0]))
            if url.path == "/ws":
                return self.websocket()
            if url.path == "/env":
                return self.answer(os.environ.get(parse_qs(url.query)["name"][0], "(not set)"))
            self.answer(TEXT)

        def answer(self, text):
            body = text.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def slow(self, seconds):
            parts = int(seconds * 10)
            self.send_response(200)
            self.send_header("Content-Length", str(parts * 10))
            self.end_headers()
            for _ in range(parts):
                self.wfile.write(b"0123456789")
                self.wfile.flush()
                time.sleep(0.1)

        def websocket(self):
            key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
            self.end_headers()
            while True:
                head = self.rfile.read(2)
                if len(head) < 2 or head[0] & 15 == 8:
                    self.close_connection = True
                    return
                mask = self.rfile.read(4)
                data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.rfile.read(head[1] & 127)))
                self.wfile.write(bytes([0x80 | (head[0] & 15), len(data)]) + data)
                self.wfile.flush()

        def log_message(self, format, *arguments):
            print(self.path, flush=True)


    class Server(ThreadingHTTPServer):
        daemon_threads = False
        request_queue_size = 256


    server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print("listening: " + TEXT, flush=True)
    server.serve_forever()
    server.server_close()
    sys.exit(0)
'''
