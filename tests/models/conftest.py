"""A hub on 127.0.0.1: answers HEAD and GET of ``/OWNER/NAME/resolve/REVISION/FILE`` as the real one does.

It keeps what was asked of it, and can be told to refuse, to cut the connection or to send other bytes.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch

from fetalclip.models import openclip, pull
from fetalclip.models.pair import DualEncoder

COMMIT = "c0ffee" * 6 + "0123"


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    range: str
    accepts: str
    token: str
    host: str


@dataclass
class Hub:
    """What the server has and how it behaves.

    Attributes:
        files: path below the repository to bytes, as they are described.
        sent: path to the bytes that really come, where they differ.
        refuse: status to answer everything with, and the hub's error code.
        cut: bytes after which the connection is closed, one number for each GET to come.
        is_hub: whether answers carry the hub's headers.
        elsewhere: whether content lies on another host, to which a file's address redirects.
        asked: every request.
    """

    repository: str
    files: dict[str, bytes]
    sent: dict[str, bytes] = field(default_factory=dict)
    refuse: tuple[int, str] | None = None
    cut: list[int] = field(default_factory=list)
    is_hub: bool = True
    elsewhere: bool = False
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def gets(self) -> list[Asked]:
        """The requests for content."""
        return [one for one in self.asked if one.method == "GET"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        said = self.headers
        words = (
            said.get("Range", ""),
            said.get("Accept-Encoding", ""),
            said.get("Authorization", ""),
            said["Host"].partition(":")[0],
        )
        self.hub.asked.append(Asked(self.command, self.path, *words))
        if self.hub.refuse:
            return self._error(*self.hub.refuse)
        owner, name, resolve, revision, *rest = (*self.path.strip("/").split("/"), "", "", "", "")
        file = "/".join(rest).strip("/")
        if f"{owner}/{name}" != self.hub.repository or resolve != "resolve":
            return self._error(404, "RepoNotFound")
        if revision not in ("main", COMMIT):
            return self._error(404, "RevisionNotFound")
        if file not in self.hub.files:
            return self._error(404, "EntryNotFound")
        data = self.hub.sent.get(file, self.hub.files[file])
        if self.hub.elsewhere and self.headers["Host"].startswith("127.0.0.1"):
            self.send_response(302)
            self._describe(self.hub.files[file])
            self.send_header("Location", self.hub.url.replace("127.0.0.1", "localhost") + self.path)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        return self._send(self.hub.files[file], data, body)

    def _describe(self, data: bytes) -> None:
        if self.hub.is_hub:
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Etag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("X-Linked-Size", str(len(data)))
        self.send_header("ETag", '"another-one"')

    def _send(self, described: bytes, data: bytes, body: bool) -> None:
        first, total = 0, len(data)
        if body and (span := self.headers.get("Range", "")):
            first = int(span.removeprefix("bytes=").partition("-")[0])
            if first >= total:
                return self._error(416, "")
        self.send_response(206 if first else 200)
        self._describe(described)
        self.send_header("Accept-Ranges", "bytes")
        if first:
            self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
        self.send_header("Content-Length", str(total - first))
        self.end_headers()
        if not body:
            return None
        end = total
        if self.hub.cut:
            end, self.close_connection = min(total, first + self.hub.cut.pop(0)), True
        self.wfile.write(data[first:end])
        return None

    def _error(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Server:
    """The hub in a thread, for the length of a ``with`` block."""

    def __init__(self, hub: Hub) -> None:
        handler = type("Handler", (_Handler,), {"hub": hub})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        hub.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


TINY: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 16, "layers": 1, "head_width": 8},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="session")
def checkpoint() -> bytes:
    """What torch.save makes of a small pair with OpenCLIP's names, about 1.6 MB."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = DualEncoder(openclip.from_openclip_config(TINY)).state_dict()
    stream = BytesIO()
    torch.save(openclip.unname(state), stream)
    return stream.getvalue()


@pytest.fixture
def hub(checkpoint: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has the published weight file, small; every cache and token lies under ``tmp_path``."""
    import huggingface_hub
    from huggingface_hub import constants

    for name, place in (("HF_HUB_CACHE", "hub"), ("HF_TOKEN_PATH", "token"), ("HF_STORED_TOKENS_PATH", "tokens")):
        monkeypatch.setattr(constants, name, str(tmp_path / place))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 50_000)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True, raising=False)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    monkeypatch.setenv("HF_HOME", str(tmp_path))  # of a program that a test starts
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("FETALCLIP_CACHE", str(tmp_path / "cache"))
    config = tmp_path / "tiny.json"
    config.write_text(json.dumps(TINY))
    monkeypatch.setattr(pull, "openclip_config", lambda name: config)
    made = Hub("numansaeed/fetalclip-model", {"FetalCLIP_weights.pt": checkpoint})
    with Server(made):
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        yield made
    if hasattr(huggingface_hub, "close_session"):  # since 1.0
        huggingface_hub.close_session()
