"""A provider that is written from what real ones answer, and a session to try on it.

The provider (``World`` and its handler) uses nothing of the engine and nothing of the sandbox.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.errors import GrokImagineError
from grok_imagine.jobs import Session
from grok_imagine.jobs.failover import generate_with_failover
from grok_imagine.models import Job, VideoRequest
from grok_imagine.settings import Settings

CLIP = (Path(__file__).parent / "clip.mp4").read_bytes()
"""One second of a test picture, written by the ffmpeg program."""
TASK = "task_7"


class World:
    """What the provider answers, and what reached it. Each answer is ``(status, headers, body)``."""

    def __init__(self) -> None:
        self.submit: Any = (200, {}, {"id": TASK, "status": "queued"})
        self.polls: list[Any] = []
        self.files: dict[str, Any] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.url = ""
        self.drips = False
        """Whether files come 20 bytes at a time."""

    @property
    def posts(self) -> int:
        return len([one for one in self.requests if one[0] == "POST"])

    def asked(self, part: str) -> int:
        return len([one for one in self.requests if one[0] == "GET" and part in one[1]])

    def answer(self, method: str, path: str) -> Any:
        if method == "POST":
            return self.submit
        for name, reply in self.files.items():
            if path.split("?")[0].endswith(name):
                return reply
        return self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: World

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._serve("POST")

    def _serve(self, method: str) -> None:
        self.world.requests.append((method, self.path, dict(self.headers)))
        status, headers, body = self.world.answer(method, self.path)
        data = body if isinstance(body, bytes) else json.dumps(body).replace("{url}", self.world.url).encode()
        self.send_response(status)
        if not any(name.lower() == "content-type" for name in headers) and not isinstance(body, bytes):
            self.send_header("Content-Type", "application/json")
        for name, value in headers.items():
            self.send_header(name, value.replace("{url}", self.world.url))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.world.drips and isinstance(body, bytes):
            self._drip(data)
        else:
            self.wfile.write(data)

    def _drip(self, data: bytes) -> None:
        with suppress(OSError):  # nobody waits for it any longer
            for at in range(0, len(data), 20):
                self.wfile.write(data[at : at + 20])
                time.sleep(0.02)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    handler = type("Handler", (_Handler,), {"world": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


async def hurry(seconds: float) -> None:
    """Sleep, but never for long."""
    await asyncio.sleep(min(seconds, 0.01))


def id_answer(dialect: str, name: str) -> Any:
    """A submit's answer, as each provider documents it."""
    bodies = {
        "reapi": {"id": name, "model": "grok-imagine-1.0-video", "status": "processing", "created_at": 1},
        "aivideoapi": {"id": name, "status": "queued", "model": "grok-imagine-text-to-video"},
        "apiinone": {"code": 200, "message": "success", "data": {"task_id": name, "status": "PENDING"}},
        "openai_videos": {"id": name, "object": "video", "status": "queued", "progress": 0},
        "xai": {"request_id": name},
    }
    return 200, {}, bodies[dialect]


def done(dialect: str, url: str = "{url}/clip.mp4") -> Any:
    """A poll's answer for a task that is done."""
    bodies = {
        "reapi": {"id": TASK, "status": "completed", "output": {"video_urls": [url]}, "error": None},
        "aivideoapi": {"id": TASK, "status": "completed", "output": {"urls": [url]}},
        "apiinone": {"code": 200, "data": {"task_id": TASK, "status": "COMPLETED", "output": {"video_url": url}}},
        "openai_videos": {"id": TASK, "object": "video", "status": "completed", "metadata": {"url": url}},
        "xai": {"status": "done", "video": {"url": url, "duration": 1}},
    }
    return 200, {}, bodies[dialect]


DIALECTS = ("reapi", "aivideoapi", "apiinone", "openai_videos", "xai")
KEYS = {"reapi": "rk_live_x1234567", "apiinone": "aio_x1234567", "xai": "xai-x1234567"}


def wish(dialect: str) -> VideoRequest:
    """A clip that each dialect can make."""
    more = {} if dialect == "apiinone" else {"duration_seconds": 6, "resolution": "480p"}
    return VideoRequest(prompt="a kite", seed=3, **more)


def settings(world: World, dialect: str) -> Settings:
    """Two connections to the same provider, of which the second must never hear of what the first may have taken."""
    mine = {"dialect": dialect, "base_url": world.url, "api_key": KEYS.get(dialect, "sk-x123456789"), "pace": 0.02}
    other = {**mine, "base_url": f"{world.url}/other"}
    return Settings(connections={"mine": mine, "other": other}, deadline_seconds=5, answer_seconds=0.1)


async def make(
    world: World, dialect: str, home: Path, error: type[GrokImagineError] | None = None, times: int = 2
) -> tuple[Job, str]:
    """Make the clip, run the same again, and see that it was posted once. The job, and what was said."""
    said = ""
    for _ in range(times):
        async with Session(home, settings(world, dialect), sleep=hurry) as session:
            running = generate_with_failover(session, wish(dialect), ("mine", "other"), owner="7")
            if error is None:
                await running
            else:
                with pytest.raises(error) as caught:
                    await running
                assert type(caught.value) is error
                said = str(caught.value)
            (job,) = await session.journal.recent()
    assert world.posts == 1, "posted once, however often it is run"
    return job, said
