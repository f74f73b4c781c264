"""The metadata of a clip: complete, without secrets, and the streams unchanged."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from grok_imagine import filelock
from grok_imagine.errors import EncodeError
from grok_imagine.jobs import Session
from grok_imagine.jobs.pipeline.provenance import clean, facts_of
from grok_imagine.media.mux import metadata
from grok_imagine.models import Blob
from grok_imagine.sandbox import Sandbox

from ..support.privacy import is_private
from ..support.requests import DIALECTS, a_job, connection_for, request_for
from ..support.sessions import Open, Recorder, paid


def streams(path: Path) -> dict[str, Any]:
    """Each stream's packets, as an independent reader sees them: bytes, times, codec data."""
    with av.open(str(path)) as container:
        found: dict[str, Any] = {}
        for stream in container.streams:
            found[stream.type] = [stream.codec_context.name, bytes(stream.codec_context.extradata or b"")]
        for packet in container.demux():
            if packet.dts is not None:
                times = (packet.pts * packet.time_base, packet.dts * packet.time_base)
                found[packet.stream.type].append((times, packet.is_keyframe, hashlib.sha256(bytes(packet)).hexdigest()))
    return found


def pictures(path: Path) -> str:
    digest = hashlib.sha256()
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            digest.update(frame.to_ndarray().tobytes())
    return digest.hexdigest()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """H.264 with B-frames and AAC, whose first packet begins before zero, and a tag of its own."""
    import numpy as np

    path = tmp_path / "20261121-101500-3f9a2c7b.mp4"
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as out:
        out.metadata["artist"] = "somebody"
        video = out.add_stream("libx264", rate=Fraction(24), options={"bf": "2", "g": "12"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = out.add_stream("aac", rate=48000, layout="stereo")
        for number in range(30):
            picture = np.full((48, 64, 3), number * 8, dtype=np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode(None))
        for number in range(50):
            sound = av.AudioFrame.from_ndarray(np.zeros((2, 1024), dtype=np.float32), format="fltp", layout="stereo")
            sound.sample_rate, sound.pts = 48000, number * 1024
            out.mux(audio.encode(sound))
        out.mux(audio.encode(None))
    return path


def test_the_streams_stay_as_they_are_bit_for_bit(film: Path) -> None:
    before, shown = streams(film), pictures(film)
    metadata.stamp(film, {"prompt": 'löwe "🦁"\n2', "n": 1}, "löwe")
    assert streams(film) == before
    assert pictures(film) == shown
    assert metadata.read(film) == {"prompt": 'löwe "🦁"\n2', "n": 1}
    with av.open(str(film)) as container:
        assert container.metadata["artist"] == "somebody"
        assert container.metadata["description"] == "löwe"
    metadata.stamp(film, {"n": 2})  # and again, as often as one likes
    assert metadata.read(film) == {"n": 2}
    assert streams(film) == before
    assert is_private(film)
    assert [path.name for path in film.parent.iterdir()] == [film.name]


@pytest.mark.parametrize("broken", ["cut", "no video", "read-only", "differs"])
def test_what_cannot_be_stamped_is_left_as_it_is(film: Path, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken == "cut":
        film.write_bytes(film.read_bytes()[:-2000])
    elif broken == "no video":
        film.write_bytes(b"\0\0\0\x18ftypisom" + b"x" * 4000)
    elif broken == "differs":  # a muxer that loses a packet
        real = metadata._copy_streams

        def lossy(clip: Any, copy: Any) -> None:
            mux, seen = copy.mux, iter(range(10**6))
            real(
                clip,
                type(
                    "Copy",
                    (),
                    {
                        "add_stream_from_template": copy.add_stream_from_template,
                        "mux": staticmethod(lambda packet: None if next(seen) == 7 else mux(packet)),
                    },
                )(),
            )

        monkeypatch.setattr(metadata, "_copy_streams", lossy)
    else:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(filelock, "replace_file", full)
    before = film.read_bytes()
    with pytest.raises(EncodeError):
        metadata.stamp(film, {"n": 1})
    assert film.read_bytes() == before
    assert [path.name for path in film.parent.iterdir()] == [film.name]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_clip_says_how_it_was_made(dialect: str, session: Session) -> None:
    request = request_for(dialect, prompt="a paper boat 🚣", seed=7)
    result = await session.generate(request, connection_for(dialect))
    facts = metadata.read(result.file)
    assert facts is not None
    assert (facts["dialect"], facts["model"], facts["mode"]) == (dialect, result.job.model, "text_to_video")
    assert (facts["prompt"], facts["seed"]) == ("a paper boat 🚣", 7)
    assert (facts["task_id"], facts["job_id"]) == (result.job.task_id, result.job.id)
    assert facts["parameters"] == {
        name: value for name, value in result.job.request.items() if name not in ("prompt", "seed", "mode", "model")
    }
    assert (facts["cost"] is None) is (dialect == "openai_videos")
    assert facts["is_sandbox"] is True
    told = facts_of(result.job)
    assert {**told, "times": None} == {**facts, "times": None}


async def test_the_stamped_file_is_the_providers_clip(session: Session, sandbox: Sandbox, tmp_path: Path) -> None:
    result = await session.generate(request_for("reapi"), "sandbox")
    await session.download_url(result.job.result_url or "", tmp_path / "as-served.mp4")
    assert streams(result.file) == streams(tmp_path / "as-served.mp4")


async def test_a_failed_stamp_never_costs_the_clip(
    session: Session, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise NotImplementedError("no such codec")

    monkeypatch.setattr(metadata, "_copy_streams", refuse)
    seen = Recorder()
    result = await session.generate(request_for("reapi"), "sandbox", progress=seen)
    assert result.file.read_bytes()[4:8] == b"ftyp"
    assert any("without metadata" in update.note for update in seen.updates)
    assert metadata.read(result.file) is None
    assert sandbox.ledger()["submits"] == 1


async def test_no_key_and_no_signature_is_in_the_file(open_session: Open, sandbox: Sandbox, picture: Blob) -> None:
    async with open_session(connections=paid(sandbox, "xai")) as session:
        # A picture that the sandbox serves, under a signed URL as a bucket's.
        posted = await session._client.put_public(f"{sandbox.url}/_sandbox/uploads", picture.data, picture.media_type)
        url = f"{json.loads(posted.body)['url']}?X-Amz-Signature=SECRETSIG&token=SECRETTOKEN"
        request = request_for(
            "xai",
            prompt="a boat as in https://x.example/a?X-Amz-Signature=PROMPTSIG with sk-abcdef0123456789",
            reference_images=(url,),
        )
        result = await session.generate(request, "paid")
    data = result.file.read_bytes()
    facts = metadata.read(result.file)
    assert facts is not None
    assert facts["parameters"]["reference_images"] == [url.partition("?")[0]]
    assert b"https://x.example/a" in data
    for secret in (b"PROMPTSIG", b"SECRETSIG", b"SECRETTOKEN", b"sk-abcdef0123456789", b"xai-sandbox_1"):
        assert secret not in data


def test_texts_are_cleaned() -> None:
    data_uri = "data:image/png;base64," + "A" * 5000
    assert clean([data_uri])[0].startswith("data:image/png;base64,… (50")
    assert clean("https://u:p@h.example/x?sig=1#f") == "https://h.example/x"
    long = "word " * 500
    assert facts_of(a_job(request={"prompt": long}))["prompt"] == long
