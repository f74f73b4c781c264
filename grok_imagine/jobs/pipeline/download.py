"""SUCCEEDED to SAVED: bring the paid clip home. A failed download never leads to another submit."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

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
from ...providers.envelope import plain
from ...settings import private_folder
from ...transport.download import download
from ...transport.retry import Backoff
from .context import JobContext
from .provenance import keep_provenance

_SCHEDULE = Backoff(first=1, longest=30, tries=8)
"""About a minute and a half, each time that nothing more comes. What came is kept, and gone on from."""

_DISK_TRIES = 3
_PROGRESS = 1 << 16
"""Bytes more than ever before, so that the schedule begins anew."""


@dataclass
class _DownloadState:
    """What one fetch remembers between its tries."""

    failures: int = 0
    received: int = 0
    is_forgotten: bool = False
    """The provider knows neither a good URL nor the task any longer."""
    is_stale: bool = False
    """Asked for another URL, the provider names the dead one again."""
    uses_content: bool = False
    """The result's URL is of no use, so the provider's own endpoint for the file is asked."""
    answer: str = ""
    """What the provider answered when it was last asked about the task, redacted."""


async def download_result(job: Job, walk: JobContext) -> Job:
    """Download the clip. Raises ResultNotFetched, which leaves the job SUCCEEDED, ready to be fetched again."""
    tools = walk.tools
    target = private_folder(tools.results) / f"{job.id}.mp4"
    memory = _DownloadState()

    def on_bytes(size: int, total: int | None) -> None:
        if size >= memory.received + _PROGRESS:
            memory.received, memory.failures = size, 0
        walk.report(job, "downloading", percent=100 * size / total if total else None)

    if not job.result_url and walk.connection.provider.content(job.task_id or "") is None:
        job = await _find_url(job, walk, memory)
    while True:
        try:
            await download(
                tools.client,
                _source(job, walk, memory),
                walk.connection.endpoint,
                target,
                limit=tools.max_download_bytes,
                on_bytes=on_bytes,
                check=fault_of_file,
                keep=True,
            )
            break
        except (TransportError, OSError) as error:
            job = await _after(error, job, walk, memory)
    await keep_provenance(job, walk, target)
    return await tools.journal.advance(
        job, JobState.SAVED, file=target, finished_at=tools.now(), error=None, error_kind=None
    )


async def _after(error: TransportError | OSError, job: Job, walk: JobContext, memory: _DownloadState) -> Job:
    """The job, to be fetched once more, maybe from a fresh URL. Raises ResultNotFetched when that is of no use."""
    memory.failures += 1
    if memory.failures >= (_DISK_TRIES if isinstance(error, OSError) else _SCHEDULE.tries):
        raise await _give_up(job, walk, error, is_stale=memory.is_stale) from error
    if isinstance(error, FetchFailed) and error.is_useless and _has_other_source(job, walk, memory):
        memory.uses_content = True  # still a failure: a provider that signs a fresh, dead URL each time is left one day
        walk.report(job, "downloading", note=f"{error}; asking {walk.connection.provider.label} for the file itself")
        return job
    is_refused = isinstance(error, FetchFailed) and error.is_refused
    is_dead = is_refused or (isinstance(error, FetchFailed) and error.is_gone)
    if is_dead or memory.failures == _SCHEDULE.tries - 1:
        fresh = await _ask_again(job, walk, memory)
        is_gone = memory.is_forgotten or (is_dead and memory.is_stale and _is_past(job, walk))
        if fresh is job and (is_refused or (is_dead and is_gone)):
            raise await _give_up(job, walk, error, is_gone=is_gone) from error
        if fresh is not job:
            memory.uses_content = False
        if fresh is not job and memory.failures == 1:
            return fresh
        job = fresh
    delay = _SCHEDULE.delay(memory.failures)
    walk.report(job, "downloading", note=f"{error}; again in {delay:.0f} s")
    await walk.tools.sleep(delay)
    return job


def _source(job: Job, walk: JobContext, memory: _DownloadState) -> Call:
    """Where the file is: at the result's URL, else at the provider's endpoint for the file.

    The transport attaches the key below the connection's base URL alone, so a CDN does not get it.
    """
    content = walk.connection.provider.content(job.task_id or "")
    if content is not None and (memory.uses_content or not job.result_url):
        return content
    return Call.get(job.result_url or "")


def _has_other_source(job: Job, walk: JobContext, memory: _DownloadState) -> bool:
    content = walk.connection.provider.content(job.task_id or "")
    return bool(job.result_url) and content is not None and not memory.uses_content


async def _find_url(job: Job, walk: JobContext, memory: _DownloadState) -> Job:
    """Ask once more about a task that is done without a URL. Raises ResultNotFetched where there still is none."""
    job = await _ask_again(job, walk, memory)
    if job.result_url:
        return job
    label = walk.connection.provider.label
    text = (
        f"{label} reports that the clip is finished, so it counts as paid, but its answer names no video that this "
        "pack can find. Nothing is submitted again. Run the same graph again to ask once more, or copy the video's URL "
        f"from {label}'s dashboard: grok-imagine attach {job.id} --url URL. "
        f"{label} answered: {memory.answer or 'nothing'}"
    )
    with suppress(JournalError):
        await walk.tools.journal.update_fields(job, error=text, error_kind=ResultNotFetched.__name__)
    raise ResultNotFetched(text, job_id=job.id, task_id=job.task_id)


async def _ask_again(job: Job, walk: JobContext, memory: _DownloadState) -> Job:
    """A fresh URL for the same result, where the provider still has one."""
    provider, tools = walk.connection.provider, walk.tools
    try:
        reply = await tools.client.read(provider.poll(job.task_id or ""), walk.connection.endpoint, provider.refusal)
        memory.answer = plain(reply.body[:4000].decode("utf-8", "replace"), limit=400)
        status = provider.status(reply)
    except TaskNotFound:
        memory.is_forgotten = True
        return job
    except (ProviderError, TransportError):
        return job  # The download's own error is the one to tell.
    memory.is_forgotten = status.phase is TaskPhase.FAILED and status.error is not None and status.error.is_expired
    is_done = status.phase is TaskPhase.DONE
    url = walk.connection.endpoint.resolve(status.video_url) if status.video_url else None
    memory.is_stale = is_done and url == job.result_url
    if is_done and url and not memory.is_stale:
        return await tools.journal.advance(job, JobState.SUCCEEDED, note="a fresh URL", result_url=url)
    return job


def _is_past(job: Job, walk: JobContext) -> bool:
    """Whether the time is over for which the provider says that it keeps results."""
    until = (job.submitted_at or job.created_at) + walk.connection.provider.result_lifetime_hours * 3600
    return walk.tools.now() > until


async def _give_up(
    job: Job, walk: JobContext, error: GrokImagineError | OSError, *, is_gone: bool = False, is_stale: bool = False
) -> ResultNotFetched:
    reason = error if isinstance(error, GrokImagineError) else f"{type(error).__name__}: {error.strerror or error}"
    text = f"The clip is ready and paid, but could not be downloaded: {reason}. "
    if is_gone:
        text += (
            f"{walk.connection.provider.label} does not keep it any longer, so it is gone for good. "
            "Change the seed to make, and pay, a new one"
        )
    else:
        text += "Resume the job, or run the same graph again, to fetch it; nothing is submitted or paid again"
        if is_stale:
            text += (
                f". If {walk.connection.provider.label} keeps it no longer, change the seed to make, and pay, a new one"
            )
    with suppress(JournalError):  # on a full disk not even this can be written; the job stands where it stood
        await walk.tools.journal.update_fields(job, error=text, error_kind=ResultNotFetched.__name__)
    return ResultNotFetched(text, job_id=job.id, task_id=job.task_id)
