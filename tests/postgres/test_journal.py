"""The journal in a shared PostgreSQL database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr

from grok_imagine.doctor.doctor import run_checks
from grok_imagine.errors import JournalError, SettingsError
from grok_imagine.journal.database import database_location, migrate
from grok_imagine.journal.durability.health import Health, check_health
from grok_imagine.journal.journal import JobConflict, Journal
from grok_imagine.journal.schema import metadata, version_table
from grok_imagine.models import JobState

from .conftest import Server
from .jobs import a_job


async def test_a_job_is_stored_through_all_states(tmp_path: Path, database_url: SecretStr) -> None:
    async with Journal(tmp_path / "one", database_url=database_url) as journal:
        job = await journal.add(a_job())
        job = await journal.advance(job, JobState.SUBMITTING)
        job = await journal.advance(job, JobState.SUBMITTED, task_id="t")
    left = [path.name for path in (tmp_path / "one").rglob("*")]
    assert left == ["journal.answers"], "only room for task ids that the server does not accept"
    async with Journal(tmp_path / "another machine", database_url=database_url) as journal:
        assert await journal.get("j1") == job
        assert [step["after"] for step in await journal.history("j1")] == ["prepared", "submitting", "submitted"]


async def test_the_tables_are_those_of_the_schema(tmp_path: Path, database_url: SecretStr) -> None:
    async with Journal(tmp_path, database_url=database_url) as journal:
        engine = sa.create_engine(journal.place.url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    with engine.begin() as connection:
        metadata.drop_all(connection)
        version_table.drop(connection)
        migrate(connection)
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


async def test_many_open_an_empty_database_at_once(tmp_path: Path, database_url: SecretStr) -> None:
    async def open_one(number: int) -> None:
        async with Journal(tmp_path, database_url=database_url) as journal:
            await journal.add(a_job(f"j{number}"))

    await asyncio.gather(*(open_one(number) for number in range(8)))
    async with Journal(tmp_path, database_url=database_url) as journal:
        assert len(await journal.recent()) == 8


async def test_equal_requests_at_the_same_time_make_one_job(tmp_path: Path, database_url: SecretStr) -> None:
    async def claim(number: int) -> str:
        async with Journal(tmp_path, database_url=database_url) as journal:
            return (await journal.claim(a_job(f"j{number}"))).id

    assert len(set(await asyncio.gather(*(claim(number) for number in range(8))))) == 1


async def test_only_one_of_several_runs_changes_the_state(tmp_path: Path, database_url: SecretStr) -> None:
    async with Journal(tmp_path, database_url=database_url) as journal:
        job = await journal.add(a_job())

    async def advance() -> bool:
        async with Journal(tmp_path, database_url=database_url) as journal:
            try:
                await journal.advance(job, JobState.SUBMITTING)
            except JobConflict:
                return False
            return True

    assert sorted(await asyncio.gather(*(advance() for _ in range(6)))) == [False] * 5 + [True]


async def test_reconnects_after_a_server_restart(tmp_path: Path, database_url: SecretStr, server: Server) -> None:
    async with Journal(tmp_path, database_url=database_url) as journal:
        job = await journal.add(a_job())
        server.stop()
        try:
            with pytest.raises(JournalError, match="Check that the server is running") as raised:
                await journal.advance(job, JobState.SUBMITTING)
        finally:
            server.start()
        assert "a-password" not in str(raised.value)
        assert (await journal.advance(job, JobState.SUBMITTING)).state is JobState.SUBMITTING


async def test_a_wrong_password_is_reported_but_not_shown(tmp_path: Path, database_url: SecretStr) -> None:
    wrong = SecretStr(database_url.get_secret_value().replace("a-password", "hunter2-wrong"))
    with pytest.raises(JournalError, match="password authentication failed") as raised:
        await Journal(tmp_path, database_url=wrong).__aenter__()
    assert "hunter2" not in f"{raised.value!r} {raised.value}"


@pytest.mark.parametrize("url", ["mysql://u:hunter2@host/db", "not a url hunter2", "sqlite:///hunter2"])
def test_another_database_is_refused_by_name(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="must be a PostgreSQL URL") as raised:
        Journal(tmp_path, database_url=SecretStr(url))
    assert "hunter2" not in str(raised.value)


async def test_the_doctor_does_not_create_tables(
    tmp_path: Path, database_url: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = database_location(tmp_path, database_url)
    assert check_health(where) == Health()
    async with Journal(tmp_path, database_url=database_url) as journal:
        await journal.add(a_job())
        found = check_health(where)
    assert found.is_current
    assert found.is_known
    assert found.size > 1_000_000
    assert (found.jobs, found.unfinished, found.unknown) == (1, 1, 0)
    monkeypatch.setenv("GROK_IMAGINE_DATABASE_URL", database_url.get_secret_value())
    told = {
        one.name: (one.grade, one.text) for one in await run_checks(tmp_path, offline=True) if one.part == "journal"
    }
    assert told["soundness"][1].startswith("PostgreSQL, intact, ")
    assert told["budget"][0] == "ok"
    assert not (tmp_path / "journal.db").exists()
