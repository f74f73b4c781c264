"""The whole check-up: this machine, settings, keys, providers, clock, journal, budget, stores. It spends nothing.

Providers are asked for their base URL alone, without any key. The page is meant to be shown to strangers, so every
text passes :class:`~.veil.Veil` before it leaves here.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path

from ..errors import ConnectFailed, GrokImagineError, JournalError, ProviderError
from ..jobs.checks.store import check_store
from ..jobs.connections import Profile, profiles
from ..jobs.uploads.stores import Stores
from ..journal import database
from ..journal.database import DatabaseLocation
from ..journal.health import Health, examine
from ..journal.journal import Journal
from ..journal.recovery_hints import DAMAGED
from ..models.money import Limits, SpendSummary, dollars
from ..models.url import origin
from ..settings import Settings, load
from ..transport.client import Client
from ..transport.timeouts import wait_with_timeout
from .anonymize import Anonymizer, mask_key
from .environment import Check, environment, folder

_PROBE_SECONDS = 20.0
_SKEW_SECONDS = 60.0
"""A wrong clock makes signed URLs bad from the start and days of the budget begin at the wrong hour."""


async def run_checks(
    home: Path,
    *,
    with_stores: bool = False,
    offline: bool = False,
    now: Callable[[], float] = time.time,
) -> list[Check]:
    """Every check of the data folder ``home``, in the order of the page. ``with_stores`` writes a picture to each."""
    checks = await asyncio.to_thread(lambda: list(environment(home)))
    # The folder first: to load the settings closes a file that was open to others.
    room = 2 * Settings.model_fields["max_download_bytes"].default
    checks += await asyncio.to_thread(lambda: list(folder(home, room=room, now=now())))
    try:
        settings = load(home)
        known = profiles(settings)
        place = database.database_location(home, settings.database_url)
    except GrokImagineError as error:
        advice = "Mend it in the file or the environment; nothing is sent until then."
        checks.append(Check("settings", "settings", str(error), "fault", advice))
        return [_anonymize(check, Anonymizer()) for check in checks]
    checks += _keys(known)
    checks += await _network(settings, known, home, now, with_stores=with_stores, offline=offline)
    checks += await _journal(home, settings, place, now)
    veil = Anonymizer.of(settings, known)
    return [_anonymize(check, veil) for check in checks]


def _anonymize(check: Check, veil: Anonymizer) -> Check:
    clean = veil.clean_of_server if check.part == "journal" else veil.clean
    return replace(check, name=veil.clean(check.name), text=clean(check.text), advice=clean(check.advice))


def _keys(known: Mapping[str, Profile]) -> Iterator[Check]:
    own = [profile for profile in known.values() if not profile.is_sandbox]
    yield Check("keys", "sandbox", "needs none")
    for profile in own:
        if profile.key is None:
            yield Check(
                "keys", profile.name, f"none; {profile.provider.key_variable} or: grok-imagine key {profile.name}"
            )
            continue
        secret = profile.key.get_secret_value()
        text = f"{mask_key(secret)}, from the {profile.key_source}"
        if secret.startswith(profile.provider.key_prefix):
            yield Check("keys", profile.name, text)
        else:
            advice = (
                f"Keys of {profile.provider.label} begin with {profile.provider.key_prefix}: is it another provider's?"
            )
            yield Check("keys", profile.name, text, "note", advice)


# -- the network


async def _network(
    settings: Settings,
    known: Mapping[str, Profile],
    home: Path,
    now: Callable[[], float],
    *,
    with_stores: bool,
    offline: bool,
) -> list[Check]:
    if offline:
        return [Check("network", "connections", "not asked (--offline)")]
    checks: list[Check] = []
    skews: list[float] = []
    async with Client(allowed_networks=settings.allowed_networks) as client:
        asked = [_reached(client, profile, now, skews) for profile in known.values() if not profile.is_sandbox]
        if settings.sandbox_url:
            asked.append(_reached(client, replace(known["sandbox"], base_url=settings.sandbox_url), now, skews))
        checks += await asyncio.gather(*asked)
        checks.append(_clock(skews))
        stores = Stores(home, settings, client.put_public, now)
        for name, stated in settings.stores.items():
            if not with_stores:
                checks.append(Check("stores", name, f"{stated.kind}, not tried; --stores puts a picture there"))
                continue
            for found in await check_store(name, stores, client):
                advice = "" if found.is_good else "See the README, part Uploads; mend the store in the settings."
                grade = "ok" if found.is_good else "fault"
                checks.append(Check("stores", name, f"{found.step}: {found.fault or 'good'}", grade, advice))
    return checks


async def _reached(client: Client, profile: Profile, now: Callable[[], float], skews: list[float]) -> Check:
    """Whether the base URL answers at all; any answer will do, since no key goes along."""
    if not profile.base_url:
        advice = f"Set one: grok-imagine key {profile.name} --base-url https://…"
        return Check("network", profile.name, "has no base URL", "fault", advice)
    where, began = origin(profile.base_url), time.monotonic()
    is_used = profile.key is not None
    try:
        before = now()
        reply = await wait_with_timeout(_PROBE_SECONDS, client.get_public(profile.base_url))
        status, date = reply.status, reply.headers.get("date", "")
    except ProviderError as error:  # it answered, with more than fits
        status, date, before = error.status or 0, "", now()
    except (GrokImagineError, asyncio.TimeoutError) as error:
        reason = str(error) or f"no answer within {_PROBE_SECONDS:.0f} s"
        return Check("network", profile.name, f"{where}: {reason}", "fault" if is_used else "note", _way_out(error))
    if (at := _date(date)) is not None:
        skews.append((before + now()) / 2 - at)
    text = f"{where} answers (HTTP {status}, {1000 * (time.monotonic() - began):.0f} ms)"
    if status >= 500:
        return Check("network", profile.name, text, "note", "The provider has trouble; see its status page.")
    return Check("network", profile.name, text)


def _way_out(error: Exception) -> str:
    if "CERTIFICATE" in str(error).upper():
        return "A proxy or virus scanner may open the connection: name its certificates in SSL_CERT_FILE."
    if isinstance(error, ConnectFailed):
        return (
            "See that the machine is online, that base_url is right, and that HTTPS_PROXY is set where one is needed."
        )
    return "Try again later; a firewall or proxy may hold the connection up."


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, IndexError):
        return None


def _clock(skews: list[float]) -> Check:
    if not skews:
        return Check("network", "clock", "not compared: no server has told the time", "note", "Be online to compare.")
    skew = statistics.median(skews)
    # The header has whole seconds, and the way there takes some time too.
    if abs(skew) < _SKEW_SECONDS:
        return Check("network", "clock", f"right to {max(2, round(abs(skew)) + 1)} s, by the servers' own")
    text = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the servers"
    return Check(
        "network", "clock", text, "fault", "Have the system set its time by itself; signed URLs fail otherwise."
    )


# -- the journal


async def _journal(home: Path, settings: Settings, place: DatabaseLocation, now: Callable[[], float]) -> list[Check]:
    try:
        health = await asyncio.to_thread(examine, place)
    except GrokImagineError as error:
        return [_unusable("journal", error)]
    checks = list(_health(health, "a file" if place.file else "a PostgreSQL"))
    if health.version is None or not health.is_current or health.fault:
        return checks
    try:
        limits = Limits(**settings.budget.model_dump())
        async with Journal(home, now, database_url=settings.database_url, limits=limits) as journal:
            return [*checks, Check("journal", "budget", _budget(await journal.ledger.spend()))]
    except JournalError as error:
        return [*checks, _unusable("budget", error)]


def _unusable(name: str, error: GrokImagineError) -> Check:
    """The journal's errors say what is wrong in their first sentence, and what to do in the others."""
    text, _, advice = str(error).partition(". ")
    return Check("journal", name, text, "fault", advice or "Nothing is submitted without a journal.")


def _health(health: Health, kind: str) -> Iterator[Check]:
    if health.version is None and not health.fault:
        yield Check("journal", "journal", f"{kind}, not there yet; made with the first job")
        return
    if health.fault:
        yield Check("journal", "soundness", f"damaged: {health.fault}", "fault", DAMAGED)
        return
    yield Check("journal", "soundness", f"{kind}, sound, {health.size / 1e6:.1f} MB")
    version = f"schema {health.version}"
    if not health.is_known:
        advice = "A newer version of this pack wrote it: update the pack."
        yield Check("journal", "version", f"{version}, unknown to this pack", "fault", advice)
    else:
        yield Check("journal", "version", version if health.is_current else f"{version}; updated when next opened")
    text = f"{health.jobs} in all, {health.unfinished} unfinished, {health.unknown} of unknown outcome"
    if health.unknown:
        advice = (
            "Look for them at the provider's dashboard: grok-imagine attach JOB TASK_ID, or knowingly "
            "grok-imagine again JOB (see: grok-imagine jobs --unfinished)."
        )
        yield Check("journal", "jobs", text, "note", advice)
    else:
        yield Check("journal", "jobs", text)


def _budget(spend: SpendSummary) -> str:
    day, month, limits = spend.today, spend.month, spend.limits
    of = [
        f"{dollars(limit)} a {name}"
        for name, limit in (("run", limits.per_run), ("day", limits.per_day), ("month", limits.per_month))
        if limit is not None
    ]
    return (
        f"{dollars(day.spent)} spent today, {dollars(month.spent)} this month, {dollars(month.pending)} pending; "
        + (f"at most {', '.join(of)}" if of else "no limit")
    )
