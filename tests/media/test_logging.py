"""With PyAV's log switched on, as torchvision does for the whole process, a film may be left at any frame."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BEGINNING = """
import logging, sys
from contextlib import suppress
from pathlib import Path
import av.logging
from grok_imagine.media.frames.decode import DecodeStopped, decode
from grok_imagine.media.join.segments import read_format

# Every decoder's thread has something to say, and nobody reads it.
av.logging.set_level(av.logging.TRACE)
logging.getLogger("libav").setLevel(logging.CRITICAL)
film = Path(sys.argv[1])
for number in range(30):
"""
LEAVES = {
    "after the first frame": "    read_format(film)",
    "where the user stops it": """
    asked = iter(range(100))
    with suppress(DecodeStopped):
        decode(film, should_stop=lambda: next(asked) > 3 + number % 5)
""",
}


@pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES.keys())
def test_a_film_that_is_left_early_ends_at_once(film: Callable[..., Path], leave: str) -> None:
    """In a process of its own: a deadlock in FFmpeg holds Python's lock, so that no timeout of pytest is heard."""
    path = film(frames=60, size=(640, 480))
    command = [sys.executable, "-c", BEGINNING + leave, str(path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
