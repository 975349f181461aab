"""What ``fetalclip analyze`` says, where it says it, and how it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetalclip.cli import main
from fetalclip.clinical.age import IndependentAge
from fetalclip.result import AgeEstimate


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_is_one_line_per_file_and_nothing_else_on_stdout(model, pictures, capsys):
    code = main(["analyze", str(pictures), "--json"])
    out, err = capsys.readouterr()
    found = lines_of(out)
    assert code == 1  # one file is no picture
    assert [Path(line["input"]["path"]).name[0] for line in found] == ["a", "b", "c", "d"]
    assert [line["plane"] and line["plane"]["label"] for line in found] == ["brain", "femur", "femur", None]
    assert [bool(line["error"]) for line in found] == [False, False, False, True]
    assert found[2]["plane"]["abstained"] is True
    assert all(line["schema"] == "fetalclip.analysis/1" for line in found)
    assert "d-words.txt" in err
    assert "4 files: 2 named, 1 abstained, 1 not read." in err


def test_text_lines_show_plane_share_and_abstention(model, pictures, capsys):
    main(["analyze", str(pictures)])
    out, err = capsys.readouterr()
    bright, dark, black, reason, words = out.splitlines()
    assert "brain" in bright
    assert "90.0 %" in bright
    assert "femur" in dark
    assert "abstained" in black
    assert "closest: femur" in black
    assert "blank" in reason  # once, though it is a warning too
    assert "not read" in words
    assert "\x1b" not in out + err


def test_a_single_good_picture_is_one_line_and_exit_0(model, pictures, capsys):
    assert main(["analyze", str(pictures / "a-bright.png")]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert err == ""


def test_a_missing_file_is_a_line_with_an_error(model, tmp_path, capsys):
    assert main(["analyze", str(tmp_path / "nope.png"), "--json"]) == 1
    out, err = capsys.readouterr()
    (line,) = lines_of(out)
    assert line["input"]["path"].endswith("nope.png")
    assert line["error"]
    assert "nope.png" in err


def test_an_empty_folder_is_told(model, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["analyze", str(tmp_path / "empty")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "empty" in err


def test_the_heart_can_be_asked_for(model, pictures):
    main(["analyze", str(pictures), "--tasks", "planes,heart", "--head", "mine"])
    assert model.calls[-1]["tasks"] == ("planes", "heart")
    assert model.calls[-1]["heads"] == ["mine"]


def test_an_age_known_without_the_pictures_is_passed_on(model, pictures):
    assert main(["analyze", str(pictures), "--ga", "20w3d"]) == 1  # one file is no picture
    assert model.calls[-1]["ga"] == IndependentAge.given("20w3d")
    week = (date.today() - timedelta(days=140)).isoformat()
    main(["analyze", str(pictures), "--lmp", week])
    assert (model.calls[-1]["ga"].days, model.calls[-1]["ga"].source) == (140, "LMP")
    main(["analyze", str(pictures)])
    assert model.calls[-1]["ga"] is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--ga", "20w3d", "--lmp", "2026-01-31"], "one of them"),
        (["--ga", "20"], "20w0d"),
        (["--lmp", "31/01/2026"], "2026-05-31"),
        (["--lmp", "1999-01-31"], "45"),
    ],
)
def test_a_wrong_age_is_told_before_any_picture_is_read(model, pictures, capsys, given, said):
    assert main(["analyze", str(pictures), *given]) == 2
    assert said in capsys.readouterr().err
    assert model.calls == []


def test_heads_are_passed_on(model, pictures):
    main(["analyze", str(pictures), "--head", "head", "--head", "mine"])
    assert model.calls[-1]["heads"] == ["head", "mine"]
    main(["analyze", str(pictures)])
    assert model.calls[-1]["heads"] is None


def test_an_unknown_task_is_told(model, pictures, capsys):
    assert main(["analyze", str(pictures), "--tasks", "plane"]) == 2
    assert "Try: --tasks planes" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "x", "0.1,0.2,0.3", "", "70"])
def test_a_senseless_spacing_is_refused(model, pictures, capsys, text):
    assert main(["analyze", str(pictures), f"--pixel-spacing={text}"]) == 2
    assert "--pixel-spacing" in capsys.readouterr().err
    assert model.calls == []


@pytest.mark.parametrize(("text", "spacing"), [("0.07", [0.07, 0.07]), ("0.07,0.08", [0.07, 0.08])])
def test_spacing_reaches_the_answer(model, pictures, capsys, text, spacing):
    main(["analyze", str(pictures / "a-bright.png"), "--json", "--pixel-spacing", text])
    assert lines_of(capsys.readouterr().out)[0]["input"]["mm_per_pixel"] == spacing


def test_a_spacing_table_reaches_the_answer(model, pictures, tmp_path, capsys):
    table = tmp_path / "spacing.csv"
    table.write_text("filename,mm_per_pixel\na-bright.png,0.11\n")
    main(["analyze", str(pictures / "a-bright.png"), "--json", "--spacing-csv", str(table)])
    assert lines_of(capsys.readouterr().out)[0]["input"]["mm_per_pixel"] == [0.11, 0.11]
    assert main(["analyze", str(pictures), "--spacing-csv", str(table), "--pixel-spacing", "1"]) == 2


def test_options_reach_the_model(model, pictures, capsys):
    main(["analyze", str(pictures), "--overlay", "keep", "--tasks", "planes"])
    (call,) = model.calls
    assert call["overlay"] == "keep"
    assert call["tasks"] == ("planes",)
    assert main(["analyze", str(pictures), "--overlay", "only"]) == 2


@pytest.mark.parametrize(("words", "tasks"), [([], None), (["--tasks", "planes, age"], ("planes", "age"))])
def test_without_tasks_the_model_decides(model, pictures, words, tasks):
    main(["analyze", str(pictures), *words])
    assert model.calls[0]["tasks"] == tasks


def test_an_age_is_a_line_of_its_own_with_both_intervals(model, pictures, capsys, monkeypatch):
    age = AgeEstimate(142, 131, 154, "prompted", "WHO 2017 V3 HC", model_low=135, model_high=149, level=0.9)
    other = ("no age: not a head plane (femur)",)
    one = model._one
    monkeypatch.setattr(model, "_one", lambda *args: replace(one(*args), age=age, warnings=other))
    main(["analyze", str(pictures / "a-bright.png")])
    _, second = capsys.readouterr().out.splitlines()  # what every femur has is not said
    assert second == (
        "    age 20w2d, 18w5d to 22w0d with the spread of healthy heads; 19w2d to 21w2d the model alone (90 %)"
    )
    main(["analyze", str(pictures / "a-bright.png"), "--json"])
    (line,) = lines_of(capsys.readouterr().out)
    assert line["gestational_age"]["model_low"] == 135
    assert line["warnings"] == list(other)


def test_broken_prompts_are_told_before_the_model_loads(model, pictures, tmp_path, capsys):
    broken = tmp_path / "prompts.json"
    broken.write_text("[]")
    assert main(["analyze", str(pictures), "--prompts", str(broken)]) == 2
    assert model.calls == []


def test_unwritable_outputs_are_told_before_any_work(model, pictures, tmp_path, capsys):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    for option, value in (
        ("--report", tmp_path / "no-such-folder" / "r.html"),
        ("--report", tmp_path / "r.png"),
        ("--drawings", in_the_way),
        ("--drawings", in_the_way / "below"),
        ("--drawings", pictures),  # drawings among the inputs would be read as pictures next time
    ):
        assert main(["analyze", str(pictures), option, str(value)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert option in err
        assert err.count("\n") == 1
    (tmp_path / "r.html").mkdir()
    assert main(["analyze", str(pictures), "--report", str(tmp_path / "r.html")]) == 2
    assert model.calls == []


def test_report_and_drawings_are_written_whole(model, pictures, tmp_path, capsys):
    other = pictures / "below"
    other.mkdir()
    Image.fromarray(np.full((48, 64), 220, np.uint8)).save(other / "a-bright.png")
    page, drawings = tmp_path / "exam.html", tmp_path / "deep" / "drawings"
    code = main(["analyze", str(pictures), "--report", str(page), "--drawings", str(drawings)])
    assert code == 1
    assert "a-bright.png" in page.read_text("utf-8")
    assert sorted(path.name for path in drawings.iterdir()) == [
        "a-bright.png.2.png",
        "a-bright.png.png",
        "b-dark.png.png",
        "c-black.png.png",
    ]
    with Image.open(drawings / "b-dark.png.png") as drawn:
        assert drawn.width >= 64
    assert not list(tmp_path.glob(".unfinished*"))


def test_an_unknown_model_lists_the_known_ones(pictures, capsys):
    assert main(["analyze", str(pictures), "--model", "fetalclip-opn"]) == 3
    err = capsys.readouterr().err
    assert "fetalclip-tiny" in err
    assert "Try: fetalclip-open" in err


def test_a_model_that_is_not_here_says_why(pictures, capsys):
    assert main(["analyze", str(pictures), "--model", "fetalclip-vit-l-14"]) == 3
    assert "not included" in capsys.readouterr().err


def test_names_cannot_write_to_the_terminal(model, tmp_path, capsys):
    name = "\x1b[31mred\udcff.png"
    try:
        Image.fromarray(np.full((48, 64), 200, np.uint8)).save(tmp_path / name)
    except (OSError, UnicodeError):
        pytest.skip("this file system does not allow such names")
    assert main(["analyze", str(tmp_path)]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert main(["analyze", str(tmp_path), "--json"]) == 0
    (line,) = lines_of(capsys.readouterr().out)
    assert line["input"]["path"].endswith(name)


def test_a_brains_subplane_stands_on_its_line(model, pictures, capsys, monkeypatch):
    from dataclasses import replace

    from fetalclip.result import PlaneScores

    found = PlaneScores({"trans-thalamic": 0.7, "trans-cerebellum": 0.3})
    plain = model._one
    monkeypatch.setattr(model, "_one", lambda *given: replace(plain(*given), subplane=found))
    assert main(["analyze", str(pictures / "a-bright.png")]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("trans-thalamic 70.0 %")
    assert main(["analyze", str(pictures / "a-bright.png"), "--json"]) == 0
    assert lines_of(capsys.readouterr().out)[0]["subplane"]["label"] == "trans-thalamic"
