"""HTTP requests and responses as values: a provider builds a Call, the transport returns its Reply."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Literal

from ..errors import UnreadableReply
from ..redact import redact


class RetryPolicy(Enum):
    """Whether a call may be sent again. The provider sets it, since only it knows what a call costs."""

    FREELY = "freely"
    """It changes nothing: repeat after a lost answer, a 429 or a 5xx."""
    ONLY_IF_REFUSED = "only if refused"
    """It costs money: repeat only if no byte was sent, or the server answered 429."""


@dataclass(frozen=True)
class Call:
    """One HTTP request, as a value.

    ``target`` is a path below the connection's base URL (``/v1/videos``), or an absolute URL. ``authorized``: send the
    connection's key, which the transport does only below the base URL.
    """

    method: Literal["GET", "POST", "DELETE"]
    target: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Not shown in representations, since the key is among them."""
    repeat: RetryPolicy = RetryPolicy.FREELY
    authorized: bool = True

    @classmethod
    def get(cls, target: str, *, authorized: bool = True) -> Call:
        """A GET, which may be repeated freely."""
        return cls("GET", target, authorized=authorized)

    @classmethod
    def submit(cls, target: str, body: Mapping[str, Any]) -> Call:
        """A POST that costs money."""
        return cls("POST", target, body=body, repeat=RetryPolicy.ONLY_IF_REFUSED)

    def with_header(self, name: str, value: str) -> Call:
        """This call with one more header."""
        return replace(self, headers={**self.headers, name: value})


@dataclass(frozen=True)
class Reply:
    """One HTTP response, as a value. Header names are in lower case; the body has at most 1 MiB.

    ``retry_after`` is the Retry-After header in seconds, which may also have been a date.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    retry_after: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def is_empty(self) -> bool:
        """Whether the body is empty or only white space."""
        return not self.body.strip()

    def json(self) -> Any:
        """The body, parsed as JSON. Raises UnreadableReply."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            start = redact(self.body[:80].decode("utf-8", "replace"))
            raise UnreadableReply(
                f"the provider's answer is not JSON; it begins with {start!r}", status=self.status
            ) from error
