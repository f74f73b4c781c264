"""The requests of the crash matrix: every dialect and mode, as short and small as its rules allow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from tests.conformance.server import KEYS

USD = 0.25
"""What a clip costs at the independent provider where a dialect publishes no price."""
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


def connections_of(dialect: str, url: str) -> dict[str, Any]:
    """Settings of two connections to the independent provider; the second must never hear of what the first took."""
    mine = {"dialect": dialect, "base_url": url, "api_key": KEYS.get(dialect, "sk-x123456789"), "pace": 0.01}
    mine |= {"assumed_usd_per_clip": USD, "requests_per_second": 100}
    return {"mine": mine, "other": {**mine, "base_url": f"{url}/other"}}


def request_of(
    dialect: str, mode: str, *, seed: int = 0, source: Path | None = None, prompt: str = "a buoy", by_url: bool = False
) -> Any:
    """The request as a VideoRequest. ``source`` is a two-second MP4, for edit and extend; ``by_url`` is for images."""
    from grok_imagine.models import Blob, Mode, VideoRequest

    fields: dict[str, Any] = {"prompt": prompt, "seed": seed}
    if dialect != "apiinone" and mode != "edit":
        fields["duration_seconds"] = 2 if dialect in ("openai_videos", "xai") else 6
    if dialect != "apiinone" and mode not in ("edit", "extend"):
        fields["resolution"] = "480p"
    if mode == "image":
        fields["reference_images"] = ("https://example.com/a.png" if by_url else _picture((200, 60, 40)),)
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
