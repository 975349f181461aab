"""The house rules that no linter holds: sizes, packages that stay out, nothing left half done."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "src").rglob("*.py"))
WRITTEN = sorted(
    path
    for folder in ("src", "tests", "docs", "benchmarks", ".ci")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and path.suffix in {".py", ".md", ".yaml", ".yml", ".sh", ".css", ""}
)

MAX_MODULE, MAX_FUNCTION = 350, 60  # lines
SHUT_OUT = {"torchvision", "timm", "open_clip", "segmentation_models_pytorch"}  # torchvision, or what pulls it in
# In halves, so that this file does not find itself.
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(tree: ast.AST) -> set[str]:
    """Top-level packages imported anywhere in the module, inside functions too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_the_package_is_found() -> None:
    assert "src/fetalclip/errors.py" in map(name, MODULES)


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_module_keeps_the_house_sizes(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= MAX_MODULE
    functions = (n for n in ast.walk(ast.parse(source)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)))
    sizes = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions}
    assert {f: n for f, n in sizes.items() if n > MAX_FUNCTION} == {}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_module_imports_nothing_shut_out(path: Path) -> None:
    assert imported(ast.parse(path.read_text(encoding="utf-8"))) & SHUT_OUT == set()


@pytest.mark.parametrize("path", [p for p in MODULES if p.name != "__init__.py"], ids=name)
def test_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_nothing_is_left_half_done() -> None:
    left = [
        f"{name(path)}:{number}"
        for path in WRITTEN
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert left == []


@pytest.mark.parametrize(
    "source", ["import torchvision.ops", "from timm.layers import x", "def f():\n import open_clip"]
)
def test_the_import_rule_can_fail(source: str) -> None:
    assert imported(ast.parse(source)) & SHUT_OUT
