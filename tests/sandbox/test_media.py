"""The clips: sizes, counts, rates and lengths to the frame; references really fetched; edit and extend."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiohttp import web
from PIL import Image

from grok_imagine.sandbox.model import Job
from grok_imagine.sandbox.render import draft
from grok_imagine.sandbox.render import render as film
from grok_imagine.sandbox.render.frames import frame_size, size_like
from grok_imagine.sandbox.render.media import Media, UnusableMediaError


def facts(data: bytes) -> dict[str, Any]:
    with av.open(io.BytesIO(data)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        context = video.codec_context
        frames = list(container.decode(video=0))
        out = {
            "size": (context.width, context.height),
            "frames": len(frames),
            "rate": video.average_rate,
            "seconds": float(video.duration * video.time_base),
            "codec": context.name,
            "pixels": context.pix_fmt,
            "colour": (context.colorspace, context.color_primaries, context.color_trc, context.color_range),
            "sound": (audio.codec_context.name, audio.rate, audio.layout.name),
            "sound_seconds": float(audio.duration * audio.time_base),
            "pts": [f.time for f in frames],
        }
    return out


SIZES = {
    "480p": {
        "16:9": (848, 480),
        "9:16": (480, 848),
        "1:1": (480, 480),
        "3:2": (720, 480),
        "2:3": (480, 720),
        "4:3": (640, 480),
        "3:4": (480, 640),
    },
    "720p": {
        "16:9": (1280, 720),
        "9:16": (720, 1280),
        "1:1": (720, 720),
        "3:2": (1080, 720),
        "2:3": (720, 1080),
        "4:3": (960, 720),
        "3:4": (720, 960),
    },
    "1080p": {"16:9": (1920, 1080), "1:1": (1080, 1080)},
}


@pytest.mark.parametrize(("tier", "ratio"), [(t, r) for t, ratios in SIZES.items() for r in ratios])
def test_sizes(tier: str, ratio: str) -> None:
    assert frame_size(tier, ratio) == SIZES[tier][ratio]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ((1920, 1080), (848, 480)),
        ((1000, 1000), (480, 480)),
        ((4000, 1000), (848, 480)),
        ((500, 4000), (480, 848)),
        ((1200, 1000), (576, 480)),
        ((333, 500), (480, 720)),
    ],
)
def test_sizes_that_follow_a_picture(given: tuple[int, int], made: tuple[int, int]) -> None:
    assert size_like("480p", *given) == made


@pytest.fixture
async def call(open_sandbox: Any) -> Any:
    """A sandbox that renders the film itself."""
    return await open_sandbox(draft=False)


@pytest.mark.parametrize("renderer", [film, draft])
@pytest.mark.parametrize(("ratio", "seconds"), [("16:9", 2), ("9:16", 1), ("2:3", 1)])
def test_a_text_clip_to_the_frame(tmp_path: Path, ratio: str, seconds: int, renderer: Any) -> None:
    path, spec = tmp_path / "clip.mp4", Job("text", "a lake at night", seconds, "480p", ratio)
    made = renderer.render(spec, [], path, lambda: False)
    assert Media(spec, []).result == made
    seen = facts(path.read_bytes())
    assert made.size == seen["size"] == SIZES["480p"][ratio]
    assert made.frames == seen["frames"] == 24 * seconds
    assert (seen["rate"], seen["seconds"], seen["codec"], seen["pixels"]) == (24, seconds, "h264", "yuv420p")
    assert seen["colour"] == (1, 1, 1, 1)
    assert seen["sound"] == ("aac", 48_000, "stereo")
    assert abs(seen["sound_seconds"] - seconds) < 0.03
    assert seen["pts"] == pytest.approx([n / 24 for n in range(24 * seconds)])
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat")


def frames(file: Any) -> list[np.ndarray[Any, Any]]:
    with av.open(file) as container:
        return [frame.to_ndarray(format="rgb24").astype(np.int16) for frame in container.decode(video=0)]


def apart(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    return float(np.abs(one - other).mean())


@pytest.mark.parametrize("renderer", [film, draft])
def test_prompts_look_different_and_repeat(tmp_path: Path, renderer: Any) -> None:
    pictures = {}
    for name, prompt in (("a", "crimson dunes"), ("b", "a quiet night"), ("a2", "crimson dunes")):
        renderer.render(Job("text", prompt, 1, "480p", "1:1"), [], tmp_path / f"{name}.mp4", lambda: False)
        pictures[name] = frames(str(tmp_path / f"{name}.mp4"))[12]
    assert apart(pictures["a"], pictures["b"]) > 20
    assert np.abs(pictures["a"] - pictures["a2"]).max() < 8  # the encoder's threads may differ by a step


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "猫がピアノの上を歩く",
        "قطة تمشي على البيانو",
        "кошка идёт по клавишам",
        "🎹🐈‍⬛ \x00\x07\u200b",
        "\ud800 lone surrogate",
        "word " * 800,
        "x" * 4000,
        "हिन्दी में एक बिल्ली",
    ],
)
def test_prompts_of_any_language(tmp_path: Path, prompt: str) -> None:
    film.render(Job("text", prompt, 1, "480p", "3:4"), [], tmp_path / "clip.mp4", lambda: False)


@pytest.mark.parametrize(("size", "made"), [((900, 600), (720, 480)), ((300, 900), (480, 848)), ((37, 41), (480, 532))])
async def test_a_picture_sets_the_ratio(
    call: Any, make_picture: Any, size: tuple[int, int], made: tuple[int, int]
) -> None:
    image = await call.upload(make_picture(*size))
    body = {"model": "grok-imagine", "prompt": "still", "image": image, "aspect_ratio": "auto", "duration": 1}
    assert facts((await call.get(await call.clip("openai_videos", body)))[1])["size"] == made


async def test_references_follow_the_ratio_asked_for(call: Any, make_picture: Any) -> None:
    images = [
        await call.upload(make_picture(200 + 40 * k, 300, kind)) for k, kind in enumerate(("JPEG", "PNG", "WEBP"))
    ]
    body = {
        "model": "grok-imagine",
        "prompt": "three",
        "images": images,
        "aspect_ratio": "4:3",
        "duration": 2,
        "size": "480p",
    }
    seen = facts((await call.get(await call.clip("openai_videos", body)))[1])
    assert (seen["size"], seen["frames"]) == ((640, 480), 48)


async def test_data_uris_at_xai(call: Any, make_picture: Any) -> None:
    uri = "data:image/png;base64," + base64.b64encode(make_picture(64, 64, "PNG")).decode()
    body = {"model": "grok-imagine-video", "image": {"url": uri}, "duration": 1}
    assert facts((await call.get(await call.clip("xai", body)))[1])["size"] == (480, 480)


@pytest.mark.parametrize("draft", [pytest.param(False, marks=pytest.mark.slow), True])
async def test_edit_and_extend(open_sandbox: Any, draft: bool) -> None:
    call = await open_sandbox(draft=draft)
    source = (
        await call.get(await call.clip("openai_videos", {"model": "grok-imagine", "prompt": "source", "duration": 2}))
    )[1]
    video = await call.upload(source)
    edit = {
        "model": "grok-imagine",
        "prompt": "noir",
        "video": video,
        "size": "480p",
        "extra_body": {"operation": "edit_video", "input_video_seconds": 2},
    }
    edited = (await call.get(await call.clip("openai_videos", edit)))[1]
    assert (facts(edited)["frames"], facts(edited)["size"]) == (48, (848, 480))
    extend = {
        "model": "grok-imagine",
        "prompt": "on and on",
        "video": {"url": video},
        "duration": 2,
        "extra_body": {"operation": "video_extend", "input_video_seconds": 2},
    }
    extended = (await call.get(await call.clip("openai_videos", extend)))[1]
    assert (facts(extended)["frames"], facts(extended)["seconds"]) == (96, 4)
    first, second, third = (frames(io.BytesIO(data)) for data in (source, edited, extended))
    assert min(apart(a, b) for a, b in zip(first, second, strict=True)) > 8
    assert max(apart(a[:300], b[:300]) for a, b in zip(first, third[:48], strict=True)) < 3, "the source comes first"
    assert apart(third[47][:300], third[48][:300]) < 3, "it goes on from the last frame"


@pytest.mark.parametrize("renderer", [film, draft])
def test_the_first_frame_shows_the_whole_picture(tmp_path: Path, renderer: Any) -> None:
    rows, columns = np.mgrid[0:480, 0:848]
    shown = np.stack([rows * 255 // 479, columns * 255 // 847, (rows + columns) % 256 // 128 * 90], axis=-1)
    file = io.BytesIO()
    Image.fromarray(shown.astype(np.uint8)).save(file, "PNG")
    other = io.BytesIO()
    Image.new("RGB", (848, 480), (250, 250, 20)).save(other, "PNG")
    path, files = tmp_path / "clip.mp4", [file.getvalue(), other.getvalue()]
    renderer.render(Job("reference", "two", 2, "480p", "16:9"), files, path, lambda: False)
    seen = frames(str(path))
    assert apart(seen[0][:300], shown[:300]) < 8
    assert apart(seen[-1][:300], np.full((300, 848, 3), (250, 250, 20))) < 8


@pytest.mark.parametrize("renderer", [film, draft])
@pytest.mark.parametrize("mode", ["edit", "extend"])
def test_a_source_damaged_inside(tmp_path: Path, renderer: Any, mode: Any) -> None:
    """Its header and its first frame are good, so only rendering finds out."""
    whole = tmp_path / "whole.mp4"
    draft.render(Job("text", "x", 2, "480p", "1:1"), [], whole, lambda: False)
    data = bytearray(whole.read_bytes())
    with av.open(str(whole)) as container:
        places = [p.pos + 4 for p in container.demux(video=0) if p.size and p.pts]
    for place in places:
        data[place] = 0xFF  # no type of unit that H.264 knows
    spec = Job(mode, "x", 2, "480p", "")
    assert Media(spec, [bytes(data)]).result.frames in (48, 96)
    with pytest.raises(UnusableMediaError):
        renderer.render(spec, [bytes(data)], tmp_path / "x.mp4", lambda: False)


async def test_xai_edit_and_extend_limits(call: Any) -> None:
    one = await call.clip("xai")  # one second long
    video = {"url": await call.upload((await call.get(one))[1])}
    body = {"model": "grok-imagine-video", "prompt": "more", "video": video}
    edited = await call.finish("xai", await call.submit("xai", body, path="/v1/videos/edits"))
    assert edited["video"]["duration"] == 1
    short = await call.finish("xai", await call.submit("xai", body, path="/v1/videos/extensions"))
    assert (short["status"], "2 to 15 s" in short["error"]["message"]) == ("failed", True)


@pytest.mark.parametrize("case", ["missing", "not-an-image", "broken", "huge", "nobody", "video"])
async def test_references_are_really_fetched(call: Any, make_picture: Any, case: str) -> None:
    """A URL that passes validation fails the task when fetching shows what it is, and is refunded."""
    served = {
        "not-an-image": b"<html>",
        "broken": make_picture(64, 64)[:200],
        "video": b"\0\0\0\x18ftypisom" + bytes(99),
        "huge": b"\xff\xd8\xff" + bytes(11 * 2**20),
    }
    seen: list[Any] = []

    async def serve(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        data = served.get(case)
        return web.Response(body=data, content_type="image/jpeg") if data else web.Response(status=404)

    app = web.Application()
    app.router.add_get("/a.jpg", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = 9 if case == "nobody" else runner.addresses[0][1]
    task = await call.submit(
        "reapi", {"model": "grok-imagine-1.0-video", "image_urls": [f"http://127.0.0.1:{port}/a.jpg"]}
    )
    done = await call.finish("reapi", task)
    await runner.cleanup()
    assert done["status"] == "failed"
    assert done["error"]["code"] == 80002
    assert seen == ([] if case == "nobody" else [None])
    assert [e["kind"] for e in call.sandbox.ledger()["entries"]] == ["charge", "refund"]


def test_a_source_that_is_no_video(tmp_path: Path) -> None:
    spec = Job("edit", "x", 0, "480p", "")
    for data in (b"", b"\0\0\0\x18ftypisom" + bytes(500)):
        with pytest.raises(UnusableMediaError):
            film.render(spec, [data], tmp_path / "x.mp4", lambda: False)
