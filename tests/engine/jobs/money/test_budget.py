"""Budgets: refused before the upload; spent and pending jobs count, also those of other processes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grok_imagine.errors import (
    AuthRejected,
    JobFailed,
    OverBudget,
    SettingsError,
    SubmitUncertain,
)
from grok_imagine.jobs import Session
from grok_imagine.models import Blob
from grok_imagine.sandbox import Sandbox

from ...support.processes import ROOT
from ...support.requests import request_for
from ...support.sessions import Open, paid

CLIP = Decimal("0.054")
"""Six seconds at reAPI."""


async def kinds(session: Session, job_id: str) -> list[str]:
    return [entry.kind for entry in reversed(await session.journal.ledger.entries(job_id=job_id))]


async def test_a_clip_over_the_daily_limit_is_refused_before_the_upload(
    open_session: Open, sandbox: Sandbox, picture: Blob
) -> None:
    async with open_session(connections=paid(sandbox), budget={"per_day": "0.10"}) as session:
        await session.generate(request_for("reapi"), "paid")
        before = sandbox.ledger()["posts"], len(sandbox.requests())
        with pytest.raises(OverBudget) as caught:
            await session.generate(request_for("reapi", seed=1, reference_images=(picture,)), "paid")
        text = str(caught.value)
        for figure in ("$0.054", "$0.10 per day", "$0.046", "Nothing was uploaded, sent or charged"):
            assert figure in text
        assert (sandbox.ledger()["posts"], len(sandbox.requests())) == before
        assert len(await session.journal.recent()) == 1
        again = await session.generate(request_for("reapi"), "paid")
        assert again.is_reused  # what is paid already costs nothing


@pytest.mark.parametrize("span", ["per_run", "per_day", "per_month"])
async def test_every_limit_counts_also_after_a_restart(span: str, open_session: Open, sandbox: Sandbox) -> None:
    budget = {span: "0.11"}
    for seed in (1, 2):
        async with open_session(connections=paid(sandbox), budget=budget) as session:
            await session.generate(request_for("reapi", seed=seed), "paid", run="graph")
    async with open_session(connections=paid(sandbox), budget=budget) as session:
        with pytest.raises(OverBudget, match=f"per {span.removeprefix('per_')}"):
            await session.generate(request_for("reapi", seed=3), "paid", run="graph")
        if span == "per_run":
            await session.generate(request_for("reapi", seed=3), "paid", run="another")
    assert sandbox.ledger()["submits"] == (3 if span == "per_run" else 2)


async def test_jobs_that_start_at_the_same_time_all_count(open_session: Open, sandbox: Sandbox) -> None:
    async with open_session(connections=paid(sandbox), budget={"per_day": "0.20"}) as session:
        outcomes = await asyncio.gather(
            *(session.generate(request_for("reapi", seed=n), "paid", owner=str(n)) for n in range(8)),
            return_exceptions=True,
        )
    assert sum(isinstance(one, OverBudget) for one in outcomes) == 5
    assert sandbox.ledger()["submits"] == 3
    assert all(isinstance(one, OverBudget) or not isinstance(one, Exception) for one in outcomes)


async def test_the_ledger_follows_the_job(open_session: Open, sandbox: Sandbox) -> None:
    async with open_session(connections=paid(sandbox)) as session:
        good = await session.generate(request_for("reapi"), "paid")
        assert await kinds(session, good.job.id) == ["estimate", "charge"]
        with pytest.raises(JobFailed, match="It is not charged"):
            await session.generate(request_for("reapi", prompt="[sandbox:failed]"), "paid")
        (failed, _) = await session.journal.recent()
        assert await kinds(session, failed.id) == ["estimate", "charge", "refund"]
        with pytest.raises(AuthRejected):
            await session.generate(request_for("reapi", prompt="[sandbox:401]"), "paid")
        (refused, *_) = await session.journal.recent()
        assert await kinds(session, refused.id) == ["estimate", "release"]
        spend = await session.spend_summary()
        assert (spend.today.spent, spend.today.pending, spend.month.spent) == (CLIP, 0, CLIP)
    charged = sum(Decimal(entry["usd"]) for entry in sandbox.ledger()["entries"])
    assert charged == CLIP


async def test_the_sandbox_is_free_and_passes_no_limit(open_session: Open) -> None:
    async with open_session(budget={"per_run": "0", "per_day": "0"}) as session:
        result = await session.generate(request_for("reapi"), "sandbox")
        assert await session.journal.ledger.entries() == []
        assert result.job.estimate_usd == CLIP


async def test_a_budget_needs_a_price(open_session: Open, sandbox: Sandbox) -> None:
    connections = paid(sandbox, "openai_videos")
    async with open_session(connections=connections, budget={"per_day": "5"}) as session:
        with pytest.raises(OverBudget, match="assumed_usd_per_second"):
            await session.generate(request_for("openai_videos"), "paid")
    assert sandbox.ledger()["posts"] == 0
    priced = paid(sandbox, "openai_videos", assumed_usd_per_second="0.05", assumed_usd_per_clip="0.01")
    async with open_session(connections=priced, budget={"per_day": "5"}) as session:
        result = await session.generate(request_for("openai_videos"), "paid")
        assert result.job.estimate_usd == Decimal("0.11")
        assert (await session.spend_summary()).today.spent == Decimal("0.11")


async def test_the_billed_cost_replaces_the_estimate(open_session: Open, sandbox: Sandbox) -> None:
    priced = paid(sandbox, "xai", assumed_usd_per_clip="9")
    async with open_session(connections=priced, budget={"per_day": "10"}) as session:
        result = await session.generate(request_for("xai"), "paid")
        assert result.job.billed_usd is not None
        assert (await session.spend_summary()).today.spent == result.job.billed_usd
        assert await kinds(session, result.job.id) == ["estimate", "charge", "refund"]


async def test_an_unknown_outcome_stays_counted_and_is_submitted_again_only_knowingly(
    open_session: Open, sandbox: Sandbox
) -> None:
    request = request_for("reapi", prompt="a boat [sandbox:drop-after]")
    async with open_session(connections=paid(sandbox), budget={"per_day": "0.20"}) as session:
        with pytest.raises(SubmitUncertain, match="grok-imagine again"):
            await session.generate(request, "paid")
        (job,) = await session.journal.recent()
        assert (await session.spend_summary()).today.pending == CLIP
        anew = await session.resubmit(job.id)
        with pytest.raises(SettingsError, match="only a job of unknown outcome"):
            await session.resubmit(job.id)
        assert (await session.spend_summary()).today.total == 2 * CLIP
        with pytest.raises(SubmitUncertain):  # the marker in the prompt acts again
            await session.resume(anew.id)
        assert sandbox.ledger()["posts"] == 2
        with pytest.raises(SubmitUncertain):
            await session.generate(request, "paid")  # never by itself
        assert sandbox.ledger()["posts"] == 2
        first = await session.attach(job.id, sandbox.ledger()["entries"][0]["task"])  # found after all
        found = await session.resume(first.id)
        assert found.file.is_file()


async def test_two_processes_cannot_exceed_the_limit_together(sandbox: Sandbox, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "GROK_IMAGINE_HOME": str(tmp_path),
        "GROK_IMAGINE_BUDGET__PER_DAY": "0.06",
        "GROK_IMAGINE_CONNECTIONS__PAID__DIALECT": "reapi",
        "GROK_IMAGINE_CONNECTIONS__PAID__BASE_URL": f"{sandbox.url}/reapi",
        "GROK_IMAGINE_CONNECTIONS__PAID__API_KEY": "rk_live_sandbox_1",
        "GROK_IMAGINE_CONNECTIONS__PAID__PACE": "0.1",
    }
    command = [sys.executable, "-m", "grok_imagine.cli", "generate", "a boat", "-c", "paid", "-d", "6", "--json"]

    async def one(seed: int) -> tuple[int, dict[str, Any]]:
        running = await asyncio.create_subprocess_exec(
            *command, "--seed", str(seed), cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, _ = await running.communicate()
        return running.returncode or 0, json.loads(out)

    outcomes = await asyncio.gather(*(one(seed) for seed in range(4)))
    assert sorted(code for code, _ in outcomes) == [0, 2, 2, 2]
    assert {told.get("error") for _, told in outcomes} == {None, "OverBudget"}
    assert sandbox.ledger()["submits"] == 1
