"""Faults of the provider: the job's state, the number of POSTs, and the charge."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.errors import (
    AuthRejected,
    ConnectFailed,
    ContentRejected,
    GrokImagineError,
    JobFailed,
    JobTimedOut,
    OutOfCredit,
    RateLimited,
    ResultNotFetched,
    SettingsError,
    SubmitUncertain,
)
from grok_imagine.jobs import Session
from grok_imagine.models import JobState, VideoRequest
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings

from ...support.faults import LOOKS
from ...support.requests import DIALECTS, connection_for, request_for
from ...support.sessions import Open, Recorder, Watch, hurried, only_job, spent, until

# fault, dialect, error, state, POSTs, is charged, words
SUBMIT_FAULTS = [
    ("401", "reapi", AuthRejected, JobState.FAILED, 1, False, "API key is invalid .HTTP 401, code 10003"),
    ("402", "reapi", OutOfCredit, JobState.FAILED, 1, False, "Insufficient credits .HTTP 402, code 30001"),
    ("402", "aivideoapi", OutOfCredit, JobState.FAILED, 1, False, "Insufficient credits"),
    ("429-spend", "aivideoapi", OutOfCredit, JobState.FAILED, 1, False, "spend limit"),
    ("429*9", "reapi", RateLimited, JobState.PREPARED, 5, False, "Rate limit exceeded .HTTP 429"),
    ("500", "reapi", SubmitUncertain, JobState.SUBMITTING, 1, False, "Internal error"),
    ("500=accepted", "reapi", SubmitUncertain, JobState.SUBMITTING, 1, True, "Internal error"),
    ("502", "openai_videos", SubmitUncertain, JobState.SUBMITTING, 1, False, "Bad gateway"),
    ("503", "xai", SubmitUncertain, JobState.SUBMITTING, 1, False, "temporarily unavailable"),
    ("html-502", "apiinone", SubmitUncertain, JobState.SUBMITTING, 1, False, "HTTP 502 without saying why"),
    ("code-500", "aivideoapi", SubmitUncertain, JobState.SUBMITTING, 1, False, "internal error"),
    ("drop-after", "reapi", SubmitUncertain, JobState.SUBMITTING, 1, True, "disconnected without sending a response"),
    ("drop-before", "reapi", SubmitUncertain, JobState.SUBMITTING, 1, False, "disconnected without sending a response"),
    ("truncated-json", "reapi", SubmitUncertain, JobState.SUBMITTING, 1, True, "sent no task id"),
    ("no-id", "reapi", SubmitUncertain, JobState.SUBMITTING, 1, True, "sent no task id"),
    ("empty-202", "xai", SubmitUncertain, JobState.SUBMITTING, 1, True, "sent no task id"),
]


@pytest.mark.parametrize(("fault", "dialect", "error", "state", "posts", "charged", "words"), SUBMIT_FAULTS)
async def test_submit_faults(
    fault: str,
    dialect: str,
    error: type[GrokImagineError],
    state: JobState,
    posts: int,
    charged: bool,
    words: str,
    session: Session,
    sandbox: Sandbox,
) -> None:
    request = request_for(dialect, prompt=f"a kite [sandbox:{fault}]")
    with pytest.raises(error, match=words) as caught:
        await session.generate(request, connection_for(dialect))
    job = await only_job(session)
    assert job.state is state
    assert re.search(words, job.error or "")
    if error is SubmitUncertain:
        assert all(word in str(caught.value) for word in ("Outcome unknown", "dashboard", "attach", "again", job.id))
    assert sandbox.ledger()["posts"] == posts
    assert (spent(sandbox) > 0) is charged


async def test_a_429_is_waited_out_and_paid_once(open_session: Open, sandbox: Sandbox) -> None:
    waits: list[float] = []

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        await hurried(seconds)

    sandbox.fault("submit", "429=7", dialect="reapi")
    sandbox.fault("submit", "429-date=9", dialect="reapi")
    async with open_session(sleep=noted) as session:
        await session.generate(request_for("reapi"), "sandbox")
    long = [seconds for seconds in waits if seconds > 5]
    assert 7 <= long[0] < 8
    assert 8 <= long[1] <= 10.5  # a date names whole seconds, so it is up to one off; jitter adds up to half of one
    assert sandbox.ledger()["submits"] == 1


async def test_an_uncertain_job_is_never_posted_again_automatically(open_session: Open, sandbox: Sandbox) -> None:
    request = request_for("reapi", prompt="a kite [sandbox:drop-after]")
    for _ in range(3):
        async with open_session() as session:
            with pytest.raises(SubmitUncertain, match="Outcome unknown"):
                await session.generate(request, "sandbox", owner="n")
            job = await only_job(session)
            with pytest.raises(SubmitUncertain):
                await session.resume(job.id)
            assert job.is_uncertain
    assert sandbox.ledger()["posts"] == 1


async def test_a_task_id_can_be_attached_to_an_uncertain_job(session: Session, sandbox: Sandbox) -> None:
    with pytest.raises(SubmitUncertain):
        await session.generate(request_for("reapi", prompt="a kite [sandbox:drop-after]"), "sandbox")
    task = next(entry["task"] for entry in sandbox.ledger()["entries"] if entry["kind"] == "charge")
    job = await session.attach((await only_job(session)).id, task)
    result = await session.resume(job.id)
    assert result.job.state is JobState.SAVED
    assert sandbox.ledger()["submits"] == 1


TASK_FAULTS = [
    ("failed=out+of+luck", "reapi", JobFailed, False, "could not make the clip: out.of.luck"),
    ("moderated", "reapi", ContentRejected, False, "content policy .code 80006"),
    ("moderated", "aivideoapi", ContentRejected, False, "content policy"),
    ("moderated", "openai_videos", ContentRejected, False, "content policy"),
    ("blocked", "openai_videos", ContentRejected, False, "video was moderated"),
    ("blocked", "xai", ContentRejected, False, "blocked by content moderation"),
    ("progress-100-failed", "openai_videos", JobFailed, False, "failed upstream"),
]


@pytest.mark.slow  # :mod:`.test_fault_table` has them among the quick tests, and so those below
@pytest.mark.parametrize(("fault", "dialect", "error", "charged", "words"), TASK_FAULTS)
async def test_a_task_that_fails_is_final_and_not_tried_again(
    fault: str,
    dialect: str,
    error: type[GrokImagineError],
    charged: bool,
    words: str,
    session: Session,
    sandbox: Sandbox,
) -> None:
    request = request_for(dialect, prompt=f"a kite [sandbox:{fault}]")
    with pytest.raises(error, match=words) as caught:
        await session.generate(request, connection_for(dialect))
    job = await only_job(session)
    assert job.state is JobState.FAILED
    assert job.task_id
    assert job.task_id in str(caught.value)
    assert sandbox.ledger()["posts"] == 1
    assert (spent(sandbox) > 0) is charged


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "dialect"), LOOKS)
async def test_harmless_faults_are_handled(fault: str, dialect: str, session: Session, sandbox: Sandbox) -> None:
    request = request_for(dialect, prompt=f"a kite [sandbox:{fault}]")
    result = await session.generate(request, connection_for(dialect))
    assert result.job.state is JobState.SAVED
    ledger = sandbox.ledger()
    assert ledger["submits"] == 1
    assert ledger["violations"] == 0


async def test_a_result_on_another_local_port_must_be_allowed(open_session: Open, sandbox: Sandbox) -> None:
    """A server on this machine is trusted with its own port alone, unless the user allows the address."""
    request = request_for("reapi", prompt="a kite [sandbox:redirect]")
    async with open_session() as session:
        with pytest.raises(ResultNotFetched, match=r"points to 127\.0\.0\.1"):
            await session.generate(request, "sandbox")
    async with open_session(allowed_networks=["127.0.0.1/32"]) as session:
        assert (await session.generate(request, "sandbox")).job.state is JobState.SAVED
    assert sandbox.ledger()["posts"] == 1
    assert sandbox.ledger()["violations"] == 0, "the key stays below the connection's base URL"


async def test_a_url_can_be_attached_to_a_finished_job(session: Session, sandbox: Sandbox) -> None:
    other = await session.generate(request_for("reapi", prompt="a stone"), "sandbox")
    with pytest.raises(ResultNotFetched, match="grok-imagine attach"):
        await session.generate(request_for("reapi", prompt="a kite [sandbox:no-url]"), "sandbox")
    job = next(one for one in await session.journal.recent() if one.state is JobState.SUCCEEDED)
    with pytest.raises(SettingsError, match="whole URL"):
        await session.attach_url(job.id, "clip.mp4")
    await session.attach_url(job.id, other.job.result_url or "")
    assert (await session.resume(job.id)).job.state is JobState.SAVED
    assert sandbox.ledger()["posts"] == 2


@pytest.mark.parametrize("fault", ["stuck", "unknown-status=brewing"])
async def test_the_deadline_leaves_the_job_resumable(fault: str, open_session: Open, sandbox: Sandbox) -> None:
    seen = Recorder()
    watch = Watch()
    async with open_session(watch.sleep, watch.read, deadline_seconds=60) as session:
        with pytest.raises(JobTimedOut, match="continues there"):
            await session.generate(request_for("reapi", prompt=f"a kite [sandbox:{fault}]"), "sandbox", progress=seen)
        assert (await only_job(session)).state is JobState.SUBMITTED
    notes = [update.note for update in seen.updates if "unknown status" in update.note]
    assert len(set(notes)) == (1 if "brewing" in fault else 0)
    assert sandbox.ledger()["posts"] == 1


@pytest.mark.parametrize("fault", ["expired-url", "json-file", "private-url", "404@cdn*ever"])
async def test_a_clip_that_cannot_be_downloaded_stays_paid_and_resumable(
    fault: str, session: Session, sandbox: Sandbox
) -> None:
    with pytest.raises(ResultNotFetched, match=r"ready at .* and paid"):
        await session.generate(request_for("reapi", prompt=f"a kite [sandbox:{fault}]"), "sandbox")
    job = await only_job(session)
    assert job.state is JobState.SUCCEEDED
    with pytest.raises(ResultNotFetched):
        await session.resume(job.id)
    ledger = sandbox.ledger()
    assert ledger["posts"] == 1
    assert ledger["violations"] == 0


async def test_a_new_url_is_requested_for_a_dead_one_but_not_forever(session: Session, sandbox: Sandbox) -> None:
    """Each poll of a signing provider gives another URL; all of them may be dead."""
    seen = Recorder()
    real = sandbox.core.signed_url
    count = 0

    def signed(task: Any) -> tuple[str, int]:
        nonlocal count
        count += 1
        url, expires = real(task)
        return f"{url}&n={count}", expires

    sandbox.core.signed_url = signed  # type: ignore[method-assign]
    request = request_for("reapi", prompt="a kite [sandbox:expired-url]")
    with pytest.raises(ResultNotFetched, match="HTTP 403"):
        await session.generate(request, "sandbox", progress=seen)
    tries = [one for one in sandbox.requests() if "/cdn/" in one["path"]]
    assert len(tries) == 8
    assert any("again in" in update.note for update in seen.updates)
    assert (await only_job(session)).state is JobState.SUCCEEDED


async def test_the_error_for_a_lost_clip_says_what_to_do(session: Session, sandbox: Sandbox) -> None:
    request = request_for("reapi", prompt="a kite [sandbox:404@cdn*ever]")

    class Forgetful(Recorder):
        def update(self, update: Any) -> None:
            if update.step == "downloading" and not sandbox.core.fault_queue:
                sandbox.fault("poll", "404", times=50)
            super().update(update)

    with pytest.raises(ResultNotFetched, match="it is lost") as caught:
        await session.generate(request, "sandbox", progress=Forgetful())
    assert "Change the seed" in str(caught.value)
    assert (await only_job(session)).state is JobState.SUCCEEDED
    assert sandbox.ledger()["posts"] == 1


@pytest.mark.parametrize(
    "dialect", [pytest.param(one, marks=[] if one in ("reapi", "xai") else [pytest.mark.slow]) for one in DIALECTS]
)
async def test_a_saved_clip_whose_file_vanished_and_that_the_provider_forgot(
    dialect: str, session: Session, sandbox: Sandbox
) -> None:
    request, name = request_for(dialect), connection_for(dialect)
    first = await session.generate(request, name)
    first.file.unlink()
    await session._client.put_public(f"{sandbox.url}/_sandbox/reset", b"", "application/json")  # it keeps nothing
    for again in (lambda: session.generate(request, name), lambda: session.resume(first.job.id)):
        with pytest.raises(ResultNotFetched, match=r"it is lost\. Change the seed") as caught:
            await again()
        assert caught.value.task_id == first.job.task_id
        assert (await only_job(session)).state is JobState.SUCCEEDED
    assert sandbox.ledger()["posts"] == 0
    anew = await session.generate(request_for(dialect, seed=77), name)  # what the message says to do
    assert anew.file.is_file()
    assert sandbox.ledger()["submits"] == 1


async def test_a_saved_clip_whose_url_has_expired(open_session: Open, sandbox: Sandbox, tmp_path: Path) -> None:
    request = request_for("reapi")
    async with open_session() as session:
        first = await session.generate(request, "sandbox")
        first.file.unlink()
        sandbox.wind(8 * 86400)  # its task is still there, and names the URL that was good for seven days
        with pytest.raises(ResultNotFetched, match=r"HTTP 403.*grok-imagine resume.*attach .* --url URL"):
            await session.generate(request, "sandbox")
    stated = Settings(sandbox_url=sandbox.url)
    async with Session(tmp_path / "home", stated, sleep=hurried, now=lambda: time.time() + 31 * 86400) as session:
        with pytest.raises(ResultNotFetched, match=r"it is lost\. Change the seed"):
            await session.generate(request, "sandbox")
    assert sandbox.ledger()["posts"] == 1


async def test_an_unreachable_provider_leaves_the_job_prepared(open_session: Open, unused_tcp_port: int) -> None:
    own = {"mine": {"dialect": "reapi", "base_url": f"http://127.0.0.1:{unused_tcp_port}", "api_key": "rk_live_x"}}
    async with open_session(connections=own) as session:
        with pytest.raises(ConnectFailed):
            await session.generate(request_for("reapi"), "mine")
        assert (await only_job(session)).state is JobState.PREPARED


async def test_an_interrupt_during_the_post_keeps_the_job(open_session: Open, sandbox: Sandbox) -> None:
    request = request_for("reapi", prompt="a kite [sandbox:stall=1]")
    async with open_session() as session:
        making = asyncio.create_task(session.generate(request, "sandbox", owner="n"))
        await until(lambda: sandbox.ledger()["submits"])
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        result = await session.generate(request, "sandbox", owner="n")
        assert result.job.state is JobState.SAVED
    assert sandbox.ledger()["posts"] == 1


async def test_an_interrupted_wait_is_resumed(open_session: Open, held: Sandbox) -> None:
    async with open_session(sandbox_url=held.url) as session:
        making = asyncio.create_task(session.generate(VideoRequest(prompt="a kite", resolution="480p"), "sandbox"))

        async def is_submitted() -> bool:
            return [job.state for job in await session.journal.recent()] == [JobState.SUBMITTED]

        await until(is_submitted)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        job = await only_job(session)
        assert job.state is JobState.SUBMITTED
    held.wind(60)
    async with open_session(sandbox_url=held.url) as session:
        assert (await session.resume(job.id)).job.state is JobState.SAVED
    assert held.ledger()["submits"] == 1
