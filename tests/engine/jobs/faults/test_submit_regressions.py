"""Earlier bugs around the paid POST."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from grok_imagine.errors import (
    GrokImagineError,
    JobFailed,
    JobTimedOut,
    ProviderError,
    RequestError,
    SettingsError,
    SubmitUncertain,
    TaskNotFound,
)
from grok_imagine.jobs import Session
from grok_imagine.models import Call, Job, JobState, Reply, VideoRequest
from grok_imagine.providers import PROVIDERS
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import ConnectionSettings, Settings, load, save_connection
from grok_imagine.transport import client as transport

from ...support.privacy import is_private
from ...support.processes import ROOT, client, finish, ledger, wind
from ...support.sessions import Open, Watch, hurried, until

KITE = VideoRequest(prompt="a kite", duration_seconds=6, resolution="480p")


def stalled(seconds: float = 1) -> VideoRequest:
    return KITE.model_copy(update={"prompt": f"a kite [sandbox:stall={seconds}]"})


class Provider:
    """A provider of one answer, in reAPI's dialect; ``posts`` counts what reached it."""

    def __init__(self, status: int = 200, body: Any = None, headers: dict[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, headers or {}
        self.posts, self.polls = 0, 0
        self.before: Callable[[], Any] | None = None

    async def answer(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            self.polls += 1
            return web.json_response({"id": "task_1", "status": "processing"})
        self.posts += 1
        if self.before is not None:
            await self.before()
        return web.json_response(self.body, status=self.status, headers=self.headers)


@asynccontextmanager
async def served(provider: Provider) -> AsyncIterator[dict[str, Any]]:
    """The settings of a connection ``mine`` to that provider."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", provider.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield {"connections": {"mine": {"dialect": "reapi", "base_url": url, "api_key": "rk_live_sandbox_1"}}}
    finally:
        await runner.cleanup()


async def the_job(session: Session) -> Job:
    (job,) = await session.journal.recent()
    return job


# -- the answer of a paid POST


async def test_a_task_id_that_cannot_be_journaled_is_said_and_logged(
    session: Session, sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(tmp_path / "home" / "journal.db")) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON jobs WHEN NEW.state = 'submitted' "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    with pytest.raises(SubmitUncertain) as caught:
        await session.generate(KITE, "sandbox")
    (task,) = [entry["task"] for entry in sandbox.ledger()["entries"]]
    job = await the_job(session)
    for text in (str(caught.value), caplog.text):
        assert f"attach {job.id} {task}" in text
    assert caught.value.task_id == task
    with closing(sqlite3.connect(tmp_path / "home" / "journal.db")) as database:
        database.execute("DROP TRIGGER full")
    await session.attach(job.id, task)
    assert (await session.resume(job.id)).job.state is JobState.SAVED
    assert sandbox.ledger()["posts"] == 1


async def test_a_journal_locked_for_a_moment_loses_no_task_id(
    session: Session, sandbox: Sandbox, tmp_path: Path
) -> None:
    making = asyncio.create_task(session.generate(stalled(), "sandbox"))
    await until(lambda: sandbox.ledger()["submits"])
    with closing(sqlite3.connect(tmp_path / "home" / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(1.5)
        other.execute("ROLLBACK")
    assert (await making).job.state is JobState.SAVED


async def test_one_request_in_two_sessions_is_one_submit(open_session: Open, sandbox: Sandbox) -> None:
    async with open_session() as one, open_session() as other:
        results = await asyncio.gather(
            *(each.generate(stalled(), "sandbox", owner="cli") for each in (one, other, one, other))
        )
    assert len({result.job.id for result in results}) == 1
    assert sandbox.ledger()["posts"] == 1


def test_one_request_in_two_processes_is_one_submit(held_sandbox: str, tmp_path: Path) -> None:
    finish(client(held_sandbox, tmp_path, "jobs"))
    request = ("generate", "a lighthouse", "--resolution", "480p", "--json")
    both = [client(held_sandbox, tmp_path, *request) for _ in range(2)]
    wind(held_sandbox)
    ends = threading.Event()

    def keep_winding() -> None:
        while not ends.wait(0.2):
            wind(held_sandbox)

    winding = threading.Thread(target=keep_winding)
    winding.start()
    try:
        ended = [finish(process) for process in both]
    finally:
        ends.set()
        winding.join()
    assert [code for code, _, _ in ended] == [0, 0], ended
    assert len({json.loads(out)["job_id"] for _, out, _ in ended}) == 1
    assert ledger(held_sandbox)["posts"] == 1


async def test_two_walkers_of_one_session_share_the_post(open_session: Open, sandbox: Sandbox) -> None:
    """One job that waits out a 429, walked twice; then both are interrupted and the session closes."""
    async with open_session() as session:
        sandbox.fault("submit", "429", times=5, dialect="reapi")
        with pytest.raises(ProviderError):
            await session.generate(stalled(), "sandbox", owner="n")
        job = await the_job(session)
        assert job.state is JobState.PREPARED
    async with open_session() as session:
        walkers = [asyncio.create_task(session.generate(stalled(), "sandbox", owner="n")) for _ in range(2)]
        await until(lambda: sandbox.ledger()["submits"])
        assert len(session.in_flight) == 1
        for walker in walkers:
            walker.cancel()
        assert await asyncio.gather(*walkers, return_exceptions=True)
    async with open_session() as session:  # closing waited for the answer
        job = await the_job(session)
        assert (job.state, bool(job.task_id)) == (JobState.SUBMITTED, True)
    assert sandbox.ledger()["submits"] == 1


async def test_the_post_of_another_run_is_waited_for(open_session: Open, sandbox: Sandbox) -> None:
    """As long as it may be answered, its outcome is not called unknown."""
    async with open_session() as old, open_session() as new:
        first = asyncio.create_task(old.generate(stalled(), "sandbox", owner="n"))
        await until(lambda: sandbox.ledger()["submits"])
        second = await new.generate(stalled(), "sandbox", owner="n")
        assert second.job.state is JobState.SAVED
        assert (await first).job.id == second.job.id
    assert sandbox.ledger()["posts"] == 1


async def test_a_429_after_an_interrupt_is_no_strange_error(open_session: Open) -> None:
    gate = asyncio.Event()
    provider = Provider(429, {"error": {"code": 50001, "message": "slow down"}}, {"Retry-After": "1"})
    provider.before = gate.wait
    async with served(provider) as mine, open_session(**mine) as session:
        first = asyncio.create_task(session.generate(KITE, "mine", owner="n"))
        await until(lambda: provider.posts)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        second = asyncio.create_task(session.generate(KITE, "mine", owner="n"))
        await asyncio.sleep(0.1)
        gate.set()
        with pytest.raises(GrokImagineError, match="slow down"):
            await second
        assert (await the_job(session)).state is JobState.PREPARED


UNCLEAR = [
    (500, "rate_limit_exceeded"),
    (503, "rate_limit_exceeded"),
    (502, "invalid_request"),
    (504, "50001"),
    (200, "rate_limit_error"),
]


@pytest.mark.parametrize(("status", "code"), UNCLEAR)
async def test_only_a_429_says_that_nothing_was_accepted(status: int, code: str, open_session: Open) -> None:
    provider = Provider(status, {"error": {"code": code, "message": "m"}})
    async with served(provider) as mine, open_session(**mine) as session:
        with pytest.raises(SubmitUncertain):
            await session.generate(KITE, "mine")
        assert (await the_job(session)).state is JobState.SUBMITTING
    assert provider.posts == 1


@pytest.mark.parametrize("status", [303, 304])
async def test_a_redirect_of_a_post_is_not_followed_and_refuses_nothing(status: int, open_session: Open) -> None:
    """A gateway may send 303 after it has accepted."""
    provider = Provider(status, None, {"Location": "/elsewhere"})
    async with served(provider) as mine, open_session(**mine) as session:
        with pytest.raises(SubmitUncertain):
            await session.generate(KITE, "mine")
        assert (await the_job(session)).state is JobState.SUBMITTING
    assert (provider.posts, provider.polls) == (1, 0)


ACCEPTED = [
    ("aivideoapi", {"code": 1000, "msg": "success", "data": {"taskId": "t1"}}),
    ("aivideoapi", {"code": "SUBMITTED", "data": {"taskId": "t1"}}),
    ("apiinone", {"code": "created", "data": {"task_id": "t1", "status": "weird_word"}}),
    ("openai_videos", {"code": "submitted", "id": "t1"}),
]


@pytest.mark.parametrize(("dialect", "body"), ACCEPTED)
def test_an_id_beside_an_unknown_code_is_accepted(dialect: str, body: dict[str, Any]) -> None:
    assert PROVIDERS[dialect].task_id(Reply(200, json.dumps(body).encode())) == "t1"


async def test_a_server_that_drips_is_given_up(open_session: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then keeps every timeout between two bytes from running out."""
    monkeypatch.setattr(transport, "EXCHANGE_SECONDS", 0.3)

    class Drip(Provider):
        async def answer(self, request: web.Request) -> web.StreamResponse:  # type: ignore[override]
            self.posts += 1
            response = web.StreamResponse()
            await response.prepare(request)
            while request.transport is not None and not request.transport.is_closing():
                await response.write(b" ")
                await asyncio.sleep(0.02)
            return response

    provider = Drip()
    async with served(provider) as mine, open_session(**mine) as session:
        with pytest.raises(SubmitUncertain, match="did not answer within"):
            await session.generate(KITE, "mine")
    assert provider.posts == 1


async def test_the_deadline_holds_also_while_a_poll_is_repeated(open_session: Open, sandbox: Sandbox) -> None:
    """A provider that says 429 with a long Retry-After does not stretch it."""
    watch = Watch()
    async with open_session(watch.sleep, watch.read, deadline_seconds=60) as session:
        with pytest.raises((JobTimedOut, GrokImagineError)):
            await session.generate(KITE.model_copy(update={"prompt": "a kite [sandbox:429@poll*ever=300]"}), "sandbox")
        assert (await the_job(session)).state is JobState.SUBMITTED
    assert watch.seconds < 60 + 20 * 300 * 12


# -- who a job belongs to


async def test_a_connection_that_speaks_another_dialect_is_not_asked(open_session: Open, sandbox: Sandbox) -> None:
    def mine(dialect: str, key: str) -> dict[str, Any]:
        stated = {"dialect": dialect, "base_url": sandbox.base(dialect), "api_key": key}
        return {"connections": {"mine": stated}}

    watch = Watch()
    stuck = KITE.model_copy(update={"prompt": "a kite [sandbox:stuck]"})
    async with open_session(watch.sleep, watch.read, deadline_seconds=60, **mine("reapi", "rk_live_sandbox")) as one:
        with pytest.raises(JobTimedOut):
            await one.generate(stuck, "mine", owner="n")
        job = await the_job(one)
    asked = len(sandbox.requests())
    async with open_session(**mine("aivideoapi", "sk-sandbox")) as other:
        with pytest.raises(SettingsError, match="submitted in the dialect reapi"):
            await other.resume(job.id)
        assert len(sandbox.requests()) == asked
        result = await other.generate(KITE, "mine", owner="n")
        assert result.job.provider == "aivideoapi"
        assert result.job.fingerprint != job.fingerprint


async def test_a_job_is_not_asked_about_at_another_host_than_it_was_submitted_at(open_session: Open) -> None:
    first, second = Provider(200, {"id": "task_1", "status": "processing"}), Provider(500, {})
    watch = Watch()
    async with served(first) as here, served(second) as there:
        async with open_session(watch.sleep, watch.read, deadline_seconds=60, **here) as session:
            with pytest.raises(JobTimedOut):
                await session.generate(KITE, "mine", owner="n")
            job = await the_job(session)
            assert job.origin == here["connections"]["mine"]["base_url"]
        async with open_session(**there) as session:
            for again in (
                session.resume(job.id),
                session.generate(KITE, "mine", owner="n"),
                session.collect("mine", "task_1"),
                session.abandon(job.id),
            ):
                with pytest.raises(SettingsError, match="was submitted to http://127"):
                    await again
    assert (second.posts, second.polls) == (0, 0)


async def test_a_failed_job_is_asked_about_once_more_by_hand(open_session: Open, sandbox: Sandbox) -> None:
    """The provider may have been wrong; asking costs nothing. Without a task id there is nothing to ask."""
    async with open_session() as session:
        failing = KITE.model_copy(update={"prompt": "a kite [sandbox:failed]"})
        with pytest.raises(JobFailed):
            await session.generate(failing, "sandbox", owner="n")
        job = await the_job(session)
        task = sandbox.core.store.task(job.task_id or "")
        task.faults, task.outcome, task.failure = [], "ready", None
        sandbox.core.store.save(task)
        assert (await session.resume(job.id)).job.state is JobState.SAVED
        with pytest.raises(ProviderError):
            await session.generate(KITE.model_copy(update={"prompt": "x [sandbox:401]"}), "sandbox")
        refused = (await session.journal.recent())[0]
        with pytest.raises(JobFailed, match="has failed"):
            await session.resume(refused.id)
    assert sandbox.ledger()["submits"] == 1


@pytest.mark.parametrize("bad", ["", " ", "..", "a b/c?d", "x" * 1001, "../../admin", "a\nb"])
async def test_what_cannot_be_a_task_id_is_not_attached(bad: str, session: Session, sandbox: Sandbox) -> None:
    with pytest.raises(SubmitUncertain):
        await session.generate(KITE.model_copy(update={"prompt": "a kite [sandbox:drop-after]"}), "sandbox")
    job = await the_job(session)
    with pytest.raises(SettingsError, match="cannot be a task id"):
        await session.attach(job.id, bad)
    assert (await the_job(session)).state is JobState.SUBMITTING


async def test_a_mistaken_task_id_can_be_replaced(tmp_path: Path, sandbox: Sandbox) -> None:
    later = 0.0
    began = 1_700_000_000.0
    async with Session(
        tmp_path, Settings(sandbox_url=sandbox.url), sleep=hurried, now=lambda: began + later
    ) as session:
        with pytest.raises(SubmitUncertain):
            await session.generate(KITE.model_copy(update={"prompt": "a kite [sandbox:drop-after]"}), "sandbox")
        job = await the_job(session)
        (task,) = [entry["task"] for entry in sandbox.ledger()["entries"]]
        with pytest.raises(TaskNotFound, match=r"does not know the task .*the id is wrong, or .*another account"):
            await session.attach(job.id, task[:-1])
        assert (await the_job(session)).is_uncertain
        # As an earlier version did, or where the provider could not be asked.
        await session.journal.advance(job, JobState.SUBMITTED, task_id=task[:-1], submitted_at=began)
        later = 60.0
        with pytest.raises(GrokImagineError, match=f"does not know this task.*grok-imagine attach {job.id} TASK_ID"):
            await session.resume(job.id)
        await session.attach(job.id, task)
        assert (await session.resume(job.id)).job.state is JobState.SAVED
    assert sandbox.ledger()["posts"] == 1


@pytest.mark.parametrize("prompt", ["a \ud83d kite", "\udc00", "ok\ud800"])
async def test_half_a_character_is_a_violation_and_not_a_crash(prompt: str, session: Session, sandbox: Sandbox) -> None:
    with pytest.raises(RequestError):
        await session.generate(VideoRequest(prompt=prompt, duration_seconds=6, resolution="480p"), "sandbox")
    assert sandbox.requests() == []


async def test_a_store_that_is_set_up_wrongly_stops_no_job_that_uploads_nothing(
    open_session: Open, sandbox: Sandbox
) -> None:
    async with open_session(store="gone") as session:
        assert (await session.generate(KITE, "sandbox")).job.state is JobState.SAVED
    async with open_session(stores={"a": {"kind": "s3"}}) as session:
        done = await session.generate(KITE.model_copy(update={"seed": 2}), "sandbox")
        done.file.unlink()
        assert (await session.resume(done.job.id)).job.state is JobState.SAVED


# -- leaks, settings, the end of the process


async def test_our_requests_are_not_logged_and_those_of_others_are(
    open_session: Open, caplog: pytest.LogCaptureFixture
) -> None:
    import httpx

    caplog.set_level(logging.DEBUG)
    provider = Provider(402, {"error": {"code": 30001, "message": "no"}})
    async with served(provider) as mine, open_session(**mine) as session:
        with pytest.raises(ProviderError):
            await session.generate(KITE, "mine")
        ours = [record for record in caplog.records if record.name.startswith(("httpx", "httpcore"))]
        assert ours == []
        async with httpx.AsyncClient(trust_env=False) as other:
            await other.get(mine["connections"]["mine"]["base_url"])
    assert any(record.name == "httpx" for record in caplog.records)


def test_a_call_shows_no_key() -> None:
    call = PROVIDERS["reapi"].authorize(Call.get("/x"), "rk_live_very_secret")
    assert any("very_secret" in value for value in call.headers.values())
    assert "very_secret" not in repr(call)
    assert "Authorization" not in repr(call)


def test_two_writers_of_the_settings_lose_nothing(tmp_path: Path) -> None:
    def write(name: str) -> None:
        for number in range(20):
            save_connection(tmp_path / "home", f"{name}{number}", ConnectionSettings(dialect="reapi"))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(load(tmp_path / "home").connections) == 60
    assert all(is_private(path) for path in (tmp_path / "home").iterdir())


ENDS = """
import importlib, sys, time, types, json, urllib.request
from pathlib import Path
root, home, url, how = sys.argv[1:]
pack = types.ModuleType("pack"); pack.__path__ = [root]; sys.modules["pack"] = pack
runtime = importlib.import_module("pack.nodes.host.runtime").Runtime(Path(home))
models = importlib.import_module("pack.grok_imagine.models")
async def work():
    async with runtime.session() as session:
        request = models.VideoRequest(prompt="x [sandbox:stall=2]", duration_seconds=6, resolution="480p")
        return await session.generate(request, "sandbox", owner="3")
runtime.submit(work())
while not json.load(urllib.request.urlopen(url + "/_sandbox/ledger"))["submits"]:
    time.sleep(0.02)
if how == "close":
    runtime.close()
"""


@pytest.mark.parametrize("how", ["exit", "close"])
def test_the_answer_of_a_paid_post_outlives_comfyui(how: str, held_sandbox: str, tmp_path: Path) -> None:
    """It ends, by Ctrl-C or otherwise, while the POST is out: the id still gets into the journal."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.json").write_text(json.dumps({"sandbox_url": held_sandbox}))
    command = [sys.executable, "-c", ENDS, str(ROOT), str(home), held_sandbox, how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(home / "journal.db")) as database:
        ((state, task),) = database.execute("SELECT state, task_id FROM jobs").fetchall()
    assert state == "submitted", done.stderr
    assert task
    assert ledger(held_sandbox)["posts"] == 1
