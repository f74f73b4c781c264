"""Several connections for one wish: the first that takes it, as long as nobody has; and what each would ask for it."""

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
"""What says for certain that this connection did not take the wish: it is not set up, cannot do it, cannot be given
the images, cannot be reached, refuses, or has no more credit. Anything else ends the choice: a clip may be paid."""
_MAYBE_ACCEPTED = (OverBudget, ProviderDown, UnreadableReply)
"""Of their kin, but not that: the user's own limit holds everywhere, and after a 5xx nobody knows."""


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
    """Make the clip at the first of ``connections`` that takes it.

    The next one is tried only when it is certain that the one before took nothing. Run again, the choice is kept: a
    job that one of them has already is gone on with, wherever in the order it is. Raises the last one's error, whose
    text tells what each of them said.
    """
    names = list(dict.fromkeys(connections))
    known = await _find_accepted(session, request, names)
    said: list[str] = []
    for name in [known] if known else names:
        try:
            made = await session.generate(request, name, owner=owner, run=run, progress=progress, workflow=workflow)
        except _NOT_ACCEPTED as error:
            if isinstance(error, _MAYBE_ACCEPTED) or await _find_accepted(session, request, [name]):
                raise
            said.append(f"{name}: {error}")
            if name == (known or names[-1]):
                raise _with_earlier_errors(error, said) from error.__cause__
            continue
        passed = tuple(f"not taken by {one}" for one in said)
        return replace(made, warnings=(*passed, *made.warnings))
    raise SettingsError("Name at least one connection. Nothing was sent or charged.")


async def _find_accepted(session: Session, request: VideoRequest, names: Sequence[str]) -> str | None:
    """The first of the connections that has a job for this wish beyond its preparation."""
    for name in names:
        try:
            job = await session.find(request, name)
        except SettingsError:
            continue
        if job is not None and job.state is not JobState.PREPARED:
            return name
    return None


def _with_earlier_errors(error: GrokImagineError, said: Sequence[str]) -> GrokImagineError:
    if len(said) > 1:
        listed = "".join(f"\n  - {one}" for one in said)
        error.args = (f"None of the {len(said)} connections took it; nothing was charged.{listed}", *error.args[1:])
    return error


@dataclass(frozen=True)
class Quote:
    """What one connection would ask for a wish. ``fault`` says why it cannot do it, in full; ``note`` what to know.

    ``cost`` is None where no price is published in numbers and the user has stated none.
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
        """Plain JSON; amounts are strings, as JSON's numbers would be binary."""
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
    """``quotes`` for the request that a job keeps, with each connection's usual model; its media are stand-ins."""
    fields = {name: value for name, value in journaled.items() if name in VideoRequest.model_fields and name != "model"}
    fields["mode"] = Mode(fields["mode"]) if fields.get("mode") else None
    fields["reference_images"] = ("https://example.com/image.png",) * len(fields.get("reference_images") or ())
    fields["source_video"] = "https://example.com/video.mp4" if fields.get("source_video") else None
    return quotes(settings, VideoRequest(**fields))


def quotes(settings: Settings, request: VideoRequest) -> list[Quote]:
    """The same wish at every connection, the cheapest first, then those without a price, then those that cannot.

    Reads settings only; sends nothing. Sandboxes are left out: they stand for the providers, and are free.
    """
    found = [
        _quote(one, settings.connections.get(one.name) or ConnectionSettings(), request)
        for one in profiles(settings).values()
        if not one.is_sandbox
    ]
    return sorted(found, key=lambda one: (bool(one.fault), one.cost is None, one.cost.usd if one.cost else 0))


def _quote(profile: Profile, stated: ConnectionSettings, request: VideoRequest) -> Quote:
    provider = profile.provider
    about = Quote(profile.name, provider.label, request.model or "", None, has_key=profile.key is not None)
    try:
        checked = provider.check(request, allow_private_urls=True)
    except RequestError as error:
        return replace(about, fault="; ".join(str(one) for one in error.violations) or str(error))
    capability = checked.capability
    own = assumed_cost(request, stated, checked)
    cost = provider.estimate(request, capability)
    note = "" if cost or own else f"see {provider.pricing_url}" if provider.pricing_url else "see the provider's page"
    return replace(about, model=capability.model, cost=own or cost, is_assumed=own is not None, note=note)
