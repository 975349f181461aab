"""What must start fast loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("av", "torch", "safetensors", "tokenizers", "huggingface_hub")


def loaded_after(code: str) -> set[str]:
    tail = "\nimport sys\nprint(*sys.modules, sep='\\n', file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True)
    return {line.partition(".")[0] for line in done.stderr.splitlines()}


@pytest.mark.parametrize(
    ("code", "none_of"),
    [
        ("import fetalclip; fetalclip.__version__; dir(fetalclip)", (*HEAVY, "numpy", "PIL", "typer")),
        ("from fetalclip.cli import main; main(['--help'])", (*HEAVY, "rich", "yaml", "PIL", "numpy")),
        (
            "from fetalclip.cli import main; main(['analyze', '--help'])",
            (*HEAVY, "rich", "yaml", "PIL", "numpy"),
        ),
        ("from fetalclip.cli import main; main(['models', 'list'])", (*HEAVY, "rich", "numpy")),
        ("from fetalclip.cli import main; main(['models', 'show', 'fetalclip-tiny'])", (*HEAVY, "numpy")),
        ("from fetalclip.cli import main; main(['info', 'no-such-file.png'])", HEAVY),
        (
            "from fetalclip.cli import main; main(['growth', 'HC=175', '--ga', '20w3d'])",
            (*HEAVY, "numpy", "PIL", "pandas", "matplotlib", "rich", "yaml"),
        ),
        ("import fetalclip; fetalclip.read; fetalclip.Report", HEAVY),
        ("import fetalclip; fetalclip.measure; fetalclip.Exam", (*HEAVY, "scipy", "PIL")),
    ],
)
def test_nothing_heavy_is_loaded(code, none_of):
    loaded = loaded_after(code)
    assert "fetalclip" in loaded
    assert loaded.isdisjoint(none_of), sorted(loaded.intersection(none_of))


def test_an_unknown_name_is_an_attribute_error():
    import fetalclip

    with pytest.raises(AttributeError, match="nonsense"):
        fetalclip.nonsense  # noqa: B018
