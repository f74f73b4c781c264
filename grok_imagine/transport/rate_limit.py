"""One pacer for each connection, shared by all its jobs: requests a second, jobs in flight, and pauses after a 429.

The rate is kept by the generic cell rate algorithm (ITU-T I.371): a request may come up to a short burst before its
theoretical time. A pause holds for everybody: that one job was told to wait means that the key was.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType

_BURST = 5
"""Requests that may come at once after a silence."""


class RateLimiter:
    """The pace of one connection. It lives on one event loop."""

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
        self._open_at = float("-inf")
        """When the last pause that was asked for ends."""
        self._over = float("-inf")
        """When the last pause that somebody sat out ended."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.busy = 0
        """How many jobs are in flight, as far as this process waits for them."""

    async def wait_turn(self) -> None:
        """Wait until one more request may be sent: after every pause, and within the rate."""
        while True:
            await self._pass_pauses()
            wait = self._reserve() - self._monotonic()
            if wait > 0:
                await self._sleep(wait)
            if self._open_at <= self._over:
                return  # else somebody was told to wait meanwhile, and so were we

    async def pause(self, seconds: float) -> None:
        """The server said 429: nobody sends anything for so long. Ends with the pause; a longer one goes on."""
        until = self._monotonic() + seconds
        self._open_at = max(self._open_at, until)
        await self._sleep(seconds)
        self._over = max(self._over, until)

    async def _pass_pauses(self) -> None:
        while self._open_at > self._over:
            until = self._open_at
            wait = until - self._monotonic()
            if wait > 0:
                await self._sleep(wait)
            self._over = max(self._over, until)

    def slot(self) -> JobSlot:
        """A place among the jobs in flight, not taken yet."""
        return JobSlot(self)

    def _reserve(self) -> float:
        """When the next request may be sent; it is taken by whoever asks."""
        step = 1 / self.requests_per_second
        now = self._monotonic()
        due = max(self._due, now)
        self._due = due + step
        return max(now, due - (_BURST - 1) * step)

    # -- places

    async def enter(self) -> None:
        """Wait for one of the places, in the order of asking."""
        if self.busy < self.jobs_at_once and not self._waiting:
            self.busy += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()  # it was handed over just now, and is not wanted any more
            else:
                self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        """Give a place back; whoever waits longest gets it."""
        self.busy -= 1
        while self._waiting and self.busy < self.jobs_at_once:
            turn = self._waiting.popleft()
            if not turn.done():
                self.busy += 1
                turn.set_result(None)


class JobSlot:
    """One job's place, from before its submit until its task is final. ``async with pacer.place() as place: …``"""

    def __init__(self, pacer: RateLimiter) -> None:
        self._pacer = pacer
        self._is_taken = False

    async def __aenter__(self) -> JobSlot:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    @property
    def must_wait(self) -> bool:
        """Whether all places are taken now."""
        return not self._is_taken and self._pacer.busy >= self._pacer.jobs_at_once

    async def take(self) -> None:
        """Wait for a place, unless the job has one."""
        if not self._is_taken:
            await self._pacer.enter()
            self._is_taken = True

    def occupy(self) -> None:
        """Take a place at once, be there one or not: the task runs at the provider already."""
        if not self._is_taken:
            self._pacer.busy += 1
            self._is_taken = True

    def leave(self) -> None:
        """Give the place back, if the job has one."""
        if self._is_taken:
            self._is_taken = False
            self._pacer.leave()


class RateLimiters:
    """The pacers of a process, by the names of their connections."""

    def __init__(
        self,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._monotonic = monotonic
        self._known: dict[str, RateLimiter] = {}

    def of(self, connection: str, requests_per_second: float, jobs_at_once: int) -> RateLimiter:
        """The connection's pacer, at the pace that the settings say now."""
        pacer = self._known.get(connection)
        if pacer is None:
            pacer = RateLimiter(requests_per_second, jobs_at_once, sleep=self._sleep, monotonic=self._monotonic)
            self._known[connection] = pacer
        pacer.requests_per_second, pacer.jobs_at_once = requests_per_second, jobs_at_once
        return pacer
