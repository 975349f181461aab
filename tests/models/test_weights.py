"""Weights in and out: what is damaged is one error that says how, and nothing pickled is ever run."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from fetalclip.errors import BadCheckpoint, FetalclipError, OutputError
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.tiny import build_tiny
from fetalclip.models.tokenizer import Tokenizer
from fetalclip.models.weights import load_folder, load_strictly, read_state, save_folder


@pytest.fixture(scope="module")
def tiny() -> tuple[dict, DualEncoder, Tokenizer]:
    return build_tiny(3)


@pytest.fixture
def folder(tiny, tmp_path) -> Path:
    config, model, tokenizer = tiny
    return save_folder(model, tokenizer, config, tmp_path / "model", "# a card\n")


def config_of(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text("utf-8"))


def put(folder: Path, data: bytes) -> dict:
    """Other weights with a hash that fits them."""
    (folder / "model.safetensors").write_bytes(data)
    config = config_of(folder)
    config["weights"]["sha256"] = hashlib.sha256(data).hexdigest()
    return config


def test_a_folder_comes_back_within_half_precision(tiny, folder):
    _, model, tokenizer = tiny
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md", "config.json", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip
    again, words = load_folder(folder, config_of(folder))
    assert not again.training
    assert words.to_json() == tokenizer.to_json()
    assert again.architecture == model.architecture
    for name, value in model.state_dict().items():
        found = again.state_dict()[name]
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, value, rtol=2**-11, atol=2**-25)
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    ids, end = tokenizer(["fetal heart", "a femur"])
    with torch.inference_mode():
        for one, other in (
            (again.encode_image(x), model.encode_image(x)),
            (again.encode_text(ids, end), model.encode_text(ids, end)),
        ):
            assert torch.nn.functional.cosine_similarity(one, other).min() > 0.9999


def test_saved_again_it_is_the_same_file(tiny, folder, tmp_path):
    config = config_of(folder)
    model, tokenizer = load_folder(folder, config)
    again = save_folder(model, tokenizer, tiny[0], tmp_path / "again", "# a card\n")
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_weights_take_two_bytes_a_number(tiny, folder):
    numbers = sum(v.numel() for v in tiny[1].state_dict().values())
    size = (folder / "model.safetensors").stat().st_size
    assert 2 * numbers < size < 2 * numbers + 100_000


def test_writing_over_a_model_leaves_no_pieces(tiny, folder):
    config, model, tokenizer = tiny
    save_folder(model, tokenizer, config, folder, "# another card\n")
    assert len(list(folder.iterdir())) == 4
    load_folder(folder, config_of(folder))


def test_a_folder_that_cannot_be_written_is_told(tiny, tmp_path):
    config, model, tokenizer = tiny
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        save_folder(model, tokenizer, config, tmp_path / "file" / "model", "")


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(BadCheckpoint, match=name):
        load_folder(folder, config_of(folder))


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "a/b", ".."])
def test_a_file_outside_the_folder_is_not_opened(folder, name):
    config = config_of(folder)
    (folder.parent / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    config["weights"]["file"] = name
    with pytest.raises(BadCheckpoint, match="no file"):
        load_folder(folder, config)


def test_a_truncated_file_is_told_with_and_without_a_hash(folder):
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(BadCheckpoint, match=f"{len(whole) - 100} bytes.*truncated or another"):
        load_folder(folder, config_of(folder))
    with pytest.raises(BadCheckpoint, match="not whole"):
        read_state(path)


def test_another_file_than_the_config_names_is_told(folder):
    config = config_of(folder)
    config["weights"]["sha256"] = "0" * 64
    with pytest.raises(BadCheckpoint, match=r"000000000000…"):
        load_folder(folder, config)
    config["weights"]["sha256"] = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest().upper()
    load_folder(folder, config)


class Bomb:
    """Pickled: would leave a folder behind if it were ever loaded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_a_pickle_in_disguise_is_refused_and_not_run(folder, tmp_path):
    trap = tmp_path / "trap"
    bomb = pickle.dumps(Bomb(trap))
    torch.save({"a": Bomb(trap)}, tmp_path / "zip.pt")
    for data in (bomb, len(bomb).to_bytes(8, "little") + bomb, (tmp_path / "zip.pt").read_bytes()):
        with pytest.raises(BadCheckpoint, match="not whole"):
            load_folder(folder, put(folder, data))
    assert not trap.exists()
    pickle.loads(bomb)  # the trap works
    assert trap.exists()


def header(text: str, body: bytes = b"") -> bytes:
    return len(text.encode()).to_bytes(8, "little") + text.encode() + body


NOT_SAFETENSORS = {
    "empty": b"",
    "words": b"this is no weight file, although it is called one",
    "a header without end": (2**62).to_bytes(8, "little") + b"{}",
    "no JSON": header("{{{{"),
    "a list": header("[1, 2]"),
    "an unknown kind of number": header('{"a":{"dtype":"Q9","shape":[1],"data_offsets":[0,4]}}', b"1234"),
    "offsets past the end": header('{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}', b"1234"),
    "offsets that cross": header('{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}', b"1234"),
    "another size": header('{"a":{"dtype":"F32","shape":[7],"data_offsets":[0,4]}}', b"1234"),
    "a size below zero": header('{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', b"1234"),
    "deep": header("[" * 20_000),
}


@pytest.mark.parametrize("kind", NOT_SAFETENSORS)
def test_what_is_no_safetensors_file_is_told(tmp_path, kind):
    path = tmp_path / "model.safetensors"
    path.write_bytes(NOT_SAFETENSORS[kind])
    with pytest.raises(BadCheckpoint, match="not whole"):
        read_state(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_are_a_bad_checkpoint_or_nothing(tmp_path_factory, data):
    whole = save({"a": torch.arange(6.0).view(2, 3), "b": torch.ones(0), "c": torch.ones(2).half()})
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("w") / "model.safetensors"
    path.write_bytes(bytes(damaged[: data.draw(st.integers(0, len(whole)))]) if data.draw(st.booleans()) else damaged)
    try:
        state = read_state(path)
    except BadCheckpoint:
        return
    assert all(isinstance(v, torch.Tensor) for v in state.values())


def test_a_folder_in_place_of_the_file_is_told(tmp_path):
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        read_state(tmp_path)
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        read_state(tmp_path / "nothing")


def test_names_that_do_not_fit_are_listed(tiny, folder):
    state = {name: value.half() for name, value in tiny[1].state_dict().items()}
    state["surplus"] = torch.ones(1)
    del state["text.ln_final.bias"]
    state["text.ln_final.weight"] = torch.ones(5)
    with pytest.raises(BadCheckpoint) as error:
        load_folder(folder, put(folder, save(state)))
    said = str(error.value)
    assert "1 missing (text.ln_final.bias)" in said
    assert "1 unexpected (surplus)" in said
    assert "1 of another shape (text.ln_final.weight)" in said


def test_a_long_list_of_names_is_cut():
    model = torch.nn.Linear(2, 2)
    with pytest.raises(BadCheckpoint, match=r"9 unexpected \(x0, x1, x2, x3, x4 …\)"):
        load_strictly(model, {**model.state_dict(), **{f"x{i}": torch.ones(1) for i in range(9)}}, "here")


def test_nothing_is_filled_when_something_does_not_fit():
    model = torch.nn.Linear(2, 2)
    before = model.weight.clone()
    with pytest.raises(BadCheckpoint):
        load_strictly(model, {"weight": torch.full((2, 2), 7.0)}, "here")
    assert torch.equal(model.weight, before)


def test_a_tokenizer_larger_than_the_table_is_told(folder):
    config = config_of(folder)
    config["architecture"]["text"]["vocab_size"] -= 1
    with pytest.raises(BadCheckpoint, match="tokens"):
        load_folder(folder, config)


ARCHITECTURE = Architecture().to_dict()


@pytest.mark.parametrize(
    "change",
    [
        {"embed_dim": 0},
        {"embed_dim": "many"},
        {"image": {"kind": "resnet"}},
        {"image": {"kind": "efficientnet-lite0", "extra": 1}},
        {"image": []},
        {"text": {"heads": 0}},
        {"text": {"width": 30, "heads": 4}},
        {"text": {"layers": 2.5}},
        {"text": {"colour": 1}},
        {"text": None},
    ],
)
def test_an_impossible_architecture_is_told(change):
    with pytest.raises(BadCheckpoint):
        Architecture.from_dict({**ARCHITECTURE, **change})


@pytest.mark.parametrize("key", ARCHITECTURE)
def test_an_architecture_without_a_part_is_told(key):
    with pytest.raises(BadCheckpoint, match=key):
        Architecture.from_dict({k: v for k, v in ARCHITECTURE.items() if k != key})


def test_an_architecture_comes_back():
    assert Architecture.from_dict(json.loads(json.dumps(ARCHITECTURE))) == Architecture()
    assert issubclass(BadCheckpoint, FetalclipError)


def test_loading_does_not_bring_in_what_takes_a_second(folder):
    code = (
        "import sys, json; from pathlib import Path; from fetalclip.models.weights import load_folder;"
        f"f = Path({str(folder)!r}); load_folder(f, json.loads((f / 'config.json').read_text()));"
        "sys.exit('sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
