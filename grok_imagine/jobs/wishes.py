"""From a wish to a row in the journal: the identity of a clip, and the first line that is written of it."""

from __future__ import annotations

import hashlib
import secrets
import time

from ..journal.uploads import Uploads
from ..models import Job, State, VideoRequest
from ..providers import Checked
from .connections import Connection


async def fingerprint(request: VideoRequest, connection: Connection, uploads: Uploads) -> str:
    """What makes this clip this clip: every input and the seed, the connection and its dialect.

    A URL of our own making stands for its content: signed anew, it is still the same picture.
    """
    given = [one for one in (*request.reference_images, request.source_video) if isinstance(one, str)]
    known = await uploads.contents(given)
    identity = request.fingerprint(known)
    return hashlib.sha256(f"{connection.name}\n{connection.provider.name}\n{identity}".encode()).hexdigest()


def new_job(
    request: VideoRequest, connection: Connection, checked: Checked, *, owner: str, fingerprint: str, now: float
) -> Job:
    """A job that is about to be walked."""
    estimate = connection.provider.estimate(request, checked.capability)
    return Job(
        id=new_id(now),
        state=State.PREPARED,
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


def adopted(connection: Connection, task_id: str, now: float) -> Job:
    """A job for a task that was submitted elsewhere: its request is not known, its result can be fetched."""
    return Job(
        id=new_id(now),
        state=State.SUBMITTED,
        connection=connection.name,
        provider=connection.provider.name,
        model="",
        mode="",
        request={},
        fingerprint="",
        task_id=task_id,
        submitted_at=now,
    )


def new_id(now: float) -> str:
    """Readable, sortable by time, unique: 20261121-101500-3f9a2c7b."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(now)) + f"-{secrets.token_hex(4)}"
