"""What the registry would get and check: the packed files, ``comfy node validate``, ``comfy-test lint --strict``.

COMFY_CLI and COMFY_TEST name the two programs; ``.ci/run`` installs them. Without them these tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP = {
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "__init__.py",
    "docs",
    "example_workflows",
    "grok_imagine",
    "locales",
    "nodes",
    "pyproject.toml",
    "requirements.txt",
    "web",
}
KINDS = {"", ".css", ".html", ".jpg", ".json", ".md", ".mjs", ".js", ".png", ".py", ".svg", ".toml", ".txt"}
ENVIRONMENT = {**os.environ, "DO_NOT_TRACK": "1"}


def _program(variable: str) -> str:
    program = os.environ.get(variable)
    if not program:
        pytest.skip(f"{variable} names no program")
    return program


def _run(*command: str, folder: Path = ROOT) -> str:
    result = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a user of the registry gets."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone: what would be packed is what git knows")
    folder = tmp_path_factory.mktemp("registry")
    _run(_program("COMFY_CLI"), "--skip-prompt", "node", "pack")
    shutil.move(ROOT / "node.zip", folder / "node.zip")
    with zipfile.ZipFile(folder / "node.zip") as file:
        file.extractall(folder / "grok-imagine-video")
    return folder / "grok-imagine-video"


def test_what_is_packed_is_what_runs_and_nothing_else(packed: Path) -> None:
    assert {path.name for path in packed.iterdir()} == TOP
    files = [path for path in packed.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= KINDS
    assert sum(path.stat().st_size for path in files) < 6 * 2**20
    names = {str(path.relative_to(packed)) for path in files}
    assert {path for path in names if Path(path).name.startswith(".")} == set()
    for folder, pattern in (("web", "*"), ("nodes", "*.py"), ("grok_imagine", "*.py"), ("locales", "*.json")):
        here = [path for path in (ROOT / folder).rglob(pattern) if path.is_file() and "__pycache__" not in path.parts]
        assert {str(path.relative_to(ROOT)) for path in here} <= names, folder


def test_the_registry_s_validation_has_nothing_to_say(packed: Path) -> None:
    said = _run(_program("COMFY_CLI"), "--skip-prompt", "node", "validate", folder=packed)
    assert "All validation checks passed" in said
    assert "warning" not in said.lower(), said


def test_the_lint_of_comfy_test_passes_strictly(packed: Path) -> None:
    said = _run(_program("COMFY_TEST"), "lint", "--strict", str(packed))
    assert "[SYNTAX] PASSED" in said
    assert "[JAVASCRIPT] PASSED" in said
