"""The page: one file that asks for nothing, whose script alone may run, and that escapes what comes from outside."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import datetime

import numpy as np
import pytest

from fetalclip.frame import Frame
from fetalclip.report import map_page as module
from fetalclip.report.map_page import Points, map_page, number_cells
from fetalclip.report.sprite import Sprite

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u2028"
NUMBER = {
    "name": "silhouette",
    "title": "silhouette",
    "value": 0.5,
    "low": 0.4,
    "high": 0.6,
    "chance": None,
    "meaning": "-1 to 1",
}


def told(**more: object) -> dict:
    made = {
        "schema": "fetalclip.map/1",
        "input": {"path": "e.npz", "rows": 3, "width": 8, "kind": "paths"},
        "shown": 3,
        "label": "plane",
        "patients": 2,
        "where": "",
        "embedding": {"numbers": [NUMBER]},
        "maps": [{"method": "pca", "made": {}, "numbers": [{**NUMBER, "value": None, "low": None}]}],
        "warnings": [],
        "provenance": {"version": "0", "model": "m"},
    }
    return made | more


def page(points: Points, n: int = 3, **more: object) -> str:
    places = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    return "".join(map_page(told(**more), [("umap", places), ("pca", 2 * places)], points, datetime(2026, 1, 1)))


def data(html: str) -> dict:
    return json.loads(re.search(r'id="map-data">(.*?)</script>', html, re.DOTALL)[1])


@pytest.fixture
def points() -> Points:
    sprite = Sprite([Frame(np.full((30, 40), 90, np.uint8))])
    return Points((4, 5, 9), ("brain", "femur", ""), ("a.png", "b.png", "c.png"), (-1, 0, -1), sprite)


def test_it_holds_what_the_script_needs(points):
    html = page(points)
    found = data(html)
    assert found["labels"] == ["brain", "femur"]
    assert found["codes"] == [0, 1, -1]
    assert (found["names"], found["thumbs"]) == (["a.png", "b.png", "c.png"], [-1, 0, -1])
    assert found["sprite"]["sizes"] == [[40, 30]]
    umap, pca = found["maps"]
    assert umap == pca  # a map has no scale of its own
    assert len(umap["places"]) == 6
    assert max(umap["size"]) == 1
    assert min(umap["places"]) == 0
    assert html.count('data-map="') == 2
    assert html.count('data-code="') == 3
    assert "0.500" in html
    assert "0.400 to 0.600" in html
    assert "not defined" in html


def test_it_asks_for_nothing_and_runs_its_own_script_only(points):
    html = page(points)
    without = html.replace(points.sprite.uri, "")
    assert not re.search(
        r"(?:https?:)?//[a-z]", re.sub(r"//[^\n]*\n", "\n", re.search("<script>(.*?)</script>", html, re.DOTALL)[1])
    )
    assert not re.search(r"https?://|src=\"(?!\")|href=|url\(|@import|fetch\(|XMLHttp|eval\(|innerHTML", without)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_what_comes_from_outside_is_escaped(points):
    html = page(
        Points((0, 1, 2), (EVIL, "b", "b"), (EVIL, "b", "c")),
        label=EVIL,
        warnings=[EVIL],
        where=EVIL,
        provenance={"version": "0", "model": EVIL},
    )
    assert html.count("<script") == 2
    assert "<img" not in html
    assert "alert(1)" in data(html)["names"][0]


def test_it_says_once_whose_pictures_these_are(points):
    assert page(points).count("--no-thumbnails --no-names") == 1
    bare = page(Points((0, 1, 2), ("a", "b", "c"), None))
    assert "patients;" not in bare
    assert "--no-thumbnails" not in bare
    assert data(bare)["names"] is None
    assert "sprite" not in data(bare)
    named = page(Points((0, 1, 2), (), ("a", "b", "c")))
    assert named.count("--no-names") == 1
    assert data(named)["codes"] == [-1, -1, -1]
    assert 'data-code="' not in named


def test_of_too_many_dots_some_are_shown(monkeypatch, points):
    monkeypatch.setattr(module, "MOST_POINTS", 20)
    html = page(Points(range(50), ["a"] * 50, [f"{i}.png" for i in range(50)]), 50)
    found = data(html)
    assert len(found["codes"]) == len(found["names"]) == 20
    assert len(found["maps"][0]["places"]) == 40
    assert "20 of 50 dots" in html


def test_a_number_in_words():
    assert number_cells(NUMBER) == ("silhouette", "0.500", "0.400 to 0.600", "", "-1 to 1")
    assert number_cells({**NUMBER, "value": None, "low": None, "chance": 0.25})[1:4] == ("not defined", "", "0.250")
