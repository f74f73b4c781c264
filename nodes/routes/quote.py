"""The quote of a node: what its connection does not support, what would mend that, what can be chosen, the price."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypedDict, cast

from ...grok_imagine.errors import GrokImagineError, UnsupportedOption, Violation
from ...grok_imagine.models import Cost
from ...grok_imagine.models.money import money
from ...grok_imagine.providers import CheckResult, options
from .node_requests import AUTO, MODES, NodeValues, clips, single_request
from .security import ApiError, ApiRequest, Guard

if TYPE_CHECKING:
    from aiohttp import web

    from ...grok_imagine.jobs.connections import Profile
    from ...grok_imagine.journal.durations import DurationStats
    from ...grok_imagine.journal.price_drift import PriceDrift
    from ...grok_imagine.models import VideoRequest
    from ..host.runtime import Runtime

_FIELDS = {"duration_seconds": "duration", "reference_images": "images"}
"""Fields of a request that have another name on nodes."""
_MOST_NODES = 500


class FixView(TypedDict):
    """A value that would mend a violation."""

    field: str
    value: str | int


class ViolationView(TypedDict):
    """The sentence in English, and what the page needs to say it in its own language."""

    field: str
    reason: str
    values: dict[str, str | int]
    message: str
    is_warning: bool
    fixes: list[FixView]


class PriceView(TypedDict):
    """The price of a node. ``clips`` is None where it makes one clip, ``usd`` where no price is published."""

    clips: int | None
    is_free: bool
    provider: str | None
    usd: str | None
    credits: str | None


class QuoteView(TypedDict):
    """The quote of one node. ``choices`` is None where the node makes no single clip."""

    provider: str | None
    is_sandbox: bool
    mode: str | None
    violations: list[ViolationView]
    choices: Mapping[str, object] | None
    price: PriceView | None
    usual: Mapping[str, object] | None


class QuoteReply(TypedDict):
    """The answer of the route: the names of all connections, and the quotes in the order of the nodes."""

    connections: list[str]
    quotes: list[QuoteView]


def register(routes: web.RouteTableDef, runtime: Runtime) -> None:
    """Add ``POST /grok_imagine/quote``. It reads the settings and the journal; it sends and writes nothing."""

    async def quote(request: ApiRequest) -> QuoteReply:
        """``{connections, quotes}`` for ``{nodes: [{node, values, images, is_exact}]}``, in the order of the nodes."""
        nodes = _nodes(request)
        times, drifts = await _history(runtime)
        return await asyncio.to_thread(lambda: _answer(nodes, runtime.settings.profiles(), times, drifts))

    routes.post("/grok_imagine/quote")(Guard(runtime).post(quote))


def _nodes(request: ApiRequest) -> list[NodeValues]:
    """The nodes of the body. Raises ApiError where it is something else."""
    found: list[NodeValues] = []
    listed = request.body.get("nodes")
    if not isinstance(listed, list) or len(cast("list[Any]", listed)) > _MOST_NODES:
        raise ApiError(400, f"Send nodes: a list of at most {_MOST_NODES}.")
    for one in cast("list[Any]", listed):
        try:
            values = {str(name): value for name, value in one.get("values", {}).items()}
            images = max(0, min(int(one.get("images", 0)), 1000))
            found.append(NodeValues(str(one["node"]), values, images, one.get("is_exact") is not False))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ApiError(400, "A node needs its type, its values and the number of its images.") from None
    return found


def _answer(
    nodes: list[NodeValues], profiles: Mapping[str, Profile], times: list[DurationStats], drifts: list[PriceDrift]
) -> QuoteReply:
    return {"connections": list(profiles), "quotes": [_quote(node, profiles, times, drifts) for node in nodes]}


def _quote(
    node: NodeValues, profiles: Mapping[str, Profile], times: list[DurationStats], drifts: list[PriceDrift]
) -> QuoteView:
    name = node.values.get("connection")
    profile = profiles.get(name) if isinstance(name, str) else None
    found = QuoteView(
        provider=profile.provider.label if profile else None,
        is_sandbox=profile is not None and profile.is_sandbox,
        mode=None,
        violations=[],
        choices=None,
        price=_price(node, profiles),
        usual=None,
    )
    if isinstance(name, str) and profile is None:
        values = {"value": name[:80], "choices": ", ".join(profiles)}
        missing = Violation("", "connection", "There is no such connection.", reason="no_connection", values=values)
        found["violations"] = [_violation(missing, [options.Fix("connection", one) for one in profiles])]
    elif profile is not None:
        found["violations"] = [*_key_violations(profile)]
        if node.node in MODES:
            _judge(found, node, profile, profiles)
            found["violations"] += _drift_violations(node, profile, drifts)
    if found["mode"] is not None or node.node == "GIVWaitForTask":
        found["usual"] = _usual(times, name, found["mode"])
    return found


def _key_violations(profile: Profile) -> Iterator[ViolationView]:
    if profile.key is None:
        message = f"No API key for {profile.name}."
        values = {"value": profile.name}
        yield _violation(Violation("", "connection", message, is_warning=True, reason="no_key", values=values), [])


def _drift_violations(node: NodeValues, profile: Profile, drifts: list[PriceDrift]) -> Iterator[ViolationView]:
    """A warning where the newest bill was not what was estimated, and the user has not stated a figure since."""
    stated = profile.settings
    has_own_figure = (stated.assumed_usd_per_second, stated.assumed_usd_per_clip) != (None, None)
    request = single_request(node)
    capability, _ = profile.provider.judge(request)
    for one in drifts:
        if not has_own_figure and capability and (one.connection, one.model) == (profile.name, capability.model):
            values = {"value": one.model, "percent": one.percent}
            message = f"Prices may have changed: {one}."
            found = Violation("", "connection", message, is_warning=True, reason="price_drift", values=values)
            yield _violation(found, [])


def _judge(found: QuoteView, node: NodeValues, profile: Profile, profiles: Mapping[str, Profile]) -> None:
    """Add what the connection does not support of a node that makes one clip, and what it offers."""
    modes, provider = MODES[node.node], profile.provider
    if not any(one.mode in modes for one in provider.capabilities):
        able = [one for one in profiles.values() if any(each.mode in modes for each in one.provider.capabilities)]
        fixes = [options.Fix("connection", one.name) for one in able if one.key is not None]
        values = {"mode": modes[0].value}
        message = f"{provider.label} does not offer {modes[0].label}."
        found["violations"].append(
            _violation(Violation("C9", "connection", message, reason="no_mode", values=values), fixes)
        )
        return
    request = single_request(node)
    capability, violations = provider.judge(request)
    found["mode"] = capability.mode.value if capability else None
    found["choices"] = asdict(options.choices(provider, modes, capability))
    known = {"model", "mode", "images", *node.values}
    for one in violations:
        if _FIELDS.get(one.field, one.field) not in known:
            continue  # a link brings the value
        if one.reason == "token_lost" and not node.is_exact and one.values["number"]:
            one = replace(one, is_warning=True)  # a batch of several images may still have it
        found["violations"].append(_violation(one, options.fixes(provider, modes, request, one)))


def _violation(one: Violation, fixes: list[options.Fix]) -> ViolationView:
    return {
        "field": _FIELDS.get(one.field, one.field),
        "reason": one.reason,
        "values": dict(one.values),
        "message": one.message,
        "is_warning": one.is_warning,
        "fixes": [{"field": _FIELDS.get(fix.field, fix.field), "value": _on_node(fix)} for fix in fixes],
    }


def _on_node(fix: options.Fix) -> str | int:
    if fix.value is not None:
        return fix.value
    return 0 if fix.field == "duration_seconds" else AUTO


# -- price


def _price(node: NodeValues, profiles: Mapping[str, Profile]) -> PriceView | None:
    """The price of all clips of the node; None where it is not known. Without ``usd``, no price is published."""
    found = clips(node, lambda name: profiles[name].provider if name in profiles else None)
    if found is None or {"resolution", "duration"} & _linked(node):
        return None
    priced = [(one, profiles[one.connection]) for one in found if one.connection in profiles]
    is_free = all(profile.is_sandbox for _, profile in priced)
    # A clip that costs nothing adds nothing to what the others cost.
    charged = [(clip, profile) for clip, profile in priced if is_free or not profile.is_sandbox]
    try:
        costs = [(_cost(clip.request, profile), clip.count) for clip, profile in charged]
    except UnsupportedOption:
        return None
    if len(priced) < len(found):
        return None
    labels = {profile.provider.label for _, profile in charged}
    usd, credits = _sum(costs, one_currency=len(labels) == 1)
    return {
        "clips": None if node.node in MODES else sum(one.count for one in found),
        "is_free": is_free,
        "provider": next(iter(labels)) if len(labels) == 1 else None,
        "usd": usd,
        "credits": credits,
    }


def _linked(node: NodeValues) -> set[str]:
    """The widgets that decide the price and are missing, since a link brings their values."""
    names = {"GIVEditVideo": {"resolution"}, "GIVExtendVideo": {"duration"}}.get(node.node, {"resolution", "duration"})
    return names - node.values.keys()


def _cost(request: VideoRequest, profile: Profile) -> Cost | None:
    """What a clip costs at that connection, or by the user's own figures. Raises UnsupportedOption."""
    from ...grok_imagine.jobs.new_job import assumed_cost

    capability = profile.provider.capability(request)
    own = assumed_cost(request, profile.settings, CheckResult(capability))
    return own or profile.provider.estimate(request, capability)


def _sum(costs: list[tuple[Cost | None, int]], *, one_currency: bool) -> tuple[str | None, str | None]:
    """Dollars and credits of all clips. Credits of different providers are different money."""
    usd, credits = Decimal(0), Decimal(0)
    has_credits = one_currency
    for cost, count in costs:
        if cost is None:
            return None, None
        usd += cost.usd * count
        has_credits = has_credits and cost.credits is not None
        credits += (cost.credits or 0) * count
    return money(usd), money(credits) if has_credits else None


# -- usual times


def _usual(times: list[DurationStats], connection: object, mode: object) -> Mapping[str, object] | None:
    """How long a clip of that connection took this user, of any mode without one; None before the first."""
    fitting = [one for one in times if one.connection == connection and mode in (None, one.mode)]
    best = max(fitting, key=lambda one: one.count, default=None)
    return asdict(best) if best else None


async def _history(runtime: Runtime) -> tuple[list[DurationStats], list[PriceDrift]]:
    """How long this user's own clips took, and whose bills were not as estimated.

    Before the first job there is no journal, and none is made for this.
    """
    if not await asyncio.to_thread(runtime.settings.has_journal):
        return [], []

    from ...grok_imagine.journal.durations import duration_stats
    from ...grok_imagine.journal.price_drift import price_drifts

    try:
        async with runtime.session() as session:
            return await duration_stats(session.journal), await price_drifts(session.journal)
    except GrokImagineError:
        return [], []  # reported where a job needs the journal or the settings
