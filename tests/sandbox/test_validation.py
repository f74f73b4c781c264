"""Each row of each dialect's validation table: status, code and message."""

from __future__ import annotations

from typing import Any

import pytest

R: dict[str, Any] = {"model": "grok-imagine-1.0-video", "prompt": "x"}
IMG = "https://example.com/a.jpg"
SIZES = "16:9 / 9:16 / 1:1 / 3:2 / 2:3"
MISSING_PROMPT = "grok-imagine: prompt is required when image_urls is empty (text-to-video)"
BAD_URL = "grok-imagine: image_urls entries must be public http(s) URLs"

REAPI: list[tuple[Any, int, str | None]] = [
    ([], 20001, None),
    ("text", 20001, None),
    ({**R, "model": "grok-imagine"}, 20004, None),
    ({"prompt": "x"}, 20004, None),
    ({"model": R["model"]}, 20002, MISSING_PROMPT),
    ({**R, "prompt": " \n\t"}, 20002, MISSING_PROMPT),
    ({**R, "prompt": None}, 20002, MISSING_PROMPT),
    ({**R, "prompt": "", "image_urls": []}, 20002, MISSING_PROMPT),
    ({**R, "prompt": "x" * 4001}, 20007, "grok-imagine: prompt exceeds 4000 characters (got 4001)"),
    ({**R, "prompt": "\U0001f600" * 2001}, 20007, "grok-imagine: prompt exceeds 4000 characters (got 4002)"),
    ({**R, "image_urls": [IMG] * 8}, 20003, "grok-imagine: image_urls accepts at most 7 entries, got 8"),
    ({**R, "image_urls": ["data:image/png;base64,AAAA"]}, 20003, BAD_URL),
    ({**R, "image_urls": ["ftp://example.com/a"]}, 20003, BAD_URL),
    ({**R, "image_urls": [IMG, ""]}, 20003, BAD_URL),
    ({**R, "image_urls": [7]}, 20003, BAD_URL),
    ({**R, "image_urls": IMG}, 20003, None),
    ({**R, "duration": 5}, 20003, "grok-imagine: duration must be 6-30 seconds, got 5"),
    ({**R, "duration": 31}, 20003, "grok-imagine: duration must be 6-30 seconds, got 31"),
    ({**R, "duration": 6.5}, 20003, "grok-imagine: duration must be 6-30 seconds, got 6.5"),
    ({**R, "duration": "6"}, 20003, None),
    ({**R, "duration": True}, 20003, None),
    ({**R, "duration": None}, 20003, None),
    ({**R, "size": "4:3"}, 20003, f'grok-imagine: invalid size "4:3" (allowed: {SIZES})'),
    ({**R, "size": "720p"}, 20003, f'grok-imagine: invalid size "720p" (allowed: {SIZES})'),
    ({**R, "size": ["16:9"]}, 20003, None),
    ({**R, "quality": "1080p"}, 20003, 'grok-imagine: invalid quality "1080p" (allowed: 480p / 720p)'),
    ({**R, "quality": "720P"}, 20003, 'grok-imagine: invalid quality "720P" (allowed: 480p / 720p)'),
    ({**R, "prompt": 7}, 20003, None),
]


@pytest.mark.parametrize(("body", "code", "message"), REAPI)
async def test_reapi_refuses(call: Any, body: Any, code: int, message: str | None) -> None:
    status, answer = await call.post("reapi", body)
    assert (status, answer["error"]["code"]) == (400, code)
    assert message is None or answer["error"]["message"] == message
    assert answer["error"]["request_id"]
    assert call.sandbox.ledger()["entries"] == []


async def test_reapi_takes_whole_floats_and_ignores_strangers(open_sandbox: Any) -> None:
    call = await open_sandbox()
    assert (await call.post("reapi", {**R, "duration": 6.0, "seed": 1}))[0] == 200
    strict = await open_sandbox(strict_extra=True)
    status, answer = await strict.post("reapi", {**R, "seed": 1})
    assert (status, answer["error"]["code"]) == (400, 20003)


A: dict[str, Any] = {"prompt": "x"}
AIVIDEOAPI: list[tuple[Any, int, str]] = [
    ([], 400, "invalid_request"),
    ({"input": A}, 400, "invalid_request"),
    ({"model": "grok", "input": A}, 404, "model_not_found"),
    ({"model": "grok-imagine-text-to-video"}, 400, "invalid_request"),
    *[
        ({"model": "grok-imagine-text-to-video", "input": {**A, **extra}}, 400, "invalid_request")
        for extra in (
            {"prompt": " "},
            {"prompt": 1},
            {"prompt": "x" * 5001},
            {"image_urls": [IMG]},
            {"duration": 5},
            {"duration": 31},
            {"duration": "6"},
            {"duration": True},
            {"duration": 6.0},
            {"resolution": "1080p"},
            {"aspect_ratio": "4:3"},
            {"mode": "wild"},
            {"mode": ["fun"]},
            {"nsfw_checker": "no"},
        )
    ],
    *[
        ({"model": "grok-imagine-image-to-video", "input": extra}, 400, "invalid_request")
        for extra in (
            {},
            {"image_urls": []},
            {"image_urls": [IMG] * 8},
            {"image_urls": ["data:image/png;base64,AA"]},
            {"image_urls": [IMG], "mode": "spicy"},
        )
    ],
    ({"model": "grok-imagine-text-to-video", "input": A, "callback_url": "x"}, 400, "invalid_request"),
]


@pytest.mark.parametrize(("body", "status", "code"), AIVIDEOAPI)
async def test_aivideoapi_refuses(call: Any, body: Any, status: int, code: str) -> None:
    got, answer = await call.post("aivideoapi", body)
    assert (got, answer["error"]["code"], answer["error"]["type"]) == (status, code, "invalid_request_error")


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"prompt": ""},
        {"prompt": "x", "model": "grok-video"},
        {"prompt": "x", "image_urls": [IMG]},
        {"prompt": "x" * 5001},
        {"prompt": 3},
        {"model": "grok-imagine/image-to-video"},
        {"model": "grok-imagine/image-to-video", "image_urls": ["data:image/png;base64,AA"]},
    ],
)
async def test_apiinone_refuses(call: Any, body: Any) -> None:
    status, answer = await call.post("apiinone", body)
    assert (status, answer["error"]["code"], answer["error"]["type"]) == (400, 400, "invalid_request_error")


G: dict[str, Any] = {"model": "grok-imagine", "prompt": "x"}
T: dict[str, Any] = {**G, "duration": 6}
V: dict[str, Any] = {**G, "video": "https://example.com/s.mp4"}
EDIT, EXTEND = {"operation": "edit_video"}, {"operation": "video_extend"}
GATEWAY: list[tuple[Any, str]] = [
    ([], "invalid_request"),
    ({"prompt": "x", "duration": 6}, "missing_model"),  # U1
    *[
        (body, "invalid_request")
        for body in (
            {**T, "model": "grok-imagine-video"},  # U1
            {**T, "prompt": "  "},
            {"model": "grok-imagine", "duration": 6},  # U2
            {**T, "seconds": "6"},
            G,
            {**V, "duration": 6, "extra_body": EDIT},  # U3
            {**V, "seconds": "6", "extra_body": EDIT},  # U3
            {**G, "duration": 0},
            {**G, "duration": 16},
            {**G, "image": IMG, "duration": 16},  # U4
            {**G, "images": [IMG, IMG], "duration": 11},  # U4
            {**V, "duration": 1, "extra_body": EXTEND},
            {**V, "duration": 11, "extra_body": EXTEND},  # U4
            {**V, "extra_body": EXTEND},  # U3
            {**G, "seconds": 6},
            {**G, "seconds": "+6"},
            {**G, "seconds": "6.0"},
            {**G, "duration": 6.0},  # U5
            {**G, "duration": True},
            {**G, "duration": "six"},  # U5
            {**T, "image": IMG, "images": [IMG]},
            {**T, "image": IMG, "video": "https://example.com/s.mp4"},  # U6
            {**T, "size": "1080p"},
            {**T, "size": "1280x720"},  # U9
            {**V, "duration": 6, "size": "720p", "extra_body": EXTEND},  # U9
            {**T, "aspect_ratio": "4:3"},
            {**T, "aspect_ratio": "auto"},
            {**T, "image": IMG, "aspect_ratio": "16:9"},  # U10
            {**G, "images": [IMG, IMG], "duration": 6, "aspect_ratio": "auto"},  # U10
            {**V, "extra_body": EDIT, "aspect_ratio": "16:9"},  # U10
            {**T, "extra_body": {"input_video_seconds": 8}},  # U11
            {**V, "extra_body": {**EDIT, "input_video_seconds": 0}},  # U11
            {**V, "extra_body": {**EDIT, "input_video_seconds": "8"}},  # U11
            {**T, "extra_body": EDIT},
            {**T, "extra_body": {"operation": "remix"}},
            {**T, "extra_body": []},  # U12
            {**T, "image": IMG, "extra_body": {"operation": "text_to_video"}},  # U12
            {**T, "videos": [IMG]},  # U13
            {**T, "images": [IMG] * 8},
            {**T, "images": []},
            {**T, "images": IMG},  # U14
            {**T, "image": "data:image/png;base64,AAAA"},
            {**T, "image": {"src": IMG}},
        )
    ],
]


@pytest.mark.parametrize(("body", "code"), GATEWAY)
@pytest.mark.parametrize("path", ["/v1/videos", "/v1/videos/generations", "/v1/video/generations"])
async def test_gateway_refuses(call: Any, body: Any, code: str, path: str) -> None:
    status, answer = await call.post("openai_videos", body, path=path)
    assert (status, answer["code"], answer["data"]) == (400, code, None)
    assert isinstance(answer["message"], str)


@pytest.mark.parametrize(
    "body",
    [
        T,
        {**G, "seconds": "6"},
        {**G, "duration": "6"},
        {**T, "image": IMG},
        {**T, "image": {"url": IMG}},
        {**T, "image": IMG, "aspect_ratio": "auto", "size": "480p"},
        {**T, "image_url": IMG},
        {**G, "images": [IMG, IMG], "duration": 10, "aspect_ratio": "4:3"},
        {**V, "extra_body": EDIT},
        {**V, "duration": 6, "extra_body": {**EXTEND, "input_video_seconds": 8}},
        {**V, "operation": "edit_video"},
    ],
)
async def test_gateway_accepts(call: Any, body: Any) -> None:
    status, answer = await call.post("openai_videos", body)
    assert (status, answer.get("status")) == (200, "queued"), answer


@pytest.mark.parametrize(
    "body",
    [
        {**T, "image_url": IMG},
        {**T, "images": [IMG]},
        V,
        {**T, "n": 1},
    ],
)
async def test_gateway_is_stricter_when_asked(open_sandbox: Any, body: Any) -> None:
    """What the seed only recommends (U7, U8) or calls compatibility (U13) is refused under --strict-extra."""
    call = await open_sandbox(strict_extra=True)
    assert (await call.post("openai_videos", body))[0] == 400


X: dict[str, Any] = {"model": "grok-imagine-video", "prompt": "x"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("generations", [], 400),
        ("generations", {"prompt": "x"}, 400),
        ("generations", {**X, "model": "grok-2"}, 404),
        ("generations", {**X, "prompt": ""}, 400),
        ("generations", {**X, "prompt": "x" * 4097}, 400),
        ("generations", {**X, "image": IMG}, 422),
        ("generations", {**X, "image": {"url": "file:///a"}}, 400),
        ("generations", {**X, "reference_images": [IMG]}, 422),
        ("generations", {**X, "reference_images": [{"url": IMG}] * 8}, 400),
        ("generations", {**X, "reference_images": [{"url": IMG}], "duration": 11}, 400),
        ("generations", {**X, "reference_images": [{"url": IMG}], "image": {"url": IMG}}, 400),
        ("generations", {**X, "duration": 16}, 400),
        ("generations", {**X, "duration": 1.5}, 400),
        ("generations", {**X, "resolution": "4k"}, 400),
        ("generations", {**X, "resolution": ["720p"]}, 400),
        ("generations", {**X, "aspect_ratio": "21:9"}, 400),
        ("edits", X, 422),
        ("edits", {**X, "video": {"url": "https://example.com/s.mp4"}, "duration": 6}, 400),
        ("extensions", {**X, "video": {"url": "https://example.com/s.mp4"}, "duration": 1}, 400),
        ("extensions", {**X, "video": "https://example.com/s.mp4"}, 422),
    ],
)
async def test_xai_refuses(call: Any, path: str, body: Any, status: int) -> None:
    got, answer = await call.post("xai", body, path="/v1/videos/" + path)
    assert (got, sorted(answer)) == (status, ["code", "error"]), answer


@pytest.mark.parametrize("dialect", ["reapi", "aivideoapi", "apiinone", "openai_videos", "xai"])
@pytest.mark.parametrize("raw", [b"", b"{", b'{"a": NaN}', b"\xff\xfe", b"[" * 50_000, b"null"])
async def test_a_body_that_is_no_json_object(call: Any, dialect: str, raw: bytes) -> None:
    url = call.sandbox.base(dialect) + call.submit_paths[dialect]
    async with call.http.post(url, data=raw, headers=call.headers(dialect)) as reply:
        assert reply.status == 400
        assert reply.content_type == "application/json"


AUTH: dict[str, dict[str, tuple[int, Any]]] = {
    "reapi": {
        "none": (401, 10001),
        "scheme": (401, 10002),
        "bad": (401, 10003),
        "revoked": (401, 10004),
        "broke": (402, 30001),
    },
    "aivideoapi": {
        **dict.fromkeys(("none", "scheme", "bad", "revoked"), (401, "invalid_api_key")),
        "broke": (402, "insufficient_credits"),
    },
    "apiinone": {**dict.fromkeys(("none", "scheme", "bad", "revoked"), (401, 401)), "broke": (402, 402)},
    "openai_videos": {
        **dict.fromkeys(("none", "scheme", "bad", "revoked"), (401, "invalid_api_key")),
        "broke": (402, "insufficient_user_quota"),
    },
    "xai": {
        **dict.fromkeys(("none", "scheme", "bad", "revoked"), (401, "unauthenticated")),
        "broke": (402, "insufficient_credits"),
    },
}


@pytest.mark.parametrize("dialect", list(AUTH))
@pytest.mark.parametrize("case", ["none", "scheme", "bad", "revoked", "broke"])
async def test_keys(call: Any, dialect: str, case: str) -> None:
    key = call.keys[dialect]
    header = {
        "none": None,
        "scheme": f"Basic {key}",
        "bad": "Bearer nope",
        "revoked": f"Bearer {key}-revoked",
        "broke": f"Bearer {key}-broke",
    }[case]
    async with call.http.post(
        call.sandbox.base(dialect) + call.submit_paths[dialect],
        json=call.bodies[dialect],
        headers={"Authorization": header} if header else {},
    ) as reply:
        answer = await reply.json()
    code = answer["code"] if dialect == "xai" else answer["error"]["code"]
    assert (reply.status, code) == AUTH[dialect][case]
    if dialect == "openai_videos":
        assert answer["error"]["type"] == "new_api_error"
    assert call.sandbox.ledger()["submits"] == 0


@pytest.mark.parametrize(
    ("dialect", "status"),
    [
        ("reapi", 404),
        ("aivideoapi", 404),
        ("apiinone", 404),
        ("openai_videos", 400),
        ("xai", 404),
    ],
)
async def test_unknown_tasks_and_those_of_others(call: Any, dialect: str, status: int) -> None:
    assert (await call.poll(dialect, "nobody"))[0] == status
    task = await call.submit(dialect)
    got, answer = await call.poll(dialect, task, key=call.keys[dialect] + "-other")
    assert got == status
    if dialect == "openai_videos":
        assert answer["code"] == "task_not_exist"
    if dialect == "reapi":
        assert answer["error"]["code"] == 40001
