"""A hub of its own on this machine, which can fail as the real one does."""

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

COMMIT = "c0ffee" + "0" * 34
HUB_ID = "owner/model"


@dataclass
class FakeHub:
    """One model. `large` are files that the hub stores by their hash.

    `cut` ends the next answer with a large file after so many bytes. `requests` are the ranges that were
    asked for, "" for a whole file. With `ignores_ranges` a file always comes from its start.
    """

    small: dict[str, bytes]
    large: dict[str, bytes]
    cut: int | None = None
    status: int = 200
    error_code: str = ""
    ignores_ranges: bool = False
    sizes_lie: int = 0
    served: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    endpoint: str = ""
    gate: threading.Event | None = None

    def entries(self) -> list[dict[str, object]]:
        """The files as the hub lists them."""
        listed: list[dict[str, object]] = [
            {"type": "file", "path": name, "rfilename": name, "size": len(body), "oid": sha1(body)}
            for name, body in self.small.items()
        ]
        for name, body in self.large.items():
            lfs = {"oid": sha256(body), "sha256": sha256(body), "size": len(body) - self.sizes_lie}
            lfs["pointerSize"] = 130
            entry = {"type": "file", "path": name, "rfilename": name, "size": len(body), "oid": sha1(body)}
            listed.append({**entry, "lfs": lfs})
        return listed


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def sha1(body: bytes) -> str:
    return hashlib.sha1(body).hexdigest()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            if hub.status != 200:
                self._answer(hub.status, b"{}", {"X-Error-Code": hub.error_code})
            elif path.startswith(f"/api/models/{HUB_ID}/tree/"):
                self._answer(200, json.dumps(hub.entries()).encode(), {})
            elif path.startswith(f"/api/models/{HUB_ID}"):
                about = {"id": HUB_ID, "sha": COMMIT, "siblings": hub.entries()}
                self._answer(200, json.dumps(about).encode(), {})
            else:
                self._file(path.removeprefix(f"/{HUB_ID}/resolve/{COMMIT}/"))

        do_HEAD = do_GET

        def _file(self, name: str) -> None:
            body = hub.served.get(name, {**hub.small, **hub.large}.get(name, b""))
            etag = sha256(hub.large[name]) if name in hub.large else sha1(body)
            head = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}
            if name in hub.large:
                head |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(body))}
            asked = self.headers.get("Range", "")
            status, start = 200, 0
            if asked and not hub.ignores_ranges:
                start = int(asked.removeprefix("bytes=").split("-")[0])
                status = 206
                head["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            if self.command == "GET" and name in hub.large:
                hub.requests.append(asked)
                if hub.cut is not None:
                    self._cut(status, body[start:], head)
                    return
            self._answer(status, body[start:], head)

        def _cut(self, status: int, body: bytes, head: dict[str, str]) -> None:
            """Promises all and closes after a part."""
            cut, hub.cut = hub.cut, None
            self._head(status, len(body), head)
            self.wfile.write(body[:cut])
            self.wfile.flush()
            if hub.gate is not None:
                hub.gate.wait(30)
            self.close_connection = True

        def _answer(self, status: int, body: bytes, head: dict[str, str]) -> None:
            self._head(status, len(body), head)
            if self.command == "GET":
                self.wfile.write(body)

        def _head(self, status: int, length: int, head: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in head.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()

    return Handler


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub that has one model, reached without the proxies of this machine."""
    from huggingface_hub import constants
    from huggingface_hub.utils import close_session

    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("app.chat.models.hub.PAUSE", 0.01)
    weights = bytes(range(256)) * 4096  # a megabyte
    small = {"config.json": b'{"model_type": "qwen2"}', "tokenizer.json": b"{}", "run.py": b"evil()"}
    hub = FakeHub(small, {"model.safetensors": weights})
    close_session()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub)) as server:
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hub.endpoint = f"http://127.0.0.1:{server.server_port}"
        yield hub
        server.shutdown()
    close_session()
