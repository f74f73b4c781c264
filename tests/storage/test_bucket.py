"""Buckets, against an S3-compatible server: access, expiry, and error messages."""

from __future__ import annotations

import asyncio
import re
import time

import httpx
import pytest
from aiohttp import web

from grok_imagine.errors import StorageError
from grok_imagine.models import Blob
from grok_imagine.settings import StoreSettings
from grok_imagine.storage.bucket import BucketStore

from .conftest import S3, SECRET

PICTURE = Blob(b"\x89PNG\r\n\x1a\n" + bytes(2000), "image/png")


def store(stated: StoreSettings, *, secret: bytes = b"mine", lifetime_seconds: float = 600) -> BucketStore:
    return BucketStore("mine", stated, secret=secret, lifetime_seconds=lifetime_seconds)


async def fetch(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url)


async def test_an_upload_is_read_by_its_signed_url_and_by_nothing_else(s3: S3) -> None:
    file = await store(s3.settings()).publish(PICTURE)
    answer = await fetch(file.url)
    assert (answer.status_code, answer.content) == (200, PICTURE.data)
    assert answer.headers["content-type"] == "image/png"
    assert (await fetch(file.url.split("?")[0])).status_code == 403
    forged = re.sub(r"Signature=\w{4}", "Signature=0000", file.url)
    assert (await fetch(forged)).status_code == 403
    assert file.expires_at is not None
    assert abs(file.expires_at - time.time() - 600) < 10


async def test_a_signed_url_expires(s3: S3) -> None:
    for lifetime in (1, 4, 16, 64):  # the first that is long enough for this machine to fetch it once in time
        began = time.monotonic()
        file = await store(s3.settings(), lifetime_seconds=lifetime).publish(PICTURE)
        status = (await fetch(file.url)).status_code
        if time.monotonic() - began < lifetime - 0.1:
            assert status == 200
            break
    await asyncio.sleep(lifetime + 1.1)
    assert (await fetch(file.url)).status_code == 403


async def test_names_depend_on_content_and_installation_alone(s3: S3) -> None:
    ours, theirs = store(s3.settings()), store(s3.settings(), secret=b"theirs")
    assert ours.key_of(PICTURE) == ours.key_of(Blob(PICTURE.data, "image/png"))
    assert ours.key_of(PICTURE) != theirs.key_of(PICTURE)
    assert re.fullmatch(r"grok-imagine/[0-9a-f]{64}\.png", ours.key_of(PICTURE))
    assert PICTURE.sha256 not in ours.key_of(PICTURE)


async def test_a_public_base_url_is_used_without_a_signature(s3: S3) -> None:
    file = await store(s3.settings(public_base_url="https://cdn.example/refs")).publish(PICTURE)
    assert re.fullmatch(r"https://cdn\.example/refs/grok-imagine/[0-9a-f]{64}\.png", file.url)
    assert file.expires_at is None


async def test_list_and_remove(s3: S3) -> None:
    ours = store(s3.settings())
    file = await ours.publish(PICTURE)
    (found,) = await ours.list()
    assert found.key == file.key
    assert abs(found.written_at - time.time()) < 30
    await ours.remove(file.key)
    await ours.remove(file.key)
    assert await ours.list() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"secret_access_key": "wrong"}, "refuses the key|denies it"),
        ({"access_key_id": "AKIAWRONG"}, "refuses the key|denies it"),
        ({"bucket": "no-such-bucket"}, "does not know the bucket"),
        ({"endpoint": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"endpoint": "https://no-such-host.invalid"}, "cannot be reached"),
    ],
)
async def test_a_failing_upload_says_why(change: dict[str, str], words: str, s3: S3) -> None:
    with pytest.raises(StorageError, match=words) as caught:
        await store(s3.settings(**change)).publish(PICTURE)
    assert "Nothing was sent or charged" in str(caught.value)
    assert SECRET not in str(caught.value)


ANSWERS = [
    (403, "RequestTimeTooSkewed", "clock is wrong"),
    (403, "AccessDenied", "denies it"),
    (403, "SignatureDoesNotMatch", "refuses the key"),
    (403, "InvalidAccessKeyId", "refuses the key"),
    (404, "NoSuchBucket", "does not know the bucket"),
    (507, "XMinioStorageFull", "has no room"),
    (403, "QuotaExceeded", "has no room"),
    (503, "SlowDown", "is overloaded"),
    (500, "InternalError", "failed"),
]


@pytest.mark.parametrize(("status", "code", "words"), ANSWERS)
async def test_server_errors_become_clear_messages(status: int, code: str, words: str, s3: S3) -> None:
    async def refuse(request: web.Request) -> web.Response:
        await request.read()
        text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>no</Message></Error>'
        return web.Response(status=status, text=text, content_type="application/xml")

    runner = web.AppRunner(_app(refuse), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        there = f"http://127.0.0.1:{runner.addresses[0][1]}"
        with pytest.raises(StorageError, match=words):
            await store(s3.settings(endpoint=there)).publish(PICTURE)
    finally:
        await runner.cleanup()


def _app(handler: object) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)  # type: ignore[arg-type]
    return app


async def test_a_slow_store_times_out(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    monkeypatch.setattr("grok_imagine.storage.bucket._TIMES", {"timeout": timedelta(seconds=1)})
    monkeypatch.setattr("grok_imagine.storage.bucket._RETRY", {"max_retries": 0})

    async def sleep(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    runner = web.AppRunner(_app(sleep), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        there = f"http://127.0.0.1:{runner.addresses[0][1]}"
        with pytest.raises(StorageError, match="did not answer in time"):
            await store(s3.settings(endpoint=there)).publish(PICTURE)
    finally:
        await runner.cleanup()
