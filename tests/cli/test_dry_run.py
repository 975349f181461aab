"""``fetalclip train --dry-run``: the published recipe as data and as a page; other kinds of recipes are told no."""

from __future__ import annotations

import json

import pytest

from fetalclip.cli import main
from fetalclip.cli.dry_run import lines

SMALL = ("model.vit.layers=1", "model.text.layers=1", "optim.batch=16")


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> dict:
    """Nothing but the JSON object on stdout, and no folder made."""
    import contextlib
    import io

    folder = tmp_path_factory.mktemp("dry")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(["train", "published", "--dry-run", "--json", "--out", str(folder / "run")]) == 0
    assert list(folder.iterdir()) == []
    return json.loads(said.getvalue())


def test_the_published_recipe_is_told_as_data(published):
    assert published["schema"] == "fetalclip.dry-run/1"
    assert published["parameters"]["together"]["all"] == 427_647_233
    assert published["time"]["where"] == "8 x H100 SXM"
    assert [check["ok"] for check in published["checks"] if check["name"] == "batch"] == [True]


def test_and_as_a_page(published):
    page = "\n".join(lines(published))
    assert "427,647,233" in page
    assert "NO  start" in page
    assert "assumed (planned.share)" in page
    assert page.isascii()
    bare = {**published, "time": None, "time_note": "not measured", "steps": None}
    assert "not measured" in "\n".join(lines(bare))


def test_changes_reach_the_dry_run(capsys, tmp_path):
    words = [*SMALL, "optim.batch=1000", "planned.processes=3", "--out", str(tmp_path / "run"), "--dry-run", "--json"]
    assert main(["train", "published", *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {check["name"]: check["ok"] for check in told["checks"]}["batch"] is False


def test_a_used_folder_is_no_matter(capsys, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").touch()
    assert main(["train", "published", *SMALL, "--dry-run", "--out", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out.startswith("my-fetalclip-vit-l-14\n")


@pytest.mark.parametrize("name", ["open", "heart", "segment", "finetune"])
def test_another_kind_of_recipe_is_told_no(name, capsys):
    assert main(["train", name, "--dry-run"]) == 2
    assert "objective: pretrain" in capsys.readouterr().err
