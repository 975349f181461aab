"""From the word a recipe has for its data to pairs: a table, a folder, shards here or at a web address."""

from __future__ import annotations

from pathlib import Path

from fetalclip.data import web
from fetalclip.data.pairs import Pairs
from fetalclip.data.shards import foreign, index, reading
from fetalclip.data.table_pairs import TablePairs, read_source
from fetalclip.errors import DataMissing, UsageError
from fetalclip.settings import cache_folder

_EXPECTED = "a manifest (.csv, .parquet), a folder with a table or with shards, their index.json, *.tar, or https://…/"


def open_pairs(
    source: str,
    split: str,
    *,
    side: int,
    overlay: str,
    buffer: int = 4096,
    cache: Path | None = None,
    whole: bool = False,
) -> Pairs:
    """The pairs of one side of a source.

    Args:
        source: a manifest; a folder with one table in it; shards of `fetalclip data shards`: their folder or
            ``index.json``, or the web address of either (a folder's ends in /); tar files of other people's pairs by
            a pattern, as ``dir/*.tar``, or the folder that holds them.
        split: ``train``, ``val`` or ``test``.
        side: of every pair's pixels. Shards of a larger side are scaled down; of a smaller one they are refused.
        overlay: what is done with burned-in text, ``mask`` or ``keep``; shards of ours must agree.
        buffer: pairs of the shuffle buffer that shards are drawn through; 0 for all of them.
        cache: folder for shards from the web; None for this package's own.
        whole: other people's shards whose names tell no side are of this split; otherwise they are ``train``.

    Raises:
        DataMissing: no such source, or no pairs of that split.
        InputError, UsageError: it cannot be used; a table without a good row, a damaged index, shards made otherwise.
        NotAvailable: the server cannot be reached.
    """
    if overlay not in ("mask", "keep"):
        raise UsageError(f"an overlay mode {overlay!r:.60}", "mask or keep")
    if split not in index.SPLITS or side < 1 or buffer < 0:
        raise UsageError(f"the split {split!r:.60}, side {side}, buffer {buffer}", ", ".join(index.SPLITS))
    if web.is_web(source):
        if not source.endswith(("/", index.NAME)):
            raise UsageError(f"the address '{source:.200}'", f"one that ends in / or {index.NAME}")
        kept = cache_folder() / "shards" if cache is None else cache
        return reading.open_address(source, split, side, overlay, buffer, kept)
    try:
        return _local(Path(source), split, side, overlay, buffer, whole)
    except ValueError:
        raise UsageError("a source's name with a zero byte", _EXPECTED) from None


def _local(path: Path, split: str, side: int, overlay: str, buffer: int, whole: bool) -> Pairs:
    if path.is_dir() and not (path / index.NAME).is_file():
        if any(path.glob("*.tar")) and not any(one.suffix.lower() in (".csv", ".parquet") for one in path.iterdir()):
            return foreign.open_pattern(f"{path}/*.tar", split, side, overlay, buffer, whole)
        return TablePairs(read_source(path), path.name, split, side, overlay)
    if path.is_dir() or path.name == index.NAME:
        folder = path if path.is_dir() else path.parent
        return reading.open_folder(folder, split, side, overlay, buffer)
    if path.suffix.lower() in (".csv", ".parquet"):
        return TablePairs(read_source(path), path.name, split, side, overlay)
    if path.suffix.lower() == ".tar":
        return foreign.open_pattern(str(path), split, side, overlay, buffer, whole)
    raise DataMissing(f"the source '{path}' is none that can be read", _EXPECTED)
