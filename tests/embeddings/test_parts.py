"""Parts of a file of embeddings: a run that stopped anywhere goes on after its last finished batch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fetalclip.embeddings import Parts, parts_folder, read_embeddings, write_embeddings
from fetalclip.errors import OutputError

FACTS = {"model_sha256": "ab", "overlay": "mask", "kind": "paths", "width": 4}
INPUTS = [(f"scans/{i}.png", "1 2") for i in range(10)]


def rows(start: int, stop: int) -> np.ndarray:
    return np.arange(4 * start, 4 * stop, dtype=np.float32).reshape(-1, 4)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Parts of which the first batch of four is finished, one input of it failed; then the run ended."""
    made = parts_folder(tmp_path / "e.npz")
    parts = Parts(made)
    parts.begin(INPUTS, FACTS)
    assert next(parts.waiting(4)) == [name for name, _ in INPUTS[:4]]
    parts.add(4, rows(0, 3), [(1, "scans/1.png is empty")])
    parts.close(remove=False)
    return made


def finished(folder: Path) -> Parts:
    parts = Parts(folder)
    parts.begin(INPUTS, FACTS)
    start = parts.rows
    for batch in parts.waiting(4):
        parts.add(len(batch), rows(start, start + len(batch)), [])
        start += len(batch)
    return parts


def test_it_goes_on_after_the_last_finished_batch(folder, tmp_path):
    parts = Parts(folder)
    parts.begin(INPUTS, FACTS)
    assert (parts.inputs, parts.done, parts.rows, parts.failed) == (10, 4, 3, 1)
    assert list(parts.failures()) == [("scans/1.png", "scans/1.png is empty")]
    assert [len(batch) for batch in parts.waiting(4)] == [4, 2]
    parts.close(remove=False)
    parts = finished(folder)
    write_embeddings(tmp_path / "e.npz", parts, "paths", {"model": "m"})
    parts.close(remove=True)
    assert not folder.exists()
    found = read_embeddings(tmp_path / "e.npz")
    assert found.names == tuple(f"scans/{i}.png" for i in range(10) if i != 1)
    np.testing.assert_array_equal(found.vectors, rows(0, 9))
    assert found.facts == {"model": "m"}


def test_a_lost_list_of_inputs_is_written_again(folder):
    (folder / "inputs.jsonl").unlink()
    parts = finished(folder)
    assert [name for name, _ in parts.failures()] == ["scans/1.png"]
    assert len(list(parts.names())) == 9
    parts.close(remove=True)


@pytest.mark.parametrize("torn", [b'{"inputs": 4, "fai', b"\x00\xff", b'{"inputs": 4}\n'])
def test_a_line_that_was_cut_short_does_not_count(folder, torn):
    with (folder / "journal.jsonl").open("ab") as journal, (folder / "rows.f32").open("ab") as vectors:
        journal.write(torn)
        vectors.write(b"\x01" * 37)  # rows of a batch that was not finished
    parts = finished(folder)
    assert (parts.done, parts.rows) == (10, 9)
    with parts.vectors() as stream:
        assert stream.read() == rows(0, 9).tobytes()
    parts.close(remove=True)


@pytest.mark.parametrize(
    ("inputs", "facts", "said"),
    [
        (INPUTS[:9], FACTS, "inputs"),
        ([("scans/0.png", "7 7"), *INPUTS[1:]], FACTS, "inputs"),  # a file was replaced in between
        (INPUTS, {**FACTS, "model_sha256": "cd"}, "model_sha256"),
        (INPUTS, {**FACTS, "overlay": "keep"}, "overlay"),
    ],
)
def test_another_call_is_refused_and_harms_nothing(folder, inputs, facts, said):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    parts = Parts(folder)
    with pytest.raises(OutputError, match=said) as caught:
        parts.begin(inputs, facts)
    parts.close(remove=False)
    assert "--restart" in str(caught.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    anew = Parts(folder, restart=True)
    anew.begin(inputs, facts)
    assert (anew.done, anew.inputs) == (0, len(inputs))
    anew.close(remove=False)
    assert not folder.exists()  # nothing finished: nothing kept


@pytest.mark.parametrize("name", ["manifest.json", "rows.f32"])
def test_damage_is_told(folder, name):
    (folder / name).write_bytes(b"{")
    parts = Parts(folder)
    with pytest.raises(OutputError, match="damaged"):
        parts.begin(INPUTS, FACTS)
    parts.close(remove=False)


def test_two_runs_of_one_file_do_not_mix(folder):
    first = Parts(folder)
    with pytest.raises(OutputError, match="another run"):
        Parts(folder)
    first.close(remove=False)
    Parts(folder).close(remove=False)


def test_odd_names_come_back(tmp_path):
    names = ["a\nb.png", "Größe 🙂.png", "\udcff.png", ""]
    parts = Parts(tmp_path / "p")
    parts.begin([(name, "") for name in names], FACTS)
    parts.add(4, rows(0, 4), [])
    assert list(parts.names()) == names
    write_embeddings(tmp_path / "e.npz", parts, "paths", {})
    write_embeddings(tmp_path / "e.parquet", parts, "paths", {})
    parts.close(remove=True)
    assert read_embeddings(tmp_path / "e.npz").names == tuple(names)
    assert read_embeddings(tmp_path / "e.parquet").names == (*names[:2], "\\udcff.png", "")


def test_what_is_written_while_it_runs_is_plain(folder):
    told = json.loads((folder / "manifest.json").read_text())
    assert told["schema"] == "fetalclip.parts/1"
    assert told["inputs"] == 10
    parts = Parts(folder)
    parts.begin(INPUTS, FACTS)
    with pytest.raises(ValueError, match="rows of"):
        parts.add(4, rows(0, 4), [(0, "no")])
    parts.close(remove=False)
