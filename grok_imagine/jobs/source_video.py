"""Uses a local video as the source of an edit or an extension: checks the request first, then prepares the file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..models import Blob, VideoRequest

if TYPE_CHECKING:
    from .session import Session

# Stands for the file while the rest of the request is checked.
_PLACEHOLDER = Blob(b"", "video/mp4")


async def with_source(
    session: Session,
    connection_name: str,
    request: VideoRequest,
    path: Path,
    *,
    should_stop: Callable[[], bool] | None = None,
) -> VideoRequest:
    """The request with the file at ``path`` as its source video, and its length in seconds.

    Raises one RequestError with every fault of the request, including the length, before the file is encoded. A
    request that has the source's URL already keeps it: the file is then only measured.
    """
    from ..media.mux.source_video import prepare_video
    from ..media.probe import probe

    connection = await session.connect(connection_name)
    facts = await asyncio.to_thread(probe, path)
    source = request.source_video if request.source_video is not None else _PLACEHOLDER
    draft = request.model_copy(update={"source_video": source, "source_seconds": float(facts.duration)})
    session.check(draft, connection)
    if request.source_video is not None:
        return draft
    prepared = await asyncio.to_thread(lambda: prepare_video(path, should_stop=should_stop))
    return request.model_copy(update={"source_video": prepared.blob, "source_seconds": prepared.seconds})
