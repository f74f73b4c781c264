"""What the engine's tests share: a sandbox over real HTTP, a session on a fresh data folder, no keys from outside."""

from __future__ import annotations

import asyncio
import inspect
import io
import os
import stat
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from grok_imagine import privacy
from grok_imagine.jobs import Session, Update
from grok_imagine.models import Blob
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DIALECTS = ("reapi", "aivideoapi", "apiinone", "openai_videos", "xai")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("GROK_IMAGINE_") or name.upper().endswith("_API_KEY"):
            monkeypatch.delenv(name)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seconds=0.2, strict_extra=True) as running:
        yield running


@pytest.fixture
async def held() -> AsyncIterator[Sandbox]:
    """A sandbox whose clock stands still: no task gets anywhere until the test winds it."""
    async with Sandbox(seconds=8, clock="manual", strict_extra=True) as running:
        yield running


async def hurried(seconds: float) -> None:
    """Sleep, but never for long: the delays themselves are asserted where they matter."""
    await asyncio.sleep(min(seconds, 0.05))


class Recorder:
    """A Progress that remembers."""

    def __init__(self) -> None:
        self.updates: list[Update] = []

    def update(self, update: Update) -> None:
        self.updates.append(update)

    @property
    def steps(self) -> list[str]:
        return list(dict.fromkeys(update.step for update in self.updates))


class Watch:
    """A clock that only sleeping moves on, twentyfold: a deadline passes after some polls, however long they take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def read(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += 20 * seconds
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what must come to pass; the test's own time limit ends what does not."""
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return
        await asyncio.sleep(0.01)


Open = Callable[..., Any]


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


def make_picture(colour: tuple[int, int, int], size: tuple[int, int] = (320, 180)) -> Blob:
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, "PNG")
    return Blob(data.getvalue(), "image/png")


def is_private(path: Path) -> bool:
    """Whether it is for its owner alone. On Windows a file is what its folder says."""
    if os.name == "nt":
        return not privacy.is_open_to_others(path if path.is_dir() else path.parent)
    return stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def open_to_others(path: Path) -> None:
    if os.name == "nt":
        privacy._set(path, "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;OW)(A;OICI;FR;;;WD)")
    else:
        path.chmod(0o755 if path.is_dir() else 0o644)


def connection_for(dialect: str) -> str:
    return "sandbox" if dialect == "reapi" else f"sandbox-{dialect}"
