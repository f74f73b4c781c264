"""The sockets: what is sent, what is repeated, what is downloaded, and what every failure is called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from grok_imagine.errors import (
    ConnectFailed,
    FetchFailed,
    ProviderDown,
    RateLimited,
    TransportError,
    UnreadableReply,
)
from grok_imagine.models import Call, Reply
from grok_imagine.providers import provider
from grok_imagine.transport.client import BODY_LIMIT, Client
from grok_imagine.transport.download import download
from grok_imagine.transport.retry import Backoff, retry_after
from grok_imagine.transport.timeouts import wait_with_timeout

from ..support.http_server import VIDEO, endpoint, serving
from ..support.privacy import is_private
from ..support.sessions import hurried


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(Backoff(tries=4), sleep=hurried) as opened:
        yield opened


async def test_the_key_goes_below_the_base_url_and_nowhere_else(client: Client) -> None:
    seen: list[tuple[str, bool]] = []

    async def note(request: web.Request) -> web.Response:
        seen.append((request.path, "Authorization" in request.headers))
        return web.json_response({"echo": request.headers.get("Authorization")})

    async with serving(**{"api/ours": note, "theirs": note}) as url:
        where = endpoint(f"{url}/api")
        reply = await client.send(Call.get("/ours"), where)
        await client.send(Call.get(f"{url}/theirs"), where)
        await client.send(Call.get("/ours/../../theirs"), where)
        await client.send(Call.get("/ours", authorized=False), where)
    assert seen == [("/api/ours", True), ("/theirs", False), ("/theirs", False), ("/api/ours", False)]
    assert b"very_secret" not in reply.body
    assert b"[hidden]" in reply.body


async def test_a_get_is_repeated_and_a_post_is_not(client: Client) -> None:
    calls: list[str] = []

    async def flaky(request: web.Request) -> web.Response:
        calls.append(request.method)
        return web.Response(status=503 if len(calls) < 3 else 200, text="{}")

    async with serving(x=flaky) as url:
        refusal = provider("reapi").refusal
        assert (await client.read(Call.get("/x"), endpoint(url), refusal)).status == 200
        assert calls == ["GET"] * 3
        calls.clear()
        assert (await client.send(Call.submit("/x", {}), endpoint(url))).status == 503
        assert calls == ["POST"]
        with pytest.raises(ValueError, match="never repeated"):
            await client.read(Call.submit("/x", {}), endpoint(url), refusal)


async def test_reading_gives_up_after_its_tries(client: Client) -> None:
    async def down(request: web.Request) -> web.Response:
        return web.Response(status=502, text="<html>")

    async with serving(x=down) as url:
        with pytest.raises(ProviderDown):
            await client.read(Call.get("/x"), endpoint(url), provider("reapi").refusal)


async def test_a_429_tells_how_long(client: Client) -> None:
    async def busy(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "12"})

    async with serving(x=busy) as url:
        reply = await client.send(Call.get("/x"), endpoint(url))
    assert reply.retry_after == 12
    refused = provider("reapi").refusal(reply)
    assert isinstance(refused, RateLimited)
    assert refused.retry_after == 12


async def test_no_listener_is_no_byte_sent(client: Client, unused_tcp_port: int) -> None:
    with pytest.raises(ConnectFailed):
        await client.send(Call.submit("/x", {}), endpoint(f"http://127.0.0.1:{unused_tcp_port}"))
    with pytest.raises(ConnectFailed):
        await client.send(Call.submit("/x", {}), endpoint("https://no-such-host.invalid"))


async def test_a_dropped_connection_is_not_a_failed_connect(client: Client) -> None:
    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    server = await asyncio.start_server(drop, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TransportError) as caught:
            await client.send(Call.submit("/x", {}), endpoint(f"http://127.0.0.1:{port}"))
    assert not isinstance(caught.value, ConnectFailed)


async def test_an_answer_too_large_is_not_kept(client: Client) -> None:
    async def large(request: web.Request) -> web.Response:
        return web.Response(body=bytes(BODY_LIMIT + 1))

    async with serving(x=large) as url:
        with pytest.raises(UnreadableReply, match="1 MiB"):
            await client.send(Call.get("/x"), endpoint(url))


async def test_a_proxy_of_the_environment_is_not_used_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async def fine(request: web.Request) -> web.Response:
        return web.Response(text="{}")

    async with serving(x=fine) as url, Client() as opened:
        assert (await opened.send(Call.get("/x"), endpoint(url))).status == 200


async def test_a_proxy_of_the_environment_is_used_for_the_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def proxy(request: web.Request) -> web.Response:
        asked.append(str(request.url))
        return web.Response(text="{}")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", proxy)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{runner.addresses[0][1]}")
    async with Client() as opened:
        reply = await opened.send(Call.get("http://provider.example/x"), endpoint("http://provider.example"))
    await runner.cleanup()
    assert reply.status == 200
    assert asked == ["http://provider.example/x"]


# -- limits of time


async def test_a_cancellation_is_heard_whenever_it_comes() -> None:
    """Also in the very turn of the loop in which the work ends."""
    heard = 0
    for turns in range(8):
        gate = asyncio.get_running_loop().create_future()

        async def work(gate: asyncio.Future[int] = gate) -> int:
            return await gate

        waiting = asyncio.ensure_future(wait_with_timeout(60, work()))
        for _ in range(3):
            await asyncio.sleep(0)
        gate.set_result(1)
        for _ in range(turns):
            await asyncio.sleep(0)
        if waiting.cancel():
            heard += 1
            with pytest.raises(asyncio.CancelledError):
                await waiting
        else:
            assert waiting.result() == 1
    assert 2 <= heard < 8


async def test_what_takes_too_long_is_ended() -> None:
    ended: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    with pytest.raises(asyncio.TimeoutError):
        await wait_with_timeout(0.01, work())
    assert ended
    assert await wait_with_timeout(60, asyncio.sleep(0, "here")) == "here"


# -- downloads


async def test_a_download_appears_whole(client: Client, tmp_path: Path) -> None:
    seen: list[int] = []

    async def video(request: web.Request) -> web.Response:
        return web.Response(body=VIDEO, content_type="video/mp4")

    async with serving(x=video) as url:
        target = tmp_path / "clip.mp4"
        call = Call.get(f"{url}/x", authorized=False)
        size = await download(
            client, call, endpoint(url), target, limit=10_000, on_bytes=lambda done, total: seen.append(done)
        )
    assert size == len(VIDEO)
    assert target.read_bytes() == VIDEO
    assert seen[-1] == len(VIDEO)
    assert is_private(target)
    assert list(tmp_path.iterdir()) == [target]


REFUSED = {
    "json": ({"body": b'{"error": 1}', "content_type": "application/json"}, "application/json instead"),
    "html": ({"body": b"<html>", "content_type": "text/html"}, "text/html instead"),
    "notvideo": ({"body": b"\x89PNG" + bytes(100), "content_type": "video/mp4"}, "not an MP4"),
    "large": ({"body": VIDEO * 3, "content_type": "video/mp4"}, "limit"),
    "short": ({"body": b"abc", "content_type": "video/mp4"}, "broke off"),
    "empty": ({"body": b"", "content_type": "video/mp4"}, "broke off"),
    "gone": ({"status": 404}, "HTTP 404"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_video_leaves_no_file(case: str, client: Client, tmp_path: Path) -> None:
    fields, message = REFUSED[case]

    async def answer(request: web.Request) -> web.Response:
        return web.Response(**fields)  # type: ignore[arg-type]

    async with serving(x=answer) as url:
        with pytest.raises(FetchFailed, match=message):
            await download(client, Call.get(f"{url}/x"), endpoint(url), tmp_path / "clip.mp4", limit=10_000)
    assert list(tmp_path.iterdir()) == []


async def test_redirects_are_followed_three_times_and_checked(client: Client, tmp_path: Path) -> None:
    async def hop(request: web.Request) -> web.Response:
        left = int(request.query["n"])
        if left:
            raise web.HTTPFound(f"/x?n={left - 1}")
        return web.Response(body=VIDEO, content_type="video/mp4")

    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["to"])

    async with serving(x=hop, away=away) as url:
        where, target = endpoint(url), tmp_path / "clip.mp4"
        await download(client, Call.get(f"{url}/x?n=3"), where, target, limit=10_000)
        with pytest.raises(FetchFailed, match="redirects more"):
            await download(client, Call.get(f"{url}/x?n=4"), where, target, limit=10_000)
        for bad in ("http://169.254.169.254/x", "http://10.0.0.1/x", "file:///etc/passwd", "http://cdn.example/x"):
            with pytest.raises(FetchFailed, match="refused"):
                await download(client, Call.get(f"{url}/away?to={bad}"), where, target, limit=10_000)


async def test_a_real_provider_may_not_send_us_to_this_machine(client: Client, tmp_path: Path) -> None:
    where = endpoint("https://reapi.ai")
    for bad in ("http://127.0.0.1:8188/x", "https://localhost/x", "http://cdn.reapi.ai/x.mp4", "https://[::1]/x"):
        with pytest.raises(FetchFailed, match="refused"):
            await download(client, Call.get(bad, authorized=False), where, tmp_path / "clip.mp4", limit=10)


# -- Retry-After and backoff


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("", None),
        (None, None),
        ("1e9", None),
        ("9" * 400, 86400.0),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    """A date counts from the answer's own date: this machine's clock may have been set back."""
    assert retry_after(header, "Sat, 21 Nov 2026 12:00:00 GMT") == seconds


def test_backoff_doubles_with_jitter_up_to_its_cap() -> None:
    backoff = Backoff(first=1, longest=30)
    for failures in range(1, 60):
        step = min(30, 2 ** (failures - 1))
        assert all(step / 2 <= backoff.delay(failures) <= step for _ in range(20))
    assert 300 <= backoff.delay(1, retry_after=4000) <= 300.5
    assert 12 <= backoff.delay(1, retry_after=12) <= 12.5


def test_a_reply_that_is_not_json_says_so() -> None:
    with pytest.raises(UnreadableReply, match="<html>"):
        Reply(200, b"<html>").json()
