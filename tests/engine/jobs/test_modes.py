"""Every mode of each dialect as a job on the sandbox, with the providers' documented examples."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from grok_imagine.errors import MediaError, RequestError, UnsupportedOption
from grok_imagine.jobs import Session
from grok_imagine.jobs.source_video import with_source
from grok_imagine.models import JobState, Mode, VideoRequest
from grok_imagine.sandbox import Sandbox

from ..support.processes import ROOT
from ..support.requests import DIALECTS, connection_for, make_picture

EXAMPLES = {row[0]: row[1:] for row in runpy.run_path(str(ROOT / "tests/providers/examples.py"))["EXAMPLES"]}
"""The providers' own examples: dialect, path, body, and the request that it belongs to."""

ONE_OF_EACH = {
    ("reapi", Mode.TEXT): "reapi quick example",
    ("reapi", Mode.IMAGE): "reapi image",
    ("aivideoapi", Mode.TEXT): "aivideoapi curl",
    ("aivideoapi", Mode.IMAGE): "aivideoapi images",
    ("apiinone", Mode.TEXT): "apiinone example",
    ("apiinone", Mode.IMAGE): "apiinone images",
    ("openai_videos", Mode.TEXT): "gateway 7.1 text",
    ("openai_videos", Mode.IMAGE): "gateway 7.2 image",
    ("openai_videos", Mode.REFERENCE): "gateway 7.3 references",
    ("openai_videos", Mode.EDIT): "gateway 7.4 edit",
    ("openai_videos", Mode.EXTEND): "gateway 7.5 extend",
    ("xai", Mode.TEXT): "xai text, minimum",
    ("xai", Mode.IMAGE): "xai image",
    ("xai", Mode.REFERENCE): "xai references",
    ("xai", Mode.EDIT): "xai edit",
    ("xai", Mode.EXTEND): "xai extend",
}


def make_film(path: Path, seconds: float, rate: int = 24) -> Path:
    """A film of flat frames: only its length matters here."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(int(seconds * rate)):
            pixels = np.full((96, 160, 3), number % 200, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        film.mux(stream.encode())
    return path


def test_every_mode_of_every_dialect_has_an_example() -> None:
    from grok_imagine.providers import PROVIDERS

    offered = {(name, one.mode) for name in DIALECTS for one in PROVIDERS[name].capabilities}
    assert set(ONE_OF_EACH) == offered


@pytest.mark.parametrize(
    ("dialect", "mode", "name"), [pytest.param(*key, name, id=name) for key, name in ONE_OF_EACH.items()]
)
async def test_the_example_is_what_is_sent(
    dialect: str, mode: Mode, name: str, session: Session, sandbox: Sandbox, tmp_path: Path
) -> None:
    _, path, example, fields = EXAMPLES[name]
    # The shortest clip that is allowed: what is compared is the body, and rendering takes time.
    fields = dict(fields)
    pictures = fields.pop("reference_images", ())
    seconds, source = fields.pop("source_seconds", None), fields.pop("source_video", None)
    local = tuple(make_picture((number * 40, 90, 60), (64, 36)) for number in range(len(pictures)))
    request = VideoRequest(**fields, reference_images=local)
    if source:
        film = make_film(tmp_path / "source.mp4", seconds or 2.0)
        request = await with_source(session, connection_for(dialect), request, film)
    result = await session.generate(request, connection_for(dialect))
    assert (result.job.state, result.job.mode) == (JobState.SAVED, mode.value)

    (sent,) = [one for one in sandbox.requests() if one["method"] == "POST"]
    assert sent["path"].endswith(path)
    body = json.dumps(sent["body"])
    for given, public in zip((*pictures, *([source] if source else [])), _urls(sent["body"]), strict=True):
        assert "/_sandbox/files/" in public
        body = body.replace(public, given)
    assert json.loads(body) == json.loads(example)


def _urls(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [url for one in value.values() for url in _urls(one)]
    if isinstance(value, list):
        return [url for one in value for url in _urls(one)]
    return [value] if isinstance(value, str) and "://" in value else []


async def test_a_source_of_the_wrong_length_is_refused_before_it_is_uploaded(
    session: Session, sandbox: Sandbox, tmp_path: Path
) -> None:
    long, short = make_film(tmp_path / "long.mp4", 16), make_film(tmp_path / "short.mp4", 1)
    for mode, film, words in (
        (Mode.EDIT, long, "16 s; edit video takes at most 8.7 s, trim or replace it"),
        (Mode.EXTEND, long, "16 s; extend video takes 2 to 15 s, trim or replace it"),
        (Mode.EXTEND, short, "1 s; extend video takes 2 to 15 s, trim or replace it"),
    ):
        with pytest.raises(RequestError, match=words) as caught:
            await with_source(session, "sandbox-xai", VideoRequest(mode=mode, prompt=""), film)
        assert {one.field for one in caught.value.violations} == {"source_seconds", "prompt"}, "all faults at once"
    assert sandbox.requests() == []


async def test_files_that_are_not_videos_and_unsupported_edits_are_named(
    session: Session, sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "notes.mp4").write_text("not a film")
    request = VideoRequest(mode=Mode.EDIT, prompt="at night")
    with pytest.raises(MediaError, match=r"notes\.mp4"):
        await with_source(session, "sandbox-xai", request, tmp_path / "notes.mp4")
    film = make_film(tmp_path / "film.mp4", 2)
    for name in ("sandbox", "sandbox-aivideoapi", "sandbox-apiinone"):
        with pytest.raises(UnsupportedOption, match="edit video is not supported here"):
            await with_source(session, name, request, film)
    assert sandbox.requests() == []


async def test_a_clip_that_is_online_is_measured_and_not_uploaded(
    session: Session, sandbox: Sandbox, tmp_path: Path
) -> None:
    film = make_film(tmp_path / "film.mp4", 3)
    (online,) = await session.upload([_blob(film)], connection="sandbox-openai_videos")
    before = len(sandbox.requests())
    request = VideoRequest(mode=Mode.EDIT, prompt="at night", source_video=online)
    complete = await with_source(session, "sandbox-openai_videos", request, film)
    await session.generate(complete, "sandbox-openai_videos")
    (sent,) = [one for one in sandbox.requests()[before:] if one["method"] == "POST"]
    assert sent["body"]["video"] == online
    assert sent["body"]["extra_body"] == {"operation": "edit_video", "input_video_seconds": 3}


def _blob(path: Path) -> Any:
    from grok_imagine.models import Blob

    return Blob(path.read_bytes(), "video/mp4")


@pytest.mark.parametrize("dialect", ["reapi", "aivideoapi", "apiinone", "openai_videos", "xai"])
async def test_spicy_with_an_image_is_refused_here_and_says_why(
    dialect: str, session: Session, sandbox: Sandbox
) -> None:
    request = VideoRequest(
        prompt="a kite",
        motion_mode="spicy",
        duration_seconds=6 if dialect != "apiinone" else None,
        reference_images=(make_picture((1, 2, 3)),),
    )
    with pytest.raises(RequestError) as caught:
        await session.generate(request, connection_for(dialect))
    (fault,) = caught.value.violations
    assert fault.field == "motion_mode"
    if dialect == "aivideoapi":
        assert "spicy" in str(fault)
        assert "images" in str(fault)
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("motion", "images"), [("fun", 0), ("normal", 0), ("spicy", 0), ("fun", 1), ("normal", 1), ("fun", 2)]
)
async def test_each_motion_mode_that_is_documented_is_sent_and_made(
    motion: str, images: int, session: Session, sandbox: Sandbox
) -> None:
    pictures = tuple(make_picture((40 * number, 9, 9), (64, 36)) for number in range(images))
    request = VideoRequest(prompt="a kite", motion_mode=motion, duration_seconds=6, reference_images=pictures)
    result = await session.generate(request, "sandbox-aivideoapi")
    assert (result.job.state, result.job.request["motion_mode"]) == (JobState.SAVED, motion)
    (sent,) = [one for one in sandbox.requests() if one["method"] == "POST"]
    assert sent["body"]["input"]["mode"] == motion
    assert sent["body"]["model"] == f"grok-imagine-{'image' if images else 'text'}-to-video"
