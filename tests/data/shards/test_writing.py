"""Writing: the same bytes however it was run, stopped or not; what cannot be read is named; nothing half-written."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from fetalclip.data.shards import index as indices
from fetalclip.data.shards import tar
from fetalclip.data.shards.journal import NAME as JOURNAL
from fetalclip.data.shards.writing import ShardWriter
from fetalclip.errors import InputError, OutputError
from fetalclip.io import read
from fetalclip.preprocess import prepare


def test_the_pictures_are_those_of_inference(table: Path, written: Path, plan_of) -> None:
    plan = plan_of(table)
    block = plan.blocks[1]
    path = written / block.name
    with path.open("rb") as stream:
        samples = tar.scan(stream, path.stat().st_size)
    data = path.read_bytes()
    assert [one.key for one in samples] == [f"000001-{i:05d}" for i in range(4)]
    for one, place in zip(samples, block.places, strict=True):
        row, (begin, size) = plan.rows[place], one.parts["png"]
        ready = prepare(read(row.path, mm_per_pixel=0.2), 40, "mask")
        assert np.array_equal(read(data[begin : begin + size]).pixels, ready.pixels)
        begin, size = one.parts["json"]
        facts = json.loads(data[begin : begin + size])
        assert facts["mm_per_pixel"] == ready.mm_per_pixel[0] == pytest.approx(0.2 * 90 / 40)
        assert facts["group"] == plan.groups[row.group]


def test_no_name_and_no_patient_in_any_byte(written: Path, content) -> None:
    assert not any(b"secret" in data for data in content(written).values())


def test_the_same_bytes_again(table: Path, written: Path, tmp_path: Path, plan_of, write, content) -> None:
    write(plan_of(table), tmp_path / "again")
    assert content(tmp_path / "again") == content(written)


@pytest.mark.slow
def test_the_same_bytes_from_several_processes(
    table: Path, written: Path, tmp_path: Path, monkeypatch, plan_of, write, content
) -> None:
    monkeypatch.setattr("fetalclip.data.shards.writing._POOL_FROM", 2)
    write(plan_of(table), tmp_path / "pool", workers=2)
    assert content(tmp_path / "pool") == content(written)


def test_gone_on_with_after_a_kill(table: Path, written: Path, tmp_path: Path, plan_of, write, content) -> None:
    """The process is killed in the middle of the third shard; the first two are not written again."""
    code = (
        "import os, signal, sys\n"
        "from fetalclip.data.shards.plan import Options, make_plan\n"
        "from fetalclip.data.shards.writing import ShardWriter\n"
        "from fetalclip.data.table_pairs import read_source\n"
        "plan = make_plan(read_source(sys.argv[1]), Options(side=40, per_shard=4))\n"
        "with ShardWriter(plan, __import__('pathlib').Path(sys.argv[2]), 0) as writer:\n"
        "    for count, _ in enumerate(writer.run(), 1):\n"
        "        if count == 10:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    out = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", code, str(table), str(out)], env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    assert sorted(content(out)) == [JOURNAL, "train-000000.tar", "train-000001.tar"]
    (out / ".train-000002.1.part.tar").write_bytes(b"half")
    with (out / JOURNAL).open("ab") as stream:
        stream.write(b'{"name": "train-0000')  # a line that was cut off
    before = {name: (out / name).stat().st_mtime_ns for name in ("train-000000.tar", "train-000001.tar")}
    writer = write(plan_of(table), out)
    assert writer.done == 8
    assert {name: (out / name).stat().st_mtime_ns for name in before} == before
    assert content(out) == content(written)


def test_a_damaged_shard_is_written_again_and_a_whole_folder_is_left_alone(
    table: Path, shards: Path, written: Path, plan_of, write, content
) -> None:
    assert write(plan_of(table), shards).done == 16
    data = bytearray((shards / "train-000001.tar").read_bytes())
    data[700] ^= 1
    (shards / "train-000001.tar").write_bytes(data)
    (shards / "val-000000.tar").unlink()
    assert write(plan_of(table), shards).done == 8
    assert content(shards) == content(written)


def test_a_folder_of_other_shards_is_refused(
    table: Path, shards: Path, written: Path, tmp_path: Path, plan_of, write
) -> None:
    with pytest.raises(OutputError, match="holds shards of another table"):
        write(plan_of(table, seed=1), shards)
    (shards / "index.json").write_text("{}")
    with pytest.raises(OutputError, match="not an index"):
        write(plan_of(table), shards)
    folder = tmp_path / "begun"
    with ShardWriter(plan_of(table), folder, 0) as writer:
        next(writer.run())
    with pytest.raises(OutputError, match="holds shards of another table"):
        write(plan_of(table, seed=1), folder)


def test_one_run_for_a_folder(table: Path, tmp_path: Path, plan_of, write) -> None:
    pytest.importorskip("fcntl")
    with ShardWriter(plan_of(table), tmp_path, 0), pytest.raises(OutputError, match="another run"):
        write(plan_of(table), tmp_path)
    write(plan_of(table), tmp_path)


def test_an_unreadable_picture_is_left_out_and_named(table: Path, tmp_path: Path, plan_of, write) -> None:
    folder = shutil.copytree(table.parent, tmp_path / "scans")
    plan = plan_of(folder / table.name)
    bad = [plan.blocks[0].places[1], *plan.blocks[2].places]
    for place in bad:
        plan.rows[place].path.write_text("no picture")
    plan = plan_of(folder / table.name)
    out = tmp_path / "out"
    writer = write(plan, out)
    numbers = sorted(plan.numbers[i] for i in bad)
    assert sorted(problem.row for problem in writer.problems) == numbers
    train = indices.load(out).splits["train"]
    assert list(train.left_out) == numbers
    assert [(shard.name, shard.count) for shard in train.shards] == [("train-000000.tar", 3), ("train-000001.tar", 4)]
    assert sum(train.planes.values()) == 7
    again = write(plan, out)
    assert again.done == 16
    assert sorted(problem.row for problem in again.problems) == numbers


def test_not_one_picture_can_be_read(table: Path, tmp_path: Path, plan_of, write, content) -> None:
    folder = shutil.copytree(table.parent, tmp_path / "scans")
    for path in folder.glob("*.png"):
        path.write_text(f"no picture {path}")
    with pytest.raises(InputError, match="none of 16 pictures"):
        write(plan_of(folder / table.name), tmp_path / "out")
    assert content(tmp_path / "out") == {}


def test_a_full_disk_leaves_whole_shards(
    table: Path, written: Path, tmp_path: Path, monkeypatch, plan_of, write, content
) -> None:
    real, calls = tar.write, []

    def full(path: Path, samples: list) -> int:
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        return real(path, samples)

    monkeypatch.setattr(tar, "write", full)
    with pytest.raises(OutputError, match=r"No space left.*the same command again"):
        write(plan_of(table), tmp_path / "out")
    assert sorted(content(tmp_path / "out")) == [JOURNAL, "train-000000.tar"]
    assert write(plan_of(table), tmp_path / "out").done == 4
    assert content(tmp_path / "out") == content(written)


def test_facts_that_could_not_be_read_again_are_not_written(table: Path, tmp_path: Path, plan_of, write) -> None:
    folder = shutil.copytree(table.parent, tmp_path / "scans")
    path = folder / table.name
    path.write_text(path.read_text().replace("low-lying placenta", ";".join(f"finding {i}" for i in range(60))))
    (problem,) = write(plan_of(path), tmp_path / "out").problems
    assert (problem.row, problem.what) == (2, "the fact findings cannot be meant")


def test_webdataset_reads_them(written: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    files = [str(path) for path in sorted(written.glob("train-*.tar"))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its files open
        samples = list(webdataset.WebDataset(files, shardshuffle=False, empty_check=False))
        gc.collect()
    assert [one["__key__"] for one in samples] == [f"{i // 4:06d}-{i % 4:05d}" for i in range(12)]
    for one in samples:
        assert read(one["png"]).pixels.shape == (40, 40)
        assert json.loads(one["json"])["views"]
