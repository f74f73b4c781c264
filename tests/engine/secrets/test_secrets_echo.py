"""Servers that throw the key back at us, wherever an answer has room for it: it goes no further than the transport."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from grok_imagine.errors import GrokImagineError
from grok_imagine.jobs import Session
from grok_imagine.models import VideoRequest

from ..support.leaks import contents, leaks, listen_to_all, logged, told_of
from ..support.sessions import Open

KEY = 'Q7x9/Zk+3mW2="aPq\\Lm5Nv8'
"""A gateway's key has no prefix to be known by, and is spelt differently in JSON, in a URL and in HTML."""
WISH = VideoRequest(prompt="a kite", duration_seconds=2, resolution="480p", seed=1)
Answer = Callable[[str, str], bytes]
"""From the request's first line and the key that it brought, all of the answer's bytes."""


def reply(status: str, body: Any, *headers: str) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(data)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + data


def said(key: str) -> str:
    """What a careless gateway says of a key that it does not like."""
    packed = base64.b64encode(key.encode()).decode()
    return f"bad key {key}, {quote(key, safe='')}, {packed}, {key[:13]}***, Bearer {key}"


SUBMITS: dict[str, Answer] = {
    "a refusal's words": lambda _, key: reply("401 No", {"error": {"message": said(key), "code": key}}),
    "a refusal's request id": lambda _, key: reply("400 No", {"message": "no", "request_id": key}),
    "a header": lambda _, key: reply("400 No", {"message": "no"}, f"X-Request-Id: {key}", f"Retry-After: {key}"),
    "a page": lambda _, key: reply("502 Bad", f"<html>{said(key)}</html>".encode()),
    "a 5xx": lambda _, key: reply("500 Bad", {"error": {"message": said(key)}}),
    "no JSON": lambda _, key: reply("200 OK", f"{{{said(key)}".encode()),
    "the task id": lambda _, key: reply("200 OK", {"id": key, "status": "queued"}),
    "the reason": lambda _, key: reply(f"418 {key}", {}),
    "a redirect": lambda _, key: reply("302 There", b"", f"Location: https://there.example/?k={quote(key)}"),
    "a broken status": lambda _, key: f"HTTP/1.1 {key} ?\r\n\r\n".encode(),
    "a broken line": lambda _, key: f"Bearer {key}\r\n\r\n".encode(),
    "a broken header": lambda _, key: f"HTTP/1.1 200 OK\r\n{key}\r\n\r\n".encode(),
    "a broken length": lambda _, key: f"HTTP/1.1 200 OK\r\nContent-Length: {key}\r\n\r\n".encode(),
    "a broken chunk": lambda _, key: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{key}\r\n".encode(),
    "a coding": lambda _, key: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {key}\r\n\r\n".encode(),
}

LATER: dict[str, Answer] = {
    "an unknown status": lambda _, key: reply("200 OK", {"id": "t1", "status": key}),
    "the failure": lambda _, key: reply("200 OK", {"status": "failed", "error": {"code": key, "message": said(key)}}),
    "a poll refused": lambda _, key: reply("403 No", {"error": {"message": said(key), "code": "x"}}),
    "a poll broken": lambda _, key: f"Bearer {key}\r\n\r\n".encode(),
}

FILES: dict[str, Answer] = {
    "a type": lambda _, key: reply("200 OK", b"x", f"Content-Type: {key.lower()}").replace(b"application/json", b""),
    "a file's error": lambda _, key: reply("403 No", {"error": said(key)}),
    "a file's redirect": lambda _, key: reply("302 There", b"", f"Location: https://127.1.2.3/{key}"),
    "a file's host": lambda _, key: reply("302 There", b"", f"Location: https://{quote(key, safe='')}.localhost/"),
    "a file broken": lambda _, key: f"Bearer {key}\r\n\r\n".encode(),
}


@asynccontextmanager
async def gateway(
    submit: Answer | None = None, poll: Answer | None = None, file: Answer | None = None
) -> AsyncIterator[str]:
    """An OpenAI-compatible gateway on loopback that answers as it is told, and well where it is told nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *headers = head.split("\r\n")
        key = next((one.split(" ", 2)[2] for one in headers if one.lower().startswith("authorization:")), "none")
        if line.startswith("POST"):
            chosen, usual = submit, {"id": "t1", "status": "queued"}
        elif "/content" in line:
            chosen, usual = file, {"message": "no file"}
        else:
            chosen, usual = poll, {"id": "t1", "status": "completed", "model": "grok-imagine"}
        writer.write(chosen(line, key) if chosen else reply("200 OK", usual))
        try:
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            pass

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@pytest.fixture
def tell(
    open_session: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Make a clip at such a gateway, and search all that is left for its key."""
    caplog.set_level(logging.DEBUG)
    listen_to_all()

    async def run(**answers: Answer) -> list[str]:
        async with gateway(**answers) as url:
            own = {"mine": {"dialect": "openai_videos", "base_url": url, "api_key": KEY, "pace": 0.05}}
            async with open_session(connections=own, deadline_seconds=0.5) as session:
                with pytest.raises(GrokImagineError) as caught:
                    await session.generate(WISH, "mine")
                texts = [*told_of(caught.value), *await journaled(session)]
        texts += [*logged(caplog.records), *capfd.readouterr()]
        return leaks([KEY], texts, contents(tmp_path))

    return run


async def journaled(session: Session) -> list[str]:
    (job,) = await session.journal.recent()
    return [repr(job), repr(vars(session)), repr(await session.journal.history(job.id))]


@pytest.mark.parametrize("where", SUBMITS)
async def test_an_echo_of_the_submit(where: str, tell: Callable[..., Any]) -> None:
    assert await tell(submit=SUBMITS[where]) == []


@pytest.mark.parametrize("where", LATER)
async def test_an_echo_of_the_poll(where: str, tell: Callable[..., Any]) -> None:
    assert await tell(poll=LATER[where]) == []


@pytest.mark.parametrize("where", FILES)
async def test_an_echo_of_the_download(where: str, tell: Callable[..., Any]) -> None:
    assert await tell(file=FILES[where]) == []
