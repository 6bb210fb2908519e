"""A guest book: a small web application with one dependency, a production WSGI server."""

import html
import os
import platform
import signal
import sys
import time
from collections import deque
from urllib.parse import parse_qs

from waitress.server import create_server

VERSION = "Hello from Slipway"
STARTED = time.time()
NOTES = deque(maxlen=20)
MOST_BYTES = 2000

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{version}</title>
<style>
  body {{ font: 17px/1.6 system-ui, sans-serif; max-width: 40rem; margin: 12vh auto; padding: 0 1.2rem; color: #1b1f24 }}
  h1 {{ font-size: 2rem; margin-bottom: .2rem }}  small, footer {{ color: #6a737d }}
  form {{ display: flex; gap: .5rem; margin: 1.5rem 0 }}  input {{ flex: 1; font: inherit; padding: .4rem .6rem }}
  button {{ font: inherit; padding: .4rem 1rem }}  li {{ margin: .2rem 0 }}
  @media (prefers-color-scheme: dark) {{ body {{ background: #0d1117; color: #e6edf3 }} }}
</style>
<h1>{version}</h1>
<p>Change <code>VERSION</code> in <code>app.py</code>, commit, and push: this page follows.</p>
<form method="post"><input name="note" maxlength="200" placeholder="Leave a note" required><button>Sign</button></form>
<ul>{notes}</ul>
<footer>Python {python} · up for {seconds} s · {greeting}</footer></html>
"""


def page():
    return PAGE.format(
        version=html.escape(VERSION),
        notes="".join(f"<li>{html.escape(note)}</li>" for note in NOTES),
        python=platform.python_version(),
        seconds=int(time.time() - STARTED),
        greeting=html.escape(os.environ.get("GREETING", "set GREETING with slipway env set web GREETING=…")),
    )


def application(environ, start_response):
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if path == "/health":
        return answer(start_response, "200 OK", "ok", "text/plain")
    print(method, path, flush=True)
    if path != "/":
        return answer(start_response, "404 Not Found", "nothing here\n", "text/plain")
    if method == "POST":
        length = min(int(environ.get("CONTENT_LENGTH") or 0), MOST_BYTES)
        for note in parse_qs(environ["wsgi.input"].read(length).decode(errors="replace")).get("note", []):
            NOTES.appendleft(note[:200])
        start_response("303 See Other", [("Location", "/")])
        return [b""]
    return answer(start_response, "200 OK", page(), "text/html; charset=utf-8")


def answer(start_response, status, text, kind):
    body = text.encode()
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":
    server = create_server(application, host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"listening on port {server.effective_port}", flush=True)
    server.run()
