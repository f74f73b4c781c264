"""Properties that hold for any answer at all, and for any prompt."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grok_imagine.errors import ProviderError, RequestError
from grok_imagine.models import Mode, Reply, TaskPhase, VideoRequest
from grok_imagine.providers import PROVIDERS, PublicUrls, image_tokens

BAD = "https://thumbnails.example.com/never.png"
NAMES = [
    "id",
    "task_id",
    "taskId",
    "request_id",
    "status",
    "state",
    "task_status",
    "code",
    "message",
    "msg",
    "error",
    "data",
    "output",
    "result",
    "outputs",
    "urls",
    "url",
    "video_url",
    "video_urls",
    "video",
    "videos",
    "metadata",
    "resultJson",
    "response",
    "fail_reason",
    "failMsg",
    "failCode",
    "detail",
    "progress",
    "usage",
    "cost_in_usd_ticks",
    "respect_moderation",
    "result_url",
    "type",
]
WORDS = ["completed", "SUCCESS", "done", "failed", "in_progress", "pending", "", "200", "500", "success", "task_1"]
URLS = [
    "https://cdn.example.com/a.mp4",
    "http://a.example/1",
    "ftp://a/b",
    "//a/b",
    "data:video/mp4;base64,AA",
    "https://",
]

texts = st.sampled_from(WORDS + URLS) | st.text(max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | texts
json_text = st.just(json.dumps({"resultUrls": [URLS[0]]}))
values = st.recursive(
    scalars | json_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=25,
)
objects = st.dictionaries(st.sampled_from(NAMES), values, max_size=10)
statuses = st.sampled_from([200, 201, 202, 204, 301, 400, 401, 402, 404, 408, 429, 500, 502, 503, 599])
dialects = st.sampled_from(list(PROVIDERS.values()))


def is_plain(text: str) -> bool:
    return bool(text.encode() or not text) and len(text) < 1000


def outcome(reader: Any, value: Any) -> tuple[Any, str]:
    """What the reader makes of the value: a result, or the error's words. Any other exception fails the test."""
    try:
        return reader(value), ""
    except ProviderError as error:
        return None, str(error)


def check_all_readers(dialect: Any, reply: Reply) -> None:
    status, said = outcome(dialect.status, reply)
    assert is_plain(said)
    if status is not None:
        assert isinstance(status.phase, TaskPhase)
        assert is_plain(status.word)
        assert status.percent is None or 0 <= status.percent <= 100
        if status.video_url is not None:
            assert status.phase is TaskPhase.DONE
            assert status.video_url.lower().startswith(("http://", "https://", "/"))
        assert (status.error is not None) == (status.phase in (TaskPhase.FAILED, TaskPhase.CANCELED))
    found, said = outcome(dialect.task_id, reply)
    assert is_plain(said)
    if found is not None:
        assert 1 <= len(found) <= 200
        assert unquote(dialect.poll(found).target.rpartition("/")[2]) == found
    error = dialect.refusal(reply)
    assert isinstance(error, ProviderError)
    assert is_plain(str(error))


@given(dialects, objects, statuses)
def test_any_object_is_read_or_refused(dialect: Any, body: Any, status: int) -> None:
    check_all_readers(dialect, Reply(status, json.dumps(body).encode()))


@given(dialects, st.binary(max_size=80), statuses)
def test_any_bytes_are_read_or_refused(dialect: Any, body: bytes, status: int) -> None:
    check_all_readers(dialect, Reply(status, body))


@given(dialects, values, statuses)
@example(PROVIDERS["reapi"], {"id": "https://"}, 200)
@example(PROVIDERS["openai_videos"], {"id": "a|b=c+d?e#f"}, 200)
def test_any_json_is_read_or_refused(dialect: Any, body: Any, status: int) -> None:
    check_all_readers(dialect, Reply(status, json.dumps(body).encode()))


HIDING_PLACES = (
    "thumbnail_url",
    "last_frame_url",
    "image_urls",
    "image_url",
    "image",
    "cover",
    "poster",
    "input_video",
)


@given(dialects, objects, st.lists(st.sampled_from(HIDING_PLACES), min_size=1, unique=True))
def test_a_thumbnail_is_never_the_video(dialect: Any, body: dict[str, Any], places: list[str]) -> None:
    def seeded(value: Any) -> Any:
        if isinstance(value, dict):
            return {**{name: seeded(one) for name, one in value.items()}, **dict.fromkeys(places, BAD)}
        return [seeded(one) for one in value] if isinstance(value, list) else value

    reply = Reply(200, json.dumps({**seeded(body), "status": "completed"}).encode())
    status, _ = outcome(dialect.status, reply)
    assert status is None or status.video_url != BAD


@pytest.mark.parametrize("depth", [10, 1000, 100_000])
@pytest.mark.parametrize("name", list(PROVIDERS))
def test_depth_is_no_weapon(name: str, depth: int) -> None:
    nested = b'{"data":' * depth + b"1" + b"}" * depth
    check_all_readers(PROVIDERS[name], Reply(200, nested))
    lists = b'{"status":"done","url":' + b"[" * depth + b'"https://a.example/1"' + b"]" * depth + b"}"
    check_all_readers(PROVIDERS[name], Reply(200, lists))


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_length_is_no_weapon(name: str) -> None:
    for text in ("https://" * 120_000, "@" * 900_000, "Bearer " * 120_000, "sk-" * 300_000, "policy violat" * 70_000):
        body = json.dumps({"id": text, "status": text, "error": {"code": text, "message": text}, "video_url": text})
        check_all_readers(PROVIDERS[name], Reply(200, body.encode()))
        check_all_readers(PROVIDERS[name], Reply(500, body.encode()))
    check_all_readers(PROVIDERS[name], Reply(200, b'{"code":' + b"9" * 6000 + b"}"))
    check_all_readers(PROVIDERS[name], Reply(200, b'{"progress":' + b"9" * 4000 + b',"status":"running"}'))


# -- tokens


@given(st.text(alphabet="@image0123456789Iabc ,看_", max_size=40))
def test_rendering_a_token_as_itself_changes_nothing_else(prompt: str) -> None:
    found = [number for _, number in image_tokens.find(prompt)]
    spelled = image_tokens.render(prompt, lambda number: f"\x00{number}\x01")
    assert spelled.count("\x00") == len(found)
    assert [int(part.split("\x01")[0]) for part in spelled.split("\x00")[1:]] == found


@given(st.integers(1, 9), st.integers(10, 99), st.sampled_from(["", " ", ",", "看", "\n"]))
def test_image10_is_never_touched_as_image1(small: int, large: int, between: str) -> None:
    prompt = f"@image{large}{between}@image{small}"
    assert image_tokens.render(prompt, lambda number: f"<{number}>") == f"<{large}>{between}<{small}>"
    assert dict(image_tokens.find(prompt)) == {f"@image{large}": large, f"@image{small}": small}


@given(dialects, st.text(max_size=60), st.integers(0, 3))
def test_a_prompt_without_tokens_is_sent_as_it_is(dialect: Any, prompt: str, count: int) -> None:
    images = tuple(f"https://a.example.com/{number}.png" for number in range(count))
    request = VideoRequest(prompt="x" + prompt.replace("@", ""), reference_images=images)
    capability = dialect.capability(request)
    body = dialect.build(dialect.with_tokens(request, capability.mode), capability, PublicUrls(images)).body
    assert body.get("input", body)["prompt"] == request.prompt


# -- reading loose values

LOOSE = ("mode", "model", "prompt", "resolution", "aspect_ratio", "duration_seconds", "motion_mode", "seed")
loose = st.dictionaries(
    st.sampled_from((*LOOSE, "reference_images", "source_video", "source_seconds", "bogus")),
    values | st.sampled_from([mode.value for mode in Mode]) | st.lists(st.text(max_size=20), max_size=9),
    max_size=8,
)


@given(dialects, loose)
def test_any_wish_is_checked_or_refused_with_reasons(dialect: Any, fields: dict[str, Any]) -> None:
    try:
        request, checked = dialect.read(fields)
    except RequestError as error:
        said = [v.rule and v.field and v.message and not v.is_warning for v in error.violations]
    else:
        said = []
    if said:
        assert all(said)
        return
    assert dialect.capability(request) is checked.capability
    assert all(warning.is_warning for warning in checked.warnings)
    body = dialect.submit(request, PublicUrls(tuple(str(one) for one in request.reference_images))).body
    assert None not in json.loads(json.dumps(body)).values()
