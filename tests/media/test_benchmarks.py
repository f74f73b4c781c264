"""The benchmark of decoders runs, and compares the same frames."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "decoders.py"
SIZE, FRAMES = (640, 360), 72

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the peak of a process")


def measure(name: str, task: str, film: Path, compare: bool = False) -> dict[str, Any]:
    command = [sys.executable, str(PROGRAM), name, task, str(film), "2", "compare" if compare else ""]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "shape"),
    [
        ("full", [72, 360, 640, 3]),
        ("every8", [9, 360, 640, 3]),
        ("window", [36, 360, 640, 3]),
        ("resized", [72, 288, 512, 3]),
        ("last", [1, 360, 640, 3]),
    ],
)
def test_both_give_the_same_tensor(film: Callable[..., Path], task: str, shape: list[int]) -> None:
    path = film(size=SIZE, frames=FRAMES, encoder={"preset": "ultrafast", "g": "24"})
    told = {name: measure(name, task, path, compare=task == "full") for name in ("ours", "pyav")}
    for one in told.values():
        assert one["shape"] == shape
        assert one["seconds"] > 0
        assert one["cpu"] > 0
        assert one["peak"] >= one["bytes"] * 0.9
    if task == "full":
        assert told["ours"]["most"] <= 1.001


def test_limits_hand_out_what_they_say(film: Callable[..., Path]) -> None:
    path = film(size=SIZE, frames=FRAMES, encoder={"preset": "ultrafast"})
    assert "shape" not in measure("nothing", "full", path)
    assert measure("memory", "full", path)["shape"] == [FRAMES, SIZE[1], SIZE[0], 3]
