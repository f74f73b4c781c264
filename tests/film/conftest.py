"""A session on the provider of :mod:`.provider`, and films to make on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.film.read import read_text
from grok_imagine.film.requests import Film
from grok_imagine.jobs import Session
from grok_imagine.models import VideoRequest
from grok_imagine.settings import Settings
from tests.conformance.server import served

from .provider import KEY, FilmProvider

Open = Callable[[], AbstractAsyncContextManager[Session]]


@pytest.fixture
def provider() -> Iterator[FilmProvider]:
    with served(FilmProvider()) as world:
        yield world


async def hurry(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.01))


@pytest.fixture
def open_session(tmp_path: Path, provider: FilmProvider) -> Open:
    """``async with open_session() as session``: a process that opens the test's data folder anew."""
    mine = {"dialect": "xai", "base_url": provider.url, "api_key": KEY, "pace": 0.02, "assumed_usd_per_clip": "0.10"}

    @asynccontextmanager
    async def open_() -> AsyncIterator[Session]:
        settings = Settings(connections={"mine": mine}, deadline_seconds=30, answer_seconds=5)
        async with Session(tmp_path / "home", settings, sleep=hurry) as session:
            yield session

    return open_


@pytest.fixture
async def session(open_session: Open) -> AsyncIterator[Session]:
    async with open_session() as opened:
        yield opened


def film(text: str, connection: str = "mine", **more: Any) -> Film:
    """The film of a shot list."""
    base = VideoRequest(duration_seconds=1, resolution="480p")
    return Film(read_text(text), connection, more.pop("base", base), **more)
