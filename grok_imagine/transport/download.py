"""Brings a finished clip home: into a .part file, checked to be a video, then renamed into place."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

import httpx

from ..errors import FetchFailed
from ..models import Call
from ..models.url import fault_of, is_loopback, split
from .client import Client, Endpoint, mapped_errors

MAX_REDIRECTS = 3
_HEAD = 12
OnBytes = Callable[[int, "int | None"], None]


async def download(
    client: Client,
    call: Call,
    endpoint: Endpoint,
    target: Path,
    *,
    limit: int,
    on_bytes: OnBytes | None = None,
) -> int:
    """Download ``call`` to ``target`` and return its size in bytes.

    The file appears under its name only when it is whole and is a video. The key goes along only below the
    connection's base URL, on every hop anew. Raises FetchFailed, ConnectFailed or another TransportError.
    """
    url = endpoint.url(call)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        for _ in range(MAX_REDIRECTS + 1):
            _check_hop(url, endpoint)
            hop = endpoint.signed(Call("GET", url, authorized=call.authorized))
            with mapped_errors(url):
                async with client.pool.stream("GET", url, headers={**hop.headers, "Accept": "*/*"}) as response:
                    if response.is_redirect:
                        url = urljoin(url, response.headers.get("location", ""))
                        continue
                    _check_answer(response, limit)
                    size = await _receive(response, part, limit, on_bytes)
            os.replace(part, target)
            return size
        raise FetchFailed(f"the result's URL redirects more than {MAX_REDIRECTS} times")
    finally:
        part.unlink(missing_ok=True)


def _check_hop(url: str, endpoint: Endpoint) -> None:
    """A provider may only send us to the public internet by https; a loopback sandbox may send us to itself."""
    local = is_loopback(endpoint.base_url)
    fault = fault_of(url, allow_private=local and is_loopback(url))
    parts = split(url)
    if fault is None and parts is not None and parts.scheme != "https" and not (local and is_loopback(url)):
        fault = "is not https"
    if fault:
        raise FetchFailed(f"the result's URL is refused: it {fault}")


def _check_answer(response: httpx.Response, limit: int) -> None:
    if response.status_code != 200:
        raise FetchFailed(f"the result's URL answers HTTP {response.status_code}", status=response.status_code)
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind and not kind.startswith("video/") and kind not in ("application/octet-stream", "binary/octet-stream"):
        raise FetchFailed(f"the result's URL gives {kind} instead of a video")
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise FetchFailed(f"the result is {int(length) / 2**20:.0f} MiB; the limit is {limit / 2**20:.0f} MiB")


async def _receive(response: httpx.Response, part: Path, limit: int, on_bytes: OnBytes | None) -> int:
    length = response.headers.get("content-length", "")
    expected = int(length) if length.isdigit() and "content-encoding" not in response.headers else None
    size, head = 0, b""
    opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(opened, "wb") as file:
        async for chunk in response.aiter_bytes(1 << 18):
            size += len(chunk)
            if size > limit:
                raise FetchFailed(f"the result is larger than the limit of {limit / 2**20:.0f} MiB")
            if len(head) < _HEAD:
                head += chunk[:_HEAD]
                if len(head) >= _HEAD and head[4:8] != b"ftyp":
                    raise FetchFailed("the result is not an MP4 file")
            file.write(chunk)
            if on_bytes:
                on_bytes(size, expected)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    if size < _HEAD or (expected is not None and size != expected):
        raise FetchFailed(f"the download broke off after {size} of {expected or '?'} bytes")
    return size
