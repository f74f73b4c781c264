"""Callbacks of AI Video API: the poll's own body, retried, doubled, early or forged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web


class Listener:
    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.headers: list[Any] = []
        self.statuses: list[int] = []
        self.url = ""

    async def hear(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        self.headers.append(request.headers)
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)

    async def wait(self, count: int) -> None:
        for _ in range(400):
            if len(self.bodies) >= count:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{len(self.bodies)} callbacks came, {count} awaited")


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    heard = Listener()
    app = web.Application()
    app.router.add_post("/hook", heard.hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    heard.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield heard
    await runner.cleanup()


def with_hook(call: Any, url: str) -> dict[str, Any]:
    return {**call.bodies["aivideoapi"], "callback_url": url}


async def test_the_final_body_is_posted(call: Any, listener: Listener) -> None:
    task = await call.submit("aivideoapi", with_hook(call, listener.url))
    await call.sandbox.outcomes()
    await asyncio.sleep(0.05)
    assert listener.bodies == []
    call.sandbox.wind(8.1)
    await listener.wait(1)
    assert listener.bodies == [(await call.poll("aivideoapi", task))[1]]
    assert "Authorization" not in listener.headers[0]
    failing = await call.submit("aivideoapi", with_hook(call, listener.url), fault="failed")
    await call.sandbox.outcomes()
    call.sandbox.wind(8.1)
    await listener.wait(2)
    assert (listener.bodies[1]["id"], listener.bodies[1]["status"]) == (failing, "failed")


async def test_retries(call: Any, listener: Listener) -> None:
    listener.statuses = [500]
    await call.submit("aivideoapi", with_hook(call, listener.url))
    await call.sandbox.outcomes()
    call.sandbox.wind(8.1)
    await listener.wait(2)
    assert [entry["status"] for entry in call.sandbox.callbacks()] == [500, 204]


async def test_twice_early_forged(call: Any, listener: Listener) -> None:
    task = await call.submit(
        "aivideoapi", with_hook(call, listener.url), fault="callback-twice,callback-early,callback-forged"
    )
    assert [(b["id"], b["status"]) for b in listener.bodies] == [(task, "pending")]
    await call.sandbox.outcomes()
    call.sandbox.wind(8.1)
    await listener.wait(4)
    _, forged, one, two = listener.bodies
    assert forged["id"] != task
    assert forged["status"] == "completed"
    assert one == two
    assert one["id"] == task


async def test_on_the_wall_clock(open_sandbox: Any, listener: Listener) -> None:
    call = await open_sandbox(seconds=0.1, clock="wall")
    await call.submit("aivideoapi", with_hook(call, listener.url))
    await listener.wait(1)


async def test_owed_after_a_crash(open_sandbox: Any, listener: Listener, tmp_path: Any) -> None:
    """Final but not called back when the process died: the next one does it, once."""
    call = await open_sandbox()
    task = await call.submit("aivideoapi", with_hook(call, listener.url))
    await call.sandbox.outcomes()
    while call.sandbox._tasks._wake.is_set():  # the outcome's own waking is over
        await asyncio.sleep(0)
    core = call.sandbox.core
    core.on_settled = lambda: None  # as if it died between the two steps
    core.clock.advance(9)
    core.settle_all()
    core.store.set_meta("clock_offset", repr(core.clock.offset))
    await call.sandbox.stop()
    assert listener.bodies == []
    again = await open_sandbox(state=call.sandbox.state)
    await listener.wait(1)
    assert listener.bodies[0]["id"] == task
    assert again.sandbox.core.store.task(task).called_back
