"""Split and Join: one run for each piece, next in line by itself; stopped, it goes on with what is missing."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch


@pytest.fixture
async def film(run: Any) -> Any:
    return (await run("GIVTextToVideo", connection="sandbox-xai", duration=1, prompt="a long one"))[0]


@pytest.fixture
def queue(part: Any, host: Any, monkeypatch: Any) -> list[Any]:
    """ComfyUI's queue, with the running prompt in it as its server puts it there."""
    put: list[Any] = []
    running = {0: (7, "running", {"1": {"class_type": "GIVSplitVideo", "inputs": {"chunk": 0}}}, {"x": 1}, ["2"], {})}
    host.prompt_queue = SimpleNamespace(currently_running=running, put=put.append)
    monkeypatch.setattr(part("nodes.host.execution"), "prompt_id", lambda: "running")
    graph_utils = ModuleType("comfy_execution.graph_utils")
    graph_utils.ExecutionBlocker = lambda message: ("blocked", message)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "comfy_execution.graph_utils", graph_utils)
    return put


async def _split(run: Any, film: Any, chunk: int, **given: Any) -> Any:
    return await run("GIVSplitVideo", "1", video=film, chunk=chunk, **{"chunk_frames": 10, "overlap": 0, **given})


async def test_each_run_queues_the_next_and_the_last_one_joins(
    run: Any, film: Any, queue: list[Any], home: Path
) -> None:
    whole = await run("GIVLoadVideoFrames", video=film)
    made = None
    for number in range(3):
        images, ticket, fps, count = await _split(run, film, number)
        assert torch.equal(images, whole[0][number * 10 : number * 10 + 10])
        assert (fps, count) == (24.0, 3)
        (made,) = await run("GIVJoinChunks", "2", images=images, chunk=ticket, crf=12)
        assert len(queue) == min(number + 1, 2)
        assert (made == ("blocked", None)) is (number < 2)
    number, prompt_id, prompt, *rest = queue[-1]
    assert (number, rest) == (7, [{"x": 1}, ["2"], {}])
    assert prompt_id != "running"
    assert prompt["1"]["inputs"]["chunk"] == 2
    joined = await run("GIVLoadVideoFrames", video=made)
    assert joined[0].shape == whole[0].shape
    assert float((joined[0] - whole[0]).abs().mean()) < 2 / 255
    assert torch.equal(joined[1]["waveform"], whole[1]["waveform"])
    assert [path.name for path in (home / "chunks").glob("*/*")] == ["joined.mp4"]


async def test_after_a_stop_the_missing_piece_is_next(run: Any, film: Any, queue: list[Any]) -> None:
    for number, following in ((1, 2), (2, 0)):
        images, ticket, _, _ = await _split(run, film, number)
        await run("GIVJoinChunks", "2", images=images, chunk=ticket, crf=12)
        assert queue[-1][2]["1"]["inputs"]["chunk"] == following
    images, ticket, _, _ = await _split(run, film, 0)
    (made,) = await run("GIVJoinChunks", "2", images=images, chunk=ticket, crf=12)
    (again,) = await run("GIVJoinChunks", "2", images=images, chunk=ticket, crf=12)
    assert made.get_stream_source() == again.get_stream_source()
    assert len(queue) == 2


async def test_interpolated_pieces_keep_time_with_the_sound(run: Any, film: Any, queue: list[Any]) -> None:
    made = None
    for number in range(3):
        images, ticket, _, _ = await _split(run, film, number, overlap=1)
        doubled = images.repeat_interleave(2, dim=0)[:-1]
        (made,) = await run("GIVJoinChunks", "2", images=doubled, chunk=ticket, crf=12)
    _, _, fps, count, _, _ = await run("GIVLoadVideoFrames", video=made)
    assert (fps, count) == (48.0, 47)


async def test_a_trimmed_video_is_cut_once(
    run: Any, film: Any, queue: list[Any], home: Path, part: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_chunk = part("grok_imagine.media.mux.chunks").write_chunk

    def save_to(video: Any, path: str) -> None:
        write_chunk(Path(path), video.get_components().images.numpy(), Fraction(12), 12)

    monkeypatch.setattr(type(film), "save_to", save_to, raising=False)
    sources = set[Path]()
    for number in range(2):
        trimmed = type(film)(film.get_stream_source(), duration=0.2)
        images, ticket, _, count = await _split(run, trimmed, number, chunk_frames=2)
        assert (images.shape[0], count) == (2 - number, 2)
        sources.add(ticket.source)
        (made,) = await run("GIVJoinChunks", "2", images=images, chunk=ticket, crf=12)
    assert list((home / "chunks" / "sources").iterdir()) == list(sources)
    assert (await run("GIVLoadVideoFrames", video=made))[3] == 3


async def test_without_a_queue_the_next_number_is_told(
    run: Any, film: Any, queue: list[Any], host: Any, part: Any
) -> None:
    host.prompt_queue.currently_running.clear()
    images, ticket, _, _ = await _split(run, film, 0)
    with pytest.raises(part("grok_imagine.errors").RequestError, match="Set chunk to 1"):
        await run("GIVJoinChunks", "2", images=images, chunk=ticket, crf=12)


def test_other_settings_between_the_two_are_other_pieces(part: Any) -> None:
    makers = part("nodes.join_chunks")._makers

    def prompt(chunk: int, scale: float) -> Any:
        return {
            "1": {"class_type": "GIVSplitVideo", "inputs": {"video": ["9", 0], "chunk": chunk}},
            "5": {"class_type": "Upscale", "inputs": {"image": ["1", 0], "scale": scale}},
            "2": {"class_type": "GIVJoinChunks", "inputs": {"images": ["5", 0], "chunk": ["1", 1]}},
            "9": {"class_type": "LoadVideo", "inputs": {"file": "a.mp4"}},
            "8": {"class_type": "SaveVideo", "inputs": {"video": ["2", 0], "filename_prefix": "x"}},
        }

    assert json.dumps(makers(prompt(0, 2.0), "2")) == json.dumps(makers(prompt(5, 2.0), "2"))
    assert makers(prompt(0, 2.0), "2") != makers(prompt(0, 4.0), "2")
    assert set(makers(prompt(0, 2.0), "2")) == {"1", "2", "5", "9"}
