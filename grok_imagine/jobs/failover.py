"""Failover: tries several connections in order until one accepts the request. Quotes: the price at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import (
    ConnectFailed,
    GrokImagineError,
    OverBudget,
    ProviderDown,
    ProviderError,
    RateLimited,
    RequestError,
    SettingsError,
    StorageError,
    UnreadableReply,
)
from ..models import Cost, JobState, Mode, VideoRequest
from ..settings import ConnectionSettings, Settings
from .connections import Profile, profiles
from .new_job import assumed_cost
from .progress import Progress

if TYPE_CHECKING:
    from .session import Result, Session

_NOT_ACCEPTED = (SettingsError, RequestError, StorageError, ConnectFailed, RateLimited, ProviderError)
"""Errors after which the next connection is tried, since this one certainly did not accept the request: it is not set
up, does not support it, cannot get the images, cannot be reached, refuses it, or has no credit left."""
_MAYBE_ACCEPTED = (OverBudget, ProviderDown, UnreadableReply)
"""Subclasses of these that end the failover: the budget applies to every connection, and a 5xx may be paid."""


async def generate_with_failover(
    session: Session,
    request: VideoRequest,
    connections: Sequence[str],
    *,
    owner: str = "",
    run: str = "",
    progress: Progress | None = None,
    workflow: bytes | None = None,
) -> Result:
    """Make the clip at the first of ``connections`` that accepts the request.

    The next one is tried only if the previous one certainly did not accept it. If one of them already has a job for
    this request, that job is resumed. Raises the last connection's error, with the messages of all of them.
    """
    names = list(dict.fromkeys(connections))
    known = await _find_accepted(session, request, names)
    failures: list[str] = []
    for name in [known] if known else names:
        try:
            result = await session.generate(request, name, owner=owner, run=run, progress=progress, workflow=workflow)
        except _NOT_ACCEPTED as error:
            if isinstance(error, _MAYBE_ACCEPTED) or await _find_accepted(session, request, [name]):
                raise
            failures.append(f"{name}: {error}")
            if name == (known or names[-1]):
                raise _with_earlier_errors(error, failures) from error.__cause__
            continue
        skipped = tuple(f"not accepted by {failure}" for failure in failures)
        return replace(result, warnings=(*skipped, *result.warnings))
    raise SettingsError("Name at least one connection. Nothing was sent or charged.")


async def _find_accepted(session: Session, request: VideoRequest, names: Sequence[str]) -> str | None:
    """The first of the connections that has a job for this request that may have been sent."""
    for name in names:
        try:
            job = await session.find(request, name)
        except SettingsError:
            continue
        if job is not None and job.state is not JobState.PREPARED:
            return name
    return None


def _with_earlier_errors(error: GrokImagineError, failures: Sequence[str]) -> GrokImagineError:
    """The error, with the messages of all connections if there are several."""
    if len(failures) > 1:
        listed = "".join(f"\n  - {failure}" for failure in failures)
        text = f"None of the {len(failures)} connections accepted the request; nothing was charged.{listed}"
        error.args = (text, *error.args[1:])
    return error


@dataclass(frozen=True)
class Quote:
    """The price of a request at one connection. ``fault`` lists why it does not support it; empty if it does.

    ``cost`` is None if the provider publishes no price and the settings have none; ``note`` then says where to look.
    ``is_assumed``: the price is from the settings.
    """

    connection: str
    label: str
    model: str
    cost: Cost | None
    fault: str = ""
    note: str = ""
    is_assumed: bool = False
    has_key: bool = False

    @property
    def as_json(self) -> dict[str, object]:
        """Plain JSON; amounts are strings, since JSON's numbers would be rounded."""
        return {
            "connection": self.connection,
            "label": self.label,
            "model": self.model,
            "usd": str(self.cost.usd) if self.cost else None,
            "credits": str(self.cost.credits) if self.cost and self.cost.credits is not None else None,
            "is_assumed": self.is_assumed,
            "has_key": self.has_key,
            "fault": self.fault,
            "note": self.note,
        }


def requote(settings: Settings, journaled: Mapping[str, Any]) -> list[Quote]:
    """``quotes`` for the request of a stored job, with each connection's default model and placeholder media."""
    fields = {name: value for name, value in journaled.items() if name in VideoRequest.model_fields and name != "model"}
    fields["mode"] = Mode(fields["mode"]) if fields.get("mode") else None
    fields["reference_images"] = ("https://example.com/image.png",) * len(fields.get("reference_images") or ())
    fields["source_video"] = "https://example.com/video.mp4" if fields.get("source_video") else None
    return quotes(settings, VideoRequest(**fields))


def quotes(settings: Settings, request: VideoRequest) -> list[Quote]:
    """The price of the request at every connection but the sandboxes: cheapest first, unsupported ones last.

    Reads settings only; sends nothing.
    """
    every = [
        _quote(profile, settings.connections.get(profile.name) or ConnectionSettings(), request)
        for profile in profiles(settings).values()
        if not profile.is_sandbox
    ]
    return sorted(every, key=lambda quote: (bool(quote.fault), quote.cost is None, quote.cost.usd if quote.cost else 0))


def _quote(profile: Profile, settings: ConnectionSettings, request: VideoRequest) -> Quote:
    provider = profile.provider
    quote = Quote(profile.name, provider.label, request.model or "", None, has_key=profile.key is not None)
    try:
        checked = provider.check(request, allow_private_urls=True)
    except RequestError as error:
        return replace(quote, fault="; ".join(str(violation) for violation in error.violations) or str(error))
    capability = checked.capability
    own = assumed_cost(request, settings, checked)
    cost = provider.estimate(request, capability)
    page = provider.pricing_url or "the provider's page"
    note = "" if cost or own else f"see {page}"
    return replace(quote, model=capability.model, cost=own or cost, is_assumed=own is not None, note=note)
