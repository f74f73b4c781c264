"""The corridor: one loop for a new job, a resumed one and a retried one, entered wherever the job stands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ...errors import GrokImagineError, JournalError, SettingsError, StorageError
from ...journal.journal import JobConflict
from ...models import Job, JobState
from ...transport.rate_limit import JobSlot
from ..connections import check_belongs
from .context import JobContext
from .download import download_result
from .poll import poll
from .submit import handle_uncertain, submit

Step = Callable[[Job, JobContext], Awaitable[Job]]


async def _download_and_finish(job: Job, walk: JobContext) -> Job:
    """Fetch the clip: from the bucket that machines share, where it is kept there, else from the provider."""
    archive = walk.tools.archive
    if archive is None:
        return await download_result(job, walk)
    target = walk.tools.results / f"{job.id}.mp4"
    with suppress(StorageError):  # the provider may still have it
        if await archive.restore(job, target):
            return await walk.tools.journal.advance(
                job,
                JobState.SAVED,
                "from the shared store",
                file=target,
                finished_at=job.finished_at or walk.tools.now(),
            )
    job = await download_result(job, walk)
    try:
        await archive.save(job)
    except (StorageError, JournalError, OSError) as error:
        # The clip is here; only the other machines lack it.
        walk.report(job, "downloading", note=f"not kept in the shared store: {error}")
    return job


STEPS: dict[JobState, Step] = {
    JobState.PREPARED: submit,
    JobState.SUBMITTING: handle_uncertain,
    JobState.SUBMITTED: poll,
    JobState.SUCCEEDED: _download_and_finish,
}


async def run(job: Job, walk: JobContext) -> Job:
    """Walk on from wherever the job stands, to SAVED. Raises what its steps raise; the journal knows where it is."""
    check_belongs(job, walk.connection)
    walk.report(job, "preparing", note=" ".join(walk.notes))
    try:
        job = await _run_to_end(job, walk)
    except GrokImagineError:
        with suppress(JournalError):  # the error under way is the one to tell: it may name a paid task
            ended = await walk.tools.journal.get(job.id)
            if ended is not None and ended.state.is_final:
                await _release(ended, walk)
        await _release_slot(job, walk)
        raise
    except asyncio.CancelledError:
        await _release_slot(job, walk)
        raise
    await _release(job, walk)
    walk.report(job, "done", percent=100.0)
    return job


async def _release(job: Job, walk: JobContext) -> None:
    """The job's uploads are needed no longer. A fault of the store is no fault of a clip that is here."""
    with suppress(SettingsError, StorageError):
        await walk.tools.publisher.release(job, walk.store())


async def _release_slot(job: Job, walk: JobContext) -> None:
    """A job that is left before its POST holds nothing of the budget; it asks for it again when it goes on."""
    with suppress(JournalError):
        await walk.tools.journal.release(job)


async def _run_to_end(job: Job, walk: JobContext) -> Job:
    async with walk.connection.place() as place:
        return await _advance(job, walk, place)


async def _take_slot(job: Job, walk: JobContext, place: JobSlot) -> None:
    """A job is in flight from before its submit until its task is final; its download is not counted."""
    if job.state is JobState.PREPARED:
        if place.must_wait:
            walk.report(job, "preparing", note="waiting for other jobs of this connection to end")
        await place.take()
    elif job.state is JobState.SUBMITTED:
        place.occupy()
    elif job.state is JobState.SUCCEEDED:
        walk.report(job, "downloading")
        place.leave()


async def _advance(job: Job, walk: JobContext, place: JobSlot) -> Job:
    while not job.state.is_final:
        try:
            await _take_slot(job, walk, place)
            job = await STEPS[job.state](job, walk)
        except JobConflict:
            # Somebody else took this very step (the same job, waited for twice). Go on from where it stands now.
            moved = await walk.tools.journal.get(job.id)
            if moved is None or moved.state is job.state:
                raise
            job = moved
    return job
