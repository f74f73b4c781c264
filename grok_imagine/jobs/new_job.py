"""New jobs: the fingerprint that identifies a request, and the job with its estimated cost."""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from collections.abc import Callable, Mapping
from decimal import Decimal

from ..journal.uploads import Uploads
from ..models import Blob, Cost, Job, JobState, VideoRequest
from ..providers import CheckResult
from ..settings import ConnectionSettings
from .connections import Connection, Profile

_LONGEST_SOURCE = 15.0
"""Seconds: the longest source video that any dialect accepts."""


_FORMULAS: tuple[Callable[[VideoRequest, Mapping[str, str]], str], ...] = (VideoRequest.fingerprint,)
"""All versions of the fingerprint formula, newest first. New jobs use the newest; the others find older jobs. Never
change one, or finished clips are paid again: put a new one in front."""


async def fingerprints(request: VideoRequest, connection: Connection | Profile, uploads: Uploads) -> tuple[str, ...]:
    """The request's fingerprints, newest formula first: hashes of all inputs, the seed, connection and dialect.

    The owner is not part of it: the same inputs and seed are the same clip in every node, graph, list and command. A
    URL of one of our uploads counts as its content, so a newly signed URL changes nothing. An image that an earlier
    version encoded differently has further fingerprints, by its earlier hashes.
    """
    media = (*request.reference_images, request.source_video)
    known = await uploads.hashes_of([url for url in media if isinstance(url, str)])
    blobs = [blob for blob in media if isinstance(blob, Blob)]
    count = max((len(blob.earlier) for blob in blobs), default=0)
    earlier = [
        {f"sha256:{blob.sha256}": sha for blob in blobs for sha in blob.earlier[n : n + 1] if sha} for n in range(count)
    ]
    name, dialect = connection.name, connection.provider.name
    texts = [
        f"{name}\n{dialect}\n{formula(request, {**known, **hashes})}"
        for formula in _FORMULAS
        for hashes in ({}, *earlier)
    ]
    return tuple(dict.fromkeys(hashlib.sha256(text.encode()).hexdigest() for text in texts))


def new_job(
    request: VideoRequest, connection: Connection, checked: CheckResult, *, owner: str, fingerprint: str, now: float
) -> Job:
    """A PREPARED job with its estimated cost."""
    estimate = estimate_cost(request, connection, checked)
    return Job(
        id=new_id(now),
        state=JobState.PREPARED,
        connection=connection.name,
        provider=connection.provider.name,
        model=checked.capability.model,
        mode=checked.capability.mode.value,
        request=request.as_json(),
        fingerprint=fingerprint,
        owner=owner,
        estimate_usd=estimate.usd if estimate else None,
        estimate_credits=estimate.credits if estimate else None,
    )


def estimate_cost(request: VideoRequest, connection: Connection, checked: CheckResult) -> Cost | None:
    """The clip's cost by the prices in the connection's settings, else by published ones; None without any."""
    return assumed_cost(request, connection, checked) or connection.provider.estimate(request, checked.capability)


def assumed_cost(
    request: VideoRequest, connection: Connection | ConnectionSettings, checked: CheckResult
) -> Cost | None:
    """The clip's cost by the prices in the connection's settings; None without any.

    Counts the seconds of the clip and of the source video, as gateways bill both. An unknown length counts as the
    longest possible, so that a budget is not exceeded.
    """
    if connection.assumed_usd_per_clip is None and connection.assumed_usd_per_second is None:
        return None
    duration, clip = checked.capability.duration, request.duration_seconds
    if clip is None:
        clip = (duration.default or duration.longest) if duration else 0
    source = math.ceil(request.source_seconds or _LONGEST_SOURCE) if request.source_video is not None else 0
    by_second = (connection.assumed_usd_per_second or 0) * (clip + source + (source if not duration else 0))
    return Cost(None, (connection.assumed_usd_per_clip or Decimal(0)) + by_second)


def job_for_external_task(connection: Connection, task_id: str, now: float) -> Job:
    """A job for a task that was submitted elsewhere. Its request is unknown, but its result can be downloaded."""
    return Job(
        id=new_id(now),
        state=JobState.SUBMITTED,
        connection=connection.name,
        provider=connection.provider.name,
        model="",
        mode="",
        request={},
        fingerprint="",
        task_id=task_id,
        submitted_at=now,
        origin=connection.origin,
    )


def new_id(now: float) -> str:
    """A unique job id that sorts by time: 20261121-101500-3f9a2c7b."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(now)) + f"-{secrets.token_hex(4)}"
