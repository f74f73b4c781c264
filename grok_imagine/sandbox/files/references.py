"""Fetching the images and videos a request refers to, with limits, as a provider would."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Literal

import aiohttp

MEGABYTE = 1024 * 1024
IMAGE_LIMIT = 10 * MEGABYTE
VIDEO_LIMIT = 50 * MEGABYTE
MediaType = Literal["image/jpeg", "image/png", "image/webp", "video/mp4"]
EXTENSIONS: dict[str, str] = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "video/mp4": "mp4"}
_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)


class UnusableReferenceError(Exception):
    """A reference that cannot be fetched or is not what it should be; the text is shown to the caller."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A fetched image or video."""

    data: bytes
    media_type: MediaType

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def detect_media_type(data: bytes) -> MediaType | None:
    """The media type by magic bytes, whatever names and headers say; None if unknown."""
    if data[:3] == b"\xff\xd8\xff":
        return "image/jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp" and data[8:12] not in (b"avif", b"heic", b"heix", b"mif1"):
        return "video/mp4"
    return None


async def fetch(session: aiohttp.ClientSession, url: str, want: Literal["image", "video"]) -> Reference:
    """Fetch one reference. No header of the caller's request goes with it."""
    limit = IMAGE_LIMIT if want == "image" else VIDEO_LIMIT
    data = _inline(url, limit) if url.startswith("data:") else await _download(session, url, limit)
    media_type = detect_media_type(data)
    if media_type is None or not media_type.startswith(want):
        kinds = "JPEG, PNG or WEBP image" if want == "image" else "MP4 video"
        raise UnusableReferenceError(f"{_short(url)} is not a {kinds}")
    return Reference(data, media_type)


def _inline(url: str, limit: int) -> bytes:
    try:
        data = base64.b64decode(url.partition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        raise UnusableReferenceError("a data URI is not valid base64") from None
    if len(data) > limit:
        raise UnusableReferenceError(f"a data URI holds more than {limit // MEGABYTE} MB")
    return data


async def _download(session: aiohttp.ClientSession, url: str, limit: int) -> bytes:
    data = bytearray()
    try:
        async with session.get(url, timeout=_TIMEOUT, max_redirects=3) as response:
            if response.status != 200:
                raise UnusableReferenceError(f"{_short(url)} could not be fetched: HTTP {response.status}")
            async for chunk in response.content.iter_chunked(65536):
                data += chunk
                if len(data) > limit:
                    raise UnusableReferenceError(f"{_short(url)} is larger than {limit // MEGABYTE} MB")
    except (aiohttp.ClientError, asyncio.TimeoutError, ValueError, OSError) as error:
        raise UnusableReferenceError(f"{_short(url)} could not be fetched: {type(error).__name__}") from None
    return bytes(data)


def _short(url: str) -> str:
    """A URL fit for an error message: without its query, which may hold a signature."""
    plain = url.partition("?")[0]
    return plain if len(plain) <= 120 else plain[:117] + "..."
