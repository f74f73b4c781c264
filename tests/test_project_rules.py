"""Rules of the project that no linter checks: docstrings, imports, requirement lists, versions."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import grimp
import pytest

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    path
    for folder in ("grok_imagine", "nodes", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_has_a_docstring(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


@pytest.mark.parametrize("package", ["grok_imagine", "nodes"])
def test_no_import_runs_in_a_circle(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)  # only the engine is installed
    graph = grimp.build_graph(package)
    waiting = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    while True:
        free = {module for module, needs in waiting.items() if not needs & waiting.keys()}
        if not free:
            break
        for module in free:
            del waiting[module]
    assert waiting == {}, "these modules import each other, or are imported by a circle"


def test_requirements_equal_the_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    listed = (ROOT / "requirements.txt").read_text("utf-8").split()
    assert listed == project["dependencies"]


def test_the_version_is_the_same_everywhere() -> None:
    from grok_imagine import __version__

    assert __version__ == tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def test_imports_are_relative() -> None:
    """The pack is loaded under a name of ComfyUI's making, so only relative imports find its modules."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names.append(node.module or "")
            assert not any(name.split(".")[0] in ("grok_imagine", "nodes") for name in names), path


def test_no_test_imports_another_test() -> None:
    """What two tests share is in a module of its own, so that a test can be read, moved and run alone."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            names = [node.module or "", *(alias.name for alias in node.names)]
            tests = [name for name in names if name.split(".")[-1].startswith("test_")]
            assert tests == [], path


def test_one_file_reaches_into_comfyuis_front_end() -> None:
    """A front end with another API is a change of that file alone."""
    reach = re.compile(r"scripts/(?:app|api)\.js|\bLiteGraph\b|\bLGraph|__COMFYUI|\bapp\.\w|\bapi\.(?!mjs)\w")
    scripts = [path for path in (ROOT / "web").rglob("*.*js") if "strings" not in path.parts]
    found = {path.name for path in scripts if reach.search(re.sub(r"//.*|/\*.*?\*/", "", path.read_text("utf-8")))}
    assert found == {"comfyui.mjs"}
