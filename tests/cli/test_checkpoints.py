"""``fetalclip models convert`` and ``export-…`` from the command line."""

from __future__ import annotations

import json

import pytest
import torch

from fetalclip.cli import main
from fetalclip.models.openclip import from_openclip_config, unname
from fetalclip.models.pair import DualEncoder

CONFIG = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 28, "layers": 2, "width": 32, "head_width": 16, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    (folder / "c.json").write_text(json.dumps(CONFIG))
    torch.manual_seed(0)
    torch.save(unname(DualEncoder(from_openclip_config(CONFIG)).state_dict()), folder / "w.pt")
    return folder


def call(source, out, *words: str) -> list[str]:
    return [
        "models",
        "convert",
        "--config",
        str(source / "c.json"),
        "--weights",
        str(source / "w.pt"),
        "--out",
        str(out),
        *words,
    ]


def test_convert_show_and_export(source, tmp_path, capsys):
    made = tmp_path / "mine"
    assert main(call(source, made, "--context-length", "117", "--card", "my-clip", "MIT", "--json")) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["positions"]["after"] == 117
    assert "linear 0." in err
    assert main(["models", "show", str(made), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["license"], shown["available"]) == ("my-clip", "MIT", True)
    for form, file in (("openclip", "open_clip_model.safetensors"), ("transformers", "config.json")):
        assert main(["models", f"export-{form}", str(made), "--out", str(tmp_path / form), "--json"]) == 0
        assert file in json.loads(capsys.readouterr().out)["files"]


@pytest.mark.parametrize(
    ("file", "content", "code", "said"),
    [
        ("w.pt", b"", 3, "w.pt is empty"),
        ("w.pt", b"PK\x03\x04half", 3, "not whole"),
        ("c.json", b"{", 3, "not JSON"),
        ("c.json", json.dumps({**CONFIG, "quick_gelu": True}).encode(), 3, "quick_gelu"),
        ("c.json", json.dumps({**CONFIG, "embed_dim": 25}).encode(), 3, "of another shape"),
    ],
)
def test_bad_files_are_one_message_and_leave_nothing(source, tmp_path, capsys, file, content, code, said):
    for name in ("c.json", "w.pt"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    (tmp_path / file).write_bytes(content)
    assert main(call(tmp_path, tmp_path / "out" / "mine")) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
