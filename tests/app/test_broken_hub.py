"""A hub that cannot be reached, or fails in the middle: one clear line, and no waiting for ever.

The hub is a server on this machine. Each test runs a real process, because the hub
library reads its settings from the environment when it is imported.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.app.programs import run_process


def login_page(request: BaseHTTPRequestHandler) -> None:
    """What a hotel's network answers to everything."""
    request.send_response(200)
    request.send_header("Content-Type", "text/html")
    request.end_headers()
    request.wfile.write(b"<html>Welcome! Please log in.</html>")


def cut(request: BaseHTTPRequestHandler) -> None:
    """A connection that ends in the middle of an answer."""
    request.connection.close()


def silence(request: BaseHTTPRequestHandler) -> None:
    """A hub that takes a request and never answers."""
    time.sleep(30)


def unavailable(request: BaseHTTPRequestHandler) -> None:
    request.send_response(503)
    request.end_headers()


@contextmanager
def hub(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[dict[str, str]]:
    """The environment of a process whose hub is a local server that answers like this."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.block_on_close = False  # an answer may still be sleeping
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield online(server.server_port)
        server.shutdown()


def online(port: int) -> dict[str, str]:
    """The environment without the offline switch, its hub on a port of this machine."""
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    kept = {name: value for name, value in os.environ.items() if name.lower() not in proxies}
    kept.pop("HF_HUB_OFFLINE")
    return {**kept, "HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HUB_DISABLE_TELEMETRY": "1"}


def test_no_network_is_one_line_and_does_not_hang() -> None:
    with hub(unavailable) as env:
        closed = env
    outcome = run_process("qwen2-chat", "-m", "owner/model", "-p", "hi", env=closed, timeout=30)
    outcome.assert_one_line(1, "owner/model is not on this machine", "connect, or give a folder")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (unavailable, ["cannot be reached", "connect"]),
        (login_page, ["cannot be downloaded", "check the connection"]),
        (cut, ["cannot be downloaded", "check the connection"]),
    ],
)
def test_a_hub_that_fails_is_one_line(
    answer: Callable[[BaseHTTPRequestHandler], None], words: list[str]
) -> None:
    with hub(answer) as env:
        outcome = run_process("qwen2-chat", "-m", "owner/model", "-p", "hi", env=env, timeout=30)
    outcome.assert_one_line(1, "owner/model", *words)


def test_a_hub_that_never_answers_is_given_up_on() -> None:
    impatient = "import qwen2_mlx.resolve\nqwen2_mlx.resolve._HUB_PATIENCE = 0.2"
    with hub(silence) as env:
        outcome = run_process(
            "qwen2-chat", "-m", "owner/model", "-p", "hi", env=env, prelude=impatient, timeout=20
        )
    outcome.assert_one_line(1, "owner/model is not on this machine", "cannot be reached")
