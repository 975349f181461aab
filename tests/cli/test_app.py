"""Errors as messages, exit codes, streams: what holds for every command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fetalclip.cli import main
from fetalclip.errors import DataMissing

PROGRAM = [sys.executable, "-c", "from fetalclip.cli import program; program()"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["analyse", "x"], "analyze"),
        (["analyze", "x", "--jsn"], "--json"),
        (["models", "lst"], "list"),
        (["bench", "plane"], "planes"),
        (["analyze", "x", "--nonsense-word"], "fetalclip analyze --help"),
        (["analyze", "x", "--model"], "--model"),
        (["bench", "planes", "--root", ".", "--n", "0"], "--n"),
        (["models", "show"], "NAME"),
        (["info"], "PATH"),
    ],
)
def test_a_wrong_call_is_exit_2_and_says_what_to_type(words, hint, capsys):
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert hint in err
    assert "Traceback" not in err


def test_a_file_in_place_of_a_command_gets_the_command(capsys):
    assert main([__file__]) == 2
    assert f"Try: fetalclip analyze {__file__}" in capsys.readouterr().err


def test_no_words_is_help_on_stderr(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "analyze" in err


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_is_data(word, capsys):
    assert main([word]) == 0
    out, err = capsys.readouterr()
    assert "analyze" in out
    assert "Exit codes" in out
    assert err == ""


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("fetalclip ")


def break_info(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def broken(paths: object) -> None:
        raise error

    monkeypatch.setattr("fetalclip.io.walk", broken)


def test_our_errors_are_one_line_with_their_code(monkeypatch, capsys):
    break_info(monkeypatch, DataMissing("no data", "data", "get data"))
    assert main(["info", "x"]) == 3
    assert capsys.readouterr().err == "Error: no data. Expected data. Try: get data\n"


def test_other_errors_ask_for_debug(monkeypatch, capsys):
    break_info(monkeypatch, RuntimeError("first\nsecond"))
    assert main(["info", "x"]) == 1
    err = capsys.readouterr().err
    assert "RuntimeError: first" in err
    assert "--debug" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("words", [["--debug", "info", "x"], ["info", "--debug", "x"], ["info", "x", "--debug"]])
@pytest.mark.parametrize("error", [RuntimeError("odd"), DataMissing("no data")])
def test_debug_shows_the_traceback_wherever_it_stands(monkeypatch, capsys, words, error):
    break_info(monkeypatch, error)
    assert main(words) == (3 if isinstance(error, DataMissing) else 1)
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("0", False), ("", False), ("yes", True)])
def test_debug_from_the_environment(monkeypatch, capsys, value, shown):
    monkeypatch.setenv("FETALCLIP_DEBUG", value)
    break_info(monkeypatch, RuntimeError("odd"))
    main(["info", "x"])
    assert ("Traceback" in capsys.readouterr().err) is shown


def test_a_file_called_debug_can_be_named(capsys):
    assert main(["info", "--", "--debug"]) == 1
    assert "there is no file --debug" in capsys.readouterr().err


def test_interruption_is_130(monkeypatch, capsys):
    break_info(monkeypatch, KeyboardInterrupt())
    assert main(["info", "x"]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_a_closed_pipe_is_quiet(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.png").write_text("x")
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*PROGRAM, "info", "--json", str(tmp_path)],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_message(tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*PROGRAM, "models", "list", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1


def test_a_narrow_encoding_is_no_reason_to_fail(tmp_path):
    (tmp_path / "Grüße.txt").write_text("x")
    done = subprocess.run(
        [*PROGRAM, "info", str(tmp_path)],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert done.returncode == 1
    assert b"Gr\\xfc" in done.stdout
    assert b"Traceback" not in done.stderr


def test_no_escape_codes_without_a_terminal():
    for words in (["--help"], ["analyze", "--help"], ["nonsense"], ["models", "list"]):
        done = subprocess.run(
            [*PROGRAM, *words], capture_output=True, check=False, env={**os.environ, "GITHUB_ACTIONS": "true"}
        )
        assert b"\x1b" not in done.stdout + done.stderr


def test_a_process_still_runs_what_waits_for_its_end(tmp_path):
    code = (
        "import atexit, sys; from fetalclip.cli import program; sys.argv[1:] = ['models', 'list'];"
        "atexit.register(lambda: print('goodbye')); program()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "fetalclip-open" in done.stdout
    assert done.stdout.endswith("goodbye\n")


def test_a_warning_is_a_line_of_talk():
    code = (
        "import sys, warnings; from fetalclip import cli; sys.argv[1:] = ['models', 'list'];"
        "cli.main = lambda: warnings.warn('something is odd', stacklevel=1) or 0; cli.program()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Warning: something is odd\n")
