"""A running sandbox for each test, over real HTTP, and the little that every test asks of it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from grok_imagine.sandbox import Sandbox

Json = dict[str, Any]

KEYS = {
    "reapi": "rk_live_sandbox",
    "aivideoapi": "sk-sandbox",
    "apiinone": "aio_sandbox",
    "openai_videos": "sk-sandbox",
    "xai": "xai-sandbox",
}
SUBMIT = {
    "reapi": "/api/v1/videos/generations",
    "aivideoapi": "/v1/videos/generations",
    "apiinone": "/api/v1/videos/generations",
    "openai_videos": "/v1/videos",
    "xai": "/v1/videos/generations",
}
POLL = {
    "reapi": "/api/v1/tasks/",
    "aivideoapi": "/v1/tasks/",
    "apiinone": "/api/v1/tasks/",
    "openai_videos": "/v1/videos/",
    "xai": "/v1/videos/",
}
# The shortest clip each dialect sells; the same words everywhere, so that a clip is rendered once.
BODIES: dict[str, Json] = {
    "reapi": {"model": "grok-imagine-1.0-video", "prompt": "a lake"},
    "aivideoapi": {"model": "grok-imagine-text-to-video", "input": {"prompt": "a lake", "aspect_ratio": "16:9"}},
    "apiinone": {"prompt": "a lake"},
    "openai_videos": {"model": "grok-imagine", "prompt": "a lake", "duration": 1},
    "xai": {"model": "grok-imagine-video", "prompt": "a lake", "duration": 1},
}


def task_id(dialect: str, body: Json) -> str:
    if dialect == "aivideoapi":
        return body["data"]["taskId"]
    if dialect == "apiinone":
        return body["data"]["task_id"] if "data" in body else body["id"]
    return body["request_id"] if dialect == "xai" else body["id"]


def video_url(dialect: str, body: Json) -> str:
    match dialect:
        case "reapi":
            return body["output"]["video_urls"][0]
        case "aivideoapi":
            return body["output"]["urls"][0]
        case "apiinone":
            return body["data"]["output"]["video_url"]
        case "xai":
            return body["video"]["url"]
        case _:
            return body["metadata"]["url"]


class Caller:
    """Speaks every dialect's HTTP, and nothing of the pack's own engine."""

    bodies, keys, submit_paths, poll_paths = BODIES, KEYS, SUBMIT, POLL
    task_id, video_url = staticmethod(task_id), staticmethod(video_url)

    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        self.sandbox, self.http = sandbox, http

    def headers(self, dialect: str, key: str | None = None, fault: str = "") -> dict[str, str]:
        headers = {"Authorization": f"Bearer {key or KEYS[dialect]}"}
        return {**headers, "X-Sandbox-Fault": fault} if fault else headers

    async def post(
        self, dialect: str, body: Any = None, *, key: str | None = None, fault: str = "", path: str = ""
    ) -> tuple[int, Any]:
        url = self.sandbox.base(dialect) + (path or SUBMIT[dialect])
        async with self.http.post(
            url, json=BODIES[dialect] if body is None else body, headers=self.headers(dialect, key, fault)
        ) as reply:
            return reply.status, await reply.json(content_type=None)

    async def poll(
        self, dialect: str, task: str, *, key: str | None = None, fault: str = "", path: str = ""
    ) -> tuple[int, Any]:
        url = self.sandbox.base(dialect) + (path or POLL[dialect]) + task
        async with self.http.get(url, headers=self.headers(dialect, key, fault)) as reply:
            return reply.status, await reply.json(content_type=None) if await reply.read() else None

    async def submit(self, dialect: str, body: Json | None = None, *, path: str = "", fault: str = "") -> str:
        status, answer = await self.post(dialect, body, path=path, fault=fault)
        assert status == 200, answer
        return task_id(dialect, answer)

    async def finish(self, dialect: str, task: str) -> Any:
        """Let the task fall due, and give its final poll body."""
        await self.sandbox.outcomes()
        self.sandbox.wind(self.sandbox.settings.seconds + 0.001)
        return (await self.poll(dialect, task))[1]

    async def clip(self, dialect: str, body: Json | None = None) -> str:
        """The URL of a finished clip."""
        return video_url(dialect, await self.finish(dialect, await self.submit(dialect, body)))

    async def get(self, url: str, **headers: str) -> tuple[int, bytes, Any]:
        async with self.http.get(url, headers=headers, allow_redirects=False) as reply:
            return reply.status, await reply.read(), reply.headers

    async def upload(self, data: bytes) -> str:
        async with self.http.post(self.sandbox.url + "/_sandbox/uploads", data=data) as reply:
            assert reply.status == 200, await reply.text()
            return (await reply.json())["url"]

    async def control(self, path: str, body: Json | None = None) -> tuple[int, Json]:
        url = self.sandbox.url + "/_sandbox/" + path
        async with self.http.request("GET" if body is None else "POST", url, json=body) as reply:
            return reply.status, await reply.json()


Open = Callable[..., Awaitable[Caller]]


@pytest.fixture
async def open_sandbox(tmp_path: Path) -> AsyncIterator[Open]:
    """Open a sandbox with given settings; it is closed when the test ends."""
    opened: list[tuple[Sandbox, aiohttp.ClientSession]] = []

    async def opening(**settings: Any) -> Caller:
        state = tmp_path / f"state{len(opened)}"
        sandbox = Sandbox(**{"seconds": 8.0, "clock": "manual", "state": state, **settings})
        await sandbox.start()
        http = aiohttp.ClientSession()
        opened.append((sandbox, http))
        return Caller(sandbox, http)

    yield opening
    for sandbox, http in opened:
        await http.close()
        await sandbox.stop()


@pytest.fixture
async def call(open_sandbox: Open) -> Caller:
    """A sandbox whose tasks take eight seconds on a clock that stands still."""
    return await open_sandbox()


def picture(width: int, height: int, kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert("RGB").save(out, kind)
    return out.getvalue()


@pytest.fixture
def make_picture() -> Callable[..., bytes]:
    return picture
