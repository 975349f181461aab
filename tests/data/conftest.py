"""A record server on 127.0.0.1: answers ``/api/records/N`` and the files' content as Zenodo's API does."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


def zip_of(files: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of plain files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


@dataclass
class Zenodo:
    """What the server has and how it behaves.

    Attributes:
        files: record number to file name to bytes, as they are described.
        sent: file name to the bytes that really come, where they differ.
        cut: bytes after which the connection is closed, one number for each download to come.
        ranges: whether a range is answered with that range.
        status: what every request is answered with, 200 for as it should be.
        change: what is done to the record's JSON before it is sent.
        asked: path and range of every request.
    """

    files: dict[str, dict[str, bytes]]
    sent: dict[str, bytes] = field(default_factory=dict)
    cut: list[int] = field(default_factory=list)
    ranges: bool = True
    status: int = 200
    license: str = "cc-by-4.0"
    change: Any = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def record(self, number: str) -> dict[str, Any]:
        """The record's JSON."""
        base = f"{self.url}/records/{number}"
        return {
            "id": int(number),
            "doi": f"10.5281/zenodo.{number}",
            "metadata": {"title": "A test set", "license": {"id": self.license}},
            "files": [
                {
                    "key": name,
                    "size": len(data),
                    "checksum": f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}",
                    "links": {"self": f"{base}/files/{name}/content"},
                }
                for name, data in self.files[number].items()
            ],
        }

    def downloads(self) -> list[str]:
        """The ranges of the downloads so far."""
        return [span for path, span in self.asked if path.endswith("/content")]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    zenodo: Zenodo

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.zenodo.asked.append((self.path, self.headers.get("Range", "")))
        parts = self.path.removeprefix("/api/records/").split("/")
        known = self.zenodo.files.get(parts[0])
        if self.zenodo.status != 200 or known is None:
            return self._send(404 if known is None else self.zenodo.status, b"")
        if len(parts) == 1:
            described = self.zenodo.record(parts[0])
            if self.zenodo.change is not None:
                described = self.zenodo.change(described)
            return self._send(200, described if isinstance(described, bytes) else json.dumps(described).encode())
        name = parts[2]
        return self._content(self.zenodo.sent.get(name, known[name]))

    def _content(self, data: bytes) -> None:
        first, span = 0, self.headers.get("Range", "")
        if span and self.zenodo.ranges:
            first = int(span.removeprefix("bytes=").partition("-")[0])
            if first >= len(data):
                return self._send(416, b"")
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        end = len(data)
        if self.zenodo.cut:
            end, self.close_connection = min(end, first + self.zenodo.cut.pop(0)), True
        self.wfile.write(data[first:end])
        return None

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def zenodo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Zenodo]:
    """A server without records."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    made = Zenodo({})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"zenodo": made}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    made.url = f"http://127.0.0.1:{server.server_port}/api"
    monkeypatch.setenv("FETALCLIP_ZENODO", made.url)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()
