"""Brings a finished clip home: into a part that a later try goes on from, checked, then renamed into place."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urljoin

import httpx

from ..errors import FetchFailed
from ..models import Call
from ..models.url import fault_of, is_below, is_loopback, is_private_host, split
from .client import Client, Endpoint, mapped_errors
from .partial_download import PartialDownload

MAX_REDIRECTS = 3
_HEAD = 12
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-\d{1,15}/(\d{1,15})", re.ASCII)
OnBytes = Callable[[int, "int | None"], None]
Check = Callable[[Path], "str | None"]
"""What is wrong with a file, in words that follow "the result"; None when nothing is. It may read the disk."""


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

    The file appears under its name only when it is whole and is a video. The key goes along only below the
    connection's base URL, on every hop anew. With ``keep`` a try that breaks off leaves what it got, and the next
    one asks for the rest. Raises FetchFailed, ConnectFailed or another TransportError; OSError from the disk.
    """
    url = endpoint.url(call)
    part = await asyncio.to_thread(PartialDownload.open, target, keep=keep)
    try:
        for _ in range(MAX_REDIRECTS + 1):
            pool = client.files if _check_hop(url, endpoint) else client.pool
            hop = endpoint.signed(Call("GET", url, authorized=call.authorized))
            headers = {**hop.headers, "Accept": "*/*", "Accept-Encoding": "identity", **_range(part)}
            with mapped_errors(url, endpoint.key.get_secret_value()):
                async with pool.stream("GET", url, headers=headers) as response:
                    if response.is_redirect:
                        url = urljoin(url, response.headers.get("location", ""))
                        continue
                    _check_answer(response, part, limit, endpoint)
                    size = await _receive(response, part, limit, on_bytes)
            await _check_file(part, check)
            await asyncio.to_thread(part.finish)
            return size
        raise FetchFailed(f"the result's URL redirects more than {MAX_REDIRECTS} times")
    finally:
        await asyncio.shield(asyncio.to_thread(part.close))


def _check_hop(url: str, endpoint: Endpoint) -> bool:
    """Whether the URL is somebody else's, so that its addresses are to be checked too. Raises FetchFailed.

    A provider may only send us to the public internet by https, or below its own base URL, which the user chose;
    a loopback sandbox may send us to itself.
    """
    if (is_loopback(endpoint.base_url) and is_loopback(url)) or is_below(url, endpoint.base_url):
        fault, is_foreign = None, False
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


def _range(part: PartialDownload) -> dict[str, str]:
    """Ask for the rest alone, provided that it is still the same file."""
    return {"Range": f"bytes={part.size}-", "If-Range": part.validator} if part.size else {}


def _check_answer(response: httpx.Response, part: PartialDownload, limit: int, endpoint: Endpoint) -> None:
    """Set the part to where the answer goes on from. Raises FetchFailed for what is no part of a video."""
    status = response.status_code
    if status == 416:
        part.forget()
        raise FetchFailed("the server has no more of the result; beginning anew")
    if status != 200 and not (status == 206 and part.size):
        raise FetchFailed(f"the result's URL answers HTTP {status}", status=status)
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind and not kind.startswith("video/") and kind not in ("application/octet-stream", "binary/octet-stream"):
        raise FetchFailed(f"the result's URL gives {endpoint.conceal(kind)} instead of a video")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise FetchFailed("the server sends the result packed, though it was asked not to")
    length = response.headers.get("content-length", "")
    start, total = 0, int(length) if length.isdigit() and len(length) < 16 else None
    if status == 206:
        start, total = _place(response, part)
    if total is not None and total > limit:
        raise FetchFailed(f"the result is {total / 2**20:.0f} MiB; the limit is {limit / 2**20:.0f} MiB")
    part.begin(start, _validator(response) or (part.validator if start else ""), total)


def _place(response: httpx.Response, part: PartialDownload) -> tuple[int, int]:
    """Where the rest begins, and the length of the whole. Raises FetchFailed where it does not fit what is here."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
    start, total = (int(found[1]), int(found[2])) if found else (-1, -1)
    etag = response.headers.get("etag", part.validator)
    is_ours = etag == part.validator or not part.validator.startswith('"')
    if start != part.size or total <= start or part.total not in (None, total) or not is_ours:
        part.forget()
        raise FetchFailed("the server goes on with another file; beginning anew")
    return start, total


def _validator(response: httpx.Response) -> str:
    """What If-Range may carry (RFC 9110, 13.1.5): a strong ETag, else a date that is old enough to be strong."""
    etag = response.headers.get("etag", "").strip()
    if etag.startswith('"'):
        return etag
    try:
        modified = parsedate_to_datetime(response.headers["last-modified"])
        age = parsedate_to_datetime(response.headers["date"]) - modified
    except (KeyError, TypeError, ValueError, IndexError):
        return ""
    return str(response.headers["last-modified"]) if not etag and age.total_seconds() >= 60 else ""


async def _receive(response: httpx.Response, part: PartialDownload, limit: int, on_bytes: OnBytes | None) -> int:
    size = part.file.tell()
    head = b"" if not size else None
    async for chunk in response.aiter_bytes():  # as they come: what a larger chunk waits for may never arrive
        size += len(chunk)
        if size > limit:
            part.forget()
            raise FetchFailed(f"the result is larger than the limit of {limit / 2**20:.0f} MiB")
        if head is not None and len(head) < _HEAD:
            head += chunk[:_HEAD]
            if len(head) >= _HEAD and head[4:8] != b"ftyp":
                part.forget()
                raise FetchFailed("the result is not an MP4 file")
        await asyncio.to_thread(part.file.write, chunk)
        if on_bytes:
            on_bytes(size, part.total)
    if size < _HEAD or (part.total is not None and size != part.total):
        raise FetchFailed(f"the download broke off after {size} of {part.total or '?'} bytes")
    return size


async def _check_file(part: PartialDownload, check: Check | None) -> None:
    part.file.flush()
    fault = await asyncio.to_thread(check, part.path) if check else None
    if fault is not None:
        if part.total is not None:
            part.forget()  # as long as it was said to be, and no whole video all the same
        raise FetchFailed(f"the result {fault}")
