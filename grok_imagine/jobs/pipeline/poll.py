"""SUBMITTED to SUCCEEDED: poll at the provider's documented rate until the task has ended or the deadline passes."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ...errors import (
    BadRequest,
    ContentRefused,
    ContentRejected,
    GrokImagineError,
    JobCanceled,
    JobError,
    JobExpired,
    JobFailed,
    JobTimedOut,
    ProviderError,
    TaskNotFound,
    TransportError,
    UnreadableReply,
)
from ...models import Job, JobState, TaskError, TaskPhase, TaskStatus
from ...providers import Provider
from ...transport.timeouts import wait_with_timeout
from ..connections import Connection
from .callbacks import WakeSignal
from .context import JobContext, SessionServices

# Right after a submit some providers answer 404 for a moment, until their replicas have caught up.
_REPLICATION_SECONDS = 30.0
_CONFIRM_PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between polls for a task id that the user entered. It was submitted some time ago, so these are few."""
_RECHECKS_WITHOUT_URL = 3
_TICK = 1.0


@dataclass
class _PollState:
    """The state of one wait between its polls."""

    submitted_at: float
    """In monotonic seconds, since the system's clock may be set back meanwhile."""
    unknown_words: set[str] = field(default_factory=set[str])
    wake_signal: WakeSignal = field(default_factory=WakeSignal)
    done_without_url: int = 0
    unreadable: int = 0


async def poll(job: Job, context: JobContext) -> Job:
    """Poll until the task is final. Raises JobTimedOut, JobFailed, ContentRejected, JobExpired or JobCanceled.

    After the deadline the job is still SUBMITTED: it continues at the provider and can be resumed. A callback only
    makes the next poll earlier.
    """
    services = context.services
    age = max(0.0, services.now() - job.submitted_at) if job.submitted_at else _REPLICATION_SECONDS
    state, callbacks = _PollState(services.monotonic() - age), services.callbacks
    with ExitStack() as registration:
        if callbacks is not None and context.connection.provider.takes_callbacks:
            with suppress(OSError):  # without the secret there are no callbacks
                token = await asyncio.to_thread(callbacks.token, job.id)
                registration.enter_context(callbacks.register(token, state.wake_signal))
        registration.enter_context(services.poll_load.one_more())
        return await _until_final(job, context, state)


async def _until_final(job: Job, context: JobContext, state: _PollState) -> Job:
    services, provider = context.services, context.connection.provider
    began = services.monotonic()
    context.report(job, "queued")
    while True:
        left = began + services.deadline_seconds - services.monotonic()
        try:
            status = await wait_with_timeout(max(left, 1.0), _poll_once(job, context, state))
        except asyncio.TimeoutError:
            raise _deadline_error(job, context) from None
        if status.phase is TaskPhase.DONE:
            has_source = status.video_url or provider.content(job.task_id or "", job.model)
            state.done_without_url += not has_source
            if has_source or state.done_without_url > _RECHECKS_WITHOUT_URL:
                return await _succeeded(job, context, status)
        if status.phase in (TaskPhase.FAILED, TaskPhase.CANCELED):
            await _failed(job, context, status)
        if services.monotonic() - began > services.deadline_seconds:
            raise _deadline_error(job, context)
        await _wait_for_next_poll(job, context, status, state)


def _deadline_error(job: Job, context: JobContext) -> JobTimedOut:
    label, minutes = context.connection.label, context.services.deadline_seconds / 60
    text = (
        f"{label} has not finished within {minutes:.0f} minutes. The job continues there and is charged as usual. "
        f"To get the clip, run the same graph again, or: grok-imagine resume {job.id}"
    )
    return JobTimedOut(text, job_id=job.id, task_id=job.task_id)


async def _poll_once(job: Job, context: JobContext, state: _PollState) -> TaskStatus:
    services = context.services
    try:
        status, _ = await read_status(job.task_id or "", job.model, context.connection, services)
        state.unreadable = 0
    except TaskNotFound as error:
        if services.monotonic() - state.submitted_at < _REPLICATION_SECONDS:
            return TaskStatus(TaskPhase.UNKNOWN)
        raise await _stop(job, context, error) from error
    except UnreadableReply as error:
        state.unreadable += 1
        if state.unreadable < services.client.backoff.tries:
            return TaskStatus(TaskPhase.UNKNOWN, word="an answer that cannot be read")
        raise await _stop(job, context, error) from error
    except (ProviderError, TransportError) as error:
        raise await _stop(job, context, error) from error
    return status


async def read_status(
    task_id: str, model: str, connection: Connection, services: SessionServices
) -> tuple[TaskStatus, bytes]:
    """The task's state, with its result where that has an address of its own; and the answer that said so."""
    provider, client = connection.provider, services.client
    reply = await client.read(provider.poll(task_id, model), connection.endpoint, provider.refusal)
    status, call = provider.status(reply), provider.result(task_id, model)
    if call is None or status.phase is not TaskPhase.DONE or status.video_url:
        return status, reply.body
    try:
        reply = await client.read(call, connection.endpoint, provider.refusal)
        return provider.status(reply), reply.body
    except (BadRequest, ContentRefused) as error:  # the queue has done its part, and the task has failed
        fault = TaskError(str(error), error.code, is_moderation=isinstance(error, ContentRefused))
        return TaskStatus(TaskPhase.FAILED, word=status.word, error=fault), b""


async def confirm_task(task_id: str, connection: Connection, services: SessionServices, model: str = "") -> None:
    """Check with the provider that a task exists whose id the user entered, before it is stored.

    Raises TaskNotFound if the provider still does not know it after 15 s, which its replicas may need.
    """
    provider = connection.provider
    for pause in (*_CONFIRM_PAUSES, None):
        try:
            call = provider.poll(task_id, model)
            provider.status(await services.client.read(call, connection.endpoint, provider.refusal))
            return
        except TaskNotFound as error:
            if pause is None:
                text = (
                    f"{provider.label} does not know the task {task_id!r}: the id is wrong, or the task belongs to "
                    f"another account than the key of the connection {connection.name!r}. Nothing was changed."
                )
                raise TaskNotFound(text, status=error.status, code=error.code, request_id=error.request_id) from error
            await services.sleep(pause)


async def _stop(job: Job, context: JobContext, error: GrokImagineError) -> JobError:
    """The error that ends the wait. The job is still SUBMITTED."""
    await context.services.journal.update_fields(job, error=str(error), error_kind=type(error).__name__)
    label = context.connection.label
    if isinstance(error, TaskNotFound):
        text = (
            f"{label} does not know this task: {error}. Its id is wrong, or it belongs to another account than the key "
            f"of the connection {job.connection!r}. Attach the right id: grok-imagine attach {job.id} TASK_ID"
        )
    else:
        text = (
            f"{label} cannot be asked about the task: {error}. The job may still finish there and be charged. To ask "
            f"again, run the same graph again, or: grok-imagine resume {job.id}"
        )
    return JobError(text, job_id=job.id, task_id=job.task_id)


async def _wait_for_next_poll(job: Job, context: JobContext, status: TaskStatus, state: _PollState) -> None:
    """Wait until the next poll is due, reporting progress each second; less often while very many jobs wait."""
    services, stretch = context.services, context.services.poll_load.stretch
    note = ""
    if status.phase is TaskPhase.UNKNOWN and status.word and status.word not in state.unknown_words:
        state.unknown_words.add(status.word)
        note = f"unknown status {status.word!r}; still waiting"
    seconds = context.connection.provider.poll_schedule.interval(services.monotonic() - state.submitted_at)
    if status.phase is TaskPhase.DONE:
        seconds = 2.0
    last = services.monotonic()
    scheduled = last + seconds * context.connection.pace * stretch
    step = "queued" if status.phase is TaskPhase.QUEUED else "generating"
    while True:
        context.report(job, step, percent=status.percent, note=note)
        left = state.wake_signal.next_poll_at(last, scheduled) - services.monotonic()
        if left <= 0:
            return state.wake_signal.clear()
        await services.sleep(min(_TICK * stretch, left))


async def _succeeded(job: Job, context: JobContext, status: TaskStatus) -> Job:
    """The task is done and paid, even if no URL was found in the answer: the download polls again for one."""
    url = context.connection.endpoint.resolve(status.video_url) if status.video_url else None
    changes: dict[str, Any] = {"result_url": url, "error": None, "error_kind": None}
    if status.cost is not None:
        changes["billed_usd"] = status.cost.usd
    return await context.services.journal.advance(job, JobState.SUCCEEDED, **changes)


async def _failed(job: Job, context: JobContext, status: TaskStatus) -> None:
    fault = status.error or TaskError("no reason was given")
    kind: type[JobError] = JobFailed
    if fault.is_moderation:
        kind = ContentRejected
    elif fault.is_expired:
        kind = JobExpired
    elif status.phase is TaskPhase.CANCELED:
        kind = JobCanceled
    provider = context.connection.provider
    billed = status.cost.usd if status.cost else Decimal(0) if provider.refunds_failures else None
    code = f" (code {fault.code})" if fault.code else ""
    text = f"{context.connection.label} could not make the clip: {fault.message}{code}. {_bill(provider, billed)}"
    await context.services.journal.advance(
        job,
        JobState.FAILED,
        error=text,
        error_kind=kind.__name__,
        finished_at=context.services.now(),
        billed_usd=billed,
    )
    raise kind(text, job_id=job.id, task_id=job.task_id)


def _bill(provider: Provider, billed: Decimal | None) -> str:
    """Whether a failure was charged, as text."""
    if billed is None:
        return f"Whether {provider.label} charges for it is not documented: it counts as spent, look at your balance"
    return f"It was charged: ${billed.normalize():f}" if billed else "It is not charged"
