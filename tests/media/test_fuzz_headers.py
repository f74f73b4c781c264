"""Damaged MP4 headers: probing ends soon, with numbers or a DecodeError."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import av
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grok_imagine.errors import DecodeError
from grok_imagine.media.mux.mp4_check import fault_of_file
from grok_imagine.media.probe import probe

ROOM = 512 * 1024 * 1024
"""Bytes that one spoilt header may make the process grow by."""


@pytest.fixture(scope="module")
def film() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
            stream = container.add_stream("libx264", rate=24)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for _ in range(4):
                container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
            container.mux(stream.encode(None))
        return path.read_bytes()


NUMBERS = st.sampled_from([0, 1, 7, 8, 0x7F, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF])
EDITS = st.lists(st.tuples(st.integers(0, 1 << 16), NUMBERS, st.sampled_from([1, 2, 4])), min_size=1, max_size=6)


def spoilt(film: bytes, edits: list[tuple[int, int, int]], cut: int) -> bytes:
    """The film with numbers written over its header, which comes first, and maybe cut."""
    data = bytearray(film)
    header = data.index(b"mdat")
    for place, number, size in edits:
        at = place % header
        data[at : at + size] = (number & (256**size - 1)).to_bytes(size, "big")
    return bytes(data[: len(data) - cut % len(data)] if cut else data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS, cut=st.just(0) | st.integers(0, 1 << 16))
def test_spoilt_headers_are_numbers_or_an_error(film: bytes, edits: list[tuple[int, int, int]], cut: int) -> None:
    before = psutil.Process().memory_info().rss
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spoilt.mp4"
        path.write_bytes(spoilt(film, edits, cut))
        fault = fault_of_file(path)
        assert fault is None or fault.startswith(("is ", "has "))
        found = None
        with suppress(DecodeError):  # any other error fails the test
            found = probe(path)
        assert found is None or min(found.width, found.height, found.frame_count) > 0
    assert psutil.Process().memory_info().rss - before < ROOM


@given(st.binary(max_size=2000), st.sampled_from([b"", b"\0\0\0\x10ftypisom\0\0\0\0", b"\0\0\0\1ftyp"]))
def test_the_check_of_any_bytes_ends(data: bytes, start: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.mp4"
        path.write_bytes(start + data)
        fault = fault_of_file(path)
    assert fault is None or fault.startswith(("is ", "has "))
