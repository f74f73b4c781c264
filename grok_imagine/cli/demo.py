"""The first clip: 6 seconds at 720p from the sandbox, through the whole walk of a paid job."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

from ..jobs import Result, Session
from ..models import VideoRequest
from . import console
from .media import write_frames

PROMPT = "First light over a quiet mountain lake, mist drifting between the ridges, slow push-in"


def run_demo(folder: Path) -> None:
    """Leave ``clip.mp4``, ``frames/`` and ``contact_sheet.png`` in ``folder``."""
    console.err.print("Grok Imagine demo: text to video on the offline sandbox, in reAPI's dialect.", style="bold")
    console.err.print(f"Prompt: {PROMPT}", style="dim")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="grok-imagine-demo-") as home:
        result = asyncio.run(_make(Path(home)))
        clip = Path(shutil.copyfile(result.file, folder / "clip.mp4"))
    shutil.rmtree(folder / "frames", ignore_errors=True)
    told = write_frames(clip, folder / "frames", folder / "contact_sheet.png")
    console.out.print(f"{told['frames']} frames, {told['width']}x{told['height']}, {told['fps']} fps")
    for path in (clip, folder / "frames", folder / "contact_sheet.png"):
        console.out.print(str(path), soft_wrap=True, markup=False)


async def _make(home: Path) -> Result:
    request = VideoRequest(
        prompt=PROMPT, duration_seconds=6, resolution="720p", aspect_ratio="16:9", seed=int(time.time())
    )
    async with Session(home) as session:
        with console.Bar() as bar:
            return await session.generate(request, "sandbox", owner="demo", progress=bar)
