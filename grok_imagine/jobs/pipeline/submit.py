"""PREPARED to SUBMITTED: upload the media, then send the one POST that costs money.

The POST is journaled before it is sent and after its answer. It is sent again only if certainly nothing was accepted:
no byte was sent, or the provider answered 429. Any other failure leaves the job SUBMITTING, *outcome unknown*, which
only the user can resolve. A provider that remembers submits by an idempotency key is the exception: the same POST with
the same key is charged once, and its answer resolves the job.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from contextlib import suppress
from decimal import Decimal
from typing import Any, NoReturn

from ...errors import (
    ConnectFailed,
    ContentRefused,
    ContentRejected,
    GrokImagineError,
    JobFailed,
    JournalError,
    ProviderDown,
    ProviderError,
    RateLimited,
    StorageError,
    SubmitUncertain,
    TransportError,
    UnreadableReply,
)
from ...journal.journal import JobConflict
from ...models import Blob, Job, JobState, MediaInput, Reply, VideoRequest
from ...models.url import is_loopback
from ...providers import Provider, PublicUrls
from ...transport.client import retry_after_of
from .context import JobContext

UNKNOWN_OUTCOME = (
    "Outcome unknown: {label} sent no answer that could be read, so it may have accepted and charged this job. The job "
    "is not sent again automatically. Check the provider's dashboard. If the task is there, attach its id: "
    "grok-imagine attach JOB TASK_ID, or the Wait For Task node. If it is not, submit the job again: "
    "grok-imagine again JOB."
)


_MARGIN = 600.0
"""Seconds by which this clock and the provider's may differ, and a POST may take."""


class _NotAccepted(Exception):
    """The job was certainly not accepted and is PREPARED again."""

    def __init__(self, job: Job, cause: GrokImagineError) -> None:
        self.job = job
        self.cause = cause
        super().__init__(str(cause))


async def submit(job: Job, context: JobContext) -> Job:
    """Take the job from PREPARED to SUBMITTED. Raises StorageError, ProviderError, SubmitUncertain or ConnectFailed."""
    if context.request is None:
        raise JobFailed(
            "This job was never sent, and its images are no longer available. Nothing was charged. Run the graph or "
            "the command again",
            job_id=job.id,
        )
    failures = 0
    while True:
        urls = await _publish(job, context, context.request)  # at each try, since a URL may have expired while waiting
        context.report(job, "submitting")
        await context.connection.endpoint.wait_turn()
        try:
            return await context.services.run_in_flight(job.id, _post(job, context, context.request, urls))
        except _NotAccepted as refused:
            job, cause = refused.job, refused.cause
            failures += 1
            if failures >= context.services.submit_backoff.tries:
                raise cause from None
            delay = context.services.submit_backoff.delay(failures, retry_after_of(cause))
            context.report(job, "submitting", note=f"not accepted yet ({cause}); trying again in {delay:.0f} s")
            await context.connection.endpoint.wait_before_retry(delay, cause, context.services.sleep)


async def handle_uncertain(job: Job, context: JobContext) -> Job:
    """Handle a job that is already SUBMITTING. Raises SubmitUncertain; nothing is sent.

    If its POST is in flight, wait for the answer first: in this session (an interrupted node that was queued again), or
    in another session or process until ``answer_seconds`` have passed.
    """
    running = context.services.in_flight(job.id)
    if running is not None:
        try:
            return await running
        except _NotAccepted as refused:
            return refused.job
    if job.error_kind is None:
        services = context.services
        sent_at = services.monotonic() - max(0.0, services.now() - job.updated_at)
        while services.monotonic() - sent_at < services.answer_seconds:
            context.report(job, "submitting", note="sent by another run; waiting for its answer")
            await context.services.sleep(1.0)
            current = await context.services.journal.get(job.id)
            if current is None or current.state is not JobState.SUBMITTING or current.error_kind:
                job = current or job
                break
        if job.state is not JobState.SUBMITTING:
            return job
    if context.request is not None and await _is_remembered(job, context):
        return await context.services.run_in_flight(job.id, _ask_again(job, context, context.request))
    raise SubmitUncertain(UNKNOWN_OUTCOME.format(label=context.connection.label), job_id=job.id)


async def _is_remembered(job: Job, context: JobContext) -> bool:
    """Whether the provider still knows the job's idempotency key, which holds for one account alone.

    The job was created before its POST.
    """
    idempotency = context.connection.provider.definition.idempotency
    if idempotency is None:
        return False
    age = context.services.now() - job.created_at
    steps = await context.services.journal.history(job.id)
    sent = next((step["note"] for step in reversed(steps) if step["after"] == JobState.SUBMITTING.value), None)
    return -_MARGIN < age < 3600 * idempotency.hours - _MARGIN and sent == _account(job, context)


def _account(job: Job, context: JobContext) -> str | None:
    """What the journal keeps of the account that a POST is sent from; None if it is not needed."""
    if not context.connection.provider.remembers_submits:
        return None
    return f"from account {context.connection.endpoint.account(job.id)}"


async def _ask_again(job: Job, context: JobContext, request: VideoRequest) -> Job:
    """The POST of a job of unknown outcome once more, with its own idempotency key.

    Only an answer with a task id resolves it: a refusal now does not say that the first POST was refused, too.
    """
    services, provider = context.services, context.connection.provider
    urls = await _publish(job, context, request)
    call = provider.submit(request, urls, _idempotency_key(job))
    reason = "no answer"
    for failures in range(1, services.submit_backoff.tries):
        await context.connection.endpoint.wait_turn()
        try:
            reply = await services.client.send(call, context.connection.endpoint)
            if reply.is_success:
                return await _save_task_id(job, context, provider.task_id(reply))
            reason, wait = str(provider.refusal(reply)), reply.retry_after
        except (TransportError, ProviderError) as error:
            reason, wait = str(error), retry_after_of(error)
        delay = services.submit_backoff.delay(failures, wait)
        context.report(job, "submitting", note=f"outcome unknown ({reason}); asking again in {delay:.0f} s")
        await services.sleep(delay)
    text = f"{UNKNOWN_OUTCOME.format(label=context.connection.label)} Asked again, it answered: {reason}"
    raise SubmitUncertain(text, job_id=job.id)


def _idempotency_key(job: Job) -> str:
    """The same for every POST of the job, and for no other job."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{job.id} {job.fingerprint}"))


async def _publish(job: Job, context: JobContext, request: VideoRequest) -> PublicUrls:
    """Upload the request's media. Returns their URLs in the request's order, and the callback's URL."""
    video = request.source_video
    media: list[MediaInput] = [*request.reference_images, *([video] if video is not None else [])]
    if any(isinstance(item, Blob) for item in media):
        context.report(job, "uploading")
    try:
        urls = await context.services.publisher.publish(job, context.store(), media)
    except StorageError as error:
        await context.services.journal.update_fields(job, error=str(error), error_kind=type(error).__name__)
        raise
    count = len(request.reference_images)
    return PublicUrls(tuple(urls[:count]), urls[count] if video is not None else None, await _callback(job, context))


async def _callback(job: Job, context: JobContext) -> str | None:
    """The callback's URL; None if the provider supports none or could not reach it."""
    callbacks = context.services.callbacks
    if callbacks is None or callbacks.base is None or not context.connection.provider.takes_callbacks:
        return None
    if is_loopback(callbacks.base) and not context.connection.is_local:
        return None
    with suppress(OSError):  # without the secret there are no callbacks; polling works without them
        return await asyncio.to_thread(callbacks.address, job.id)
    return None


async def _post(job: Job, context: JobContext, request: VideoRequest, urls: PublicUrls) -> Job:
    """Journal the POST, send it, and journal its outcome."""
    journal, provider = context.services.journal, context.connection.provider
    call = provider.submit(request, urls, _idempotency_key(job))
    sent: dict[str, Any] = {"error": None, "error_kind": None, "origin": context.connection.origin}
    job = await journal.advance(job, JobState.SUBMITTING, note=_account(job, context), **sent)
    try:
        reply = await context.services.client.send(call, context.connection.endpoint)
        task_id = _accepted_task_id(provider, reply)
    except (ConnectFailed, RateLimited) as error:
        job = await journal.advance(job, JobState.PREPARED, note=str(error), error=str(error), error_kind=_kind(error))
        raise _NotAccepted(job, error) from error
    except (TransportError, ProviderDown, UnreadableReply) as error:
        job = await journal.update_fields(job, error=str(error), error_kind=SubmitUncertain.__name__)
        if await _is_remembered(job, context):
            return await _ask_again(job, context, request)
        text = f"{UNKNOWN_OUTCOME.format(label=context.connection.label)} What happened: {error}"
        raise SubmitUncertain(text, job_id=job.id) from error
    except ContentRefused as error:
        await _end_rejected(job, context, error)
    except ProviderError as error:
        await journal.advance(job, JobState.FAILED, error=str(error), error_kind=_kind(error), **_not_charged(context))
        raise
    return await _save_task_id(job, context, task_id)


async def _end_rejected(job: Job, context: JobContext, error: ContentRefused) -> NoReturn:
    """Fail a job whose request moderation refused. Nothing was charged, and it is not sent to any provider again."""
    text = (
        f"{context.connection.label} refused the request: {error}. No job was created, so nothing is charged. Change "
        "the prompt or the images"
    )
    await context.services.journal.advance(
        job, JobState.FAILED, error=text, error_kind=ContentRejected.__name__, **_not_charged(context)
    )
    raise ContentRejected(text, job_id=job.id) from error


def _not_charged(context: JobContext) -> dict[str, Any]:
    """The fields of a job that ends now without having been accepted."""
    return {"finished_at": context.services.now(), "billed_usd": Decimal(0)}


_UNKNOWN_STATUSES = frozenset({408, 409, 421, 499})
"""Client errors that a server or a proxy may also answer after it has accepted the request."""


def _accepted_task_id(provider: Provider, reply: Reply) -> str:
    """The task id in a submit's answer. Only the status 429 means that nothing was accepted, whatever the text says."""
    is_refusal = 400 <= reply.status < 500 and reply.status not in _UNKNOWN_STATUSES
    if not (reply.is_success or is_refusal):
        # Also a redirect: it is not followed, and its sender may have accepted the job.
        raise ProviderDown(str(provider.refusal(reply)), status=reply.status)
    try:
        if not reply.is_success:
            raise provider.refusal(reply)
        return provider.task_id(reply)
    except RateLimited as error:
        if error.status == 429:
            raise
        raise ProviderDown(str(error), status=error.status, code=error.code) from error


async def _save_task_id(job: Job, context: JobContext, task_id: str) -> Job:
    """Store the id of a paid task. If that fails, log it and raise SubmitUncertain with the id."""
    changes: dict[str, Any] = {
        "task_id": task_id,
        "submitted_at": context.services.now(),
        "error": None,
        "error_kind": None,
    }
    for tries_left in (2, 1, 0):
        try:
            return await context.services.journal.advance(job, JobState.SUBMITTED, **changes)
        except JournalError as error:
            # The commit may have succeeded although its connection was lost: then the id is stored.
            if isinstance(error, JobConflict):
                current = await context.services.journal.get(job.id)
                if current is not None and current.task_id == task_id:
                    return current
            if tries_left:
                await context.services.sleep(2.0)
                continue
            text = (
                f"{context.connection.label} accepted the job as task {task_id} and charges it, but the journal could "
                f"not be written ({error}). The id is kept beside the journal and stored as soon as that works. If the "
                f"job is then still of unknown outcome: grok-imagine attach {job.id} {task_id}"
            )
            logging.getLogger(__name__).error("%s", text)  # the caller may be gone
            raise SubmitUncertain(text, job_id=job.id, task_id=task_id) from error
    raise AssertionError("unreachable")


def _kind(error: Exception) -> str:
    return type(error).__name__
