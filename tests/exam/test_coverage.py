"""Views of an exam: seen, missing, and the best picture of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fetalclip.errors import UsageError
from fetalclip.exam import ViewRule, covered, load_views
from fetalclip.result import Analysis, Check, InputInfo, PlaneScores

GOOD, BAD = (Check("shadow", "pass", ""),), (Check("shadow", "fail", "dark"),)


def picture(
    name: str, plane: str, share: float = 0.95, sub: str = "", checks=None, abstained: bool = False
) -> Analysis:
    planes = PlaneScores({plane: share, "spine": 1 - share}, abstained=abstained)
    subs = PlaneScores({sub: 0.9, "other": 0.1}) if sub else None
    return Analysis(InputInfo(name), planes, subplane=subs, quality=checks)


def test_seen_and_missing() -> None:
    found = {
        view.name: view
        for view in covered(
            [
                picture("a", "brain", sub="trans-thalamic"),
                picture("b", "brain"),  # no certain sub-plane: no view
                picture("c", "femur", abstained=True),
                picture("d", "thorax"),
                Analysis(InputInfo("e"), error="not read"),
            ]
        )
    }
    assert [name for name, view in found.items() if view.seen] == ["trans-thalamic", "four-chamber"]
    assert found["trans-thalamic"].best == "a"
    assert found["trans-thalamic"].probability == pytest.approx(0.95 * 0.9)
    assert found["femur"].to_dict()["best"] is None
    assert not found["cervix"].needed


def test_quality_decides_between_pictures_of_like_probability() -> None:
    rule = [ViewRule("femur", "Femur", "femur")]
    pictures = [picture("a", "femur", 0.97, checks=BAD), picture("b", "femur", 0.96, checks=GOOD)]
    (view,) = covered([*pictures, picture("c", "femur", 0.6, checks=GOOD)], rule)
    assert (view.best, view.pictures, view.quality) == ("b", 3, "pass")
    (view,) = covered([picture("a", "femur", 0.95, checks=BAD), picture("c", "femur", 0.6, checks=GOOD)], rule)
    assert (view.best, view.quality) == ("a", "fail")


def test_the_list_is_data(tmp_path: Path) -> None:
    names = [rule.name for rule in load_views()]
    assert names[:3] == ["trans-thalamic", "trans-ventricular", "trans-cerebellar"]
    file = tmp_path / "mine.json"
    view = {"name": "spine", "title": "Spine", "plane": "spine"}
    file.write_text(json.dumps({"schema": "fetalclip.views/1", "views": [view]}))
    assert load_views(file) == (ViewRule("spine", "Spine", "spine"),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema": "fetalclip.views/1", "views": []}',
        '{"schema": "fetalclip.views/1", "views": [{"name": "x"}]}',
        '{"schema": "fetalclip.views/1", "views": [{"name": "x", "title": "X", "plane": "x", "needed": 1}]}',
        '{"schema": "fetalclip.views/1", "views": [3]}',
        "[" * 5000,
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"no list of views in broken\.json"):
        load_views(file)
    with pytest.raises(UsageError, match="no such file"):
        load_views(tmp_path / "gone.json")
