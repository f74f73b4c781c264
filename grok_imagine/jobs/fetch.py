"""SUCCEEDED to SAVED: bring the paid clip home. A failed download never leads to another submit."""

from __future__ import annotations

from contextlib import suppress

from ..errors import FetchFailed, GrokImagineError, JournalError, ProviderError, ResultNotFetched, TransportError
from ..models import Call, Job, Phase, State
from ..settings import private_folder
from ..transport.download import download
from .walk import Walk

_TRIES = 4


async def fetch(job: Job, walk: Walk) -> Job:
    """Download the clip. Raises ResultNotFetched, which leaves the job SUCCEEDED, ready to be fetched again."""
    tools = walk.tools
    target = private_folder(tools.results) / f"{job.id}.mp4"
    failures = 0

    def on_bytes(size: int, total: int | None) -> None:
        walk.report(job, "downloading", percent=100 * size / total if total else None)

    while True:
        try:
            await download(
                tools.client,
                _source(job, walk),
                walk.connection.endpoint,
                target,
                limit=tools.max_download_bytes,
                on_bytes=on_bytes,
            )
            break
        except (TransportError, OSError) as error:
            failures += 1
            if failures >= _TRIES:
                raise await _give_up(job, walk, error) from error
            fresh = isinstance(error, FetchFailed) and error.is_gone
            if fresh or failures == _TRIES - 1:
                job = await _ask_again(job, walk)
            if not fresh:
                await tools.sleep(tools.client.backoff.delay(failures))
    return await tools.journal.advance(
        job, State.SAVED, file=target, finished_at=tools.now(), error=None, error_kind=None
    )


def _source(job: Job, walk: Walk) -> Call:
    """Where the file is: the provider's own content endpoint wants the key, a CDN must not have it."""
    content = walk.connection.provider.content(job.task_id or "")
    if content is None:
        return Call.get(job.result_url or "", authorized=False)
    if not job.result_url:
        return content
    # The gateway's own URLs want the key; the transport attaches it below the base URL alone.
    return Call.get(job.result_url, authorized=True)


async def _ask_again(job: Job, walk: Walk) -> Job:
    """A fresh URL for the same result, where the provider still has one."""
    provider, tools = walk.connection.provider, walk.tools
    try:
        reply = await tools.client.read(provider.poll(job.task_id or ""), walk.connection.endpoint, provider.refusal)
        status = provider.status(reply)
    except (ProviderError, TransportError):
        return job  # The download's own error is the one to tell.
    if status.phase is Phase.DONE and status.video_url and status.video_url != job.result_url:
        return await tools.journal.advance(job, State.SUCCEEDED, note="a fresh URL", result_url=status.video_url)
    return job


async def _give_up(job: Job, walk: Walk, error: GrokImagineError | OSError) -> ResultNotFetched:
    text = f"The clip is ready and paid, but could not be downloaded: {error}. Resume the job to fetch it"
    with suppress(JournalError):  # on a full disk not even this can be written; the job stands where it stood
        await walk.tools.journal.remember(job, error=text, error_kind=ResultNotFetched.__name__)
    return ResultNotFetched(text, job_id=job.id, task_id=job.task_id)
