"""Proxies and certificates of the environment: which requests they take, and what a bad variable is called."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from grok_imagine.doctor.doctor import run_checks
from grok_imagine.errors import ConnectFailed, SettingsError, StorageError
from grok_imagine.models import Blob, Call, VideoRequest
from grok_imagine.proxies import Proxies
from grok_imagine.settings import ConnectionSettings, StoreSettings
from grok_imagine.storage.bucket import BucketStore
from grok_imagine.transport.client import Client
from grok_imagine.transport.retry import Backoff

from ..support.http_server import endpoint, serving
from ..support.proxy import Proxy, proxying
from ..support.sessions import Open, hurried

Environment = dict[str, str]
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
FAR, HERE = "http://provider.example:{port}/x", "http://127.0.0.1:{port}/x"

PROXIED: list[tuple[Environment, str]] = [
    ({"HTTP_PROXY": "http://127.0.0.1:{proxy}"}, "http://provider.example:{port}/x"),
    ({"http_proxy": "http://127.0.0.1:{proxy}"}, "http://provider.example:{port}/x"),
    ({"HTTP_PROXY": "127.0.0.1:{proxy}"}, "http://provider.example:{port}/x"),
    ({"HTTP_PROXY": " http://127.0.0.1:{proxy}/ "}, "http://provider.example:{port}/x"),
    ({"ALL_PROXY": "http://127.0.0.1:{proxy}"}, "http://provider.example:{port}/x"),
    ({"ALL_PROXY": "socks5://127.0.0.1:{proxy}"}, "socks provider.example:{port}"),
    ({"ALL_PROXY": "socks5h://127.0.0.1:{proxy}"}, "socks provider.example:{port}"),
    ({"ALL_PROXY": "socks://127.0.0.1:{proxy}/"}, "socks provider.example:{port}"),
    (
        {"HTTP_PROXY": "socks5://127.0.0.1:{proxy}", "HTTPS_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "ftp://unused"},
        "socks provider.example:{port}",
    ),
    ({"HTTP_PROXY": "http://127.0.0.1:{proxy}", "NO_PROXY": "other.example,example"}, ""),
    ({"HTTP_PROXY": "http://127.0.0.1:{proxy}", "NO_PROXY": "provider.example:1"}, "http://provider.example:{port}/x"),
    ({"HTTP_PROXY": "http://127.0.0.1:{proxy}", "NO_PROXY": "vider.example"}, "http://provider.example:{port}/x"),
    (
        {"HTTP_PROXY": "http://127.0.0.1:{proxy}", "NO_PROXY": "::1,[::1],fe80::/10,[fd00::1]:8080"},
        "http://provider.example:{port}/x",
    ),
    ({"HTTP_PROXY": "http://127.0.0.1:{proxy}", "NO_PROXY": "*"}, ""),
    ({"HTTP_PROXY": "http://127.0.0.1:{proxy}", "NO_PROXY": " Provider.Example "}, ""),
    ({"HTTP_PROXY": "http://127.0.0.1:{proxy}", "NO_PROXY": "*.example"}, ""),
    ({"HTTP_PROXY": "http://127.0.0.1:{proxy}", "NO_PROXY": "provider.example:{port}"}, ""),
    ({"HTTP_PROXY": "http://127.0.0.1:{proxy}", "NO_PROXY": "http://provider.example"}, ""),
    ({"HTTPS_PROXY": "http://127.0.0.1:{proxy}"}, ""),
    ({"HTTP_PROXY": ""}, ""),
]
FAULTS: list[tuple[Environment, str]] = [
    ({"HTTP_PROXY": "http://127.0.0.1:80a0"}, "HTTP_PROXY"),
    ({"HTTPS_PROXY": "http://127.0.0.1:99999"}, "HTTPS_PROXY"),
    ({"https_proxy": "http://me:pass/word@proxy.example:8080"}, "https_proxy"),
    ({"ALL_PROXY": "socks4://127.0.0.1:1080"}, "ALL_PROXY"),
    ({"ALL_PROXY": "ftp://proxy.example"}, "ALL_PROXY"),
    ({"HTTP_PROXY": "http://"}, "HTTP_PROXY"),
    ({"HTTP_PROXY": "http://a\x7fb:1"}, "HTTP_PROXY"),
    ({"HTTP_PROXY": "http://[::1:8080"}, "HTTP_PROXY"),
    ({"NO_PROXY": "localhost,provider.example:80a0"}, "NO_PROXY"),
    ({"SSL_CERT_FILE": "/no/such/file.pem"}, "SSL_CERT_FILE"),
    ({"SSL_CERT_FILE": "{empty}"}, "SSL_CERT_FILE"),
    ({"SSL_CERT_FILE": "{folder}"}, "SSL_CERT_FILE"),
    ({"SSL_CERT_DIR": "/no/such/folder"}, "SSL_CERT_DIR"),
]

# httpcore does not close a connection on which the SOCKS handshake fails; the garbage collector does.
LEAKS = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ.copy():
        if name.upper() in NAMES:
            monkeypatch.delenv(name)


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """The port of a server on loopback, where every name leads."""

    async def fine(_request: web.Request) -> web.Response:
        return web.Response(text="{}")

    async def resolve(host: str, number: int, **_more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", number))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    async with serving(x=fine) as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture
async def proxy(port: int) -> AsyncIterator[Proxy]:
    async with proxying(port) as running:
        yield running


def set_all(monkeypatch: pytest.MonkeyPatch, environment: Environment, **values: object) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(**values))


async def read(url: str) -> int:
    async with Client(Backoff(tries=1), sleep=hurried) as client:
        return (await client.send(Call.get(url), endpoint(url.rpartition("/")[0]))).status


@pytest.mark.parametrize(("environment", "asked"), PROXIED, ids=str)
async def test_a_request_goes_through_the_proxy_or_directly(
    environment: Environment, asked: str, port: int, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, environment, port=port, proxy=proxy.port)
    assert await read(FAR.format(port=port)) == 200
    assert proxy.asked == ([asked.format(port=port)] if asked else [])


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "[::1]"])
@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_this_machine_is_reached_directly(
    variable: str, host: str, scheme: str, port: int, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, f"{scheme}://127.0.0.1:{proxy.port}")
    async with Client(Backoff(tries=1), sleep=hurried) as client:
        url = f"http://{host}:{port}"
        try:
            assert (await client.send(Call.submit("/x", {}), endpoint(url))).status == 200
        except ConnectFailed:
            assert host in ("[::1]", "127.1.2.3"), "the server listens at 127.0.0.1 alone"
    assert proxy.asked == []


@pytest.mark.parametrize(("environment", "name"), FAULTS, ids=str)
async def test_a_bad_variable_is_named(
    environment: Environment, name: str, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a read, a submit and a download; and a server on this machine needs no variable."""
    (tmp_path / "empty.pem").touch()
    set_all(monkeypatch, environment, empty=tmp_path / "empty.pem", folder=tmp_path)
    async with Client(Backoff(tries=1), sleep=hurried) as client:
        far = endpoint("https://provider.example")
        for call in (Call.get("/x"), Call.submit("/x", {})):
            with pytest.raises(SettingsError, match=name) as caught:
                await client.send(call, far)
            assert "word" not in str(caught.value).replace("a password", "")
        with pytest.raises(SettingsError, match=name):
            await client.files.get("https://cdn.example/x.mp4")
        assert (await client.send(Call.get("/x"), endpoint(f"http://127.0.0.1:{port}"))).status == 200


@pytest.mark.parametrize(("environment", "name"), FAULTS[:1] + FAULTS[3:4] + FAULTS[9:10], ids=str)
async def test_the_sandbox_works_and_a_paid_job_is_not_begun(
    environment: Environment, name: str, open_session: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, environment)
    far = ConnectionSettings(dialect="reapi", base_url="https://provider.example", api_key="rk_live_tests_1")  # type: ignore[arg-type]
    async with open_session(connections={"far": far}) as session:
        request = VideoRequest(prompt="a boat", duration_seconds=6)
        assert (await session.generate(request, "sandbox")).file.is_file()
        with pytest.raises(SettingsError, match=name):
            await session.generate(request, "far")
        assert [job.connection for job in await session.journal.recent()] == ["sandbox"]


@pytest.mark.parametrize(("environment", "name"), FAULTS, ids=str)
async def test_doctor_names_a_bad_variable(
    environment: Environment, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.pem").touch()
    set_all(monkeypatch, environment, empty=tmp_path / "empty.pem", folder=tmp_path)
    faults = [check for check in await run_checks(tmp_path / "home") if check.grade == "fault"]
    assert [(check.part, check.name) for check in faults] == [("network", "environment")]
    assert faults[0].text.startswith(name)


@LEAKS
async def test_a_socks_proxy_gets_its_user_and_password(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxying(port, "me", "pass/word") as proxy:
        monkeypatch.setenv("ALL_PROXY", f"socks5://me:pass%2Fword@127.0.0.1:{proxy.port}")
        assert await read(FAR.format(port=port)) == 200
        for credentials in ("", "me:wrong@"):
            monkeypatch.setenv("ALL_PROXY", f"socks5://{credentials}127.0.0.1:{proxy.port}")
            with pytest.raises(ConnectFailed, match=r"no connection to provider\.example"):
                await read(FAR.format(port=port))
        gc.collect()
    assert proxy.asked[0] == f"socks provider.example:{port}"


@LEAKS
async def test_what_is_no_socks_proxy_is_a_failed_connection(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{port}")
    with pytest.raises(ConnectFailed, match="the proxy of ALL_PROXY does not answer as a SOCKS proxy does"):
        await read(FAR.format(port=port))
    gc.collect()


def store(stated_endpoint: str) -> BucketStore:
    keys: Any = {"access_key_id": "AKIATEST", "secret_access_key": "a-secret"}
    stated = StoreSettings(bucket="references", endpoint=stated_endpoint, region="us-east-1", **keys)
    return BucketStore("mine", stated, secret=b"x", lifetime_seconds=600)


async def test_a_store_on_this_machine_is_reached_directly(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(StorageError):
        await store("http://127.0.0.1:1").publish(Blob(b"x", "image/png"))
    assert proxy.asked == []


async def test_a_store_uses_http_proxies_and_names_a_socks_proxy(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{proxy.port}")
    with pytest.raises(StorageError, match="the SOCKS proxy of ALL_PROXY"):
        await store("https://s3.example").publish(Blob(b"x", "image/png"))
    assert proxy.asked == []
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(StorageError, match="Nothing was sent or charged"):  # the server behind it speaks no TLS
        await store("https://s3.example").publish(Blob(b"x", "image/png"))
    assert set(proxy.asked) == {"CONNECT s3.example:443"}
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:80a0")
    with pytest.raises(SettingsError, match="HTTPS_PROXY"):
        await store("https://s3.example").publish(Blob(b"x", "image/png"))


def test_addresses_and_networks_in_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,192.168.*,fd00::1,[fd00::2]:8443 ,fe80::/10")
    proxies = Proxies.from_environment()
    for host in ("10.1.2.3", "192.168.3.4", "[fd00::1]", "[fd00:0::1]:99", "[fd00::2]:8443", "[fe80::9]"):
        assert proxies.choose(f"https://{host}/x") is None, host
    for host in ("11.1.2.3", "193.168.3.4", "[fd00::2]", "[fd00::3]", "x10.0.0.1.example"):
        assert proxies.choose(f"https://{host}/x") is not None, host
