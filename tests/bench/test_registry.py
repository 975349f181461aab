"""A protocol is one module and one entry: the contract every entry keeps."""

from __future__ import annotations

import dataclasses
import inspect

import pytest
import typer

from fetalclip.bench.registry import PROTOCOLS, title
from fetalclip.cli import bench


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_every_protocol_has_what_the_command_calls(name: str) -> None:
    module = PROTOCOLS[name].load()
    assert list(inspect.signature(module.run).parameters)[:3] == ["model", "root", "options"]
    assert callable(module.from_predictions)
    options = module.Options()
    assert dataclasses.is_dataclass(options)
    assert (options.split, options.limit, options.show_progress) == ("test", None, True)


def test_every_protocol_is_a_command() -> None:
    commands = typer.main.get_command(bench.app).commands  # type: ignore[attr-defined]
    assert [name for name in commands if name in PROTOCOLS] == list(PROTOCOLS)
    for name in PROTOCOLS:
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert {"--root", "--model", "--predictions", "--versus", "--report", "--plot", "--json"} <= options, name


def test_titles() -> None:
    assert title("ga") == "Gestational age"
    assert title("something else") == "something else"
