"""The wishes of the crash matrix: every dialect in every mode it has, as short and small as its rules allow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

MODES = {
    "reapi": ("text", "image"),
    "aivideoapi": ("text", "image"),
    "apiinone": ("text", "image"),
    "openai_videos": ("text", "image", "reference", "edit", "extend"),
    "xai": ("text", "image", "reference", "edit", "extend"),
}
ALL = [(dialect, mode) for dialect, modes in MODES.items() for mode in modes]


def connection_of(dialect: str) -> str:
    return "sandbox" if dialect == "reapi" else f"sandbox-{dialect}"


def request_of(dialect: str, mode: str, *, seed: int = 0, source: Path | None = None, prompt: str = "a buoy") -> Any:
    """The wish as a VideoRequest. ``source`` is a two-second MP4, for edit and extend."""
    from grok_imagine.models import Blob, Mode, VideoRequest

    fields: dict[str, Any] = {"prompt": prompt, "seed": seed}
    if dialect != "apiinone" and mode != "edit":
        fields["duration_seconds"] = 2 if dialect in ("openai_videos", "xai") else 6
    if dialect != "apiinone" and mode not in ("edit", "extend"):
        fields["resolution"] = "480p"
    if mode == "image":
        fields["reference_images"] = (_picture((200, 60, 40)),)
    elif mode == "reference":
        fields["reference_images"] = (_picture((20, 90, 160)), _picture((90, 160, 20)))
    elif mode in ("edit", "extend"):
        assert source is not None
        fields["mode"] = Mode.EDIT if mode == "edit" else Mode.EXTEND
        fields["source_video"] = Blob(source.read_bytes(), "video/mp4")
        fields["source_seconds"] = 2.0
    return VideoRequest(**fields)


def _picture(colour: tuple[int, int, int]) -> Any:
    from PIL import Image

    from grok_imagine.models import Blob

    data = io.BytesIO()
    Image.new("RGB", (64, 36), colour).save(data, "PNG")
    return Blob(data.getvalue(), "image/png")
