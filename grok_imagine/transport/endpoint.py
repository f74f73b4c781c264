"""Where a connection's Calls go: the base URL, the key, and the connection's rate limiter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urljoin

from pydantic import SecretStr

from ..errors import RateLimited
from ..models import Call
from ..models.url import is_below
from ..redact import redact
from .rate_limit import RateLimiter

Authorize = Callable[[Call, str], Call]


@dataclass(frozen=True)
class Endpoint:
    """Where a connection's Calls go, and how they are signed. The key leaves this object only in :meth:`signed`."""

    base_url: str
    key: SecretStr
    authorize: Authorize
    rate_limiter: RateLimiter | None = None
    """What all jobs of the connection share; None where nothing limits them."""

    def url(self, call: Call) -> str:
        """The absolute URL of the call."""
        return self.base_url + call.target if call.target.startswith("/") else call.target

    def resolve(self, url: str) -> str:
        """The absolute URL for what a provider's answer calls one: a path begins at the base URL's host."""
        return urljoin(self.base_url, url) if url.startswith("/") else url

    async def wait_turn(self) -> None:
        """Wait until the connection may be asked once more."""
        if self.rate_limiter is not None:
            await self.rate_limiter.wait_turn()

    async def wait_before_retry(
        self, seconds: float, error: Exception, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        """Wait before another try; after a 429 every job of the connection waits."""
        if self.rate_limiter is not None and isinstance(error, RateLimited):
            await self.rate_limiter.pause(seconds)
        else:
            await sleep(seconds)

    def sign(self, call: Call) -> Call:
        """The call with the key, if it asks for one and goes to nowhere but below the base URL."""
        if call.authorized and is_below(self.url(call), self.base_url):
            return self.authorize(call, self.key.get_secret_value())
        return call

    def conceal(self, text: str) -> str:
        """What a server said, without the key."""
        return redact(text, self.key.get_secret_value(), limit=200)
