"""The CDN, the gateway's /content and the uploads: signatures, ranges, limits, and never a key."""

from __future__ import annotations

import io
from typing import Any

import pytest


async def test_ranges(call: Any) -> None:
    url = await call.clip("xai")
    status, whole, headers = await call.get(url)
    size, etag = len(whole), headers["ETag"]
    assert (status, headers["Accept-Ranges"], headers["Content-Type"], int(headers["Content-Length"])) == (
        200,
        "bytes",
        "video/mp4",
        size,
    )
    assert whole[4:8] == b"ftyp"
    for wanted, part in (
        ("bytes=0-9", whole[:10]),
        ("bytes=10-", whole[10:]),
        ("bytes=-7", whole[-7:]),
        (f"bytes=5-{size * 2}", whole[5:]),
        (f"bytes=-{size * 2}", whole),
    ):
        status, data, headers = await call.get(url, Range=wanted)
        assert (status, data) == (206, part)
        assert headers["Content-Range"].endswith(f"/{size}")
    for ignored in ("bytes=9-3", "bytes=0-1,4-5", "lines=1-2", "bytes=-"):
        assert (await call.get(url, Range=ignored))[:2] == (200, whole)
    for beyond in (f"bytes={size}-", "bytes=-0"):
        status, _, headers = await call.get(url, Range=beyond)
        assert (status, headers["Content-Range"]) == (416, f"bytes */{size}")
    assert (await call.get(url, Range="bytes=3-4", **{"If-Range": '"other"'}))[0] == 200
    assert (await call.get(url, **{"If-None-Match": etag}))[0] == 304
    async with call.http.head(url) as reply:
        assert (reply.status, reply.headers["Content-Length"], await reply.read()) == (200, str(size), b"")


async def test_signatures(call: Any) -> None:
    url = await call.clip("xai")
    path, _, query = url.partition("?")
    later = query.replace("expires=1", "expires=2")
    for bad in (path, path + "?" + later, url[:-1] + ("0" if url[-1] != "0" else "1"), path + "?expires=x&signature=é"):
        assert (await call.get(bad))[0] == 403
    assert (await call.get(url.replace("/cdn/xai/", "/cdn/reapi/")))[0] == 404


async def test_a_key_at_the_cdn_is_a_violation(call: Any) -> None:
    url = await call.clip("xai")
    assert (await call.get(url, Authorization="Bearer xai-sandbox"))[0] == 400
    assert call.sandbox.ledger()["violations"] == 1


async def test_content_wants_the_key(call: Any) -> None:
    task = await call.submit("openai_videos")
    url = f"{call.sandbox.base('openai_videos')}/v1/videos/{task}/content"
    key = call.headers("openai_videos")
    assert (await call.get(url))[0] == 401
    status, body, _ = await call.get(url, **key)
    assert (status, b"Task is not completed yet, current status: queued" in body) == (400, True)
    done = await call.finish("openai_videos", task)
    status, data, headers = await call.get(url, **key)
    assert (status, headers["Content-Type"]) == (200, "video/mp4")
    assert data == (await call.get(done["metadata"]["url"]))[1]
    assert (await call.get(url, **key, Range="bytes=0-3"))[:2] == (206, data[:4])
    assert (await call.get(url + "?variant=thumbnail", **key))[0] == 400
    assert (await call.get(url.replace(task, "task_none"), **key))[0] == 404
    status, _, headers = await call.get(url, **key, **{"X-Sandbox-Fault": "redirect"})
    assert status == 302
    assert (await call.get(headers["Location"]))[1] == data
    assert (await call.get(headers["Location"], **key))[0] == 400
    assert call.sandbox.ledger()["violations"] == 1


async def test_gateway_list_and_delete(call: Any) -> None:
    tasks = [await call.submit("openai_videos") for _ in range(3)]
    url, key = call.sandbox.base("openai_videos") + "/v1/videos", call.headers("openai_videos")
    async with call.http.get(url + "?limit=2", headers=key) as reply:
        page = await reply.json()
    assert ([v["id"] for v in page["data"]], page["has_more"]) == (tasks[:0:-1], True)
    async with call.http.get(url, params={"after": page["last_id"]}, headers=key) as reply:
        assert [v["id"] for v in (await reply.json())["data"]] == tasks[:1]
    async with call.http.delete(f"{url}/{tasks[0]}", headers=key) as reply:
        assert await reply.json() == {"id": tasks[0], "deleted": True, "object": "video.deleted"}
    assert (await call.poll("openai_videos", tasks[0]))[0] == 400


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
async def test_uploads(call: Any, make_picture: Any, kind: str) -> None:
    data = make_picture(64, 48, kind)
    url = await call.upload(data)
    status, back, headers = await call.get(url)
    assert (status, back, headers["Content-Type"]) == (200, data, f"image/{kind.lower()}")
    assert (await call.get(url, Range="bytes=1-2"))[1] == data[1:3]
    call.sandbox.wind(86_401)
    assert (await call.get(url))[0] == 410


async def test_uploads_refuse_what_is_no_media(call: Any) -> None:
    url = call.sandbox.url + "/_sandbox/uploads"
    for data in (b"", b"GIF89a" + bytes(50), b"<svg/>", b"\0\0\0\x1cftypavif" + bytes(50)):
        async with call.http.post(url, data=data, headers={"Content-Type": "image/png"}) as reply:
            assert reply.status == 415
    async with call.http.post(url, data=io.BytesIO(b"\xff\xd8\xff" + bytes(60 * 2**20))) as reply:
        assert reply.status == 413
    for name in ("nothing.jpg", "..%2f..%2fsandbox.sqlite3"):
        assert (await call.get(call.sandbox.url + "/_sandbox/files/" + name))[0] == 404


async def test_only_this_machine_is_served(call: Any) -> None:
    url = call.sandbox.url + "/_sandbox/health"
    assert (await call.get(url, Host="evil.example"))[0] == 403
    assert (await call.get(url, Origin="https://evil.example"))[0] == 403
    assert (await call.get(url, **{"Sec-Fetch-Site": "cross-site"}))[0] == 403
    assert (await call.get(url, Host="localhost:1"))[0] == 200
