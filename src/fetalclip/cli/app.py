"""The program: its commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fetalclip import __version__
from fetalclip.cli import (
    analyze,
    bench,
    checkpoints,
    data,
    demo,
    embed,
    explain,
    growth,
    info,
    map,
    models,
    probe,
    release,
    train,
)
from fetalclip.cli.output import Voice, printable, silence
from fetalclip.errors import FetalclipError

INTERRUPTED = 130  # 128 + SIGINT, as shells report it
BROKEN_PIPE = 141  # 128 + SIGPIPE

# Plain help: rich's panels would cost 100 ms at every start, and their escape codes end in log files.
app = typer.Typer(
    name="fetalclip",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        Voice().data(f"fetalclip {__version__}")
        raise typer.Exit()


@app.callback(
    epilog="Exit codes: 0 fine, 1 some inputs failed, 2 the call is wrong, 3 a model or data is missing. "
    "Research software, not a medical device."
)
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks (also FETALCLIP_DEBUG=1); goes with any command.")
    ] = False,
) -> None:
    """Vision-language models for fetal ultrasound, on your own machine.

    Start with: fetalclip demo
    """


app.command("demo")(demo.demo)
app.command("analyze", no_args_is_help=True)(analyze.analyze)
app.command("info", no_args_is_help=True)(info.info)
app.command("embed", no_args_is_help=True)(embed.embed)
app.command("map", no_args_is_help=True)(map.map_)
app.command("explain", no_args_is_help=True)(explain.explain)
app.command("growth", no_args_is_help=True)(growth.growth)
models.app.command("convert", no_args_is_help=True)(checkpoints.convert)
models.app.command("export-openclip", no_args_is_help=True)(checkpoints.export_openclip)
models.app.command("export-transformers", no_args_is_help=True)(checkpoints.export_transformers)
models.app.command("card", no_args_is_help=True)(release.card)
models.app.command("release", no_args_is_help=True)(release.release)
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")
app.command("train", no_args_is_help=True)(train.train)
app.command("probe", no_args_is_help=True)(probe.probe)
app.add_typer(bench.app, name="bench")


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command; see ``fetalclip.cli.main``."""
    words, debug = _without_debug(list(sys.argv[1:] if argv is None else argv))
    try:
        code = _invoke(words)
        _flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
        _say("Interrupted.")
    except BrokenPipeError:
        code = BROKEN_PIPE
        silence(sys.stdout, sys.stderr)
    except FetalclipError as error:
        if debug:
            _trace()
        code = error.exit_code
        _say(f"Error: {printable(error)}")
    except Exception as error:
        if debug:
            _trace()
        code = 1
        _say(_unexpected(error, debug))
    return code


def _invoke(words: list[str]) -> int:
    command = typer.main.get_command(app)
    try:
        with command.make_context("fetalclip", words) as context:
            result = command.invoke(context)
            return result if isinstance(result, int) else 0
    except typer.Exit as error:
        return int(error.exit_code)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        # typer carries its own copy of click since 0.26: its usage errors are known by what they can do.
        if not hasattr(error, "format_message"):
            raise
        _say(_usage(error, words))
        return 2


def _usage(error: Any, words: list[str]) -> str:
    """A wrong call in one readable message: what was found and what to type."""
    text = printable(error.format_message().partition(" (Possible option")[0].partition(" Did you mean")[0])
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error.format_message())
    near = list(getattr(error, "possibilities", None) or [])
    if "No such command" in text:
        from difflib import get_close_matches

        typed = text.partition("'")[2].rpartition("'")[0]
        near = get_close_matches(typed, getattr(getattr(context, "command", None), "commands", {}), n=2)
    hint = f" Did you mean {' or '.join(sorted(near))}?" if near else ""
    path = context.command_path if context is not None else "fetalclip"
    fix = f"{path} --help"
    if "No such command" in text and not near and path == "fetalclip" and Path(words[0]).exists():
        fix = f"fetalclip analyze {printable(words[0])}"
    return f"Error: {text.rstrip('.')}.{hint} Try: {fix}"


def _without_debug(words: list[str]) -> tuple[list[str], bool]:
    """Take ``--debug`` out from wherever it stands before ``--``; the environment counts too."""
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != "--debug"]
    asked = len(kept) < end or os.environ.get("FETALCLIP_DEBUG", "").lower() not in ("", "0", "false", "no")
    return kept + words[end:], asked


def _unexpected(error: Exception, debug: bool) -> str:
    first = printable(str(error).strip().partition("\n")[0])[:200]
    what = f"{type(error).__name__}: {first}" if first else type(error).__name__
    if debug:
        return f"Error: unexpected {what}"
    return f"Error: unexpected {what.rstrip('.')}. Try: the same command with --debug, and report what it prints"


def _trace() -> None:
    import traceback

    traceback.print_exc()


def _say(text: str) -> None:
    try:
        Voice().talk(text)
    except OSError:
        silence(sys.stdout, sys.stderr)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
