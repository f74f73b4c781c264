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

from grok_imagine.sandbox.film import Script, UnusableFootageError, render
from grok_imagine.sandbox.film.sizes import frame_size, size_like


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


@pytest.mark.parametrize(("ratio", "seconds"), [("16:9", 2), ("9:16", 1), ("2:3", 1)])
def test_a_text_clip_to_the_frame(tmp_path: Path, ratio: str, seconds: int) -> None:
    path = tmp_path / "clip.mp4"
    footage = render(Script("text", "a lake at night", seconds, "480p", ratio), [], path, lambda: False)
    seen = facts(path.read_bytes())
    assert (footage.width, footage.height) == seen["size"] == SIZES["480p"][ratio]
    assert footage.frames == seen["frames"] == 24 * seconds
    assert (seen["rate"], seen["seconds"], seen["codec"], seen["pixels"]) == (24, seconds, "h264", "yuv420p")
    assert seen["colour"] == (1, 1, 1, 1)
    assert seen["sound"] == ("aac", 48_000, "stereo")
    assert abs(seen["sound_seconds"] - seconds) < 0.03
    assert seen["pts"] == pytest.approx([n / 24 for n in range(24 * seconds)])
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat")


def middle(path: Path) -> np.ndarray[Any, Any]:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return frames[len(frames) // 2].astype(np.int16)


def test_prompts_look_different_and_repeat(tmp_path: Path) -> None:
    pictures = {}
    for name, prompt in (("a", "crimson dunes"), ("b", "a quiet night"), ("a2", "crimson dunes")):
        render(Script("text", prompt, 1, "480p", "1:1"), [], tmp_path / f"{name}.mp4", lambda: False)
        pictures[name] = middle(tmp_path / f"{name}.mp4")
    assert np.abs(pictures["a"] - pictures["b"]).mean() > 20
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
    render(Script("text", prompt, 1, "480p", "3:4"), [], tmp_path / "clip.mp4", lambda: False)


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


async def test_edit_and_extend(call: Any) -> None:
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
    with av.open(io.BytesIO(source)) as one, av.open(io.BytesIO(edited)) as two:
        pairs = zip(one.decode(video=0), two.decode(video=0), strict=True)
        apart = [
            np.abs(a.to_ndarray(format="rgb24").astype(int) - b.to_ndarray(format="rgb24")).mean() for a, b in pairs
        ]
    assert min(apart) > 8


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
    script = Script("edit", "x", 0, "480p", "")
    for data in (b"", b"\0\0\0\x18ftypisom" + bytes(500)):
        with pytest.raises(UnusableFootageError):
            render(script, [data], tmp_path / "x.mp4", lambda: False)
