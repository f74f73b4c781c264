"""Rate limiters, one per connection, for all its jobs: requests per second, jobs in flight, and pauses after a 429.

The rate uses the generic cell rate algorithm (ITU-T I.371), which allows short bursts. A pause applies to all jobs of
the connection, since the provider limits the key.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType

_BURST = 5
"""Requests that may be sent at once after a pause without any."""


class RateLimiter:
    """The rate limiter of one connection. It belongs to one event loop."""

    def __init__(
        self,
        requests_per_second: float,
        jobs_at_once: int,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.requests_per_second = requests_per_second
        self.jobs_at_once = jobs_at_once
        self._sleep = sleep
        self._monotonic = monotonic
        self._due = float("-inf")
        self._pause_end = float("-inf")
        """When the longest requested pause ends."""
        self._waited_until = float("-inf")
        """The end of the last pause that a caller has waited for."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.busy = 0
        """The number of this process's jobs in flight."""

    async def wait_turn(self) -> None:
        """Wait until another request may be sent: after all pauses, and within the rate."""
        while True:
            await self._wait_for_pauses()
            wait = self._reserve() - self._monotonic()
            if wait > 0:
                await self._sleep(wait)
            if self._pause_end <= self._waited_until:
                return  # otherwise a 429 arrived meanwhile

    async def pause(self, seconds: float) -> None:
        """Pause all requests of the connection after a 429, and wait for the end of this pause."""
        until = self._monotonic() + seconds
        self._pause_end = max(self._pause_end, until)
        await self._sleep(seconds)
        self._waited_until = max(self._waited_until, until)

    async def _wait_for_pauses(self) -> None:
        while self._pause_end > self._waited_until:
            until = self._pause_end
            wait = until - self._monotonic()
            if wait > 0:
                await self._sleep(wait)
            self._waited_until = max(self._waited_until, until)

    def slot(self) -> JobSlot:
        """A slot for a job in flight. It is not taken yet."""
        return JobSlot(self)

    def _reserve(self) -> float:
        """When the caller's request may be sent. Reserves that time."""
        step = 1 / self.requests_per_second
        now = self._monotonic()
        due = max(self._due, now)
        self._due = due + step
        return max(now, due - (_BURST - 1) * step)

    # -- slots

    async def enter(self) -> None:
        """Wait for a free slot, first come, first served."""
        if self.busy < self.jobs_at_once and not self._waiting:
            self.busy += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()  # it was assigned just before the cancellation
            else:
                self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        """Free a slot. The job that has waited longest gets it."""
        self.busy -= 1
        while self._waiting and self.busy < self.jobs_at_once:
            turn = self._waiting.popleft()
            if not turn.done():
                self.busy += 1
                turn.set_result(None)


class JobSlot:
    """One job's slot, from before its submit until its task is final. ``async with limiter.slot() as slot: …``"""

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._is_taken = False

    async def __aenter__(self) -> JobSlot:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    @property
    def must_wait(self) -> bool:
        """Whether all slots are taken now."""
        return not self._is_taken and self._limiter.busy >= self._limiter.jobs_at_once

    async def take(self) -> None:
        """Wait for a slot, unless the job has one."""
        if not self._is_taken:
            await self._limiter.enter()
            self._is_taken = True

    def occupy(self) -> None:
        """Take a slot without waiting, even if none is free, since the task already runs at the provider."""
        if not self._is_taken:
            self._limiter.busy += 1
            self._is_taken = True

    def leave(self) -> None:
        """Free the slot, if the job has one."""
        if self._is_taken:
            self._is_taken = False
            self._limiter.leave()


class RateLimiters:
    """The rate limiters of a process, by the names of their connections."""

    def __init__(
        self,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._monotonic = monotonic
        self._known: dict[str, RateLimiter] = {}

    def of(self, connection: str, requests_per_second: float, jobs_at_once: int) -> RateLimiter:
        """The connection's rate limiter, with these limits."""
        limiter = self._known.get(connection)
        if limiter is None:
            limiter = RateLimiter(requests_per_second, jobs_at_once, sleep=self._sleep, monotonic=self._monotonic)
            self._known[connection] = limiter
        limiter.requests_per_second, limiter.jobs_at_once = requests_per_second, jobs_at_once
        return limiter
