"""What a test hands to a session and reads from it: sleeps, clocks, progress, a paid connection, the charge."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from grok_imagine.jobs import ProgressUpdate, Session
from grok_imagine.models import Job
from grok_imagine.sandbox import Sandbox


async def hurried(seconds: float) -> None:
    """Sleep, but never for long: the delays themselves are asserted where they matter."""
    await asyncio.sleep(min(seconds, 0.05))


class Recorder:
    """A Progress that remembers."""

    def __init__(self) -> None:
        self.updates: list[ProgressUpdate] = []

    def update(self, update: ProgressUpdate) -> None:
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


def paid(sandbox: Sandbox, dialect: str = "reapi", **more: Any) -> dict[str, Any]:
    """A connection of the user's own that happens to lead to the sandbox: what it takes counts as real money."""
    keys = {"reapi": "rk_live_sandbox_1", "apiinone": "aio_sandbox_1", "xai": "xai-sandbox_1"}
    own = {"dialect": dialect, "base_url": f"{sandbox.url}/{dialect}", "api_key": keys.get(dialect, "sk-sandbox_1")}
    return {"paid": {**own, "pace": 0.1, **more}}


async def only_job(session: Session) -> Job:
    (job,) = await session.journal.recent()
    return job


def spent(sandbox: Sandbox) -> Decimal:
    """What the provider has taken and kept, in USD; a refund is a negative entry."""
    return sum((Decimal(one["usd"]) for one in sandbox.ledger()["entries"]), Decimal(0))
