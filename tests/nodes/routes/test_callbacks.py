"""The route for callbacks, called by the real sandbox over HTTP, and by strangers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

STRANGER = "A" * 43


@pytest.fixture
def door(desk: Any, home: Path, sandbox: Any) -> Any:
    """The desk, with callbacks set up, and a connection that is asked as rarely as it goes: every 50 seconds."""
    mine = {"dialect": "aivideoapi", "base_url": f"{sandbox.url}/aivideoapi", "api_key": "sk-sandbox", "pace": 10}
    base = desk.url.removesuffix("/grok_imagine")
    settings = {"sandbox_url": sandbox.url, "public_callback_base": base, "connections": {"mine": mine}}
    (home / "settings.json").write_text(json.dumps(settings))
    return desk


async def call(desk: Any, token: str, data: Any = b"{}", method: str = "POST") -> tuple[int, bytes, dict[str, str]]:
    """A call as a provider's server makes it, with none of the page's headers."""
    url = f"{desk.url}/callback/{token}"
    async with aiohttp.ClientSession() as client, client.request(method, url, data=data) as answer:
        named = {name: value for name, value in answer.headers.items() if name != "Date"}
        return answer.status, await answer.read(), named


def polls(sandbox: Any) -> list[float]:
    return [one["time"] for one in sandbox.requests if one["method"] == "GET" and "/tasks/" in one["path"]]


async def test_the_provider_s_own_call_brings_the_clip_sooner(door: Any, run: Any, sandbox: Any) -> None:
    _, job, *_ = await run("GIVTextToVideo", prompt="a kite", duration=6, connection="mine")
    assert (await door.get(f"/jobs/{job}"))["state"] == "saved"
    (submit,) = [one for one in sandbox.requests if one["method"] == "POST"]
    assert submit["body"]["callback_url"].startswith(f"{door.url}/callback/")
    first, second = polls(sandbox)
    assert second - first < 45, "its usual time had not come"
    (called,) = sandbox.ask("/_sandbox/requests")["callbacks"]
    assert called["status"] == 204


@pytest.mark.parametrize("fault", ["callback-twice", "callback-early", "callback-forged"])
async def test_what_is_wrong_with_a_call_is_nothing_to_the_job(fault: str, door: Any, run: Any, sandbox: Any) -> None:
    _, job, task, url, _ = await run(
        "GIVTextToVideo", prompt=f"a kite [sandbox:{fault}]", duration=6, connection="mine"
    )
    told = await door.get(f"/jobs/{job}")
    assert (told["state"], told["error"]) == ("saved", "")
    assert len(polls(sandbox)) <= 3
    calls = sandbox.ask("/_sandbox/requests")["callbacks"]
    assert {one["status"] for one in calls} == {204}
    forged = [one["body"] for one in calls if one["body"]["id"] != task]
    assert len(forged) == (fault == "callback-forged")
    assert "forged.mp4" not in json.dumps([told, url])
    assert sandbox.submits == 1


@pytest.mark.held
async def test_a_stranger_learns_nothing_and_changes_nothing(
    door: Any, run: Any, sandbox: Any, part: Any, home: Path
) -> None:
    making = asyncio.ensure_future(run("GIVTextToVideo", prompt="a kite", duration=6, connection="mine"))
    while not polls(sandbox):
        await asyncio.sleep(0.05)
    ((job,),) = [(one["id"],) for one in (await door.get("/jobs"))["jobs"]]
    before = await door.get(f"/jobs/{job}")
    token = part("grok_imagine.jobs.pipeline.callbacks").CallbackRegistry(home).token(job)
    lie = json.dumps({"id": before["task_id"], "status": "completed", "output": {"urls": ["https://evil.example/a"]}})
    answers = [await call(door, one, lie) for one in (STRANGER, token, token, STRANGER)]
    assert answers == [(204, b"", answers[0][2])] * 4, "the same for everybody"
    while len(polls(sandbox)) < 2:
        await asyncio.sleep(0.05)
    assert await door.get(f"/jobs/{job}") == before
    assert not making.done()
    sandbox.wind(100)
    await call(door, token)
    await making
    saved = await door.get(f"/jobs/{job}")
    assert saved["state"] == "saved"
    assert "evil" not in json.dumps(saved)
    late = await call(door, token, json.dumps({"id": before["task_id"], "status": "failed"}))
    assert late == answers[0]
    assert await door.get(f"/jobs/{job}") == saved
    assert sandbox.submits == 1


async def test_a_body_is_bounded_and_not_read(door: Any) -> None:
    async def drip(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 8192):
            yield b"x" * 8192

    for data in (b"", b"\xff" * 60_000, b"[" * 60_000, drip(57_344)):
        assert (await call(door, STRANGER, data))[0] == 204
    for data in (b"x" * 70_000, drip(1 << 20)):
        assert (await call(door, STRANGER, data))[0] == 413


async def test_nothing_else_is_there(door: Any, home: Path) -> None:
    assert (await call(door, STRANGER, None, "GET"))[0] == 405
    for token in ("", "x", "A" * 42, "A" * 44, "..%2Fjobs", "A" * 42 + "%2F"):
        assert (await call(door, token))[0] == 404
    settings = json.loads((home / "settings.json").read_text())
    del settings["public_callback_base"]
    (home / "settings.json").write_text(json.dumps(settings))
    assert (await call(door, STRANGER))[0] == 404, "off by default"
