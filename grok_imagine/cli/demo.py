"""``grok-imagine demo``: a 6 s clip at 720p from the sandbox, through every step of a paid job."""

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
    """Write ``clip.mp4``, ``frames/`` and ``contact_sheet.png`` into ``folder``."""
    console.err.print("Grok Imagine demo: text to video on the offline sandbox, using reAPI's API.", style="bold")
    console.err.print(f"Prompt: {PROMPT}", style="dim")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="grok-imagine-demo-") as home:
        result = asyncio.run(_generate(Path(home)))
        clip = Path(shutil.copyfile(result.file, folder / "clip.mp4"))
    shutil.rmtree(folder / "frames", ignore_errors=True)
    facts = write_frames(clip, folder / "frames", folder / "contact_sheet.png")
    console.out.print(f"{facts['frames']} frames, {facts['width']}x{facts['height']}, {facts['fps']} fps")
    for path in (clip, folder / "frames", folder / "contact_sheet.png"):
        console.out.print(str(path), soft_wrap=True)


async def _generate(home: Path) -> Result:
    request = VideoRequest(
        prompt=PROMPT, duration_seconds=6, resolution="720p", aspect_ratio="16:9", seed=int(time.time())
    )
    async with Session(home) as session:
        with console.ProgressBar() as bar:
            return await session.generate(request, "sandbox", owner="demo", progress=bar)
