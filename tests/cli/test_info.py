"""``fetalclip info``: what was read, line by line."""

from __future__ import annotations

import json

from fetalclip.cli import main


def test_json_has_every_file(pictures, capsys):
    assert main(["info", str(pictures), "--json"]) == 1
    out, err = capsys.readouterr()
    found = [json.loads(line) for line in out.splitlines()]
    assert len(found) == 4
    assert found[0]["schema"] == "fetalclip.info/1"
    assert (found[0]["width"], found[0]["height"], found[0]["error"]) == (64, 48, None)
    assert found[3]["error"]
    assert "d-words.txt" in err


def test_text_says_unknown_and_none(pictures, capsys):
    assert main(["info", str(pictures / "a-bright.png")]) == 0
    out = capsys.readouterr().out
    assert "mm per pixel      unknown" in out
    assert "identifiers       none" in out
