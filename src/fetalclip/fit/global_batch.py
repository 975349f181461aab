"""The backward pass of a loss over the global batch: one process or many, a batch whole or in chunks.

A contrastive loss compares every picture with every text, so its gradient cannot be summed over parts of a batch. But
given the features it can: the features of all processes are gathered, every process computes the whole loss on them and
its gradient with respect to each feature, and then each picture and text goes backward by itself, with the gradient
of its own feature (Gao et al. 2021, arXiv 2101.06983). So a chunk at a time is enough, at the price of running all
chunks but one forward twice; and no gradient travels between processes but the parameters' own, which DDP averages.
The gradient is that of the joined batch, and memory is that of one chunk and of the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from accelerate import Accelerator

Outputs = dict[str, Tensor]
Loss = Callable[[Outputs], Tensor]


def backward(
    accelerator: Accelerator,
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    loss: Loss,
    chunk: int = 0,
    last: bool = True,
) -> Tensor:
    """Add the gradient of the global batch's loss to the module's parameters.

    Args:
        accelerator: its ``backward`` is used, and so its scale for float16 and its number of accumulated batches.
        module: called with the inputs' names; as ``accelerator.prepare_model`` made it where there are several
            processes. Gives features, (n, D) each, and scalars, such as the scale of the cosines. What it draws at
            random must come from its inputs, for it may be run twice.
        inputs: tensors of n rows each, n the same on every process.
        loss: of the features of all processes, in the order of the processes, and the scalars, to a scalar; it is
            called once, outside autocast and with at least float32. A target it needs of all processes the caller
            gathers.
        chunk: rows that go through the module at a time; 0: all.
        last: whether a step follows; False leaves the gradients of the processes apart, for accumulation.

    Returns:
        The loss, a scalar without a graph, the same on every process.

    Raises:
        ValueError: no rows or not as many of each input, or an output of another number of rows.
    """
    *early, final = _chunks(inputs, chunk)
    with torch.no_grad():
        seen = [_forward(accelerator, module, part) for part in early]
    with _joining(accelerator, module, last and not early):
        made = _forward(accelerator, module, final)
        value, pulls = _pulls(accelerator, [*seen, made], loss)
        _pull(accelerator, made, pulls[-1], scalars=not early)
    for number, part in enumerate(early, start=1):
        closing = number == len(early)
        with _joining(accelerator, module, last and closing):
            _pull(accelerator, _forward(accelerator, module, part), pulls[number - 1], scalars=closing)
    return value


def _chunks(inputs: Mapping[str, Tensor], chunk: int) -> list[dict[str, Tensor]]:
    lengths = {name: len(value) for name, value in inputs.items()}
    if len(set(lengths.values())) != 1 or not all(lengths.values()):
        raise ValueError(f"inputs of {lengths} rows; expected some, and as many of each")
    rows = next(iter(lengths.values()))
    size = chunk or rows
    return [{name: value[i : i + size] for name, value in inputs.items()} for i in range(0, rows, size)]


def _forward(accelerator: Accelerator, module: nn.Module, part: Mapping[str, Tensor]) -> Outputs:
    with accelerator.autocast():
        made: Outputs = module(**part)
    rows = len(next(iter(part.values())))
    odd = {name: tuple(value.shape) for name, value in made.items() if value.ndim and len(value) != rows}
    if odd:
        raise ValueError(f"outputs of shape {odd} for {rows} rows; expected as many rows, or scalars")
    return made


def _joining(accelerator: Accelerator, module: nn.Module, joining: bool) -> AbstractContextManager[None]:
    """Whether a forward and backward pass ends in the mean of the processes' gradients."""
    return nullcontext() if joining else accelerator.no_sync(module)


def _pulls(accelerator: Accelerator, parts: list[Outputs], loss: Loss) -> tuple[Tensor, list[Outputs]]:
    """The loss, and what each part's outputs are multiplied by so that going backward gives its gradient.

    DDP takes the mean over processes. A feature is known to one process alone, so its gradient is multiplied by
    their number; a scalar has its whole gradient on each of them.
    """
    own = {n: torch.cat([_wide(part[n]) for part in parts]) for n, value in parts[0].items() if value.ndim}
    leaves = {n: accelerator.gather(value).detach().requires_grad_() for n, value in own.items()}
    leaves |= {n: _wide(value).clone().requires_grad_() for n, value in parts[0].items() if not value.ndim}
    with torch.autocast(accelerator.device.type, enabled=False):
        value = loss(leaves)
    found = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
    gradients = {n: torch.zeros_like(leaves[n]) if g is None else g for n, g in zip(leaves, found, strict=True)}
    pulls: list[Outputs] = [{n: g for n, g in gradients.items() if not g.ndim} for _ in parts]
    rows = [len(next(part[n] for n in own)) for part in parts]
    for n, local in own.items():
        first = accelerator.process_index * len(local)
        mine = gradients[n][first : first + len(local)] * accelerator.num_processes
        for pull, one in zip(pulls, mine.split(rows), strict=True):
            pull[n] = one
    return value.detach(), pulls


def _wide(value: Tensor) -> Tensor:
    """A copy without a graph, of float32 at least."""
    return value.detach().to(torch.promote_types(value.dtype, torch.float32))


def _pull(accelerator: Accelerator, made: Outputs, pull: Outputs, scalars: bool) -> None:
    """Go backward from a part's outputs with the gradients given; those of the scalars once a batch."""
    terms = [(made[n] * g).sum() for n, g in pull.items() if (scalars or g.ndim) and made[n].requires_grad]
    if terms:
        accelerator.backward(torch.stack(terms).sum())
