"""Decoding needs memory for its result, not for the whole file; measured in new processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..conftest import make_film

ROOT = Path(__file__).resolve().parents[3]
SIZE, FRAMES = (640, 360), 120
WHOLE = FRAMES * SIZE[0] * SIZE[1] * 12
CODEC = 64 * 2**20
"""Pictures of the codec's, a few for each of its threads, and what the libraries set up once."""

LOAD = """
import json, sys
from pathlib import Path
from grok_imagine.media.frames.decode import decode
from grok_imagine.media.frames.resize import Resize
from grok_imagine.media.frames.selection import FrameSelection

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))

path, window, resize = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
before = memory("VmRSS")
frames = decode(path, window=FrameSelection(**window), resize=Resize(**resize)).frames
print(json.dumps({"count": len(frames), "bytes": frames.nbytes, "peak": memory("VmHWM") - before}))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the peak of a process")


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    encoder = {"preset": "ultrafast", "g": "24"}
    return make_film(tmp_path_factory.mktemp("long") / "film.mp4", size=SIZE, frames=FRAMES, encoder=encoder)


def load(path: Path, window: dict[str, Any], resize: dict[str, Any]) -> dict[str, int]:
    command = [sys.executable, "-c", LOAD, str(path), json.dumps(window), json.dumps(resize)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("window", "resize", "count"),
    [
        ({"start_seconds": 2, "duration_seconds": 0.5}, {}, 12),
        pytest.param({"select_every_nth": 8}, {}, 15, marks=pytest.mark.slow),
        pytest.param({"skip_first_frames": 100, "frame_load_cap": 10}, {}, 10, marks=pytest.mark.slow),
        pytest.param({"force_rate": 2}, {}, 10, marks=pytest.mark.slow),
        ({"which": "last"}, {}, 1),
        pytest.param({}, {"longest_side": 64}, FRAMES, marks=pytest.mark.slow),
        ({"select_every_nth": 2}, {"width": 96, "height": 96, "fit": "pad"}, FRAMES // 2),
    ],
    ids=str,
)
def test_a_part_needs_only_its_own_memory(
    long_film: Path, window: dict[str, Any], resize: dict[str, Any], count: int
) -> None:
    told = load(long_film, window, resize)
    assert told["count"] == count
    assert told["bytes"] < WHOLE / 7
    assert told["peak"] < 1.05 * told["bytes"] + CODEC


def test_the_whole_is_in_memory_only_once(long_film: Path) -> None:
    told = load(long_film, {}, {})
    assert told["bytes"] == WHOLE
    assert WHOLE < told["peak"] < 1.05 * WHOLE + CODEC
