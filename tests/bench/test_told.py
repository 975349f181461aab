"""What a config tells is taken with suspicion, and no place on a machine leaves with it."""

from __future__ import annotations

import pytest

from fetalclip.bench.told import cell, doi_of, portable, portable_text, protocols, training_data


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("fetalclip bench planes --root /home/ann/data --far=/srv/x/y", "fetalclip bench planes --root data --far=y"),
        ("--root /data", "--root data"),
        ("/home/ann/my data", "my data"),
        ("file:///home/ann/x", "x"),
        ("~/scans", "scans"),
        ("at ~ann/scans/a now", "at a now"),
        ("C:\\Users\\ann\\x", "x"),
        ("at C:/Users/ann/x now", "at x now"),
        ("\\\\server\\share\\x", "x"),
        ('say "/home/ann/x"', 'say "x"'),
        (
            "https://zenodo.org/records/1 and doi:10.5281/zenodo.1",
            "https://zenodo.org/records/1 and doi:10.5281/zenodo.1",
        ),
        ("mm/pixel, n / a, 1/2, assets/splits/a.csv, ../shared/data", None),
        ("<b>a</b>", None),
    ],
)
def test_places_lose_their_folders(text: str, kept: str | None) -> None:
    assert portable_text(text) == (text if kept is None else kept)


def test_places_are_found_at_any_depth() -> None:
    told = {"a": [{"/home/ann/k": "/home/ann/v"}, 1, None, True, 0.5]}
    assert portable(told) == {"a": [{"k": "v"}, 1, None, True, 0.5]}


def test_odd_training_data_is_left_out() -> None:
    data = {"good": {"license": "CC0-1.0", "citation": 3, "url": "https://x.org/1", "pictures": "many"}, "bad": "x"}
    (found,) = training_data({"training": {"data": data}})
    assert (found.name, found.license, found.citation, found.pictures) == ("good", "CC0-1.0", "", None)
    assert found.record == "https://x.org/1"
    for odd in ({}, {"training": 3}, {"training": {"data": [1]}}):
        assert training_data(odd) == []


def test_a_record_is_a_doi_or_an_address() -> None:
    (found,) = training_data({"training": {"data": {"d": {"citation": "A (doi:10.5281/zenodo.1).", "url": "file:x"}}}})
    assert found.record == "https://doi.org/10.5281/zenodo.1"
    (found,) = training_data({"training": {"data": {"d": {"citation": "mine", "url": "on my disk"}}}})
    assert found.record == ""
    assert doi_of("https://doi.org/10.5281/zenodo.1") == doi_of("10.5281/zenodo.1") == "10.5281/zenodo.1"
    assert doi_of("soon") == doi_of("10.5281/zenodo.1 and more") == ""


def test_only_whole_results_of_these_weights_count() -> None:
    def result(sha256: str, limit: int | None) -> dict[str, object]:
        return {"provenance": {"model_sha256": sha256, "limit": limit}}

    results = {
        "bench_planes": result("a", None),
        "bench_subplanes": result("a", 60),
        "bench_ga": result("b", None),
        "bench_odd": "x",
        "cross_fit": result("a", None),
    }
    assert list(protocols({"weights": {"sha256": "A"}, "results": results})) == ["planes"]
    assert protocols({"weights": {"sha256": "a"}}) == {}


def test_a_cell_is_one_line_without_markup() -> None:
    assert cell("a\n# b|c <img> [x](y)") == "a # b\\|c \\<img\\> \\[x\\](y)"
    assert len(cell("x" * 5000)) == 1000
