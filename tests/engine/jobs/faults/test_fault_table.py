"""The fault table after the submit: each row names the job's state, what the user is told, the POSTs and the charge.

The submit's rows are in test_faults.py. The faults are those of the wire contracts, part 6, played by the sandbox.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from grok_imagine.errors import ContentRejected, GrokImagineError, JobError, JobFailed, JobTimedOut, ResultNotFetched
from grok_imagine.jobs import Session
from grok_imagine.models import JobState
from grok_imagine.providers import PROVIDERS
from grok_imagine.sandbox import Sandbox
from grok_imagine.sandbox.dialects.aivideoapi import AiVideoApi

from ...support.faults import LOOKS
from ...support.requests import DIALECTS, connection_for, request_for
from ...support.sessions import Open, Recorder, Watch, only_job, spent, until


def is_charged(sandbox: Sandbox) -> bool:
    """Whether the provider took money for the clip, and kept it."""
    return spent(sandbox) > 0


async def meet(fault: str, dialect: str, error: type[GrokImagineError], session: Session, seen: Recorder) -> str:
    """Make a clip with the fault; what the user is told at the end."""
    request = request_for(dialect, prompt=f"a kite [sandbox:{fault}]")
    with pytest.raises(error) as caught:
        await session.generate(request, connection_for(dialect), progress=seen)
    assert type(caught.value) is error
    return str(caught.value)


async def check_told(told: str, words: str, session: Session, state: JobState) -> None:
    """The error, and the job that stays, say the same; the ids are there, so that nothing is lost."""
    job = await only_job(session)
    assert job.state is state
    assert re.search(words, told)
    assert re.search(words, job.error or "")
    assert job.id in told
    assert job.task_id
    assert job.task_id in told


# -- the task's fate: final, not tried again, and what it costs is said

ENDS = [("failed=out+of+luck", one, JobFailed, "could not make the clip: out.of.luck") for one in DIALECTS]
ENDS += [
    ("moderated", "aivideoapi", ContentRejected, r"could not make the clip: .*(policy|moderat|safety|violat)"),
    ("blocked", "openai_videos", ContentRejected, "video was moderated"),
    ("blocked", "xai", ContentRejected, "blocked by content moderation"),
    ("progress-100-failed", "openai_videos", JobFailed, "failed upstream"),
    ("progress-100-failed", "reapi", JobFailed, "could not make the clip"),
]


MODERATED = [
    pytest.param("moderated", one, *ENDS[len(DIALECTS)][2:], marks=pytest.mark.slow)
    for one in DIALECTS
    if one != "aivideoapi"
]


@pytest.mark.parametrize(("fault", "dialect", "error", "words"), [*ENDS, *MODERATED])
async def test_each_end_of_a_task(
    fault: str, dialect: str, error: type[GrokImagineError], words: str, session: Session, sandbox: Sandbox
) -> None:
    told = await meet(fault, dialect, error, session, Recorder())
    await check_told(told, words, session, JobState.FAILED)
    assert sandbox.ledger()["posts"] == 1
    assert not is_charged(sandbox)  # the sandbox refunds what fails; where nobody documents that, the text says so
    is_known = PROVIDERS[dialect].refunds_failures or (fault, dialect) == ("blocked", "xai")  # its reply says: 0
    assert ("It is not charged" if is_known else "it counts as spent, look at your balance") in told
    billed = (await only_job(session)).billed_usd
    assert billed == (Decimal(0) if is_known else None)


NO_VIDEO = [one for one in DIALECTS if one != "openai_videos"]


@pytest.mark.parametrize("dialect", NO_VIDEO)
async def test_done_without_a_video_is_asked_three_times_more(dialect: str, session: Session, sandbox: Sandbox) -> None:
    """The gateway's dialect serves the clip under the task's own address, and needs no URL."""
    told = await meet("no-url", dialect, ResultNotFetched, session, Recorder())
    await check_told(
        told, "finished, so it counts as paid.*attach .* --url URL.*The answer was: ", session, JobState.SUCCEEDED
    )
    polls = [one for one in sandbox.requests() if one["method"] == "GET"]
    assert len(polls) >= 4
    assert sandbox.ledger()["posts"] == 1
    assert is_charged(sandbox)


# -- polls that do not say how it goes: the job is kept, as it was paid

ASKS = [
    ("401@poll*ever", "reapi", "cannot be asked about the task: .*invalid.*grok-imagine resume "),
    ("402@poll*ever", "reapi", "cannot be asked about the task: Insufficient credits"),
    ("500@poll*ever", "reapi", "cannot be asked about the task: Internal error"),
    ("html-502@poll*ever", "apiinone", "cannot be asked about the task: .*HTTP 502 without saying why"),
    ("code-500@poll*ever", "aivideoapi", "cannot be asked about the task: .*internal error"),
    ("429@poll*ever", "aivideoapi", "cannot be asked about the task: .*HTTP 429"),
    ("429-spend@poll*ever", "aivideoapi", "cannot be asked about the task: .*spend limit"),
    ("truncated-json@poll*ever", "xai", "cannot be asked about the task: .*(cannot be read|not JSON|no JSON)"),
    ("drop-before@poll*ever", "openai_videos", "cannot be asked about the task: .*disconnected"),
    ("drop-after@poll*ever", "openai_videos", "cannot be asked about the task: .*disconnected"),
]


@pytest.mark.parametrize(("fault", "dialect", "words"), ASKS)
async def test_a_task_that_cannot_be_asked_about_is_kept(
    fault: str, dialect: str, words: str, session: Session, sandbox: Sandbox
) -> None:
    told = await meet(fault, dialect, JobError, session, Recorder())
    assert re.search(words, told)
    job = await only_job(session)
    assert (job.state, job.error_kind is not None) == (JobState.SUBMITTED, True)
    assert job.task_id is not None
    assert job.task_id in told
    assert "grok-imagine resume" in told
    assert sandbox.ledger()["posts"] == 1
    assert is_charged(sandbox)
    task = sandbox.core.store.task(job.task_id)
    assert task is not None
    task.faults = []  # the provider is well again
    sandbox.core.store.save(task)
    assert (await session.resume(job.id)).job.state is JobState.SAVED
    assert sandbox.ledger()["posts"] == 1


STUCK = [("stuck", ""), ("unknown-status=brewing", "unknown status 'brewing'; still waiting")]


@pytest.mark.parametrize(
    ("fault", "note", "dialect"),
    [
        pytest.param(*stuck, dialect, marks=[pytest.mark.slow] if (down + across) % 2 else [])
        for down, stuck in enumerate(STUCK)
        for across, dialect in enumerate(DIALECTS)
    ],
)
async def test_an_endless_task_is_left_at_the_deadline(
    fault: str, note: str, dialect: str, open_session: Open, held: Sandbox
) -> None:
    seen, watch = Recorder(), Watch()
    async with open_session(watch.sleep, watch.read, deadline_seconds=60, sandbox_url=held.url) as session:
        told = await meet(fault, dialect, JobTimedOut, session, seen)
        assert "has not finished within 1 minutes. The job continues there and is charged as usual." in told
        job = await only_job(session)
        assert job.state is JobState.SUBMITTED
        assert job.task_id in told.split()[-1]
    notes = {update.note for update in seen.updates if update.note and "status" in update.note}
    assert len(notes) == (bool(note) and dialect != "xai")  # xAI's HTTP 202 says that it goes on, whatever the word
    assert all(note in one for one in notes)
    assert held.ledger()["posts"] == 1
    assert is_charged(held)


# -- what only looks wrong: nothing is said, or that it is tried again

TOLD = {
    "503@cdn": "answers HTTP 503; again in",
    "cut": "(broke|broke off).*; again in",
}
MISLABELED = [("wrong-type", "reapi"), ("wrong-type=text/html", "xai")]
SLOW = [pytest.param("slow-body=0.3", one, marks=pytest.mark.slow) for one in DIALECTS] + [
    ("slow-body@poll*2=0.3", "reapi"),
    ("slow-body@cdn=0.3", "reapi"),
    ("stall@poll=0.3", "xai"),
    ("status-failed=failure", "openai_videos"),
]


@pytest.mark.parametrize(("fault", "dialect"), [*LOOKS, *MISLABELED, *SLOW])
async def test_harmless_faults_show_no_error(fault: str, dialect: str, session: Session, sandbox: Sandbox) -> None:
    seen = Recorder()
    request = request_for(dialect, prompt=f"a kite [sandbox:{fault}]")
    result = await session.generate(request, connection_for(dialect), progress=seen)
    job = result.job
    assert (job.state, job.error, job.error_kind) == (JobState.SAVED, None, None)
    notes = [update.note for update in seen.updates if update.note and update.note not in result.warnings]
    words = TOLD.get(fault, "")
    if words:
        assert any(re.search(words, one) for one in notes)
    else:
        assert [one for one in notes if "an answer that cannot be read" not in one] == []
    assert (sandbox.ledger()["posts"], sandbox.ledger()["violations"]) == (1, 0)
    assert is_charged(sandbox)


# -- the download: the clip is paid, and stays ready

DOWNLOADS = [
    ("expired-url", "reapi", "the result's URL answers HTTP 403"),
    ("404@cdn*ever", "reapi", "the result's URL answers HTTP 404"),
    ("500@cdn*ever", "reapi", "the result's URL answers HTTP 500"),
    ("drop-before@cdn*ever", "reapi", "disconnected"),
    ("json-file", "apiinone", "gives application/json instead of a video"),
    ("json-file", "openai_videos", "gives application/json instead of a video"),
    ("private-url", "reapi", r"points to 169\.254\.169\.254, which is not on the internet"),
    ("private-url=https://10.0.0.7/a.mp4", "aivideoapi", r"points to 10\.0\.0\.7, which is not on the internet"),
    ("private-url=http://203.0.113.9/a.mp4", "xai", "the result's URL is refused"),
]


@pytest.mark.parametrize(("fault", "dialect", "words"), DOWNLOADS)
async def test_a_failed_download_leaves_the_job_succeeded(
    fault: str, dialect: str, words: str, session: Session, sandbox: Sandbox
) -> None:
    told = await meet(fault, dialect, ResultNotFetched, session, Recorder())
    await check_told(told, words, session, JobState.SUCCEEDED)
    assert re.match(r"The clip is ready at .* and paid, but could not be downloaded", told)
    assert "It is not charged again" in told
    assert (await only_job(session)).file is None
    assert not list((session.home / "results").glob("*.mp4"))
    ledger = sandbox.ledger()
    assert (ledger["posts"], ledger["violations"]) == (1, 0)
    assert is_charged(sandbox)


# -- callbacks: none is asked for, and whatever comes changes nothing


@pytest.fixture
async def heard(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[dict[str, Any]]]:
    """What a listener hears of a sandbox that calls back though nobody asked it to."""
    bodies: list[dict[str, Any]] = []

    async def hear(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.Response(status=204)

    listening = web.Application()
    listening.router.add_post("/hook", hear)
    runner = web.AppRunner(listening)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    real = AiVideoApi.parse_request

    def parse_request(self: AiVideoApi, *given: Any, **named: Any) -> Any:
        return replace(real(self, *given, **named), callback_url=url)

    monkeypatch.setattr(AiVideoApi, "parse_request", parse_request)
    yield bodies
    await runner.cleanup()


CALLBACKS = [
    ("callback-twice", 2, "completed"),
    ("callback-early", 2, "pending"),
    ("callback-forged", 2, "completed"),
    ("callback-twice,callback-early,callback-forged", 4, "pending"),
]


@pytest.mark.parametrize(("fault", "calls", "first"), CALLBACKS)
async def test_a_callback_changes_nothing(
    fault: str, calls: int, first: str, session: Session, sandbox: Sandbox, heard: list[dict[str, Any]]
) -> None:
    request = request_for("aivideoapi", prompt=f"a kite [sandbox:{fault}]")
    job = (await session.generate(request, "sandbox-aivideoapi")).job
    await until(lambda: len(heard) >= calls)
    assert heard[0]["status"] == first
    (submit,) = [one for one in sandbox.requests() if one["method"] == "POST"]
    assert "callback_url" not in submit["body"], "we poll, and ask nobody to call"
    assert (job.state, job.error) == (JobState.SAVED, None)
    assert await session.journal.get(job.id) == job
    steps = [event["after"] for event in await session.journal.history(job.id)]
    assert steps == ["prepared", "submitting", "submitted", "succeeded", "saved"]
    forged = [one for one in heard if one.get("id") != job.task_id]
    assert len(forged) == ("forged" in fault)
    assert not any(json.dumps(one)[1:-1] in repr(job) for one in forged)
    assert not any(str(one.get("id")) in repr(job) for one in forged)
    assert sandbox.ledger()["posts"] == 1
    assert is_charged(sandbox)
