"""A connection's base URL, key and rate limiter."""

from __future__ import annotations

import hmac
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
    """A connection's base URL, and how its Calls are signed. The key never leaves this class."""

    base_url: str
    key: SecretStr
    authorize: Authorize
    rate_limiter: RateLimiter | None = None
    """Shared by all jobs of the connection; None for no limit."""

    def account(self, salt: str) -> str:
        """A digest of the key, equal for the same key and ``salt``. The key cannot be found from it."""
        return hmac.new(self.key.get_secret_value().encode(), salt.encode(), "sha256").hexdigest()[:16]

    def url(self, call: Call) -> str:
        """The absolute URL of the call."""
        return self.base_url + call.target if call.target.startswith("/") else call.target

    def resolve(self, url: str) -> str:
        """The absolute URL of a URL in a provider's answer: a path is relative to the base URL's host."""
        return urljoin(self.base_url, url) if url.startswith("/") else url

    async def wait_turn(self) -> None:
        """Wait until another request may be sent."""
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
        """The call with the key, if it is ``authorized`` and below the base URL."""
        if call.authorized and is_below(self.url(call), self.base_url):
            return self.authorize(call, self.key.get_secret_value())
        return call

    def conceal(self, text: str) -> str:
        """A server's text without the key, at most 200 characters."""
        return redact(text, self.key.get_secret_value(), limit=200)
