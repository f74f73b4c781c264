"""Which proxy the environment names for a URL: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in either case.

Loopback is always reached directly. A variable that cannot be used is named in a SettingsError, without its value,
which may hold a password.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies

from .errors import SettingsError
from .models.url import is_loopback

_PORTS = {"http": 80, "https": 443}
_SOCKS = ("socks", "socks5", "socks5h")  # the proxy resolves the name with each of them


@dataclass(frozen=True)
class Proxy:
    """A proxy: its URL, with the password if it has one, and the variable that names it."""

    kind: Literal["http", "https", "socks5"]
    url: str
    variable: str


@dataclass(frozen=True)
class Proxies:
    """The proxies by scheme of the URL, and the entries of NO_PROXY."""

    by_scheme: Mapping[str, Proxy]
    exceptions: tuple[_Exception, ...] = ()

    @classmethod
    def from_environment(cls) -> Proxies:
        """Read the variables, or the system's settings on Windows and macOS. Raises SettingsError."""
        values = {scheme: url.strip() for scheme, url in getproxies().items()}
        by_scheme: dict[str, Proxy] = {}
        for scheme in _PORTS:
            source = scheme if values.get(scheme) else "all"
            if values.get(source):
                by_scheme[scheme] = _parse_proxy(values[source], _variable(source))
        return cls(by_scheme, tuple(_parse_exceptions(values.get("no", ""))))

    def choose(self, url: str) -> Proxy | None:
        """The proxy for an http(s) URL; None where it is reached directly."""
        parts = urlsplit(url)
        if is_loopback(url) or any(entry.covers(parts.scheme, parts.hostname, parts.port) for entry in self.exceptions):
            return None
        return self.by_scheme.get(parts.scheme)


@dataclass(frozen=True)
class _Exception:
    """One entry of NO_PROXY: a name and all below it, a pattern with ``*``, an address or a network."""

    host: str | IPv4Network | IPv6Network
    port: int | None = None
    scheme: str | None = None

    def covers(self, scheme: str, host: str | None, port: int | None) -> bool:
        """Whether a URL with these parts is reached without a proxy."""
        if self.scheme not in (None, scheme) or self.port not in (None, port or _PORTS.get(scheme)):
            return False
        if isinstance(self.host, str):
            name = (host or "").rstrip(".")
            return fnmatchcase(name, self.host) or name.endswith("." + self.host)
        try:
            return ip_address(host or "") in self.host
        except ValueError:
            return False


def _parse_proxy(value: str, variable: str) -> Proxy:
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_complete = False
    if is_complete and not any(c.isspace() for c in url):
        scheme, _, rest = url.partition("://")
        if scheme.lower() in _SOCKS:
            return Proxy("socks5", f"socks5://{rest}", variable)
        if scheme.lower() == "http":
            return Proxy("http", url, variable)
        if scheme.lower() == "https":
            return Proxy("https", url, variable)
    raise SettingsError(
        f"{variable} names no proxy that can be used. Set it to http://HOST:PORT, https://HOST:PORT or "
        "socks5://HOST:PORT (special characters of a password percent-encoded), or unset it, and restart."
    )


def _parse_exceptions(value: str) -> Iterator[_Exception]:
    for entry in value.replace(",", " ").split():
        scheme, _, place = entry.lower().rpartition("://")
        host, port = place, ""
        if place.startswith("["):
            host, _, port = place[1:].partition("]")
            port = port.removeprefix(":")
        elif place.count(":") == 1:
            host, _, port = place.partition(":")
        if port and not port.isdecimal():
            raise SettingsError(
                f"{_variable('no')} has an entry whose port is not a number: {entry}. Correct it, and restart."
            )
        try:
            network = ip_network(host, strict=False)
        except ValueError:
            network = None
        name = host.removeprefix("*") if host.startswith("*.") else host
        yield _Exception(network or name.strip("."), int(port) if port else None, scheme or None)


def _variable(source: str) -> str:
    """The variable's name as it is set; the lower-case one has precedence."""
    names = [name for name in os.environ if name.lower() == f"{source}_proxy" and os.environ[name]]
    return min(names, key=str.isupper, default="the system's proxy setting")
