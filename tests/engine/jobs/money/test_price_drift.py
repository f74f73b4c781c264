"""A bill that is not what was estimated is noticed at once, said by ``price``, and ends with a bill that agrees."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grok_imagine.cli.app import app
from grok_imagine.jobs import Session
from grok_imagine.jobs.failover import quotes
from grok_imagine.journal.price_drift import price_drifts
from grok_imagine.models import VideoRequest
from grok_imagine.sandbox import Sandbox
from grok_imagine.sandbox.dialects import xai
from grok_imagine.settings import Settings
from grok_imagine.settings_file import put

from ...support.sessions import hurried

REQUEST = VideoRequest(model="grok-imagine-video", prompt="a kite", duration_seconds=2, resolution="480p")


async def test_a_changed_price_is_noticed_at_the_first_bill(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = {"dialect": "xai", "base_url": f"{sandbox.url}/xai", "api_key": "xai-sandbox-1"}
    put(tmp_path, "connections", "mine", mine)
    async with Session(tmp_path, sleep=hurried) as session:
        await session.generate(REQUEST, "mine")
        assert await price_drifts(session.journal) == []
        rates, per_image = xai._PRICES["grok-imagine-video"]
        monkeypatch.setitem(xai._PRICES, "grok-imagine-video", ({**rates, "480p": Decimal("0.06")}, per_image))
        await session.generate(REQUEST.model_copy(update={"seed": 1}), "mine")
        (drift,) = await price_drifts(session.journal)
        assert (drift.connection, drift.model, drift.percent) == ("mine", "grok-imagine-video", 120)
    arguments = ["price", "--duration", "2", "--home", str(tmp_path), "--json"]
    said = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    notes = {row["connection"]: row["note"] for row in json.loads(said.stdout)}
    assert "the last bill for grok-imagine-video was 120 % of its estimate" in notes["mine"]
    assert "bill" not in notes["xai"]
    monkeypatch.undo()
    async with Session(tmp_path, sleep=hurried) as session:
        await session.generate(REQUEST.model_copy(update={"seed": 2}), "mine")
        assert await price_drifts(session.journal) == []


def test_the_user_s_own_figure_counts_before_a_published_price() -> None:
    stated = Settings(connections={"xai": {"assumed_usd_per_second": "0.5"}})  # type: ignore[dict-item]
    quote = next(one for one in quotes(stated, REQUEST) if one.connection == "xai")
    assert quote.cost is not None
    assert (quote.cost.usd, quote.is_assumed) == (Decimal("1.0"), True)


def test_price_makes_no_journal(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["price", "--home", str(tmp_path)]).exit_code == 0
    assert list(tmp_path.iterdir()) == []
