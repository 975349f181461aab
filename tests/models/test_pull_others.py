"""Pulling repositories of other kinds of models: terms first, whole or not at all. The hub is on this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fetalclip.cards import get_card
from fetalclip.cli import main
from fetalclip.errors import NotAvailable, UsageError
from fetalclip.foreign import look, place
from fetalclip.models import pull_others

REPOSITORY, NAME = "someone/dino", "transformers:someone/dino"
FILES = {
    "config.json": b'{"model_type": "dinov2"}',
    "preprocessor_config.json": b"{}",
    "model.safetensors": b"w" * 1000,
    "README.md": b"---\nlicense: cc-by-nc-4.0\n---\n# A model",
    "modeling_mine.py": b"raise SystemExit",
}


@pytest.fixture
def dino(hub):
    hub.repository = REPOSITORY
    hub.files.clear()
    hub.files.update(FILES)
    return hub


def kept() -> list[str]:
    cache = Path(os.environ["FETALCLIP_CACHE"]) / "foreign"
    return sorted(path.relative_to(cache).as_posix() for path in cache.rglob("*") if path.is_file())


def test_accepted_it_is_here_by_name(dino, capsys):
    assert main(["models", "pull", NAME, "--accept-license", "--json"]) == 0
    out, err = capsys.readouterr()
    made = json.loads(out)
    assert (made["license"], made["repository"], made["fetched"]) == ("cc-by-nc-4.0", REPOSITORY, True)
    assert made["files"]["model.safetensors"]["bytes"] == 1000
    assert "cc-by-nc-4.0" in err
    card = get_card(NAME)
    assert card.license == "cc-by-nc-4.0"
    assert card.foreign.folder == place(NAME) == Path(made["folder"])
    assert {path.rpartition("/")[2] for path in kept()} == set(FILES) - {"modeling_mine.py"}
    assert not any("modeling" in one.path for one in dino.asked)
    assert main(["models", "pull", NAME]) == 0
    assert "is here already" in capsys.readouterr().err


def test_not_accepted_nothing_of_the_model_is_fetched(dino, capsys):
    assert main(["models", "pull", NAME]) == 2
    assert "--accept-license" in capsys.readouterr().err
    with pytest.raises(UsageError, match="was not accepted"):
        pull_others.pull(pull_others.offer(look(NAME)), accepted=False)
    assert {one.path.rpartition("/")[2] for one in dino.gets()} == {"README.md"}
    assert kept() == []


def test_a_download_that_breaks_leaves_no_folder(dino, capsys):
    dino.sent["model.safetensors"] = b"other"
    assert main(["models", "pull", NAME, "--accept-license"]) == 3
    assert kept() == []
    assert not get_card(NAME).available
    dino.sent.clear()
    assert main(["models", "pull", NAME, "--accept-license"]) == 0
    assert (place(NAME) / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_card_without_a_licence(dino):
    dino.files["README.md"] = b"# no head"
    assert pull_others.offer(look(NAME)).license == "unknown"
    del dino.files["README.md"]
    assert pull_others.offer(look(NAME)).license == "unknown"


def test_a_pickle_is_taken_where_there_is_nothing_safer(dino):
    dino.files["pytorch_model.bin"] = b"p"
    assert "pytorch_model.bin" not in pull_others.offer(look(NAME)).files
    del dino.files["model.safetensors"]
    assert "pytorch_model.bin" in pull_others.offer(look(NAME)).files


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_repository_of_something_else(name, dino):
    del dino.files[name]
    with pytest.raises(NotAvailable):
        pull_others.offer(look(NAME))


def test_offline_nothing_is_asked(dino, capsys):
    assert main(["models", "pull", NAME, "--offline", "--accept-license"]) == 3
    assert "offline" in capsys.readouterr().err
    assert dino.asked == []


def test_openclips_repository_with_its_tokenizer(dino):
    text = {"hf_model_name": REPOSITORY, "hf_tokenizer_name": REPOSITORY}
    config = {"model_cfg": {"embed_dim": 4, "vision_cfg": {}, "text_cfg": text}}
    dino.files.update({"open_clip_config.json": json.dumps(config).encode(), "tokenizer.json": b"{}"})
    dino.files["open_clip_pytorch_model.bin"] = b"b"
    found = look("openclip:someone/dino")
    folder = pull_others.pull(pull_others.offer(found), accepted=True)
    assert (folder / "text" / "config.json").read_bytes() == FILES["config.json"]
    assert (folder / "tokenizer.json").is_file()
    assert look("openclip:someone/dino").folder == folder


def test_what_is_not_on_the_hub(hub, capsys):
    assert main(["models", "pull", "imagenet"]) == 0  # comes with its package
    assert "here already" in capsys.readouterr().err
    assert main(["models", "pull", "openclip:ViT-B-32"]) == 0
    capsys.readouterr()
    assert main(["models", "pull", "openclip:ViT-B-32@laion2b", "--accept-license"]) == 3
    assert "open_clip is not installed" in capsys.readouterr().err
