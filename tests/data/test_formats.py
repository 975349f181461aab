"""Tables written and read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from fetalclip.data.formats import read_cells, write_cells

ODD = [chr(code) for code in (*range(1, 0x20), *b"\"',;\x7f", *range(0x80, 0xA1), 0x2028, 0x2029, 0xFEFF)]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_every_character_comes_back(tmp_path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    header = ["path", "text"]
    for odd in (*ODD, "\r\n", "\n\r", '"\r"'):
        rows = [{"path": f"a{odd}b", "text": ""}, {"path": f"{odd}c{odd}", "text": odd}, {"path": "d", "text": "e"}]
        write_cells(tmp_path / f"t{suffix}", header, rows)
        assert read_cells(tmp_path / f"t{suffix}") == (header, rows), ascii(odd)


def test_only_rows_that_need_quotes_have_them(tmp_path: Path) -> None:
    write_cells(tmp_path / "t.csv", ["path"], [{"path": "a b"}, {"path": "c\rd"}])
    assert (tmp_path / "t.csv").read_bytes() == b'path\na b\n"c\rd"\n'
