"""Growth charts as pictures: both pens, the case where it belongs, crossings marked."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from fetalclip.clinical import growth
from fetalclip.clinical.growth import Row, Size, read
from fetalclip.report.growth import Panel, draw_growth

RED = (176, 42, 55)
SVG = "{http://www.w3.org/2000/svg}"


def row(hc: float, age: str, chart: str = "who-2017-v3-hc") -> Row:
    return read({"HC": Size("HC", hc)}, age, chart=chart).rows[0]


def panel(*visits: tuple[float, str]) -> Panel:
    return Panel(growth.chart("who-2017-v3-hc"), tuple(row(*visit) for visit in visits))


def svg(*panels: Panel) -> ElementTree.Element:
    return ElementTree.fromstring(draw_growth(panels, "svg"))


def words(root: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def test_the_case_lies_where_the_chart_says() -> None:
    root = svg(panel((173.4, "20w0d")))
    (dot,) = root.iter(f"{SVG}circle")
    median = max(
        root.iter(f"{SVG}polyline"), key=lambda line: (line.get("stroke-width") == "2", len(line.get("points")))
    )
    places = [tuple(map(float, place.split(","))) for place in median.get("points").split()]
    x, y = float(dot.get("cx")), float(dot.get("cy"))
    assert np.interp(x, *zip(*places, strict=True)) == pytest.approx(y, abs=0.6)  # on the median, to half a pixel
    assert "20w0d: 173.4 mm, centile 50" in words(root)


def test_words_of_the_chart() -> None:
    said = words(svg(panel((175.0, "20w3d"))))
    assert "WHO 2017 V3 HC: head circumference" in said
    assert {"3", "10", "50", "90", "97", "16", "40", "200"} <= set(said)
    assert any("not a medical device" in one for one in said)


@pytest.mark.parametrize(
    ("visit", "said"),
    [
        ((120.0, "20w0d"), "20w0d: 120.0 mm, below centile 1"),
        ((230.0, "20w0d"), "20w0d: 230.0 mm, above centile 99"),
        ((90.0, "12w0d"), "12w0d: 90.0 mm, outside the chart"),
    ],
)
def test_what_has_no_centile_is_said(visit: tuple[float, str], said: str) -> None:
    assert said in words(svg(panel(visit)))


def test_a_course_is_a_line_with_a_mark_at_each_crossing() -> None:
    root = svg(panel((300.0, "36w0d"), (173.0, "20w0d"), (215.0, "24w0d"), (262.0, "30w0d")))
    assert len(list(root.iter(f"{SVG}circle"))) == 4
    marks = [area for area in root.iter(f"{SVG}polygon") if area.get("fill") == "#d67814"]
    assert len(marks) == 1
    assert any("36w0d: 300.0 mm" in one for one in words(root))


def test_outside_the_chart_the_line_is_dashed() -> None:
    root = svg(panel((90.0, "12w0d"), (173.0, "20w0d")))
    assert sum("stroke-dasharray" in line.attrib for line in root.iter(f"{SVG}polyline")) == 1


def test_png() -> None:
    data = draw_growth([panel((90.0, "12w0d"), (173.0, "20w0d"), (262.0, "30w0d"))] * 3, "png")
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (1280, 2 * 460 + 34)
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    near = (np.abs(pixels - RED).sum(axis=-1) < 30).sum()
    assert near > 600  # dots and lines of three panels
    assert (pixels.reshape(-1, 3).min(axis=1) == 255).mean() > 0.5  # paper


def test_an_svg_holds_nothing_to_run_or_fetch() -> None:
    text = draw_growth([panel((175.0, "20w3d"))], "svg").decode()
    assert not re.search(r"<script|href|url\(|@import|<image|<foreignObject", text)
