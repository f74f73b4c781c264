"""The journal: durable, guarded against two walkers on one step, closed to everybody else's eyes."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from grok_imagine.errors import JournalError
from grok_imagine.jobs import Session
from grok_imagine.journal.database import migrate
from grok_imagine.journal.journal import JobConflict, Journal
from grok_imagine.journal.schema import NEWEST_VERSION, metadata
from grok_imagine.models import TRANSITIONS, Job, JobState
from grok_imagine.sandbox import Sandbox
from grok_imagine.settings import Settings

from ..support.privacy import is_private
from ..support.requests import a_job, request_for
from ..support.sessions import Open, until


async def test_a_job_comes_back_as_it_went_in(tmp_path: Path) -> None:
    full = a_job(
        estimate_usd=Decimal("0.0545"),
        estimate_credits=Decimal("14.4"),
        billed_usd=Decimal("0.0000000001"),
        file=tmp_path / "x.mp4",
        task_id="t",
        result_url="https://x.example/y?z",
        submitted_at=1.5,
    )
    async with Journal(tmp_path) as journal:
        stored = await journal.add(full)
    async with Journal(tmp_path) as journal:
        assert await journal.get("j1") == stored
        assert await journal.get("other") is None
    assert replace(stored, created_at=0, updated_at=0) == full


async def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    async with Journal(tmp_path / "a % folder") as journal:
        await journal.add(a_job())
        assert all(is_private(path) for path in (tmp_path / "a % folder").iterdir())
    assert is_private(tmp_path / "a % folder")


@pytest.mark.parametrize("steps", range(12))
async def test_a_session_that_is_stopped_leaves_no_file_open(steps: int, sandbox: Sandbox, tmp_path: Path) -> None:
    """Stopped after so many turns of the loop: while it opens, while it is open, while it closes."""
    session = Session(tmp_path / "home", Settings(sandbox_url=sandbox.url))

    async def opened() -> None:
        async with session:
            await asyncio.sleep(0)

    task = asyncio.ensure_future(opened())
    for _ in range(steps):
        await asyncio.sleep(0 if steps % 2 else 0.01)
    task.cancel()
    await asyncio.wait([task])
    await until(lambda: not any(one.name == "grok-imagine-journal" for one in threading.enumerate()))
    # SQLite removes the log with the last connection to the file.
    assert not (tmp_path / "home" / "journal.db-wal").exists()


async def test_every_step_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    async with Journal(tmp_path) as journal:
        for before in JobState:
            job = await journal.add(a_job(f"from-{before.value}", state=before))
            for after in set(JobState) - TRANSITIONS[before]:
                with pytest.raises(JournalError, match="cannot go"):
                    await journal.advance(job, after)


async def test_of_two_walkers_one_moves(tmp_path: Path) -> None:
    async with Journal(tmp_path) as one, Journal(tmp_path) as other:
        job = await one.add(a_job())
        outcomes = await asyncio.gather(
            *(journal.advance(job, JobState.SUBMITTING) for journal in (one, other) * 5), return_exceptions=True
        )
        assert sum(isinstance(outcome, Job) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, JobConflict) for outcome in outcomes) == 9
        assert [step["after"] for step in await one.history(job.id)] == ["prepared", "submitting"]


async def test_two_processes_may_open_a_new_journal_at_once(tmp_path: Path) -> None:
    async def use(number: int) -> None:
        async with Journal(tmp_path) as journal:
            await journal.add(a_job(f"j{number}"))

    await asyncio.gather(*(use(number) for number in range(6)))
    async with Journal(tmp_path) as journal:
        assert len(await journal.recent()) == 6


async def test_lists_and_lookups(tmp_path: Path) -> None:
    moments = iter(range(100, 200))
    async with Journal(tmp_path, now=lambda: float(next(moments))) as journal:
        await journal.add(a_job("old", owner="n", state=JobState.FAILED))
        await journal.add(a_job("mid", owner="n", state=JobState.SUBMITTED, task_id="t"))
        await journal.add(a_job("new", owner="m", state=JobState.SAVED))
        assert [job.id for job in await journal.recent()] == ["new", "mid", "old"]
        assert [job.id for job in await journal.recent(limit=1)] == ["new"]
        assert [job.id for job in await journal.recent(unfinished=True)] == ["mid"]
        found = await journal.find_by_fingerprint("e" * 64, "f" * 64)
        assert found is not None
        assert found.id == "new"
        assert await journal.find_by_fingerprint("e" * 64) is None
        found = await journal.find_by_task("sandbox", "t")
        assert found is not None
        assert found.id == "mid"


def tables_of(connection: sa.Connection) -> dict[str, Any]:
    """Everything that the database says of its tables but the order and the defaults of columns."""
    inspector = sa.inspect(connection)
    return {
        table: (
            {
                one["name"]: (str(one["type"]), one["nullable"], one["primary_key"])
                for one in inspector.get_columns(table)
            },
            sorted((str(one["name"]), one["column_names"], one["unique"]) for one in inspector.get_indexes(table)),
            sorted((one["constrained_columns"], str(one)) for one in inspector.get_foreign_keys(table)),
        )
        for table in inspector.get_table_names()
    }


def test_a_new_journal_has_the_tables_that_the_migrations_make(tmp_path: Path) -> None:
    async def make() -> None:
        async with Journal(tmp_path):
            pass

    asyncio.run(make())
    made, migrated = (sa.create_engine(f"sqlite:///{tmp_path / name}") for name in ("journal.db", "migrated.db"))
    with made.connect() as new, migrated.begin() as old:
        migrate(old)
        for connection in (new, old):
            context = MigrationContext.configure(connection)
            assert compare_metadata(context, metadata) == []
            assert context.get_current_revision() == NEWEST_VERSION
        assert tables_of(new) == tables_of(old)
        assert new.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    made.dispose()
    migrated.dispose()


async def test_without_a_journal_nothing_is_submitted(open_session: Open, sandbox: Sandbox, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "journal.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(JournalError, match="cannot be used"):
        async with open_session():
            pass
    assert sandbox.requests() == []


async def test_a_journal_that_fails_later_stops_the_submit(session: Session, sandbox: Sandbox, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "home" / "journal.db")) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON jobs WHEN NEW.state = 'submitting' "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    with pytest.raises(JournalError, match="disk is full"):
        await session.generate(request_for("reapi"), "sandbox")
    assert sandbox.ledger()["posts"] == 0
