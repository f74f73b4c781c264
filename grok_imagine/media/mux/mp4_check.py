"""Checks whether an MP4 file is complete by the lengths of its boxes, without decoding or loading it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

_MOST_BOXES = 100_000
"""A short clip has a dozen. Limits the time for a file of tiny boxes."""


def fault_of_file(path: Path) -> str | None:
    """What is wrong with the MP4 file, as text that follows "the result"; None if its boxes fill it exactly.

    Reads only the boxes' headers (ISO/IEC 14496-12, 4.2). Raises OSError.
    """
    size = path.stat().st_size
    seen: list[bytes] = []
    with path.open("rb") as file:
        for position, length, kind in _boxes(file, size):
            if len(seen) >= _MOST_BOXES:
                return "has more boxes than any video"
            if not kind.isascii() or not kind.decode().isprintable():
                return None if _has_all(seen) else "is not an MP4 file"  # appended data, which players accept
            if not seen and kind != b"ftyp":
                return "is not an MP4 file"
            if position + length > size:
                return f"is cut short: it has {size} of at least {position + length} bytes"
            seen.append(kind)
    if not seen:
        return "is not an MP4 file"
    return None if _has_all(seen) else "is cut short: its index or its frames are missing"


def _has_all(seen: list[bytes]) -> bool:
    return b"moov" in seen and b"mdat" in seen


def _boxes(file: BinaryIO, size: int) -> Generator[tuple[int, int, bytes]]:
    """Position, length and type of each top-level box. The length is the stated one, also beyond the end."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        header = file.read(16)
        length, kind, least = int.from_bytes(header[:4], "big"), header[4:8], 8
        if length == 1:
            length, least = int.from_bytes(header[8:16], "big"), 16
        elif length == 0:  # to the end of the file
            length = size - position
        if length < least:
            yield position, length, b"\xff"  # not a box
            return
        yield position, length, kind
        position += length
