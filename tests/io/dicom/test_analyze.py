"""DICOM through ``analyze`` and ``info``: files, folders and a DICOMDIR, and nobody's name in what is said."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from fetalclip.cli import main
from fetalclip.phantom import draw

from .conftest import SECRET, build, region
from .test_directory import index


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    """A still with a scale, a clip without one, a damaged file and a DICOMDIR that names the first two."""
    folder = tmp_path / "exam"
    folder.mkdir()
    scan = draw("brain", seed=1).frame.gray[:480, :640]
    height, width = scan.shape
    whole = region(RegionLocationMaxX1=width - 1, RegionLocationMaxY1=height - 1)
    (folder / "A1").write_bytes(build(scan, regions=[whole], PatientComments="SECRET-17 here"))
    (folder / "A2").write_bytes(build(np.stack([scan] * 3), regions=[]))
    (folder / "A3").write_bytes(build(scan)[:5000])
    (folder / "DICOMDIR").write_bytes(index(["A1"], ["A2"]))
    return folder


def test_analyze(exam: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        code = main(["analyze", str(exam), "--model", "fetalclip-tiny", "--json"])
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [Path(line["input"]["path"]).name for line in lines] == ["A1", "A2", "A3"]
    still, clip, damaged = lines
    assert still["input"]["mm_per_pixel"] == pytest.approx([0.2, 0.2])
    assert (still["input"]["kind"], clip["input"]["kind"], clip["input"]["frames"]) == ("image", "cine", 3)
    assert clip["input"]["mm_per_pixel"] is None
    assert "no millimetres per pixel: the file has no ultrasound regions" in clip["warnings"]
    assert "truncated" in damaged["error"]
    for text in (out, err, caplog.text):
        assert SECRET not in text
        assert "SECRET-17" not in text
    assert main(["analyze", str(exam / "DICOMDIR"), "--model", "fetalclip-tiny", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_info(exam: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(exam / "A1")]) == 0
    out = capsys.readouterr().out
    assert "ultrasound image" in out
    assert "PatientName" in out
    assert SECRET not in out
    assert main(["info", str(exam / "A1"), "--identifiers"]) == 0
    assert SECRET in capsys.readouterr().out


def test_links_that_lead_in_circles_end(exam: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.symlink(exam, exam / "again")
    (exam / "self").symlink_to(exam / "self")
    assert main(["info", str(exam), "--json"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 4
