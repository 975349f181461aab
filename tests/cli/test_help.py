"""docs/help.md says what the program says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from fetalclip.cli import helppage, main

ROOT = Path(__file__).resolve().parents[2]
REMEDY = "make it again: python -m fetalclip.cli.helppage > docs/help.md"
MADE_WITH = "0.29."  # typer lays help pages out anew from time to time


def words_of(text: str) -> set[str]:
    return set(re.findall(r"--[a-z-]+|^## .*$", text, flags=re.MULTILINE))


def test_the_page_names_every_command_and_option():
    written = (ROOT / "docs" / "help.md").read_text("utf-8")
    assert words_of(written) == words_of(helppage.page()), REMEDY


@pytest.mark.skipif(not typer.__version__.startswith(MADE_WITH), reason="another typer lays the pages out otherwise")
def test_the_page_is_word_for_word():
    assert (ROOT / "docs" / "help.md").read_text("utf-8") == helppage.page(), REMEDY


def test_every_command_has_a_sentence_and_every_option_too():
    for words, text in helppage.pages():
        lines = text.splitlines()
        assert lines[2].strip().endswith("."), words
        options = [line for line in lines if line.startswith("  -")]
        assert all("  " in line.strip() for line in options), words


@pytest.mark.parametrize("words", [words[1:] for words, _ in helppage.pages()])
def test_help_of_every_command_ends_well(words, capsys):
    assert main([*words, "--help"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Usage: fetalclip")
    assert err == ""


def test_the_exit_codes_are_written_down():
    text = (ROOT / "docs" / "exit-codes.md").read_text("utf-8")
    for code in ("0", "1", "2", "3", "130", "141"):
        assert f"| {code} |" in text
