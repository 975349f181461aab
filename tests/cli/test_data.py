"""``fetalclip data``: manifests, captions and public sets from the command line."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from fetalclip.cli import main

HEADER = "Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train \n"
LINES = (
    "Patient90001_Plane3_1_of_2;90001;Fetal brain;Trans-cerebellum;Op. 1;Voluson E6;0\n"
    "Patient90002_Plane6_1_of_1;90002;Fetal thorax;Not A Brain;Op. 2;Aloka;1\n"
    "Patient90002_Plane1_1_of_1;90002;Other;Not A Brain;Op. 2;Other;1\n"
)


@pytest.fixture
def planes(tmp_path: Path) -> Path:
    """A small FETAL_PLANES_DB."""
    folder = tmp_path / "fetal_planes_db"
    (folder / "Images").mkdir(parents=True)
    (folder / "FETAL_PLANES_DB_data.csv").write_text(HEADER + LINES)
    for line in LINES.splitlines():
        Image.new("L", (40, 30)).save(folder / "Images" / f"{line.split(';')[0]}.png")
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str]) -> tuple[dict, str]:
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    return json.loads(line), err


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_from_a_data_set_to_captions(planes: Path, capsys, suffix: str) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    table, out = planes / f"m.{suffix}", planes / "c.jsonl"
    assert main(["data", "manifest", "fetal-planes-db", "--root", str(planes), "-o", str(table), "--json"]) == 0
    made, _ = answer(capsys)
    assert (made["schema"], made["rows"], made["problems"]) == ("fetalclip.manifest/1", 3, [])
    assert made["planes"] == {"brain": 1, "none": 1, "thorax": 1}
    words = ["data", "captions", str(table), "-o", str(out), "--per-image", "4", "--seed", "5"]
    report = planes / "r.html"
    assert main([*words, "--json", "--report", str(report)]) == 1  # the row without a plane
    told, err = answer(capsys)
    assert (told["schema"], told["captions"], told["rows_refused"]) == ("fetalclip.captions/1", 8, 1)
    assert told["read_back"]["wrong"] == 0
    assert "Refused: row 3 (Patient90002_Plane1_1_of_1.png)" in err
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["row"] for line in lines] == [1] * 4 + [2] * 4
    assert max(line["tokens"] for line in lines) <= 117
    assert "Coverage of facts" in report.read_text()
    before = out.read_text()
    assert main(words) == 1
    assert out.read_text() == before
    assert main([*words[:-1], "6"]) == 1
    assert out.read_text() != before


def test_bad_rows_are_named_and_the_others_go_on(tmp_path: Path, capsys) -> None:
    for name in ("a.png", "b.png", "c.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    (tmp_path / "m.csv").write_text(
        "path,group,split,plane,subplane,age_days,mm_per_pixel\n"
        "a.png,P1,train,brain,trans-thalamic,20w3d,5\n"
        "b.png,P2,train,femur,trans-thalamic,,\n"
        "none.png,P3,train,brain,,,\n"
        "b.png,P4,train,brain,,400,\n"
        "b.png,P5,train,brain,,,0\n"
        "b.png,P6,train,brain,,,\n"
        "c.png,P6,test,brain,,,\n"
    )
    assert main(["data", "captions", str(tmp_path / "m.csv"), "-o", str(tmp_path / "c.jsonl"), "--json"]) == 1
    told, err = answer(capsys)
    assert (told["rows"], told["rows_refused"]) == (1, 6)
    kinds = {problem["row"]: problem["kind"] for problem in told["problems"]}
    assert kinds == {
        1: "age in weeks",
        2: "contradiction",
        3: "missing file",
        4: "age out of range",
        5: "bad spacing",
        6: "mixed splits",
        7: "mixed splits",
    }
    for row in range(2, 8):
        assert f"Refused: row {row} " in err
    assert "Repaired: row 1 " in err


@pytest.mark.parametrize(
    ("text", "message", "code"),
    [
        ("path,plan\na.png,brain\n", "unknown columns: 'plan' (near plane)", 1),
        ("path,plane\n", "no rows", 1),
        ("path,plane\nnone.png,brain\n", "missing file", 1),
        (None, "no table", 3),
    ],
)
def test_a_table_of_no_use_writes_nothing(tmp_path: Path, capsys, text: str | None, message: str, code: int) -> None:
    if text is not None:
        (tmp_path / "m.csv").write_text(text)
    assert main(["data", "captions", str(tmp_path / "m.csv"), "-o", str(tmp_path / "c.jsonl")]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == (["m.csv"] if text is not None else [])


def test_a_folder_with_a_table(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    Image.new("L", (8, 8)).save(folder / "a.png")
    (folder / "labels.csv").write_text("filename,plane,text\na.png,,Figure 1: the fetal head\n")
    out = tmp_path / "m.csv"
    assert main(["data", "manifest", str(folder), "-o", str(out), "--json"]) == 0
    made, err = answer(capsys)
    assert made["rows"] == 1
    assert "no group" in err
    assert main(["data", "captions", str(out), "-o", str(tmp_path / "c.jsonl"), "--json"]) == 0
    assert json.loads((tmp_path / "c.jsonl").read_text())["caption"] == "Figure 1: the fetal head"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["manifest", "imagenet", "-o", "m.csv"], "no data set and no folder 'imagenet'"),
        (["manifest", "hc18", "-o", "m.csv"], "hc18 without --root"),
        (["manifest", "hc18", "--root", ".", "-o", "m.txt"], ".csv or .parquet"),
        (["manifest", ".", "--root", ".", "-o", "m.csv"], "--root with a folder"),
        (["captions", "m.csv", "-o", "c.jsonl", "--report", "r.txt"], ".json or .html"),
        (["captions", "m.csv", "-o", "c.jsonl", "--reword-url", "nowhere"], "--reword-url"),
        (["get", "imagenet"], "no data set 'imagenet'"),
    ],
)
def test_wrong_calls(tmp_path: Path, capsys, monkeypatch, words: list[str], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["data", *words]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


class _Record(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        import hashlib

        data = b"filename,pixel size(mm),head circumference (mm)\n"
        base = f"http://{self.headers['Host']}"
        file = {"key": "t.csv", "size": len(data), "links": {"self": f"{base}/file"}}
        file["checksum"] = f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}"
        record = {"id": 1327317, "metadata": {"title": "T", "license": {"id": "cc-by-4.0"}}, "files": [file]}
        body = data if self.path == "/file" else json.dumps(record).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Endpoint(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        caption = json.loads(asked["messages"][1]["content"])["caption"]
        said = caption + " 7" if "9" in caption or "5" in caption else f"Seen: {caption}"
        body = json.dumps({"choices": [{"message": {"content": said}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch):
    """Start a server on this machine; gives its address."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    running = []

    def start(handler: type[BaseHTTPRequestHandler]) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


def test_get_prints_licence_and_citation_before_it_asks(tmp_path: Path, capsys, monkeypatch, serve) -> None:
    monkeypatch.setenv("FETALCLIP_ZENODO", "http://127.0.0.1:9/api")
    assert main(["data", "get", "hc18", "--root", str(tmp_path)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.index("CC-BY-4.0") < err.index("van den Heuvel") < err.index("Error:")
    monkeypatch.setenv("FETALCLIP_ZENODO", serve(_Record))
    assert main(["data", "get", "hc18", "--json"]) == 0
    made, err = answer(capsys)
    assert (made["fetched"], made["folder"]) == (False, None)
    assert list(tmp_path.iterdir()) == []
    assert main(["data", "get", "hc18", "--root", str(tmp_path), "--json"]) == 0
    made, err = answer(capsys)
    assert (made["schema"], made["fetched"], made["license"]) == ("fetalclip.get/1", True, "CC-BY-4.0")
    assert made["files"][0]["name"] == "t.csv"
    assert (tmp_path / "hc18" / "t.csv").is_file()
    assert made["readable"] is None


def test_an_endpoint_that_changes_a_number_is_not_believed(tmp_path: Path, capsys, serve) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "m.csv").write_text("path,plane,age_days\na.png,brain,159\n")
    words = ["data", "captions", str(tmp_path / "m.csv"), "-o", str(tmp_path / "c.jsonl"), "--per-image", "12"]
    assert main([*words, "--reword-url", serve(_Endpoint), "--json"]) == 0
    told, err = answer(capsys)
    assert "no picture, path or free text" in err
    counts = told["rewording"]
    assert counts["reworded"] == told["sources"]["reworded"] > 0
    assert counts["a number changed"] == told["sources"]["template"] > 0
    lines = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text().splitlines()]
    assert all(line["caption"].startswith("Seen: ") == (line["source"] == "reworded") for line in lines)
    assert told["read_back"]["wrong"] == 0
