"""The table behind --spacing-csv."""

from __future__ import annotations

from pathlib import Path

import pytest

from fetalclip.errors import UsageError
from fetalclip.io import read_spacing_table

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def table(tmp_path: Path, text: str | bytes) -> dict[str, tuple[float, float]]:
    path = tmp_path / "spacing.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_spacing_table(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("filename,mm_per_pixel\na.png,0.07\n", (0.07, 0.07)),
        ("filename,pixel size(mm),head circumference (mm)\na.png,0.07,44.3\n", (0.07, 0.07)),
        ("filename,mm_per_pixel_x,mm_per_pixel_y\na.png,0.1,0.2\n", (0.1, 0.2)),
        ("filename,mm_per_pixel,mm_per_pixel_x,mm_per_pixel_y\na.png,9,0.1,0.2\n", (0.1, 0.2)),
        ("note,mm_per_pixel,filename\nx,0.07,some/folder/a.png\n", (0.07, 0.07)),
        ("filename,mm_per_pixel\nC:\\scans\\a.png,0.07\n", (0.07, 0.07)),
        ("filename;mm_per_pixel\na.png;0,07\n", (0.07, 0.07)),
        ("filename;mm_per_pixel\na.png;0.07\n", (0.07, 0.07)),
        ("filename\tmm_per_pixel\na.png\t0.07\n", (0.07, 0.07)),
        ("\ufeffFilename , MM_per_pixel\r\n a.png , 7e-2 \r\n\r\n", (0.07, 0.07)),
        ('"filename","mm_per_pixel"\n"a.png","0.07"\n', (0.07, 0.07)),
        ("filename,mm_per_pixel\na.png,0.07\nx/a.png,0.07\n", (0.07, 0.07)),
        ("filename,mm_per_pixel\nb.png,\na.png,0.07\n", (0.07, 0.07)),
    ],
)
def test_forms(tmp_path: Path, text: str, expected: tuple[float, float]) -> None:
    assert table(tmp_path, text) == {"a.png": expected}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["no lines"]),
        ("\n\n", ["no lines"]),
        ("image,mm_per_pixel\na,1\n", ["line 1", "filename"]),
        ("filename,size\na,1\n", ["line 1", "mm_per_pixel"]),
        ("filename,mm_per_pixel_x\na,1\n", ["line 1", "mm_per_pixel_y"]),
        ("filename,mm_per_pixel_y\na,1\n", ["line 1", "mm_per_pixel_x"]),
        ("filename,mm_per_pixel,pixel size(mm)\na,1,2\n", ["line 1", "twice"]),
        ("filename,filename,mm_per_pixel\na,b,2\n", ["line 1", "twice"]),
        ("filename,mm_per_pixel\na.png,0.1\nb.png,zero\n", ["line 3", "mm_per_pixel", "'zero'"]),
        ("filename,mm_per_pixel\na.png,0\n", ["line 2", "mm_per_pixel"]),
        ("filename,mm_per_pixel\na.png,-0.1\n", ["line 2", "mm_per_pixel"]),
        ("filename,mm_per_pixel\na.png,nan\n", ["line 2", "mm_per_pixel"]),
        ("filename,mm_per_pixel\na.png,inf\n", ["line 2", "mm_per_pixel"]),
        ("filename,mm_per_pixel_x,mm_per_pixel_y\na.png,0.1,\n", ["line 2", "mm_per_pixel_y"]),
        ("filename,mm_per_pixel\n,0.1\n", ["line 2", "filename"]),
        ("filename,mm_per_pixel\nfolder/,0.1\n", ["line 2", "filename"]),
        ("filename,mm_per_pixel\na.png\n", ["line 2", "mm_per_pixel", "ends"]),
        ("filename,mm_per_pixel\na.png,0.1\nx/a.png,0.2\n", ["line 3", "line 2", "a.png", "mm_per_pixel"]),
        (b"filename,mm_per_pixel\nk\xf6pf.png,0.1\n", ["line 2", "UTF-8"]),
        ("filename,mm_per_pixel\n" + "a" * 200_000 + ",1\n", ["line 2"]),
    ],
)
def test_errors_name_line_and_column(tmp_path: Path, text: str | bytes, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        table(tmp_path, text)
    for word in [*words, "spacing.csv"]:
        assert word in str(caught.value)
    assert caught.value.fix
    assert len(str(caught.value)) < 600


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path, "a\0b"):
        with pytest.raises(UsageError) as caught:
            read_spacing_table(path)
        assert caught.value.exit_code == 2


def test_the_published_table_of_hc18() -> None:
    path = DATA / "hc18" / "training_set_pixel_size_and_HC.csv"
    if not path.exists():
        pytest.skip("HC18 is not there")
    found = read_spacing_table(path)
    assert len(found) > 700
    assert all(0.02 < x == y < 0.5 for x, y in found.values())
