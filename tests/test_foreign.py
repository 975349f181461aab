"""Names of other people's models: what they mean, and what a person is told when something is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fetalclip import foreign
from fetalclip.cards import get_card
from fetalclip.cli import main
from fetalclip.errors import MissingPackage, ModelNotFound, NotAvailable

COMMIT = "c0ffee" * 6 + "0123"


@pytest.fixture(autouse=True)
def own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("FETALCLIP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "secret-place" / "dino"
    made.mkdir(parents=True)
    (made / "config.json").write_text("{}")
    (made / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# DINO\nlicense: mit\n")
    return made


@pytest.mark.parametrize("name", ["imagenet", "transformers:a/b", "openclip:ViT-B-32"])
def test_names_of_other_people(name):
    assert foreign.is_foreign(name)


@pytest.mark.parametrize("name", ["fetalclip-open", "transformers", "some/folder", "imagenet:x", ""])
def test_names_of_ours(name):
    assert not foreign.is_foreign(name)


def test_a_folder_is_shown_by_its_last_part(folder):
    card = get_card(f"transformers:{folder}")
    assert card.name == "transformers:dino"
    assert card.license == "apache-2.0"  # of the head, not of the text
    assert "secret-place" not in str(card.to_dict())
    assert card.foreign is not None
    assert card.foreign.folder == folder


@pytest.mark.parametrize(
    ("readme", "license_"),
    [
        ("---\nlicense: mit\n---\n", "mit"),
        ("---\nlicense: other\nlicense_name: dinov3-license\n---\n", "dinov3-license"),
        ("---\ntags: x\n---\nlicense: mit\n", "unknown"),
        ("license: mit\n", "unknown"),
        ("---\nlicense: 'cc-by-nc-4.0'\n---", "cc-by-nc-4.0"),
        ("", "unknown"),
    ],
)
def test_the_licence_of_a_card(readme, license_):
    assert foreign.license_in(readme) == license_


@pytest.mark.parametrize(
    "name",
    [
        "transformers:",
        "transformers:no-owner",
        "transformers:a/../b",
        "transformers:./nowhere",
        "transformers:a b/c",
        "transformers:\0",
        "openclip:",
        "openclip:ViT-B-32@",
        "openclip:ViT-B-32@/no/such/file.pt",
        "openclip:/no/such/folder",
        "openclip:" + "x" * 5000 + "/y/z",
    ],
)
def test_a_name_that_cannot_be(name):
    with pytest.raises(ModelNotFound):
        get_card(name)


def test_a_folder_of_something_else(tmp_path):
    with pytest.raises(ModelNotFound, match=r"no open_clip_config\.json in the folder"):
        get_card(f"openclip:{tmp_path}")


@pytest.mark.parametrize("name", ["transformers:facebook/dinov2-small", "openclip:someone/BiomedCLIP"])
def test_a_repository_that_is_not_here_is_not_fetched(name, monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *a: pytest.fail("the network was asked"))
    card = get_card(name)
    assert not card.available
    with pytest.raises(NotAvailable, match=f"fetalclip models pull {name}"):
        card.require()


def test_a_repository_in_the_hubs_own_cache_is_here(tmp_path):
    snapshot = tmp_path / "hub" / "models--someone--dino" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    refs = snapshot.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text(COMMIT)
    assert not get_card("transformers:someone/dino").foreign.here  # the config alone is no model
    (snapshot / "model.safetensors").write_bytes(b"x")
    found = get_card("transformers:someone/dino").foreign
    assert found.folder == snapshot
    assert found.name == "transformers:someone/dino"


@pytest.mark.parametrize(
    ("name", "word"), [("imagenet", r"fetalclip\[train\]"), ("openclip:ViT-B-32", "environment of its own")]
)
def test_a_missing_package_is_named(name, word, monkeypatch, capsys):
    monkeypatch.setattr(foreign, "find_spec", lambda package: None)
    card = get_card(name)
    assert not card.available
    with pytest.raises(MissingPackage, match=word):
        card.require()
    assert main(["embed", "x.png", "-o", "x.npz", "--model", name]) == 3
    assert "is not installed" in capsys.readouterr().err


def test_a_weight_file_of_openclip(tmp_path):
    weights = tmp_path / "w.pt"
    weights.write_bytes(b"x")
    found = get_card(f"openclip:ViT-B-32@{weights}").foreign
    assert (found.architecture, found.weights, found.tag) == ("ViT-B-32", weights, "")
    assert found.name == "openclip:ViT-B-32@w.pt"
    assert get_card("openclip:ViT-B-32@laion2b").foreign.tag == "laion2b"


def test_show_says_what_is_known(folder, capsys):
    assert main(["models", "show", f"transformers:{folder}"]) == 0
    assert "apache-2.0" in capsys.readouterr().out
    assert main(["models", "show", "transformers:facebook/dinov2-small"]) == 0
    out = capsys.readouterr().out
    assert "here     no" in out
    assert "fetalclip models pull transformers:facebook/dinov2-small" in out


def test_names_are_read_without_torch():
    show = "from fetalclip.cli import main; main(['models', 'show', 'imagenet'])"
    code = f"import sys; {show}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
