"""Several connections in order: which errors lead to the next one, and none after an acceptance."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.errors import GrokImagineError
from grok_imagine.jobs.failover import generate_with_failover, quotes
from grok_imagine.models import JobState, Mode, VideoRequest
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings

from ..support.processes import client, finish
from ..support.sessions import Open

ORDER = ("sandbox", "sandbox-xai")
REQUEST = VideoRequest(prompt="a kite", duration_seconds=6, resolution="480p")


def by_dialect(sandbox: Sandbox) -> list[str]:
    """Which dialects were sent a submit that reached them, in order."""
    posts = [one for one in sandbox.requests() if one["method"] == "POST" and "/_sandbox/" not in one["path"]]
    return list(dict.fromkeys(one["path"].split("/")[1] for one in posts))


# What the first connection answers, and whether the second may be asked.
REFUSALS = [
    ("401", "submit", 1, True),
    ("402", "submit", 1, True),
    ("quota-403", "submit", 1, True),
    ("429-spend", "submit", 50, True),
    ("429", "submit", 50, True),
    ("code-500", "submit", 1, False),
    ("500", "submit", 1, False),
    ("502", "submit", 1, False),
    ("503", "submit", 1, False),
    ("html-502", "submit", 1, False),
    ("drop-after", "submit", 1, False),
    ("no-id", "submit", 1, False),
    ("truncated-json", "submit", 1, False),
    ("failed", "submit", 1, False),
    ("moderated", "submit", 1, False),
    ("404", "poll", 50, False),
    ("401", "poll", 50, False),
]


@pytest.mark.parametrize(("fault", "stage", "times", "goes_on"), REFUSALS, ids=[f"{r[0]}@{r[1]}" for r in REFUSALS])
async def test_the_next_connection_is_tried_only_before_acceptance(
    fault: str, stage: Any, times: int, goes_on: bool, open_session: Open, sandbox: Sandbox
) -> None:
    sandbox.fault(stage, fault, dialect="reapi", times=times)
    async with open_session(deadline_seconds=5) as session:
        if goes_on:
            made = await generate_with_failover(session, REQUEST, ORDER, owner="7")
            assert made.job.provider == "xai"
            assert made.warnings[0].startswith("not accepted by sandbox: ")
            assert by_dialect(sandbox) == ["reapi", "xai"]
            again = await generate_with_failover(session, REQUEST, ORDER, owner="7")
            assert again.job.id == made.job.id, "what was chosen stays chosen"
            assert sandbox.ledger()["submits"] == 1
            return
        with pytest.raises(GrokImagineError):
            await generate_with_failover(session, REQUEST, ORDER, owner="7")
        assert by_dialect(sandbox) == ["reapi"], "someone may have taken it: nobody else is asked"


async def test_unreachable_keyless_and_unsuitable_connections_are_skipped(open_session: Open, sandbox: Sandbox) -> None:
    nowhere = {"dialect": "reapi", "base_url": "http://127.0.0.1:9", "api_key": "rk_live_x"}
    async with open_session(connections={"gone": nowhere}) as session:
        for first in ("gone", "reapi", "no-such", "sandbox-apiinone"):
            request = REQUEST.model_copy(update={"seed": hash(first) % 1000})
            made = await generate_with_failover(session, request, (first, "sandbox-xai"), owner="7")
            assert made.job.provider == "xai", first
    assert sandbox.ledger()["submits"] == 4


async def test_if_no_connection_accepts_all_errors_are_reported(open_session: Open, sandbox: Sandbox) -> None:
    async with open_session() as session:
        with pytest.raises(GrokImagineError) as caught:
            await generate_with_failover(session, REQUEST, ("reapi", "sandbox-apiinone"), owner="7")
    told = str(caught.value)
    assert "None of the 2 connections accepted the request; nothing was charged" in told
    assert "REAPI_API_KEY" in told
    assert "duration_seconds" in told
    assert sandbox.ledger()["submits"] == 0


async def test_a_job_that_exists_is_resumed_first(open_session: Open, sandbox: Sandbox) -> None:
    """The first connection is back in order: the job that the second one has is not made twice for it."""
    sandbox.fault("submit", "402", dialect="reapi")
    sandbox.fault("poll", "401", dialect="xai", times=50)
    async with open_session() as session:
        with pytest.raises(GrokImagineError):
            await generate_with_failover(session, REQUEST, ORDER, owner="7")
    sandbox.core.fault_queue.clear()
    async with open_session() as session:
        made = await generate_with_failover(session, REQUEST, ORDER, owner="7")
        assert (made.job.provider, made.job.state) == ("xai", JobState.SAVED)
    assert sandbox.ledger()["submits"] == 1


async def test_the_budget_does_not_trigger_failover(open_session: Open, sandbox: Sandbox) -> None:
    own = {"dialect": "reapi", "base_url": f"{sandbox.url}/reapi", "api_key": "rk_live_sandbox"}
    async with open_session(connections={"own": own}, budget={"per_day": Decimal("0.01")}) as session:
        with pytest.raises(GrokImagineError, match="limit"):
            await generate_with_failover(session, REQUEST, ("own", "sandbox-xai"), owner="7")
    assert sandbox.ledger()["submits"] == 0


def test_the_same_clip_priced_everywhere() -> None:
    stated = {"connections": {"own": {"dialect": "xai", "assumed_usd_per_second": "0.05"}}}
    found = quotes(Settings(**stated), REQUEST)
    unpriced = ["comfyrouter", "kie", "apimart", "wavespeed"]
    assert [one.connection for one in found] == ["reapi", "aivideoapi", "own", "xai", "fal", *unpriced, "apiinone"]
    assert [one.cost and one.cost.usd for one in found[:3]] == [Decimal("0.054"), Decimal("0.075"), Decimal("0.30")]
    assert found[2].is_assumed
    assert not found[3].is_assumed
    assert "docs.comfy.org" in found[5].note
    assert "duration_seconds" in found[-1].fault
    edits = quotes(Settings(), VideoRequest(mode=Mode.EDIT, prompt="x", source_video="https://example.com/a.mp4"))
    assert [one.connection for one in edits if not one.fault] == ["xai"]


def test_the_command_compares_and_chooses(running_sandbox: str, tmp_path: Path) -> None:
    code, out, _ = finish(client(running_sandbox, tmp_path, "price", "-d", "6", "-r", "720p", "--json"))
    assert code == 0
    rows = {one["connection"]: one for one in json.loads(out)}
    assert (rows["reapi"]["usd"], rows["aivideoapi"]["usd"]) == ("0.054", "0.135")
    assert rows["apiinone"]["fault"]
    several = ("generate", "x", "-c", "reapi,sandbox-xai", "-d", "1", "-r", "480p", "--json")
    code, out, err = finish(client(running_sandbox, tmp_path, *several))
    assert code == 0, err
    assert json.loads(out)["provider"] == "xai"
    assert "REAPI_API_KEY" in json.loads(out)["warnings"][0]
