"""Recipes are strict, frozen, and say what is wrong; the cache stays out of the way."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from fetalclip import settings
from fetalclip.errors import BadRecipe, UsageError


@dataclass(frozen=True)
class Optim:
    rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float | None = 1.0


@dataclass(frozen=True)
class Recipe:
    name: str = "plain"
    epochs: int = 10
    resume: bool = False
    folds: tuple[int, ...] = (0, 1)
    mode: Literal["a", "b"] = "a"
    weights: dict[str, float] = field(default_factory=dict)
    start: str | None = None
    root: Path = Path(".")
    optim: Optim = field(default_factory=Optim)

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError("epochs must be at least 1")


def load(tmp_path: Path, text: str, *words: str) -> Recipe:
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    return settings.load_recipe(Recipe, path, list(words))


def test_an_empty_file_is_the_defaults(tmp_path):
    assert load(tmp_path, "") == Recipe()
    assert load(tmp_path, "# only a comment\n") == Recipe()


def test_a_file_states_only_differences(tmp_path):
    found = load(tmp_path, "epochs: 3\nfolds: [2, 3]\noptim:\n  rate: 5e-4\n  betas: [0.8, 1]\n  clip: null\n")
    assert found == Recipe(epochs=3, folds=(2, 3), optim=Optim(rate=5e-4, betas=(0.8, 1.0), clip=None))
    assert isinstance(found.optim.rate, float)
    with pytest.raises(FrozenInstanceError):
        found.epochs = 4  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(found)) == found
    assert asdict(found)["optim"]["rate"] == 5e-4


def test_words_win_over_the_file_and_the_last_wins(tmp_path):
    found = load(tmp_path, "epochs: 3\n", "epochs=4", "optim.rate=1e-5", "epochs=5", "folds=[7]", "resume=true")
    assert found == Recipe(epochs=5, folds=(7,), resume=True, optim=Optim(rate=1e-5))


@pytest.mark.parametrize("text", ["no", "3", "null", "a=b", "x: y", "[", ""])
def test_a_word_for_a_text_field_stays_text(tmp_path, text):
    assert load(tmp_path, "", f"name={text}").name == text


def test_a_word_for_an_optional_text_field(tmp_path):
    assert load(tmp_path, "start: x\n", "start=null").start is None
    assert load(tmp_path, "", "start=imagenet").start == "imagenet"
    assert load(tmp_path, "", "root=../data").root == Path("../data")


@pytest.mark.parametrize(
    ("text", "words", "parts"),
    [
        ("epoch: 3\n", [], ["'epoch'", "Try: epochs", "folds"]),
        ("optim:\n  rat: 3\n", [], ["'optim.rat'", "Try: optim.rate", "betas"]),
        ("", ["epoch=3"], ["'epoch'", "Try: epochs", "command line"]),
        ("", ["optim.rat=3"], ["'optim.rat'", "Try: optim.rate"]),
        ("", ["optin.rate=3"], ["'optin'", "Try: optim"]),
        ("", ["epochs.x=3"], ["epochs", "without a dot"]),
        ("optim: 3\n", ["optim.rate=3"], ["'optim'", "below it"]),
        ("", ["epochs"], ["key=value"]),
        ("", ["=3"], ["key=value"]),
        ("epochs: three\n", [], ["'epochs'", "whole number", "three"]),
        ("epochs: 3.0\n", [], ["'epochs'", "whole number"]),
        ("epochs: true\n", [], ["'epochs'", "whole number"]),
        ("resume: 1\n", [], ["'resume'", "true or false"]),
        ("name: no\n", [], ["'name'", "text"]),
        ("mode: c\n", [], ["'mode'", "one of a, b"]),
        ("folds: 3\n", [], ["'folds'", "list"]),
        ("folds: [1, x]\n", [], ["'folds'", "list"]),
        ("optim:\n  betas: [1]\n", [], ["'optim.betas'", "list of 2"]),
        ("optim:\n  rate: .nan\n", [], ["'optim.rate'", "number"]),
        ("optim:\n  rate: .inf\n", [], ["'optim.rate'", "number"]),
        ("optim: 3\n", [], ["'optim'", "keys below it"]),
        ("weights: {a: x}\n", [], ["'weights'"]),
        ("epochs: 0\n", [], ["at least 1"]),
        ("epochs: 3\nepochs: 4\n", [], ["'epochs' twice", "line 2"]),
        ("epochs: [\n", [], ["not YAML"]),
        ("- a\n", [], ["list"]),
        ("just words\n", [], ["key: value"]),
        ("3: x\n", [], ["key"]),
        ("a: !!python/object/apply:os.system ['true']\n", [], ["not YAML"]),
        ("a: 2024-99-99\n", [], ["not YAML"]),
        ("[" * 5000, [], ["not YAML"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, words, parts):
    with pytest.raises(BadRecipe) as caught:
        load(tmp_path, text, *words)
    for part in parts:
        assert part in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadRecipe, match="text"):
        settings.load_recipe(Recipe, path)
    path.write_bytes(b"#" * 1_000_001)
    with pytest.raises(BadRecipe, match="1000001 bytes"):
        settings.load_recipe(Recipe, path)


def test_a_recipe_by_name(tmp_path, monkeypatch):
    (tmp_path / "open.yaml").write_text("epochs: 7\n")
    monkeypatch.setattr(settings, "_recipe_folder", lambda: tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    assert settings.recipe_names() == ["open"]
    assert settings.load_recipe(Recipe, "open").epochs == 7
    assert settings.load_recipe(Recipe, "open.yaml").epochs == 7
    with pytest.raises(BadRecipe, match="fetalclip train open"):
        settings.find_recipe("opem")
    with pytest.raises(BadRecipe, match="no recipe"):
        settings.find_recipe("elsewhere/open")


def test_only_frozen_dataclasses(tmp_path):
    @dataclass
    class Loose:
        epochs: int = 1

    (tmp_path / "r.yaml").write_text("epochs: 3\n")
    with pytest.raises(TypeError, match="frozen"):
        settings.load_recipe(Loose, tmp_path / "r.yaml")


def test_the_cache_is_where_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("FETALCLIP_CACHE", str(tmp_path / "own"))
    assert settings.cache_folder() == tmp_path / "own"
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize(
    ("platform", "variable", "tail"),
    [
        ("linux", "XDG_CACHE_HOME", "fetalclip"),
        ("win32", "LOCALAPPDATA", "fetalclip/Cache"),
        ("darwin", "HOME", "Library/Caches/fetalclip"),
    ],
)
def test_the_cache_of_each_platform(tmp_path, monkeypatch, platform, variable, tail):
    monkeypatch.delenv("FETALCLIP_CACHE", raising=False)
    monkeypatch.setattr(settings.sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert settings.cache_folder() == tmp_path / tail


def test_a_relative_xdg_folder_is_ignored(tmp_path, monkeypatch):
    monkeypatch.delenv("FETALCLIP_CACHE", raising=False)
    monkeypatch.setattr(settings.sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert settings.cache_folder() == tmp_path / ".cache" / "fetalclip"


def test_devices(monkeypatch):
    monkeypatch.delenv("FETALCLIP_DEVICE", raising=False)
    assert settings.device_choice() == "auto"
    assert settings.device_choice("CPU") == "cpu"
    monkeypatch.setenv("FETALCLIP_DEVICE", "cuda")
    assert settings.device_choice() == "cuda"
    for word in ("gpu", "", "cuda:x"):
        with pytest.raises(UsageError, match="auto, cpu, cuda"):
            settings.device_choice(word)
