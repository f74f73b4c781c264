"""Connects only to the internet: checks the addresses of a host name, and connects to a checked address.

For untrusted URLs: a provider's result, its redirects, a URL in a workflow. A harmless host name may resolve to this
machine, to the local network or to a cloud's metadata service, and to another address the next time (DNS rebinding), so
it is not resolved again between the check and the connection. Through a proxy from the environment, the proxy resolves
the name; then only the name as written is checked.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, cast

import httpcore
import httpx

from ..errors import FetchFailed
from ..models.url import Network, is_public_address
from .timeouts import wait_with_timeout

Resolve = Callable[[str, int], Coroutine[Any, Any, Sequence[str]]]
_CONNECT_SECONDS = 15.0
_LEAST_SECONDS = 5.0
"""The minimum time to connect to one of several addresses."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of ``host``, in the system's order of preference."""
    entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections only to public addresses. TLS still checks the certificate for the host name."""

    def __init__(self, allowed: Sequence[Network] = (), resolve: Resolve = resolve) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._tcp = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def sleep(self, seconds: float) -> None:
        """Part of httpcore's interface; used between retries, which are off."""
        await asyncio.sleep(seconds)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of ``host`` that answers. Raises FetchFailed if any of them is not public."""
        seconds = timeout or _CONNECT_SECONDS
        *others, last = await self._resolve_public(host, port, seconds)
        each = max(_LEAST_SECONDS, seconds / (len(others) + 1))
        for address in others:
            try:
                return await self._tcp.connect_tcp(address, port, each, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._tcp.connect_tcp(last, port, each, local_address, socket_options)

    async def _resolve_public(self, host: str, port: int, seconds: float) -> Sequence[str]:
        try:
            addresses = await wait_with_timeout(seconds, self._resolve(host, port))
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name cannot be resolved ({error})") from error
        except asyncio.TimeoutError as error:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from error
        if not addresses:
            raise httpcore.ConnectError("the name has no address")
        # One private address refuses all, since the DNS server chooses which of them comes first.
        for address in addresses:
            if not is_public_address(ip_address(address.split("%")[0]), self._allowed):
                raise FetchFailed(
                    f"the URL is refused: {host} resolves to {address}, which is not on the internet. Where a VPN or "
                    "proxy program of yours answers so, add its network to allowed_networks in the settings",
                    is_refused=True,
                )
        return addresses


class GuardedTransport(httpx.AsyncBaseTransport):
    """Like httpx's own transport, but with GuardedBackend, which httpx has no option for."""

    def __init__(self, tls: ssl.SSLContext, allowed: Sequence[Network] = (), resolve: Resolve = resolve) -> None:
        backend = GuardedBackend(allowed, resolve)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls, max_connections=50, max_keepalive_connections=10, network_backend=backend
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return its response, with the body unread."""
        url = request.url
        core_request = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx():
            answer = await self._pool.handle_async_request(core_request)
        extensions = cast("dict[str, Any]", answer.extensions)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=extensions)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


@contextmanager
def _as_httpx() -> Generator[None]:
    """Convert httpcore's errors to httpx's, which have the same names."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError) as error:
        error_class = next(filter(None, (getattr(httpx, kind.__name__, None) for kind in type(error).__mro__)))
        raise error_class(str(error)) from error
    except httpcore.UnsupportedProtocol as error:
        raise httpx.UnsupportedProtocol(str(error)) from error
