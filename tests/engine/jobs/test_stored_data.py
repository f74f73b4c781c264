"""Settings, journal and sandbox state of an older version can be opened, and nothing is paid twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from grok_imagine.batch.run import Batch, run_batch
from grok_imagine.errors import ContentRejected, JobFailed, SubmitUncertain
from grok_imagine.jobs import Session
from grok_imagine.journal import workflows
from grok_imagine.journal.batch_row import RowState
from grok_imagine.journal.uploads import Uploads
from grok_imagine.models import Job, JobState, VideoRequest
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import load

from ..support.sessions import hurried

PICTURE = "25ae1703fcb1a260e0bc8e1c5fa1fef29a67a869e896b56e00c896201ab5e4ab"
Restored = tuple[Session, Sandbox]


@pytest.fixture
async def restored(
    tmp_path: Path, restore_sandbox: Callable[[Path], None], restore_home: Callable[[Path, str], None]
) -> AsyncIterator[Restored]:
    """A session on the restored data folder, and a sandbox that still has its tasks."""
    home, state = tmp_path / "home", tmp_path / "state"
    restore_sandbox(state)
    async with Sandbox(seconds=0.2, state=state) as sandbox:
        restore_home(home, sandbox.url)
        async with Session(home, sleep=hurried) as session:
            yield session, sandbox


def a_request(prompt: str, seed: int) -> VideoRequest:
    return VideoRequest(prompt=prompt, duration_seconds=6, seed=seed)


async def the_job(session: Session, prompt: str, connection: str = "sandbox") -> Job:
    jobs = await session.journal.recent()
    return next(job for job in jobs if job.request["prompt"] == prompt and job.connection == connection)


async def test_the_settings_mean_what_they_meant(restored: Restored) -> None:
    session, sandbox = restored
    settings = load(session.home)
    paid, gateway = settings.connections["paid"], settings.connections["gateway"]
    assert (paid.dialect, paid.base_url, paid.pace, paid.jobs_at_once) == ("reapi", f"{sandbox.url}/reapi", 0.1, 3)
    assert paid.api_key is not None
    assert paid.api_key.get_secret_value() == "rk_live_sandbox_1"
    assert gateway.assumed_usd_per_second == Decimal("0.05")
    assert settings.budget.model_dump() == {"per_run": Decimal(20), "per_day": Decimal(50), "per_month": Decimal(500)}
    stated = json.loads((session.home / "settings.json").read_text("utf-8"))
    assert set(stated) <= set(type(settings).model_fields), "an unknown setting would be ignored without a word"
    assert settings.stores["cdn"].model_dump(mode="json", exclude_unset=True).keys() == stated["stores"]["cdn"].keys()
    simple = {name: value for name, value in stated.items() if name not in ("connections", "budget", "stores")}
    assert settings.model_dump(mode="json", include=set(simple)) == simple


async def test_the_journal_shows_every_job_batch_upload_and_payment(restored: Restored) -> None:
    session, _ = restored
    jobs = await session.journal.recent()
    assert Counter((job.connection, job.state) for job in jobs) == {
        ("sandbox", JobState.SAVED): 3,
        ("sandbox", JobState.FAILED): 1,
        ("sandbox", JobState.SUBMITTED): 1,
        ("paid", JobState.SAVED): 1,
        ("paid", JobState.FAILED): 2,
        ("paid", JobState.SUBMITTING): 1,
    }
    assert {job.error_kind for job in jobs} == {None, "JobFailed", "ContentRejected", "SubmitUncertain"}
    assert all(job.estimate_usd == Decimal("0.054") for job in jobs)
    steps = [event["after"] for event in await session.journal.history((await the_job(session, "a ship")).id)]
    assert steps == ["prepared", "submitting", "submitted"]
    entries = await session.journal.ledger.entries()
    assert Counter(entry.kind for entry in entries) == {"estimate": 4, "charge": 3, "refund": 2}
    assert sum(entry.spent for entry in entries) == Decimal("0.054"), "failures are refunded"
    assert sum(entry.held for entry in entries) == Decimal("0.054"), "the unknown outcome may yet be billed"
    uploads = Uploads(session.journal)
    upload = await uploads.find("route", PICTURE, good_for=60)
    assert upload is not None
    assert await uploads.hashes_of([upload.url]) == {upload.url: PICTURE}
    saved = (await the_job(session, "a ship")).id
    workflow = await session.journal.transaction(lambda connection: workflows.read_workflow(connection, saved))
    assert workflow is not None
    assert json.loads(workflow) == {"nodes": [], "version": 0.4}


async def test_the_pending_job_is_collected_and_not_submitted_again(restored: Restored) -> None:
    session, sandbox = restored
    before = sandbox.ledger()["submits"]
    result = await session.resume((await the_job(session, "a ship")).id)
    assert result.job.state is JobState.SAVED
    assert result.file.stat().st_size > 1000
    assert sandbox.ledger()["submits"] == before


async def test_equal_requests_find_the_clips_that_were_paid(restored: Restored) -> None:
    session, sandbox = restored
    before = sandbox.ledger()["submits"]
    first = await session.generate(a_request("a lake", 1), "sandbox", owner="7")
    paid = await session.generate(a_request("a lake", 20), "paid", owner="8")
    pending = await session.generate(a_request("a ship", 10), "sandbox", owner="7")
    assert (first.is_reused, paid.is_reused, pending.is_reused) == (True, True, False)
    assert sandbox.ledger()["submits"] == before


async def test_the_unknown_outcome_stays_unknown_and_a_failure_is_asked_again_free(restored: Restored) -> None:
    session, sandbox = restored
    before = sandbox.ledger()["submits"]
    with pytest.raises(SubmitUncertain):
        await session.generate(a_request("a fog [sandbox:drop-after]", 4), "paid", owner="9")
    with pytest.raises(ContentRejected):
        await session.generate(a_request("a crowd [sandbox:moderated]", 3), "paid", owner="9")
    with pytest.raises(JobFailed):
        await session.resume((await the_job(session, "a storm [sandbox:failed]", "paid")).id)
    assert sandbox.ledger()["submits"] == before


async def test_the_batch_keeps_its_rows(restored: Restored) -> None:
    session, sandbox = restored
    before = sandbox.ledger()["submits"]
    rows = [{"prompt": "a lake", "seed": 5}, {"prompt": "a hill [sandbox:failed]", "seed": 6}]
    result = await run_batch(session, Batch("postcards", rows, "sandbox", {"duration_seconds": 6}))
    assert result.summary.counts == {RowState.DONE: 1, RowState.FAILED: 1}
    assert sandbox.ledger()["submits"] == before
