"""In a real ComfyUI: while a long film decodes its loop answers, its files stay as they are, its pixels agree."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.comfyui, pytest.mark.slow]

SECONDS, PAUSE = 30, 0.01


def _make_film(path: Path, width: int, height: int, frames: int, pixel_format: str = "yuv420p") -> None:
    """Squares of any colour that move to the right."""
    chance = np.random.default_rng(0)
    noise = chance.integers(0, 255, (height // 16 + 1, width // 16 + 1, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    noise = noise[:height, :width]
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = width, height, pixel_format
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(noise, number * 3, 1), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            container.mux(video.encode(frame))
        container.mux(video.encode())


@pytest.fixture(scope="module")
def long_film(comfy: Any) -> str:
    """720p for 30 s, as small as it gets: what counts is its 8 GB of frames."""
    path = comfy.base / "input" / "long.mp4"
    _make_film(path, 1280, 720, SECONDS * 24)
    return path.name


def _load(**inputs: Any) -> dict[str, Any]:
    return {"class_type": "GIVLoadVideoFrames", "inputs": {"source": "", **inputs}}


def _show(node: str, output: int) -> dict[str, Any]:
    return {"class_type": "PreviewAny", "inputs": {"source": [node, output]}}


async def test_while_a_long_film_decodes_the_loop_answers_and_another_job_is_polled(
    comfy: Any, sandbox: Any, text: Any, save: Any, long_film: str
) -> None:
    """The film is loaded while a clip is made; the server is pinged all the time, before and during the decoding."""
    pings: list[tuple[float, float]] = []
    spans: list[float] = []
    done = asyncio.Event()

    async def ping() -> None:
        async with aiohttp.ClientSession() as http:
            while not done.is_set():
                began = time.monotonic()
                async with http.get(f"{comfy.url}/prompt") as answer:
                    await answer.read()
                pings.append((began, time.monotonic() - began))
                await asyncio.sleep(PAUSE)

    async def watch(event: Any) -> None:
        if event[1] == "text" and "Decoding" in event[2]:
            spans.append(time.monotonic())

    prompt = {
        # A smaller size keeps the whole within any machine's memory; every frame is decoded all the same.
        "1": _load(source=long_film, longest_side=640),
        "2": _show("1", 3),
        "3": text(prompt="polled beside a decoder", duration=1),
        "4": save("3"),
    }
    pinging = asyncio.create_task(ping())
    await asyncio.sleep(1)
    result = await comfy.run(prompt, during=watch)
    done.set()
    await pinging
    assert result.end == "execution_success", result.last
    assert result.outputs["2"]["text"][0] == str(SECONDS * 24)
    during = sorted(took for began, took in pings if spans[0] <= began <= spans[-1])
    before = sorted(took for began, took in pings if began < spans[0])
    polled = [at for at, text_ in result.texts("3") if "Generating" in text_]
    told = {
        "pings": len(during),
        "worst": max(during),
        "median": during[len(during) // 2],
        "worst before": max(before),
        "longest silence of the other job": max(b - a for a, b in itertools.pairwise(polled)),
    }
    print(json.dumps({name: round(value, 4) for name, value in told.items()}))
    assert len(during) > 20
    # 50 ms on a machine of one's own, and GROK_IMAGINE_QUIET says that it is one. On a shared one a process may wait
    # for the processor longer than that; a loop that is blocked, though, would be silent for the whole decoding.
    longest = 0.05 if os.environ.get("GROK_IMAGINE_QUIET") else max(0.25, (spans[-1] - spans[0]) / 4)
    assert told["worst"] < longest
    assert told["longest silence of the other job"] < max(5, (spans[-1] - spans[0]) / 2)


async def test_save_video_remuxes_bit_by_bit(comfy: Any, sandbox: Any, text: Any, save: Any) -> None:
    """VIDEO is handed on as the file, also where its frames are loaded beside."""
    prompt = {"1": text(prompt="saved as it came"), "2": save("1", "video/remux"), "3": _load(video=["1", 0])}
    prompt["4"] = _show("3", 3)
    result = await comfy.run(prompt)
    assert result.end == "execution_success", result.last
    saved = comfy.file(result, "2")
    kept = max((comfy.home / "results").rglob("*.mp4"), key=lambda path: path.stat().st_mtime)

    def packets(path: Path) -> list[tuple[str, bytes]]:
        with av.open(str(path)) as container:
            return sorted((one.stream.type, bytes(one)) for one in container.demux() if one.size)

    assert packets(saved) == packets(kept)


@pytest.mark.parametrize("is_trimmed", [False, True], ids=["whole", "part"])
@pytest.mark.parametrize("is_cropped", [False, True], ids=["full", "crop"])
async def test_what_a_video_shows_is_what_is_read_and_sent(
    comfy: Any, sandbox: Any, tmp_path: Path, is_trimmed: bool, is_cropped: bool
) -> None:
    """LoadVideo, Video Slice and a crop, none of which writes a file."""
    _make_film(comfy.base / "input" / "edited.mp4", 320, 240, 48)
    prompt: dict[str, Any] = {"1": {"class_type": "LoadVideo", "inputs": {"file": "edited.mp4"}}}
    last = "1"
    if is_trimmed:
        part = {"start_time": 0.5, "duration": 1.0, "strict_duration": False}
        prompt["2"] = {"class_type": "Video Slice", "inputs": {"video": [last, 0], **part}}
        last = "2"
    if is_cropped:
        crop = {"x": 32, "y": 16, "width": 160, "height": 128}
        prompt["3"] = {"class_type": "CropForTests", "inputs": {"video": [last, 0], **crop}}
        last = "3"
    prompt["4"] = {"class_type": "GIVUploadMedia", "inputs": {"connection": "sandbox-xai", "video": [last, 0]}}
    prompt |= {"5": _show("4", 1), "6": _load(video=[last, 0]), "7": _show("6", 3)}
    prompt["8"] = {"class_type": "SaveImage", "inputs": {"images": ["6", 4], "filename_prefix": "edited"}}
    result = await comfy.run(prompt)
    assert result.end == "execution_success", result.last
    frames, size = 24 if is_trimmed else 48, (160, 128) if is_cropped else (320, 240)
    assert result.outputs["7"]["text"][0] == str(frames)
    with Image.open(comfy.file(result, "8")) as first:
        assert first.size == size
    sent = tmp_path / "sent.mp4"
    async with aiohttp.ClientSession() as http, http.get(result.outputs["5"]["text"][0]) as answer:
        sent.write_bytes(await answer.read())
    with av.open(str(sent)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == size
        assert sum(1 for _ in container.decode(stream)) == frames


AGREE = """
import json, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
films = sys.argv[3:]
sys.argv = sys.argv[:1] + ["--cpu"]
import av, numpy
from comfy_api.latest import InputImpl
from grok_imagine.media.frames.decode import decode

def spread(frame, number):
    # By how much a sample of U or V differs from its neighbours at most, for each pixel.
    plane, height, width = frame.planes[number], frame.height // 2, frame.width // 2
    lines = numpy.frombuffer(plane, numpy.uint8).reshape(-1, plane.line_size)[:height, :width]
    wide = numpy.pad(lines.astype(numpy.float32), 1, mode="edge")
    shifted = [wide[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return (numpy.max(shifted, 0) - numpy.min(shifted, 0)).repeat(2, 0).repeat(2, 1)

for film in films:
    theirs, ours = InputImpl.VideoFromFile(film).get_components(), decode(film)
    images, rate = theirs.images.numpy(), theirs.frame_rate
    assert ours.frames.shape == images.shape, film
    assert float(ours.rate) == float(rate), film
    told = {"largest": 0.0, "over": 0.0}
    with av.open(film) as container:
        for one, other, frame in zip(ours.frames, images, container.decode(video=0), strict=True):
            assert (one == frame.to_ndarray(format="rgb24") / numpy.float32(255)).all(), "not PyAV's own pixels"
            apart = numpy.abs(one - other) * 255
            u, v = spread(frame, 1), spread(frame, 2)
            # What U and V weigh in red, green and blue: the larger ones of BT.601 and BT.709, in limited range.
            chroma = numpy.stack([1.793 * v, 0.392 * u + 0.813 * v, 2.113 * u], 2)
            told["largest"] = max(told["largest"], float(apart.max()))
            told["over"] = max(told["over"], float((apart - chroma).max()))
    print(json.dumps({**told, "format": frame.format.name}))
"""
ROUNDING = 3
"""Of 255: what FFmpeg's conversion to 8 bits, in integers, may differ from the one to floats where chroma is flat."""


def test_pixels_agree_with_comfyuis_own_decoder(comfy: Any, sandbox: Any, tmp_path: Path) -> None:
    """They are PyAV's own in 8 bits. Newer versions of ComfyUI have FFmpeg convert what is in limited range to floats
    instead, which interpolates chroma between pixels. The conversion to 8 bits repeats it for two by two."""
    made = min((comfy.home / "results").rglob("*.mp4"))
    limited, full = tmp_path / "limited.mp4", tmp_path / "full.mp4"
    _make_film(limited, 640, 368, 12)
    _make_film(full, 640, 368, 12, "yuvj420p")
    command = [os.environ["COMFYUI_PYTHON"], "-c", AGREE, os.environ["COMFYUI_PATH"], str(Path(__file__).parents[2])]
    done = subprocess.run([*command, *map(str, (made, limited, full))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    print(json.dumps(found))
    assert [one["format"] for one in found] == ["yuv420p", "yuv420p", "yuvj420p"]
    source = Path(os.environ["COMFYUI_PATH"], "comfy_api", "latest", "_input_impl", "video_types.py").read_text("utf-8")
    by_floats = ["gbrpf32le" in source and one["format"] == "yuv420p" for one in found]
    for one, is_by_floats in zip(found, by_floats, strict=True):
        assert one["over"] <= (ROUNDING if is_by_floats else 0), found
        assert (one["largest"] == 0) != is_by_floats, found


async def test_a_chunked_film_comes_together_by_itself(comfy: Any, sandbox: Any, text: Any, save: Any) -> None:
    """One press of Run: the graph runs once for each piece, and Save Video once, after the last."""
    prompt = {
        "1": text(prompt="worked on in pieces"),
        "2": {
            "class_type": "GIVSplitVideo",
            "inputs": {"video": ["1", 0], "chunk_frames": 10, "overlap": 0, "chunk": 0},
        },
        "3": {
            "class_type": "ImageScaleBy",
            "inputs": {"image": ["2", 0], "upscale_method": "bilinear", "scale_by": 0.5},
        },
        "4": {"class_type": "GIVJoinChunks", "inputs": {"images": ["3", 0], "chunk": ["2", 1], "crf": 16}},
        "5": save("4", "video/joined"),
    }
    result = await comfy.run(prompt)
    assert result.end == "execution_success", result.last
    joined: list[Path] = []
    for _ in range(240):
        joined = list((comfy.base / "output" / "video").glob("joined*"))
        if joined and not (comfy.get("/queue")["queue_running"] or comfy.get("/queue")["queue_pending"]):
            break
        await asyncio.sleep(0.5)
    assert len(joined) == 1
    with av.open(str(joined[0])) as film:
        video = film.streams.video[0]
        assert (video.width, video.height, sum(1 for _ in film.decode(video))) == (424, 240, 24)
        assert film.streams.audio
