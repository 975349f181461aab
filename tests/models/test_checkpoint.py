"""Other people's weight files: arrays come in, code never does, damage is told."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fetalclip.errors import BadCheckpoint
from fetalclip.models.checkpoint import read_checkpoint

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "logit_scale": torch.tensor(2.5)}


def same(found: dict) -> bool:
    return set(found) == set(STATE) and all(torch.equal(found[name], value) for name, value in STATE.items())


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": s}])
@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_saved_comes_back(tmp_path, wrap, zipped):
    path = tmp_path / "weights.pt"
    torch.save(wrap(STATE), path, _use_new_zipfile_serialization=zipped)
    assert same(read_checkpoint(path))


def test_safetensors_are_told_by_content(tmp_path):
    save_file(STATE, tmp_path / "weights.pt")
    assert same(read_checkpoint(tmp_path / "weights.pt"))


class Bomb:
    """Pickled: would leave a folder behind if it were ever loaded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, zipped):
    trap = tmp_path / "trap"
    torch.save({**STATE, "more": Bomb(trap)}, tmp_path / "w.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(BadCheckpoint, match="holds more than arrays"):
        read_checkpoint(tmp_path / "w.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Bomb(trap)))
    with pytest.raises(BadCheckpoint):
        read_checkpoint(tmp_path / "plain.pt")
    assert not trap.exists()


def test_a_torchscript_archive_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
        archive.writestr("w/constants.pkl", b"x")
        archive.writestr("w/code/__torch__.py", "import os")
    with pytest.raises(BadCheckpoint, match="TorchScript"):
        read_checkpoint(tmp_path / "w.pt")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_half_a_download_is_told(tmp_path, share, kind):
    path = tmp_path / f"w.{kind}"
    big = {"a": torch.randn(300, 300)}
    torch.save(big, path) if kind == "pt" else save_file(big, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadCheckpoint, match="not whole"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "is empty"), (b"<html>404</html>", "no weight file"), (b"\x80\x02garbage", "damaged")],
)
def test_what_is_no_weight_file_is_told(tmp_path, data, said):
    (tmp_path / "w.pt").write_bytes(data)
    with pytest.raises(BadCheckpoint, match=said):
        read_checkpoint(tmp_path / "w.pt")


@pytest.mark.parametrize("content", [torch.ones(3), {}, {"a": 1.0}, {1: torch.ones(1)}, [torch.ones(1)]])
def test_what_is_no_state_dict_is_told(tmp_path, content):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(BadCheckpoint, match="state dict"):
        read_checkpoint(tmp_path / "w.pt")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        read_checkpoint(tmp_path / "nothing.pt")
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        read_checkpoint(tmp_path)
