"""The protocols that score masks, on a stand-in that draws the truth or half of it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("monai")

from fetalclip.bench import head_segmentation, structures
from fetalclip.bench.simulated import simulated_metrics, simulated_sets
from fetalclip.bench.unmeasured import real_rows, refusal_metrics
from fetalclip.data.manifest import Row
from fetalclip.data.splits import part_of
from fetalclip.data.structures import Outlined, load_set
from fetalclip.errors import DataMissing, UsageError
from fetalclip.frame import Frame
from fetalclip.phantom import draw
from fetalclip.result import PlaneScores, Segmentation


def truth(number: int, names: Sequence[str]) -> tuple[Frame, dict[str, np.ndarray]]:
    """A picture that says its own number in its corner, and boxes as masks."""
    pixels = np.zeros((40, 50), np.uint8)
    pixels[0, 0] = number
    masks = {}
    for i, name in enumerate(names):
        masks[name] = np.zeros((40, 50), bool)
        masks[name][5 + i : 25 + i, 10:40] = True
    return Frame(pixels, (0.5, 0.5)), masks


class Drawer:
    """Draws the true boxes, of every third picture nothing; remembers which head was asked."""

    def __init__(self, names):
        self.names, self.asked = names, []

    def segment(self, scans, head="head", views=True):
        self.asked += [(int(scan.gray[0, 0]), head) for scan in scans]
        made = []
        for scan in scans:
            masks = truth(0, self.names)[1]
            if scan.gray[0, 0] % 3 == 0:
                masks = {name: np.zeros_like(mask) for name, mask in masks.items()}
            made.append(Segmentation(masks))
        return made

    def planes(self, scans):
        return [PlaneScores({"brain": 0.9, "femur": 0.1}, abstained=bool(scan.gray[0, 0] % 2)) for scan in scans]


def rows(names, count=6, split="test"):
    return [
        Outlined(lambda n=n: truth(n, names), tuple(names), f"{n}.png", f"g{n}", split, "hc18", "CC-BY-4.0")
        for n in range(1, count + 1)
    ]


def test_head_segmentation(monkeypatch):
    monkeypatch.setattr(head_segmentation, "outlined", lambda *_: rows(["head"]) + rows(["head"], 3, "val"))
    result = head_segmentation.run(Drawer(["head"]), "nowhere")
    assert result.n == 6
    assert result["dice"].found.value == pytest.approx(4 / 6)
    assert result["empty"].found.value == pytest.approx(2 / 6)
    assert result["not_a_head_plane"].found.value == pytest.approx(0.5)
    assert result["hausdorff_95"].found.value == 0.0
    assert result["hausdorff_95"].measured_in == "mm"
    assert [metric.name for metric in result.missed] == ["dice"]
    json.dumps(result.to_dict(), allow_nan=False)


def test_every_picture_is_drawn_by_the_head_of_its_patients_fold(monkeypatch, tmp_path):
    names = load_set("brain").structures
    heads = [tmp_path / f"fold-{fold}" for fold in range(5)]
    monkeypatch.setattr(structures, "outlined", lambda *_: rows(names))
    monkeypatch.setattr(structures, "fold_heads", lambda folder: heads)
    model = Drawer(names)
    result = structures.run(model, "nowhere")
    assert dict(model.asked) == {n: heads[part_of(f"g{n}", 5)] for n in range(1, 7)}
    assert result["brain_dice"].found.value == pytest.approx(4 / 6)
    assert structures.SEEN in result.notes


def test_heads_of_folds_that_are_not_there_are_told(tmp_path):
    for folder in (None, tmp_path, tmp_path / "gone"):
        with pytest.raises(DataMissing, match=r"data\.folds"):
            structures.fold_heads(folder)
    (tmp_path / "fold-0").mkdir()
    with pytest.raises(DataMissing, match="fold-0"):
        structures.fold_heads(tmp_path)


def test_simulated_views_are_of_the_test_profile():
    (wanted,) = simulated_sets(["femur"])
    seen = []

    class Knows:
        def segment(self, scans, head="head", views=True):
            start = len(seen)
            seen.extend(scans)
            return [Segmentation(draw("femur", start + i, "test").masks) for i in range(len(scans))]

    rows_ = {m.name: m for m in simulated_metrics(Knows(), wanted, "femur", 3)}
    assert rows_["simulated_femur_femur_dice"].found.value == 1.0
    assert rows_["simulated_femur_femur_dice"].unit == "drawings"
    np.testing.assert_array_equal(seen[2].gray, draw("femur", 2, "test").frame.gray)
    with pytest.raises(UsageError, match="head"):
        simulated_sets(["head"])


def test_refusals_on_real_pictures_are_counted_and_told(tmp_path):
    wanted = load_set("abdomen-view")
    assert real_rows(wanted, tmp_path) == []  # the data set is absent
    assert refusal_metrics(Drawer(("abdomen",)), wanted, []) == ([], [])
    rows = []
    for i in range(4):
        drawn = draw("abdomen", i, "demo")
        Image.fromarray(drawn.frame.gray).save(tmp_path / f"{i}.png")
        rows.append(Row("fetal-planes-db", tmp_path / f"{i}.png", f"{i}.png", f"FPDB:{i}", -1, "test", "abdomen"))

    class Knows:
        def __init__(self):
            self.at = 0

        def planes(self, scans):
            return [PlaneScores({"abdomen" if i else "brain": 0.9}) for i in range(len(scans))]

        def segment(self, scans, head="head", views=True):
            assert head == "abdomen-view"
            made = []
            for scan in scans:
                masks = draw("abdomen", self.at, "demo").masks
                blank = np.zeros(scan.gray.shape, bool)
                made.append(Segmentation({"abdomen": masks["abdomen"] if self.at < 3 else blank}))
                self.at += 1
            return made

    metrics, notes = refusal_metrics(Knows(), wanted, rows)
    found = {metric.name: metric.found.value for metric in metrics}
    assert found["real_abdomen_view_another_plane"] == 0.25
    assert found["real_abdomen_view_refused"] >= 0.25
    assert found["real_abdomen_view_refused"] * 4 == int(notes[0].split(", ")[1].split(" of ")[0])
