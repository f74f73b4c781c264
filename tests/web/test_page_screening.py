"""The screening page of a long film in Chromium: it asks for nothing, plays its clips, and is accessible."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.film.read import read_text
from grok_imagine.film.requests import Film
from grok_imagine.film.run import run_film
from grok_imagine.film.screening import screen_film
from grok_imagine.jobs import Session
from grok_imagine.models import VideoRequest
from grok_imagine.settings import Settings
from tests.conformance.server import served
from tests.film.provider import KEY, FilmProvider

SHOTS = "\n".join([*(f"shot {number}" for number in range(1, 91)), "[take 3 of 10] the last"])
"""100 clips."""


async def hurry(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.01))


async def _page(home: Path) -> str:
    with served(FilmProvider()) as provider:
        mine = {"dialect": "xai", "base_url": provider.url, "api_key": KEY, "pace": 0.02, "assumed_usd_per_clip": 0.1}
        async with Session(home, Settings(connections={"mine": mine}), sleep=hurry) as session:
            film = Film(read_text(SHOTS), "mine", VideoRequest(duration_seconds=1, resolution="480p"))
            await run_film(session, film, at_once=10)
            return await screen_film(session, film, "A film of 100 clips")


@pytest.mark.slow
async def test_a_page_of_100_clips(profile: Any, axe: Path, tmp_path: Path) -> None:
    file = tmp_path / "film.html"
    file.write_text(await _page(tmp_path / "home"), "utf-8")
    page = await profile.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(file.as_uri())
    assert await page.locator("figure video").count() == 100
    await page.wait_for_function(
        "() => [...document.querySelectorAll('figure video')].every((one) => one.readyState > 0)"
    )
    await page.get_by_role("button", name="Play the film").click()
    said = page.locator("#screen p")
    for number in (1, 2, 3):
        await said.filter(has_text=f"Shot {number} of 91").wait_for(timeout=10_000)
    for theme, width in itertools.product(("light", "dark"), (1200, 390)):
        await page.emulate_media(color_scheme=theme)
        await page.set_viewport_size({"width": width, "height": 900})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off"
        folder = Path(__file__).resolve().parents[2] / "artifacts" / "screening"
        folder.mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=str(folder / f"{theme}-{width}.png"))
    # The policy of the page lets no script in but its own, so axe comes in another way.
    session = await page.context.new_cdp_session(page)
    await session.send("Page.setBypassCSP", {"enabled": True})
    await page.evaluate(axe.read_text("utf-8"))
    found = await page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"]] == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert errors == []
    await page.close()
