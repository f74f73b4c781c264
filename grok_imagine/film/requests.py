"""The request of each take of a film's shots."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RequestError, Violation
from ..jobs.connections import profile, sandbox_of
from ..jobs.new_job import estimate_cost
from ..models import Blob, Cost, MediaInput, Mode, VideoRequest
from .cast import Cast, Mention, load_cast, members_of, render
from .shots import Member, Shot, ShotList

if TYPE_CHECKING:
    from ..jobs.connections import Connection
    from ..jobs.session import Session

_MAX_FAULTS_SHOWN = 50
PLACEHOLDER = Blob(b"", "image/png")
"""Stands for the last frame of a clip that is not made yet."""


@dataclass(frozen=True)
class Film:
    """A film: its shots and what they share.

    ``base`` has the model, resolution, aspect ratio, seconds, motion mode and seed of shots that state none of their
    own. ``cast`` is added to the list's own; its paths are relative to ``folder``. Local files are read only with
    ``reads_files``: a workflow may come from anybody. ``is_draft`` makes the film on the sandbox that stands for the
    connection's provider, free.
    """

    list: ShotList
    connection: str
    base: VideoRequest
    cast: Sequence[Member] = ()
    folder: Path = Path()
    reads_files: bool = True
    is_draft: bool = False


@dataclass(frozen=True)
class ShotRequests:
    """Builds the requests of a film's shots for one connection."""

    connection: Connection
    base: VideoRequest
    cast: Cast
    has_references: bool = False
    """Whether the provider makes clips from references, so that an image need not be the first frame."""

    def build(self, shot: Shot, take: int, frame: Blob | None = None) -> VideoRequest:
        """The request of a take. ``frame`` is what a continued shot starts from.

        Images are numbered in the order in which they are sent: first ``frame``, then those of the cast.
        """
        members, _ = members_of(shot, self.cast)
        images: list[MediaInput] = [] if frame is None else [frame]
        numbers: dict[str, range] = {}
        for member in members:
            numbers[member] = range(len(images) + 1, len(images) + 1 + len(self.cast[member]))
            images += self.cast[member]
        changes: dict[str, object] = {
            "prompt": shot.prompt,
            "seed": (self.base.seed if shot.seed is None else shot.seed) + take - 1,
            "duration_seconds": shot.duration_seconds or self.base.duration_seconds,
            "reference_images": tuple(images),
        }
        if shot.continues:
            changes |= {"mode": Mode.IMAGE, "aspect_ratio": None}  # the output follows the frame's ratio
        elif members and self.has_references:
            changes["mode"] = Mode.REFERENCE
        request = self.base.model_copy(update=changes)
        capability, _ = self.connection.provider.judge(request)
        has_tokens = capability is not None and capability.mode in self.connection.provider.documents_tokens

        def spell(mention: Mention) -> str:
            if mention.member is None or not has_tokens:
                return mention.text.removeprefix("@")
            return " ".join(f"@image{number}" for number in numbers[mention.member])

        return request.model_copy(update={"prompt": render(shot.prompt, self.cast, spell)})


async def prepare_requests(session: Session, film: Film) -> ShotRequests:
    """Read the cast and open the connection. Raises RequestError with every fault of the cast."""
    connection = await session.connect(draft_connection(session, film.connection) if film.is_draft else film.connection)
    cast = await load_cast((*film.list.cast, *film.cast), film.folder, reads_files=film.reads_files)
    has_references = any(
        one.mode is Mode.REFERENCE and film.base.model in (None, one.model) for one in connection.provider.capabilities
    )
    return ShotRequests(connection, film.base, cast, has_references)


def draft_connection(session: Session, name: str) -> str:
    """The sandbox that stands for the provider of the connection ``name``."""
    return sandbox_of(profile(session.settings, name).provider.name)


def check_shots(session: Session, film: Film, requests: ShotRequests) -> list[Cost | None]:
    """Check every shot, and price one take of each; None without a price.

    Raises one RequestError with the faults of all shots.
    """
    faults: list[Violation] = []
    costs: list[Cost | None] = []
    for number, shot in enumerate(film.list.shots, 1):
        _, unknown = members_of(shot, requests.cast)
        faults += unknown
        if unknown:
            continue
        request = requests.build(shot, shot.take, PLACEHOLDER if shot.continues else None)
        try:
            checked = session.check(request, requests.connection)
        except RequestError as error:
            found = error.violations or (Violation("F5", "", str(error)),)
            faults += [replace(one, field=f"shot {number} (line {shot.line}), {one.field}") for one in found]
            continue
        costs.append(estimate_cost(request, requests.connection, checked))
    if faults:
        label = requests.connection.provider.label
        raise RequestError(
            f"This film cannot be made with {label}. Nothing was sent or charged.", faults[:_MAX_FAULTS_SHOWN]
        )
    return costs


async def frame_blob(session: Session, clip: Path) -> Blob:
    """The last frame of a clip, encoded for upload."""
    from ..media.join.segments import last_frame

    return (await session.publisher.images([await asyncio.to_thread(last_frame, clip)]))[0]
