"""No test touches the real home: what is cached goes to a folder of the run."""

from __future__ import annotations

import os
from pathlib import Path

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
