"""A session for the provider of :mod:`.server`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from grok_imagine.errors import GrokImagineError
from grok_imagine.jobs import Session
from grok_imagine.jobs.failover import generate_with_failover
from grok_imagine.models import Job, VideoRequest
from grok_imagine.settings import Settings

from .server import KEYS, World, served


@pytest.fixture
def world() -> Iterator[World]:
    with served(World()) as made:
        yield made


async def hurry(seconds: float) -> None:
    """Sleep, but never for long."""
    await asyncio.sleep(min(seconds, 0.01))


def request_of(dialect: str) -> VideoRequest:
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
            running = generate_with_failover(session, request_of(dialect), ("mine", "other"), owner="7")
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
