"""Whole jobs over HTTP: every dialect and mode against the sandbox, with one submit and one clip each."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from grok_imagine.errors import RequestError, StorageError, UnsupportedOption
from grok_imagine.jobs import Session
from grok_imagine.models import Blob, JobState, Mode, VideoRequest
from grok_imagine.sandbox import Sandbox

from ..support.requests import DIALECTS, clip_facts, connection_for, make_picture, request_for
from ..support.sessions import Open, Recorder, until


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_text_to_video(dialect: str, session: Session, sandbox: Sandbox) -> None:
    seen = Recorder()
    result = await session.generate(request_for(dialect), connection_for(dialect), progress=seen)
    assert result.job.state is JobState.SAVED
    assert result.job.provider == dialect
    frames, width, height, rate = clip_facts(result.file)
    assert rate == 24
    assert frames == (48 if dialect in ("openai_videos", "xai") else 144)
    assert min(width, height) == 480
    assert sandbox.ledger()["submits"] == 1
    assert seen.steps[0] == "preparing"
    assert seen.steps[-1] == "done"
    steps = [event["after"] for event in await session.journal.history(result.job.id)]
    assert steps == ["prepared", "submitting", "submitted", "succeeded", "saved"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_image_to_video_fetches_what_was_uploaded(
    dialect: str, session: Session, sandbox: Sandbox, picture: Blob
) -> None:
    request = request_for(dialect, reference_images=(picture,))
    result = await session.generate(request, connection_for(dialect))
    assert result.job.mode == Mode.IMAGE.value
    assert clip_facts(result.file)[0] > 0
    (submit,) = [one for one in sandbox.requests() if one["method"] == "POST"]
    assert "/_sandbox/files/" in str(submit["body"])  # and the sandbox fails a task whose reference it cannot fetch


@pytest.mark.parametrize("dialect", ["openai_videos", "xai"])
async def test_reference_to_video(dialect: str, session: Session, picture: Blob) -> None:
    images = (picture, make_picture((20, 90, 160)))
    request = request_for(dialect, prompt="@image1 meets @image2", reference_images=images, aspect_ratio="16:9")
    result = await session.generate(request, connection_for(dialect))
    assert result.job.mode == Mode.REFERENCE.value
    assert result.file.stat().st_size > 1000


@pytest.mark.parametrize("dialect", ["openai_videos", "xai"])
@pytest.mark.parametrize("mode", [Mode.EDIT, Mode.EXTEND])
async def test_edit_and_extend(dialect: str, mode: Mode, session: Session) -> None:
    source = await session.generate(request_for(dialect), connection_for(dialect))
    request = VideoRequest(
        mode=mode,
        prompt="at night",
        source_video=Blob(source.file.read_bytes(), "video/mp4"),
        source_seconds=2.0,
        duration_seconds=2 if mode is Mode.EXTEND else None,
    )
    result = await session.generate(request, connection_for(dialect))
    assert clip_facts(result.file)[0] == (96 if mode is Mode.EXTEND else 48)


async def test_the_same_request_is_paid_once_and_a_new_seed_is_a_new_clip(open_session: Open, sandbox: Sandbox) -> None:
    async with open_session() as session:
        first = await session.generate(request_for("reapi"), "sandbox")
    async with open_session() as session:
        again = await session.generate(request_for("reapi"), "sandbox")
        assert again.is_reused
        assert again.file == first.file
        other = await session.generate(request_for("reapi", seed=1), "sandbox")
        assert other.job.id != first.job.id
    assert sandbox.ledger()["submits"] == 2


async def test_a_removed_file_is_fetched_again_and_not_made_again(session: Session, sandbox: Sandbox) -> None:
    first = await session.generate(request_for("reapi"), "sandbox")
    first.file.unlink()
    again = await session.generate(request_for("reapi"), "sandbox")
    assert again.file.is_file()
    assert sandbox.ledger()["submits"] == 1


async def test_one_picture_given_twice_is_uploaded_once_and_sent_twice(
    session: Session, sandbox: Sandbox, picture: Blob
) -> None:
    await session.generate(request_for("reapi", reference_images=(picture, picture)), "sandbox")
    (submit,) = [one for one in sandbox.requests() if one["method"] == "POST"]
    first, second = submit["body"]["image_urls"]
    assert first == second  # every upload gets a URL of its own, so this one was uploaded once


async def test_two_jobs_overlap(open_session: Open, held: Sandbox) -> None:
    async with open_session(sandbox_url=held.url) as session:
        requests = (session.generate(request_for("reapi", seed=n), "sandbox", owner=str(n)) for n in (0, 1))
        both = asyncio.gather(*requests)
        await until(lambda: held.ledger()["submits"] == 2)  # the second does not wait for the first to end
        held.wind(60)
        assert [result.job.state for result in await both] == [JobState.SAVED] * 2


async def test_the_estimate_is_in_the_journal(session: Session, sandbox: Sandbox) -> None:
    result = await session.generate(request_for("reapi"), "sandbox")
    assert result.job.estimate_usd == Decimal("0.054")
    assert result.job.estimate_credits == 54
    charged = [entry for entry in sandbox.ledger()["entries"] if entry["kind"] == "charge"]
    assert [Decimal(entry["credits"]) for entry in charged] == [54]


async def test_a_bad_request_sends_and_journals_nothing(session: Session, sandbox: Sandbox, picture: Blob) -> None:
    bad = VideoRequest(prompt="x" * 4001, duration_seconds=31, resolution="8k", reference_images=(picture,) * 8)
    with pytest.raises(RequestError) as caught:
        await session.generate(bad, "sandbox")
    assert {violation.rule for violation in caught.value.violations} == {"R3", "R5", "R6", "R7"}
    assert all(violation.message in str(caught.value) for violation in caught.value.violations)
    assert sandbox.requests() == []
    assert await session.journal.recent() == []


async def test_an_unsupported_mode_is_refused(session: Session) -> None:
    with pytest.raises(
        UnsupportedOption, match="reference-to-video is not supported here; choose one of: text-to-video"
    ):
        await session.generate(VideoRequest(prompt="x", mode=Mode.REFERENCE), "sandbox")


async def test_without_a_store_an_image_is_refused_before_anything_is_sent(
    open_session: Open, sandbox: Sandbox, picture: Blob
) -> None:
    own = {"mine": {"dialect": "reapi", "base_url": f"{sandbox.url}/reapi", "api_key": "rk_live_sandbox_1"}}
    async with open_session(connections=own) as session:
        with pytest.raises(StorageError, match="image_urls"):
            await session.generate(request_for("reapi", reference_images=(picture,)), "mine")
        assert [job.state for job in await session.journal.recent()] == [JobState.PREPARED]
    assert sandbox.ledger()["posts"] == 0
