"""SUCCEEDED to SAVED: download the paid clip. A failed download never leads to another submit."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

from ...errors import (
    FetchFailed,
    GrokImagineError,
    JournalError,
    ProviderError,
    ResultNotFetched,
    TaskNotFound,
    TransportError,
)
from ...media.mux.mp4_check import fault_of_file
from ...models import Call, Job, JobState, TaskPhase
from ...private_files import private_folder
from ...providers.envelope import plain
from ...transport.download import download
from ...transport.retry import Backoff
from .context import JobContext
from .poll import read_status
from .provenance import write_provenance
from .result_file import measure

_SCHEDULE = Backoff(first=1, longest=30, tries=8)
"""About a minute and a half without new bytes. What was received is kept, and the download resumes from there."""

_DISK_TRIES = 3
_SLOW_TRIES = 3
"""A server this slow is given up on, whatever it has sent. The partial download is kept for a later run."""
_PROGRESS = 1 << 16
"""This many new bytes reset the count of failures."""


@dataclass
class _DownloadState:
    """The state of one download between its tries."""

    failures: int = 0
    slow: int = 0
    received: int = 0
    is_forgotten: bool = False
    """The provider no longer knows the task, or says that it has expired."""
    is_stale: bool = False
    """The provider answered with the same URL again, which failed."""
    uses_content: bool = False
    """The result's URL failed for good, so the provider's endpoint for the file is used."""
    answer: str = ""
    """The provider's last status answer, redacted."""


async def download_result(job: Job, context: JobContext) -> Job:
    """Download the clip. Raises ResultNotFetched; the job is then still SUCCEEDED and can be downloaded later."""
    services = context.services
    target = private_folder(services.results) / f"{job.id}.mp4"
    state = _DownloadState()

    def on_bytes(size: int, total: int | None) -> None:
        if size >= state.received + _PROGRESS:
            state.received, state.failures = size, 0
        context.report(job, "downloading", percent=100 * size / total if total else None)

    if not job.result_url and context.connection.provider.content(job.task_id or "", job.model) is None:
        job = await _find_url(job, context, state)
    while True:
        try:
            await download(
                services.client,
                _source(job, context, state),
                context.connection.endpoint,
                target,
                limit=services.max_download_bytes,
                on_bytes=on_bytes,
                check=fault_of_file,
                keep=True,
            )
            break
        except (TransportError, OSError) as error:
            job = await _after_failure(error, job, context, state)
    finished_at = job.finished_at or services.now()  # kept if the clip is downloaded again
    if services.writes_metadata:
        await write_provenance(replace(job, finished_at=finished_at), context, target)
    size, sha256 = await asyncio.to_thread(measure, target)
    return await services.journal.advance(
        job,
        JobState.SAVED,
        file=target,
        file_size=size,
        file_sha256=sha256,
        finished_at=finished_at,
        error=None,
        error_kind=None,
    )


async def _after_failure(error: TransportError | OSError, job: Job, context: JobContext, state: _DownloadState) -> Job:
    """The job, to be downloaded once more, maybe from a new URL. Raises ResultNotFetched if that cannot help."""
    state.failures += 1
    state.slow += isinstance(error, FetchFailed) and error.is_slow
    most = _DISK_TRIES if isinstance(error, OSError) else _SCHEDULE.tries
    if state.failures >= most or state.slow >= _SLOW_TRIES:
        raise await _download_error(job, context, error, is_stale=state.is_stale) from error
    if isinstance(error, FetchFailed) and error.is_useless and _has_other_source(job, context, state):
        state.uses_content = True  # counts as a failure, since a provider may send new dead URLs forever
        context.report(
            job, "downloading", note=f"{error}; downloading it from {context.connection.provider.label} itself"
        )
        return job
    is_refused = isinstance(error, FetchFailed) and error.is_refused
    is_dead = is_refused or (isinstance(error, FetchFailed) and error.is_gone)
    if is_dead or state.failures == _SCHEDULE.tries - 1:
        fresh = await _refresh_url(job, context, state)
        is_gone = state.is_forgotten or (is_dead and state.is_stale and _is_expired(job, context))
        if fresh is job and (is_refused or (is_dead and is_gone)):
            raise await _download_error(job, context, error, is_gone=is_gone) from error
        if fresh is not job:
            state.uses_content = False
        if fresh is not job and state.failures == 1:
            return fresh
        job = fresh
    delay = _SCHEDULE.delay(state.failures)
    context.report(job, "downloading", note=f"{error}; again in {delay:.0f} s")
    await context.services.sleep(delay)
    return job


def _source(job: Job, context: JobContext, state: _DownloadState) -> Call:
    """The request for the file: to the result's URL, else to the provider's endpoint for the file.

    The transport sends the key only below the connection's base URL, so a CDN does not get it.
    """
    content = context.connection.provider.content(job.task_id or "", job.model)
    if content is not None and (state.uses_content or not job.result_url):
        return content
    return Call.get(job.result_url or "")


def _has_other_source(job: Job, context: JobContext, state: _DownloadState) -> bool:
    content = context.connection.provider.content(job.task_id or "", job.model)
    return bool(job.result_url) and content is not None and not state.uses_content


async def _find_url(job: Job, context: JobContext, state: _DownloadState) -> Job:
    """Poll once more for a task that is done without a URL. Raises ResultNotFetched if there still is none."""
    job = await _refresh_url(job, context, state)
    if job.result_url:
        return job
    text = (
        f"{context.connection.label} reports that the clip is finished, so it counts as paid, but no video URL was "
        "found in its answer. Nothing is submitted again. Run the same graph again to ask once more, or copy the "
        f"video's URL from the provider's dashboard: grok-imagine attach {job.id} --url URL. "
        f"The answer was: {state.answer or 'empty'}"
    )
    with suppress(JournalError):
        await context.services.journal.update_fields(job, error=text, error_kind=ResultNotFetched.__name__)
    raise ResultNotFetched(text, job_id=job.id, task_id=job.task_id)


async def _refresh_url(job: Job, context: JobContext, state: _DownloadState) -> Job:
    """The job with a new URL for the same result, if the provider has one; else unchanged."""
    services = context.services
    try:
        status, answer = await read_status(job.task_id or "", job.model, context.connection, services)
        state.answer = plain(answer[:4000].decode("utf-8", "replace"), limit=400)
    except TaskNotFound:
        state.is_forgotten = True
        return job
    except (ProviderError, TransportError):
        return job  # the caller reports the download's own error
    state.is_forgotten = status.phase is TaskPhase.FAILED and status.error is not None and status.error.is_expired
    is_done = status.phase is TaskPhase.DONE
    url = context.connection.endpoint.resolve(status.video_url) if status.video_url else None
    state.is_stale = is_done and url == job.result_url
    if is_done and url and not state.is_stale:
        return await services.journal.advance(job, JobState.SUCCEEDED, note="a new URL", result_url=url)
    return job


def _is_expired(job: Job, context: JobContext) -> bool:
    """Whether the provider's documented lifetime of results is over."""
    until = (job.submitted_at or job.created_at) + context.connection.provider.result_lifetime_hours * 3600
    return context.services.now() > until


async def _download_error(
    job: Job, context: JobContext, error: GrokImagineError | OSError, *, is_gone: bool = False, is_stale: bool = False
) -> ResultNotFetched:
    label = context.connection.label
    reason = error if isinstance(error, GrokImagineError) else f"{type(error).__name__}: {error.strerror or error}"
    text = f"The clip is ready at {label} and paid, but could not be downloaded: {reason}. "
    if is_gone:
        text += "The provider no longer keeps it, so it is lost. Change the seed to make, and pay for, a new one"
    else:
        text += f"To download it, run the same graph again, or: grok-imagine resume {job.id}. It is not charged again"
        if is_stale:
            text += f". Or copy the video's URL from the provider's dashboard: grok-imagine attach {job.id} --url URL"
    with suppress(JournalError):  # the disk may be full; the job's state is unchanged
        await context.services.journal.update_fields(job, error=text, error_kind=ResultNotFetched.__name__)
    return ResultNotFetched(text, job_id=job.id, task_id=job.task_id)
