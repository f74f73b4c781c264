"""Sends files: Range, ETag, signed and expiring URLs, and the faults of a download."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from ..faults import Fault
from ..http_helpers import abort_connection
from ..model import Task
from ..render.render_worker import RenderWorker
from ..state import SandboxState

_CHUNK = 256 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


def _byte_range(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte requested; None if the header is to be ignored. Raises ValueError for 416."""
    found = _RANGE.fullmatch(header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        if int(last) == 0 or size == 0:
            raise ValueError(header)
        return max(size - int(last), 0), size - 1
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise ValueError(header)
    return int(first), min(int(last or size - 1), size - 1)


async def send_file(
    request: web.Request,
    path: Path,
    media_type: str,
    etag: str,
    headers: dict[str, str] | None = None,
    *,
    cut: bool = False,
    pause: float = 0.0,
) -> web.StreamResponse:
    """Send a file or the range asked for. `cut` closes the connection half-way, `pause` waits there."""
    size = (await asyncio.to_thread(path.stat)).st_size
    quoted = f'"{etag}"'
    common = {"Accept-Ranges": "bytes", "ETag": quoted, **(headers or {})}
    if quoted in [tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")]:
        return web.Response(status=304, headers=common)
    wanted = request.headers.get("Range", "")
    if request.headers.get("If-Range", quoted) != quoted:
        wanted = ""  # The file has changed since the first part, so all of it is sent.
    try:
        byte_range = _byte_range(wanted, size)
    except ValueError:
        return web.Response(status=416, headers={**common, "Content-Range": f"bytes */{size}"})
    first, last = byte_range or (0, size - 1)
    if byte_range:
        common["Content-Range"] = f"bytes {first}-{last}/{size}"
    response = web.StreamResponse(status=206 if byte_range else 200, headers={**common, "Content-Type": media_type})
    response.content_length = last - first + 1
    await response.prepare(request)
    if request.method != "HEAD":
        stop = first + (last - first + 1) // 2 if cut or pause else None
        await _write_range(response, path, first, last + 1 if stop is None else stop)
        if cut:
            return close_midway(request, response)
        if stop is not None:
            await asyncio.sleep(pause)
            await _write_range(response, path, stop, last + 1)
    await response.write_eof()
    return response


async def _write_range(response: web.StreamResponse, path: Path, first: int, end: int) -> None:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        await asyncio.to_thread(file.seek, first)
        while first < end:
            data = await asyncio.to_thread(file.read, min(_CHUNK, end - first))
            if not data:
                break
            await response.write(data)
            first += len(data)
    finally:
        file.close()


def close_midway(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Close in the middle; the bytes already written are sent first, as when a server dies."""
    if request.transport is not None:
        request.transport.close()
    return response


class ClipDownloads:
    """The CDN of every dialect: public, with signed URLs; a request with a key counts as a violation."""

    def __init__(self, core: SandboxState, renders: RenderWorker) -> None:
        self.core, self.renders = core, renders

    async def cdn(self, request: web.Request, faults: list[Fault]) -> web.StreamResponse:
        if "Authorization" in request.headers:
            self.core.store.count("violations.authorization-at-cdn")
            return web.Response(status=400, text="a CDN must not be sent an Authorization header")
        query = request.query
        expires = query.get("expires", "")
        if not self.core.is_signed(request.match_info["token"], expires, query.get("signature", "")):
            return web.Response(status=403, text="bad signature")
        if self.core.clock.now() > int(expires):
            return web.Response(status=403, text="this URL has expired")
        task = self.core.store.task_by_token(request.match_info["token"])
        if task is None or not task.clip or task.dialect != request.match_info["dialect"]:
            return web.Response(status=404)
        return await self.clip(request, task, faults)

    async def clip(
        self, request: web.Request, task: Task, faults: list[Fault], *, redirect_url: str = ""
    ) -> web.StreamResponse:
        """One clip, changed by the faults. A redirect leads to `redirect_url`, or this path at the other origin."""
        by_name = {fault.name: fault for fault in faults}
        if "drop-before" in by_name:
            return abort_connection(request)
        if "redirect" in by_name and _port("//" + request.host) != _port(self.core.other_url):
            location = (redirect_url or self.core.url + request.path_qs).replace(self.core.url, self.core.other_url, 1)
            return web.Response(status=302, headers={"Location": location})
        if "expired-url" in by_name:
            return web.Response(status=403, text="this URL has expired")
        if "json-file" in by_name:
            return web.json_response({"error": {"message": "the file is gone", "code": "not_found"}})
        if stall := by_name.get("stall"):
            await asyncio.sleep(stall.seconds(30))
        wrong = by_name.get("wrong-type")
        slow = by_name.get("slow-body")
        try:
            path = await self.renders.clip(task)
        except Exception as error:
            return web.Response(status=500, text=f"the clip could not be rendered: {type(error).__name__}: {error}")
        return await send_file(
            request,
            path,
            (wrong.arg or "text/plain") if wrong else "video/mp4",
            path.stem,
            {"Cache-Control": "public, max-age=86400"},
            cut="cut" in by_name,
            pause=slow.seconds(2) if slow else 0.0,
        )


def _port(url: str) -> int | None:
    return urlsplit(url).port
