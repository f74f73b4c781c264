"""The pace of a connection: one rate, one set of places and one pause for all its jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from grok_imagine.errors import OutOfCredit
from grok_imagine.jobs import ProgressUpdate
from grok_imagine.models import Call
from grok_imagine.providers import PROVIDERS
from grok_imagine.sandbox import Sandbox
from grok_imagine.transport.client import Client
from grok_imagine.transport.endpoint import Endpoint
from grok_imagine.transport.rate_limit import RateLimiter, RateLimiters
from grok_imagine.transport.retry import Backoff

from ..support.http_server import serving
from ..support.requests import request_for
from ..support.sessions import Open, hurried


class Clock:
    """A clock that only sleeping moves. Sleepers wake in the order of their times."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        wake = asyncio.Event()
        self._sleepers.append((self.now + seconds, wake))
        await wake.wait()

    async def run(self, *work: asyncio.Future[None]) -> None:
        """Until all ``work`` is done: let everybody run, then go to the next time that somebody waits for."""
        while not all(one.done() for one in work):
            for _ in range(20):
                await asyncio.sleep(0)
            if self._sleepers:
                self._sleepers.sort(key=lambda one: one[0])
                self.now, wake = self._sleepers.pop(0)
                wake.set()


@given(rate=st.floats(0.5, 50), count=st.integers(1, 60))
def test_no_second_sees_more_than_the_rate_and_a_short_burst(rate: float, count: int) -> None:
    async def scenario() -> None:
        clock = Clock()
        pacer = RateLimiter(rate, 1, sleep=clock.sleep, monotonic=clock)
        sent: list[tuple[float, int]] = []

        async def one(number: int) -> None:
            await pacer.wait_turn()
            sent.append((clock.now, number))

        await clock.run(*(asyncio.ensure_future(one(number)) for number in range(count)))
        assert [number for _, number in sent] == list(range(count))  # first come, first served
        for start, _ in sent:
            within = sum(start <= at < start + 1 - 1e-6 for at, _ in sent)
            assert within <= rate + 5
        assert sent[-1][0] - 1000 <= count / rate + 1e-6  # and it is no slower than it has to be

    asyncio.run(scenario())


async def test_a_pause_holds_for_all_and_then_they_come_at_the_rate() -> None:
    clock = Clock()
    pacer = RateLimiter(10, 1, sleep=clock.sleep, monotonic=clock)
    sent: list[float] = []

    async def one() -> None:
        await pacer.wait_turn()
        sent.append(clock.now)

    before = asyncio.ensure_future(one())
    await clock.run(before)
    pauses = [asyncio.ensure_future(pacer.pause(seconds)) for seconds in (30, 3)]  # the shorter one changes nothing
    await asyncio.sleep(0)
    others = [asyncio.ensure_future(one()) for _ in range(20)]
    await clock.run(*others, *pauses)
    assert sent[0] == 1000
    assert min(sent[1:]) >= 1030
    assert max(sent) == pytest.approx(1030 + (20 - 5) / 10, abs=0.2)


async def test_who_waits_within_the_rate_hears_of_a_pause_too() -> None:
    clock = Clock()
    pacer = RateLimiter(1, 1, sleep=clock.sleep, monotonic=clock)
    sent: list[float] = []

    async def one() -> None:
        await pacer.wait_turn()
        sent.append(clock.now)

    waiting = [asyncio.ensure_future(one()) for _ in range(8)]  # five at once, the others a second apart
    await asyncio.sleep(0)
    pause = asyncio.ensure_future(pacer.pause(60))
    await clock.run(*waiting, pause)
    assert [at < 1001 for at in sent] == [True] * 5 + [False] * 3
    assert min(sent[5:]) >= 1060


async def _served(header: str) -> AsyncIterator[tuple[str, list[str]]]:
    calls: list[str] = []

    async def busy(request: web.Request) -> web.Response:
        calls.append("busy")
        first = calls.count("busy") == 1
        return web.Response(status=429 if first else 200, headers={"Retry-After": header}, text="{}")

    async def free(request: web.Request) -> web.Response:
        calls.append("free")
        return web.Response(text="{}")

    async with serving(busy=busy, free=free) as url:
        yield url, calls


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_one_jobs_429_makes_the_others_wait(form: str) -> None:
    later = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=40), usegmt=True)
    asked: list[float] = []
    told, gate = asyncio.Event(), asyncio.Event()

    async def held(seconds: float) -> None:
        asked.append(seconds)
        told.set()
        await gate.wait()

    pacers = RateLimiters(sleep=held)
    provider = PROVIDERS["reapi"]
    async with Client(Backoff(tries=3), sleep=held) as client:
        async for url, calls in _served("40" if form == "seconds" else later):
            shared = Endpoint(url, SecretStr("rk_live_x"), provider.authorize, pacers.of("mine", 100, 5))
            other = Endpoint(url, SecretStr("rk_live_y"), provider.authorize, pacers.of("other", 100, 5))
            first = asyncio.ensure_future(client.read(Call.get("/busy"), shared, provider.refusal))
            await told.wait()
            second = asyncio.ensure_future(client.read(Call.get("/free"), shared, provider.refusal))
            await client.read(Call.get("/free"), other, provider.refusal)  # another connection is another key
            assert calls == ["busy", "free"]
            assert not second.done()
            gate.set()
            await asyncio.gather(first, second)
            assert sorted(calls) == ["busy", "busy", "free", "free"]
    assert len(asked) == 2
    assert all(30 < seconds < 41 for seconds in asked)


async def test_a_spend_limit_is_final_and_makes_nobody_wait(open_session: Open, sandbox: Sandbox) -> None:
    waits: list[float] = []

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        await hurried(seconds)

    async with open_session(sleep=noted) as session:
        with pytest.raises(OutOfCredit):
            await session.generate(
                request_for("aivideoapi", prompt="a boat [sandbox:429-spend]"), "sandbox-aivideoapi", owner="1"
            )
        await session.generate(request_for("aivideoapi"), "sandbox-aivideoapi", owner="2")
    assert sandbox.ledger()["posts"] == 2
    assert max(waits, default=0) < 5


@given(st.lists(st.sampled_from(["enter", "leave", "cancel"]), max_size=60), st.integers(1, 4))
def test_places_are_never_exceeded_and_never_lost(steps: list[str], limit: int) -> None:
    async def scenario() -> None:
        pacer = RateLimiter(1000, limit)
        inside: list[asyncio.Event] = []
        outside: list[asyncio.Task[None]] = []

        async def job(end: asyncio.Event) -> None:
            async with pacer.slot() as place:
                await place.take()
                inside.append(end)
                await end.wait()

        for step in steps:
            if step == "enter":
                outside.append(asyncio.ensure_future(job(asyncio.Event())))
            elif step == "leave" and inside:
                inside.pop().set()
            elif step == "cancel" and outside:
                outside.pop(0).cancel()
            if len(steps) % 2:
                await asyncio.sleep(0)
            assert 0 <= pacer.busy <= limit
        for _ in range(200):
            await asyncio.sleep(0)
            assert 0 <= pacer.busy <= limit
            while inside:
                inside.pop().set()
        await asyncio.gather(*outside, return_exceptions=True)
        assert pacer.busy == 0

    asyncio.run(scenario())


async def test_a_task_that_runs_already_takes_a_place_at_once() -> None:
    pacer = RateLimiter(1000, 1)
    async with pacer.slot() as first, pacer.slot() as second, pacer.slot() as third:
        await first.take()
        second.occupy()
        assert pacer.busy == 2
        assert third.must_wait
        waiting = asyncio.ensure_future(third.take())
        first.leave()
        await asyncio.sleep(0)
        assert not waiting.done()  # two were in flight, one is allowed
        second.leave()
        await waiting
        assert pacer.busy == 1
    assert pacer.busy == 0


class InFlight:
    """Counts jobs between their submit and their download, as the host sees them."""

    def __init__(self) -> None:
        self.now: set[str] = set()
        self.most = 0

    def update(self, update: ProgressUpdate) -> None:
        if update.step in ("submitting", "queued", "generating"):
            self.now.add(update.job.id)
        else:
            self.now.discard(update.job.id)
        self.most = max(self.most, len(self.now))


async def test_jobs_beyond_the_limit_wait_and_all_come_home(open_session: Open, sandbox: Sandbox) -> None:
    own = {"dialect": "apiinone", "base_url": f"{sandbox.url}/apiinone", "api_key": "aio_sandbox_1"}
    limited = {"mine": {**own, "jobs_at_once": 3, "requests_per_second": 200, "pace": 0.1}}
    counter = InFlight()
    async with open_session(connections=limited) as session:
        results = await asyncio.gather(
            *(session.generate(request_for("apiinone", seed=n), "mine", progress=counter) for n in range(9))
        )
    assert len({result.file for result in results}) == 9
    assert counter.most == 3
    assert sandbox.ledger()["submits"] == 9
