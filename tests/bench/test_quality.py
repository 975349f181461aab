"""The protocol of image quality: it runs without a data set, and scores saved verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from fetalclip.bench.quality import Options, from_predictions, run
from fetalclip.cli import main
from fetalclip.errors import UnreadableInput, UsageError
from fetalclip.frame import Frame
from fetalclip.phantom.faults import FAULTS, spoil
from fetalclip.result import PlaneScores


def test_it_needs_neither_root_nor_heads() -> None:
    found = run(None, None, Options(limit=3, show_progress=False))
    names = [name for name in FAULTS if name != "no cerebellum"]  # that one asks a model
    assert found.n == 2 * 3 * sum(len(FAULTS[name].planes) for name in names)
    keys = [name.replace(" ", "_") for name in names]
    assert [metric.name for metric in found.metrics][::4] == keys
    for key in keys:
        assert found[key].found.value >= 0.6
        assert found[key].goal is not None
    assert found.to_dict()["provenance"]["split"] == "simulated views of profile test"


class Oracle:
    """Takes a picture for a plane of the cerebellum where it is one of those it was told of."""

    card = SimpleNamespace(name="oracle", sha256="", license="", config={"subplanes": {"min_probability": 0.4}})

    def __init__(self, share: float) -> None:
        self.share = share
        self.hind = {spoil("no cerebellum", "brain", 100_000 + i, "test").frame.gray.tobytes() for i in range(3)}

    def subplanes(self, frame: Frame) -> PlaneScores:
        share = self.share if frame.gray.tobytes() in self.hind else 0.01
        return PlaneScores({"trans-thalamic": 1.0 - share, "trans-cerebellum": share})


@pytest.mark.parametrize(("share", "seen"), [(0.9, 1.0), (0.1, 1.0), (0.02, 0.0)])
def test_the_cerebellum_is_asked_of_the_model(share: float, seen: float) -> None:
    found = run(Oracle(share), None, Options(limit=3, show_progress=False))
    assert found["drawn_no_cerebellum_seen"].found.value == seen
    assert found["drawn_no_cerebellum_spared"].found.value == 1.0
    assert found["drawn_no_cerebellum"].goal is not None


def test_saved_verdicts(tmp_path: Path, capsys) -> None:
    file = tmp_path / "saved.json"
    verdicts = ["fail", "fail", "pass", "cannot tell", "fail", "pass"]
    file.write_text(json.dumps({"check": ["shadow"] * 6, "verdict": verdicts, "faulty": [True] * 3 + [False] * 3}))
    found = from_predictions(file)
    assert found["shadow"].found.value == pytest.approx(0.5 * (2 / 3 + 2 / 3))
    assert found["shadow_seen"].found.value == pytest.approx(2 / 3)
    assert found["shadow_blind"].found.value == pytest.approx(1 / 6)
    assert main(["bench", "quality", "--predictions", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["protocol"] == "quality"


@pytest.mark.parametrize(
    "data",
    [
        "x",
        "[]",
        "{}",
        '{"check": [], "verdict": [], "faulty": []}',
        '{"check": ["shadow"], "verdict": ["perhaps"], "faulty": [true]}',
        '{"check": ["blur"], "verdict": ["fail"], "faulty": [true]}',
        '{"check": ["shadow"], "verdict": ["fail"], "faulty": [1]}',
        '{"check": ["shadow"], "verdict": ["fail"], "faulty": [true, false]}',
        '{"check": 3, "verdict": ["fail"], "faulty": [true]}',
    ],
)
def test_files_that_are_no_verdicts(tmp_path: Path, data: str) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(data)
    with pytest.raises(UnreadableInput, match=r"wrong\.json"):
        from_predictions(file)


def test_wrong_options(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        run(None, None, Options(limit=0))
    assert main(["bench", "quality", "--plot", str(tmp_path / "x.png")]) == 2
