"""``fetalclip models``: answers as data."""

from __future__ import annotations

import json

from fetalclip.cli import main


def test_list_is_one_object_per_model(capsys):
    assert main(["models", "list", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = [line["name"] for line in found]
    assert names[0] == "fetalclip-open"
    assert {"fetalclip-tiny", "fetalclip-vit-l-14", "mobile-fetalclip"} <= set(names)
    by_name = {line["name"]: line for line in found}
    assert by_name["fetalclip-vit-l-14"]["available"] is False
    assert by_name["fetalclip-vit-l-14"]["license"] == "CC-BY-NC-4.0"


def test_list_names_licences(capsys):
    assert main(["models", "list"]) == 0
    out, err = capsys.readouterr()
    assert "CC-BY-NC-4.0" in out
    assert "fetalclip models pull fetalclip-vit-l-14" in err


def test_show(capsys):
    assert main(["models", "show", "fetalclip-tiny"]) == 0
    assert "mean nothing" in capsys.readouterr().out
    assert main(["models", "show", "fetalclip-tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "fetalclip-tiny"


def test_show_names_licence_and_source(capsys):
    assert main(["models", "show", "fetalclip-vit-l-14"]) == 0
    out = capsys.readouterr().out
    assert "CC-BY-NC-4.0" in out
    assert "numansaeed/fetalclip-model" in out


def test_show_of_a_damaged_folder(tmp_path, capsys):
    (tmp_path / "config.json").write_text("{")
    assert main(["models", "show", str(tmp_path)]) == 3
    assert "is not JSON" in capsys.readouterr().err
