"""Runs the tests of the engine, the providers and the media on several Pythons, with several versions of PyAV.

``python tools/matrix.py`` runs every cell, ``--diagonal`` the four that CI runs, ``--only 3.13`` those whose name
holds that text. The first and the last cell of the diagonal run all those tests, the others those of ``tests/media``:
nothing else depends on the version of PyAV. Each cell has a virtual environment of
its own below ``.matrix``, made by uv, and leaves its output in ``artifacts/matrix``. Interpreters come from the PATH
and from pyenv; the missing ones are named, and no cell of theirs counts as passed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER, OUTPUT = ROOT / ".matrix", ROOT / "artifacts" / "matrix"
MEDIA_TESTS = ("tests/media",)
ALL_TESTS = ("tests/engine", "tests/media", "tests/providers")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
NEWEST = "newest"
AV = ("14.2", "15", "16", "17", "18", NEWEST)
"""PyAV versions; in a cell with the newest one, every other library is the newest, too."""
LOWEST = "lowest"
"""Instead of a version of PyAV: every library at the lower bound that pyproject.toml declares."""
DIAGONAL = (("3.10", LOWEST), ("3.11", "16"), ("3.12", "18"), ("3.13", NEWEST))
WHOLE = (DIAGONAL[0], DIAGONAL[-1])
"""The cells that run all tests."""
SHOWN = ("av", "numpy", "pillow", "httpx", "pydantic", "sqlalchemy", "aiohttp")


@dataclass(frozen=True)
class Cell:
    """One Python with one choice of libraries."""

    python: str
    av: str

    @property
    def name(self) -> str:
        return f"{self.python}-{self.av if self.av in (LOWEST, NEWEST) else 'av' + self.av}"

    @property
    def tests(self) -> tuple[str, ...]:
        """The folders of tests that run in this cell."""
        return ALL_TESTS if (self.python, self.av) in WHOLE else MEDIA_TESTS

    @property
    def interpreter(self) -> Path:
        folder = FOLDER / self.name
        return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def all_cells() -> list[Cell]:
    """Every Python with every PyAV, and the oldest Python with the lowest of everything."""
    return [Cell("3.10", LOWEST), *(Cell(python, av) for python in PYTHONS for av in AV)]


def find_python(version: str) -> Path | None:
    """The newest interpreter of that version that starts; None if there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [*sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True), shutil.which(f"python{version}")]
    for path in [sys.executable, *filter(None, found)]:
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([str(path), "-c", code], capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return Path(path)
    return None


def install(cell: Cell, python: Path) -> str | None:
    """Make the cell's environment. Returns why it cannot be made: no PyAV of that version for that Python."""
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    environment = FOLDER / cell.name
    shutil.rmtree(environment, ignore_errors=True)
    target = ["--python", str(environment)]
    _run(uv, "venv", "--quiet", "--python", str(python), str(environment))
    if cell.av == LOWEST:
        _run(uv, "pip", "install", "--quiet", *target, "--resolution", "lowest-direct", "-e", ".[cli,postgres]")
    exact = [] if cell.av in (LOWEST, NEWEST) else [f"av=={cell.av}.*", "--only-binary", "av"]
    done = _run(uv, "pip", "install", "--quiet", *target, "-e", ".[cli,postgres,test]", *exact, check=False)
    if done.returncode == 0:
        return None
    if exact and re.search(r"no (version|wheel)s?\b.*\bav\b|av==|\bav\b.*no wheels", done.stderr, re.IGNORECASE):
        return f"no PyAV {cell.av} for Python {cell.python}"
    raise SystemExit(f"{cell.name}: {done.stderr}")


def _run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done


def run_tests(cell: Cell) -> tuple[bool, str]:
    """Run the tests in the cell. Returns whether they passed, and pytest's closing line."""
    options = ["-q", "-n", "auto", "-m", "not slow", "-p", "no:cacheprovider"]
    command = [str(cell.interpreter), "-m", "pytest", *options, *cell.tests]
    log = OUTPUT / f"{cell.name}.log"
    with log.open("w") as file:
        code = subprocess.run(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
    lines = log.read_text("utf-8", "replace").rstrip().splitlines()
    if code:
        print("\n".join(lines[-60:]))
    return code == 0, lines[-1].strip("= ") if lines else "no output"


def versions(cell: Cell) -> str:
    """The versions of the main libraries in the cell."""
    code = f"import importlib.metadata as m; print(' '.join(n + ' ' + m.version(n) for n in {SHOWN}))"
    return _run(str(cell.interpreter), "-c", code).stdout.strip()


def main() -> int:
    """Run the cells that were asked for; 1 if any failed, or if none could be run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--diagonal", action="store_true", help="only the four cells that CI runs")
    parser.add_argument("--only", default="", help="only cells whose name holds this text")
    options = parser.parse_args()
    cells = [Cell(*pair) for pair in DIAGONAL] if options.diagonal else all_cells()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    passed: list[bool] = []
    for cell in cells:
        if options.only not in cell.name:
            continue
        python = find_python(cell.python)
        missing = install(cell, python) if python else f"Python {cell.python} is not installed"
        if missing:
            print(f"{cell.name:14} left out: {missing}", flush=True)
            continue
        began = time.monotonic()
        is_green, line = run_tests(cell)
        passed.append(is_green)
        word = "passed" if is_green else "FAILED"
        print(f"{cell.name:14} {word}: {line} ({time.monotonic() - began:.0f} s) {versions(cell)}", flush=True)
    return 0 if passed and all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
