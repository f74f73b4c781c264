"""Requests with images for every dialect, and keys that the sandbox accepts."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from grok_imagine.models import Blob, VideoRequest

KEYS = {
    "reapi": "rk_live_sandbox_1",
    "aivideoapi": "sk-sandbox-1",
    "apiinone": "aio_sandbox_1",
    "openai_videos": "sk-sandbox-1",
    "xai": "xai-sandbox-1",
}


def picture(colour: tuple[int, int, int]) -> Blob:
    data = io.BytesIO()
    Image.new("RGB", (320, 180), colour).save(data, "PNG")
    return Blob(data.getvalue(), "image/png")


def request_for(dialect: str, *images: Blob | str, **more: Any) -> VideoRequest:
    fields: dict[str, Any] = {"prompt": "drift", "reference_images": images}
    if dialect in ("openai_videos", "xai"):
        fields |= {"duration_seconds": 1, "resolution": "480p"}
    return VideoRequest(**{**fields, **more})
