"""Checks of URLs: whether one is public, or below another. Without DNS; host names are checked as written."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import SplitResult, unquote, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NO_HOST = frozenset('<>"{}|^`')
"""Characters that no host name has, as in an example that was pasted unchanged (``https://<account>.example``)."""
_LOCAL_NAMES = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa")

_ENDPOINT = re.compile(
    r"/+v1(/+(videos?|tasks|models|chat|images|responses|completions|uploads|files)(/.*)?)?$", re.IGNORECASE
)
"""The version at the end of a base URL, or with an endpoint of any OpenAI-like API behind it, as people paste them. A
version elsewhere in the path belongs to the base URL."""


def split(url: str) -> SplitResult | None:
    """The parts of an absolute http(s) URL; None if it is not one, or if clients would read it differently."""
    if "\\" in url or any(c.isspace() or ord(c) < 0x20 or ord(c) == 0x7F for c in url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host or not _NO_HOST.isdisjoint(host):
        return None
    if ":" not in host and ("[" in parts.netloc or "%" in host):
        return None  # brackets are only for IPv6, percent signs for its zones
    return parts if host.isprintable() else None  # some clients drop invisible characters


def fault_of(url: str, *, allow_private: bool = False) -> str | None:
    """Why a provider could not download ``url``, as text that follows "it"; None if it could."""
    scheme = url.split(":", 1)[0].lower() if ":" in url else ""
    if scheme in ("data", "file", "blob"):
        return f"is a {scheme}: URI; give a public http(s) URL"
    parts = split(url)
    if parts is None or parts.hostname is None:
        return "is not an absolute http(s) URL without spaces"
    if parts.username is not None or parts.password is not None:
        return "carries a user name or password; use a signed URL instead"
    if not allow_private and is_private_host(parts.hostname):
        return f"points to {parts.hostname}, which the provider cannot reach from the internet"
    return None


def is_private_host(host: str) -> bool:
    """Whether ``host`` (a name or an address) is local, private or otherwise not on the internet."""
    name = _plain(host)
    address = _address(name)
    if address is not None:
        return not is_public_address(address)
    labels = name.split(".")
    # Resolvers read a name whose last label has only digits as an address; a malformed one is not on the internet.
    if len(labels) == 1 or labels[-1].isdigit() or labels[-1].startswith("0x"):
        return True
    return any(name.endswith("." + local) for local in _LOCAL_NAMES) or name in _LOCAL_NAMES


def is_public_address(address: Address, allowed: Iterable[Network] = ()) -> bool:
    """Whether ``address`` is on the internet, or in one of the ``allowed`` networks.

    An IPv6 address that contains an IPv4 address (mapped, 6to4, NAT64) is checked by the latter.
    """
    if any(address in network for network in allowed):
        return True
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public_address(address.ipv4_mapped, allowed)
        if address in _NAT64:  # how IPv6-only networks reach IPv4 addresses (RFC 6052)
            return is_public_address(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF), allowed)
        if address.is_site_local:  # replaced by fc00::/7
            return False
        if address.sixtofour is not None and not is_public_address(address.sixtofour, allowed):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_literal_in(url: str, networks: Iterable[Network]) -> bool:
    """Whether the URL's host is an address (not a name) in one of the networks."""
    parts = split(url)
    address = _address(_plain(parts.hostname)) if parts is not None and parts.hostname else None
    return address is not None and any(address in network for network in networks)


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    parts = split(url)
    if parts is None or parts.hostname is None:
        return False
    name = _plain(parts.hostname)
    address = _address(name)
    return name == "localhost" or (address is not None and address.is_loopback)


def origin(url: str) -> str:
    """Scheme, host and port of an http(s) URL; empty if it is not one."""
    parts = split(url)
    if parts is None or parts.hostname is None:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, _default(parts)) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def is_below(url: str, base: str) -> bool:
    """Whether ``url`` has the origin of ``base`` and a path below it. The key is sent only there."""
    one, other = split(url), split(base)
    if one is None or other is None or "@" in one.netloc:
        return False
    same_origin = (one.scheme, one.hostname, one.port or _default(one)) == (
        other.scheme,
        other.hostname,
        other.port or _default(other),
    )
    climbs = any(segment in (".", "..") for segment in unquote(one.path).replace("\\", "/").split("/"))
    return same_origin and not climbs and one.path.startswith(other.path.rstrip("/") + "/")


def _plain(host: str) -> str:
    """The host as resolvers read it: full-width letters, digits and dots become plain ones (IDNA)."""
    name = unicodedata.normalize("NFKC", host).replace("\u3002", ".")
    return name.strip("[]").rstrip(".").lower()


def _default(parts: SplitResult) -> int:
    return 443 if parts.scheme == "https" else 80


def _address(host: str) -> Address | None:
    """The address that ``host`` is, also in unusual forms of IPv4 (``127.1``, ``0x7f000001``); None for a name."""
    try:
        return ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        pass
    parts = host.split(".")
    if not 1 <= len(parts) <= 4:
        return None
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return None
    *head, last = numbers
    if any(number > 255 for number in head) or last >= 256 ** (5 - len(parts)):
        return None
    value = last + sum(number << (8 * (3 - place)) for place, number in enumerate(head))
    return ipaddress.IPv4Address(value)


def _number(text: str) -> int:
    """One part of an IPv4 address as inet_aton reads it: decimal, 0x hexadecimal or 0 octal."""
    if not text.isascii() or not text.isalnum():
        raise ValueError(text)
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8) if len(text) > 1 and text.startswith("0") else int(text, 10)


def clean_base_url(url: str, *, keep_version: bool = False) -> str:
    """The base URL as stored (rule C2): https, or http on this machine; no query, and neither the API's version nor
    what follows it where an endpoint's whole URL was given.

    Raises ValueError for any other URL.
    """
    text = url.strip().rstrip("/ ")
    parts = split(text)
    if parts is None or parts.query or parts.fragment or parts.username is not None or "?" in text or "#" in text:
        raise ValueError("the base URL must be an https URL without user name, query or fragment")
    if parts.scheme != "https" and not is_loopback(text):
        raise ValueError("the base URL must use https; http is allowed only for this machine")
    return text if keep_version else _ENDPOINT.sub("", text)
