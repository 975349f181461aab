"""Files that cannot be meant: the message names the value and the row."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fetalclip.bench.ages import DAYS
from fetalclip.bench.ages_saved import read_ages, read_scores, read_truth
from fetalclip.errors import UnreadableInput

HEADER = "filename,pixel size(mm),head circumference (mm)"
GOOD = ("001_HC.png,0.07,150", "001_2HC.png,0.07,151", "002_HC.png,0.1,200")


def table(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "truth.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_a_good_table(tmp_path: Path) -> None:
    truth = read_truth(table(tmp_path, *GOOD))
    assert truth.name == ("001_HC.png", "001_2HC.png", "002_HC.png")
    assert truth.group == ("001", "001", "002")
    assert truth.hc.tolist() == [150.0, 151.0, 200.0]
    assert truth.spacing is not None
    assert truth.spacing.tolist() == [0.07, 0.07, 0.1]
    ours = table(tmp_path, "heads/a_1.png,0.2,180,x", header="filename,mm_per_pixel,hc_mm,note")
    assert read_truth(ours).group == ("a",)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ((*GOOD, "001_HC.png,0.07,150"), r"row 4: 001_HC\.png is named in row 1 too"),
        ((GOOD[0], "002_HC.png,0,200"), r"row 2 \(002_HC\.png\): pixel size\(mm\) is '0'"),
        ((GOOD[0], "002_HC.png,-0.1,200"), "'-0.1'"),
        ((GOOD[0], "002_HC.png,70,200"), "row 2 .*'70'"),
        ((GOOD[0], "002_HC.png,0.0001,200"), "row 2 .*'0.0001'"),
        ((GOOD[0], "002_HC.png,nan,200"), "row 2 .*'nan'"),
        ((GOOD[0], "002_HC.png,,200"), r"row 2 .*pixel size\(mm\) is missing"),
        ((GOOD[0], "002_HC.png,0.1,"), r"row 2 \(002_HC\.png\): head circumference \(mm\) is missing"),
        ((GOOD[0], "002_HC.png,0.1,big"), "row 2 .*'big'"),
        ((GOOD[0], "002_HC.png,0.1,-3"), "row 2 .*'-3'"),
        ((GOOD[0], "002_HC.png,0.1,20000"), "row 2 .*'20000'"),
        ((GOOD[0], ",0.1,200"), "row 2 names no file"),
        ((GOOD[0], "002_HC.png,0.1"), "2 cells in line 3"),
        ((), "no rows"),
    ],
)
def test_a_truth_that_cannot_be_meant(tmp_path: Path, lines: tuple[str, ...], says: str) -> None:
    with pytest.raises(UnreadableInput, match=says):
        read_truth(table(tmp_path, *lines))


def test_a_truth_without_its_columns_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match=r"no column 'head circumference \(mm\)'"):
        read_truth(table(tmp_path, "a,1", header="filename,hc"))
    with pytest.raises(UnreadableInput, match="no column 'filename'"):
        read_truth(table(tmp_path, "a,1", header="name,hc_mm"))
    for path in (tmp_path / "gone.csv", tmp_path):
        with pytest.raises(UnreadableInput):
            read_truth(path)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(UnreadableInput, match=r"bytes\.csv"):
        read_truth(tmp_path / "bytes.csv")


def saved(folder: Path, **arrays: object) -> Path:
    path = folder / "scores.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_good_scores(tmp_path: Path) -> None:
    truth = read_truth(table(tmp_path, *GOOD))
    scores, digest = read_scores(saved(tmp_path, scores=np.ones((3, 175), np.float32), days=DAYS), truth)
    assert (scores.shape, scores.dtype, len(digest)) == ((3, 175), np.float64, 64)


def bad_scores() -> list[tuple[dict[str, object], str]]:
    nan = np.ones((3, 175), np.float32)
    nan[1, 2] = np.nan
    return [
        ({"scores": np.ones((3, 174)), "days": DAYS}, r"shape \(3, 174\)"),
        ({"scores": np.ones((3, 168)), "days": DAYS[:168]}, "168 days from 98 to 265"),
        ({"scores": np.ones((3, 175)), "days": DAYS + 1}, "175 days from 99 to 273"),
        ({"scores": np.ones((3, 175)), "days": DAYS[::-1]}, "from 272 to 98"),
        ({"scores": np.ones((3, 175)), "days": np.array([])}, "0 days"),
        ({"scores": np.ones(175), "days": DAYS}, r"shape \(175,\)"),
        ({"scores": np.ones((2, 175)), "days": DAYS}, r"2 rows and the truth 3: row 3 of the truth \(002_HC\.png\)"),
        ({"scores": np.ones((4, 175)), "days": DAYS}, "4 rows and the truth 3: row 4 has no truth"),
        ({"scores": nan, "days": DAYS}, r"row 2 \(001_2HC\.png\), day 100: the score nan"),
        ({"scores": np.ones((3, 175))}, "no array 'days'"),
        ({"days": DAYS}, "no array 'scores'"),
        ({"scores": np.full((3, 175), "x"), "days": DAYS}, "no array 'scores'"),
        ({"scores": np.array([{}], dtype=object), "days": DAYS}, "no .npz file of numbers"),
    ]


@pytest.mark.parametrize(("arrays", "says"), bad_scores())
def test_scores_that_cannot_be_meant(tmp_path: Path, arrays: dict[str, object], says: str) -> None:
    truth = read_truth(table(tmp_path, *GOOD))
    with pytest.raises(UnreadableInput, match=says):
        read_scores(saved(tmp_path, **arrays), truth)


def test_files_that_are_no_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = read_truth(table(tmp_path, *GOOD))
    good = saved(tmp_path, scores=np.ones((3, 175), np.float32), days=DAYS)
    (tmp_path / "text.npz").write_text("no zip")
    (tmp_path / "cut.npz").write_bytes(good.read_bytes()[:-60])
    with zipfile.ZipFile(tmp_path / "odd.npz", "w") as archive:
        archive.writestr("scores.npy", b"not an array")
        archive.writestr("days.npy", b"")
    for name in ("text.npz", "cut.npz", "odd.npz", "gone.npz"):
        with pytest.raises(UnreadableInput, match=name.replace(".", r"\.")):
            read_scores(tmp_path / name, truth)
    monkeypatch.setattr("fetalclip.bench.ages_saved._MAX_BYTES", 100)
    with pytest.raises(UnreadableInput, match="unpacks to"):
        read_scores(good, truth)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"days": [150, 151]}, r"2 rows and the truth 3: row 3 of the truth \(002_HC\.png\) has none"),
        ({"days": [150, "soon", 200]}, "row 2: days is 'soon'"),
        ({"days": [150, True, 200]}, "row 2: days is 'True'"),
        ({"days": [150, 151, 1000]}, "row 3: days is '1000'"),
        ({"days": [150, -4, 200]}, "row 2: days is '-4'"),
        ({"prediction": [1, 2, 3]}, "no 'days'"),
        ({"days": 3}, "unusable"),
        ({"days": [150, 151, 200], "low": [1, 2, 3]}, "'low' and 'high'"),
        ({"days": [150, 151, 200], "low": [1, 2], "high": [3, 4]}, "3 of days, 2 of low"),
        (
            {"days": [150, 151, 200], "low": [140, 160, 190], "high": [160, 159, 210]},
            r"row 2 .*from 160 to 159",
        ),
        ({"days": [150, 151, 200], "low": [140, None, 190], "high": [160, 159, 210]}, "from nan to 159"),
        ({"days": [150, 151], "filename": ["001_HC.png", "001_2HC.png"]}, r"no row for 002_HC\.png \(row 3"),
        ({"days": [1, 2, 3], "filename": ["001_HC.png"] * 3}, "row 2: 001_HC.png is named in row 1 too"),
        ({"days": [1, 2, 3, 4], "filename": ["001_HC.png", "001_2HC.png", "002_HC.png", "x.png"]}, "row 4: x.png has"),
        ([150], "holds a list"),
    ],
)
def test_ages_that_cannot_be_meant(tmp_path: Path, data: object, says: str) -> None:
    truth = read_truth(table(tmp_path, *GOOD))
    path = tmp_path / "ages.json"
    path.write_text(json.dumps(data))
    with pytest.raises(UnreadableInput, match=says):
        read_ages(path, truth)
