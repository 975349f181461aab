"""Transformer blocks compiled by PyTorch (`optim.compile`), and what that needs on this machine."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec

import torch
from torch import nn

from fetalclip.errors import NotAvailable
from fetalclip.models.transformer import Block

_COMPILERS = ("g++", "clang++", "cl")


def compile_blocks(module: nn.Module) -> None:
    """Have the blocks of a module compiled at their first call, in place: names and state stay as they are.

    Blocks of one shape share what is compiled.

    Raises:
        NotAvailable: there is nothing to compile with.
    """
    if what := missing():
        raise NotAvailable(f"optim.compile=true without {what}", f"{what} on this machine", "optim.compile=false")
    for part in module.modules():
        if isinstance(part, Block):
            part.compile()


def missing() -> str:
    """What compiling lacks here; empty where it lacks nothing."""
    named = os.environ.get("CXX", "")
    if shutil.which(named or _COMPILERS[0]) is None and not any(map(shutil.which, _COMPILERS)):
        return "a compiler of C++"
    if torch.cuda.is_available() and find_spec("triton") is None:
        return "Triton"
    return ""
