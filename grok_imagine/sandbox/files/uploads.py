"""Stores local images and videos for a day, so that a request can refer to them by URL."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from ..http_helpers import abort_connection
from ..state import SandboxState
from .file_responses import send_file
from .references import EXTENSIONS, MEGABYTE, detect_media_type

LIMIT = 60 * MEGABYTE
# A caller reads no reply while it is still sending, so a body that is too large is read to its end, up to this.
_MAX_BYTES_READ = 4 * LIMIT
LIFETIME = 86_400.0


@dataclass(frozen=True, slots=True)
class Upload:
    """A stored file: its URL, and when that expires (Unix seconds)."""

    url: str
    expires: float


class NotMediaError(ValueError):
    """The bytes are neither an image nor a video the providers take."""


class Uploads:
    """Stores and serves uploads."""

    def __init__(self, core: SandboxState) -> None:
        self.core = core

    def save(self, data: bytes) -> Upload:
        media_type = detect_media_type(data)
        if media_type is None:
            raise NotMediaError("only JPEG, PNG, WEBP and MP4 are taken, judged by their first bytes")
        name = f"{secrets.token_urlsafe(24)}.{EXTENSIONS[media_type]}"
        path = self.core.store.uploads / name
        path.touch(mode=0o600)
        path.write_bytes(data)
        expires = self.core.clock.now() + LIFETIME
        self.core.store.add_upload(name, media_type, expires)
        return Upload(f"{self.core.url}/_sandbox/files/{name}", expires)

    async def post(self, request: web.Request) -> web.StreamResponse:
        data = bytearray()
        size = 0
        async for chunk in request.content.iter_chunked(65536):
            size += len(chunk)
            if size > _MAX_BYTES_READ:
                return abort_connection(request)
            if size <= LIMIT:
                data += chunk
        if size > LIMIT:
            return web.json_response({"error": f"more than {LIMIT // MEGABYTE} MB"}, status=413)
        try:
            upload = self.save(bytes(data))
        except NotMediaError as error:
            return web.json_response({"error": str(error)}, status=415)
        return web.json_response({"url": upload.url, "expires_at": int(upload.expires)})

    async def get(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        known = self.core.store.upload(name)
        if known is None:
            return web.Response(status=404)
        media_type, expires = known
        if self.core.clock.now() > expires:
            return web.Response(status=410, text="this upload has expired")
        # The name comes from the table, where only names made here are.
        path: Path = self.core.store.uploads / name
        return await send_file(request, path, media_type, name.partition(".")[0])
