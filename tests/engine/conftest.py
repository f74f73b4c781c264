"""Fixtures of the engine's tests: a sandbox over HTTP, a session in a new data folder, no keys from outside."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.jobs import Session
from grok_imagine.models import Blob
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings

from .support.processes import reset, sandbox_process
from .support.requests import make_picture
from .support.sessions import Open, hurried


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seconds=0.2, strict_extra=True) as running:
        yield running


@pytest.fixture
async def held() -> AsyncIterator[Sandbox]:
    """A sandbox whose clock stands still: no task gets anywhere until the test winds it."""
    async with Sandbox(seconds=8, clock="manual", strict_extra=True) as running:
        yield running


@pytest.fixture
def open_session(tmp_path: Path, sandbox: Sandbox) -> Open:
    """``async with open_session(deadline_seconds=1) as session`` on the test's one data folder."""

    @asynccontextmanager
    async def open_(
        sleep: Callable[[float], Awaitable[None]] = hurried,
        monotonic: Callable[[], float] = time.monotonic,
        **settings: Any,
    ) -> AsyncIterator[Session]:
        stated = Settings(**{"sandbox_url": sandbox.url, **settings})
        async with Session(tmp_path / "home", stated, sleep=sleep, monotonic=monotonic) as session:
            yield session

    return open_


@pytest.fixture
async def session(open_session: Open) -> AsyncIterator[Session]:
    async with open_session() as opened:
        yield opened


@pytest.fixture
def picture() -> Blob:
    return make_picture((200, 60, 40))


@pytest.fixture(scope="session")
def one_sandbox() -> Iterator[str]:
    yield from sandbox_process()


@pytest.fixture
def running_sandbox(one_sandbox: str) -> str:
    """A sandbox in a process of its own, so that it outlives the client that is killed. It has forgotten all before."""
    reset(one_sandbox)
    return one_sandbox


@pytest.fixture
def held_sandbox() -> Iterator[str]:
    """The same, whose clock stands still until it is wound: a task is running for as long as the test wants."""
    yield from sandbox_process("--clock", "manual")
