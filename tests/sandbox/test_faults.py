"""Every fault, asked for by header, by a marker in the prompt, or by the queue."""

from __future__ import annotations

import asyncio
import json
import time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from grok_imagine.sandbox.faults import FAULTS

ALL = ["reapi", "aivideoapi", "apiinone", "openai_videos", "xai"]


def marked(call: Any, dialect: str, marker: str) -> dict[str, Any]:
    body = call.bodies[dialect]
    text = f"a lake [sandbox:{marker}]"
    if dialect == "aivideoapi":
        return {**body, "input": {**body["input"], "prompt": text}}
    return {**body, "prompt": text}


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("401", 401),
        ("402", 402),
        ("429", 429),
        ("429-date", 429),
        ("429-spend", 429),
        ("500", 500),
        ("502", 502),
        ("503", 503),
        ("html-502", 502),
        ("code-500", 200),
    ],
)
async def test_refusals(call: Any, dialect: str, fault: str, status: int) -> None:
    url = call.sandbox.base(dialect) + call.submit_paths[dialect]
    for body, header in ((call.bodies[dialect], fault), (marked(call, dialect, fault), "")):
        async with call.http.post(url, json=body, headers=call.headers(dialect, fault=header)) as reply:
            text = await reply.text()
            assert reply.status == status
            assert (reply.content_type == "text/html") == (fault == "html-502")
            assert ("Retry-After" in reply.headers) == (fault in ("429", "429-date"))
            if fault == "429-spend":
                assert "spend_limit_exceeded" in text
    ledger = call.sandbox.ledger()
    assert (ledger["posts"], ledger["submits"]) == (2, 0)


async def test_retry_after(call: Any) -> None:
    url = call.sandbox.base("reapi") + call.submit_paths["reapi"]
    for fault, low, high in (("429=7", 7, 7), ("429-date=7", 6, 9)):
        async with call.http.post(url, json=call.bodies["reapi"], headers=call.headers("reapi", fault=fault)) as reply:
            value = reply.headers["Retry-After"]
        wait = float(value) if value.isdigit() else parsedate_to_datetime(value).timestamp() - time.time()
        assert low <= wait <= high


@pytest.mark.parametrize("fault", ["500=accepted", "502=accepted", "503=accepted", "html-502=accepted"])
async def test_errors_after_the_task_was_accepted(call: Any, fault: str) -> None:
    assert (await call.post("reapi", fault=fault))[0] if fault[0] != "h" else True
    if fault[0] == "h":
        url = call.sandbox.base("reapi") + call.submit_paths["reapi"]
        async with call.http.post(url, json=call.bodies["reapi"], headers=call.headers("reapi", fault=fault)) as reply:
            assert reply.status == 502
    assert call.sandbox.ledger()["submits"] == 1


@pytest.mark.parametrize("dialect", ALL)
async def test_dropped_connections(call: Any, dialect: str) -> None:
    with pytest.raises(aiohttp.ClientError):
        await call.post(dialect, fault="drop-before")
    assert call.sandbox.ledger()["submits"] == 0
    with pytest.raises(aiohttp.ClientError):
        await call.post(dialect, marked(call, dialect, "drop-after"))
    ledger = call.sandbox.ledger()
    assert (ledger["submits"], ledger["posts"], len(ledger["entries"])) == (1, 2, 1)


@pytest.mark.parametrize("dialect", ALL)
async def test_a_submit_answer_without_an_id(call: Any, dialect: str) -> None:
    status, body = await call.post(dialect, fault="no-id")
    assert status == 200
    assert not {"id", "task_id", "taskId", "request_id"} & {*body, *(body.get("data") or {})}
    assert call.sandbox.ledger()["submits"] == 1


async def test_strange_bodies(call: Any) -> None:
    url = call.sandbox.base("reapi") + call.submit_paths["reapi"]
    async with call.http.post(
        url, json=call.bodies["reapi"], headers=call.headers("reapi", fault="truncated-json")
    ) as r:
        assert not (await r.text()).endswith("}")
    async with call.http.post(url, json=call.bodies["reapi"], headers=call.headers("reapi", fault="empty-202")) as r:
        assert (r.status, await r.read()) == (202, b"")
    start = time.monotonic()
    assert (await call.post("reapi", fault="slow-body=0.3"))[0] == 200
    assert (await call.post("reapi", fault="stall=0.2"))[0] == 200
    assert time.monotonic() - start > 0.45
    assert call.sandbox.ledger()["submits"] == 4


async def test_aimed_and_counted(call: Any) -> None:
    """`503@poll*2` leaves the submit alone, and the third poll."""
    task = await call.submit("reapi", marked(call, "reapi", "503@poll*2"))
    assert [(await call.poll("reapi", task))[0] for _ in range(3)] == [503, 503, 200]
    assert (await call.poll("reapi", task, fault="404@poll"))[0] == 404
    task = await call.submit("reapi", marked(call, "reapi", "empty-202@poll*ever"))
    assert [(await call.poll("reapi", task))[0] for _ in range(3)] == [202, 202, 202]
    with pytest.raises(aiohttp.ClientError):
        await call.poll("reapi", task, fault="drop-before@poll")


async def test_queue(call: Any) -> None:
    assert (await call.control("faults", {"on": "submit", "fault": "503", "times": 2, "dialect": "reapi"}))[0] == 200
    assert (await call.control("faults", {"on": "poll", "fault": "429=3"}))[0] == 200
    assert (await call.post("xai"))[0] == 200
    assert [(await call.post("reapi"))[0] for _ in range(3)] == [503, 503, 200]
    call.sandbox.fault("submit", "stuck")
    task = await call.submit("reapi")
    assert (await call.poll("reapi", task))[0] == 429
    assert (await call.finish("reapi", task))["status"] == "processing"
    for bad in (
        {"on": "poll", "fault": "stuck"},
        {"on": "now", "fault": "503"},
        {"on": "poll", "fault": "nonsense"},
        {"on": "poll", "fault": "503", "times": 0},
        {"on": "poll", "fault": "503", "dialect": "x"},
    ):
        assert (await call.control("faults", bad))[0] == 400


async def test_a_misspelt_fault_is_not_passed_over(call: Any) -> None:
    assert "sandbox_error" in (await call.post("reapi", fault="fifty"))[1]
    assert "sandbox_error" in (await call.post("reapi", marked(call, "reapi", "fifty")))[1]
    assert call.sandbox.ledger()["submits"] == 0


async def test_the_table_is_listed(call: Any) -> None:
    assert set((await call.control("faults"))[1]["faults"]) == set(FAULTS)


FAILED = {
    "reapi": 80006,
    "aivideoapi": "moderation_blocked",
    "apiinone": "moderation_blocked",
    "openai_videos": "moderation_blocked",
    "xai": "moderation_blocked",
}


@pytest.mark.parametrize("dialect", ALL)
async def test_failures_are_refunded_before_they_show(call: Any, dialect: str) -> None:
    for fault in ("failed=no luck", "moderated", "progress-100-failed"):
        body = await call.finish(dialect, await call.submit(dialect, fault=fault))
        inner = body["data"] if dialect == "apiinone" else body
        assert inner["status"].lower() == "failed"
        assert inner["error"]["message"]
        if fault == "moderated":
            assert inner["error"]["code"] == FAILED[dialect]
        if fault == "progress-100-failed":
            assert inner["progress"] == 100
        if fault == "failed=no luck":
            assert inner["error"]["message"] == "no luck"
    ledger = call.sandbox.ledger()
    assert [entry["kind"] for entry in ledger["entries"]] == ["charge", "refund"] * 3
    assert float(ledger["usd"]) == 0


@pytest.mark.parametrize("dialect", ALL)
async def test_completed_but_blocked(call: Any, dialect: str) -> None:
    body = await call.finish(dialect, await call.submit(dialect, fault="blocked"))
    inner = body["data"] if dialect == "apiinone" else body
    assert inner["status"].lower() in ("completed", "done")
    assert "http" not in str(body)
    if dialect == "xai":
        assert inner["video"] == {"url": "", "duration": 1, "respect_moderation": False}
    else:
        assert inner["error"]["code"] == FAILED[dialect]
    assert float(call.sandbox.ledger()["usd"]) == 0


@pytest.mark.parametrize("dialect", ALL)
async def test_what_polls_show(call: Any, dialect: str) -> None:
    def inner(body: Any) -> Any:
        return body["data"] if dialect == "apiinone" else body

    unknown = await call.submit(dialect, fault="unknown-status=dreaming")
    assert inner(await call.finish(dialect, unknown))["status"] == "dreaming"
    spelt = await call.submit(dialect, fault="status=Succeeded,status-running=generating")
    assert inner((await call.poll(dialect, spelt))[1])["status"] in ("generating", "queued", "pending")
    assert inner(await call.finish(dialect, spelt))["status"] == "Succeeded"
    lost = await call.submit(dialect, fault="status-failed=failure,failed")
    assert inner(await call.finish(dialect, lost))["status"] == "failure"
    bare = inner(await call.finish(dialect, await call.submit(dialect, fault="no-url")))
    assert "http" not in str(bare)
    nameless = inner(await call.finish(dialect, await call.submit(dialect, fault="no-status")))
    assert "status" not in nameless
    assert "http" in str(nameless)
    private = await call.finish(dialect, await call.submit(dialect, fault="private-url"))
    assert "http://169.254.169.254/" in str(private)
    empty = await call.submit(dialect, fault="empty-error")
    assert inner((await call.poll(dialect, empty))[1])["error"] == {"code": "", "message": ""}
    wrapped = await call.finish(dialect, await call.submit(dialect, fault="wrapped"))
    assert wrapped["code"] == 200
    packed = await call.finish(dialect, await call.submit(dialect, fault="result-json"))
    assert '"resultUrls"' in inner(packed)["resultJson"]
    nested = await call.finish(dialect, await call.submit(dialect, fault="nested-url"))
    assert "[" in str(nested)
    stuck = await call.submit(dialect, fault="stuck")
    call.sandbox.wind(1e6)
    assert "http" not in str((await call.poll(dialect, stuck))[1])


async def test_other_shapes(call: Any) -> None:
    status, submitted = await call.post("apiinone", fault="shape-b")
    assert (status, submitted["status"], submitted["created_at"][-1]) == (200, "pending", "Z")
    done = await call.finish("apiinone", submitted["id"])
    assert (done["status"], list(done["output"])) == ("completed", ["video_url"])
    shapes = {
        name: await call.finish("openai_videos", await call.submit("openai_videos", fault=name))
        for name in ("legacy", "fail-reason-url", "third", "sibling")
    }
    assert shapes["legacy"]["data"]["status"] == "SUCCESS"
    assert shapes["fail-reason-url"]["data"]["fail_reason"].startswith("http")
    assert (shapes["third"]["status"], shapes["third"]["format"]) == ("succeeded", "mp4")
    assert shapes["sibling"]["result"]["outputs"] == [shapes["sibling"]["video_url"]]
    once = await call.poll("openai_videos", shapes["third"]["task_id"], fault="legacy")
    assert once[1]["code"] == "success"


async def test_downloads(call: Any) -> None:
    whole = (await call.get(await call.clip("openai_videos")))[1]
    for fault, status in (("expired-url", 403), ("redirect", 302), ("json-file", 200), ("wrong-type", 200)):
        url = await call.clip("openai_videos", marked(call, "openai_videos", fault))
        got, data, headers = await call.get(url)
        assert got == status
        if fault == "redirect":
            there = headers["Location"]
            assert there.partition("/cdn")[0] != call.sandbox.url
            assert (await call.get(there))[1] == whole
        if fault == "json-file":
            assert headers["Content-Type"].startswith("application/json")
        if fault == "wrong-type":
            assert headers["Content-Type"].startswith("text/plain")
            assert data == whole


async def test_a_cut_download_can_be_continued(call: Any) -> None:
    url = await call.clip("openai_videos", marked(call, "openai_videos", "cut"))
    data = bytearray()
    async with call.http.get(url) as reply:
        error: aiohttp.ClientError | None = None
        try:
            async for chunk in reply.content.iter_any():
                data += chunk
        except aiohttp.ClientPayloadError as broken:
            error = broken
        assert error is not None
        size, etag = int(reply.headers["Content-Length"]), reply.headers["ETag"]
    assert 0 < len(data) < size
    status, rest, headers = await call.get(url, Range=f"bytes={len(data)}-", **{"If-Range": etag})
    assert status == 206
    assert headers["Content-Range"] == f"bytes {len(data)}-{size - 1}/{size}"
    assert bytes(data) + rest == (await call.get(url))[1]


async def test_slow_download(call: Any) -> None:
    url = await call.clip("openai_videos")
    start = time.monotonic()
    assert (await call.get(url, **{"X-Sandbox-Fault": "slow-body@cdn=0.3"}))[0] == 200
    assert time.monotonic() - start > 0.3


@pytest.mark.parametrize("part", ["a request", "an answer"])
async def test_a_caller_that_hangs_up_is_no_error(call: Any, caplog: pytest.LogCaptureFixture, part: str) -> None:
    """Killed while it sends its submit, or while it waits for the slow answer."""
    where = urlsplit(str(call.sandbox.url))
    path = f"/reapi{call.submit_paths['reapi']}"
    body = json.dumps(call.bodies["reapi"]).encode()
    lines = [f"POST {path} HTTP/1.1", f"Host: {where.netloc}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in call.headers("reapi", fault="slow-body=0.5").items()]
    length = len(body) * (9 if part == "a request" else 1)
    _, writer = await asyncio.open_connection(str(where.hostname), where.port)
    writer.write("\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode() + body)
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.transport.abort()
    for _ in range(100):
        if call.sandbox.requests():
            break
        await asyncio.sleep(0.05)
    assert [one["path"] for one in call.sandbox.requests()] == [path]
    assert "Error handling request" not in caplog.text
    assert call.sandbox.ledger()["submits"] == (0 if part == "a request" else 1)
