"""Answers of providers for a finished task, and where the video is."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.errors import ContentRejected, JobExpired, JobFailed, ResultNotFetched
from grok_imagine.jobs import Session
from grok_imagine.models import JobState

from .conftest import hurry, make, settings
from .grid import diagonal
from .server import CLIP, DIALECTS, TASK, World, done, id_answer

URL = "{url}/clip.mp4"
GENERIC = [one for one in DIALECTS if one != "openai_videos"]
"""The gateway serves a clip under the task's own address too, so it needs no URL."""


def task(dialect: str, word: str, **fields: Any) -> Any:
    """A poll's answer with other fields beside its status."""
    inner = {"id": TASK, "status": word, **fields}
    return (200, {}, {"code": 200, "message": "success", "data": inner} if dialect == "apiinone" else inner)


SHAPES: list[dict[str, Any]] = [
    {"url": URL},
    {"video_url": URL},
    {"videoUrl": URL},
    {"output": URL},
    {"output": [URL]},
    {"output": {"url": URL}},
    {"output": {"video": URL}},
    {"output": {"videos": [{"url": URL}]}},
    {"output": [{"url": URL}]},
    {"result": URL},
    {"result": {"video_url": URL}},
    {"result": {"videos": [{"url": URL}]}},
    {"results": [{"url": URL}]},
    {"results": [{"url": "{url}/thumb.jpg", "video_url": URL}]},
    {"video": {"url": URL}},
    {"video_urls": [URL]},
    {"videos": [URL]},
    {"result": '{"video_url": "{url}/clip.mp4"}'},
    {"resultJson": '{"resultUrls": ["{url}/clip.mp4"]}'},
    {"output": '["{url}/clip.mp4"]'},
    {"url": "/clip.mp4"},
    {"output": {"url": "/files/my clip.mp4"}},
    {"url": "{url}/my clip.mp4"},
]


@diagonal("dialect, fields", GENERIC, SHAPES)
async def test_a_video_url_is_found_in_every_known_place(
    dialect: str, fields: dict[str, Any], world: World, tmp_path: Path
) -> None:
    world.submit, world.polls = id_answer(dialect, TASK), [task(dialect, "completed", **fields)]
    world.files = {"clip.mp4": (200, {}, CLIP), "thumb.jpg": (200, {}, b"\xff\xd8\xff" * 20)}
    job, _ = await make(world, dialect, tmp_path)
    assert job.state is JobState.SAVED
    assert job.file is not None


UNKNOWN_SHAPES: list[dict[str, Any]] = [{}, {"output": None}, {"gift": URL}, {"url": "ftp://x/a.mp4"}, {"url": ""}]


@diagonal("dialect, fields", GENERIC, UNKNOWN_SHAPES)
async def test_done_is_paid_even_where_no_video_is_found(
    dialect: str, fields: dict[str, Any], world: World, tmp_path: Path
) -> None:
    world.submit, world.polls = id_answer(dialect, TASK), [task(dialect, "completed", **fields)]
    job, said = await make(world, dialect, tmp_path, ResultNotFetched)
    assert (job.state, job.billed_usd) == (JobState.SUCCEEDED, None)
    assert f"attach {job.id} --url URL" in said
    assert "The answer was: " in said
    assert "not charged" not in said
    world.files = {"/by-hand.mp4": (200, {}, CLIP)}
    async with Session(tmp_path, settings(world, dialect), sleep=hurry) as session:
        await session.attach_url(job.id, f"{world.url}/by-hand.mp4")
        assert (await session.resume(job.id)).job.state is JobState.SAVED
    assert world.posts == 1


DEAD: list[Any] = [
    *((status, {}, b"gone") for status in (401, 403, 404, 410)),
    (200, {"Content-Type": "text/html"}, b"<html>" + b"please sign in " * 10),
    (200, {"Content-Type": "application/json"}, b'{"error": "expired"}'),
    (200, {"Content-Type": "video/mp4"}, CLIP[:1500]),
]
REFUSED = [
    "http://10.0.0.9/a.mp4",
    "http://localhost:1/a.mp4",
    "https://169.254.169.254/a.mp4",
    "http://cdn.example/a.mp4",
]


@pytest.mark.parametrize("reply", DEAD, ids=lambda one: f"{one[0]}-{one[2][:8]!r}")
async def test_the_gateways_own_file_is_the_second_source(reply: Any, world: World, tmp_path: Path) -> None:
    world.submit, world.polls = id_answer("openai_videos", TASK), [done("openai_videos")]
    world.files = {"/clip.mp4": reply, "/content": (200, {}, CLIP)}
    assert (await make(world, "openai_videos", tmp_path))[0].state is JobState.SAVED
    assert world.asked("/content") == 1


@pytest.mark.parametrize("url", REFUSED)
async def test_the_gateways_own_file_is_used_if_the_url_is_refused(url: str, world: World, tmp_path: Path) -> None:
    world.submit, world.polls = id_answer("openai_videos", TASK), [done("openai_videos", url)]
    world.files = {"/content": (200, {}, CLIP)}
    assert (await make(world, "openai_videos", tmp_path))[0].state is JobState.SAVED


async def test_two_dead_sources_end_the_job_without_another_submit(world: World, tmp_path: Path) -> None:
    """A provider that signs another URL for every poll, all of them dead."""
    world.submit = id_answer("openai_videos", TASK)
    world.polls = [done("openai_videos", f"{{url}}/clip.mp4?n={number}") for number in range(60)]
    world.files = {"/clip.mp4": (403, {}, b""), "/content": (404, {}, {"error": {"message": "no"}})}
    job, said = await make(world, "openai_videos", tmp_path, ResultNotFetched, times=1)
    assert job.state is JobState.SUCCEEDED
    assert "pay" not in said.replace("paid", "")
    assert 1 <= world.asked("/content") < 10
    assert world.asked("/clip.mp4") < 10


LABELS: list[dict[str, str]] = [
    *({"Content-Type": kind} for kind in ("application/mp4", "text/plain", "application/x-mp4", "binary/octet-stream")),
    *({"Content-Type": kind} for kind in ("application/force-download", "image/jpeg", "", "video/quicktime")),
    *({"Content-Encoding": name} for name in ("aws-chunked", "", "utf-8", "binary", "identity")),
    {"Last-Modified": "Mon, 01 Jan 0001 00:00:00 +2359", "Date": "Fri, 31 Dec 9999 23:59:59 -2359"},
    {"ETag": "W/nothing"},
]


@pytest.mark.parametrize("headers", LABELS, ids=str)
async def test_the_bytes_decide_not_the_labels(headers: dict[str, str], world: World, tmp_path: Path) -> None:
    world.submit, world.polls = id_answer("reapi", TASK), [done("reapi")]
    world.files = {"/clip.mp4": (200, headers, CLIP)}
    job, _ = await make(world, "reapi", tmp_path)
    assert job.state is JobState.SAVED


PARTS: list[Any] = [
    (206, {"Content-Range": f"bytes 0-{len(CLIP) - 1}/{len(CLIP)}"}, CLIP),
    (200, {"Content-Encoding": "gzip"}, gzip.compress(CLIP)),
]


@pytest.mark.parametrize("reply", PARTS, ids=["an unasked 206 that is whole", "gzip"])
async def test_a_complete_file_with_unusual_headers_is_accepted(reply: Any, world: World, tmp_path: Path) -> None:
    world.submit, world.polls, world.files = id_answer("reapi", TASK), [done("reapi")], {"/clip.mp4": reply}
    assert (await make(world, "reapi", tmp_path))[0].state is JobState.SAVED


async def test_a_redirect_with_a_space(world: World, tmp_path: Path) -> None:
    world.submit, world.polls = id_answer("reapi", TASK), [done("reapi", "{url}/go")]
    world.files = {"/go": (302, {"Location": "{url}/my clip.mp4"}, b""), "clip.mp4": (200, {}, CLIP)}
    assert (await make(world, "reapi", tmp_path))[0].state is JobState.SAVED


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_key_is_sent_below_the_base_url(dialect: str, world: World, tmp_path: Path) -> None:
    world.submit, world.polls = id_answer(dialect, TASK), [done(dialect, "{url}/files/clip.mp4")]
    world.files = {"/files/clip.mp4": (200, {}, CLIP)}
    await make(world, dialect, tmp_path)
    (sent,) = [headers for method, path, headers in world.requests if path == "/files/clip.mp4"]
    assert sent.get("Authorization", "").startswith("Bearer ")


WORDS = [
    *((word, JobFailed) for word in ("aborted", "terminated", "timeout", "timed_out", "incomplete", "refunded")),
    *((word, ContentRejected) for word in ("blocked", "content_filtered", "moderation_blocked")),
    ("expired", JobExpired),
]
BESIDE: list[dict[str, Any]] = [{}, {"error": {"code": "e", "message": "m"}}]


@diagonal(
    "dialect, ending", DIALECTS, [(*one, beside) for beside in BESIDE for one in WORDS], lambda one: str(one[::2])
)
async def test_terminal_words_end_the_wait(dialect: str, ending: Any, world: World, tmp_path: Path) -> None:
    word, error, beside = ending
    world.submit, world.polls = id_answer(dialect, TASK), [task(dialect, word, **beside)]
    job, _ = await make(world, dialect, tmp_path, error, times=1)
    assert job.state is JobState.FAILED


async def test_a_slow_download_leaves_the_job_paid_and_resumable(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait for it ends though bytes come, and also though more came than ever before."""
    monkeypatch.setattr("grok_imagine.transport.download.WINDOW_SECONDS", 0.3)
    monkeypatch.setattr("grok_imagine.jobs.pipeline.download._PROGRESS", 1)
    world.submit, world.polls, world.drips = id_answer("reapi", TASK), [done("reapi")], True
    world.files = {"clip.mp4": (200, {"ETag": '"one"'}, CLIP)}
    job, said = await make(world, "reapi", tmp_path, ResultNotFetched, times=1)
    assert job.state is JobState.SUCCEEDED
    assert "came within" in said
    assert "It is not charged again" in said
    assert world.asked("clip.mp4") == 3
    world.drips = False
    async with Session(tmp_path, settings(world, "reapi"), sleep=hurry) as session:
        assert (await session.resume(job.id)).job.state is JobState.SAVED
    assert world.posts == 1
