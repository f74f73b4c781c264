"""Which proxy the environment names for which URL: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, read as httpx does.

httpx reads them itself only for a client without a transport of its own.
"""

from __future__ import annotations

import ipaddress
import ssl
from urllib.request import getproxies

import httpx


def proxy_mounts(tls: ssl.SSLContext, direct: httpx.AsyncBaseTransport) -> dict[str, httpx.AsyncBaseTransport | None]:
    """Transports by URL pattern, for ``httpx.AsyncClient(mounts=…)``; hosts that need no proxy go ``direct``."""
    stated = getproxies()
    mounts: dict[str, httpx.AsyncBaseTransport | None] = {}
    for scheme in ("http", "https", "all"):
        if url := stated.get(scheme):
            proxy = url if "://" in url else f"http://{url}"
            mounts[f"{scheme}://"] = httpx.AsyncHTTPTransport(verify=tls, proxy=proxy)
    for host in filter(None, (part.strip().lower() for part in stated.get("no", "").split(","))):
        if host == "*":
            return {}
        mounts[_pattern(host)] = direct
    return mounts


def _pattern(host: str) -> str:
    if "://" in host:
        return host
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        # ".example.com" and "example.com" both stand for the domain and all below it.
        return f"all://{host}" if host == "localhost" else f"all://*{host}"
    return f"all://[{address}]" if address.version == 6 else f"all://{address}"
