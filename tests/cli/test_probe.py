"""``fetalclip probe``: a table in, a head out that ``analyze`` takes, and nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetalclip.cli import main


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Pictures lit below and above, two of each of eight patients."""
    random = np.random.default_rng(0)
    lines = ["filename,label,patient"]
    for i in range(32):
        bright = i % 2
        grey = random.integers(90, 130, (60, 60))
        grey[(slice(0, 30), slice(30, 60))[bright]] += 110  # above or below: a random tower tells these apart
        Image.fromarray(grey.astype(np.uint8)).save(tmp_path / f"p{i}.png")
        lines.append(f"p{i}.png,{'bright' if bright else 'dark'},{bright}-{i // 4}")
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def run(table: Path, *more: str) -> int:
    return main(["probe", str(table), "--model", "fetalclip-tiny", "-o", str(table.parent / "head"), *more])


def test_a_table_becomes_a_head_that_analyze_uses(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(table, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "fetalclip.probe-run/1"
    assert (told["n"], told["patients"], told["classes"]) == (32, 16, {"dark": 16, "bright": 16})
    assert told["measured"]["macro_f1"] > 0.9
    assert told["measured"]["groups"] == 16
    scan, head = str(table.parent / "p1.png"), str(table.parent / "head")
    assert main(["analyze", scan, "--model", "fetalclip-tiny", "--head", head, "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)["probes"]
    assert (answer["head"], answer["label"]) == ("head", "bright")
    assert main(["analyze", scan, "--model", "fetalclip-tiny", "--head", head]) == 0
    assert "head: bright" in capsys.readouterr().out


@pytest.mark.parametrize("method", ["logistic", "few-shot-published", "prompt-mean", "tip-adapter"])
def test_few_shots(table: Path, method: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(table, "--shots", "3", "--sets", "2", "--seeds", "2", "--method", method, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["patients"] == 6
    assert "outside each support set" in told["measured"]["on"]
    assert len(told["measured"]["runs"]) == (4 if method == "few-shot-published" else 2)
    assert told["measured"]["macro_f1"] > (0.3 if method == "few-shot-published" else 0.9)


def test_a_tables_own_test_side_is_only_measured_on(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, *rows = table.read_text().splitlines()
    lines = [f"{first},split"] + [f"{row},{'test' if int(row.split('-')[1]) > 5 else 'train'}" for row in rows]
    table.write_text("\n".join(lines))
    assert run(table, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["measured"]["on"] == "the table's test side"
    assert told["n"] + told["measured"]["n"] == 32


def test_numbers(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = table.read_text().replace("bright", "200").replace("dark", "100")
    table.write_text(text)
    assert run(table, "--number", "days", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["measured"]["mean_error"] < 25
    head = str(table.parent / "head")
    main(["analyze", str(table.parent / "p1.png"), "--model", "fetalclip-tiny", "--head", head, "--json"])
    (answer,) = json.loads(capsys.readouterr().out)["probes"]
    assert answer["unit"] == "days"
    assert answer["low"] < answer["value"] < answer["high"]


def test_a_picture_that_cannot_be_read_is_told_and_left_out(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (table.parent / "p0.png").write_text("no picture")
    assert run(table, "--json") == 1
    out = capsys.readouterr()
    assert "p0.png left out" in out.err
    told = json.loads(out.out)
    assert (told["n"], told["failed"]) == (31, 1)


@pytest.mark.parametrize(
    ("change", "more", "code", "said"),
    [
        (lambda t: t.replace("bright", "dark"), (), 1, "one class only"),
        (lambda t: t + "p0b.png,rare,9\n", (), 3, "are not there"),
        (lambda t: t.replace("p31.png,bright,1-7", "p31.png,rare,1-9"), (), 1, "rare (1)"),
        (lambda t: t, ("--shots", "40"), 2, "--shots 8"),
        (lambda t: t, ("--method", "forest"), 2, "one of logistic"),
        (lambda t: t, ("--label", "lie"), 2, "--label 'lie'"),
        (lambda t: t, ("--number", "days", "--shots", "2"), 2, "--number with"),
        (lambda t: t, ("--number", "days"), 1, "a number"),
        (lambda t: t, ("--prompts", "planes-9"), 2, "without the class"),
    ],
)
def test_bad_input_writes_nothing(table: Path, change, more, code, said, capsys) -> None:  # type: ignore[no-untyped-def]
    table.write_text(change(table.read_text()))
    assert run(table, *more) == code
    assert said in capsys.readouterr().err
    assert not (table.parent / "head").exists()


def test_a_folder_that_holds_something_is_left_alone(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (table.parent / "head").mkdir()
    (table.parent / "head" / "mine.txt").write_text("mine")
    assert run(table) == 2
    assert "is not empty" in capsys.readouterr().err


def test_a_head_of_another_encoder_is_refused(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(table) == 0
    capsys.readouterr()
    head = str(table.parent / "head")
    assert main(["analyze", str(table.parent / "p1.png"), "--head", head]) != 0
    assert "learned from the encoder" in capsys.readouterr().err
