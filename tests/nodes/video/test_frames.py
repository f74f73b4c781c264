"""Load Video Frames: from a VIDEO, a file, a job and a URL, and where it must not read."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

SHORT = {"connection": "sandbox-xai", "duration": 1}


@pytest.fixture
async def clip(run: Any) -> Any:
    return await run("GIVTextToVideo", **SHORT, prompt="a kite")


def _is_right(result: Any) -> None:
    images, audio, fps, count, first, last = result
    assert images.shape == (24, 480, 848, 3)
    assert images.dtype is torch.float32
    assert images.is_contiguous()
    assert 0 <= float(images.min()) < float(images.max()) <= 1
    assert (fps, count) == (24.0, 24)
    assert torch.equal(first, images[:1])
    assert torch.equal(last, images[-1:])
    assert last.untyped_storage().nbytes() == 480 * 848 * 12, "a view would keep the whole batch alive"
    assert audio["waveform"].shape[0] == 1
    assert abs(audio["waveform"].shape[2] / audio["sample_rate"] - 1) < 0.05


async def test_from_a_video_a_job_a_url_and_a_file(run: Any, clip: Any, user_folder: Path, sandbox: Any) -> None:
    video, job_id, _, url, _ = clip
    _is_right(await run("GIVLoadVideoFrames", video=video, source="ignored"))
    _is_right(await run("GIVLoadVideoFrames", source=job_id))
    _is_right(await run("GIVLoadVideoFrames", source=video.get_stream_source()))
    film = Path(shutil.copy(video.get_stream_source(), user_folder / "output" / "a film.mp4"))
    for source in ("a film.mp4", "a film.mp4 [output]", str(film)):
        _is_right(await run("GIVLoadVideoFrames", source=source))
    for _ in range(2):
        _is_right(await run("GIVLoadVideoFrames", source=f" {url} "))
    fetched = [one for one in sandbox.requests if one["path"].startswith("/cdn/")]
    assert len(fetched) == 2, "one for the job, one for the URL, which is kept"


async def test_frames_share_the_memory_they_were_decoded_into(part: Any) -> None:
    import numpy as np

    frames = np.zeros((2, 4, 6, 3), np.float32)
    image = part("nodes.host.tensors").to_image(frames)
    frames[1, 2, 3, 0] = 0.25
    assert float(image[1, 2, 3, 0]) == 0.25
    assert part("nodes.host.tensors").to_audio(None) is None


def test_integers_are_scaled_or_refused(part: Any) -> None:
    pixels = part("nodes.host.tensors").to_pixels
    (image,) = pixels(torch.full((1, 2, 2, 3), 51, dtype=torch.uint8))
    assert float(image.max()) == pytest.approx(0.2)
    assert float(pixels(torch.ones(1, 2, 2, 3, dtype=torch.bool))[0].max()) == 1
    with pytest.raises(part("grok_imagine.errors").RequestError, match=r"torch\.int32 values\. Convert it to floats"):
        pixels(torch.full((1, 2, 2, 3), 51, dtype=torch.int32))


def test_floats_are_not_changed_in_place(part: Any) -> None:
    given = torch.full((1, 2, 2, 3), 0.5)
    part("nodes.host.tensors").to_pixels(given)
    assert float(given.max()) == 0.5


async def test_a_video_that_is_cut_short_says_so(run: Any, clip: Any, host: Any, tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    data = Path(clip[0].get_stream_source()).read_bytes()
    path.write_bytes(data[: len(data) * 8 // 10])
    await run("GIVLoadVideoFrames", "8", video=type(clip[0])(str(path), duration=0))
    assert any("frames are missing. cut.mp4 is cut short" in text for _, node, text in host.texts if node == "8")


async def test_a_trimmed_video_is_read_as_trimmed(run: Any, clip: Any) -> None:
    trimmed = type(clip[0])(clip[0].get_stream_source(), duration=0.2)
    images, audio, fps, count, _, _ = await run("GIVLoadVideoFrames", video=trimmed)
    assert (images.shape[0], audio, fps, count) == (3, None, 12.0, 3)


async def test_a_part_in_another_size(run: Any, clip: Any, host: Any) -> None:
    whole = await run("GIVLoadVideoFrames", video=clip[0])
    wishes = {"skip_first_frames": 3, "select_every_nth": 5, "frame_load_cap": 4}
    images, audio, fps, count, first, last = await run("GIVLoadVideoFrames", "9", video=clip[0], **wishes)
    assert torch.equal(images, whole[0][[3, 8, 13, 18]])
    assert (fps, count) == (4.8, 4)
    rate = audio["sample_rate"]
    assert audio["waveform"].shape[2] == pytest.approx(20 / 24 * rate, abs=2)
    assert torch.equal(torch.cat([first, last]), images[[0, -1]])
    texts = [text for _, node, text in host.texts if node == "9"]
    assert "Decoding 4 frames of 848 × 480, 19.5 MB" in texts
    small = await run("GIVLoadVideoFrames", video=clip[0], which_frames="last", longest_side=424, multiple_of=16)
    assert small[0].shape == (1, 240, 416, 3)
    part = await run("GIVLoadVideoFrames", video=clip[0], start_seconds=0.5, duration_seconds=0.25, force_rate=12.0)
    assert torch.equal(part[0], whole[0][[12, 14, 16]])


async def test_a_video_in_memory_is_cut_and_resized_too(run: Any, part: Any) -> None:
    import numpy as np

    film = torch.linspace(0, 1, 12).reshape(12, 1, 1, 1).expand(12, 8, 16, 3).contiguous()
    sound = {"waveform": torch.arange(12_000.0).reshape(1, 1, -1), "sample_rate": 12_000}

    class InMemory:
        def get_components(self) -> Any:
            from types import SimpleNamespace

            return SimpleNamespace(images=film, audio=sound, frame_rate=12)

    whole = await run("GIVLoadVideoFrames", video=InMemory())
    assert whole[0] is film
    assert whole[1] is sound
    images, audio, fps, count, _, _ = await run(
        "GIVLoadVideoFrames", video=InMemory(), start_seconds=0.5, select_every_nth=2, width=8, height=8, fit="pad"
    )
    assert (images.shape, fps, count) == ((3, 8, 8, 3), 6.0, 3)
    assert np.allclose(images[:, 4, 4, 0], film[[6, 8, 10], 0, 0, 0], atol=1e-3)
    assert float(images[:, 0].max()) == 0
    assert torch.equal(audio["waveform"], sound["waveform"][..., 6000:])


async def test_numbers_that_contradict_each_other_are_refused(run: Any, clip: Any, part: Any) -> None:
    with pytest.raises(part("grok_imagine.errors").RequestError, match="not both"):
        await run("GIVLoadVideoFrames", video=clip[0], longest_side=64, width=64)


async def test_it_reads_nothing_outside_comfyuis_folders(run: Any, user_folder: Path, part: Any) -> None:
    error = part("grok_imagine.errors").RequestError
    secret = user_folder / "secret.mp4"
    secret.write_bytes(b"x")
    (user_folder / "input-more").mkdir()
    (user_folder / "input-more" / "near.mp4").write_bytes(b"x")
    outside = (
        "/etc/passwd",
        str(secret),
        "../secret.mp4",
        str(user_folder / "input-more" / "near.mp4"),
        str(user_folder / "user" / "__grok_imagine" / "settings.json"),
        "../secret.mp4 [output]",
    )
    for source in outside:
        with pytest.raises(error, match="lies outside ComfyUI's") as caught:
            await run("GIVLoadVideoFrames", source=source)
        assert str(user_folder / "input") not in str(caught.value).replace(source, "")
    with pytest.raises(error, match=r"There is no file 'missing\.mp4'"):
        await run("GIVLoadVideoFrames", source="missing.mp4")
    with pytest.raises(error, match="Nothing to load"):
        await run("GIVLoadVideoFrames")


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make symbolic links")
async def test_it_follows_no_link_out_of_comfyuis_folders(run: Any, user_folder: Path, part: Any) -> None:
    (user_folder / "secret.mp4").write_bytes(b"x")
    (user_folder / "input" / "link.mp4").symlink_to(user_folder / "secret.mp4")
    with pytest.raises(part("grok_imagine.errors").RequestError, match="lies outside ComfyUI's") as caught:
        await run("GIVLoadVideoFrames", source="link.mp4")
    assert str(user_folder / "input") not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/film.mp4", "URL is refused: it is not https"),
        ("https://10.0.0.1/film.mp4", "URL is refused: it points to"),
        ("https://printer.local/film.mp4", "URL is refused: it points to"),
        ("file:///etc/passwd", "URL is refused: it"),
        ("http://127.0.0.1:1/film.mp4", "points to this machine, but not to a file of the sandbox"),
        ("http://localhost:22/", "points to this machine, but not to a file of the sandbox"),
        ("https://user:word@example.com/film.mp4", "URL is refused: it"),
    ],
)
async def test_it_fetches_public_https_and_the_sandbox_alone(run: Any, part: Any, url: str, why: str) -> None:
    with pytest.raises(part("grok_imagine.errors").TransportError, match=why):
        await run("GIVLoadVideoFrames", source=url)


async def test_a_damaged_file_is_named(run: Any, user_folder: Path, part: Any) -> None:
    (user_folder / "input" / "broken.mp4").write_bytes(b"not a film" * 100)
    with pytest.raises(part("grok_imagine.errors").DecodeError, match=r"broken\.mp4"):
        await run("GIVLoadVideoFrames", source="broken.mp4")


async def test_a_new_file_under_an_old_name_is_read_anew(nodes: dict[str, Any], run: Any, user_folder: Path) -> None:
    look = nodes["GIVLoadVideoFrames"].fingerprint_inputs
    film = user_folder / "input" / "film.mp4"
    film.write_bytes(b"one")
    first = look(source="film.mp4", video=None)
    assert first == look(source="film.mp4")
    film.write_bytes(b"another")
    assert look(source="film.mp4") != first
    for source in (
        "",
        "missing.mp4",
        "/etc/passwd",
        "https://example.com/film.mp4",
        "20260101-000000-00000000",
        "a\0b",
    ):
        assert look(source=source, video=None) == ""


async def test_a_film_that_does_not_fit_is_refused_before_memory_is_taken(
    run: Any, clip: Any, part: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(part("nodes.host.files"), "free_memory", lambda: 10_000_000)
    refused = "frame_load_cap at most 2, or select_every_nth at least 12, or longest_side at most 240"
    with pytest.raises(part("grok_imagine.errors").DecodeError, match=refused):
        await run("GIVLoadVideoFrames", video=clip[0])
    for wish in ({"frame_load_cap": 2}, {"select_every_nth": 12}, {"longest_side": 240}):
        await run("GIVLoadVideoFrames", video=clip[0], **wish)


async def test_decoding_stops_at_an_interrupt(run: Any, clip: Any, part: Any, monkeypatch: Any) -> None:
    import comfy.model_management as management

    stopped = threading.Event()
    looks: list[bool] = []
    look = management.processing_interrupted
    monkeypatch.setattr(management, "processing_interrupted", lambda: looks.append(look()) or looks[-1])

    def endless(_path: Any, *, on_progress: Any, should_stop: Any, **_others: Any) -> None:
        for done in range(10_000):
            on_progress(done, 10_000)
            if done == 5:
                management.interrupt_current_processing(True)
            if should_stop():
                stopped.set()
                return
            time.sleep(0.02)

    monkeypatch.setattr(part("grok_imagine.media.frames.decode"), "decode", endless)
    with pytest.raises(management.InterruptProcessingException):
        await run("GIVLoadVideoFrames", video=clip[0])
    assert looks.count(True) == 1, "the first look that sees it ends the node"
    assert await asyncio.to_thread(stopped.wait, 120)
