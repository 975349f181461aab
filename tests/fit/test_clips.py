"""A table of clips is read with suspicion: what is wrong is told by its rows, and never by a patient's name."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip.errors import BadRecipe, DataMissing, UnreadableInput
from fetalclip.fit.clips import TEST, simulated_clips, table_clips

HEAD = "path,patient,septal defect,effusion,fold"
GOOD = [
    "a.mp4,Doe,1,0,0",
    "b.mp4,Doe,0,,0",
    "c.mp4,Roe,0,1,1",
    "d.mp4,Poe,1,0,1",
    "e.mp4,Moe,1,1,test",
]


def table(folder, lines, head=HEAD):
    for name in "abcde":
        (folder / f"{name}.mp4").write_bytes(name.encode())
    path = folder / "clips.csv"
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def test_a_table_as_it_should_be(tmp_path):
    clips = table_clips(table(tmp_path, GOOD))
    assert clips.findings == ("septal defect", "effusion")
    np.testing.assert_array_equal(clips.labels, [[1, 0], [0, np.nan], [0, 1], [1, 0], [1, 1]])
    assert clips.folds(5).tolist() == [0, 0, 1, 1, TEST]
    assert not clips.simulated
    assert len({clip.key for clip in clips.clips}) == 5
    assert table_clips(table(tmp_path, GOOD), ("effusion",)).labels.shape == (5, 1)


def test_without_folds_patients_are_dealt_whole(tmp_path):
    lines = [line.rpartition(",")[0] for line in GOOD]
    folds = table_clips(table(tmp_path, lines, HEAD.removesuffix(",fold"))).folds(3)
    assert folds[0] == folds[1]
    assert set(folds.tolist()) <= {0, 1, 2}


@pytest.mark.parametrize(
    ("change", "error", "rows"),
    [
        ({1: "b.mp4,Doe,0,,1"}, UnreadableInput, "one patient in two folds: rows 2, 3"),
        ({4: "e.mp4,Roe,1,1,test"}, UnreadableInput, "one patient in two folds: rows 4, 6"),
        ({2: "a.mp4,Roe,0,1,1"}, UnreadableInput, "one clip in several rows: rows 2, 4"),
        ({2: "./a.mp4,Roe,0,1,1"}, UnreadableInput, "one clip in several rows: rows 2, 4"),
        ({0: "gone.mp4,Doe,1,0,0", 3: "x.mp4,Poe,1,0,1"}, DataMissing, "no such clip in rows 2, 5"),
        ({0: ",Doe,1,0,0"}, DataMissing, "no such clip in row 2"),
        ({1: "b.mp4,,0,,0"}, UnreadableInput, "no patient in row 3"),
        ({1: "b.mp4,Doe,yes,,0"}, UnreadableInput, "row 3 has 'yes' for 'septal defect'"),
        ({1: "b.mp4,Doe,2,,0"}, UnreadableInput, "row 3"),
        ({1: "b.mp4,Doe,0,,"}, UnreadableInput, "row 3 has the fold ''"),
        ({1: "b.mp4,Doe,0,,-1"}, UnreadableInput, "row 3"),
        ({2: "c.mp4,Roe,0,0,1"}, UnreadableInput, "only 0 for 'effusion': rows 2, 4, 5"),
        ({0: "a.mp4,Doe,1,,0", 2: "c.mp4,Roe,0,,1", 3: "d.mp4,Poe,1,,1"}, UnreadableInput, "nothing for 'effusion'"),
        ({1: "b.mp4,Doe,1,,0", 2: "c.mp4,Roe,1,1,1"}, UnreadableInput, "only 1 for 'septal defect': rows 2, 3, 4, 5"),
    ],
)
def test_what_is_wrong_is_told_by_its_rows(tmp_path, change, error, rows):
    lines = [change.get(i, line) for i, line in enumerate(GOOD)]
    with pytest.raises(error) as told:
        table_clips(table(tmp_path, lines))
    assert rows in str(told.value)
    assert "oe" not in str(told.value)  # of no patient
    assert str(tmp_path) not in str(told.value)


def test_one_class_may_be_measured_on(tmp_path):
    lines = [line if i != 2 else "c.mp4,Roe,0,0,1" for i, line in enumerate(GOOD[:4])]
    assert len(table_clips(table(tmp_path, lines), check_classes=False).clips) == 4


@pytest.mark.parametrize("head", ["file,patient,x", "path,who,x", "path,patient"])
def test_columns_that_are_missing_are_told(tmp_path, head):
    with pytest.raises(UnreadableInput):
        table_clips(table(tmp_path, [",".join(["a.mp4", "p", "1"][: head.count(",") + 1])], head))


def test_a_finding_that_is_no_column_is_told(tmp_path):
    with pytest.raises(BadRecipe, match="septal defect"):
        table_clips(table(tmp_path, GOOD), ("septum",))


def test_simulated_clips_take_turns():
    hearts = pytest.importorskip("fetalclip.phantom.hearts")
    clips = simulated_clips(50, healthy=0.4, severities=(0.5, 1.0))
    trained = [name for name, one in hearts.FINDINGS.items() if one.trained]
    assert list(clips.findings) == trained
    assert clips.labels.sum(axis=0).tolist() == [3.0] * len(trained)
    assert (clips.labels.sum(axis=1) == 0).sum() == 20
    given = [value for clip in clips.clips for value in clip.severity.values()]
    assert min(given) >= 0.5
    assert [c.severity for c in simulated_clips(50, healthy=0.4).clips] == [c.severity for c in clips.clips]
    shots = list(simulated_clips(3, frames=2).clips[0].open())
    assert [shot.index for shot in shots] == [0, 1]
