"""The gradient of the global batch: several processes, and chunks, against one plain pass of the joined batch.

``python test_global_batch.py OUT`` runs every case as one of several processes, as a launcher's environment says, and
writes what it has then to ``OUT``.
"""

from __future__ import annotations

import math
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from fetalclip.fit.global_batch import Outputs, backward
from fetalclip.fit.objectives import SIGMOID_BIAS, SIGMOID_SCALE, contrastive, sigmoid
from fetalclip.models.efficientnet import LiteConfig
from fetalclip.models.pair import Architecture, DualEncoder
from fetalclip.models.text import TextConfig
from fetalclip.models.vit import ViTConfig

BATCH, STEPS, SIDE = 10, 20, 64
ALONE, CHUNK = 4, 2  # chunks of 4, 4 and 2; of one of two processes 2, 2 and 1


@dataclass(frozen=True)
class Case:
    """What is trained, and how.

    Attributes:
        tower: ``vit`` or ``compact``.
        loss: ``clip`` or ``sigmoid``.
        double: float64, else float32.
        drops: with drop path, and patch dropout where there are patches.
        chunk: rows at a time; 0: all.
        steps: of AdamW; 0: one gradient.
        rate: AdamW's.
        batches: whose gradients are added up for a step.
    """

    tower: str = "vit"
    loss: str = "clip"
    double: bool = True
    drops: bool = True
    chunk: int = 0
    steps: int = 0
    rate: float = 5e-4
    batches: int = 1

    def __str__(self) -> str:
        drops = "drops" if self.drops else "whole"
        return f"{self.tower}-{self.loss}-{drops}"

    @property
    def dtype(self) -> torch.dtype:
        return torch.float64 if self.double else torch.float32


TOWERS, LOSSES = ("vit", "compact"), ("clip", "sigmoid")
GRADIENTS = [Case(tower, loss, False, drops) for tower in TOWERS for loss in LOSSES for drops in (True, False)]
SMOOTH = [Case("vit", loss, double, steps=STEPS) for loss in LOSSES for double in (True, False)]
ADDED = [Case(tower, batches=2) for tower in TOWERS]
# A parameter that goes past a corner of ReLU6 by a rounding changes the gradient by a jump: in float32 the compact
# tower's runs part at a high rate, as they do when the rows of the joined batch change places.
KINKED = [Case("compact", "clip", True, steps=STEPS), Case("compact", "sigmoid", False, steps=STEPS, rate=1e-6)]
EVERY = [replace(case, chunk=chunk) for case in [*GRADIENTS, *ADDED, *SMOOTH] for chunk in (0, CHUNK)]
EVERY += [replace(case, chunk=CHUNK) for case in KINKED]


class Both(nn.Module):
    """Both towers, the scale and the bias: what a pass gives of its rows."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        torch.manual_seed(3)
        image = ViTConfig(image_size=SIDE, patch_size=16, width=64, layers=3, heads=4)
        text = TextConfig(12, 50, width=32, layers=2, heads=2)
        self.pair = DualEncoder(Architecture(16, image if case.tower == "vit" else LiteConfig(), text))
        start = SIGMOID_SCALE if case.loss == "sigmoid" else 1 / 0.07
        nn.init.constant_(self.pair.logit_scale, math.log(start))
        self.bias = nn.Parameter(torch.tensor(SIGMOID_BIAS))
        for parameter in self.pair.parameters():
            if parameter.ndim == 1:  # as in a trained model: what starts at zero is compared to next to nothing
                parameter.data += 0.3 * torch.randn(parameter.shape)
        if case.drops:
            self.pair.visual.drop_path = 0.3
            if case.tower == "vit":
                self.pair.visual.patch_dropout = 0.5

    def forward(self, pictures: Tensor, seeds: Tensor, ids: Tensor, end: Tensor) -> Outputs:
        images, texts = self.pair.encode_image(pictures, seeds=seeds), self.pair.encode_text(ids, end)
        return {"images": images, "texts": texts, "scale": self.pair.logit_scale.exp(), "bias": self.bias}


def inputs(case: Case, number: int) -> dict[str, Tensor]:
    """The global batch of a number."""
    draw = torch.Generator().manual_seed(number)
    return {
        "pictures": torch.randn(BATCH, 3, SIDE, SIDE, generator=draw, dtype=torch.float64).to(case.dtype),
        "seeds": torch.randint(2**62, (BATCH,), generator=draw),
        "ids": torch.randint(50, (BATCH, 12), generator=draw),
        "end": torch.randint(3, 12, (BATCH,), generator=draw),
    }


def loss(case: Case, outputs: Outputs) -> Tensor:
    """Own captions, one that is true of its neighbour too, one of unknown truth."""
    positive = torch.eye(BATCH, dtype=torch.bool)
    unknown = torch.zeros_like(positive)
    positive[2, 9] = unknown[4, 5] = True
    if case.loss == "clip":
        return contrastive(outputs["images"], outputs["texts"], outputs["scale"], positive, unknown)
    return sigmoid(outputs["images"], outputs["texts"], outputs["scale"], outputs["bias"], positive, unknown)


def run(case: Case, accelerator: Accelerator | None = None, order: Tensor | None = None) -> dict[str, Tensor]:
    """Gradients, or parameters after the steps.

    Args:
        case: what is trained.
        accelerator: of `backward`, each process on its rows; None: one plain backward pass of the joined batch.
        order: in which the rows of the joined batch stand.
    """
    own = Both(case).to(case.dtype)
    module = own if accelerator is None else accelerator.prepare_model(own)
    parts = [p for p in own.parameters() if p.ndim], [p for p in own.parameters() if not p.ndim]
    groups = [{"params": part, "weight_decay": decay} for part, decay in zip(parts, (0.1, 0.0), strict=True)]
    optimiser = torch.optim.AdamW(groups, lr=case.rate, betas=(0.9, 0.98), eps=1e-6)
    for number in range(max(1, case.steps) * case.batches):
        begins, ends = number % case.batches == 0, (number + 1) % case.batches == 0
        if begins:
            optimiser.zero_grad()
        whole = inputs(case, number)
        if accelerator is None:
            joined(case, own, whole, torch.arange(BATCH) if order is None else order).backward()
        else:
            size = BATCH // accelerator.num_processes
            rows = slice(size * accelerator.process_index, size * (accelerator.process_index + 1))
            part = {name: value[rows] for name, value in whole.items()}
            backward(accelerator, module, part, partial(loss, case), case.chunk, last=ends)
        if case.steps and ends:
            optimiser.step()
    if case.steps:
        return {name: p.detach().clone() for name, p in own.named_parameters()}
    return {name: p.grad.clone() for name, p in own.named_parameters() if p.grad is not None}


def joined(case: Case, module: Both, whole: dict[str, Tensor], order: Tensor) -> Tensor:
    """The loss of the joined batch, its rows put through the towers in another order."""
    made = module(**{name: value[order] for name, value in whole.items()})
    return loss(case, {name: value[order.argsort()] if value.ndim else value for name, value in made.items()})


def apart(one: dict[str, Tensor], other: dict[str, Tensor], key_bias: bool = True) -> dict[str, float]:
    """How far apart two sets of parameters or gradients are, each over its own norm.

    The bias of attention's keys adds the same to all of a query's scores, so softmax does not see it: its true gradient
    is zero, what is computed of it is rounding, and AdamW, which divides by its size, makes whole steps of that.

    Args:
        one, other: by name; a gradient that only one has must be zero, as the bias's in the loss of CLIP.
        key_bias: whether it is compared: the middle third of ``in_proj_bias``.
    """
    found = {}
    for name in one.keys() | other.keys():
        some = next(x[name] for x in (one, other) if name in x)
        a, b = (x.get(name, torch.zeros_like(some)) for x in (one, other))
        if name.endswith("in_proj_bias") and not key_bias:
            a, b = (torch.cat([x.chunk(3)[0], x.chunk(3)[2]]) for x in (a, b))
        found[name] = float((a - b).norm() / b.norm()) if b.any() else float(a.norm())
    return found


@pytest.fixture
def accelerators() -> Iterator[Callable[..., Accelerator]]:
    """Makes one of another precision or accumulation; Accelerate keeps its first for all of a process."""

    def make(**words: Any) -> Accelerator:
        AcceleratorState._reset_state(True)
        return Accelerator(cpu=True, **words)

    yield make
    AcceleratorState._reset_state(True)


@pytest.fixture
def accelerator(accelerators) -> Accelerator:
    return accelerators()


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[Case, dict[str, Tensor]]]:
    """What each of two gloo processes has after every case."""
    out = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    call = [sys.executable, "-W", "error", __file__, str(out)]
    started = [
        subprocess.Popen(call, env={**os.environ, **told, "RANK": rank, "LOCAL_RANK": rank}, stderr=subprocess.PIPE)
        for rank in ("0", "1")
    ]
    said = [process.communicate(timeout=1500)[1].decode()[-2000:] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    made = [torch.load(out / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    return [dict(zip(EVERY, one, strict=True)) for one in made]


@pytest.fixture(scope="module")
def plainly(of_two) -> Iterator[Callable[[Case], dict[str, Tensor]]]:
    """The joined batch's own pass, on one thread as the two processes: another number of them sums in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield lru_cache(maxsize=None)(run)
    torch.set_num_threads(threads)


def worst(found: dict[str, float]) -> tuple[float, str]:
    return max((value, name) for name, value in found.items())


def bound(case: Case) -> float:
    return 1e-9 if case.double else 1e-5


@pytest.mark.parametrize("case", GRADIENTS, ids=str)
def test_chunks_give_the_gradient_of_the_joined_batch(case, accelerator):
    found, wanted = run(replace(case, chunk=ALONE), accelerator), run(case)
    assert len(found) > 60
    assert worst(apart(found, wanted)) < (1e-5, "")


@pytest.mark.parametrize("tower", TOWERS)
def test_a_whole_batch_gives_the_gradient_to_the_bit(tower, accelerator):
    case = Case(tower, double=False)
    assert worst(apart(run(case, accelerator), run(case))) < (1e-30, "")


@pytest.mark.slow
def test_two_processes_whole_or_in_chunks_give_the_gradient_of_the_joined_batch(of_two, plainly):
    for case in EVERY:
        if not case.steps:
            wanted = plainly(replace(case, chunk=0))
            for process in of_two:
                assert worst(apart(process[case], wanted)) < (1e-5, ""), case


@pytest.mark.slow
def test_after_twenty_steps_the_parameters_agree(of_two, plainly, accelerator):
    """In float32 all but the key bias, whose true gradient is zero; see `apart`."""
    for case in EVERY:
        if case.steps:
            wanted = plainly(replace(case, chunk=0))
            some = [process[case] for process in of_two]
            if case.chunk and case.tower == "vit":
                some.append(run(replace(case, chunk=ALONE), accelerator))
            for found in some:
                assert worst(apart(found, wanted, key_bias=case.double)) < (bound(case), ""), case


@pytest.mark.slow
def test_the_processes_hold_the_same_parameters_to_the_bit(of_two):
    for case in EVERY:
        assert all(torch.equal(of_two[0][case][name], of_two[1][case][name]) for name in of_two[0][case]), case


@pytest.mark.slow
def test_the_compact_tower_in_float32_drifts_no_further_than_by_the_order_of_its_rows(accelerator):
    """At the rate of a start from nothing it passes corners of ReLU6, and no order of summing is the right one."""
    case = Case("compact", "clip", False, steps=5)
    wanted = run(case)
    chunked = apart(run(replace(case, chunk=ALONE), accelerator), wanted, key_bias=False)
    turned = apart(run(case, order=torch.arange(BATCH).flip(0)), wanted, key_bias=False)
    assert statistics.median(chunked.values()) < 4 * statistics.median(turned.values())


def test_the_comparison_sees_a_wrong_gradient():
    case = Case()
    wanted = run(case)
    name = "pair.visual.transformer.resblocks.0.attn.in_proj_bias"
    wrong = {**wanted, name: wanted[name] + 1e-6}
    assert worst(apart(wrong, wanted))[1] == name
    assert worst(apart(run(replace(case, drops=False)), wanted))[0] > 0.1
    without = {n: g for n, g in wanted.items() if n != name}
    assert worst(apart(without, wanted)) == (1.0, name)


class Counted(nn.Module):
    """A linear map that keeps account of how it is called."""

    def __init__(self, inner: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.map, self.scale = nn.Linear(inner, 2), nn.Parameter(torch.tensor(2.0))
        self.calls: list[tuple[int, bool]] = []

    def forward(self, x: Tensor) -> Outputs:
        self.calls.append((len(x), torch.is_grad_enabled()))
        return {"images": self.map(x), "scale": self.scale * 1.0}


def squares(outputs: Outputs) -> Tensor:
    return outputs["scale"] * (outputs["images"] @ outputs["images"].T).square().sum()


def test_all_chunks_but_one_go_forward_twice_and_the_loss_is_asked_once(accelerator):
    module, asked, x = Counted(), [], torch.randn(8, 3)
    value = backward(accelerator, module, {"x": x}, lambda outputs: asked.append(1) or squares(outputs), 3)
    assert module.calls == [(3, False), (3, False), (2, True), (3, True), (3, True)]
    assert len(asked) == 1
    assert not value.requires_grad
    assert value.item() == pytest.approx(squares(module(x)).item(), rel=1e-5)


def test_a_chunk_as_large_as_the_batch_goes_forward_once(accelerator):
    module = Counted()
    backward(accelerator, module, {"x": torch.randn(8, 3)}, squares, 8)
    assert module.calls == [(8, True)]


def test_gradients_add_up_and_accumulated_batches_are_averaged(accelerators):
    halving = accelerators(gradient_accumulation_steps=2)
    x, module, plain = torch.randn(8, 3), Counted(), Counted()
    for number, part in enumerate(x.split(4)):
        backward(halving, module, {"x": part}, squares, 3, last=number == 1)
        (squares(plain(part)) / 2).backward()
    for found, wanted in zip(module.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found.grad, wanted.grad)


class Scaling:
    """An accelerator of one process whose backward scales the loss, as that of float16 does."""

    device, process_index, num_processes = torch.device("cpu"), 0, 1
    factor = 2.0**10

    def gather(self, value: Tensor) -> Tensor:
        return value

    def autocast(self) -> nullcontext[None]:
        return nullcontext()

    def no_sync(self, module: nn.Module) -> nullcontext[None]:
        return nullcontext()

    def backward(self, loss: Tensor) -> None:
        (loss * self.factor).backward()


@pytest.mark.parametrize("chunk", [0, 3])
def test_the_scale_of_float16_multiplies_every_gradient_once(chunk):
    module, plain, x = Counted(), Counted(), torch.randn(8, 3)
    value = backward(Scaling(), module, {"x": x}, squares, chunk)
    wanted = squares(plain(x))
    wanted.backward()
    assert value.item() == pytest.approx(wanted.item(), rel=1e-5)
    for one, other in zip(module.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, Scaling.factor * other.grad)


@pytest.mark.parametrize("prepared", [True, False])
def test_in_bfloat16_the_towers_round_and_the_loss_does_not(prepared, accelerators):
    half = accelerators(mixed_precision="bf16")
    made, seen = {}, []

    def watched(outputs: Outputs) -> Tensor:
        seen.append((outputs["images"].dtype, (outputs["images"] @ outputs["images"].T).dtype))
        return squares(outputs)

    x = torch.randn(8, 3)
    for chunk in (0, 3):
        module = Counted()
        inner = half.prepare_model(module) if prepared else module
        backward(half, inner, {"x": x}, watched, chunk)
        made[chunk] = [p.grad for p in module.parameters()]
    plain = Counted()
    squares(plain(x)).backward()
    assert seen == [(torch.float32, torch.float32)] * 2
    for whole, parts, exact in zip(made[0], made[3], [p.grad for p in plain.parameters()], strict=True):
        torch.testing.assert_close(parts, whole, rtol=2e-2, atol=2e-2 * float(whole.abs().max()))
        torch.testing.assert_close(whole, exact, rtol=5e-2, atol=5e-2 * float(whole.abs().max()))
    assert not torch.equal(made[0][0], next(plain.parameters()).grad)


def test_what_is_locked_stays_without_a_gradient(accelerator):
    module, x = Counted(), torch.randn(8, 3)
    module.map.requires_grad_(False)
    backward(accelerator, module, {"x": x}, squares, 3)
    assert module.map.weight.grad is None
    outputs = module(x)
    assert module.scale.grad.item() == pytest.approx((squares(outputs) / outputs["scale"]).item(), rel=1e-5)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"x": torch.ones(3, 3), "seeds": torch.ones(2)}, "as many of each"), ({"x": torch.ones(0, 3)}, "some")],
)
def test_inputs_that_do_not_fit_each_other_are_named(given, said, accelerator):
    with pytest.raises(ValueError, match=said):
        backward(accelerator, Counted(), given, squares)


def test_an_output_of_other_rows_is_named(accelerator):
    module = Counted()
    module.forward = lambda x: {"images": x[:2]}
    with pytest.raises(ValueError, match=r"images.* for 3 rows"):
        backward(accelerator, module, {"x": torch.ones(3, 3)}, squares)


if __name__ == "__main__":
    torch.set_num_threads(1)
    one_of_two = Accelerator(cpu=True)
    torch.save([run(case, one_of_two) for case in EVERY], Path(sys.argv[1]) / f"{one_of_two.process_index}.pt")
    one_of_two.end_training()
