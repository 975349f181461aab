"""``analyze --exam``: a folder's files, then what they say together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fetalclip.cli import main
from fetalclip.cli.exams import ExamFiles, Exams, walk_exams
from fetalclip.clinical.age import IndependentAge
from fetalclip.errors import UsageError
from fetalclip.exam.gather import shown
from fetalclip.result import Analysis, InputInfo, Measurement, PlaneScores

SIZES = {"HC": (175.0, "outer", "brain"), "AC": (152.0, "outer", "abdomen"), "FL": (33.0, "diaphysis", "femur")}


def picture(name: str, symbol: str, share: float = 0.9, size: float | None = None) -> Analysis:
    value, definition, plane = SIZES[symbol]
    taken = Measurement(symbol, value if size is None else size, definition=definition, source="tiny")
    planes = PlaneScores({plane: share, "thorax": 1 - share})
    return Analysis(InputInfo(f"case/{name}"), planes, biometry=(taken,))


@pytest.fixture
def cases(tmp_path: Path) -> list[Path]:
    """Two folders of grey pictures; the second holds a file that is none."""
    for name, files in (("one", "ab"), ("two", "c")):
        (tmp_path / name).mkdir()
        for file in files:
            Image.fromarray(np.full((30, 40), 200, np.uint8)).save(tmp_path / name / f"{file}.png")
    (tmp_path / "two" / "d.txt").write_text("no picture")
    return [tmp_path / "one", tmp_path / "two"]


@pytest.fixture
def measuring(model, monkeypatch):
    """The fake model, which also measures: an HC on a, an FL on b, a refused HC on every other."""
    plain = model._one

    def one(path, options):
        found = plain(path, options)
        if found.error is not None:
            return found
        symbol = {"a.png": "HC", "b.png": "FL"}.get(Path(path).name)
        refused = Measurement("HC", None, note="cut by the sector's edge")
        return replace(found, biometry=(refused,) if symbol is None else picture("x", symbol).biometry)

    monkeypatch.setattr(model, "_one", one)
    return model


def test_weight_and_ratios_come_of_the_exam_only():
    exams = Exams([ExamFiles(Path("case"), [Path("x")] * 4)])
    pictures = [picture("1", "HC", 0.6, 190.0), picture("2", "HC"), picture("3", "AC"), picture("4", "FL")]
    *before, exam = [exams.add(one) for one in pictures]
    assert before == [None, None, None]
    assert exam["HC"].value == 175.0  # of the picture that shows the plane best
    assert exam["HC/AC"].value == pytest.approx(175.0 / 152.0)
    assert exam["FL/AC"].value == pytest.approx(33.0 / 152.0)
    assert exam.efw.value == pytest.approx(339, rel=0.1)
    assert exam.coverage == {"abdomen": 1, "brain": 2, "femur": 1}
    assert exam.path == "case"
    assert exam["HC"].centile_value is None


def test_an_age_known_without_the_pictures_gives_centiles():
    exams = Exams([ExamFiles(Path("case"), [Path("x")])], IndependentAge.given("20w3d"))
    exam = exams.add(picture("1", "HC"))
    assert 1 < exam["HC"].centile_value < 99
    assert exam["HC"].reference


def test_one_exam_does_not_leak_into_the_next():
    exams = Exams([ExamFiles(Path("a"), [Path("x")] * 2), ExamFiles(Path("b"), [Path("y")])])
    unread = Analysis(InputInfo("a/broken"), error="not a picture")
    first, second = [done for one in (picture("1", "HC"), unread, picture("2", "FL")) if (done := exams.add(one))]
    assert [one.name for one in first.measures] == ["HC"]
    assert "1 of 2 files not read" in first.warnings
    assert [one.name for one in second.measures] == ["FL"]
    assert not any("not read" in warning for warning in second.warnings)
    assert exams.add(picture("3", "HC")) is None


def test_a_picture_without_a_plane_covers_none():
    one = replace(picture("1", "HC"), plane=PlaneScores({"brain": 0.4, "femur": 0.6}, abstained=True))
    assert shown(one).planes == {}
    assert shown(one).name == "1"
    assert shown(replace(one, plane=None, biometry=None)).measures == ()


def test_json_has_one_line_for_each_exam_after_its_files(measuring, cases, capsys):
    assert main(["analyze", *map(str, cases), "--exam", "--json"]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["schema"].split(".")[1] for line in found] == [
        *("analysis/1", "analysis/1", "exam/1"),
        *("analysis/1", "analysis/1", "exam/1"),
    ]
    keys = [
        "schema",
        "path",
        "part",
        "study",
        "series",
        "patient",
        "age",
        "measures",
        "efw",
        "coverage",
        "quality",
        "triage",
        "warnings",
    ]
    assert list(found[2]) == list(found[5]) == keys
    assert [found[2]["path"], found[5]["path"]] == [str(case) for case in cases]
    assert [one["name"] for one in found[2]["measures"]] == ["HC", "FL", "FL/HC"]
    assert found[5]["warnings"] == [
        "no HC: cut by the sector's edge",
        "no weight: HC, AC, FL not measured",
        "1 of 2 files not read",
    ]


def test_text_has_a_block_for_each_exam(measuring, cases, capsys):
    assert main(["analyze", str(cases[0]), "--exam"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("exam "))
    assert lines[at:] == [
        f"exam {cases[0]}: brain 2",
        "    HC 175.0 mm; FL 33.0 mm",
        "    FL/HC 0.189",
        "    warning: no weight: AC not measured",
        "    views:",
        "      Head, trans-thalamic                   missing",
        "      Head, trans-ventricular                missing",
        "      Head, trans-cerebellar                 missing",
        "      Chest with the heart's four chambers   missing",
        "      Abdomen with stomach and portal sinus  missing",
        "      Femur along its shaft                  missing",
        "      Maternal cervix                        not seen (not needed)",
        "    to look at:",
        "      soon: no picture of: Head, trans-thalamic",
        "      soon: no picture of: Head, trans-ventricular",
        "      soon: no picture of: Head, trans-cerebellar",
        "      soon: no picture of: Chest with the heart's four chambers",
        "      soon: no picture of: Abdomen with stomach and portal sinus",
        "      soon: no picture of: Femur along its shaft",
        "      note: no picture of: Maternal cervix",
    ]
    assert lines[1] == "    HC 175.0 mm"


def test_without_the_flag_there_is_no_exam(measuring, cases, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["analyze", str(cases[0]), "--json", "--report", str(page)]) == 0
    assert "exam/1" not in capsys.readouterr().out
    assert "<h2>Exam" not in page.read_text()


def test_the_page_has_the_exam(measuring, cases, tmp_path):
    page = tmp_path / "page.html"
    main(["analyze", *map(str, cases), "--exam", "--report", str(page)])
    text = page.read_text()
    assert "<h2>Exams (2)</h2>" in text
    assert '<h3 id="exam-1">one</h3>' in text
    assert "<h2>Needs a person first</h2>" in text
    first = text.split('<ol class="triage">')[1]
    assert first.index("#exam-2") < first.index("#exam-1")  # a file was not read


def test_several_exams_are_listed_by_urgency_at_the_end(measuring, cases, capsys):
    main(["analyze", *map(str, cases), "--exam"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3] == "exams in the order in which they need a person:"
    assert lines[-2].startswith(f"  1. {cases[1]}: soon: no picture of")
    assert lines[-1].startswith(f"  2. {cases[0]}: soon: no picture of")
    assert measuring.calls[-1]["quality"] is True
    main(["analyze", *map(str, cases), "--exam", "--json"])
    assert "order in which" not in capsys.readouterr().out


def test_without_exam_no_quality_is_asked(measuring, cases):
    main(["analyze", str(cases[0])])
    assert measuring.calls[-1]["quality"] is False


def test_refused_measures_are_lines_too(measuring, cases, capsys):
    main(["analyze", str(cases[1] / "c.png")])
    assert "    warning: no HC: cut by the sector's edge" in capsys.readouterr().out.splitlines()


def test_a_file_is_no_exam(model, cases, capsys):
    assert main(["analyze", str(cases[0] / "a.png"), "--exam"]) == 2
    err = capsys.readouterr().err
    assert f"fetalclip analyze {cases[0]} --exam" in err
    assert model.calls == []


def test_folders_that_are_no_exams_are_told(cases, tmp_path):
    (tmp_path / "empty").mkdir()
    inside = cases[0] / "inside"
    inside.mkdir()
    Image.new("L", (9, 9)).save(inside / "e.png")
    for wrong, said in (
        ([tmp_path / "gone"], "not there"),
        ([tmp_path / "empty"], "no file"),
        ([cases[0], inside], "share files"),
        ([cases[0], cases[0] / "inside" / ".."], "share files"),
    ):
        with pytest.raises(UsageError, match=said):
            walk_exams(wrong)
    assert [len(files) for _, files in walk_exams(cases)] == [3, 2]
