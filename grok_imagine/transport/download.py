"""Downloads a clip into a partial file, which a later try resumes, checks it, and renames it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from ..errors import FetchFailed
from ..models import Call
from ..models.url import Network, fault_of, is_below, is_literal_in, is_loopback, is_private_host, split
from .client import Client, map_errors
from .endpoint import Endpoint
from .partial_download import PartialDownload

MAX_REDIRECTS = 3
_HEAD = 12
WINDOW_SECONDS = 60.0
LEAST_RATE = 4096
"""Bytes per second in each window of WINDOW_SECONDS. With a read timeout alone, a slow download could take days."""
_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd"})
"""Content encodings that httpx decodes. Other values (``aws-chunked``, ``utf-8``) do not change the bytes."""
_FIRST_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pdin"})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", re.ASCII)
OnBytes = Callable[[int, "int | None"], None]
Check = Callable[[Path], "str | None"]
"""Returns what is wrong with a file, as text that follows "the result", or None. Blocks."""


async def download(
    client: Client,
    call: Call,
    endpoint: Endpoint,
    target: Path,
    *,
    limit: int,
    on_bytes: OnBytes | None = None,
    check: Check | None = None,
    keep: bool = False,
) -> int:
    """Download ``call`` to ``target`` and return its size in bytes.

    The file gets its name only when it is complete and a video. The key is sent only below the connection's base URL,
    which is checked at every redirect. With ``keep``, a failed try keeps what it received, and the next one requests
    the rest. ``limit`` is in bytes. Raises FetchFailed, ConnectFailed or another TransportError; OSError.
    """
    part = await asyncio.to_thread(PartialDownload.open, target, keep=keep)
    rate = _RateWatch()
    try:
        size = await rate.run(_receive_from(client, call, endpoint, part, limit, on_bytes, rate))
        await _check_file(part, check)
        await asyncio.to_thread(part.finish)
        return size
    finally:
        await asyncio.shield(asyncio.to_thread(part.close))


async def _receive_from(
    client: Client,
    call: Call,
    endpoint: Endpoint,
    part: PartialDownload,
    limit: int,
    on_bytes: OnBytes | None,
    rate: _RateWatch,
) -> int:
    """Receive the file into ``part``, following redirects, and return its size in bytes."""
    url = endpoint.url(call)
    for _ in range(MAX_REDIRECTS + 1):
        pool = client.files if _check_hop(url, endpoint, client.allowed_networks) else client.pool
        hop = endpoint.sign(Call("GET", url, authorized=call.authorized))
        headers = {**hop.headers, "Accept": "*/*", "Accept-Encoding": "identity", **_range(part)}
        with map_errors(url, endpoint.key.get_secret_value()):
            async with pool.stream("GET", url, headers=headers) as response:
                if response.is_redirect:
                    url = urljoin(url, response.headers.get("location", "").strip().replace(" ", "%20"))
                    continue
                _check_answer(response, part, limit)
                return await _receive(response, part, limit, on_bytes, endpoint, rate)
    raise FetchFailed(f"the result's URL redirects more than {MAX_REDIRECTS} times")


def _check_hop(url: str, endpoint: Endpoint, allowed: Sequence[Network]) -> bool:
    """Whether the URL is untrusted, so that its addresses must be checked too. Raises FetchFailed.

    Allowed are the public internet by https, URLs below the base URL, which the user chose, the same port of a sandbox
    on this machine, and the user's ``allowed_networks``.
    """
    if is_below(url, endpoint.base_url) or _is_same_local_server(url, endpoint.base_url):
        fault, is_foreign = None, False
    elif is_literal_in(url, allowed):
        fault, is_foreign = fault_of(url, allow_private=True), True
    else:
        fault, is_foreign = fault_of(url), True
        parts = split(url)
        if parts is not None and parts.hostname and is_private_host(parts.hostname):
            fault = f"points to {endpoint.conceal(parts.hostname)}, which is not on the internet"
        elif fault is None and parts is not None and parts.scheme != "https":
            fault = "is not https"
    if fault:
        raise FetchFailed(f"the result's URL is refused: it {fault}", is_refused=True)
    return is_foreign


def _is_same_local_server(url: str, base_url: str) -> bool:
    one, other = split(url), split(base_url)
    is_local = is_loopback(url) and is_loopback(base_url)
    return is_local and one is not None and other is not None and one.port == other.port


def _range(part: PartialDownload) -> dict[str, str]:
    """Headers that request only the rest, if the file is still the same."""
    return {"Range": f"bytes={part.size}-", "If-Range": part.validator} if part.size else {}


def _check_answer(response: httpx.Response, part: PartialDownload, limit: int) -> None:
    """Prepare ``part`` for the answer's body. Raises FetchFailed if the answer is not the file or its rest."""
    status = response.status_code
    if status == 416:
        part.forget()
        raise FetchFailed("the server has no more of the result; starting over")
    if status not in (200, 206):
        raise FetchFailed(f"the result's URL answers HTTP {status}", status=status)
    is_compressed = response.headers.get("content-encoding", "").strip().lower() in _COMPRESSED
    length = response.headers.get("content-length", "")
    start, total = 0, int(length) if length.isdigit() and len(length) < 16 and not is_compressed else None
    if status == 206:
        start, total = _place(response, part)
    if total is not None and total > limit:
        raise FetchFailed(f"the result is {total / 2**20:.0f} MiB; the limit is {limit / 2**20:.0f} MiB")
    # A compressed download cannot be resumed at a byte.
    validator = "" if is_compressed else _validator(response) or (part.validator if start else "")
    part.begin(start, validator, total)


def _place(response: httpx.Response, part: PartialDownload) -> tuple[int, int]:
    """The start of the rest and the total size, in bytes. Raises FetchFailed if it does not fit the part."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
    start, total = (int(match[1]), int(match[3])) if match else (-1, -1)
    if match and not part.size and start == 0 and int(match[2]) == total - 1:
        return start, total  # the whole file, although no range was requested
    etag = response.headers.get("etag", part.validator)
    is_ours = etag == part.validator or not part.validator.startswith('"')
    if start != part.size or total <= start or part.total not in (None, total) or not is_ours:
        part.forget()
        raise FetchFailed("the server continues with another file; starting over")
    return start, total


def _validator(response: httpx.Response) -> str:
    """The value for If-Range (RFC 9110, 13.1.5): a strong ETag, else a date that is old enough; empty for neither."""
    etag = response.headers.get("etag", "").strip()
    if etag.startswith('"'):
        return etag
    try:
        modified = parsedate_to_datetime(response.headers["last-modified"])
        age = parsedate_to_datetime(response.headers["date"]) - modified
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        return ""
    return str(response.headers["last-modified"]) if not etag and age.total_seconds() >= 60 else ""


async def _receive(
    response: httpx.Response,
    part: PartialDownload,
    limit: int,
    on_bytes: OnBytes | None,
    endpoint: Endpoint,
    rate: _RateWatch,
) -> int:
    size = part.file.tell()
    head = b"" if not size else None
    async for chunk in response.aiter_bytes():  # of any size, since the bytes for a larger chunk may never arrive
        size += len(chunk)
        rate.received += len(chunk)
        if size > limit:
            part.forget()
            raise FetchFailed(f"the result is larger than the limit of {limit / 2**20:.0f} MiB")
        if head is not None and len(head) < _HEAD:
            head += chunk[:_HEAD]
            if len(head) >= _HEAD and head[4:8] not in _FIRST_BOXES:
                part.forget()
                raise _not_a_video(response, endpoint)
        await asyncio.to_thread(part.file.write, chunk)
        if on_bytes:
            on_bytes(size, part.total)
    if size < _HEAD and part.total == size and response.headers.get("content-type", "").startswith("text/"):
        raise _not_a_video(response, endpoint)
    if size < _HEAD or (part.total is not None and size != part.total):
        raise FetchFailed(f"the download broke off after {size} of {part.total or '?'} bytes")
    return size


@dataclass
class _RateWatch:
    """Stops a download that is too slow, including its headers."""

    received: int = 0

    async def run(self, work: Coroutine[Any, Any, int]) -> int:
        """The result of ``work``. Cancels it and raises FetchFailed if it receives too few bytes in a window."""
        task = asyncio.ensure_future(work)
        try:
            while True:
                before = self.received
                await asyncio.wait({task}, timeout=WINDOW_SECONDS)
                if task.done():
                    return task.result()
                size = self.received - before
                if size < LEAST_RATE * WINDOW_SECONDS:
                    text = f"only {size / 1024:.0f} KiB of the result came within {WINDOW_SECONDS:.0f} s"
                    raise FetchFailed(text, is_slow=size > 0)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})


def _not_a_video(response: httpx.Response, endpoint: Endpoint) -> FetchFailed:
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind and not kind.startswith("video/"):
        return FetchFailed(f"the result's URL gives {endpoint.conceal(kind)} instead of a video", is_wrong_file=True)
    return FetchFailed("the result is not an MP4 file", is_wrong_file=True)


async def _check_file(part: PartialDownload, check: Check | None) -> None:
    part.file.flush()
    fault = await asyncio.to_thread(check, part.path) if check else None
    if fault is not None:
        is_complete = part.total is not None  # all bytes have arrived, so downloading the rest cannot help
        if is_complete:
            part.forget()
        raise FetchFailed(f"the result {fault}", is_wrong_file=is_complete)
