"""Shared by the commands: common options, opening a session, handling Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from ..errors import GrokImagineError
from ..jobs import Session
from ..jobs.progress import BUDGET_RUN_ID
from ..private_files import private_folder
from ..settings import load
from .console import ProgressBar

T = TypeVar("T")

Home = Annotated[
    Path | None, typer.Option(help="Data folder with settings, journal and results.", envvar="GROK_IMAGINE_HOME")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def default_home() -> Path:
    """The data folder if ``--home`` is not given."""
    from platformdirs import user_data_path

    return Path(os.environ.get("GROK_IMAGINE_HOME") or user_data_path("grok-imagine", appauthor=False))


def with_session(home: Path | None, work: Callable[[Session], Awaitable[T]]) -> T:
    """Open a session, await ``work(session)``, close the session and return the result."""

    async def run() -> T:
        BUDGET_RUN_ID.set(secrets.token_hex(8))  # the limit per run covers everything one command makes
        async with Session(private_folder(home or default_home())) as session:
            return await work(session)

    return asyncio.run(run())


@contextmanager
def handle_interrupt(home: Path | None, bar: ProgressBar) -> Generator[None]:
    """On Ctrl-C keep or abandon the bar's jobs, as the setting ``on_interrupt`` says.

    Abandoning uses a new session: the first has ended its pending POSTs by then, so every job has a definite state.
    A second Ctrl-C ends this too.
    """
    try:
        yield
    except KeyboardInterrupt:
        if not bar.job_ids or load(home or default_home()).on_interrupt != "drop":
            raise
        messages = with_session(home, lambda session: _drop_jobs(session, bar.job_ids))
        raise KeyboardInterrupt("\n".join(["Stopped.", *messages])) from None


async def _drop_jobs(session: Session, job_ids: Iterable[str]) -> list[str]:
    messages: list[str] = []
    for job_id in job_ids:
        try:
            text = (await session.abandon(job_id)).text
        except GrokImagineError as error:
            text = str(error)
        messages.append(f"Job {job_id}: {text}")
    return messages
