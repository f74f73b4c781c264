"""Is an MP4 file whole? Its boxes say how long they are, so a cut shows without decoding, or loading, anything."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

_MOST_BOXES = 100_000
"""A clip of some seconds has a dozen; a file of nothing but tiny boxes must not keep us for minutes."""


def fault_of_file(path: Path) -> str | None:
    """What is wrong with the MP4 file, in words that follow "the result"; None when its boxes fill it exactly.

    Reads only the boxes' headers (ISO/IEC 14496-12, 4.2). Raises OSError.
    """
    size = path.stat().st_size
    seen: list[bytes] = []
    with path.open("rb") as file:
        for place, length, kind in _boxes(file, size):
            if len(seen) >= _MOST_BOXES:
                return "has more boxes than any video"
            if not kind.isascii() or not kind.decode().isprintable():
                return None if _has_all(seen) else "is not an MP4 file"  # something appended, as players let pass
            if not seen and kind != b"ftyp":
                return "is not an MP4 file"
            if place + length > size:
                return f"is cut short: it has {size} of at least {place + length} bytes"
            seen.append(kind)
    if not seen:
        return "is not an MP4 file"
    return None if _has_all(seen) else "is cut short: its index or its frames are missing"


def _has_all(seen: list[bytes]) -> bool:
    return b"moov" in seen and b"mdat" in seen


def _boxes(file: BinaryIO, size: int) -> Generator[tuple[int, int, bytes]]:
    """Place, length and kind of each box of the top level; a length beyond the end is told as it is stated."""
    place = 0
    while place + 8 <= size:
        file.seek(place)
        header = file.read(16)
        length, kind, least = int.from_bytes(header[:4], "big"), header[4:8], 8
        if length == 1:
            length, least = int.from_bytes(header[8:16], "big"), 16
        elif length == 0:  # to the end of the file
            length = size - place
        if length < least:
            yield place, length, b"\xff"  # no box at all
            return
        yield place, length, kind
        place += length
