"""With PyAV's logging on, as torchvision sets it, a video can be closed at any frame."""

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
from grok_imagine.media.frames.decode import decode
from grok_imagine.media.frames.selection import FrameSelection
from grok_imagine.media.images.thumbnail import thumbnail
from grok_imagine.media.join.segments import pictures, read_format
from grok_imagine.media.mux.source_video import prepare_video
from grok_imagine.media.probe import probe
from grok_imagine.media.stop import DecodeStopped
from grok_imagine.sandbox.render.media import SourceVideo

# Every decoder's thread has something to say, and nobody reads it.
av.logging.set_level(av.logging.TRACE)
logging.getLogger("libav").setLevel(logging.CRITICAL)
film = Path(sys.argv[1])
for number in range(int(sys.argv[2])):
"""
LEAVES = {
    "after the first frame": "    read_format(film)",
    "after a frame without threads": """
    probe(film)
    film.with_suffix(".jpg").unlink(True)
    thumbnail(film, film.with_suffix(".jpg"))
    SourceVideo(film.read_bytes())
""",
    "after the first of its pictures": "    next(iter(pictures(film, read_format(film))))",
    "after a part": "    decode(film, window=FrameSelection(frame_load_cap=1))",
    "while it is encoded": """
    asked = iter(range(10_000))
    with suppress(DecodeStopped):
        prepare_video(film, max_bytes=100_000, should_stop=lambda: next(asked) > number % 40)
""",
    "where the user stops it": """
    asked = iter(range(100))
    with suppress(DecodeStopped):
        decode(film, should_stop=lambda: next(asked) > 3 + number % 5)
""",
}


def run(path: Path, work: str, times: int) -> None:
    """In a process of its own: a deadlock in FFmpeg holds Python's lock, so that no timeout of pytest is heard."""
    command = [sys.executable, "-c", BEGINNING + work, str(path), str(times)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)


def test_a_film_that_is_left_early_in_any_way_ends_at_once(film: Callable[..., Path]) -> None:
    run(film(frames=60, size=(320, 240)), "\n".join(LEAVES.values()), 8)


@pytest.mark.slow
@pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES.keys())
def test_it_does_so_again_and_again(film: Callable[..., Path], leave: str) -> None:
    run(film(frames=60, size=(320, 240)), leave, 30)
