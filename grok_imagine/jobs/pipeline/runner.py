"""The loop that runs a job to its end: one for new, resumed and retried jobs, starting from the job's state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ...errors import GrokImagineError, JournalError, ProviderError, SettingsError, StorageError, TransportError
from ...journal.journal import JobConflict
from ...models import Job, JobState
from ...transport.rate_limit import JobSlot
from ..connections import check_belongs
from .context import JobContext
from .download import download_result
from .poll import poll
from .result_file import measure
from .submit import handle_uncertain, submit

Step = Callable[[Job, JobContext], Awaitable[Job]]


async def _download_and_finish(job: Job, context: JobContext) -> Job:
    """Download the clip: from the shared store if it is there, else from the provider."""
    shared_results = context.services.shared_results
    if shared_results is None:
        return await download_result(job, context)
    target = context.services.results / f"{job.id}.mp4"
    with suppress(StorageError):  # the provider may still have it
        if await shared_results.restore(job, target):
            size, sha256 = await asyncio.to_thread(measure, target)
            return await context.services.journal.advance(
                job,
                JobState.SAVED,
                "from the shared store",
                finished_at=job.finished_at or context.services.now(),
                file=target,
                file_size=size,
                file_sha256=sha256,
            )
    job = await download_result(job, context)
    try:
        await shared_results.save(job)
    except (StorageError, JournalError, OSError) as error:
        # The clip is saved here; only the other machines lack it.
        context.report(job, "downloading", note=f"not copied to the shared store: {error}")
    return job


STEPS: dict[JobState, Step] = {
    JobState.PREPARED: submit,
    JobState.SUBMITTING: handle_uncertain,
    JobState.SUBMITTED: poll,
    JobState.SUCCEEDED: _download_and_finish,
}


async def run(job: Job, context: JobContext) -> Job:
    """Run the job from its state to SAVED. Raises what its steps raise; the journal keeps the state."""
    check_belongs(job, context.connection)
    context.report(job, "preparing", note=" ".join(context.notes))
    try:
        job = await _run_to_end(job, context)
    except GrokImagineError as error:
        if isinstance(error, (ProviderError, TransportError)):
            error.source = context.connection.label
        with suppress(JournalError):  # the first error matters more: it may name a paid task
            ended = await context.services.journal.get(job.id)
            if ended is not None and ended.state.is_final:
                await _release(ended, context)
        await _release_slot(job, context)
        raise
    except asyncio.CancelledError:
        await _release_slot(job, context)
        raise
    await _release(job, context)
    context.report(job, "done", percent=100.0)
    return job


async def _release(job: Job, context: JobContext) -> None:
    """Delete the job's uploads, if the store is set to. Errors are ignored: the clip is what matters."""
    with suppress(SettingsError, StorageError):
        await context.services.publisher.release(job, context.store())


async def _release_slot(job: Job, context: JobContext) -> None:
    """Release the budget of a job that stops before its POST. It is reserved again when the job is resumed."""
    with suppress(JournalError):
        await context.services.journal.release(job)


async def _run_to_end(job: Job, context: JobContext) -> Job:
    async with context.connection.slot() as slot:
        return await _advance(job, context, slot)


async def _occupy_slot(job: Job, context: JobContext, slot: JobSlot) -> None:
    """Take or leave the slot: a job is in flight from its submit until its task is final, without the download."""
    if job.state is JobState.PREPARED:
        if slot.must_wait:
            context.report(job, "preparing", note="waiting for other jobs of this connection to end")
        await slot.take()
    elif job.state is JobState.SUBMITTED:
        slot.occupy()
    elif job.state is JobState.SUCCEEDED:
        context.report(job, "downloading")
        slot.leave()


async def _advance(job: Job, context: JobContext, slot: JobSlot) -> Job:
    while not job.state.is_final:
        try:
            await _occupy_slot(job, context, slot)
            job = await STEPS[job.state](job, context)
        except JobConflict:
            # Another run of the same job was faster. Continue from the state in the journal.
            current = await context.services.journal.get(job.id)
            if current is None or current.state is job.state:
                raise
            job = current
    return job
