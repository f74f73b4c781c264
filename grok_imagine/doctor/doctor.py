"""Checks this machine, settings, keys, providers, clock, journal, budget and stores. Costs nothing.

Only the providers' base URLs are requested, without a key. The report is meant to be shared, so every text passes
through :class:`~.anonymize.Anonymizer`.
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
from ..jobs.connections import Profile, faulty_connections, profiles
from ..jobs.uploads.stores import Stores
from ..journal import database
from ..journal.database import DatabaseLocation
from ..journal.durability.health import Health, check_health
from ..journal.durability.recovery_hints import DAMAGED
from ..journal.journal import Journal
from ..models.money import Limits, SpendSummary, dollars
from ..models.url import origin
from ..settings import Settings, load
from ..transport.client import Client
from ..transport.timeouts import wait_with_timeout
from .anonymize import Anonymizer, mask_key
from .environment import Check, check_environment, check_folder

_PROBE_SECONDS = 20.0
_SKEW_SECONDS = 60.0
"""A clock that is off by more makes signed URLs invalid, and budget days begin at the wrong hour."""


async def run_checks(
    home: Path,
    *,
    with_stores: bool = False,
    offline: bool = False,
    now: Callable[[], float] = time.time,
) -> list[Check]:
    """Run every check for the data folder ``home``. ``with_stores`` uploads a small image to each store."""
    checks = await asyncio.to_thread(lambda: list(check_environment(home)))
    # Check the folder first: loading the settings restricts the permissions of the settings file.
    room = 2 * Settings.model_fields["max_download_bytes"].default
    checks += await asyncio.to_thread(lambda: list(check_folder(home, room=room, now=now())))
    try:
        settings = load(home)
        known_profiles = profiles(settings)
        location = database.database_location(home, settings.database_url)
    except GrokImagineError as error:
        advice = "Fix it in the file or the environment. Nothing is sent until then."
        checks.append(Check("settings", "settings", str(error), "fault", advice))
        return [_anonymize(check, Anonymizer()) for check in checks]
    checks += [
        Check("providers", name, fault, "fault", "Fix or remove the file, or change the connection. Others still work.")
        for name, fault in faulty_connections(settings).items()
    ]
    checks += _keys(known_profiles)
    checks += await _network(settings, known_profiles, home, now, with_stores=with_stores, offline=offline)
    checks += await _journal(home, settings, location, now)
    anonymizer = Anonymizer.from_settings(settings, known_profiles)
    return [_anonymize(check, anonymizer) for check in checks]


def _anonymize(check: Check, anonymizer: Anonymizer) -> Check:
    clean = anonymizer.clean_server_text if check.part == "journal" else anonymizer.clean
    return replace(check, name=anonymizer.clean(check.name), text=clean(check.text), advice=clean(check.advice))


def _keys(known: Mapping[str, Profile]) -> Iterator[Check]:
    remote_profiles = [profile for profile in known.values() if not profile.is_sandbox]
    yield Check("keys", "sandbox", "needs none")
    for profile in remote_profiles:
        if profile.key is None:
            yield Check(
                "keys",
                profile.name,
                f"no key; set {profile.key_variable} or run: grok-imagine key {profile.name}",
            )
            continue
        secret = profile.key.get_secret_value()
        text = f"{mask_key(secret)}, from the {profile.key_source}"
        if secret.startswith(profile.provider.key_prefix):
            yield Check("keys", profile.name, text)
        else:
            label, prefix = profile.provider.label, profile.provider.key_prefix
            advice = f"{label} keys begin with {prefix}. Is this another provider's key?"
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
        return [Check("network", "connections", "skipped (--offline)")]
    checks: list[Check] = []
    skews: list[float] = []
    async with Client(allowed_networks=settings.allowed_networks) as client:
        if client.environment.fault:
            advice = "No provider can be reached until then."
            return [Check("network", "environment", client.environment.fault, "fault", advice)]
        probes = [_probe(client, profile, now, skews) for profile in known.values() if not profile.is_sandbox]
        if settings.sandbox_url:
            probes.append(_probe(client, replace(known["sandbox"], base_url=settings.sandbox_url), now, skews))
        checks += await asyncio.gather(*probes)
        checks.append(_clock(skews))
        stores = Stores(home, settings, client.put_public, now)
        for name, store in settings.stores.items():
            if not with_stores:
                checks.append(Check("stores", name, f"{store.kind}, not tested; add --stores to upload a test image"))
                continue
            for step in await check_store(name, stores, client):
                advice = "" if step.is_good else "Fix the store in the settings. See docs/uploads.md."
                grade = "ok" if step.is_good else "fault"
                checks.append(Check("stores", name, f"{step.step}: {step.fault or 'ok'}", grade, advice))
    return checks


async def _probe(client: Client, profile: Profile, now: Callable[[], float], skews: list[float]) -> Check:
    """Whether the base URL answers. Any status counts, since the request has no key. Adds the clock's skew."""
    if not profile.base_url:
        advice = f"Set one: grok-imagine key {profile.name} --base-url https://…"
        return Check("network", profile.name, "has no base URL", "fault", advice)
    host, started = origin(profile.base_url), time.monotonic()
    is_used = profile.key is not None
    try:
        before = now()
        reply = await wait_with_timeout(_PROBE_SECONDS, client.get_public(profile.base_url))
        status, date = reply.status, reply.headers.get("date", "")
    except ProviderError as error:  # it answered, but the body is too large
        status, date, before = error.status or 0, "", now()
    except (GrokImagineError, asyncio.TimeoutError) as error:
        reason = str(error) or f"no answer within {_PROBE_SECONDS:.0f} s"
        return Check(
            "network", profile.name, f"{host}: {reason}", "fault" if is_used else "note", _network_advice(error)
        )
    if (at := _parse_date(date)) is not None:
        skews.append((before + now()) / 2 - at)
    text = f"{host} answers (HTTP {status}, {1000 * (time.monotonic() - started):.0f} ms)"
    if status >= 500:
        return Check("network", profile.name, text, "note", "The provider has a problem. Check its status page.")
    return Check("network", profile.name, text)


def _network_advice(error: Exception) -> str:
    if "CERTIFICATE" in str(error).upper():
        return "A proxy or virus scanner may intercept HTTPS. Set SSL_CERT_FILE to its certificates."
    if isinstance(error, ConnectFailed):
        return (
            "Check that this machine is online, that base_url is correct, and that HTTPS_PROXY is set if you need one."
        )
    return "Try again later. A firewall or proxy may be blocking the connection."


def _parse_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, IndexError):
        return None


def _clock(skews: list[float]) -> Check:
    if not skews:
        return Check("network", "clock", "not checked: no server sent its time", "note", "Go online to check it.")
    skew = statistics.median(skews)
    # The Date header has whole seconds, and the request takes time too.
    if abs(skew) < _SKEW_SECONDS:
        return Check("network", "clock", f"within {max(2, round(abs(skew)) + 1)} s of the servers")
    text = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the servers"
    return Check(
        "network",
        "clock",
        text,
        "fault",
        "Turn on automatic time in the system settings. Signed URLs fail with a wrong clock.",
    )


# -- the journal


async def _journal(home: Path, settings: Settings, place: DatabaseLocation, now: Callable[[], float]) -> list[Check]:
    try:
        health = await asyncio.to_thread(check_health, place)
    except GrokImagineError as error:
        return [_journal_fault("journal", error)]
    checks = list(_health(health, "file" if place.file else "PostgreSQL"))
    if health.version is None or not health.is_current or health.fault:
        return checks
    try:
        limits = Limits(**settings.budget.model_dump())
        async with Journal(home, now, database_url=settings.database_url, limits=limits) as journal:
            return [*checks, Check("journal", "budget", _budget(await journal.ledger.spend()))]
    except JournalError as error:
        return [*checks, _journal_fault("budget", error)]


def _journal_fault(name: str, error: GrokImagineError) -> Check:
    """A failed check. The first sentence of a journal error says what is wrong, the others what to do."""
    text, _, advice = str(error).partition(". ")
    return Check("journal", name, text, "fault", advice or "Jobs cannot be submitted without a journal.")


def _health(health: Health, kind: str) -> Iterator[Check]:
    if health.version is None and not health.fault:
        yield Check("journal", "journal", f"{kind}, created with the first job")
        return
    if health.fault:
        yield Check("journal", "soundness", f"damaged: {health.fault}", "fault", DAMAGED)
        return
    yield Check("journal", "soundness", f"{kind}, intact, {health.size / 1e6:.1f} MB")
    version = f"schema {health.version}"
    if not health.is_known:
        advice = "A newer version of this pack wrote it. Update the pack."
        yield Check("journal", "version", f"{version}, unknown to this pack", "fault", advice)
    else:
        yield Check(
            "journal", "version", version if health.is_current else f"{version}; will be upgraded when next opened"
        )
    text = f"{health.jobs} in total, {health.unfinished} unfinished, {health.unknown} of unknown outcome"
    if health.unknown:
        advice = (
            "Look for them on the provider's dashboard. If a task is there: grok-imagine attach JOB TASK_ID. If not: "
            "grok-imagine again JOB. To list them: grok-imagine jobs --unfinished"
        )
        yield Check("journal", "jobs", text, "note", advice)
    else:
        yield Check("journal", "jobs", text)


def _budget(spend: SpendSummary) -> str:
    day, month, limits = spend.today, spend.month, spend.limits
    limit_texts = [
        f"{dollars(limit)} per {name}"
        for name, limit in (("run", limits.per_run), ("day", limits.per_day), ("month", limits.per_month))
        if limit is not None
    ]
    return (
        f"{dollars(day.spent)} spent today, {dollars(month.spent)} this month, {dollars(month.pending)} pending; "
        + (f"limits: {', '.join(limit_texts)}" if limit_texts else "no limit")
    )
