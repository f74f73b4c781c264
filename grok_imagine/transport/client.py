"""Sends Calls and returns Replies. Converts httpx's errors to ours."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from .. import __version__
from ..errors import (
    ConnectFailed,
    GrokImagineError,
    ProviderDown,
    ProviderError,
    RateLimited,
    TimedOut,
    TransportError,
    UnreadableReply,
)
from ..models import Call, Reply, RetryPolicy
from ..models.url import Network
from ..redact import conceal, redact
from .endpoint import Endpoint
from .proxies import NetworkEnvironment
from .retry import Backoff, retry_after
from .ssrf_guard import GuardedTransport, Resolve, resolve
from .timeouts import wait_with_timeout

BODY_LIMIT = 1024 * 1024
_TIMEOUT = httpx.Timeout(60.0, connect=15.0, pool=60.0)
_HEADERS = {"User-Agent": f"comfyui-grok-imagine/{__version__}"}

# httpx logs the URL of every request, with its signature, at INFO, and ComfyUI shows that level.
_is_ours: ContextVar[bool] = ContextVar("grok_imagine_request", default=False)

# Fewer than the pool's connections: httpcore's time per step is the product of waiting requests and connections.
_MAX_CONCURRENT_READS = 40

_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))
EXCHANGE_SECONDS = 90.0
"""The limit for a whole call, since a slow server never exceeds the timeout between two bytes."""

Refusal = Callable[[Reply], ProviderError]


@dataclass
class Client:
    """One connection pool for reading; each POST that costs money uses a new connection.

    If the server has just closed a kept-alive connection, it is unknown whether a POST arrived. On a new one, a failure
    to connect means that certainly nothing was sent.
    """

    backoff: Backoff = field(default_factory=Backoff)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    allowed_networks: Sequence[Network] = ()
    """Private networks from which results may be downloaded."""
    resolve: Resolve = resolve
    """Resolves the host names of result URLs."""
    _pool: httpx.AsyncClient | None = None
    _files: httpx.AsyncClient | None = None
    _environment: NetworkEnvironment | None = None
    _reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MAX_CONCURRENT_READS))

    async def __aenter__(self) -> Client:
        for name in _LOGGERS:  # a filter on a parent does not reach its children
            logging.getLogger(name).addFilter(_is_foreign_record)
        with _without_logging():
            await self._open_pools()
        return self

    async def _open_pools(self) -> None:
        self._environment = await asyncio.to_thread(NetworkEnvironment.read)
        self._pool = self._new_pool(httpx.Limits(max_connections=100, max_keepalive_connections=20))
        guarded = GuardedTransport(self._environment.tls, self.allowed_networks, self.resolve)
        transport = self._environment.transport(guarded, httpx.Limits(max_connections=50, max_keepalive_connections=10))
        self._files = httpx.AsyncClient(transport=transport, timeout=_TIMEOUT, headers=_HEADERS)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in (self._pool, self._files):
            if pool is not None:
                await pool.aclose()
        self._pool = self._files = None

    @property
    def environment(self) -> NetworkEnvironment:
        """The proxies and certificates. Only inside ``async with``."""
        if self._environment is None:
            raise RuntimeError("the client is not open")
        return self._environment

    @property
    def pool(self) -> httpx.AsyncClient:
        """The pool for reading. Only inside ``async with``."""
        if self._pool is None:
            raise RuntimeError("the client is not open")
        return self._pool

    @property
    def files(self) -> httpx.AsyncClient:
        """The pool for untrusted URLs, which connects only to the internet. Only inside ``async with``."""
        if self._files is None:
            raise RuntimeError("the client is not open")
        return self._files

    async def send(self, call: Call, endpoint: Endpoint) -> Reply:
        """Send once. Raises ConnectFailed if no byte was sent, TimedOut or TransportError if that is unknown.

        A read waits for the rate limiter. A submit has waited before it was journaled, so that it is sent at once.
        """
        signed = endpoint.sign(call)
        url = endpoint.url(call)
        if call.repeat is RetryPolicy.FREELY:
            await endpoint.wait_turn()
            async with self._reading:
                return await _in_time(_exchange(self.pool, signed, url, endpoint.key), url)
        async with self._new_pool(httpx.Limits(max_connections=1, max_keepalive_connections=0)) as fresh:
            return await _in_time(_exchange(fresh, signed, url, endpoint.key), url)

    async def read(self, call: Call, endpoint: Endpoint, refusal: Refusal) -> Reply:
        """Send a repeatable Call until the answer is 2xx or final, or the tries are used up. Raises the last error."""
        if call.repeat is not RetryPolicy.FREELY:
            raise ValueError("a call that costs money is never repeated here")
        failures = 0
        while True:
            try:
                reply = await self.send(call, endpoint)
                if reply.is_success:
                    return reply
                raise refusal(reply)
            except (TransportError, RateLimited, ProviderDown) as error:
                failures += 1
                if failures >= self.backoff.tries:
                    raise
                await endpoint.wait_before_retry(self.backoff.delay(failures, retry_after_of(error)), error, self.sleep)

    def _new_pool(self, limits: httpx.Limits) -> httpx.AsyncClient:
        with _without_logging():
            direct = httpx.AsyncHTTPTransport(limits=limits, verify=self.environment.tls)
            return httpx.AsyncClient(
                timeout=_TIMEOUT,
                follow_redirects=False,
                transport=self.environment.transport(direct, limits),
                headers={**_HEADERS, "Accept": "application/json"},
            )

    async def get_public(self, url: str) -> Reply:
        """GET a public file of at most 1 MiB without a key, as a provider would."""
        with map_errors(url):
            async with self.pool.stream("GET", url, headers={"Accept": "*/*"}) as response:
                body = await _bounded(response)
        return Reply(response.status_code, body, {name.lower(): value for name, value in response.headers.items()})

    async def put_public(self, url: str, data: bytes, media_type: str) -> Reply:
        """POST bytes without a key (for the sandbox's upload endpoint)."""
        with map_errors(url):
            response = await self.pool.post(url, content=data, headers={"Content-Type": media_type})
        return Reply(response.status_code, response.content[:BODY_LIMIT])


async def _in_time(exchange: Coroutine[Any, Any, Reply], url: str) -> Reply:
    try:
        return await wait_with_timeout(EXCHANGE_SECONDS, exchange)
    except asyncio.TimeoutError as error:
        raise TimedOut(f"{urlsplit(url).hostname} did not answer within {EXCHANGE_SECONDS:.0f} s") from error


class _SendWatch:
    """Records whether bytes of a request were sent, from httpcore's trace events.

    The exceptions do not tell: httpx raises the same ones for an invalid URL and for a redirect that answers a request.
    """

    def __init__(self, method: str) -> None:
        self._method = method.encode()
        self.has_sent = False

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by httpcore at each step. Ignores the CONNECT to a proxy."""
        if event.endswith(".send_request_headers.started"):
            request = info.get("request")
            self.has_sent = self.has_sent or getattr(request, "method", self._method) == self._method


@contextmanager
def _map_errors_after_send(watch: _SendWatch, url: str, secret: str) -> Generator[None]:
    """Convert every error after the first byte was sent to TransportError, since the server may have acted."""
    try:
        yield
    except ConnectFailed as error:
        if not watch.has_sent:
            raise
        raise TransportError(f"the request was sent, and its answer could not be used: {error}") from None
    except GrokImagineError:
        raise
    except Exception as error:
        text = f"{urlsplit(url).hostname}: {_describe(error, secret)}"
        if watch.has_sent:
            raise TransportError(f"the request was sent, and its answer could not be used: {text}") from None
        raise ConnectFailed(f"the request could not be sent to {text}") from None


async def _exchange(client: httpx.AsyncClient, call: Call, url: str, key: SecretStr) -> Reply:
    watch, secret = _SendWatch(call.method), key.get_secret_value()
    with _map_errors_after_send(watch, url, secret), map_errors(url, secret):
        headers, extensions = dict(call.headers), {"trace": watch.trace}
        async with client.stream(call.method, url, json=call.body, headers=headers, extensions=extensions) as response:
            body = await _bounded(response)
            headers = {name.lower(): value for name, value in response.headers.items()}
            delay = retry_after(headers.get("retry-after"), headers.get("date"))
    # The server may echo the key.
    body = conceal(body.decode("latin-1"), secret).encode("latin-1")
    headers = {name: conceal(value, secret) for name, value in headers.items()}
    return Reply(response.status_code, body, headers, delay)


async def _bounded(response: httpx.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > BODY_LIMIT:
            raise UnreadableReply("the provider's answer is larger than 1 MiB", status=response.status_code)
        parts.append(part)
    return b"".join(parts)


def retry_after_of(error: Exception) -> float | None:
    """The seconds that the server asked to wait, or None."""
    return error.retry_after if isinstance(error, RateLimited) else None


@contextmanager
def map_errors(url: str, secret: str = "") -> Generator[None]:
    """Convert httpx's errors to ours. The text has the host and the kind of failure, but no query and no ``secret``.

    httpx does not log meanwhile. Errors that quote the server are not chained, so that a traceback does not show what
    it sent, which may include the key.
    """
    try:
        host = httpx.URL(url).host
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ConnectFailed(f"the URL cannot be read: {_describe(error, secret)}") from None
    try:
        with _without_logging():
            yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        raise ConnectFailed(f"no connection to {host}: {_describe(error, secret)}") from error
    except httpx.TimeoutException as error:
        raise TimedOut(f"{host} did not answer in time ({type(error).__name__})") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
        raise ConnectFailed(f"{host or 'the URL'} cannot be reached: {_describe(error, secret)}") from None
    except httpx.ProtocolError as error:
        raise TransportError(f"the connection to {host} broke: {_describe(error, secret)}") from None
    except httpx.HTTPError as error:
        raise TransportError(f"the connection to {host} broke: {_describe(error, secret)}") from error


@contextmanager
def _without_logging() -> Generator[None]:
    """Prevent httpx from logging, since URLs may have signatures."""
    token = _is_ours.set(True)
    try:
        yield
    finally:
        _is_ours.reset(token)


def _is_foreign_record(_record: logging.LogRecord) -> bool:
    """A filter for httpx's loggers, which the whole process shares: drops only the records of our requests."""
    return not _is_ours.get()


def _describe(error: Exception, secret: str) -> str:
    return redact(str(error) or type(error).__name__, secret, limit=200)
