"""A table of simulated pictures, its shards, and a server on 127.0.0.1 that gives them with ranges."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from fetalclip.data.shards.plan import Options, Plan, make_plan
from fetalclip.data.shards.writing import ShardWriter
from fetalclip.data.table_pairs import read_source
from fetalclip.phantom import draw

SIDE = 40
PLANES = ("brain", "femur", "abdomen", "thorax")
SPLITS = ("train", "train", "train", "val", "test")


def write_table(folder: Path, count: int = 20) -> Path:
    """A manifest of so many small pictures, four groups of five to a round of the splits."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["path,dataset,group,split,plane,subplane,age_days,mm_per_pixel,machine,findings,text"]
    for i in range(count):
        plane = PLANES[i % 4]
        frame = draw(plane, i, overlay=True).frame
        Image.fromarray(frame.gray).resize((90, 60)).save(folder / f"secret-name-{i}.png")
        sub = "trans-thalamic" if plane == "brain" else ""
        text = "a text with ü" if i == 2 else ""
        findings = "polyhydramnios;low-lying placenta" if i == 1 else ""
        cells = [f"secret-name-{i}.png", "mine", f"secret-patient-{i // 2}", SPLITS[i // 2 % 5], plane, sub]
        lines.append(",".join([*cells, "143" if i % 3 == 0 else "", "0.2", "Voluson", findings, text]))
    path = folder / "m.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _plan_of(table: Path, **options: object) -> Plan:
    chosen = {"side": SIDE, "per_shard": 4, **options}
    return make_plan(read_source(table), Options(**chosen))  # type: ignore[arg-type]


def _write(plan: Plan, folder: Path, workers: int = 0) -> ShardWriter:
    with ShardWriter(plan, folder, workers) as writer:
        assert sum(writer.run()) + writer.done == writer.total
    return writer


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="session")
def plan_of() -> Callable[..., Plan]:
    """The plan of a table, small pictures and four to a shard."""
    return _plan_of


@pytest.fixture(scope="session")
def write() -> Callable[..., ShardWriter]:
    """Write a plan into a folder, in this process."""
    return _write


@pytest.fixture(scope="session")
def content() -> Callable[[Path], dict[str, bytes]]:
    """The files of a folder."""
    return _content


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("scans"))


@pytest.fixture(scope="session")
def written(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of the table: 12 train, 4 val. Not to be changed."""
    folder = tmp_path_factory.mktemp("shards") / "out"
    _write(_plan_of(table), folder)
    return folder


@pytest.fixture
def shards(written: Path, tmp_path: Path) -> Path:
    """A copy of the shards."""
    return Path(shutil.copytree(written, tmp_path / "copy"))


@dataclass
class Server:
    """What is served and what was asked for.

    Attributes:
        files: name to bytes.
        cut: bytes after which a connection is closed, one number for each answer of a shard to come.
        moved: name to the address that a request is sent on to.
        asked: name and range of every request.
    """

    files: dict[str, bytes]
    cut: list[int] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def fetched(self) -> list[str]:
        """Names of the shards asked for so far."""
        return [name for name, _ in self.asked if name.endswith(".tar")]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        mine, name, span = self.server_, self.path.rpartition("/")[2], self.headers.get("Range", "")
        mine.asked.append((name, span))
        if name in mine.moved:
            self.send_response(302)
            self.send_header("Location", mine.moved[name])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if name not in mine.files:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = mine.files[name]
        first = int(span.removeprefix("bytes=").partition("-")[0]) if span else 0
        self.send_response(206 if span else 200)
        if span:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        end = len(data)
        if mine.cut and name.endswith(".tar"):
            end, self.close_connection = min(end, first + mine.cut.pop(0)), True
        self.wfile.write(data[first:end])


@pytest.fixture
def server(written: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The shards at a web address."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    made = Server(_content(written))
    running = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_": made}))
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
    made.url = f"http://127.0.0.1:{running.server_port}/data/"
    thread.start()
    yield made
    running.shutdown()
    running.server_close()
    thread.join()
