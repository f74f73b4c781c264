"""Sends each request directly or through the environment's proxy, and trusts the environment's certificates.

httpx reads proxies itself only for a client without a transport of its own, and raises its own errors for bad ones.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import httpx

from ..errors import SettingsError
from ..models.url import is_loopback
from ..proxies import Proxies, Proxy


@dataclass(frozen=True)
class NetworkEnvironment:
    """The proxies and certificates of the environment, read once. ``fault`` names a variable that cannot be used.

    Requests to http servers on this machine need neither proxies nor certificates, so they work with a fault too.
    """

    proxies: Proxies
    tls: ssl.SSLContext
    fault: str = ""

    @classmethod
    def read(cls) -> NetworkEnvironment:
        """Read the variables and load the certificates, which takes tens of milliseconds the first time."""
        try:
            return cls(_usable(Proxies.from_environment()), _trusted_certificates())
        except SettingsError as error:
            return cls(Proxies({}), _from_certifi(), str(error))

    def check(self, url: str) -> None:
        """Raise SettingsError if the URL cannot be reached until a variable is corrected."""
        if self.fault and not (is_loopback(url) and url.startswith("http:")):
            raise SettingsError(self.fault)

    def transport(self, direct: httpx.AsyncBaseTransport, limits: httpx.Limits) -> httpx.AsyncBaseTransport:
        """A transport that sends through the proxy of each URL, or through ``direct`` if it has none."""
        proxied = {
            proxy: httpx.AsyncHTTPTransport(verify=self.tls, limits=limits, proxy=_as_httpx(proxy, self.tls))
            for proxy in set(self.proxies.by_scheme.values())
        }
        return _ProxyTransport(self, direct, proxied)


class _ProxyTransport(httpx.AsyncBaseTransport):
    def __init__(
        self,
        environment: NetworkEnvironment,
        direct: httpx.AsyncBaseTransport,
        proxied: Mapping[Proxy, httpx.AsyncBaseTransport],
    ) -> None:
        self._environment = environment
        self._direct = direct
        self._proxied = proxied

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Raises SettingsError, or what httpx raises."""
        url = str(request.url)
        self._environment.check(url)
        proxy = self._environment.proxies.choose(url)
        if proxy is None:
            return await self._direct.handle_async_request(request)
        try:
            return await self._proxied[proxy].handle_async_request(request)
        except httpx.HTTPError:
            raise
        except Exception as error:
            if proxy.kind != "socks5":
                raise
            # socksio's errors and an assertion, which httpcore does not convert.
            raise httpx.ProxyError(f"the proxy of {proxy.variable} does not answer as a SOCKS proxy does") from error

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in (self._direct, *self._proxied.values()):
            await transport.aclose()


def _as_httpx(proxy: Proxy, tls: ssl.SSLContext) -> httpx.Proxy:
    return httpx.Proxy(proxy.url, ssl_context=tls if proxy.kind == "https" else None)


def _usable(proxies: Proxies) -> Proxies:
    """The proxies. Raises SettingsError if httpx cannot use one."""
    for proxy in proxies.by_scheme.values():
        if proxy.kind == "socks5" and find_spec("socksio") is None:
            raise SettingsError(
                f"{proxy.variable} names a SOCKS proxy, for which the package socksio is missing. Install the "
                "requirements again: pip install -r requirements.txt"
            )
        try:
            httpx.URL(proxy.url)
        except (httpx.InvalidURL, UnicodeError):
            raise SettingsError(f"{proxy.variable} names no proxy that can be used. Correct it, and restart.") from None
    return proxies


def _trusted_certificates() -> ssl.SSLContext:
    """The certificates of SSL_CERT_FILE, else of SSL_CERT_DIR, else of certifi. Raises SettingsError."""
    if file := os.environ.get("SSL_CERT_FILE"):
        try:
            return _from_file(file, os.stat(file).st_mtime_ns)
        except OSError as error:  # ssl.SSLError is one
            reason = "no certificates are in it" if isinstance(error, ssl.SSLError) else error.strerror
            raise SettingsError(
                f"SSL_CERT_FILE names {file}, which cannot be used ({reason}). Name a file of certificates in PEM "
                "format, or unset it, and restart."
            ) from None
    if folder := os.environ.get("SSL_CERT_DIR"):
        if not any(os.path.isdir(path) for path in folder.split(os.pathsep)):
            raise SettingsError(
                f"SSL_CERT_DIR names {folder}, which is no folder. Correct it, or unset it, and restart."
            )
        return ssl.create_default_context(capath=folder)
    return _from_certifi()


@cache
def _from_file(file: str, _changed_at: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=file)


@cache
def _from_certifi() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
