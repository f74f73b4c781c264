"""Recovery: a job is reopened to be resumed, or its user attaches a task, submits it again, or abandons it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..errors import (
    ContentRejected,
    JobCanceled,
    JobFailed,
    ProviderError,
    RequestError,
    SettingsError,
    SubmitUncertain,
    TaskNotFound,
    TransportError,
)
from ..journal.journal import JobConflict
from ..journal.uploads import Uploads
from ..models import Job, JobState, VideoRequest
from ..models.job import ABANDONED
from ..models.url import split
from ..providers.status_parsing import is_task_id
from ..storage.base import PersistentStore, Store
from .connections import Connection, check_belongs
from .new_job import new_id
from .pipeline.context import SessionServices
from .pipeline.poll import confirm_task
from .pipeline.result_file import is_intact

_HASH = "sha256:"


@dataclass(frozen=True)
class AbandonResult:
    """An abandoned job, and a text that says whether it is charged."""

    job: Job
    text: str


async def attach(job: Job, task_id: str, connection: Connection | None, services: SessionServices) -> Job:
    """Give a job of unknown outcome the task id that its user found at the provider.

    Raises SettingsError for other jobs, TaskNotFound if the provider of ``connection`` does not know the id. If the
    provider cannot be reached now, the id is stored unchecked.
    """
    if job.task_id is not None and job.task_id == task_id.strip():
        return job
    is_mistaken = job.state is JobState.SUBMITTED and job.error_kind == TaskNotFound.__name__
    is_waiting = job.state is JobState.SUBMITTING and services.in_flight(job.id) is None
    if not (is_waiting or _was_replaced(job) or is_mistaken):
        raise SettingsError(
            f"Job {job.id} is {job.state.value}; you can attach a task only to a job of unknown outcome."
        )
    task_id = check_task_id(task_id)
    if connection is not None:
        try:
            await confirm_task(task_id, connection, services, job.model)
        except TaskNotFound:
            raise
        except (ProviderError, TransportError):
            pass
    changes = {"task_id": task_id, "submitted_at": services.now(), "error": None, "error_kind": None}
    return await services.journal.advance(job, JobState.SUBMITTED, "attached by hand", **changes, finished_at=None)


async def attach_url(job: Job, url: str, services: SessionServices) -> Job:
    """Give a paid job the URL of its video that its user found at the provider. Raises SettingsError for other jobs."""
    if job.state not in (JobState.SUBMITTED, JobState.SUCCEEDED):
        raise SettingsError(
            f"Job {job.id} is {job.state.value}; you can attach a URL only to a job that a provider has accepted."
        )
    if split(url.strip()) is None:
        raise SettingsError("Give the video's whole URL, beginning with https://")
    changes: dict[str, Any] = {"result_url": url.strip(), "error": None, "error_kind": None}
    return await services.journal.advance(job, JobState.SUCCEEDED, "URL attached by hand", **changes)


async def resubmit(job: Job, services: SessionServices) -> Job:
    """Replace a job of unknown outcome, which its user wants to submit again, by a new PREPARED job.

    The first may have been billed, so it stays in the ledger, and a task id can still be attached to it. Raises
    SettingsError for a job whose outcome is known or still awaited, OverBudget if another would exceed a limit.
    """
    if not _is_unknown(job, services):
        state = "being sent right now" if job.state is JobState.SUBMITTING else job.state.value
        raise SettingsError(f"Job {job.id} is {state}; only a job of unknown outcome can be submitted again.")
    now = services.now()
    cleared: dict[str, Any] = dict.fromkeys(("task_id", "result_url", "file", "billed_usd", "error", "error_kind"))
    by = replace(job, id=new_id(now), state=JobState.PREPARED, submitted_at=None, finished_at=None, **cleared)
    uncertain = replace(job, error_kind=SubmitUncertain.__name__)
    return await services.journal.supersede(uncertain, by, f"submitted again by its user, as {by.id}")


async def abandon(job: Job, connection: Connection, services: SessionServices) -> AbandonResult:
    """Abandon a job. Raises SettingsError for one that has ended or whose outcome is unknown.

    It is canceled if the provider can do that; otherwise it continues there and is billed. The same request then
    resumes it, so it is not paid twice.
    """
    check_belongs(job, connection)
    label = connection.provider.label
    running = services.in_flight(job.id)
    if running is not None:  # the answer to its POST decides what can be abandoned
        with suppress(Exception):
            await running
        job = await services.journal.get(job.id) or job
    if job.state is JobState.PREPARED:
        text = "It was never sent and is not charged."
        return await _fail(job, services, JobCanceled.__name__, text, billed_usd=Decimal(0))
    if job.state is JobState.SUBMITTED:
        if await _is_canceled(job, connection, services):
            billed = Decimal(0) if connection.provider.refunds_failures else None
            return await _fail(job, services, JobCanceled.__name__, f"{label} has canceled it.", billed_usd=billed)
        text = (
            f"{label} cannot cancel: the job continues there and is billed. To get the clip after all, run the same "
            f"graph again, or: grok-imagine resume {job.id}"
        )
        return await _fail(job, services, ABANDONED, text)
    if job.state is JobState.SUCCEEDED:
        raise SettingsError(f"Job {job.id} is finished and paid. Download it: grok-imagine resume {job.id}")
    if job.state is JobState.SUBMITTING:
        raise SettingsError(
            f"The outcome of job {job.id} is unknown and it may have been charged, so it cannot be abandoned. Attach "
            f"its task (grok-imagine attach {job.id} TASK_ID), or submit it again (grok-imagine again {job.id})."
        )
    raise SettingsError(f"Job {job.id} is {job.state.value}, so there is nothing to abandon.")


def raise_if_rejected(job: Job) -> Job:
    """The job. Raises ContentRejected for one that moderation refused, which is not sent again automatically."""
    if job.state is not JobState.FAILED or job.error_kind != ContentRejected.__name__:
        return job
    raise ContentRejected(
        f"{job.error or 'Moderation refused this clip'}. It was refused before and is not sent again. Change the "
        "prompt, the images or the seed",
        job_id=job.id,
        task_id=job.task_id,
    )


async def reopen_failed(job: Job, connection: Connection, services: SessionServices) -> Job:
    """The job, ready to be resumed: a failed one with a task id becomes SUBMITTED, to be polled at no cost.

    Raises JobFailed for a failed job without a task id, SettingsError if the connection has changed.
    """
    check_belongs(job, connection)
    if job.state is not JobState.FAILED:
        return job
    if not job.task_id:
        raise JobFailed(f"This job has failed: {job.error or 'no reason was recorded'}", job_id=job.id)
    return await services.journal.advance(job, JobState.SUBMITTED, "polled again", finished_at=None, billed_usd=None)


async def reopen_missing_file(job: Job, services: SessionServices) -> Job:
    """The job, ready to be resumed: SUCCEEDED if its file is gone or damaged, SUBMITTED if it was abandoned."""
    journal = services.journal
    if job.is_abandoned:
        return await journal.advance(job, JobState.SUBMITTED, "resumed after it was abandoned", finished_at=None)
    if job.state is not JobState.SAVED:
        return job
    if file := await find_file(job, services):
        return replace(job, file=file)
    try:
        return await journal.advance(job, JobState.SUCCEEDED, "the file is gone or damaged; downloading it again")
    except JobConflict:
        return await journal.get(job.id) or job  # another run was faster


async def find_file(job: Job, services: SessionServices) -> Path | None:
    """The job's intact clip on this machine. Another machine that shares the journal may have stored its own path."""
    for path in dict.fromkeys((job.file, services.results / f"{job.id}.mp4")):
        if path is not None and await asyncio.to_thread(is_intact, job, path):
            return path
    return None


async def rebuild_request(job: Job, connection: Connection, store: Store, uploads: Uploads) -> VideoRequest | None:
    """The request of a PREPARED job, rebuilt from the journal; None if its media are not available.

    The journal has only the hashes of local media, so these are available only while their uploads are valid.
    """
    fields = dict(job.request)
    urls: list[str] = []
    for name in [
        *fields.pop("reference_images", []),
        *([fields.pop("source_video")] if "source_video" in fields else []),
    ]:
        url = await _find_media(name, store, uploads)
        if url is None:
            return None
        urls.append(url)
    if "source_video" in job.request:
        fields["source_video"] = urls.pop()
    try:
        read = connection.provider.read({**fields, "reference_images": urls}, allow_private_urls=connection.is_local)
    except RequestError:
        return None  # the contract has changed since
    return read[0]


def check_task_id(task_id: str) -> str:
    """The id without surrounding spaces. Raises SettingsError if it cannot be a task id."""
    text = task_id.strip()
    if not is_task_id(text):
        raise SettingsError(f"{text[:60]!r} cannot be a task id. Copy it from the provider's dashboard.")
    return text


async def _find_media(name: str, store: Store, uploads: Uploads) -> str | None:
    """The URL of a journaled media input: itself, or that of a valid upload of its hash."""
    if not name.startswith(_HASH):
        return name
    if not isinstance(store, PersistentStore):
        return None
    upload = await uploads.find(store.name, name.removeprefix(_HASH), good_for=store.min_remaining_seconds)
    return upload.url if upload else None


def _is_unknown(job: Job, services: SessionServices) -> bool:
    """Whether it is unknown if the provider accepted the job, and no answer to its POST can still arrive."""
    if job.state is not JobState.SUBMITTING or services.in_flight(job.id) is not None:
        return False
    return job.error_kind is not None or job.seconds_since_update(services.now()) >= services.answer_seconds


def _was_replaced(job: Job) -> bool:
    return job.state is JobState.FAILED and job.task_id is None and job.error_kind == SubmitUncertain.__name__


async def _is_canceled(job: Job, connection: Connection, services: SessionServices) -> bool:
    """Cancel the task. Returns whether the provider confirmed that; False if it cannot cancel or be reached."""
    call = connection.provider.cancel(job.task_id or "")
    if call is None:
        return False
    try:
        return (await services.client.send(call, connection.endpoint)).is_success
    except (TransportError, ProviderError):
        return False


async def _fail(job: Job, services: SessionServices, kind: str, text: str, **changes: Any) -> AbandonResult:
    changes = {"error": f"Abandoned. {text}", "error_kind": kind, "finished_at": services.now(), **changes}
    return AbandonResult(await services.journal.advance(job, JobState.FAILED, "abandoned by its user", **changes), text)
