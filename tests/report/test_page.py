from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fetalclip.errors import OutputError, UsageError
from fetalclip.frame import Frame
from fetalclip.report import Report
from fetalclip.result import DISCLAIMER, AgeEstimate, Analysis, PlaneScores, Provenance

Make = Callable[..., Analysis]

VOID = {"meta", "img", "br", "link", "input"}
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"


class Page(HTMLParser):
    """A strict reading of a page: tags, attributes, text; nesting must close."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def tiles(page: str) -> dict[str, int]:
    found = re.findall(r'<div class="tile[^"]*"><dt>([^<]*)</dt><dd>(\d+)</dd>', page)
    return {name: int(n) for name, n in found}


@pytest.fixture
def mixed(frame: Frame, analysis: Make) -> Report:
    report = Report(title="An exam", note="These pictures are simulated.")
    report.add(analysis("scans/a.png"), frame)
    report.add(analysis("scans/b.png", warnings=("12 % of the sector is covered",)), frame)
    report.add(analysis("scans/c.png", plane=PlaneScores({"femur": 0.999, "brain": 0.001})), frame)
    why = "too unlike a fetal plane"
    report.add(analysis("d.png", plane=PlaneScores({"brain": 0.4, "femur": 0.35}, True, why), warnings=(why,)), frame)
    report.add(analysis("notes.txt", error="notes.txt is text. Expected a picture."))
    return report


def test_page_counts(mixed: Report) -> None:
    assert tiles(mixed.html()) == {
        "pictures": 5, "brain": 2, "femur": 1, "abstained": 1, "failed": 1, "with warnings": 1,
    }  # fmt: skip


def test_page_says_what_how_sure_and_by_which_model(mixed: Report) -> None:
    page = Page(mixed.html())
    for words in (
        "An exam",
        "These pictures are simulated.",
        "a.png in scans",
        "brain 90.0 %",
        "Candidates (first 3 of 4) brain 90.0 % lips nose 6.0 % femur 3.0 %",
        "400 × 300 pixels · 0.07 × 0.08 mm per pixel · outlier score 0.200",
        "Warning: 12 % of the sector is covered",
        "Abstained: no plane given",
        "Could not be analysed (1)",
        "notes.txt is text. Expected a picture.",
        "fetalclip 0.1.0",
        "fetalclip-open",
        "CC-BY-4.0",
        "ab12" * 16,
        "torch-cpu",
        "1.2 s",
    ):
        assert words in page.text, words
    assert page.text.count(DISCLAIMER) == 1
    assert page.text.count("too unlike a fetal plane") == 1
    assert page.tags.count("article") == 4


def test_page_shows_the_subplane_below_the_plane(frame: Frame, analysis: Make) -> None:
    found = PlaneScores({"trans-thalamic": 0.7, EVIL: 0.3})
    shy = PlaneScores({"trans-thalamic": 0.4, "trans-cerebellum": 0.35, "trans-ventricular": 0.25}, True, "unsure")
    words = Page(Report(analysis(subplane=found)).html()).text
    assert "femur 3.0 % Sub-plane trans-thalamic 70.0 %" in words
    assert EVIL not in Report(analysis(subplane=found)).html()
    page = Page(Report(analysis(subplane=shy, warnings=("subplane abstained: unsure",))).html())
    assert "Sub-plane: none is likely enough trans-thalamic 40.0 %" in page.text
    assert "Warning: subplane abstained: unsure" in page.text
    assert ("table", "class", "bars sub unsure") in page.attributes
    assert "Sub-plane " not in Page(Report(analysis()).html()).text


def test_page_shows_the_age_with_both_intervals_named(analysis: Make, age: AgeEstimate) -> None:
    words = (
        "Gestational age by the head 20w2d "
        "with the spread of healthy heads 18w5d to 22w0d "
        "the model alone (90 %) 19w2d to 21w2d"
    )
    assert words in Page(Report(analysis(age=age)).html()).text
    alone = Page(Report(age).html()).text
    assert words in alone
    assert "No plane asked for" not in alone
    none = AgeEstimate(None, None, None, "prompted", "WHO 2017 V3 HC", note="no spacing")
    for report in (Report(none), Report(analysis(age=none, warnings=none.warnings))):
        page = Page(report.html()).text
        assert "Gestational age by the head" not in page
        assert "Warning: no age: no spacing" in page


def test_page_stands_alone(mixed: Report) -> None:
    source = mixed.html()
    page = Page(source)
    assert not {"script", "link", "iframe", "object", "form", "a"} & set(page.tags)
    assert all(value.startswith("data:image/") for _, key, value in page.attributes if key in {"src", "href"})
    assert not any(key.startswith("on") for _, key, _ in page.attributes)
    assert "url(" not in source
    assert "@import" not in source
    assert "://" not in source
    policy = next(value for tag, key, value in page.attributes if tag == "meta" and key == "content")
    assert policy.startswith("default-src 'none'")


def test_page_can_be_read_aloud(mixed: Report) -> None:
    page = Page(mixed.html())
    assert ("html", "lang", "en") in page.attributes
    named = [value for tag, key, value in page.attributes if tag == "img" and key == "alt"]
    assert len(named) == page.tags.count("img") == 4
    assert all(named)
    assert page.tags.count("h1") == 1
    assert page.tags.count("th") >= page.tags.count("table")


def test_everything_from_outside_is_escaped(frame: Frame, analysis: Make) -> None:
    made = Provenance(EVIL, EVIL, EVIL, EVIL, EVIL, 0.0)
    plane = PlaneScores({EVIL: 0.9, "brain": 0.1}, abstained=True, reason=EVIL)
    report = Report(title=EVIL, note=EVIL)
    report.add(analysis(f"{EVIL}/{EVIL}.png", plane, (f"{EVIL} warns",), provenance=made), frame)
    report.add(analysis(EVIL, PlaneScores({EVIL: 1.0}), provenance=made), frame)
    report.add(analysis(EVIL, error=EVIL, provenance=made))
    page = Page(report.html())
    assert "script" not in page.tags
    assert page.tags.count("img") == 2
    assert not any(key.startswith("on") for _, key, _ in page.attributes)
    assert page.text.count("alert(1)") >= 15  # shown, as text


def test_undecodable_and_control_characters_can_be_saved(tmp_path: Path, analysis: Make) -> None:
    odd = "a\udcff\x00\u202e.png"
    Report(analysis(odd), analysis(odd, error="x\x1b[2J")).save(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert r"a\udcff\x00\u202e.png" in page
    assert "\x1b" not in page


def test_an_odd_share_does_not_break_the_bar(analysis: Make) -> None:
    page = Report(analysis(plane=PlaneScores({"brain": float("nan"), "femur": 1.7, "spine": -1.0}))).html()
    assert sorted(re.findall(r'style="width:([^"]+)%"', page)) == ["0.0", "0.0", "100.0"]


def test_items_may_be_plane_scores_with_or_without_picture(frame: Frame) -> None:
    plane = PlaneScores({"brain": 0.7, "femur": 0.3})
    report = Report(plane)
    report.add(plane, frame)
    page = Page(report.html())
    assert len(report) == 2
    assert "Picture 1" in page.text
    assert "no picture" in page.text
    assert "a.png in scans" in page.text


def test_an_empty_report_is_a_page() -> None:
    assert tiles(Report().html()) == {"pictures": 0, "abstained": 0, "failed": 0}
    assert DISCLAIMER in Page(Report().html()).text


def test_several_models_are_each_named(analysis: Make) -> None:
    made = Provenance("0.1.0", "another", "cd34" * 16, "CC-BY-NC-4.0", "torch-cpu", 0.1)
    page = Page(Report(analysis(), analysis(provenance=made)).html())
    for words in ("fetalclip-open, another", "CC-BY-4.0, CC-BY-NC-4.0", "ab12" * 16, "cd34" * 16):
        assert words in page.text


def test_another_item_is_refused() -> None:
    with pytest.raises(UsageError, match="report item of type str"):
        Report("brain")  # type: ignore[arg-type]


def test_the_moment_can_be_given(analysis: Make) -> None:
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    report = Report(analysis(), created=moment)
    assert '<time datetime="2026-01-02T03:04:00+00:00">02 January 2026, 03:04 UTC</time>' in report.html()
    assert report.html() == report.html()


def test_title_comes_early(mixed: Report) -> None:
    # `demo` tells its own page by the title in the first 2000 bytes.
    assert "<title>An exam</title>" in mixed.html()[:1000]


def test_thumbnails_get_smaller_when_there_are_many(
    frame: Frame, analysis: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fetalclip.report.page._MANY", 2)
    report = Report()
    for _ in range(3):
        report.add(analysis(), frame)
    assert re.findall(r'width="(\d+)"', report.html()) == ["320", "320", "200"]


def test_save_is_the_page_and_leaves_nothing_else(tmp_path: Path, mixed: Report) -> None:
    mixed.created = datetime(2026, 1, 2, tzinfo=UTC)
    target = tmp_path / "exam.html"
    target.write_text("old")
    assert mixed.save(str(target)) == target
    assert target.read_text("utf-8") == mixed.html()
    assert list(tmp_path.iterdir()) == [target]


def test_save_through_a_link_keeps_the_link(tmp_path: Path, mixed: Report) -> None:
    target, link = tmp_path / "exam.html", tmp_path / "link.html"
    target.write_text("old")
    link.symlink_to(target)
    mixed.save(link)
    assert link.is_symlink()
    assert target.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_failed_save_keeps_what_was_there(tmp_path: Path, mixed: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "exam.html"
    target.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OutputError, match="No space left"):
        mixed.save(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_unwritable_places_are_one_error(tmp_path: Path, mixed: Report) -> None:
    file, loop = tmp_path / "file", tmp_path / "loop.html"
    file.write_text("")
    loop.symlink_to(loop)
    places = [tmp_path, tmp_path / "missing" / "r.html", file / "r.html", loop, "a\0b.html"]
    places += [Path("/dev/null")] if Path("/dev/null").is_char_device() else []
    for place in places:
        with pytest.raises(OutputError, match="Expected a file"):
            mixed.save(place)
    assert sorted(tmp_path.iterdir()) == [file, loop]


def test_report_needs_no_torch() -> None:
    code = "import sys, fetalclip; fetalclip.Report().html(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_report_of_thousands_is_made_in_seconds_and_megabytes(frame: Frame, analysis: Make) -> None:
    report = Report()
    for number in range(2000):
        report.add(analysis(f"scans/{number}.png"), frame if number % 20 == 0 else None)
    source = report.html()
    assert source.count("<article") == 2000
    assert len(source) < 5_000_000
