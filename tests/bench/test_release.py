"""A release folder is whole, the same twice, tells no place, and claims only what is there."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fetalclip.bench.card import render
from fetalclip.bench.openness import newest
from fetalclip.bench.release import release
from fetalclip.cards import get_card, read_folder
from fetalclip.errors import BadCheckpoint, NotAvailable, OutputError
from fetalclip.fit.recipe import Recipe
from fetalclip.settings import load_recipe

REPORT = "How it was made and what it can do. " * 60
OWN = {"name": "mine"}  # not the bundled model, whose gaps are known


def good(config: dict[str, Any]) -> None:
    """A model of the user's, from scratch, on public data."""
    config.update(OWN)
    config["training"]["recipe"]["model"]["start"] = "random"
    config["training"]["start"] = "random"


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def component(made: Any, name: str) -> dict[str, Any]:
    return next(c for c in made.openness.to_dict()["components"] if c["id"] == name)


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return release(get_card("fetalclip-open"), tmp_path_factory.mktemp("bundled") / "release")


def test_the_bundled_model_is_there_whole(bundled: Any) -> None:
    card, files = get_card("fetalclip-open"), contents(bundled.folder)
    assert card.folder is not None
    for name in ("config.json", "model.safetensors", "tokenizer.json", "README.md"):
        assert files[name] == (card.folder / name).read_bytes(), name
    assert set(files) >= {"DATA.md", "results.json", "recipe.yaml", "split.csv", "OPENNESS.md", "LICENSE.md"}
    again = read_folder(bundled.folder)
    assert again.available
    assert again.sha256 == card.sha256
    told = json.loads(files["results.json"])
    assert told["results"] == card.config["results"]
    assert told["results"]["bench_planes"]["command"].startswith("fetalclip bench planes")


def test_the_sums_are_those_of_every_other_file(bundled: Any) -> None:
    files = contents(bundled.folder)
    sums = dict(reversed(line.split("  ")) for line in files.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()} == dict(bundled.files)
    assert list(sums) == sorted(sums)


def test_the_recipe_can_be_trained_again(bundled: Any) -> None:
    recipe = load_recipe(Recipe, bundled.folder / "recipe.yaml")
    told = get_card("fetalclip-open").config["training"]["recipe"]
    assert recipe.optim.epochs == told["optim"]["epochs"]
    assert recipe.crossfit_folds == tuple(told["crossfit_folds"])


def test_the_split_holds_the_trained_sets(make, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["training"]["data"].pop("hc18")

    made = release(make(change), tmp_path / "out")
    rows = list(csv.DictReader((made.folder / "split.csv").read_text("utf-8").splitlines()))
    assert {row["dataset"] for row in rows} == {"fetal-planes-db", "head-structures"}
    assert {row["split"] for row in rows} == {"train", "val", "test"}


def test_the_bundled_model_claims_no_more_than_it_has(bundled: Any) -> None:
    told = json.loads((bundled.folder / "openness.json").read_text("utf-8"))
    assert told == bundled.openness.to_dict()
    missing = {c["id"] for c in told["components"] if not (c["present"] and c["open"])}
    assert missing >= {"datasets", "preprocessing-code"}
    for level, _ in newest().classes:
        lacking = set(told["missing"][level])
        assert lacking <= missing
        if told["class"] == level:
            assert lacking == set()
    if not list(bundled.folder.glob("technical-report.*")):
        assert told["class"] is None
        assert "technical-report" in told["missing"]["III"]
        assert "technical report: missing" in (bundled.folder / "OPENNESS.md").read_text("utf-8")


def test_the_same_model_gives_the_same_bytes(make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = make()
    first = contents(release(card, tmp_path / "one").folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.time", lambda: 0.0)
    second = contents(release(replace(card, folder=Path("model")), Path("elsewhere") / "two").folder)
    assert first == second
    words = (str(tmp_path).encode(), str(Path.home()).encode(), b"elsewhere")
    assert [(name, word) for name, data in first.items() for word in words if word in data] == []


def test_places_stay_behind(make, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["training"]["recipe"]["data"]["root"] = "/home/ann/scans/data"
        config["results"]["bench_planes"]["command"] = "fetalclip bench planes --root /home/ann/scans/data"

    card = make(change)
    (card.folder / "README.md").write_text("# m\n\n## Results\n\nfrom /home/ann/scans/data\n\n## Limits\n\nmany\n")
    (card.folder / "sample-outputs.jsonl").write_text('{"path": "C:\\\\Users\\\\ann\\\\scans\\\\a.png"}\n')
    files = contents(release(card, tmp_path / "out").folder)
    assert [name for name, data in files.items() if b"ann" in data and b"scans" in data] == []
    assert load_recipe(Recipe, tmp_path / "out" / "recipe.yaml").data.root == "data"
    assert b"--root data" in files["DATA.md"]
    assert b'"path": "a.png"' in files["sample-outputs.jsonl"]


def test_a_report_and_open_data_reach_open_tooling(make, tmp_path: Path) -> None:
    card = make(good)
    (card.folder / "README.md").write_text("# m\n\n## Evaluation\n\n### planes\n\n0.9\n\n## Limitations\n\nmany\n")
    assert release(card, tmp_path / "without").openness.reached == ""
    (card.folder / "technical-report.md").write_text(REPORT)
    made = release(card, tmp_path / "with")
    assert made.openness.reached == "II"
    assert [line.component.id for line in made.openness.lacking("I")] == ["intermediate-checkpoints", "research-paper"]
    assert component(made, "technical-report")["where"] == ["technical-report.md"]
    assert component(made, "model-card")["note"] == "written by hand, not from config.json"


def test_records_elsewhere_are_taken_at_their_word_and_told(make, tmp_path: Path) -> None:
    record = {"doi": "10.5281/zenodo.1", "license": "cc-by-4.0"}

    def change(config: dict[str, Any]) -> None:
        good(config)
        config["published"] = {
            "intermediate-checkpoints": record,
            "research-paper": {**record, "license": "CC-BY-NC-4.0"},
        }

    card = make(change)
    (card.folder / "technical-report.pdf").write_bytes(b"%PDF-1.7 words")
    (card.folder / "README.md").write_text("# m\n\n## Results\n\n0.9\n\n## Limits\n\nmany\n")
    made = release(card, tmp_path / "out")
    assert component(made, "intermediate-checkpoints") == {
        "id": "intermediate-checkpoints",
        "name": "intermediate checkpoints",
        "class": "I",
        "required": True,
        "present": True,
        "where": ["https://doi.org/10.5281/zenodo.1"],
        "licenses": ["CC-BY-4.0"],
        "open": True,
        "note": "named in config.json, not looked up",
    }
    assert [line.component.id for line in made.openness.lacking("I")] == ["research-paper"]


@pytest.mark.parametrize(
    "published",
    [3, {"datasets": {"doi": "10.5281/zenodo.1"}}, {"research-paper": "soon"}, {"research-paper": {"doi": "x"}}],
)
def test_odd_records_are_refused(make, tmp_path: Path, published: Any) -> None:
    with pytest.raises(BadCheckpoint, match="published"):
        release(make(lambda config: config.update(published=published)), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("text", ["", "Soon.", "README.md", "DATA.md"])
def test_a_note_or_another_text_is_no_report(make, tmp_path: Path, text: str) -> None:
    card = make(good)
    if text.endswith(".md"):
        text = (release(card, tmp_path / "first").folder / text).read_text("utf-8") + "\nSoon more.\n"
    (card.folder / "technical-report.md").write_text(text)
    made = release(card, tmp_path / "out")
    line = component(made, "technical-report")
    assert (line["present"], line["note"]) == (False, "technical-report.md has fewer than 300 words of its own")
    assert made.openness.reached == ""


def test_a_licence_for_non_commercial_use_fails_every_class(make, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        good(config)
        config["license"] = "CC-BY-NC-4.0"

    card = make(change)
    (card.folder / "technical-report.md").write_text(REPORT)
    made = release(card, tmp_path / "out")
    assert made.openness.reached == ""
    assert "final-parameters" in {line.component.id for line in made.openness.lacking("III")}
    assert "not open under CC-BY-NC-4.0" in (tmp_path / "out" / "OPENNESS.md").read_text("utf-8")


def test_a_data_set_under_such_a_licence_is_no_open_data(make, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        good(config)
        config["training"]["data"]["hc18"]["license"] = "CC-BY-NC-SA-4.0"

    line = component(release(make(change), tmp_path / "out"), "datasets")
    assert (line["present"], line["open"]) == (True, False)


def test_pictures_on_no_record_are_no_public_data(make, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        good(config)
        config["training"]["recipe"]["data"]["far_folder"] = "holiday"
        config["training"]["data"]["own"] = {"license": "CC0-1.0", "citation": "mine", "url": ""}

    line = component(release(make(change), tmp_path / "out"), "datasets")
    assert not line["present"]
    assert line["note"] == "own is on no public record; the pictures of data.far_folder are on no public record"


def test_a_model_without_recorded_training_says_so(make, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config.update(OWN, license="unknown", training={})
        del config["results"]

    card = make(change)
    (card.folder / "README.md").unlink()
    made = release(card, tmp_path / "out")
    absent = {"results.json", "recipe.yaml", "split.csv"}
    assert absent & set(made.files) == set()
    assert "No training by this package is recorded" in made.openness.remarks[0]
    assert "'unknown' is not in the table" in made.openness.remarks[1]
    lacking = {line.component.id for line in made.openness.lacking("II")}
    assert lacking >= {
        "training-code",
        "evaluation-code",
        "evaluation-data",
        "evaluation-results",
        "model-card",
        "data-card",
    }
    assert "Not a medical device" in (made.folder / "README.md").read_text("utf-8")
    assert "ask who made the model" in (made.folder / "LICENSE.md").read_text("utf-8")


def test_random_weights_are_called_random(tmp_path: Path) -> None:
    made = release(get_card("fetalclip-tiny"), tmp_path / "out")
    assert made.openness.remarks[0].startswith("The weights are random")
    assert not component(made, "final-parameters")["present"]
    assert made.openness.reached == ""
    assert "random" in (made.folder / "OPENNESS.md").read_text("utf-8")
    again = release(read_folder(made.folder), tmp_path / "again")
    assert contents(again.folder) == contents(made.folder)


def test_results_of_other_weights_are_no_results(make, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        for name in [key for key in config["results"] if key.startswith("bench_")]:
            config["results"][name]["provenance"]["model_sha256"] = "0" * 64

    made = release(make(change), tmp_path / "out")
    assert not component(made, "evaluation-results")["present"]
    assert not component(made, "evaluation-data")["present"]


def test_a_recipe_of_another_version_trains_nothing(make, tmp_path: Path) -> None:
    made = release(make(lambda config: config["training"]["recipe"].update(new_key=1)), tmp_path / "out")
    line = component(made, "training-code")
    assert (line["present"], line["note"]) == (False, "the recipe is of another version")
    assert made.openness.remarks == ("The recorded recipe cannot be run by this version of fetalclip.",)


@pytest.mark.parametrize(
    ("readme", "lacks"),
    [
        ("# m\n\nwords\n", "results and limits"),
        ("# m\n\n## Results\n\n## Limits\n\nmany\n", "results"),
        ("# m\n\n## Results\n\n0.9\n\n## Limits\n\nNone written yet: name what this model was not trained on and not "
         "measured with.\n", "limits"),
    ],
)  # fmt: skip
def test_a_stub_is_no_model_card(make, tmp_path: Path, readme: str, lacks: str) -> None:
    card = make()
    (card.folder / "README.md").write_text(readme)
    line = component(release(card, tmp_path / "out"), "model-card")
    assert (line["present"], line["note"]) == (False, f"README.md has no section on {lacks}")


def test_a_card_made_of_the_config_is_known_as_such(make, tmp_path: Path) -> None:
    card = make()
    (card.folder / "README.md").write_text(render(card.config), "utf-8")
    assert component(release(card, tmp_path / "out"), "model-card")["note"] is None


def test_changed_code_is_told(make, tmp_path: Path) -> None:
    made = release(make(lambda config: config["training"].update(commit="0123abc+")), tmp_path / "out")
    assert "changes that no commit holds" in made.openness.remarks[0]


def test_a_config_that_cannot_be_written_again(make, tmp_path: Path) -> None:
    card = make(lambda config: config["results"].update(odd="\ud800"))
    with pytest.raises(BadCheckpoint, match="no Unicode, or is nested too deep"):
        release(card, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_licence_of_a_vocabulary_goes_with_it(make, tmp_path: Path, bundled: Any) -> None:
    made = release(make(lambda config: config.update(OWN, tokenizer={"cleaning": "clip"})), tmp_path / "out")
    assert "Permission is hereby granted" in (made.folder / "LICENSES" / "clip-vocabulary-LICENSE").read_text("utf-8")
    assert "OpenAI | MIT |" in (made.folder / "LICENSE.md").read_text("utf-8")
    assert "LICENSES/fetalclip-NOTICE" not in made.files  # it is about the bundled model
    assert "LICENSES/clip-vocabulary-LICENSE" not in bundled.files


def test_licences_of_the_package_where_it_is_installed(make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.files", lambda name: None)
    made = release(make(), tmp_path / "out")
    assert [name for name in made.files if name.startswith("LICENSES/")] == []
    assert "Texts:" not in (made.folder / "LICENSE.md").read_text("utf-8")


def test_weights_that_are_others_or_missing(make, tmp_path: Path) -> None:
    card = make()
    (card.folder / "model.safetensors").write_bytes(b"others")
    with pytest.raises(BadCheckpoint, match="not the file its config names"):
        release(card, tmp_path / "out")
    (card.folder / "model.safetensors").unlink()
    with pytest.raises(NotAvailable, match=r"model\.safetensors missing"):
        release(read_folder(card.folder), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_weights_cannot_stand_in_for_another_file(make, tmp_path: Path) -> None:
    card = make(lambda config: config["weights"].update(file="SHA256SUMS"))
    (card.folder / "SHA256SUMS").write_bytes(b"not loaded here")
    with pytest.raises(BadCheckpoint, match=r"'weights\.file'"):
        release(read_folder(card.folder), tmp_path / "out")


def test_a_folder_that_holds_something_is_left_alone(make, tmp_path: Path) -> None:
    card = make()
    before = contents(card.folder)
    for place in (card.folder, card.folder / "config.json"):
        with pytest.raises(OutputError, match="is there already"):
            release(card, place)
    assert contents(card.folder) == before
    (tmp_path / "empty").mkdir()
    assert release(card, tmp_path / "empty").files


def test_no_place_to_write(make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = make()
    with pytest.raises(OutputError, match="cannot be"):
        release(card, card.folder / "config.json" / "out")
    monkeypatch.setattr("fetalclip.bench.release.free_bytes", lambda folder: 1)
    with pytest.raises(OutputError, match="more room"):
        release(card, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
