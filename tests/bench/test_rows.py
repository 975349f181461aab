"""Tables of other models in the card: their shape is held, and they stand where they belong."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from fetalclip.bench import rows
from fetalclip.bench.card import render, write_card, write_rows
from fetalclip.cards import read_folder
from fetalclip.errors import UnreadableInput, UsageError

HALF = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 376}
BLOCK = {
    "command": "fetalclip bench planes --root DIR",
    "note": "One change each, same split and budget.",
    "rows": [
        {"name": "as shipped", "changes": "", "macro_f1": HALF, "subplanes_macro_f1": HALF},
        {
            "name": "no captions (cross-entropy)",
            "changes": "objective=supervised",
            "macro_f1": HALF,
            "subplanes_macro_f1": None,
        },
    ],
}


def changed(**row: object) -> dict[str, object]:
    block = copy.deepcopy(BLOCK)
    block["rows"][1].update(row)  # type: ignore[attr-defined]
    return block


def test_a_block_stands_between_the_sub_planes_and_the_limits(make) -> None:
    path = write_rows(make(), "ablations", BLOCK)
    text = path.read_text("utf-8")
    assert read_folder(path.parent).config["results"]["ablations"] == BLOCK
    before, after = text.split("### Ablations\n")
    assert "### Sub-planes of the brain" in before
    table, _ = after.split("## Limits")
    assert "| what | change | planes: macro F1 | sub-planes: macro F1 |" in table
    assert "| no captions (cross-entropy) | objective=supervised | 0.500 (0.250 to 0.750), n = 376 |  |" in table
    assert "One change each" in table
    assert "`fetalclip bench planes --root DIR`" in table


def test_blocks_replace_their_own_kind_and_outlive_a_measurement(make) -> None:
    card = make()
    write_rows(card, "language", {"rows": [{"name": "held-out prompts", "macro_f1": HALF}]})
    write_rows(read_folder(card.folder), "ablations", BLOCK)
    write_rows(read_folder(card.folder), "ablations", changed(name="another"))
    now = read_folder(card.folder)
    write_card(now, {**now.config["results"]["bench_planes"], "provenance": {"model_sha256": now.sha256}}, "again")
    text = (card.folder / "README.md").read_text("utf-8")
    assert text == render(read_folder(card.folder).config)
    assert text.count("### Ablations") == text.count("### What the language side buys") == 1
    assert text.index("### Ablations") < text.index("### What the language side buys")
    assert "| another |" in text
    assert "| no captions" not in text
    assert "| what | planes: macro F1 |" in text  # no row of it changes anything


@pytest.mark.parametrize(
    ("key", "block", "said"),
    [
        ("bench_planes", BLOCK, "no part 'bench_planes'"),
        ("ablations", [], "without rows"),
        ("ablations", {"rows": []}, "without rows"),
        ("ablations", {**BLOCK, "note": 3}, "'note' of ablations is a int"),
        ("ablations", {"rows": ["x"]}, "row 1 of ablations has no name"),
        ("ablations", {"rows": [{"name": "x"}]}, "measure nothing"),
        ("ablations", changed(name=" "), "row 2 of ablations has no name"),
        ("ablations", changed(changes=["a"]), "'changes' in row 2"),
        ("ablations", changed(macro_f1=0.5), "'macro_f1' in row 2 of ablations is a float"),
        ("ablations", changed(macro_f1={**HALF, "value": float("nan")}), "value of 'macro_f1' in row 2"),
        ("ablations", changed(macro_f1={**HALF, "low": True}), "low of 'macro_f1' in row 2"),
        ("ablations", changed(macro_f1={**HALF, "low": 0.8}), "runs from 0.8 to 0.75"),
        ("ablations", changed(macro_f1={**HALF, "n": 0}), "n of 'macro_f1' in row 2"),
        ("language", changed(odd="word"), "'odd' in row 2 of language is a str"),
    ],
)
def test_a_block_of_another_shape_is_refused(make, key, block, said) -> None:
    card = make()
    before = (card.folder / "config.json").read_bytes(), (card.folder / "README.md").read_bytes()
    with pytest.raises(UsageError, match=said):
        write_rows(card, key, block)
    assert ((card.folder / "config.json").read_bytes(), (card.folder / "README.md").read_bytes()) == before


@pytest.mark.parametrize("training", [{}, {"recipe": []}])
def test_a_model_without_recorded_training_gets_no_card(make, training) -> None:
    card = make(lambda config: config.update(training=training))
    with pytest.raises(UsageError, match=r"records no training\.recipe"):
        write_rows(card, "ablations", BLOCK)


def test_a_config_without_results_gets_them(make) -> None:
    card = make(lambda config: config.pop("results"))
    text = write_rows(card, "ablations", BLOCK).read_text("utf-8")
    assert "### Ablations" in text
    assert "Measured by `fetalclip bench planes --root DIR`; 95 % intervals." in text


def test_names_break_no_table() -> None:
    lines = rows.section("ablations", {"rows": [{"name": "a|b\nc", "macro_f1": HALF}]})
    assert lines[-2] == "| a\\|b c | 0.500 (0.250 to 0.750), n = 376 |"


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe", b"[" * 100_000, b" " * 1_000_001])
def test_a_file_that_is_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableInput):
        rows.read(path)
