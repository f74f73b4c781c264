"""What the page is told of the connections, over real HTTP: limits and prices, usual times, and nothing of a key."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

HEADERS = {"X-Grok-Imagine": "1"}


@pytest.fixture
async def ask(home: Path, part: Any) -> AsyncIterator[Any]:
    routes = web.RouteTableDef()
    part("nodes.routes.capabilities").register(routes, part("nodes.host.execution").runtime())
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/grok_imagine"

    async def get(path: str = "/capabilities") -> Any:
        async with aiohttp.ClientSession() as client, client.get(url + path, headers=HEADERS) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    yield get
    await runner.cleanup()


async def test_limits_and_prices_are_the_providers(ask: Any, part: Any, home: Path) -> None:
    told = await ask()
    providers = part("grok_imagine.providers").PROVIDERS
    assert list(told["dialects"]) == list(providers)
    for name, provider in providers.items():
        assert len(told["dialects"][name]["capabilities"]) == len(provider.capabilities)
    first = told["dialects"]["aivideoapi"]["capabilities"][0]
    assert first["duration"] == {"shortest": 6, "longest": 30, "default": 6}
    assert first["price"]["per_second"] == {"480p": "2.4", "720p": "4.5"}, "exact, so not as numbers"
    assert told["times"] == []
    assert not home.exists(), "looking writes nothing"


async def test_connections_are_told_without_their_keys(ask: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAPI_API_KEY", "rk_live_MARKER1")
    home.mkdir(parents=True)
    stated = {"dialect": "openai_videos", "base_url": "https://gateway.example/MARKER2", "api_key": "sk-MARKER3"}
    (home / "settings.json").write_text(json.dumps({"connections": {"studio": stated}}))
    told = await ask()
    assert "MARKER" not in json.dumps(told)
    assert told["connections"]["sandbox"] == {"dialect": "reapi", "is_sandbox": True, "has_key": True}
    assert told["connections"]["reapi"] == {"dialect": "reapi", "is_sandbox": False, "has_key": True}
    assert told["connections"]["studio"] == {"dialect": "openai_videos", "is_sandbox": False, "has_key": True}
    assert told["connections"]["xai"]["has_key"] is False
    assert "fault" not in told


async def test_faulty_settings_leave_what_needs_none(ask: Any, home: Path) -> None:
    home.mkdir(parents=True)
    (home / "settings.json").write_text("{ not json")
    told = await ask()
    assert "settings.json cannot be read" in told["fault"]
    assert next(iter(told["connections"])) == "sandbox"
    assert told["times"] == []


async def test_usual_times_come_from_the_jobs_that_were_made(ask: Any, run: Any) -> None:
    await run("GIVTextToVideo", connection="sandbox-xai", prompt="a kite", duration=1)
    await run("GIVTextToVideo", connection="sandbox-xai", prompt="another kite", duration=1)
    (found,) = (await ask())["times"]
    assert (found["connection"], found["mode"], found["count"]) == ("sandbox-xai", "text_to_video", 2)
    assert 0 < found["low"] <= found["median"] <= found["high"]
