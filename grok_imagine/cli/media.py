"""Frames and contact sheets for the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..media.frames.decode import decode
from ..media.images.contact_sheet import contact_sheet, save_frames
from . import console


def write_frames(clip_path: Path, folder: Path, sheet: Path | None = None) -> dict[str, Any]:
    """Decode a clip and write its frames into ``folder``, and a contact sheet to ``sheet``. Returns size and rate."""
    with console.err.status("decoding"):
        clip = decode(clip_path)
    with console.err.status("writing frames"):
        save_frames(clip, folder)
        if sheet is not None:
            sheet.parent.mkdir(parents=True, exist_ok=True)
            contact_sheet(clip).save(sheet)
    height, width = clip.frames.shape[1:3]
    return {"frames": len(clip.frames), "width": width, "height": height, "fps": f"{float(clip.rate):g}"}
