"""Model folders of a trained model, small enough to make for every test."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fetalclip.cards import Card, get_card, read_folder

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Card]:
    """A copy of the bundled folder with a small weight file that nobody loads; ``change`` gets at its config."""

    def made(change: Change = lambda config: None, name: str = "model") -> Card:
        source = get_card("fetalclip-open").folder
        assert source is not None
        folder = tmp_path / name
        folder.mkdir()
        weights = b"not loaded here"
        (folder / "model.safetensors").write_bytes(weights)
        (folder / "tokenizer.json").write_text("{}")
        shutil.copy(source / "README.md", folder / "README.md")
        config = json.loads((source / "config.json").read_text("utf-8"))
        sha256 = hashlib.sha256(weights).hexdigest()
        config["weights"]["sha256"] = sha256
        for key, result in config["results"].items():
            if key.startswith("bench_"):
                result["provenance"]["model_sha256"] = sha256
        change(config)
        (folder / "config.json").write_text(json.dumps(config))
        return read_folder(folder)

    return made
