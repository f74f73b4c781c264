"""Downloads that break off: what a later try asks for, what it refuses to glue together, and what counts as whole."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from grok_imagine.errors import FetchFailed, TransportError
from grok_imagine.media.mux.mp4_check import fault_of_file
from grok_imagine.models import Call
from grok_imagine.transport.client import Client
from grok_imagine.transport.download import download
from grok_imagine.transport.partial_download import PartialDownload
from grok_imagine.transport.retry import Backoff

from ..support.http_server import endpoint, serving
from ..support.privacy import is_private
from ..support.sessions import hurried


def box(kind: bytes, size: int) -> bytes:
    return (8 + size).to_bytes(4, "big") + kind + bytes(size)


VIDEO = box(b"ftyp", 16) + box(b"moov", 500) + box(b"mdat", 300_000)
OTHER = box(b"ftyp", 16) + box(b"moov", 500) + b"\0\4\x93\xe8mdat" + b"x" * 300_000


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(Backoff(tries=4), sleep=hurried) as opened:
        yield opened


class Server:
    """A file, with ETag and Range, whose first answers are cut after ``cut`` bytes each."""

    def __init__(self, data: bytes = VIDEO, cuts: tuple[int, ...] = (), **headers: str) -> None:
        self.data, self.cuts = data, list(cuts)
        self.headers = {"ETag": '"one"', "Content-Type": "video/mp4", **headers}
        self.says_length = True
        self.asked: list[tuple[str, str]] = []
        self.sent = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        wanted, condition = request.headers.get("Range", ""), request.headers.get("If-Range", "")
        self.asked.append((wanted, condition))
        known = (self.headers.get("ETag"), self.headers.get("Last-Modified"))
        first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and condition in known else 0
        headers = {name: value for name, value in self.headers.items() if value}
        if first >= len(self.data):
            return web.Response(status=416)
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(self.data) - 1}/{len(self.data)}"
        response = web.StreamResponse(status=206 if first else 200, headers=headers)
        if self.says_length:
            response.content_length = len(self.data) - first
        else:
            response.force_close()
        await response.prepare(request)
        end = first + self.cuts.pop(0) if self.cuts else len(self.data)
        self.sent += end - first
        await response.write(self.data[first:end])
        if end < len(self.data):
            assert request.transport is not None
            request.transport.close()
        else:
            await response.write_eof()
        return response


async def fetch(client: Client, url: str, target: Path, **more: Any) -> int:
    return await download(
        client, Call.get(f"{url}/x"), endpoint(url), target, limit=1_000_000, check=fault_of_file, keep=True, **more
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("validator", ["etag", "date"])
async def test_each_try_asks_for_the_rest(validator: str, client: Client, tmp_path: Path) -> None:
    server = Server(cuts=(100_000, 100_000))
    if validator == "date":
        server.headers |= {"ETag": "", "Last-Modified": "Sat, 21 Nov 2020 12:00:00 GMT"}
    condition = server.headers["ETag"] or server.headers["Last-Modified"]
    target, seen = tmp_path / "clip.mp4", list[int]()
    async with serving(x=server.answer) as url:
        for _ in range(2):
            with pytest.raises(TransportError):
                await fetch(client, url, target)
            assert names(tmp_path) == [".clip.mp4.part", ".clip.mp4.part.json"]
            assert all(is_private(path) for path in tmp_path.iterdir())
        assert await fetch(client, url, target, on_bytes=lambda size, total: seen.append(size)) == len(VIDEO)
    assert target.read_bytes() == VIDEO
    assert [one[1] for one in server.asked] == ["", condition, condition]
    assert server.sent == len(VIDEO), "no byte was sent twice"
    assert seen[0] > 200_000
    assert names(tmp_path) == ["clip.mp4"]


async def cut_then(client: Client, tmp_path: Path, server: Server, change: Callable[[], object]) -> tuple[int, Path]:
    target = tmp_path / "clip.mp4"
    async with serving(x=server.answer) as url:
        with pytest.raises(TransportError):
            await fetch(client, url, target)
        change()
        for tries in range(1, 4):
            try:
                await fetch(client, url, target)
                return tries, target
            except TransportError:
                continue
    raise AssertionError("it never came whole")


async def test_another_file_is_not_glued_to_what_is_here(client: Client, tmp_path: Path) -> None:
    server = Server(cuts=(100_000,))

    def change() -> None:
        server.data, server.headers["ETag"] = OTHER, '"two"'

    tries, target = await cut_then(client, tmp_path, server, change)
    assert tries == 1
    assert target.read_bytes() == OTHER


async def test_a_server_that_ignores_if_range_is_found_out(client: Client, tmp_path: Path) -> None:
    """It answers with the rest of another file: told by its ETag, or by its length."""
    server = Server(cuts=(100_000,))

    async def careless(request: web.Request) -> web.StreamResponse:
        if not server.cuts and request.headers.get("Range"):
            first = int(request.headers["Range"].removeprefix("bytes=").rstrip("-"))
            headers = {"Content-Range": f"bytes {first}-{len(OTHER) - 1}/{len(OTHER)}", "ETag": '"two"'}
            return web.Response(status=206, body=OTHER[first:], headers=headers, content_type="video/mp4")
        return await server.answer(request)

    target = tmp_path / "clip.mp4"
    async with serving(x=careless) as url:
        with pytest.raises(TransportError):
            await fetch(client, url, target)
        with pytest.raises(FetchFailed, match="another file"):
            await fetch(client, url, target)
        assert names(tmp_path) == []
        server.data = OTHER
        await fetch(client, url, target)
    assert target.read_bytes() == OTHER


async def test_what_no_validator_vouches_for_is_fetched_anew(client: Client, tmp_path: Path) -> None:
    server = Server(cuts=(100_000,), ETag='W/"weak"')
    tries, target = await cut_then(client, tmp_path, server, lambda: None)
    assert tries == 1
    assert target.read_bytes() == VIDEO
    assert [one[0] for one in server.asked] == ["", ""]


async def test_a_server_that_knows_no_ranges_sends_the_whole(client: Client, tmp_path: Path) -> None:
    server = Server(cuts=(100_000,))

    async def plain(request: web.Request) -> web.StreamResponse:
        return await server.answer(request) if server.cuts else web.Response(body=VIDEO, content_type="video/mp4")

    target = tmp_path / "clip.mp4"
    async with serving(x=plain) as url:
        with pytest.raises(TransportError):
            await fetch(client, url, target)
        await fetch(client, url, target)
    assert target.read_bytes() == VIDEO


async def test_a_cut_without_a_length_is_seen_by_the_boxes(client: Client, tmp_path: Path) -> None:
    """The connection ends early and nothing else tells: it must not pass for the whole film."""
    server = Server(VIDEO, ETag="")
    server.says_length = False
    server.data = VIDEO[:150_000]
    target = tmp_path / "clip.mp4"
    async with serving(x=server.answer) as url:
        with pytest.raises(FetchFailed, match="cut short: it has 150000 of at least"):
            await fetch(client, url, target)
        assert names(tmp_path) == []
        server.data = VIDEO
        await fetch(client, url, target)
    assert target.read_bytes() == VIDEO


async def test_a_whole_length_of_half_a_film_is_seen_too(client: Client, tmp_path: Path) -> None:
    server = Server(VIDEO[:-1])
    async with serving(x=server.answer) as url:
        with pytest.raises(FetchFailed, match="cut short"):
            await fetch(client, url, tmp_path / "clip.mp4")
    assert names(tmp_path) == []


async def test_an_endless_body_stops_at_the_limit(client: Client, tmp_path: Path) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "video/mp4", "ETag": '"x"'})
        await response.prepare(request)
        await response.write(VIDEO)
        while request.transport is not None and not request.transport.is_closing():
            await response.write(bytes(65536))
        return response

    async with serving(x=endless) as url:
        with pytest.raises(FetchFailed, match="larger than the limit"):
            await fetch(client, url, tmp_path / "clip.mp4")
    assert names(tmp_path) == []


async def test_a_packed_answer_is_unpacked_within_the_limit(client: Client, tmp_path: Path) -> None:
    """A small packed body may unpack to any size."""
    bodies = [gzip.compress(VIDEO), gzip.compress(VIDEO + bytes(3_000_000))]

    async def packed(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(body=bodies.pop(0), headers={"Content-Encoding": "gzip"}, content_type="video/mp4")

    async with serving(x=packed) as url:
        await fetch(client, url, tmp_path / "clip.mp4")
        assert (tmp_path / "clip.mp4").read_bytes() == VIDEO
        with pytest.raises(FetchFailed, match="larger than the limit"):
            await fetch(client, url, tmp_path / "bomb.mp4")
    assert names(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize("piece", [0, 20])
async def test_a_download_that_drips_has_an_end(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    """No timeout between two bytes runs out: the least rate over a window ends it, and what came is kept."""
    monkeypatch.setattr("grok_imagine.transport.download.WINDOW_SECONDS", 0.4)
    server, target = Server(), tmp_path / "clip.mp4"

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=server.headers)
        response.content_length = len(VIDEO)
        await response.prepare(request)
        sent = 0
        while request.transport is not None and not request.transport.is_closing():
            await response.write(VIDEO[sent : sent + piece])
            sent += piece
            await asyncio.sleep(0.02)
        return response

    async with serving(x=drip) as url:
        with pytest.raises(FetchFailed, match="of the result came within") as ended:
            await fetch(client, url, target)
    assert ended.value.is_slow == (piece > 0)
    assert names(tmp_path) == ([".clip.mp4.part", ".clip.mp4.part.json"] if piece else [])
    async with serving(x=server.answer) as url:
        assert await fetch(client, url, target) == len(VIDEO)
    assert bool(server.asked[0][0]) == (piece > 0), "only the rest is asked for"


async def test_a_fast_download_of_several_windows_goes_on(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grok_imagine.transport.download.WINDOW_SECONDS", 0.2)
    server = Server()

    async def steady(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=server.headers)
        response.content_length = len(VIDEO)
        await response.prepare(request)
        for at in range(0, len(VIDEO), 10_000):
            await response.write(VIDEO[at : at + 10_000])
            await asyncio.sleep(0.02)
        return response

    async with serving(x=steady) as url:
        assert await fetch(client, url, tmp_path / "clip.mp4") == len(VIDEO)


async def test_two_walkers_do_not_write_one_part(client: Client, tmp_path: Path) -> None:
    """As two processes on one job: each gets the film whole, and nothing else is left."""
    target, both = tmp_path / "clip.mp4", asyncio.Event()
    came = 0

    async def slow(request: web.Request) -> web.StreamResponse:
        nonlocal came
        response = web.StreamResponse(headers={"ETag": '"one"', "Content-Type": "video/mp4"})
        response.content_length = len(VIDEO)
        await response.prepare(request)
        await response.write(VIDEO[:100_000])
        came += 1
        if came == 2:
            both.set()
        await both.wait()
        await response.write(VIDEO[100_000:])
        return response

    async with serving(x=slow) as url:
        await asyncio.gather(fetch(client, url, target), fetch(client, url, target))
    assert target.read_bytes() == VIDEO
    assert names(tmp_path) == ["clip.mp4"]


async def test_an_interrupt_leaves_what_came_for_the_next_run(client: Client, tmp_path: Path) -> None:
    target, came = tmp_path / "clip.mp4", asyncio.Event()
    server = Server()

    async def stuck(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=server.headers)
        response.content_length = len(VIDEO)
        await response.prepare(request)
        await response.write(VIDEO[:200_000])
        await asyncio.Event().wait()
        raise AssertionError

    def seen(size: int, total: int | None) -> None:
        if size >= 200_000:
            came.set()

    async with serving(x=stuck) as url:
        fetching = asyncio.create_task(fetch(client, url, target, on_bytes=seen))
        await came.wait()
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
    assert (tmp_path / ".clip.mp4.part").stat().st_size == 200_000
    async with serving(x=server.answer) as url:
        await fetch(client, url, target)
    assert server.asked == [("bytes=200000-", '"one"')]
    assert target.read_bytes() == VIDEO


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"validator": 3, "total": "x"}', b'{"validator": ""}', b"\xff"])
def test_a_part_whose_note_is_spoilt_is_begun_anew(note: bytes, tmp_path: Path) -> None:
    (tmp_path / ".clip.mp4.part").write_bytes(VIDEO[:1000])
    (tmp_path / ".clip.mp4.part.json").write_bytes(note)
    part = PartialDownload.open(tmp_path / "clip.mp4", keep=True)
    assert part.size == 0
    part.close()
    assert names(tmp_path) == []


def test_a_part_that_another_just_finished_is_not_written_into(tmp_path: Path) -> None:
    target = tmp_path / "clip.mp4"
    first = PartialDownload.open(target, keep=True)
    first.begin(0, '"x"', None)
    first.file.write(VIDEO)
    second = PartialDownload.open(target, keep=True)
    assert second.path != first.path
    first.finish()
    second.begin(0, '"x"', None)
    second.file.write(b"rubbish")
    second.close()
    assert target.read_bytes() == VIDEO
    assert names(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize("validator", ["", '"x"'])
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("moves_open_files", [True, False] if os.name == "posix" else [False])
def test_a_whole_part_takes_its_name(
    moves_open_files: bool, keep: bool, validator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also as on Windows, where it is closed before; and where nothing could be gone on from."""
    monkeypatch.setattr("grok_imagine.transport.partial_download._MOVES_OPEN_FILES", moves_open_files)
    part = PartialDownload.open(tmp_path / "clip.mp4", keep=keep)
    part.begin(0, validator, len(VIDEO))
    part.file.write(VIDEO)
    part.finish()
    part.close()
    assert (tmp_path / "clip.mp4").read_bytes() == VIDEO
    assert names(tmp_path) == ["clip.mp4"]


# -- boxes

WHOLE = {
    "index first": VIDEO,
    "index last": box(b"ftyp", 16) + box(b"free", 0) + box(b"mdat", 99) + box(b"moov", 50),
    "64-bit length": box(b"ftyp", 16) + box(b"moov", 5) + b"\0\0\0\1mdat" + (16 + 7).to_bytes(8, "big") + bytes(7),
    "to the end": box(b"ftyp", 16) + box(b"moov", 5) + b"\0\0\0\0mdat" + bytes(999),
    "something appended": VIDEO + b"\xde\xad\xbe\xef\xde\xad\xbe\xef\xde\xad",
    "less than a box appended": VIDEO + b"\0\0\0",
    "fragments": box(b"ftyp", 16) + box(b"moov", 5) + (box(b"moof", 9) + box(b"mdat", 99)) * 50,
}
BROKEN = {
    "empty": (b"", "not an MP4"),
    "tiny": (b"\0\0\0\x08fty", "not an MP4"),
    "no ftyp": (box(b"moov", 5) + box(b"mdat", 5), "not an MP4"),
    "only ftyp": (box(b"ftyp", 16), "index or its frames"),
    "no index": (box(b"ftyp", 16) + box(b"mdat", 99), "index or its frames"),
    "no frames": (box(b"ftyp", 16) + box(b"moov", 99), "index or its frames"),
    "a byte short": (VIDEO[:-1], "cut short"),
    "within a header": (box(b"ftyp", 16) + box(b"moov", 5) + b"\0\0\0\x99mda", "index or its frames"),
    "huge length": (box(b"ftyp", 16) + b"\0\0\0\1mdat" + b"\xff" * 8, "cut short"),
    "length of 3": (box(b"ftyp", 16) + b"\0\0\0\3moov" + bytes(50), "not an MP4"),
    "html": (b"<html><body>Not found</body></html>", "not an MP4"),
    "nothing but tiny boxes": (box(b"ftyp", 16) + box(b"free", 0) * 100_001, "more boxes"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_files(name: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(WHOLE[name])
    assert fault_of_file(tmp_path / "x") is None


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_are_not_whole(name: str, tmp_path: Path) -> None:
    data, words = BROKEN[name]
    (tmp_path / "x").write_bytes(data)
    assert words in (fault_of_file(tmp_path / "x") or "")


def test_every_cut_of_a_real_film_is_seen(tmp_path: Path) -> None:
    import av

    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(6):
            container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(stream.encode(None))
    whole = path.read_bytes()
    assert fault_of_file(path) is None
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        assert fault_of_file(path), f"cut at {end} of {len(whole)}"
