"""``fetalclip data manifest`` of DICOM folders, and the road from there to a trained model."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from fetalclip.cli import main
from fetalclip.data import Manifest
from fetalclip.io.deid.key import ENVIRONMENT

PRETRAIN = """
objective: pretrain
name: archive
license: CC-BY-4.0
data: {workers: 0}
model: {start: fetalclip-tiny, image_size: 32}
optim: {epochs: 2, batch: 8, warmup_steps: 2}
"""
FINETUNE = """
objective: finetune
name: planes
license: CC-BY-4.0
model: {start: fetalclip-tiny, method: head}
optim: {epochs: 1, batch: 8}
"""


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)


@pytest.fixture
def folder(tmp_path: Path, dicoms: ModuleType) -> Path:
    """Two patients, a still and a clip each."""
    made = tmp_path / "in"
    made.mkdir()
    for number in range(2):
        about = {"PatientID": f"SECRET-{number}", "StudyInstanceUID": f"1.2.{number}"}
        (made / f"{number}s").write_bytes(dicoms.build(dicoms.pattern(48, 64), **about))
        (made / f"{number}c").write_bytes(dicoms.build(dicoms.pattern(5, 48, 64), **about))
    return made


def run(*words: object) -> int:
    return main(["data", "manifest", *map(str, words)])


def test_an_archive_without_a_table(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "m.csv"
    assert run(folder, "-o", out, "--frames", 2, "--json") == 0
    said, talk = capsys.readouterr()
    told = json.loads(said)
    assert (told["rows"], told["splits"], told["planes"]) == (6, {"none": 6}, {"none": 6})
    assert "pseudonyms of patients are of this run alone" in talk
    assert "--split with --key-file deals one" in talk
    assert "Next: fetalclip data audit" in talk
    assert [row.frame for row in Manifest.read(out).require().rows] == [1, 3, None] * 2
    assert "SECRET" not in out.read_text() + said + talk


def test_the_key_makes_the_same_table_again(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for name in ("a.csv", "b.csv"):
        assert run(folder, "-o", tmp_path / name, "--key-file", tmp_path / "key", "--split") == 0
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]
    assert capsys.readouterr().err.count("A new key was made") == 1
    assert run(folder, "-o", tmp_path / "c.csv", "--key-file", tmp_path / "other", "--split") == 0
    assert (tmp_path / "c.csv").read_text() != texts[0]


def test_a_table_beside_the_files_or_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "labels.csv").write_text("filename,plane\n0s,brain\n")
    out = folder / "m.csv"
    for _ in range(2):  # what was written there is not taken for a table
        assert run(folder, "-o", out) == 0
        assert [row.plane for row in Manifest.read(out).rows] == [None, "brain", None, None]
        assert "Next: fetalclip data captions" in capsys.readouterr().err
    assert run(folder, "-o", out, "--dicom") == 0
    assert {row.plane for row in Manifest.read(out).rows} == {None}
    (folder / "more.csv").write_text("filename,plane\n1s,brain\n")
    assert run(folder, "-o", out) == 2
    assert "--dicom for none of them" in capsys.readouterr().err
    assert run(folder, "-o", out, "--table", folder / "more.csv") == 0


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_older_manifest_in_the_archive_is_no_table(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    old, out = folder / f"old{suffix}", tmp_path / "m.csv"
    assert run(folder, "-o", old, "--key-file", tmp_path / "key") == 0
    (folder / "labels.csv").write_text("filename,plane\n0s,brain\n")
    assert run(folder, "-o", out, "--key-file", tmp_path / "other") == 0
    talk = capsys.readouterr().err
    assert f"Passed over {old}" in talk
    assert f"Joined by path with {folder / 'labels.csv'}" in talk
    rows = Manifest.read(out).rows
    assert [row.plane for row in rows] == [None, "brain", None, None]
    before = {row.group for row in Manifest.read(old).rows}
    assert not before & {row.group for row in rows}
    (folder / "labels.csv").unlink()
    assert run(folder, "-o", out, "--key-file", tmp_path / "other", "--table", old) == 0  # named, it is one
    assert {row.group for row in Manifest.read(out).rows} == before


def test_a_patient_on_two_sides_of_the_table(
    tmp_path: Path, dicoms: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(4):
        about = {"PatientID": f"SECRET-{number // 2}", "StudyInstanceUID": f"1.2.{number}"}
        (folder / str(number)).write_bytes(dicoms.build(dicoms.pattern(48, 64), **about))
    table, out = tmp_path / "t.csv", tmp_path / "m.csv"
    table.write_text("path,group,split\n0,G,test\n")
    assert run(folder, "-o", out, "--table", table, "--split", "--key-file", tmp_path / "key") == 0
    rows = {row.name: (row.group, row.split) for row in Manifest.read(out).require().rows}
    assert rows["0"] == rows["1"] == ("G", "test")
    assert rows["2"] == rows["3"]
    table.write_text("path,group,split\n0,G,test\n1,H,train\n")
    assert run(folder, "-o", out, "--table", table) == 1
    assert [row.name for row in Manifest.read(out).rows] == ["2", "3"]
    talk = capsys.readouterr().err
    assert "Refused: row 2 (1): mixed splits: the table puts files of its patient" in talk
    assert "SECRET" not in talk


def test_what_cannot_be_used_is_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "cut").write_bytes((folder / "0s").read_bytes()[:300])
    assert run(folder, "-o", tmp_path / "m.csv") == 1
    talk = capsys.readouterr().err
    assert "Refused: cut: unreadable picture" in talk
    assert len(Manifest.read(tmp_path / "m.csv").rows) == 4


def test_usage(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "m.csv"
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "t.csv").write_text("path,plane\na.png,brain\n")
    for words, found in (
        ((folder, "--split"), "--split without a key"),
        ((plain, "--split"), "--split with a folder whose first files are not DICOM"),
        (("hc18", "--root", plain, "--frames", 2), "--frames with the data set hc18"),
        ((folder, "--frames", 0, "--key-file", tmp_path / "none" / "key"), "cannot be made"),
        ((folder, "--key-file", folder / "key"), "apart from the files"),
    ):
        assert run(*words, "-o", out) in (1, 2)
        assert found in capsys.readouterr().err
    for name in ("0s", "1s"):
        (folder / name).unlink()
    assert run(folder, "-o", out, "--frames", 0) == 2
    assert "no row to write" in capsys.readouterr().err
    (folder / "0c").unlink()
    (folder / "1c").write_text("a letter")
    assert run(folder, "--dicom", "-o", out) == 3
    assert not out.exists()


@pytest.mark.slow
def test_from_an_archive_to_a_model(
    archives: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("accelerate")
    made = archives.make(tmp_path, 10)
    monkeypatch.chdir(tmp_path)  # a path may name a patient: it stands in the manifest as it is called here
    monkeypatch.setenv(ENVIRONMENT, bytes(range(32)).hex())
    (tmp_path / "pre.yaml").write_text(PRETRAIN)
    (tmp_path / "tune.yaml").write_text(FINETUNE)
    steps = (
        "data manifest archive --table labels.csv -o m.csv --split --frames 2 --json",
        "data audit m.csv --report audit.html --json",
        "data captions m.csv -o c.jsonl --model fetalclip-tiny --report c.html --json",
        "data shards m.csv -o shards --image-size 32 --json",
        "train pre.yaml data.train=m.csv --out pre --json",
        "train pre.yaml data.train=shards --out sharded --json",
        "train tune.yaml data.table=m.csv data.label=plane data.patient=group --out tuned --json",
        "probe m.csv --label plane --model pre/model -o head --json",
    )
    told = []
    for step in steps:
        assert main(step.split()) == 0, capsys.readouterr().err
        said, talk = capsys.readouterr()
        told.append(json.loads(said.splitlines()[-1]))
        assert not any(secret in said + talk for secret in made.secrets)
        assert "_Jane" not in said + talk
    rows = Manifest.read(tmp_path / "m.csv").require().rows
    assert len(rows) == 50
    assert {row.machine for row in rows} == {"GE Healthcare Voluson E10", "Samsung HERA W10"}
    assert all(row.plane == made.planes[row.path.relative_to(made.folder).as_posix()] for row in rows)
    assert (told[1]["read"], told[1]["unreadable"], told[1]["leaking"]) == (50, [], False)
    assert (told[2]["rows"], told[2]["read_back"]["wrong"]) == (50, 0)
    written = sum(row.split != "test" for row in rows)
    assert sum(one["count"] for one in told[3]["splits"].values()) == written
    assert (told[7]["failed"], told[7]["n"] + told[7]["measured"]["n"]) == (0, 50)
    for path in (tmp_path / "shards").glob("*.tar"):
        with tarfile.open(path) as shard:
            assert {name.rpartition(".")[2] for name in shard.getnames()} == {"json", "png"}
    out = [
        tmp_path / "audit.html",
        *(p for name in ("shards", "pre", "sharded", "tuned", "head") for p in (tmp_path / name).rglob("*")),
    ]
    secrets = [secret.encode() for secret in (*made.secrets, "_Jane", *{row.group for row in rows})]
    found = [path.name for path in out if path.is_file() for secret in secrets if secret in path.read_bytes()]
    assert found == []
