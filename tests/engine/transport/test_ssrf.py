"""URLs that somebody else chose: no private address on any hop, however it is spelled and whatever DNS answers."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from grok_imagine.errors import ConnectFailed, FetchFailed, TransportError
from grok_imagine.models import Call
from grok_imagine.models.url import is_literal_in, is_public_address
from grok_imagine.settings import Settings
from grok_imagine.transport.client import Client
from grok_imagine.transport.download import download

from ..support.http_server import VIDEO, endpoint
from ..support.sessions import hurried

REAL = endpoint("https://reapi.ai")
HERE = [ipaddress.ip_network("127.0.0.1/32")]


class Names:
    """A resolver: each name's answers, the last of them for ever."""

    def __init__(self, **answers: Sequence[str] | list[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): [*given] for name, given in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        left = self.answers[host]
        found = left.pop(0) if len(left) > 1 else left[0]
        return [found] if isinstance(found, str) else found


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate, of its own making, for the names of these tests."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    names = [x509.DNSName(one) for one in ("cdn.example", "evil.example", "b.example")]
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(pem + built.public_bytes(serialization.Encoding.PEM))
    return path


class Cdn:
    """A real https server on 127.0.0.1 that remembers who was asked for."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.authorized = 0
        self.port = 0
        self.location: str | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.hosts.append(request.host.split(":")[0])
        self.authorized += "Authorization" in request.headers
        if (self.location is not None and request.host.startswith("cdn.")) or "to" in request.query:
            return web.Response(status=302, headers={"Location": request.query.get("to", self.location or "")})
        return web.Response(body=VIDEO, content_type="video/mp4")

    def url(self, host: str, path: str = "/x.mp4") -> str:
        return f"https://{host}:{self.port}{path}"


@pytest.fixture
async def cdn(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cdn]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    served = Cdn()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    app = web.Application()
    app.router.add_get("/x.mp4", served.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    served.port = runner.addresses[0][1]
    yield served
    await runner.cleanup()


async def bring(names: Names, url: str, folder: Path, allowed: Sequence[Any] = HERE) -> int:
    async with Client(sleep=hurried, allowed_networks=allowed, resolve=names) as client:
        return await download(client, Call.get(url, authorized=True), REAL, folder / "clip.mp4", limit=10_000)


async def test_the_checked_address_is_the_one_that_is_used(cdn: Cdn, tmp_path: Path) -> None:
    """No resolver but ours knows the name, and it is asked once; the certificate is checked for the name."""
    names = Names(cdn_example=["127.0.0.1", "127.0.0.2"])
    assert await bring(names, cdn.url("cdn.example"), tmp_path) == len(VIDEO)
    assert names.asked == ["cdn.example"]
    assert cdn.hosts == ["cdn.example"]
    assert cdn.authorized == 0
    with pytest.raises(ConnectFailed, match="CERTIFICATE_VERIFY_FAILED"):
        await bring(Names(other_example=["127.0.0.1"]), cdn.url("other.example"), tmp_path)
    assert cdn.hosts == ["cdn.example"]


async def test_an_address_that_does_not_answer_is_followed_by_the_next(cdn: Cdn, tmp_path: Path) -> None:
    names = Names(cdn_example=[["127.0.0.2", "127.0.0.1"]])
    networks = [ipaddress.ip_network("127.0.0.0/8")]
    assert await bring(names, cdn.url("cdn.example"), tmp_path, networks) == len(VIDEO)


async def test_a_name_that_answers_otherwise_the_second_time_is_checked_again(cdn: Cdn, tmp_path: Path) -> None:
    """DNS rebinding, between two connections: each is checked by what it connects to."""
    names = Names(cdn_example=["127.0.0.1", "127.0.0.2"])
    await bring(names, cdn.url("cdn.example"), tmp_path)
    with pytest.raises(FetchFailed, match=r"resolves to 127\.0\.0\.2, which is not on the internet") as caught:
        await bring(names, cdn.url("cdn.example"), tmp_path)
    assert caught.value.is_refused
    assert "allowed_networks" in str(caught.value)
    assert len(cdn.hosts) == 1


NOT_ON_THE_INTERNET = [
    *("127.0.0.2", "10.0.0.1", "172.16.0.9", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "198.18.0.7"),
    *("224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1%eth0", "fd00:ec2::254", "fc00::1", "ff02::1"),
    *("::ffff:10.0.0.1", "::ffff:127.0.0.2", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:2::", "2001:db8::1"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "::10.0.0.1", "fec0::1", "5f00::1"),
]


@pytest.mark.parametrize("address", NOT_ON_THE_INTERNET)
@pytest.mark.parametrize("answer", ["alone", "among good ones"])
async def test_no_private_answer_of_dns_is_connected_to(
    address: str, answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", lambda *given, **more: opened.append(given))
    found = [address] if answer == "alone" else ["8.8.8.8", "2606:4700:4700::1111", address]
    with pytest.raises(FetchFailed, match="not on the internet"):
        await bring(Names(evil_example=[found]), "https://evil.example/x.mp4", tmp_path, [])
    assert opened == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_public_answers(address: str) -> None:
    assert is_public_address(ipaddress.ip_address(address))


def test_networks_can_be_allowed_in_the_settings() -> None:
    allowed = Settings(allowed_networks=["198.18.0.0/15", "fd00::/8"]).allowed_networks
    assert is_public_address(ipaddress.ip_address("198.19.255.1"), allowed)
    assert is_public_address(ipaddress.ip_address("::ffff:198.18.0.1"), allowed)
    assert is_public_address(ipaddress.ip_address("fd00::1"), allowed)
    assert not is_public_address(ipaddress.ip_address("10.0.0.1"), allowed)


SPELLINGS = [
    *("https://127.0.0.1/x", "https://127.1/x", "https://2130706433/x", "https://0x7f000001/x", "https://0x7f.1/x"),
    *("https://017700000001/x", "https://0177.0.0.1/x", "https://127.0.0.1./x", "https://0/x", "https://0.0.0.0/x"),
    *("https://169.254.169.254/latest/meta-data/", "https://0xa9fea9fe/", "https://2852039166/", "https://10.1/x"),
    *("https://[::1]/x", "https://[::]/x", "https://[0:0:0:0:0:0:0:1]/x", "https://[::ffff:127.0.0.1]/x"),
    *("https://[::ffff:7f00:1]/x", "https://[::127.0.0.1]/x", "https://[64:ff9b::7f00:1]/x", "https://[fe80::1]/x"),
    *("https://[fe80::1%25eth0]/x", "https://[fd00::1]/x", "https://[2002:7f00:1::]/x", "https://[::1%lo]/x"),
    *("https://localhost/x", "https://LOCALHOST./x", "https://a.localhost/x", "https://nas.local/x", "https://nas/x"),
    *("https://metadata.google.internal/x", "https://router.lan/x", "https://１２７.0.0.1/x", "https://127。0。0。1/x"),
    *("https://127．0．0．1/x", "https://ｌｏｃａｌｈｏｓｔ/x", "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/x", "https://127%2e0%2e0%2e1/x"),
    *("https://%31%32%37.0.0.1/x", "https://loc%61lhost/x", "https://me@cdn.example/x", "https://me:pw@127.0.0.1/x"),
    *("https://cdn.example@127.0.0.1/x", "https://127.0.0.1\\@cdn.example/x", "https://cdn.example\\.evil/x"),
    *("https://cdn.example\t/x", "https://cdn.example /x", "https://cdn.example\n/x", "https://lo\u00adcalhost/x"),
    *(
        "http://cdn.example/x",
        "HTTP://cdn.example/x",
        "ftp://cdn.example/x",
        "file:///etc/passwd",
        "gopher://x.example/",
    ),
    *("data:video/mp4;base64,AAAA", "//127.0.0.1/x", "https:///x", "https://", "", "javascript:alert(1)", "blob:x"),
    *(
        "https://cdn.example:99999/x",
        "https://[::1/x",
        "https://1.2.3.4.5/x",
        "https://256.1.1.1/x",
        "https://a.0x7f/x",
    ),
]


@pytest.mark.parametrize("url", SPELLINGS)
@pytest.mark.parametrize("hop", ["the result's own", "a redirect's"])
async def test_no_spelling_gets_by(url: str, hop: str, cdn: Cdn, tmp_path: Path) -> None:
    """As the result's URL, and as where a good one redirects to: refused before any name is asked for."""
    names = Names(cdn_example=["127.0.0.1"])
    start = url if hop == "the result's own" else cdn.url("cdn.example")
    cdn.location = url
    # Where the user allows this very address, only the name that leads to the CDN may use it.
    allowed = [] if is_literal_in(f"https:{url}" if url.startswith("//") else url, HERE) else HERE
    async with Client(sleep=hurried, allowed_networks=allowed, resolve=names) as client:
        with pytest.raises(TransportError) as caught:
            await download(client, Call.get(start), REAL, tmp_path / "clip.mp4", limit=10_000)
    assert set(names.asked) == ({"cdn.example"} if hop == "a redirect's" else set())
    assert set(cdn.hosts) <= {"cdn.example"}
    assert "pw" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


async def test_an_address_that_the_user_allows_is_used_as_it_is_written(cdn: Cdn, tmp_path: Path) -> None:
    """A result at a literal address: refused, unless its network is in ``allowed_networks``."""
    url, target = f"https://127.0.0.1:{cdn.port}/x.mp4", tmp_path / "clip.mp4"
    for networks, error in (((), FetchFailed), (HERE, ConnectFailed)):
        async with Client(sleep=hurried, allowed_networks=networks) as client:
            with pytest.raises(error):  # the certificate is for names: the connection is tried, and refused by TLS
                await download(client, Call.get(url), REAL, target, limit=10_000)


async def test_a_redirect_to_a_name_with_a_private_address_is_not_followed(cdn: Cdn, tmp_path: Path) -> None:
    names = Names(cdn_example=["127.0.0.1"], evil_example=["127.0.0.2"])
    with pytest.raises(FetchFailed, match=r"evil\.example resolves to 127\.0\.0\.2"):
        await bring(names, cdn.url("cdn.example", f"/x.mp4?to={cdn.url('evil.example')}"), tmp_path)
    assert cdn.hosts == ["cdn.example"]


async def test_no_key_goes_along_over_a_redirect_to_another_origin(cdn: Cdn, tmp_path: Path) -> None:
    """The provider's own URL carries the key; where it redirects to does not get it."""
    names = Names(b_example=["127.0.0.1"], cdn_example=["127.0.0.1"])
    ours = endpoint(cdn.url("b.example", ""))

    async def on_this_machine(host: str, *_rest: Any, **_more: Any) -> list[Any]:
        return [(2, 1, 6, "", ("127.0.0.1", cdn.port))]

    loop = asyncio.get_running_loop()
    loop.getaddrinfo = on_this_machine  # type: ignore[assignment]
    async with Client(sleep=hurried, allowed_networks=HERE, resolve=names) as client:
        start = cdn.url("b.example", f"/x.mp4?to={cdn.url('cdn.example')}")
        await download(client, Call.get(start), ours, tmp_path / "clip.mp4", limit=10_000)
    assert cdn.hosts == ["b.example", "cdn.example"]
    assert cdn.authorized == 1


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
async def test_a_proxy_of_the_environment_does_the_resolving(
    variable: str, cdn: Cdn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b" HTTP")[0])
        there, back = await asyncio.open_connection("127.0.0.1", cdn.port)
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")

        async def pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        await asyncio.gather(pour(reader, back), pour(there, writer), return_exceptions=True)

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    monkeypatch.setenv(variable, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    names = Names(cdn_example=["127.0.0.1"])
    async with server:
        await bring(names, cdn.url("cdn.example"), tmp_path)
        assert asked == [f"CONNECT cdn.example:{cdn.port}".encode()]
        assert names.asked == []
        monkeypatch.setenv("NO_PROXY", "cdn.example")
        await bring(names, cdn.url("cdn.example"), tmp_path)
        assert names.asked == ["cdn.example"], "without the proxy it is the guard that resolves"
        with pytest.raises(FetchFailed, match="refused"):
            await bring(names, "https://10.0.0.1/x.mp4", tmp_path)
    assert len(asked) == 1


async def test_a_name_that_cannot_be_resolved_is_a_failed_connection(tmp_path: Path) -> None:
    async def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError("Name or service not known")

    async with Client(sleep=hurried, resolve=unknown) as client:
        with pytest.raises(ConnectFailed, match="cannot be resolved"):
            await download(client, Call.get("https://cdn.example/x"), REAL, tmp_path / "x.mp4", limit=10)
