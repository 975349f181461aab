"""One file per public data set; a new file with a ``READER`` in this folder is a new data set."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from fetalclip.data.published import LICENSES
from fetalclip.data.readers.reader import Reader

__all__ = ["READERS", "Reader"]


def _found() -> dict[str, Reader]:
    """The readers of this folder, sorted by name."""
    modules = (import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__))
    readers = [module.READER for module in modules if hasattr(module, "READER")]
    return {reader.name: reader for reader in sorted(readers, key=lambda reader: reader.name)}


READERS: dict[str, Reader] = _found()
LICENSES.update({name: reader.license for name, reader in READERS.items()})
