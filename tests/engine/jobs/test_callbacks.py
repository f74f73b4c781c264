"""Callbacks: forged, repeated, early, late or endless ones change only the time of the next poll."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.errors import JobTimedOut, SettingsError
from grok_imagine.jobs import Session
from grok_imagine.jobs.pipeline.callbacks import KEY_FILE, MIN_POLL_GAP, CallbackRegistry, WakeSignal
from grok_imagine.models import Call, Job, JobState
from grok_imagine.providers import Provider
from grok_imagine.redact import redact
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings, load

from ..support.leaks import contents, leaks, listen_to_all, logged, told_of
from ..support.privacy import is_private
from ..support.requests import DIALECTS, request_for

BASE = "http://127.0.0.1:9/comfy"
"""Where nobody listens: what the sandbox calls there is lost, and the test calls instead."""
START = 1_790_000_000.0


class Scene:
    """A clock that only waiting moves on, what is to happen at which of its seconds, and when was asked."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.polls: list[float] = []
        self.acts: dict[float, list[Callable[[], Any]]] = {}

    def at(self, seconds: float, act: Callable[[], Any]) -> None:
        self.acts.setdefault(seconds, []).append(act)

    def read(self) -> float:
        return self.seconds

    def now(self) -> float:
        return START + self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        for due in sorted(one for one in self.acts if one <= self.seconds):
            for act in self.acts.pop(due):
                done = act()
                if inspect.isawaitable(done):
                    await done


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene, real = Scene(), Provider.poll

    def poll(self: Provider, task_id: str, model: str = "") -> Call:
        if self.name == "aivideoapi":
            scene.polls.append(scene.seconds)
        return real(self, task_id, model)

    monkeypatch.setattr(Provider, "poll", poll)
    return scene


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def stated(sandbox: Sandbox, **more: Any) -> Settings:
    """Connections to the sandbox at the pace of the provider that it stands for."""
    own = {name: {"dialect": name, "base_url": f"{sandbox.url}/{name}", "api_key": KEYS[name]} for name in DIALECTS}
    return Settings(**{"connections": own, "sandbox_url": sandbox.url, "deadline_seconds": 31, **more})


KEYS = {
    "reapi": "rk_live_sandbox",
    "aivideoapi": "sk-sandbox",
    "apiinone": "aio_sandbox",
    "openai_videos": "sk-sandbox",
    "xai": "xai-sandbox",
}


@pytest.fixture
def open_scene(home: Path, held: Sandbox, scene: Scene) -> Any:
    @asynccontextmanager
    async def open_(hints: CallbackRegistry | None, **settings: Any) -> AsyncIterator[Session]:
        clock = {"sleep": scene.sleep, "monotonic": scene.read, "now": scene.now}
        async with Session(home, stated(held, **settings), callbacks=hints, **clock) as session:
            yield session

    return open_


async def left_waiting(session: Session) -> Job:
    """A job whose task gets nowhere: given up waiting for at the deadline, and kept."""
    with pytest.raises(JobTimedOut):
        await session.generate(request_for("aivideoapi"), "aivideoapi")
    (job,) = await session.journal.recent()
    return job


USUAL = [0, 5, 10, 15, 20, 25, 30]
CALLS: list[tuple[str, str, list[float], list[float]]] = [
    ("nobody calls", "own", [], USUAL),
    ("once", "own", [8], [0, 5, 8, 13, 18, 23, 28]),
    ("right after a poll", "own", [6], [0, 5, 7, 12, 17, 22, 27]),
    ("while the submit is under way", "own", [0], USUAL),
    ("doubled", "own", [8, 8, 8], [0, 5, 8, 13, 18, 23, 28]),
    ("again a moment later", "own", [8, 9], [0, 5, 8, 12, 17, 22, 27]),
    ("without end", "own", [second for second in range(31) for _ in range(9)], [0, 2, 6, 11, 16, 21, 26]),
    ("another job's", "other", [second for second in range(31) for _ in range(9)], USUAL),
    ("a stranger's", "stranger", [second for second in range(31) for _ in range(9)], USUAL),
    ("nonsense", "", [8], USUAL),
]


@pytest.mark.parametrize(("whose", "times", "polls"), [pytest.param(*row[1:], id=row[0]) for row in CALLS])
async def test_a_call_changes_nothing_but_the_next_poll(
    whose: str, times: list[float], polls: list[float], home: Path, scene: Scene, held: Sandbox, open_scene: Any
) -> None:
    hints = CallbackRegistry(home, BASE)

    def call() -> None:
        tokens = {"other": hints.token("another-job"), "stranger": CallbackRegistry(home / "elsewhere").token(ids[0])}
        hints.wake(hints.token(ids[0]) if whose == "own" else tokens.get(whose, ""))

    ids: list[str] = []
    async with open_scene(hints) as session:
        real = session.journal.advance

        async def advance(job: Job, *given: Any, **changes: Any) -> Job:
            ids[:] = [job.id]
            if given[0] is JobState.SUBMITTED and 0 in times:
                call()  # it is called before we know that the submit was taken
            return await real(job, *given, **changes)

        session.journal.advance = advance  # type: ignore[method-assign]
        for time in times:
            if time:
                scene.at(time, call)
        job = await left_waiting(session)
        steps = [event["after"] for event in await session.journal.history(job.id)]
    assert [one for one in scene.polls if one <= 30] == polls
    assert steps == ["prepared", "submitting", "submitted"]
    expected = {"state": JobState.SUBMITTED, "task_id": job.task_id, "error": None, "error_kind": None}
    assert replace(job, **expected) == job
    ledger = held.ledger()
    assert (ledger["posts"], ledger["violations"]) == (1, 0)


async def test_a_call_when_the_task_is_done_brings_the_clip_sooner_and_a_late_one_nothing(
    home: Path, scene: Scene, held: Sandbox, open_scene: Any
) -> None:
    hints = CallbackRegistry(home, BASE)

    async def done() -> None:
        await held.outcomes()
        held.wind(100)

    async with open_scene(hints, deadline_seconds=600) as session:
        scene.at(21, done)
        plain = (await session.generate(request_for("aivideoapi"), "aivideoapi")).job
        assert scene.polls[-1] == 25

        began = scene.seconds
        scene.polls.clear()

        scene.at(began + 22, done)
        scene.at(began + 22, lambda: call_all(hints))
        again = request_for("aivideoapi", seed=2)
        called = (await session.generate(again, "aivideoapi")).job
        assert scene.polls[-1] == began + 22
        count = len(scene.polls)
        hints.wake(hints.token(called.id))
        call_all(hints)
        assert await session.journal.get(called.id) == called
        assert len(scene.polls) == count
        steps = [[event["after"] for event in await session.journal.history(job.id)] for job in (plain, called)]
        assert steps[0] == steps[1] == ["prepared", "submitting", "submitted", "succeeded", "saved"]
    assert hints._waiting == {}


def call_all(hints: CallbackRegistry) -> None:
    """As if the right token was called, of each job that is waited for."""
    for waiting in hints._waiting.values():
        for hint in waiting:
            hint.set()


def test_the_gap_doubles_and_polls_are_never_later_than_scheduled() -> None:
    hint = WakeSignal()
    assert hint.next_poll_at(100, 105) == 105
    for gap in (MIN_POLL_GAP, 2 * MIN_POLL_GAP):
        hint.set()
        assert hint.next_poll_at(100, 105) == 100 + gap
        hint.clear()
        assert hint.next_poll_at(100, 105) == 105
    hint.set()
    assert hint.next_poll_at(100, 105) == 105


# -- who is asked to call, and where


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_only_providers_with_documented_callbacks_get_a_callback_url(
    dialect: str, home: Path, held: Sandbox, open_scene: Any
) -> None:
    """The sandbox refuses a field that the dialect does not document."""
    hints = CallbackRegistry(home, BASE)
    async with open_scene(hints, deadline_seconds=1) as session:
        with pytest.raises(JobTimedOut):
            await session.generate(request_for(dialect), dialect)
        (job,) = await session.journal.recent()
    (submit,) = [one for one in held.requests() if one["method"] == "POST"]
    expected = f"{BASE}/grok_imagine/callback/{hints.token(job.id)}" if dialect == "aivideoapi" else None
    assert submit["body"].get("callback_url") == expected
    assert (home / KEY_FILE).exists() == (dialect == "aivideoapi")


@pytest.mark.parametrize("base", [None, BASE, "https://studio.example/comfy"])
async def test_a_local_callback_url_is_sent_only_to_the_sandbox(
    base: str | None, home: Path, open_scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    class Sent(Exception):
        pass

    def build(self: Provider, request: Any, capability: Any, urls: Any) -> Call:
        given.append(urls.callback)
        raise Sent

    monkeypatch.setattr(Provider, "build", build)
    paid = {"aivideoapi": {"api_key": "sk-a-real-one"}}
    async with open_scene(CallbackRegistry(home, base), connections=paid) as session:
        with pytest.raises(Sent):
            await session.generate(request_for("aivideoapi"), "aivideoapi")
    (address,) = given
    assert (address or "").startswith("https://studio.example/comfy/grok_imagine/callback/") == (
        base not in (None, BASE)
    )


@pytest.mark.parametrize("hints", ["none", "off", "broken"])
async def test_without_a_callback_url_or_secret_polling_works(
    hints: str, home: Path, scene: Scene, held: Sandbox, open_scene: Any
) -> None:
    if hints == "broken":
        (home / KEY_FILE).mkdir(parents=True)
    given = {"none": None, "off": CallbackRegistry(home), "broken": CallbackRegistry(home, BASE)}[hints]
    async with open_scene(given) as session:
        await left_waiting(session)
    (submit,) = [one for one in held.requests() if one["method"] == "POST"]
    assert "callback_url" not in submit["body"]
    assert [one for one in scene.polls if one <= 30] == USUAL


# -- the token


async def test_the_same_request_is_the_same_clip_with_and_without(home: Path, held: Sandbox, open_scene: Any) -> None:
    async with open_scene(None) as session:
        plain = await left_waiting(session)
    async with open_scene(CallbackRegistry(home, BASE)) as session:
        again = await left_waiting(session)
    assert (again.id, again.fingerprint, again.request) == (plain.id, plain.fingerprint, plain.request)
    assert held.ledger()["posts"] == 1


async def test_a_resumed_job_is_woken_after_a_restart(home: Path, scene: Scene, held: Sandbox, open_scene: Any) -> None:
    async with open_scene(CallbackRegistry(home, BASE)) as session:
        job = await left_waiting(session)
    (submit,) = [one for one in held.requests() if one["method"] == "POST"]
    token = submit["body"]["callback_url"].rsplit("/", 1)[1]
    later = CallbackRegistry(
        home, "https://elsewhere.example"
    )  # of another process, also where the address has changed
    began = scene.seconds
    scene.polls.clear()
    scene.at(began + 3, lambda: later.wake(token))
    async with open_scene(later) as session:
        with pytest.raises(JobTimedOut):
            await session.resume(job.id)
    assert [one - began for one in scene.polls][:3] == [0, 3, 8]


def test_a_token_belongs_to_a_job_and_a_folder(tmp_path: Path) -> None:
    one, same, other = (
        CallbackRegistry(tmp_path / "a"),
        CallbackRegistry(tmp_path / "a"),
        CallbackRegistry(tmp_path / "b"),
    )
    tokens = [one.token("j1"), same.token("j1"), one.token("j2"), other.token("j1")]
    assert tokens[0] == tokens[1]
    assert len(set(tokens)) == 3
    assert all(len(token) == 43 for token in tokens)
    assert is_private(tmp_path / "a" / KEY_FILE)
    (tmp_path / "b" / KEY_FILE).write_bytes(b"cut short")
    assert CallbackRegistry(tmp_path / "b").token("j1") not in tokens


async def test_the_token_is_not_stored_or_logged(
    home: Path, held: Sandbox, open_scene: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    listen_to_all()
    hints = CallbackRegistry(home, BASE)
    told: list[str] = []
    async with open_scene(hints) as session:
        with pytest.raises(JobTimedOut) as caught:
            await session.generate(request_for("aivideoapi"), "aivideoapi")
        (job,) = await session.journal.recent()
        told += told_of(caught.value)
        told += [repr(job), repr(await session.journal.history(job.id)), *logged(caplog.records)]
        files = {name: data for name, data in contents(home).items() if name != KEY_FILE}
    token = hints.token(job.id)
    assert any(token in str(one["body"]) for one in held.requests()), "it was sent"
    assert leaks([token], told, files) == []
    assert token[:12] not in redact(f"callback_url {hints.address(job.id)} is refused")


# -- the setting


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("https://studio.example/comfy/", "https://studio.example/comfy"),
        ("http://127.0.0.1:8188", "http://127.0.0.1:8188"),
        ("  ", None),
        (None, None),
    ],
)
def test_valid_callback_base_urls(value: str | None, kept: str | None) -> None:
    assert Settings(public_callback_base=value).public_callback_base == kept


@pytest.mark.parametrize(
    "value",
    [
        "http://studio.example",
        "https://192.168.1.9",
        "https://comfy.local",
        "https://user:secret@studio.example",
        "https://studio.example/?key=secret",
        "https://studio.example/" + "a" * 2000,
    ],
)
def test_invalid_callback_base_urls(value: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROK_IMAGINE_PUBLIC_CALLBACK_BASE", value)
    with pytest.raises(SettingsError, match="public_callback_base") as caught:
        load(home)
    assert "secret" not in str(caught.value)
