"""What the commands share: their options, and how they open a session."""

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
from ..settings import load, private_folder
from .console import Bar

T = TypeVar("T")

Home = Annotated[Path | None, typer.Option(help="Data folder: settings, journal, results.", envvar="GROK_IMAGINE_HOME")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def default_home() -> Path:
    """The data folder of the command line, where the user names none."""
    from platformdirs import user_data_path

    return Path(os.environ.get("GROK_IMAGINE_HOME") or user_data_path("grok-imagine", appauthor=False))


def with_session(home: Path | None, work: Callable[[Session], Awaitable[T]]) -> T:
    """Open a session, do the work, close it."""

    async def run() -> T:
        BUDGET_RUN_ID.set(secrets.token_hex(8))  # all that one command makes is one run for the budget
        async with Session(private_folder(home or default_home())) as session:
            return await work(session)

    return asyncio.run(run())


@contextmanager
def handle_interrupt(home: Path | None, bar: Bar) -> Generator[None]:
    """On Ctrl-C do with the bar's jobs what the settings say, as in ComfyUI: keep them, or give them up.

    In a session of its own: the first has ended by then, and with it the POSTs that were out, so that every job has
    a state that can be dealt with. A second Ctrl-C ends this too.
    """
    try:
        yield
    except KeyboardInterrupt:
        if not bar.job_ids or load(home or default_home()).on_interrupt != "drop":
            raise
        told = with_session(home, lambda session: _dropped(session, bar.job_ids))
        raise KeyboardInterrupt("\n".join(["Stopped.", *told])) from None


async def _dropped(session: Session, job_ids: Iterable[str]) -> list[str]:
    told: list[str] = []
    for job_id in job_ids:
        try:
            text = (await session.drop(job_id)).text
        except GrokImagineError as error:
            text = str(error)
        told.append(f"Job {job_id}: {text}")
    return told
