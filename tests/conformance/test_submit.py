"""Answers of providers to the submit, with the job's state, the number of POSTs and the error text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grok_imagine.errors import ContentRejected, GrokImagineError, SubmitUncertain
from grok_imagine.jobs import Session
from grok_imagine.models import JobState

from .conftest import hurry, make, request_of, settings
from .grid import diagonal
from .server import CLIP, DIALECTS, TASK, World, done, id_answer

REDIRECTS = (
    "https:foo",
    "javascript:1",
    "mailto:x",
    "http://xn--a/",
    "/elsewhere",
    "http://[::1",
    "//",
    "ht!tp://x",
    "",
)
UNKNOWN = [
    *((status, {}, {"error": {"message": "m"}}) for status in (408, 409, 421, 499, 500, 502, 503, 504, 520, 529)),
    (200, {}, b"<html>welcome</html>"),
    (200, {}, b""),
    (200, {}, b'{"id": "task_'),
    (200, {"Content-Encoding": "gzip"}, b"this is not packed"),
    (200, {}, {"message": "ok"}),
]


@pytest.mark.parametrize("answer", UNKNOWN, ids=lambda one: f"{one[0]}-{one[1]}-{str(one[2])[:20]}")
async def test_an_unclear_answer_leaves_the_outcome_unknown(answer: Any, world: World, tmp_path: Path) -> None:
    world.submit = answer
    job, said = await make(world, "reapi", tmp_path, SubmitUncertain)
    assert job.state is JobState.SUBMITTING
    assert "not charged" not in said
    assert "nothing was charged" not in said.lower()


@diagonal("status, place", (301, 302, 307, 308), REDIRECTS)
async def test_a_redirect_leaves_the_outcome_unknown(status: int, place: str, world: World, tmp_path: Path) -> None:
    await test_an_unclear_answer_leaves_the_outcome_unknown((status, {"Location": place}, b""), world, tmp_path)


@diagonal("dialect, place", DIALECTS[1:], ["https:foo", "http://xn--a/"])
async def test_a_redirect_that_cannot_be_joined_in_every_dialect(
    dialect: str, place: str, world: World, tmp_path: Path
) -> None:
    world.submit = (302, {"Location": place}, b"")
    assert (await make(world, dialect, tmp_path, SubmitUncertain))[0].state is JobState.SUBMITTING


@diagonal("dialect, code", DIALECTS, [429, 402, 500, 1000, "429", "rate_limit_exceeded", "error"], repr)
async def test_an_id_wins_over_any_code_beside_it(dialect: str, code: Any, world: World, tmp_path: Path) -> None:
    status, headers, body = id_answer(dialect, TASK)
    key = "id" if dialect == "xai" else next(iter(body))
    world.submit = (status, headers, {**body, "code": code, "message": "busy", key: body.get(key, TASK)})
    world.polls, world.files = [done(dialect)], {"/clip.mp4": (200, {}, CLIP), "/content": (200, {}, CLIP)}
    assert (await make(world, dialect, tmp_path, None))[0].state is JobState.SAVED


HEADERS = [
    {"Retry-After": "Sat, 01 Jan 99999 00:00:00 GMT"},
    {"Retry-After": "Fri, 31 Dec 9999 23:59:59 -2359"},
    {"Retry-After": "9" * 400},
    {"Retry-After": "-1"},
    {"Last-Modified": "Mon, 01 Jan 0001 00:00:00 +2359"},
    {"Content-Type": "text/plain"},
    {"Location": "https:foo"},
]


@pytest.mark.parametrize("headers", HEADERS, ids=str)
async def test_a_strange_header_does_not_cost_the_id(headers: dict[str, str], world: World, tmp_path: Path) -> None:
    world.submit = (200, headers, {"id": TASK})
    world.polls, world.files = [done("reapi")], {"/clip.mp4": (200, {}, CLIP)}
    assert (await make(world, "reapi", tmp_path, None))[0].state is JobState.SAVED


IDS = [
    "dmlkZW9fMTIzNDU2Nzg5MA==",
    "bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOm9wZW5haTttb2RlbF9pZA/x+y==",
    "openai|video_1",
    "video_1@eu-west",
    "a" * 238,
    "bGl0" * 90,
    "01J:0000",
    "~x.y_z-9",
]


@diagonal("dialect, name", DIALECTS, IDS, lambda one: one[:24])
async def test_a_task_id_is_sent_unchanged(dialect: str, name: str, world: World, tmp_path: Path) -> None:
    from urllib.parse import quote

    world.submit = id_answer(dialect, name)
    world.polls, world.files = [done(dialect)], {"/clip.mp4": (200, {}, CLIP), "/content": (200, {}, CLIP)}
    job, _ = await make(world, dialect, tmp_path, None)
    assert (job.state, job.task_id) == (JobState.SAVED, name)
    assert world.asked(quote(name, safe="")) >= 1


MODERATION = [
    (400, {"error": {"code": "content_policy_violation", "message": "Your request was rejected"}}),
    (403, {"error": {"code": "content_policy_violation", "message": "m"}}),
    (422, {"error": {"message": "The prompt was flagged by our safety system"}}),
    (400, {"code": "sensitive_words_detected", "message": "user sensitive words detected"}),
    (400, {"message": '{"error":{"code":"content_policy_violation","message":"no"}}'}),
    (200, {"code": 400, "message": "Request violates content policy"}),
    (200, {"code": 400, "msg": "prohibited content"}),
]


@diagonal("dialect, answer", DIALECTS, MODERATION)
async def test_refused_content_is_sent_to_no_other_connection(
    dialect: str, answer: tuple[int, Any], world: World, tmp_path: Path
) -> None:
    world.submit = (answer[0], {}, answer[1])
    job, said = await make(world, dialect, tmp_path, ContentRejected)
    assert (job.state, job.error_kind, job.task_id) == (JobState.FAILED, "ContentRejected", None)
    assert "Change the prompt" in said


async def test_the_provider_s_own_code_for_refused_content(world: World, tmp_path: Path) -> None:
    world.submit = (400, {}, {"error": {"code": 80006, "message": "Request rejected"}})
    assert (await make(world, "reapi", tmp_path, ContentRejected))[0].state is JobState.FAILED


@pytest.mark.parametrize("body", [{"success": False, "message": "no"}, {"success": False, "error": "no"}])
async def test_a_success_of_false_is_a_refusal(body: Any, world: World, tmp_path: Path) -> None:
    world.submit = (200, {}, body)
    async with Session(tmp_path, settings(world, "aivideoapi"), sleep=hurry) as session:
        with pytest.raises(GrokImagineError, match="no"):
            await session.generate(request_of("aivideoapi"), "mine")
        (job,) = await session.journal.recent()
    assert (job.state, world.posts) == (JobState.FAILED, 1)
