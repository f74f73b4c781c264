"""Editing and extending: a VIDEO in, checked before it is uploaded, and the clip handed on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest

from ..edited_video import EditedVideo

SHORT = {"connection": "sandbox-xai", "duration": 2}


def _frames(path: str) -> int:
    with av.open(path) as container:
        return sum(1 for _ in container.decode(video=0))


def _size(path: str) -> tuple[int, int]:
    with av.open(path) as container:
        return container.streams.video[0].width, container.streams.video[0].height


def _posts(sandbox: Any) -> list[dict[str, Any]]:
    return [one for one in sandbox.requests if one["method"] == "POST"]


@pytest.fixture
async def clip(run: Any) -> Any:
    """The outputs of a node that made a clip of 2 s."""
    return await run("GIVTextToVideo", **SHORT, prompt="a kite", resolution="480p")


@pytest.mark.parametrize("dialect", ["xai", "openai_videos"])
async def test_a_clip_is_edited_and_keeps_its_length(clip: Any, run: Any, sandbox: Any, dialect: str) -> None:
    made = await run("GIVEditVideo", connection=f"sandbox-{dialect}", prompt="at night", video=clip[0])
    told = json.loads(made[4])
    assert (told["mode"], told["parameters"]["source_seconds"]) == ("edit_video", 2.0)
    assert told["parameters"]["source_video"].startswith("sha256:")
    assert _frames(made[0].get_stream_source()) == 48
    body = _posts(sandbox)[-1]["body"]
    if dialect == "xai":
        assert set(body) == {"model", "prompt", "video"}
    else:
        assert body["extra_body"] == {"operation": "edit_video", "input_video_seconds": 2}


@pytest.mark.parametrize("dialect", ["xai", "openai_videos"])
async def test_a_clip_is_extended_twice_by_its_outputs(clip: Any, run: Any, sandbox: Any, dialect: str) -> None:
    connection = f"sandbox-{dialect}"
    once = await run("GIVExtendVideo", "2", connection=connection, prompt="it lands", duration=2, video=clip[0])
    assert _frames(once[0].get_stream_source()) == 96
    before = sandbox.uploads
    twice = await run("GIVExtendVideo", "3", connection=connection, duration=2, prompt="it rests", video_url=once[3])
    assert _frames(twice[0].get_stream_source()) == 144
    assert sandbox.uploads == before, "what is online already is not uploaded"


async def test_the_same_clip_is_edited_once(clip: Any, run: Any, sandbox: Any) -> None:
    first = await run("GIVEditVideo", "9", connection="sandbox-xai", prompt="at night", video=clip[0])
    again = await run("GIVEditVideo", "9", connection="sandbox-xai", prompt="at night", video=clip[0])
    assert again[1] == first[1]
    assert sandbox.submits == 2  # the clip and its edit


async def test_faults_are_named_before_anything_is_uploaded(
    clip: Any, run: Any, sandbox: Any, part: Any, tmp_path: Path
) -> None:
    errors = part("grok_imagine.errors")
    uploads, submits = sandbox.uploads, sandbox.submits
    with pytest.raises(errors.RequestError, match="Connect a video"):
        await run("GIVExtendVideo", prompt="it lands", duration=2)
    with pytest.raises(errors.UnsupportedOption, match="edit video is not supported here"):
        await run("GIVEditVideo", connection="sandbox", prompt="at night", video=clip[0])
    with pytest.raises(errors.RequestError, match=r"2 to 10 whole seconds, got 1"):
        await run("GIVExtendVideo", connection="sandbox-xai", prompt="it lands", duration=1, video=clip[0])
    long = await run("GIVTextToVideo", "4", connection="sandbox-xai", prompt="a kite", duration=9, resolution="480p")
    with pytest.raises(errors.RequestError, match=r"has 9 s; edit video takes at most 8\.7 s"):
        await run("GIVEditVideo", connection="sandbox-xai", prompt="at night", video=long[0])
    assert (sandbox.uploads, sandbox.submits) == (uploads, submits + 1)


async def test_the_default_connection_can_do_it(nodes: dict[str, Any], part: Any) -> None:
    for name, mode in (("GIVEditVideo", "edit_video"), ("GIVExtendVideo", "extend_video")):
        default = nodes[name].INPUT_TYPES()["required"]["connection"][1]["default"]
        offered = part("grok_imagine.providers").PROVIDERS[default.removeprefix("sandbox-")].capabilities
        assert mode in {one.mode.value for one in offered}


async def test_a_clip_goes_on_line_by_line(clip: Any, run: Any, sandbox: Any, host: Any) -> None:
    lines = "it rises\n\n  it turns  \n"
    wish = {"connection": "sandbox-xai", "prompts": lines, "duration": 1, "video": clip[0]}
    video, ids, info = await run("GIVContinueVideo", "5", **wish, how="last_frame")
    told = json.loads(info)
    assert told["frames"] == _frames(video.get_stream_source()) == 48 + 2 * 23
    assert [one["frame"] for one in told["seams"]] == [48, 71]
    assert [one["job_id"] for one in told["segments"]] == ids.split("\n")
    assert [one["prompt"] for one in told["segments"]] == ["it rises", "it turns"]
    assert any("segment 1 of 2" in text for _, _, text in host.texts)
    again = await run("GIVContinueVideo", "5", **wish, how="last_frame")
    assert again[1] == ids
    assert sandbox.submits == 3
    wish["duration"] = 2
    extended = await run("GIVContinueVideo", "6", **wish)
    assert _frames(extended[0].get_stream_source()) == 48 + 2 * 48
    assert json.loads(extended[2])["plan"].startswith("2 segments, extended")


async def test_no_line_is_no_wish(clip: Any, run: Any, part: Any) -> None:
    with pytest.raises(part("grok_imagine.errors").RequestError, match="at least one prompt"):
        await run("GIVContinueVideo", prompts=" \n ", video=clip[0])


PART, CROP = {"start_time": 0.5, "duration": 1.0}, {"crop": (32, 16, 320, 240)}


@pytest.mark.parametrize(
    ("changes", "size", "frames"),
    [(PART, None, 24), (CROP, (320, 240), 48), ({**PART, **CROP}, (320, 240), 24), ({}, None, 48)],
    ids=["part", "crop", "both", "whole"],
)
async def test_what_a_video_shows_is_what_is_sent(
    clip: Any, run: Any, sandbox: Any, tmp_path: Path, changes: Any, size: Any, frames: int
) -> None:
    """A VIDEO may show a part and a rectangle of its file; neither the rest of it is sent nor paid for."""
    video = EditedVideo(clip[0].get_stream_source(), **changes)
    width, height = size or video.get_dimensions()
    await run("GIVEditVideo", connection="sandbox-xai", prompt="at night", video=video)
    loaded = await run("GIVLoadVideoFrames", video=video)
    assert tuple(loaded[0].shape[:3]) == (frames, height, width)
    uploaded = await run("GIVUploadMedia", connection="sandbox-xai", video=video)
    for url in (_posts(sandbox)[1]["body"]["video"]["url"], uploaded[1]):
        file = tmp_path / "sent.mp4"
        file.write_bytes(sandbox.fetch(url))
        assert _frames(str(file)) == frames
        assert _size(str(file)) == (width, height)
    chunk = await run("GIVSplitVideo", video=video, chunk_frames=48)
    assert tuple(chunk[0].shape[:3]) == (frames, height, width)
    assert chunk[3] == 1
