"""``fetalclip growth``: answers, files, tables, drawings, and one clear message for each bad input."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from fetalclip.cli import main

CASE = ["growth", "HC=175", "FL=32", "AC=150", "--ga", "20w3d"]


def answer(capsys: Any, *words: str) -> dict[str, Any]:
    assert main(["growth", *words, "--json"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    return dict(json.loads(out))


def table(tmp_path: Path, text: str) -> str:
    path = tmp_path / "scans.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_json_has_the_documented_shape(capsys):
    found = answer(capsys, "HC=175", "--ga", "20w2d", "--chart", "who")
    assert found["schema"] == "fetalclip.growth/1"
    (row,) = found["rows"]
    assert (row["measure"], row["mm"], row["ga_days"]) == ("HC", 175.0, 142)
    assert (row["reference"], row["definition"], row["in_range"]) == ("WHO 2017 V3", "outer", True)
    # By hand from the .25 and .5 coefficients: 25 + 25 (ln 175 - ln q25) / (ln q50 - ln q25)
    assert row["centile"] == pytest.approx(40.828, abs=0.001)
    assert row["z"] == pytest.approx(-0.2320, abs=0.0001)


def test_text_names_every_reference(capsys):
    assert main(CASE) == 0
    out, err = capsys.readouterr()
    for word in ("age 20w3d (given)", "WHO 2017 V3", "INTERGROWTH-21st", "Hadlock 1991", "Hadlock 1984", "HC/AC 1.17"):
        assert word in out
    assert err == ""


def test_dates_and_due_dates(capsys):
    by_period = answer(capsys, "HC=175", "--lmp", "2026-01-01", "--date", "2026-05-21")
    by_due = answer(capsys, "HC=175", "--edd", "2026-10-08", "--date", "2026-05-21")
    assert by_period["age"] == {"days": 140, "source": "LMP", "due_date": "2026-10-08"}
    assert by_due["age"] == {"days": 140, "source": "EDD", "due_date": "2026-10-08"}
    assert by_period["rows"] == by_due["rows"]
    dated = answer(capsys, "CRL=60", "--date", "2026-05-01")
    assert {one["due_date"] for one in dated["dating"]} == {"2026-11-10"}  # 1 May + 280 - 87 days


def test_without_an_age_no_centile(capsys):
    found = answer(capsys, "HC=175", "FL=32")
    assert found["rows"]
    assert all(row["centile"] is None and row["in_range"] is None for row in found["rows"])
    assert found["dating"]
    assert found["warnings"]
    assert main(["growth", "HC=175", "FL=32"]) == 0
    out, err = capsys.readouterr()
    assert "Hadlock 1984" in out
    assert "no centile without an age" in err


def test_out_of_range_is_an_answer(capsys):
    found = answer(capsys, "HC=380", "--ga", "42w0d")
    assert [(row["centile"], row["in_range"]) for row in found["rows"]] == [(None, False)] * 2


def test_sex_adds_its_chart(capsys):
    found = answer(capsys, "HC=290", "AC=260", "FL=55", "--ga", "30w0d", "--sex", "m")
    assert "WHO 2017 V3 boys" in {row["reference"] for row in found["rows"]}
    assert "WHO 2017 V3 girls" not in {row["reference"] for row in found["rows"]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["HC=17.5", "--ga", "20w0d"], "were centimetres meant"),
        (["HC=175", "--ga", "20w9d"], "20w9d has 9 odd days"),
        (["HC=175", "--ga", "20"], "20 has no unit"),
        (["HC=-5", "--ga", "20w0d"], "HC = -5 mm is not above zero"),
        (["HC=nan", "--ga", "20w0d"], "HC = nan is not a size"),
        (["HCC=175"], "unknown measure 'HCC'"),
        (["HC=175", "--chart", "whoo"], "unknown chart 'whoo'"),
        (["HC=175", "--lmp", "2026-02-30"], "there is no --lmp 2026-02-30"),
        (["HC=175", "--lmp", "2026-05-01", "--date", "2026-01-01"], "an age of -120 days"),
        (["HC=175", "--edd", "2030-01-01", "--date", "2026-01-01"], "2030-01-01"),
        (["HC=175", "--ga", "20w0d", "--lmp", "2026-01-01"], "--ga and --lmp together"),
        (["HC=175", "--ga", "20w0d", "--date", "2026-01-01"], "--date with --ga"),
        (["HC=175", "HC=176"], "HC is given twice"),
        (["--ga", "20w0d"], "no sizes"),
        (["FL=7.5", "--ga", "38w0d"], "FL = 7.5 mm at 38w0d cannot be"),
        (["HC=175", "--ga", "20w0d", "--draw", "chart.pdf"], ".png or .svg"),
        (["HC=175", "--ga", "20w0d", "--draw", "no/such/folder/chart.png"], "does not exist"),
        (["HC=175", "--table", "scans.csv"], "together"),
        (["--table", "scans.csv", "--draw", "chart.png"], "--draw with --table"),
        (["--table", "no-such.csv"], "no-such.csv cannot be read"),
        (["HC=175", "--draw", "chart.png"], "nothing to draw"),
    ],
)
def test_bad_calls(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["growth", *words]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert err.startswith("Error: ")
    assert out == ""
    assert list(tmp_path.iterdir()) == []


TABLE = """id,ga,HC,FL (cm),sex,notes
A,20w3d,175,3.2,f,fine
B,20w9d,175,3.2,,age
C,20w0d,NaN,3.2,,nan
D,20w0d,17.5,3.2,,unit
E,12w0d,90,,,early

F,20w0d,,,,empty
G,20w0d,175,3.2,x,sex
"""


def test_a_table_of_patients(capsys, tmp_path):
    path = table(tmp_path, TABLE)
    assert main(["growth", "--table", path, "--json"]) == 1
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["row"], line["id"], line["error"] is None) for line in lines] == [
        *((1, "A", True), (2, "B", False), (3, "C", False), (4, "D", False)),
        *((5, "E", True), (6, "F", False), (7, "G", False)),
    ]
    assert lines[0]["rows"][2]["mm"] == pytest.approx(32.0)  # the column says cm
    assert lines[4]["rows"][0]["in_range"] is False
    for number, said in ((1, "20w9d"), (2, "HC = nan"), (3, "centimetres"), (5, "no size"), (6, "the sex 'x'")):
        assert said in lines[number]["error"]
        assert f"row {number + 1}" in lines[number]["error"]
        assert lines[number]["error"] in err
    assert "row 3 (line 4), column hc" in lines[2]["error"]
    assert "columns not used: notes" in err
    assert "5 of 7 rows" in err


def test_a_table_as_csv(capsys, tmp_path):
    path = table(tmp_path, TABLE)
    assert main(["growth", "--table", path, "--chart", "who"]) == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["row"] for row in rows] == ["1", "1", "2", "3", "4", "5", "6", "7"]
    assert rows[0]["reference"] == "WHO 2017 V3"
    assert float(rows[0]["centile"]) == pytest.approx(32.506, abs=0.001)
    assert rows[0]["in_range"] == "true"
    assert rows[2]["error"]
    assert rows[5]["centile"] == ""


def test_a_table_with_dates_and_definitions(capsys, tmp_path):
    text = "date;BPD;bpd_definition\n2026-05-21;46,6;outer-inner\n2026-05-28;49.0;outer-outer\n"
    path = table(tmp_path, text)
    assert main(["growth", "--table", path, "--lmp", "2026-01-01", "--chart", "who", "--json"]) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["rows"][0]["ga_days"] == 140
    assert first["rows"][0]["centile"] == pytest.approx(50, abs=1)
    assert second["rows"][0]["ga_days"] == 147
    assert second["rows"][0]["centile"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rows"),
        ("id,ga,HC\n", "has no rows"),
        ("id,ga\nA,20w0d\n", "no column is a measure"),
        ("HC,hc\n175,176\n", "column hc is there twice"),
        ("HC,HC_mm\n175,176\n", "two columns hold HC"),
        ("ga,HC\n20w0d,175,9,9\n", "row 1 (line 2) has 4 cells"),
    ],
)
def test_tables_that_are_none(text, said, capsys, tmp_path):
    assert main(["growth", "--table", table(tmp_path, text)]) == 2
    assert said in capsys.readouterr().err


def test_a_table_that_is_no_text(capsys, tmp_path):
    path = tmp_path / "scans.csv"
    path.write_bytes(b"HC\n\xff\xfe\x00")
    assert main(["growth", "--table", str(path)]) == 2
    assert "not UTF-8" in capsys.readouterr().err


SERIAL = "ga,HC,AC\n30w0d,262,240\n20w0d,173,150\n24w0d,215,196\n36w0d,300,275\n"


def test_one_fetus_again_and_again(capsys, tmp_path):
    path = table(tmp_path, SERIAL)
    drawn = tmp_path / "course.png"
    assert main(["growth", "--serial", path, "--chart", "who", "--draw", str(drawn), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    days = [row["ga_days"] for row in found["rows"] if row["measure"] == "HC"]
    assert days == [140, 168, 210, 252]
    hc = [(one["centile"], one["direction"]) for one in found["crossings"] if one["measure"] == "HC"]
    assert hc == [(10.0, "down")]
    with Image.open(drawn) as picture:
        assert picture.size == (1280, 494)
    assert main(["growth", "--serial", path, "--chart", "who-2017-v3-hc"]) == 0
    out = capsys.readouterr().out
    assert "crossing on" in out
    assert "25w3d" in out


@pytest.mark.parametrize(
    ("text", "said"), [("HC\n175\n", "the scan has no age"), ("ga,HC\n20w0d,175\n20w9d,180\n", "row 2 (line 3)")]
)
def test_a_course_with_a_hole_is_refused(text, said, capsys, tmp_path):
    drawn = tmp_path / "course.svg"
    assert main(["growth", "--serial", table(tmp_path, text), "--draw", str(drawn)]) == 2
    assert said in capsys.readouterr().err
    assert not drawn.exists()


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_drawing_one_case(suffix, capsys, tmp_path):
    drawn = tmp_path / f"chart.{suffix}"
    assert main([*CASE, "--draw", str(drawn)]) == 0
    assert "Drawn" in capsys.readouterr().err
    if suffix == "png":
        with Image.open(drawn) as picture:
            assert picture.size == (1280, 954)  # HC, FL, AC, EFW
    else:
        assert ElementTree.parse(drawn).getroot().tag.endswith("svg")


def test_the_list_of_charts(capsys):
    assert main(["growth", "--charts"]) == 0
    out = capsys.readouterr().out
    assert "who-2017-v3-hc" in out
    assert "Kiserud" in out
    assert main(["growth", "--charts", "--json"]) == 0
    charts = json.loads(capsys.readouterr().out)["charts"]
    assert all(one["citation"] for one in charts)


def test_a_case_loads_no_arrays_and_no_pictures():
    code = (
        "import sys\nfrom fetalclip.cli import main\n"
        f"code = main({CASE!r})\n"
        "heavy = {'torch', 'numpy', 'pandas', 'matplotlib', 'PIL', 'scipy', 'rich', 'yaml'}\n"
        "sys.exit(code or ', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
