"""A local clip as the source of an edit or an extension: measured and judged first, then made fit to be uploaded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..models import Blob, VideoRequest

if TYPE_CHECKING:
    from .session import Session

# Stands for the file while everything else of the request is judged.
_PLACEHOLDER = Blob(b"", "video/mp4")


async def with_source(
    session: Session,
    connection_name: str,
    request: VideoRequest,
    path: Path,
    *,
    should_stop: Callable[[], bool] | None = None,
) -> VideoRequest:
    """The request with the file at ``path`` as its source, and the measured length of it in seconds.

    Every fault of the request, the length's included, is raised as one RequestError before the file is encoded.
    A request that has the source's URL already keeps it: the file is then only measured, and not uploaded.
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
    made = await asyncio.to_thread(lambda: prepare_video(path, should_stop=should_stop))
    return request.model_copy(update={"source_video": made.blob, "source_seconds": made.seconds})
