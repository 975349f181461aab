"""``fetalclip demo``: says it is simulated, counts, writes a page, ends with the next command."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import fetalclip
from fetalclip.cli import demo, main
from fetalclip.frame import Frame


@dataclass(frozen=True)
class Drawn:
    frame: Frame


@pytest.fixture
def phantom(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str]]:
    """Two planes the fake model knows by brightness, and one it does not."""
    made = ModuleType("fetalclip.phantom")
    seen: list[tuple[str, int, str]] = []
    level = {"brain": 200, "femur": 50, "thorax": 0}

    def draw(plane: str, seed: int, profile: str = "demo") -> Drawn:
        seen.append((plane, seed, profile))
        return Drawn(Frame(np.full((48, 64), level[plane], np.uint8), (0.2, 0.3)))

    made.PLANES, made.draw = tuple(level), draw  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fetalclip.phantom", made)
    monkeypatch.setattr(fetalclip, "phantom", made, raising=False)
    return seen


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder of its own: ``demo`` writes there."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_it_says_simulated_counts_and_ends_with_the_next_command(model, phantom, somewhere, capsys):
    assert main(["demo"]) == 0
    out, err = capsys.readouterr()
    assert "simulated" in out.splitlines()[0]
    assert "7 of 10 simulated planes named right." in out  # 4 brain, 3 femur; thorax is black and abstains
    assert out.splitlines()[-1].strip() == "fetalclip analyze your-scan.png"
    assert out.count("drawn as brain") == 4
    assert err == ""
    assert [path.name for path in somewhere.iterdir()] == ["report.html"]
    page = (somewhere / "report.html").read_text("utf-8")
    assert "simulated" in page
    assert "http" not in page.split("</head>")[1].replace("http-equiv", "")


def test_every_picture_is_another_one_of_the_demo_profile(model, phantom, capsys):
    main(["demo"])
    assert len(phantom) == 10
    assert len({seed for _, seed, _ in phantom}) == 10
    assert {profile for _, _, profile in phantom} == {"demo"}


def test_json_is_only_json(model, phantom, somewhere, capsys):
    assert main(["demo", "--json"]) == 0
    out, err = capsys.readouterr()
    found: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert [line["schema"] for line in found] == ["fetalclip.analysis/1"] * 10 + ["fetalclip.demo/1"]
    assert found[0]["input"]["mm_per_pixel"] == [0.2, 0.3]
    last = found[-1]
    assert (last["simulated"], last["n"], last["right"], last["report"]) == (True, 10, 7, "report.html")
    assert [plane["name"] for plane in last["planes"]] == [line["input"]["path"] for line in found[:-1]]
    assert "fetalclip analyze your-scan.png" in err


def test_a_folder_keeps_the_pictures(model, phantom, somewhere, tmp_path, capsys):
    out = tmp_path / "deep" / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    assert (out / "report.html").is_file()
    names = sorted(path.name for path in (out / "pictures").iterdir())
    assert len(names) == 10
    assert not any(plane in name for name in names for plane in ("brain", "femur", "thorax"))
    assert list(somewhere.iterdir()) == []


def test_again_is_fine_but_another_report_is_spared(model, phantom, somewhere, capsys):
    assert main(["demo"]) == 0
    assert main(["demo"]) == 0
    (somewhere / "report.html").write_text("<html><title>Mrs Example</title>")
    before = len(phantom)
    capsys.readouterr()
    assert main(["demo"]) == 2
    assert "not a demo's" in capsys.readouterr().err
    assert len(phantom) == before
    assert "Mrs Example" in (somewhere / "report.html").read_text()


def test_an_unwritable_place_is_told_first(model, phantom, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["demo", "--out", str(tmp_path / "file")]) == 2
    assert "--out" in capsys.readouterr().err
    assert phantom == []
    assert model.calls == []


def test_the_next_command_is_a_real_one(capsys):
    command, *_ = demo.NEXT.split()
    assert main([command, "--help"]) == 0


def test_the_next_command_can_be_typed_where_the_program_is_not_on_the_path(monkeypatch):
    monkeypatch.setattr("sys.argv", [".venv/bin/fetalclip", "demo"])
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert demo._program() == ".venv/bin/fetalclip"
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/fetalclip")
    assert demo._program() == "fetalclip"
