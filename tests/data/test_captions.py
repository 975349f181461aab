"""A manifest to captions: spacing after resizing, refusals by row, the tally, and words from an endpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from fetalclip.clinical.readback import disagreements
from fetalclip.data import Manifest, Row
from fetalclip.data.captions import Job, for_model, read_manifest, record_of, write
from fetalclip.data.tally import Tally, page, told
from fetalclip.errors import InputError, ModelNotFound


def by_words(text: str) -> int:
    return len(text.split()) + 2


def row(name: str = "a.png", **facts: object) -> Row:
    return Row("mine", Path(name), name, name, 0, "train", **facts)  # type: ignore[arg-type]


def manifest(*rows: Row) -> Manifest:
    return Manifest(rows, tuple(range(1, len(rows) + 1)))


JOB = Job(by_words, image_size=200, per_image=4)


def test_the_spacing_is_that_after_padding_and_resizing(tmp_path: Path) -> None:
    known = record_of(row(plane="brain", mm_per_pixel=0.1, width=800, height=540), 200)
    assert known.spacing == 0.4
    path = tmp_path / "p.png"
    Image.new("L", (100, 400)).save(path)
    from_file = replace(row(plane="brain", mm_per_pixel=0.1), path=path)
    assert record_of(from_file, 200).spacing == 0.2
    path.write_text("no picture")
    with pytest.raises(InputError):
        record_of(from_file, 200)


def test_lines_say_what_they_state() -> None:
    tally = Tally()
    rows = manifest(row(plane="brain", subplane="trans-thalamic", age_days=143, mm_per_pixel=0.1, width=800, height=5))
    lines = list(write(rows, JOB, tally))
    assert len(lines) == 4
    for line in lines:
        assert line["said"]["mm_per_pixel"] in (None, 0.4)
        assert line["said"]["age_days"] in (None, 143)
        assert (line["row"], line["path"], line["split"], line["source"]) == (1, "a.png", "train", "template")
    assert len({line["caption"] for line in lines}) == 4
    assert (tally.checked, tally.wrong) == (4, [])


def test_a_rows_captions_do_not_hang_on_other_rows() -> None:
    first, second = row("a.png", plane="femur"), row("b.png", plane="brain", age_days=143)
    both = [line["caption"] for line in write(manifest(first, second), JOB, Tally()) if line["row"] == 2]
    alone = [line["caption"] for line in write(Manifest((second,), (2,)), JOB, Tally())]
    assert both == alone
    other = [line["caption"] for line in write(Manifest((second,), (2,)), replace(JOB, seed=1), Tally())]
    assert other != alone


def test_what_cannot_be_captioned_is_refused_by_row() -> None:
    tally = Tally()
    rows = manifest(
        row("none.png"),
        row("long.png", text="word " * 200),
        row("beside.png", plane="brain", text="word " * 200),
        row("fine.png", text="Figure 1: a head"),
        row("tiny.png", plane="brain", mm_per_pixel=0.0001, width=10, height=10),
    )
    lines = list(write(rows, JOB, tally))
    assert [line["caption"] for line in lines if line["row"] == 4] == ["Figure 1: a head"]
    assert {line["row"] for line in lines} == {4, 5}
    assert [(p.row, p.kind, p.repaired) for p in tally.problems] == [
        (1, "no caption", False),
        (2, "no caption", False),
        (3, "no caption", False),
        (5, "spacing not said", True),
    ]
    assert "202 tokens, more than 117" in tally.problems[1].what
    report = tally.to_dict({"seed": 0})
    assert (report["rows"], report["rows_refused"], report["sources"]["text"]) == (2, 3, 1)
    assert len(told(tally.problems)) == 4


def test_the_report_adds_up() -> None:
    tally = Tally()
    rows = [row(f"{i}.png", plane="brain", age_days=143 if i % 2 else None) for i in range(40)]
    lines = list(write(manifest(*rows), JOB, tally))
    report = tally.to_dict({})
    assert report["captions"] == len(lines) == sum(report["styles"].values())
    age = report["coverage"]["age"]
    assert (age["rows_known"], age["captions_that_could"]) == (20, 80)
    assert age["captions_that_say"] == sum(line["said"]["age_days"] is not None for line in lines)
    assert report["duplicates"]["distinct"] == len({line["caption"] for line in lines})
    lengths = sorted(line["tokens"] for line in lines)
    assert (report["tokens"]["least"], report["tokens"]["most"]) == (lengths[0], lengths[-1])
    assert sum(report["tokens"]["histogram"].values()) == len(lines)
    assert report["read_back"] == {"checked": len(lines), "wrong": 0, "first": []}


def test_a_wrong_caption_would_be_seen() -> None:
    tally = Tally()
    (line, *_) = write(manifest(row(plane="brain")), JOB, tally)
    from fetalclip.clinical.factory import Record

    wrong = disagreements(line["caption"] + " at 20w3d", Record(("brain",)))
    tally.read_back(1, line["caption"], wrong)
    assert tally.to_dict({})["read_back"]["wrong"] == 1


def test_the_page_escapes_what_it_shows() -> None:
    tally = Tally()
    list(write(manifest(row("<script>.png")), JOB, tally))
    shown = page(tally.to_dict({"manifest": "<b>"}))
    assert "&lt;script&gt;.png" in shown
    assert "<script>" not in shown
    assert "<b>" not in shown


def test_the_job_of_a_model_is_its_own() -> None:
    job = for_model("fetalclip-open", 2, 7)
    assert (job.image_size, job.limit, job.per_image, job.seed) == (192, 117, 2, 7)
    assert job.measure("fetal head") == 4
    with pytest.raises(ModelNotFound):
        for_model("no-such-model")


def test_bad_rows_are_left_out_and_an_empty_rest_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    table = tmp_path / "t.csv"
    table.write_text("path,plane,subplane\na.png,femur,trans-thalamic\n")
    with pytest.raises(InputError, match=r"row 1.*only a brain"):
        read_manifest(table)
    table.write_text("path,plane,subplane\na.png,brain,trans-thalamic\nb.png,femur,trans-thalamic\n")
    found = read_manifest(table)
    assert [r.name for r in found.rows] == ["a.png"]
    assert {p.kind for p in found.problems} == {"contradiction", "missing file"}


def test_words_of_an_endpoint_take_the_place_only_where_they_hold() -> None:
    calls = []

    class Endpoint:
        def __call__(self, written, limit, measure):  # type: ignore[no-untyped-def]
            calls.append(written.text)
            return None if len(calls) % 2 else f"Reworded: {written.text}"

    tally = Tally()
    rows = manifest(row(plane="brain", age_days=143), row("t.png", text="Figure 1: a head"))
    lines = list(write(rows, replace(JOB, reword=Endpoint()), tally))  # type: ignore[arg-type]
    assert [line["source"] for line in lines] == ["template", "reworded", "template", "reworded", "text"]
    assert not any("Figure" in call for call in calls)
