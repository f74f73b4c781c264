"""A video joined from finished clips, kept in the results folder and found there again."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MediaError
from ..filelock import replace_file
from ..private_files import private_folder

if TYPE_CHECKING:
    from ..media.join.join import Joined, Part

_JOIN_VERSION = "3"
"""Incremented when the same clips would be joined into different bytes."""


async def join_once(
    home: Path,
    identity: Iterable[str],
    parts: Callable[[], Sequence[Part]],
    facts: Callable[[Joined], Mapping[str, object]],
    description: str,
    should_stop: Callable[[], bool] | None,
) -> tuple[Path, Joined | None]:
    """Join ``parts``, unless the video that ``identity`` names exists already; then None stands for its numbers.

    ``facts`` and ``description`` become the video's metadata. Raises DecodeError and DecodeStopped.
    """
    name = hashlib.sha256("\n".join([_JOIN_VERSION, *identity]).encode())
    target = private_folder(home / "results") / f"film-{name.hexdigest()[:24]}.mp4"
    if target.is_file():
        return target, None

    def work() -> Joined:
        from ..media.join.join import join
        from ..media.mux.metadata import stamp

        joined = join(parts(), partial, should_stop=should_stop)
        with suppress(MediaError):  # the joined video is worth more than its metadata
            stamp(partial, facts(joined), description)
        replace_file(partial, target)
        return joined

    partial = target.with_suffix(f".{secrets.token_hex(4)}.part")
    try:
        return target, await asyncio.to_thread(work)
    finally:
        partial.unlink(missing_ok=True)
