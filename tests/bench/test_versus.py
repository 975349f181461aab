"""Two results on the same pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fetalclip.bench import planes_from_predictions, subplanes_from_predictions
from fetalclip.bench.table import BenchResult
from fetalclip.bench.versus import compare
from fetalclip.errors import UsageError

LABEL = ["brain", "brain", "femur", "femur", "thorax", "thorax"] * 5
GROUP = [f"p{i // 3}" for i in range(30)]
GOOD = LABEL
WEAK = ["brain", "kidney", *LABEL[2:]]


@pytest.fixture
def scored(tmp_path: Path) -> Callable[..., BenchResult]:
    def make(prediction: list[str], **more: Any) -> BenchResult:
        path = tmp_path / "answers.json"
        path.write_text(json.dumps({"prediction": prediction, "label": LABEL, "group": GROUP, **more}))
        return planes_from_predictions(path)

    return make


def test_the_difference_is_paired(scored: Callable[..., BenchResult]) -> None:
    good, weak = scored(GOOD), scored(WEAK)
    result = compare(good, weak, "weak one")
    gap = result["versus_accuracy"]
    assert gap.found.value == pytest.approx(1 / 30)
    assert gap.found.low >= 0
    assert gap.section == "Less weak one, paired"
    assert compare(weak, good, "x")["versus_accuracy"].found.value == pytest.approx(-1 / 30)
    same = compare(good, good, "itself")["versus_macro_f1"].found
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    assert result["macro_f1"].rival is not None
    assert result["macro_f1"].rival.value == weak["macro_f1"].found.value
    told = result.to_dict()
    assert told["metrics"]["macro_f1"]["versus"]["value"] == weak["macro_f1"].found.value
    assert told["provenance"]["versus"]["name"] == "weak one"
    assert told["provenance"]["versus"]["predictions_sha256"] == weak.provenance["predictions_sha256"]
    head = str(result).splitlines()[0]
    assert "versus" in head
    assert "versus" not in str(good).splitlines()[0]


def test_scores_bring_more_to_compare(scored: Callable[..., BenchResult]) -> None:
    sure = [{name: 0.8 if name == said else 0.1 for name in ("brain", "femur", "thorax")} for said in GOOD]
    shy = [{name: 0.5 if name == said else 0.25 for name in ("brain", "femur", "thorax")} for said in GOOD]
    result = compare(scored(GOOD, scores=sure), scored(GOOD, scores=shy), "shy")
    assert result["versus_ece"].found.value == pytest.approx(0.2 - 0.5)
    assert result["versus_brier"].found.value == pytest.approx(0.06 - 0.375)
    plain = compare(scored(GOOD, scores=sure), scored(GOOD), "plain")
    assert "versus_ece" not in {metric.name for metric in plain.metrics}


def test_other_pictures_are_refused_by_their_row(scored: Callable[..., BenchResult], tmp_path: Path) -> None:
    good = scored(GOOD)
    moved = scored(GOOD, label=[*LABEL[:4], "abdomen", *LABEL[5:]])
    with pytest.raises(UsageError, match="picture 5 has the truth 'thorax' in one, 'abdomen' in the other"):
        compare(good, moved, "x")
    with pytest.raises(UsageError, match="picture 1 has the group"):
        compare(good, scored(GOOD, group=[f"q{i}" for i in range(30)]), "x")
    short = scored(GOOD[:9], label=LABEL[:9], group=GROUP[:9])
    with pytest.raises(UsageError, match="30 rows against 9"):
        compare(good, short, "x")
    path = tmp_path / "three.json"
    path.write_text(json.dumps({"prediction": ["trans-thalamic"], "label": ["trans-thalamic"]}))
    with pytest.raises(UsageError, match="one protocol"):
        compare(good, subplanes_from_predictions(path), "x")


def test_groups_come_from_the_file_that_has_them(scored: Callable[..., BenchResult]) -> None:
    bare = scored(WEAK, group=None)
    found = [
        compare(scored(GOOD), bare, "x"),
        compare(bare, scored(GOOD), "x"),
        compare(scored(GOOD), scored(WEAK), "x"),
    ]
    assert [result["versus_accuracy"].found.groups for result in found] == [10, 10, 10]
    assert any(note.startswith('x: no "group"') for note in found[0].notes)
