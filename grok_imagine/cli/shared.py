"""What the commands share: their options, and how they open a session."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from ..jobs import Session
from ..jobs.progress import RUN
from ..settings import private_folder

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
        RUN.set(secrets.token_hex(8))  # all that one command makes is one run for the budget
        async with Session(private_folder(home or default_home())) as session:
            return await work(session)

    return asyncio.run(run())
