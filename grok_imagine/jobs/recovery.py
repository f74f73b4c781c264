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
    """A job that was given up, and in words what that means for the money."""

    job: Job
    text: str


async def attach(job: Job, task_id: str, connection: Connection | None, services: SessionServices) -> Job:
    """Give a job of unknown outcome the task id that its user found at the provider.

    Raises SettingsError, or TaskNotFound if the provider of ``connection`` does not know the id. A provider that
    cannot be asked now does not stop this.
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
    """Give a paid job the URL of its video, as its user found it at the provider. Raises SettingsError."""
    if job.state not in (JobState.SUBMITTED, JobState.SUCCEEDED):
        raise SettingsError(
            f"Job {job.id} is {job.state.value}; you can attach a URL only to a job that a provider has accepted."
        )
    if split(url.strip()) is None:
        raise SettingsError("Give the video's whole URL, beginning with https://")
    changes: dict[str, Any] = {"result_url": url.strip(), "error": None, "error_kind": None}
    return await services.journal.advance(job, JobState.SUCCEEDED, "URL attached by hand", **changes)


async def resubmit(job: Job, services: SessionServices) -> Job:
    """Submit a job of unknown outcome again, as its user wants: a new job in its place, which is about to be sent.

    The first may have been billed, so it stays in the ledger, and still takes a task id. Raises SettingsError for a
    job whose outcome is known or still awaited, OverBudget where the limits leave no room for another.
    """
    if not _is_unknown(job, services):
        state = "being sent right now" if job.state is JobState.SUBMITTING else job.state.value
        raise SettingsError(f"Job {job.id} is {state}; only a job of unknown outcome can be submitted again.")
    now = services.now()
    anew: dict[str, Any] = dict.fromkeys(("task_id", "result_url", "file", "billed_usd", "error", "error_kind"))
    by = replace(job, id=new_id(now), state=JobState.PREPARED, submitted_at=None, finished_at=None, **anew)
    uncertain = replace(job, error_kind=SubmitUncertain.__name__)
    return await services.journal.supersede(uncertain, by, f"submitted again knowingly, as {by.id}")


async def abandon(job: Job, connection: Connection, services: SessionServices) -> AbandonResult:
    """Give a job up. Raises SettingsError for one that is over, or whose outcome is unknown.

    A provider that can cancel is asked to; else the job goes on there and is billed. It can still be collected, and
    the same wish takes it up again: what is paid is not paid twice.
    """
    check_belongs(job, connection)
    label = connection.provider.label
    flying = services.in_flight(job.id)
    if flying is not None:  # its answer says whether there is anything to give up
        with suppress(Exception):
            await flying
        job = await services.journal.get(job.id) or job
    if job.state is JobState.PREPARED:
        told = "It was never sent and is not charged."
        return await _fail(job, services, JobCanceled.__name__, told, billed_usd=Decimal(0))
    if job.state is JobState.SUBMITTED:
        if await _is_canceled(job, connection, services):
            billed = Decimal(0) if connection.provider.refunds_failures else None
            return await _fail(job, services, JobCanceled.__name__, f"{label} has canceled it.", billed_usd=billed)
        told = (
            f"{label} cannot cancel: the job goes on there and is billed. To get the clip after all, run the same "
            f"graph again, or: grok-imagine resume {job.id}"
        )
        return await _fail(job, services, ABANDONED, told)
    if job.state is JobState.SUCCEEDED:
        raise SettingsError(f"Job {job.id} is finished and paid. Download it: grok-imagine resume {job.id}")
    if job.state is JobState.SUBMITTING:
        raise SettingsError(
            f"The outcome of job {job.id} is unknown and it may have been charged, so it cannot be abandoned. Attach "
            f"its task (grok-imagine attach {job.id} TASK_ID), or submit it again (grok-imagine again {job.id})."
        )
    raise SettingsError(f"Job {job.id} is {job.state.value}, so there is nothing to abandon.")


def raise_if_rejected(job: Job) -> Job:
    """The job; one that moderation refused before is not sent again by itself. Raises ContentRejected."""
    if job.state is not JobState.FAILED or job.error_kind != ContentRejected.__name__:
        return job
    raise ContentRejected(
        f"{job.error or 'Moderation refused this clip'}. It was refused before and is not sent again. Change the "
        "prompt, the images or the seed",
        job_id=job.id,
        task_id=job.task_id,
    )


async def reopen_failed(job: Job, connection: Connection, services: SessionServices) -> Job:
    """The job, ready to be resumed: a failed one with a task id is polled once more, which costs nothing.

    Raises JobFailed for a failed job without a task id, SettingsError if the connection is not the job's any more.
    """
    check_belongs(job, connection)
    if job.state is not JobState.FAILED:
        return job
    if not job.task_id:
        raise JobFailed(f"This job has failed: {job.error or 'no reason was recorded'}", job_id=job.id)
    return await services.journal.advance(job, JobState.SUBMITTED, "asked once more", finished_at=None, billed_usd=None)


async def reopen_missing_file(job: Job, services: SessionServices) -> Job:
    """The job, ready to be resumed: SUCCEEDED if its file is gone or damaged, SUBMITTED if it was abandoned."""
    journal = services.journal
    if job.is_abandoned:
        return await journal.advance(job, JobState.SUBMITTED, "taken up again", finished_at=None)
    if job.state is not JobState.SAVED:
        return job
    if file := await find_file(job, services):
        return replace(job, file=file)
    try:
        return await journal.advance(job, JobState.SUCCEEDED, "the file is gone or damaged; fetching it again")
    except JobConflict:
        return await journal.get(job.id) or job  # another run has noticed too


async def find_file(job: Job, services: SessionServices) -> Path | None:
    """The job's intact clip on this machine. Another machine that shares the journal may have stored its own path."""
    for path in dict.fromkeys((job.file, services.results / f"{job.id}.mp4")):
        if path is not None and await asyncio.to_thread(is_intact, job, path):
            return path
    return None


async def rebuild_request(job: Job, connection: Connection, store: Store, uploads: Uploads) -> VideoRequest | None:
    """The request of a job that was prepared and not sent, from the journal; None where its media are not at hand.

    Of local media the journal has only hashes: they are at hand while an upload of theirs is.
    """
    fields = dict(job.request)
    images: list[str] = []
    for name in [
        *fields.pop("reference_images", []),
        *([fields.pop("source_video")] if "source_video" in fields else []),
    ]:
        url = await _find_media(name, store, uploads)
        if url is None:
            return None
        images.append(url)
    if "source_video" in job.request:
        fields["source_video"] = images.pop()
    try:
        read = connection.provider.read({**fields, "reference_images": images}, allow_private_urls=connection.is_local)
    except RequestError:
        return None  # the contract has changed since
    return read[0]


def check_task_id(task_id: str) -> str:
    """The id without spaces around it. Raises SettingsError for a text that is none."""
    text = task_id.strip()
    if not is_task_id(text):
        raise SettingsError(f"{text[:60]!r} cannot be a task id. Copy it from the provider's dashboard.")
    return text


async def _find_media(name: str, store: Store, uploads: Uploads) -> str | None:
    if not name.startswith(_HASH):
        return name
    if not isinstance(store, PersistentStore):
        return None
    found = await uploads.find(store.name, name.removeprefix(_HASH), good_for=store.min_remaining_seconds)
    return found.url if found else None


def _is_unknown(job: Job, services: SessionServices) -> bool:
    """Whether nobody knows, nor can still learn from the POST's own answer, if the provider took the job."""
    if job.state is not JobState.SUBMITTING or services.in_flight(job.id) is not None:
        return False
    return job.error_kind is not None or job.seconds_since_update(services.now()) >= services.answer_seconds


def _was_replaced(job: Job) -> bool:
    return job.state is JobState.FAILED and job.task_id is None and job.error_kind == SubmitUncertain.__name__


async def _is_canceled(job: Job, connection: Connection, services: SessionServices) -> bool:
    """Whether the provider says that the task is canceled; a provider that cannot be asked has not."""
    call = connection.provider.cancel(job.task_id or "")
    if call is None:
        return False
    try:
        return (await services.client.send(call, connection.endpoint)).is_success
    except (TransportError, ProviderError):
        return False


async def _fail(job: Job, services: SessionServices, kind: str, text: str, **changes: Any) -> AbandonResult:
    ended = {"error": f"Given up. {text}", "error_kind": kind, "finished_at": services.now(), **changes}
    return AbandonResult(await services.journal.advance(job, JobState.FAILED, "given up by its user", **ended), text)
