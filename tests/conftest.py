"""No test touches the real home: what is cached goes to a folder of the run."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("FETALCLIP_CACHE")
    os.environ["FETALCLIP_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["FETALCLIP_CACHE"]
    else:
        os.environ["FETALCLIP_CACHE"] = before


@pytest.fixture(scope="session")
def archives() -> ModuleType:
    """Makes simulated archives of DICOM files; loaded by its place, as no folder of tests is a package."""
    spec = importlib.util.spec_from_file_location("simulated_archive", Path(__file__).parent / "data" / "archive.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for their module there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def dicoms(archives: ModuleType) -> ModuleType:
    """Makes small DICOM files."""
    found: ModuleType = archives.dicoms()
    return found
