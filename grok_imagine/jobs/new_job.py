"""From a wish to a row in the journal: the identity of a clip, and the first line that is written of it."""

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
from .connections import Connection

_LONGEST_SOURCE = 15.0
"""Seconds: the longest source video that any dialect here takes."""


_FORMULAS: tuple[Callable[[VideoRequest, Mapping[str, str]], str], ...] = (VideoRequest.fingerprint,)
"""Every version of the formula of a request's identity, the newest first. New jobs take the newest, and jobs of the
older ones are still found. Never change one, or finished clips are paid again: put a new one in front."""


async def fingerprints(request: VideoRequest, connection: Connection, uploads: Uploads) -> tuple[str, ...]:
    """What makes this clip this clip: every input and the seed, the connection and its dialect; by each formula.

    Who asks is no part of it: the same inputs and seed are the same clip in every node, graph, list and command.
    A URL of our own making stands for its content: signed anew, it is still the same picture. So is one that an earlier
    encoder encoded in another way.
    """
    media = (*request.reference_images, request.source_video)
    known = await uploads.hashes_of([one for one in media if isinstance(one, str)])
    encoded = [one for one in media if isinstance(one, Blob)]
    count = max((len(one.earlier) for one in encoded), default=0)
    earlier = [
        {f"sha256:{one.sha256}": sha for one in encoded for sha in one.earlier[n : n + 1] if sha} for n in range(count)
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
    """A job that is about to be walked."""
    estimate = assumed_cost(request, connection, checked) or connection.provider.estimate(request, checked.capability)
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


def assumed_cost(
    request: VideoRequest, connection: Connection | ConnectionSettings, checked: CheckResult
) -> Cost | None:
    """What the clip is taken to cost by the user's own figures, which count before published prices; None without any.

    The seconds are those of the clip and of the source video together, as the gateways bill both; unknown lengths
    count as the longest there can be: a budget must not be passed for want of a figure.
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
    """A job for a task that was submitted elsewhere: its request is not known, its result can be fetched."""
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
    """Readable, sortable by time, unique: 20261121-101500-3f9a2c7b."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(now)) + f"-{secrets.token_hex(4)}"
