"""A pretraining: what is kept, what stops it, what it is resumed with, and that many processes do what one does."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
from dataclasses import replace
from functools import partialmethod
from pathlib import Path

import pytest
import torch
from paired import Bars, small
from torch import nn

from fetalclip.errors import BadCheckpoint, BadRecipe, BadValue, InputError, NotAvailable, OutputError
from fetalclip.fit.account import named
from fetalclip.fit.dry_checks import check_compiler
from fetalclip.fit.pretrain import Pretraining, Sides
from fetalclip.models.transformer import Block

pytestmark = pytest.mark.usefixtures("few_words")
SCRIPT = Path(__file__).with_name("pretrain_script.py")
SIDES = Sides(Bars(36), Bars(12, 1000))


def trained(out: Path, recipe=None, sides: Sides = SIDES) -> Pretraining:
    made = Pretraining(recipe or small(), sides, out)
    made.epochs()
    return made


def weights(training: Pretraining) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in training.towers.state_dict().items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, few_words) -> tuple[Pretraining, Path]:
    out = tmp_path_factory.mktemp("runs") / "whole"
    return trained(out), out


def test_the_folder_tells_the_run(whole):
    training, out = whole
    told = json.loads((out / "recipe.json").read_text())
    assert told["pairs"] == 36
    assert told["held"] == 12
    assert told["data"] == training.fingerprint
    assert told["parameters"]["all"] == told["parameters"]["trained"] > 10_000
    assert {"torch", "accelerate", "processor"} <= told["environment"].keys()
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "rate" in line]
    assert [line["step"] for line in steps] == [2, 4, 6, 8]
    assert all(line["gradient_norm"] > 0 and line["memory_mb"] > 50 and line["skipped"] == 0 for line in steps)
    looks = [line for line in lines if "validation" in line]
    assert [line["step"] for line in looks] == [4, 8]
    assert all(line["validation"]["n"] == 12 and 0 <= line["validation"]["recall"] <= 1 for line in looks)
    assert (out / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_the_best_epoch_is_chosen_by_validation(tmp_path, monkeypatch):
    training = Pretraining(small(), SIDES, tmp_path / "run")
    scores = iter([0.7, 0.4])
    monkeypatch.setattr(training.held, "choice", lambda found: next(scores))
    training.epochs()
    last = weights(training)
    assert training.take_best() == 1
    assert any(not torch.equal(value, last[name]) for name, value in weights(training).items())
    kept = replace(small(), watch=replace(small().watch, keep="last"))
    again = Pretraining(kept, SIDES, tmp_path / "run")
    assert again.take_best() == 2
    assert all(torch.equal(value, last[name]) for name, value in weights(again).items())


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # what torch's compiler warns of is not ours
def test_compiled_blocks_do_what_they_did(whole, tmp_path, monkeypatch):
    traced = partialmethod(nn.Module.compile, backend="aot_eager")  # all but the kernels, which take minutes to make
    monkeypatch.setattr(Block, "compile", traced, raising=False)
    training = Pretraining(replace(small(), optim=replace(small().optim, compile=True)), SIDES, tmp_path / "run")
    plain = Pretraining(small(), SIDES, tmp_path / "plain")
    assert weights(training).keys() == weights(plain).keys()
    blocks = [block for block in training.towers.modules() if isinstance(block, Block)]
    assert blocks
    assert all(block._compiled_call_impl is not None for block in blocks)
    batch = training.batches[0]
    losses = [run.step(batch, 0) for run in (training, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert training.norm == pytest.approx(plain.norm, rel=1e-4)


def test_compiling_needs_a_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    wanted = replace(small(), optim=replace(small().optim, compile=True))
    with pytest.raises(NotAvailable, match="without a compiler"):
        Pretraining(wanted, SIDES, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert [(one.name, one.ok) for one in check_compiler(wanted)] == [("compiler", False)]
    planned = replace(wanted, planned=replace(wanted.planned, processes=8))
    assert [one.ok for one in check_compiler(planned)] == [None]
    assert check_compiler(small()) == []


def test_the_average_is_what_is_validated(tmp_path):
    training = trained(tmp_path / "run", small(ema=0.9))
    own, mean = weights(training), dict(training.average.module.state_dict())
    assert any(not torch.equal(value, mean[name]) for name, value in own.items())
    assert training.model is training.average.module.model


def test_a_locked_tower_stays_as_it_was(tmp_path):
    recipe = replace(small(), model=replace(small().model, lock_image=-1))
    training = Pretraining(recipe, SIDES, tmp_path / "run")
    before = weights(training)
    training.epochs()
    after = weights(training)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(name.startswith("model.visual.") for name in changed)
    assert any(name.startswith("model.text.") for name in changed)
    assert "model.logit_scale" in changed


class Stopped(Exception):
    """The power went."""


def stop_at(training: Pretraining, number: int) -> None:
    step = training.step

    def until(batch, now):
        if now == number:
            raise Stopped
        return step(batch, now)

    training.step = until


def test_a_run_stopped_in_an_epoch_goes_on_at_its_step(tmp_path, whole):
    recipe = replace(small(), watch=replace(small().watch, checkpoint_steps=3))
    stopped = Pretraining(recipe, SIDES, tmp_path / "run")
    stop_at(stopped, 7)
    with pytest.raises(Stopped):
        stopped.epochs()
    torch.manual_seed(99)  # another process, another random state
    again = Pretraining(recipe, SIDES, tmp_path / "run")
    assert (again.epoch, again.place) == (1, 2)
    again.epochs()
    assert all(torch.equal(value, weights(whole[0])[name]) for name, value in weights(again).items())


def test_what_only_watches_may_change_and_the_rest_may_not(tmp_path):
    out = tmp_path / "run"
    trained(out, small(epochs=1))
    other = replace(small(epochs=1), watch=replace(small().watch, log_steps=1))
    assert Pretraining(other, SIDES, out).done
    with pytest.raises(BadCheckpoint, match="another recipe"):
        Pretraining(small(epochs=2), SIDES, out)
    with pytest.raises(BadCheckpoint, match="other data"):
        Pretraining(small(epochs=1), Sides(Bars(36, first=5), SIDES.held), out)


def test_a_loss_that_is_not_finite_stops_and_names_the_last_good_checkpoint(tmp_path):
    training = Pretraining(small(), SIDES, tmp_path / "run")
    objective = training.objective

    def broken(outputs, batch):
        return objective(outputs, batch) * (torch.nan if training.number == 5 else 1)

    training.objective = broken
    with pytest.raises(BadValue, match=r"not finite in step 6; the last good checkpoint is .*checkpoint.pt"):
        training.epochs()
    assert Pretraining(small(), SIDES, tmp_path / "run").number == 4


def test_few_unreadable_pairs_are_counted_and_named_and_many_stop_the_run(tmp_path):
    some = Sides(Bars(36, broken=frozenset({3, 11})), SIDES.held)
    training = trained(tmp_path / "some", sides=some)
    bad = training.account.bad
    assert set(bad) <= {"bar 3", "bar 11"}
    assert bad
    assert Pretraining(small(), some, tmp_path / "some").account.bad == bad  # they stand in the checkpoint
    many = Sides(Bars(36, broken=frozenset(range(0, 36, 3))), SIDES.held)
    with pytest.raises(InputError, match=r"pairs that cannot be read \(bar .* data.max_bad"):
        trained(tmp_path / "many", sides=many)


def test_names_are_told_once_and_not_all():
    assert named(["b", "a", "b"]) == "a, b"
    assert named([f"{i:03}" for i in range(50)]).endswith("and 30 more")


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    training = Pretraining(small(), SIDES, tmp_path / "run")
    end = training._end_epoch

    def fill(*, limit=20_000):
        if training.epoch == 1:  # from here on no file may grow beyond this
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        end()

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    training._end_epoch = fill
    try:
        with pytest.raises(OutputError, match=r"cannot be written .*of an earlier step is whole"):
            training.epochs()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    again = Pretraining(small(), SIDES, tmp_path / "run")
    assert again.number == 4
    again.epochs()
    assert not list((tmp_path / "run").glob(".*part*"))


def test_a_share_that_stopped_a_run_may_be_raised_and_the_measure_of_the_best_may_not(tmp_path):
    out = tmp_path / "run"
    trained(out, small(epochs=1))
    recipe = small(epochs=1)
    assert Pretraining(replace(recipe, data=replace(recipe.data, max_bad=0.5)), SIDES, out).done
    with pytest.raises(BadCheckpoint, match="another recipe"):
        Pretraining(replace(recipe, watch=replace(recipe.watch, choose="loss")), SIDES, out)


def test_a_cut_recipe_file_does_not_keep_a_run_from_going_on(tmp_path):
    out = tmp_path / "run"
    trained(out, small(epochs=1))
    file = out / "recipe.json"
    file.write_text(file.read_text()[:40])
    assert Pretraining(small(epochs=1), SIDES, out).done
    assert json.loads(file.read_text())["pairs"] == 36


def test_a_damaged_best_is_told_and_an_old_one_is_not_taken(tmp_path):
    out = tmp_path / "run"
    training = trained(out, small(epochs=1))
    best = out / "best.pt"
    best.write_bytes(best.read_bytes()[:3000])
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        training.take_best()
    (out / "checkpoint.pt").unlink()
    Pretraining(small(epochs=1), SIDES, out)
    assert not best.exists()


@pytest.mark.parametrize(
    "change",
    ["rate=-1.0", "clip=0.0", "warmup_steps=-3", "ema=1.0", "beta1=1.5", "eps=-1.0", "max_scale=0.0"],
)
def test_numbers_that_cannot_be_meant_are_refused(change):
    name, value = change.split("=")
    with pytest.raises(BadRecipe, match=f"optim.{name}"):
        small(**{name: type(getattr(small().optim, name))(float(value))})


def test_a_damaged_checkpoint_is_told(tmp_path):
    out = tmp_path / "run"
    trained(out, small(epochs=1))
    file = out / "checkpoint.pt"
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(BadCheckpoint, match="cannot be read"):
        Pretraining(small(epochs=1), SIDES, out)


def port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def spread(out: Path, *words: str, processes: int = 2) -> None:
    """The script on several gloo processes of this machine."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port()}
    env |= {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes), "ACCELERATE_USE_CPU": "true"}
    call = [sys.executable, str(SCRIPT), str(out), *words]
    runs = [
        subprocess.Popen(
            call,
            env={**env, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(processes)
    ]
    told = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0] * processes, told[0][1][-3000:] + told[-1][1][-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("chunk=3", "targets=true", "ema=0.9", "accumulate=2")], ids=["plain", "whole"])
def test_two_processes_train_as_one_does(tmp_path, words):
    spread(tmp_path / "two", *words)
    subprocess.run([sys.executable, str(SCRIPT), str(tmp_path / "one"), *words], check=True, capture_output=True)
    one, two = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("one", "two"))
    assert one["epoch"] == two["epoch"] == 2
    for name, value in one["towers"].items():
        assert torch.allclose(two["towers"][name], value, rtol=1e-3, atol=2e-5), name
    logs = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("one", "two")]
    assert len(logs[0]) == len(logs[1])  # one of the two writes


@pytest.mark.slow
def test_processes_judge_unreadable_pairs_together(tmp_path):
    """Two of 36 pairs that cannot be read are within a fifth, whoever draws them."""
    spread(tmp_path / "two", "--broken", "epochs=2")
    subprocess.run([sys.executable, str(SCRIPT), str(tmp_path / "one"), "--broken", "epochs=2"], check=True)
    one, two = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["more"] for name in ("one", "two"))
    assert sorted(one["bad"]) == sorted(two["bad"]) != []
    assert one["seen"] == two["seen"] == 64


@pytest.mark.slow
def test_processes_without_a_common_folder_are_refused(tmp_path):
    spread(tmp_path / "run", "epochs=1")
    with pytest.raises(AssertionError, match="stand at different steps"):
        spread(tmp_path / "run", "epochs=1", "--apart")


@pytest.mark.slow
def test_a_run_of_two_processes_goes_on_with_one(tmp_path):
    spread(tmp_path / "run", "epochs=1")
    recipe = replace(small(epochs=1), watch=replace(small().watch, log_steps=1, checkpoint_steps=3))
    assert Pretraining(recipe, SIDES, tmp_path / "run").done  # the same batches, so the number of processes may change
