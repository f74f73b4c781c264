"""Tolerant reading: every spelling, envelope, place and trap that the providers and their families are known for."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from grok_imagine import errors
from grok_imagine.models import Cost, Reply, TaskPhase, TaskStatus
from grok_imagine.providers import PROVIDERS, Provider, provider

URL = "https://cdn.example.com/clip.mp4"
OTHER = "https://cdn.example.com/other.png"
G = "openai_videos"


def reply(body: Any, status: int = 200, **more: Any) -> Reply:
    return Reply(status, body if isinstance(body, bytes) else json.dumps(body).encode(), **more)


def read(name: str, body: Any, status: int = 200) -> TaskStatus:
    return provider(name).status(reply(body, status))


SPELLINGS = {
    TaskPhase.QUEUED: "queued queueing queuing pending submitted created waiting wait not_start notstarted starting "
    "preparing initializing accepted",
    TaskPhase.RUNNING: "processing in_progress inprogress running generating active",
    TaskPhase.DONE: "completed complete succeeded succeed success done finished",
    TaskPhase.FAILED: "failed fail failure error rejected moderation_blocked expired",
    TaskPhase.CANCELED: "cancelled canceled canceling",
    TaskPhase.UNKNOWN: "unknown paused archived 7 null-ish",
}


@pytest.mark.parametrize(
    ("word", "phase"), [(word, phase) for phase, words in SPELLINGS.items() for word in words.split()]
)
def test_every_spelling(word: str, phase: TaskPhase) -> None:
    for spelled in (
        word,
        word.upper(),
        word.capitalize(),
        f"  {word}\n",
        word.replace("_", "-"),
        word.replace("_", " "),
    ):
        for name in PROVIDERS:
            status = read(name, {"id": "a", "status": spelled})
            assert status.phase is phase, (name, spelled)
            assert status.word == spelled.strip()
            assert (status.error is not None) == (phase in (TaskPhase.FAILED, TaskPhase.CANCELED))


@pytest.mark.parametrize("field", ["status", "state", "task_status"])
@pytest.mark.parametrize(
    "wrap", [lambda inner: inner, lambda inner: {"code": 200, "data": inner}, lambda inner: {"data": [inner]}]
)
def test_every_place_of_a_status(field: str, wrap: Any) -> None:
    assert read(G, wrap({"task_id": "a", field: "IN_PROGRESS"})).phase is TaskPhase.RUNNING


@pytest.mark.parametrize("word", [None, "", "  ", [], {}])
def test_a_missing_status_is_unknown_and_never_final(word: Any) -> None:
    assert read("reapi", {"id": "a", "status": word}) == TaskStatus(TaskPhase.UNKNOWN)
    assert read("reapi", {"id": "a"}) == TaskStatus(TaskPhase.UNKNOWN)


ENVELOPES: list[tuple[str, Any]] = [
    ("bare", {"id": "t1", "status": "processing", "progress": 10}),
    ("code 200", {"code": 200, "msg": "success", "data": {"id": "t1", "status": "processing", "progress": 10}}),
    ("code '200'", {"code": "200", "data": {"id": "t1", "status": "processing", "progress": 10}}),
    ("code 0", {"code": 0, "data": {"id": "t1", "status": "processing", "progress": 10}}),
    ("code '0'", {"code": "0", "data": {"id": "t1", "status": "processing", "progress": 10}}),
    ("code success", {"code": "success", "message": "", "data": {"id": "t1", "status": "processing", "progress": 10}}),
    ("code SUCCESS", {"code": "SUCCESS", "data": {"id": "t1", "status": "processing", "progress": 10}}),
    ("list", {"code": 200, "data": [{"id": "t1", "status": "processing", "progress": 10}, {"id": "t2"}]}),
    ("no code", {"data": {"id": "t1", "status": "processing", "progress": 10}}),
    ("status outside", {"code": 200, "status": "processing", "progress": 10, "data": {"id": "t1"}}),
    ("two statuses", {"status": "success", "data": {"id": "t1", "status": "processing", "progress": 10}}),
    ("own id wins", {"id": "t1", "status": "processing", "progress": 10, "data": {"id": "t2", "status": "done"}}),
]


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in ENVELOPES])
@pytest.mark.parametrize("name", list(PROVIDERS))
def test_every_envelope(name: str, body: Any) -> None:
    status = read(name, body)
    assert (status.phase, status.percent) == (TaskPhase.RUNNING, 10)


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in ENVELOPES])
@pytest.mark.parametrize("name", ["reapi", "aivideoapi", "apiinone", G])
def test_every_envelope_of_an_id(name: str, body: Any) -> None:
    wanted = "t2" if name == "aivideoapi" and {"id", "data"} <= body.keys() else "t1"  # its documented place is inside
    assert provider(name).task_id(reply(body)) == wanted


ID_PLACES = [
    *[("reapi", place) for place in ("id", "task_id", "taskId", "data.id", "data.task_id")],
    *[("aivideoapi", place) for place in ("data.taskId", "id", "taskId", "data.task_id", "data.id")],
    *[("apiinone", place) for place in ("data.task_id", "id", "data.taskId", "data.id", "task_id", "taskId")],
    *[(G, place) for place in ("id", "task_id", "data.task_id", "data.id", "request_id", "data.0.task_id")],
    *[("xai", place) for place in ("request_id", "id", "task_id")],
]


def at_place(place: str, value: Any) -> dict[str, Any]:
    for name in reversed(place.split(".")):
        value = [value] if name == "0" else {name: value}
    return value


@pytest.mark.parametrize(("name", "place"), ID_PLACES)
def test_every_place_of_an_id(name: str, place: str) -> None:
    body = {**at_place(place, "task_1"), "model": "m"}
    if place.startswith("data"):
        body["code"] = 200
    assert provider(name).task_id(reply(body)) == "task_1"


@pytest.mark.parametrize(
    ("name", "body", "wanted"),
    [
        ("reapi", {"id": "right", "task_id": "wrong"}, "right"),
        ("aivideoapi", {"code": 200, "id": "request", "data": {"taskId": "right"}}, "right"),
        ("apiinone", {"code": 200, "id": "request", "data": {"task_id": "right"}}, "right"),
        ("xai", {"request_id": "right", "id": "wrong"}, "right"),
    ],
)
def test_the_documented_id_comes_first(name: str, body: Any, wanted: str) -> None:
    assert provider(name).task_id(reply(body)) == wanted


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (12345, "12345"),
        ("task_018f5a3a1b6e7d9f8c2b4d6e8f0a2c4e", "task_018f5a3a1b6e7d9f8c2b4d6e8f0a2c4e"),
        ("a.b-c:d~e_f", "a.b-c:d~e_f"),
        ("x" * 1000, "x" * 1000),
        *[(good, good) for good in ("dmlkZW9fMTp/eHg+ey==", "a/b", "openai|video_1", "video_1@eu", "2024:a,b")],
        *[(bad, None) for bad in ("", " ", "x" * 1001, "../../admin", "a/../b", "..", ".", "a//b", "/a", "a b")],
        *[(bad, None) for bad in ("a?b", "ä", "a\n", "a#b", "a%2fb")],
        *[(bad, None) for bad in (None, True, 1.5, [], {}, ["task_1"])],
    ],
)
def test_what_an_id_looks_like(value: Any, wanted: str | None) -> None:
    dialect = provider("reapi")
    if wanted is None:
        with pytest.raises(errors.UnreadableReply):
            dialect.task_id(reply({"id": value}))
    else:
        assert dialect.task_id(reply({"id": value})) == wanted


def test_an_ill_formed_id_gives_way_to_a_good_one() -> None:
    assert provider("reapi").task_id(reply({"id": "", "task_id": "task_1"})) == "task_1"


URL_PLACES = [
    *[("reapi", place) for place in ("output.video_urls", "output.urls", "output.url", "output.video_url")],
    *[("reapi", place) for place in ("result.videos.0.url", "data.result.videos.0.url.0", "video_url")],
    *[("aivideoapi", place) for place in ("output.urls", "output.video_urls", "output.url", "output.video_url")],
    *[("aivideoapi", f"data.output.{place}") for place in ("urls", "video_urls", "url", "video_url")],
    *[("aivideoapi", place) for place in ("video_url", "url")],
    *[("apiinone", f"data.{place}") for place in ("output.video_url", "video_url", "output.video_urls", "output.urls")],
    *[("apiinone", f"data.{place}") for place in ("output.url", "response.0", "result.video_url", "result.url")],
    *[("apiinone", place) for place in ("output.video_url", "video_url")],
    *[(G, place) for place in ("metadata.url", "video_url", "result.video_url", "result.outputs.0", "data.result_url")],
    *[(G, place) for place in ("data.data.video.url", "video.url", "output.url", "output_url", "url")],
    ("xai", "video.url"),
]


@pytest.mark.parametrize(("name", "place"), URL_PLACES)
def test_every_place_of_a_url(name: str, place: str) -> None:
    for value in (URL, f" {URL}\n", [URL], [[URL]], {"url": URL}, [{"url": URL}], ["", None, URL, OTHER]):
        body = {"id": "a", "status": "completed", **at_place(place, value)}
        status = read(name, body)
        assert (status.phase, status.video_url) == (TaskPhase.DONE, URL), value


@pytest.mark.parametrize("place", ["resultJson", "data.resultJson"])
@pytest.mark.parametrize("name", ["aivideoapi", "apiinone"])
def test_a_result_in_json_text(name: str, place: str) -> None:
    value = json.dumps({"resultUrls": [URL, OTHER]})
    body = {"code": 200, **at_place(place, value)}
    body.setdefault("data", {"resultJson": value})
    body["data"].update(taskId="a", state="success")
    assert read(name, body).video_url == URL
    body["data"]["resultJson"] = "{broken"
    body.pop("resultJson", None)
    assert read(name, body).video_url is None


NOT_THE_VIDEO = [
    {"thumbnail_url": OTHER},
    {"output": {"thumbnail_url": OTHER, "last_frame_url": OTHER, "image_urls": [OTHER], "audio_urls": [OTHER]}},
    {"metadata": {"thumbnail_url": OTHER, "poster": OTHER}},
    {"input": {"image_urls": [OTHER], "video": OTHER}, "image_urls": [OTHER], "image": OTHER},
    {"data": {"image": OTHER, "thumbnail_url": OTHER}},
    {"video": {"thumbnail_url": OTHER, "poster_url": OTHER}},
    {"callback_url": OTHER, "documentation": {"url": OTHER}},
    {"output": {"url": "ftp://cdn.example.com/clip.mp4", "video_url": "clip.mp4", "urls": ["javascript:alert(1)"]}},
    {"output": {"url": "data:video/mp4;base64,AAAA", "video_urls": ["file:///clip.mp4"]}, "video_url": "clip.mp4"},
    {"output": {"url": "https://", "video_url": "https:///clip.mp4"}, "video_url": "https://a b/clip.mp4"},
    {"output": {"url": 7, "video_urls": [7, None, True, {}], "urls": [[[[[[URL]]]]]]}},
]


@pytest.mark.parametrize("body", NOT_THE_VIDEO)
@pytest.mark.parametrize("name", list(PROVIDERS))
def test_never_takes_what_is_not_the_video(name: str, body: Any) -> None:
    status = read(name, {"id": "a", "status": "completed", **body})
    assert (status.phase, status.video_url) == (TaskPhase.DONE, None)


def test_the_documented_place_comes_first() -> None:
    assert read("reapi", {"status": "completed", "video_url": OTHER, "output": {"video_urls": [URL]}}).video_url == URL
    assert read(G, {"id": "a", "status": "completed", "url": OTHER, "metadata": {"url": URL}}).video_url == URL


@pytest.mark.parametrize("word", ["processing", "queued", "failed", "unknown"])
def test_a_url_counts_only_when_done(word: str) -> None:
    assert read(G, {"id": "a", "status": word, "metadata": {"url": URL}}).video_url is None


@pytest.mark.parametrize(
    ("name", "body", "phase"),
    [
        ("xai", {"video": {"url": URL}}, TaskPhase.DONE),
        ("xai", {"status": None, "video": {"url": URL}}, TaskPhase.DONE),
        ("reapi", {"id": "a", "output": {"video_urls": [URL]}}, TaskPhase.DONE),
        (G, {"id": "a", "metadata": {"url": URL}}, TaskPhase.DONE),
        # Only the documented place proves a task done that does not say so.
        (G, {"id": "a", "url": URL}, TaskPhase.UNKNOWN),
        ("aivideoapi", {"url": "https://docs.example.com/errors"}, TaskPhase.UNKNOWN),
        (G, {"task_id": "a", "fail_reason": URL}, TaskPhase.UNKNOWN),
    ],
)
def test_no_status_but_a_url(name: str, body: Any, phase: TaskPhase) -> None:
    assert read(name, body).phase is phase


# -- traps

FAIL_REASON = {"code": "success", "message": "", "data": {"task_id": "a", "status": "SUCCESS", "progress": "100%"}}


def test_older_gateways_keep_the_url_in_fail_reason() -> None:
    body = json.loads(json.dumps(FAIL_REASON))
    body["data"]["fail_reason"] = URL
    status = read(G, body)
    assert (status.phase, status.video_url, status.error, status.percent) == (TaskPhase.DONE, URL, None, 100)
    body["data"]["result_url"] = OTHER
    assert read(G, body).video_url == OTHER


def test_fail_reason_of_a_failure_is_its_reason() -> None:
    body = json.loads(json.dumps(FAIL_REASON))
    body["data"].update(status="FAILURE", fail_reason="upstream said no")
    status = read(G, body)
    assert (status.phase, status.video_url) == (TaskPhase.FAILED, None)
    assert status.error is not None
    assert (status.error.message, status.error.code) == ("upstream said no", None)
    body["data"]["fail_reason"] = URL
    assert read(G, body).video_url is None


EMPTY_ERRORS = [
    {"code": "", "message": ""},
    {},
    None,
    "",
    "  ",
    {"code": None, "message": " "},
    {"type": "x"},
    [],
    0,
    False,
]


@pytest.mark.parametrize("error", EMPTY_ERRORS)
@pytest.mark.parametrize("name", list(PROVIDERS))
def test_an_empty_error_is_none(name: str, error: Any) -> None:
    status = read(name, {"id": "a", "status": "processing", "error": error})
    assert (status.phase, status.error) == (TaskPhase.RUNNING, None)
    documented = PROVIDERS[name].video_paths[0].removeprefix("data.")
    done = read(name, {"id": "a", "status": "completed", "error": error, **at_place(documented, URL)})
    assert (done.phase, done.video_url, done.error) == (TaskPhase.DONE, URL, None)
    assert read(name, {"id": "a", "status": "completed", "error": error}).phase is TaskPhase.DONE
    failed = read(name, {"id": "a", "status": "failed", "error": error})
    assert failed.error is not None
    assert failed.error.message == "the provider reports 'failed' without a reason"


def test_an_error_does_not_count_while_the_task_runs() -> None:
    status = read(G, {"id": "a", "status": "in_progress", "error": {"code": "retrying", "message": "try 2"}})
    assert (status.phase, status.error) == (TaskPhase.RUNNING, None)


def test_done_with_an_error_and_no_url_is_a_failure() -> None:
    status = read(G, {"id": "a", "status": "completed", "error": {"code": "moderation_blocked", "message": "blocked"}})
    assert status.phase is TaskPhase.FAILED
    assert status.error is not None
    assert status.error.is_moderation


def test_done_with_an_error_and_a_url_is_done() -> None:
    status = read(G, {"id": "a", "status": "completed", "metadata": {"url": URL}, "error": {"code": "warning"}})
    assert (status.phase, status.video_url, status.error) == (TaskPhase.DONE, URL, None)


@pytest.mark.parametrize("video", [{"url": "", "respect_moderation": False}, {"url": URL, "respect_moderation": False}])
@pytest.mark.parametrize("word", [{"status": "done"}, {}])
def test_blocked_by_the_flag_of_xai(video: Any, word: Any) -> None:
    status = read("xai", {**word, "video": video})
    assert (status.phase, status.video_url) == (TaskPhase.FAILED, None)
    assert status.error is not None
    assert status.error.is_moderation
    assert "moderation" in status.error.message


def test_progress_100_is_no_success() -> None:
    assert read(G, {"id": "a", "status": "failed", "progress": 100}).phase is TaskPhase.FAILED
    assert read(G, {"id": "a", "status": "in_progress", "progress": 100}).phase is TaskPhase.RUNNING


@pytest.mark.parametrize(
    "body", [b"", b"  \n", b"null", b"<html>", b"[]", b'{"status":"done","video":{"url":"https://a.example/1"}}']
)
@pytest.mark.parametrize("name", list(PROVIDERS))
def test_http_202_is_running_whatever_it_says(name: str, body: bytes) -> None:
    status = provider(name).status(Reply(202, body))
    assert (status.phase, status.video_url) == (TaskPhase.RUNNING, None)


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_an_empty_answer_is_running(name: str) -> None:
    assert provider(name).status(Reply(200, b" ")).phase is TaskPhase.RUNNING


@pytest.mark.parametrize(
    "body", [b"<html>502</html>", b"[]", b'"done"', b"7", b"null", b'{"status":', b"\xff\xfe{", b"[" * 100_000]
)
def test_an_answer_that_is_no_json_object(body: bytes) -> None:
    with pytest.raises(errors.UnreadableReply):
        provider("reapi").status(Reply(200, body))


@pytest.mark.parametrize(
    ("value", "percent"),
    [
        *[(45, 45), (45.5, 45.5), ("45%", 45), (" 45 % ", 45), ("45", 45), (0, 0), (100, 100), (-3, 0), (250, 100)],
        *[("250%", 100), (None, None), ("soon", None), ("", None), (True, None), ([], None), ("nan", None)],
        *[(10**400, 100), (-(10**400), 0)],
    ],
)
def test_every_spelling_of_progress(value: Any, percent: float | None) -> None:
    if isinstance(value, int) and abs(value) > 10**300:
        percent = None  # beyond what a number can hold: it says nothing
    assert read(G, {"id": "a", "status": "in_progress", "progress": value}).percent == percent


MODERATED = [
    ({"code": "moderation_blocked", "message": "x"}, True),
    ({"code": "content_policy_violation", "message": "x"}, True),
    ({"code": "x", "message": "Request violates content policy"}, True),
    ({"code": "x", "message": "Blocked by our safety system"}, True),
    ({"code": "x", "message": "NSFW content detected"}, True),
    ({"code": "x", "message": "Generated video rejected by content moderation."}, True),
    ({"code": "task_failed", "message": "request rejected"}, False),
    ({"code": "x", "message": "mode 'moderate' is unknown"}, False),
    ({"code": 80006, "message": "x"}, False),
]


@pytest.mark.parametrize(("error", "moderated"), MODERATED)
def test_moderation_is_told_apart(error: Any, moderated: bool) -> None:
    fault = read(G, {"id": "a", "status": "failed", "error": error}).error
    assert fault is not None
    assert fault.is_moderation is moderated


def test_moderation_by_the_code_of_reapi() -> None:
    fault = read("reapi", {"id": "a", "status": "failed", "error": {"code": 80006, "message": "x"}}).error
    assert fault is not None
    assert fault.is_moderation


def test_moderation_and_expiry_by_the_status_alone() -> None:
    blocked, expired = (read(G, {"id": "a", "status": word}).error for word in ("moderation_blocked", "expired"))
    assert blocked is not None
    assert (blocked.is_moderation, blocked.is_expired) == (True, False)
    assert expired is not None
    assert (expired.is_moderation, expired.is_expired) == (False, True)


FAULTS: list[tuple[str, Any, str, str | None]] = [
    ("object", {"error": {"code": "c", "message": "m"}}, "m", "c"),
    ("number", {"error": {"code": 7, "message": "m"}}, "m", "7"),
    ("code alone", {"error": {"code": "c"}}, "the provider reports error c", "c"),
    ("message alone", {"error": {"message": "m"}}, "m", None),
    ("text", {"error": "m"}, "m", None),
    ("fail_reason", {"fail_reason": "m"}, "m", None),
    ("failMsg", {"failMsg": "m", "failCode": "501"}, "m", "501"),
    ("detail", {"detail": "m"}, "m", None),
    ("details", {"detail": [{"loc": ["body"], "msg": "m"}]}, "m", None),
    ("own message", {"message": "m", "code": None}, "m", None),
    ("nothing", {"message": "success"}, "the provider reports 'failed' without a reason", None),
]


@pytest.mark.parametrize(("body", "message", "code"), [pytest.param(*row[1:], id=row[0]) for row in FAULTS])
def test_every_shape_of_a_fault(body: Any, message: str, code: str | None) -> None:
    for whole in (
        {"id": "a", "status": "failed", **body},
        {"code": 200, "message": "success", "data": {"task_id": "a", "status": "failed", **body}},
    ):
        fault = read(G, whole).error
        assert fault is not None
        assert (fault.message, fault.code) == (message, code)


# -- errors

SHAPES: list[tuple[str, Any, str, str | None, str | None]] = [
    ("object", {"error": {"code": "c", "message": "m", "request_id": "r"}}, "m", "c", "r"),
    ("numbers", {"error": {"code": 20003, "message": "m"}, "request_id": 7}, "m", "20003", "7"),
    ("text", {"error": "m"}, "m", None, None),
    ("text and code", {"error": "m", "code": "c"}, "m", "c", None),
    ("outer message", {"code": "c", "message": "m"}, "m", "c", None),
    ("outer msg", {"code": 501, "msg": "m"}, "m", "501", None),
    ("fail_reason", {"fail_reason": "m"}, "m", None, None),
    ("failMsg", {"failMsg": "m", "failCode": "422"}, "m", "422", None),
    ("detail", {"detail": "m"}, "m", None, None),
    ("details", {"detail": [{"msg": "m"}]}, "m", None, None),
    ("error without words", {"error": {}, "message": "m"}, "m", None, None),
    ("nothing", {}, "the provider answered HTTP 400 without saying why", None, None),
    ("list", [], "the provider answered HTTP 400 without saying why", None, None),
    ("html", b"<html><h1>Bad</h1></html>", "the provider answered HTTP 400 without saying why", None, None),
    ("empty", b"", "the provider answered HTTP 400 without saying why", None, None),
]


@pytest.mark.parametrize(
    ("body", "message", "code", "request_id"), [pytest.param(*row[1:], id=row[0]) for row in SHAPES]
)
@pytest.mark.parametrize("name", list(PROVIDERS))
def test_every_shape_of_an_error(name: str, body: Any, message: str, code: str | None, request_id: str | None) -> None:
    error = provider(name).refusal(reply(body, 400))
    assert type(error) is errors.BadRequest
    assert str(error).startswith(message)
    assert (error.status, error.code, error.request_id) == (400, code, request_id)


HTTP = {
    errors.AuthRejected: (401, 403),
    errors.OutOfCredit: (402,),
    errors.TaskNotFound: (404,),
    errors.RateLimited: (429,),
    errors.BadRequest: (300, 302, 308, 400, 405, 409, 410, 413, 415, 422, 451, 455, 499),
    errors.ProviderDown: (408, 425, 500, 501, 502, 503, 504, 505, 520, 529, 599),
}


@pytest.mark.parametrize(("status", "kind"), [(status, kind) for kind, statuses in HTTP.items() for status in statuses])
@pytest.mark.parametrize("name", list(PROVIDERS))
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error":{"message":"m"}}', b'{"message":"m"}'])
def test_every_http_status(name: str, status: int, kind: type[errors.ProviderError], body: bytes) -> None:
    error = provider(name).refusal(reply(body, status))
    assert type(error) is kind
    assert error.status == status


def test_a_redirect_tells_the_way_out() -> None:
    assert "correct the base URL" in str(provider("reapi").refusal(Reply(301)))


def test_retry_after_and_the_header_with_the_request_id() -> None:
    error = provider("xai").refusal(reply({"error": "slow"}, 429, retry_after=3.5, headers={"x-request-id": "r1"}))
    assert isinstance(error, errors.RateLimited)
    assert (error.retry_after, error.request_id) == (3.5, "r1")


HIDDEN: list[tuple[str, Any, type[errors.ProviderError], int]] = [
    ("code 500", {"code": 500, "msg": "m"}, errors.ProviderDown, 500),
    ("code '500'", {"code": "500", "msg": "m"}, errors.ProviderDown, 500),
    ("code 402", {"code": 402, "msg": "m", "data": None}, errors.OutOfCredit, 402),
    ("code 401", {"code": 401, "msg": "m", "data": {}}, errors.AuthRejected, 401),
    ("code 429", {"code": 429, "msg": "m"}, errors.RateLimited, 429),
    ("code 455", {"code": 455, "msg": "m"}, errors.BadRequest, 455),
    ("a word", {"code": "invalid_request", "message": "m", "data": None}, errors.BadRequest, 200),
    ("an unknown word", {"code": "no_way", "message": "m"}, errors.BadRequest, 200),
    ("no task", {"code": "task_not_exist", "message": "m"}, errors.TaskNotFound, 200),
    ("error object", {"error": {"code": 401, "message": "m"}}, errors.AuthRejected, 401),
    ("error text", {"error": "m"}, errors.BadRequest, 200),
    ("error type", {"error": {"message": "m", "type": "server_error"}}, errors.ProviderDown, 200),
    ("status without a task", {"code": 500, "status": "error", "message": "m"}, errors.ProviderDown, 500),
    ("request id", {"code": 402, "message": "m", "request_id": "req_1"}, errors.OutOfCredit, 402),
    ("blank id", {"code": 400, "message": "m", "data": {"task_id": ""}}, errors.BadRequest, 400),
]


@pytest.mark.parametrize(("body", "kind", "status"), [pytest.param(*row[1:], id=row[0]) for row in HIDDEN])
@pytest.mark.parametrize("name", list(PROVIDERS))
def test_an_error_inside_of_http_200(name: str, body: Any, kind: type[errors.ProviderError], status: int) -> None:
    for reader in (provider(name).task_id, provider(name).status):
        with pytest.raises(errors.ProviderError) as caught:
            reader(reply(body))
        assert type(caught.value) is kind
        assert caught.value.status == status
        assert str(caught.value).startswith("m")


def test_a_code_of_the_dialect_inside_of_http_200() -> None:
    for reader in (provider("reapi").task_id, provider("reapi").status):
        with pytest.raises(errors.TaskNotFound):
            reader(reply({"error": {"code": 40001, "message": "m"}}))


def test_a_failed_submit_without_a_task_is_a_refusal() -> None:
    with pytest.raises(errors.BadRequest, match=r"^m"):
        provider(G).task_id(reply({"status": "failed", "error": {"code": "c", "message": "m"}}))


def test_a_failed_submit_with_a_task_is_a_task() -> None:
    body = {"id": "task_1", "status": "failed", "error": {"code": "c", "message": "m"}}
    assert provider(G).task_id(reply(body)) == "task_1"
    assert read(G, body).phase is TaskPhase.FAILED


def test_a_task_that_failed_is_no_failed_request() -> None:
    # Its own code and words are the task's: raising would let the caller ask again for ever.
    for body in (
        {"id": "a", "status": "failed", "code": "boom", "message": "m"},
        {"code": 500, "data": {"task_id": "a", "status": "FAILED", "error": {"code": "boom", "message": "m"}}},
        {"id": "a", "error": {"code": "boom", "message": "m"}},
    ):
        status = read(G, body)
        assert status.phase is TaskPhase.FAILED
        assert status.error is not None
        assert (status.error.code, status.error.message) == ("boom", "m")


SPEND = {"error": {"code": "spend_limit_exceeded", "message": "m", "type": "billing_error"}}


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_a_spend_limit_is_final_though_it_is_http_429(name: str) -> None:
    assert type(provider(name).refusal(reply(SPEND, 429))) is errors.OutOfCredit


def test_long_texts_are_cut() -> None:
    error = provider("reapi").refusal(reply({"error": {"code": "c" * 5000, "message": "m" * 100_000}}, 400))
    assert len(str(error)) < 700


def test_text_that_cannot_be_written_is_made_whole() -> None:
    body = b'{"id":"a","status":"failed \\ud83d","error":{"message":"half \\ud83d a character"}}'
    status = provider("reapi").status(Reply(200, body))
    assert status.phase is TaskPhase.UNKNOWN
    error = provider("reapi").refusal(Reply(400, body))
    for text in (status.word, str(error)):
        assert text.encode()


# -- what xAI billed


@pytest.mark.parametrize(
    ("ticks", "usd"),
    [(3_000_000_000, "0.3"), (37_756_000, "0.0037756"), (200_000_000, "0.02"), (10**10, "1"), (0, "0")],
)
def test_ten_thousand_million_ticks_are_a_dollar(ticks: int, usd: str) -> None:
    body = {"status": "done", "usage": {"cost_in_usd_ticks": ticks}, "video": {"url": URL}}
    assert read("xai", body).cost == Cost(None, Decimal(usd), is_estimate=False)


@pytest.mark.parametrize("usage", [None, {}, {"cost_in_usd_ticks": None}, {"cost_in_usd_ticks": True}, [], "x"])
def test_no_cost_where_none_is_told(usage: Any) -> None:
    assert read("xai", {"status": "done", "usage": usage, "video": {"url": URL}}).cost is None
    assert provider("xai").status(Reply(202)).cost is None


@pytest.mark.parametrize("dialect", list(PROVIDERS.values()), ids=list(PROVIDERS))
def test_only_xai_tells_a_cost(dialect: Provider) -> None:
    told = dialect.status(reply({"id": "a", "status": "done", "usage": {"cost_in_usd_ticks": 10**10}})).cost
    assert (told is not None) == (dialect.name == "xai")
