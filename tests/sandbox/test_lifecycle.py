"""Each dialect's states in their order, on a clock the test winds; ids, shapes and expiry."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from aiohttp import web

ALL = ["reapi", "aivideoapi", "apiinone", "openai_videos", "xai"]


def status_of(dialect: str, body: Any) -> str:
    return "" if body is None else (body["data"] if dialect == "apiinone" else body)["status"]


STATES = {
    "reapi": ["processing", "processing", "processing", "completed"],
    "aivideoapi": ["pending", "processing", "processing", "completed"],
    "apiinone": ["IN_PROGRESS", "IN_PROGRESS", "IN_PROGRESS", "COMPLETED"],
    "openai_videos": ["queued", "in_progress", "in_progress", "completed"],
    "xai": ["", "", "", "done"],
}


@pytest.mark.parametrize("dialect", ALL)
async def test_states_follow_the_clock(call: Any, dialect: str) -> None:
    task = await call.submit(dialect)
    await call.sandbox.outcomes()
    seen: list[str] = []
    codes: list[int] = []
    for seconds in (0, 4, 3.99, 0.02):
        call.sandbox.wind(seconds)
        code, body = await call.poll(dialect, task)
        codes.append(code)
        seen.append(status_of(dialect, body))
    assert seen == STATES[dialect]
    assert codes == ([202, 202, 202, 200] if dialect == "xai" else [200] * 4)


@pytest.mark.parametrize(
    ("dialect", "form"),
    [
        ("reapi", r"task_[0-9a-f]{32}"),
        ("aivideoapi", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        ("apiinone", r"n[0-9a-f]+_grokvid"),
        ("openai_videos", r"task_[A-Za-z0-9]+"),
        ("xai", r"[0-9a-f-]{36}"),
    ],
)
async def test_ids(call: Any, dialect: str, form: str) -> None:
    first, second = await call.submit(dialect), await call.submit(dialect)
    assert re.fullmatch(form, first)
    assert first != second


async def test_reapi_bodies_to_the_letter(call: Any) -> None:
    _, submitted = await call.post("reapi")
    created = submitted["created_at"]
    assert type(created) is int
    head = {"id": submitted["id"], "model": "grok-imagine-1.0-video"}
    assert submitted == {**head, "status": "processing", "created_at": created}
    _, running = await call.poll("reapi", submitted["id"])
    assert running == {**head, "status": "processing", "created_at": created, "output": None, "error": None}
    done = await call.finish("reapi", submitted["id"])
    url = done["output"]["video_urls"][0]
    assert done == {
        **head,
        "status": "completed",
        "created_at": created,
        "output": {"video_urls": [url]},
        "error": None,
    }


async def test_aivideoapi_bodies(call: Any) -> None:
    _, submitted = await call.post("aivideoapi")
    assert (submitted["code"], submitted["msg"], list(submitted["data"])) == (200, "success", ["taskId"])
    done = await call.finish("aivideoapi", submitted["data"]["taskId"])
    assert done["completed_at"] - done["created_at"] == 8
    assert done["output"]["metadata"] == {"ratio": "16:9", "duration": 6, "resolution": "480p"}


async def test_gateway_bodies(call: Any) -> None:
    _, submitted = await call.post("openai_videos")
    task = submitted["id"]
    head = {"id": task, "task_id": task, "object": "video", "model": "grok-imagine"}
    created = submitted["created_at"]
    assert submitted == {**head, "status": "queued", "progress": 0, "created_at": created, "seconds": "1"}
    call.sandbox.wind(3.6)
    _, running = await call.poll("openai_videos", task)
    assert running == {**head, "status": "in_progress", "progress": 45, "created_at": created, "seconds": "1"}
    done = await call.finish("openai_videos", task)
    assert (done["status"], done["progress"], done["size"], list(done["metadata"])) == (
        "completed",
        100,
        "480p",
        ["url"],
    )
    assert done["completed_at"] > created
    failed = await call.finish("openai_videos", await call.submit("openai_videos", fault="failed=request rejected"))
    assert failed["error"] == {"code": "task_failed", "message": "request rejected"}
    assert (failed["progress"], "task_id" in failed, "seconds" in failed) == (100, False, False)


async def test_gateway_compatibility_routes(call: Any) -> None:
    task = await call.submit("openai_videos", path="/v1/video/generations")
    _, running = await call.poll("openai_videos", task, path="/v1/video/generations/")
    assert (running["code"], running["data"]["status"], running["data"]["progress"]) == ("success", "QUEUED", "0%")
    await call.finish("openai_videos", task)
    _, legacy = await call.poll("openai_videos", task, path="/v1/video/generations/")
    assert (legacy["data"]["status"], legacy["data"]["progress"]) == ("SUCCESS", "100%")
    assert legacy["data"]["result_url"].startswith(call.sandbox.url + "/cdn/")
    _, alias = await call.poll("openai_videos", task, path="/v1/videos/generations/")
    assert alias["status"] == "completed"


async def test_xai_bodies(call: Any) -> None:
    task = await call.submit("xai")
    async with call.http.get(call.sandbox.base("xai") + "/v1/videos/" + task, headers=call.headers("xai")) as reply:
        assert (reply.status, await reply.read()) == (202, b"")
    done = await call.finish("xai", task)
    assert done["usage"]["cost_in_usd_ticks"] == 500_000_000
    assert done["video"] == {"url": done["video"]["url"], "duration": 1, "respect_moderation": True}


@pytest.mark.parametrize(("dialect", "days"), [("reapi", 7), ("aivideoapi", 1), ("apiinone", 1), ("xai", 1)])
async def test_urls_expire_on_the_clock(call: Any, dialect: str, days: int) -> None:
    url = await call.clip(dialect)
    call.sandbox.wind(days * 86_400 - 5)
    assert (await call.get(url))[0] == 200
    call.sandbox.wind(10)
    assert (await call.get(url))[0] == 403


async def test_done_waits_for_the_references(call: Any, make_picture: Any) -> None:
    """A task that is due, but whose picture is not fetched yet, is still running."""
    arrived = asyncio.Event()

    async def serve(_: web.Request) -> web.Response:
        await arrived.wait()
        return web.Response(body=make_picture(64, 64))

    app = web.Application()
    app.router.add_get("/a.jpg", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    image = f"http://127.0.0.1:{runner.addresses[0][1]}/a.jpg"
    body = {"model": "grok-imagine", "prompt": "a picture", "image": image, "duration": 2}
    task = await call.submit("openai_videos", body)
    call.sandbox.wind(60)
    _, early = await call.poll("openai_videos", task)
    assert early["status"] == "in_progress"
    assert early["progress"] == 99
    arrived.set()
    assert (await call.finish("openai_videos", task))["status"] == "completed"
    await runner.cleanup()


async def test_wall_clock(open_sandbox: Any) -> None:
    call = await open_sandbox(seconds=0.3, clock="wall")
    task = await call.submit("openai_videos")
    for _ in range(200):
        body = (await call.poll("openai_videos", task))[1]
        if body["status"] == "completed":
            return
        await asyncio.sleep(0.05)
    raise AssertionError(body)
