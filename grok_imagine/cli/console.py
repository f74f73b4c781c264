"""What the command line shows: a bar while a job walks, a table of jobs, an error that says what to do."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..errors import (
    GrokImagineError,
    JobFailed,
    JobTimedOut,
    JournalError,
    ProviderError,
    RequestError,
    ResultNotFetched,
    SettingsError,
    SubmitUncertain,
)
from ..jobs import ProgressUpdate, Result
from ..jobs.pipeline.context import cost_of
from ..jobs.pipeline.provenance import clean
from ..models import Job

EXIT_CODES: tuple[tuple[type[GrokImagineError], int], ...] = (
    (RequestError, 2),
    (SettingsError, 3),
    (JournalError, 3),
    (ResultNotFetched, 5),
    (JobTimedOut, 5),
    (SubmitUncertain, 6),
    (JobFailed, 4),
    (ProviderError, 4),
)
"""2 the request is wrong, 3 the set-up is, 4 the provider refused or failed, 5 resume it, 6 outcome unknown, 1 else."""

err = Console(stderr=True, highlight=False)
out = Console(highlight=False)


class Bar:
    """A progress bar on standard error; one line a step where that is no terminal."""

    def __init__(self) -> None:
        self._rich = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[price]}", style="dim"),
            TimeElapsedColumn(),
            console=err,
            transient=False,
        )
        self.job_ids: dict[str, None] = {}
        """The jobs that were waited for, in their order."""
        self._task: TaskID | None = None
        self._last_step = ""
        self._last_said = 0.0

    def __enter__(self) -> Bar:
        self._rich.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._rich.stop()

    def update(self, update: ProgressUpdate) -> None:
        """Show one moment of a job."""
        price = update.price
        self.job_ids[update.job.id] = None
        if self._task is None:
            self._task = self._rich.add_task(update.step, total=100.0, price=price)
            err.print(f"job {update.job.id} on {update.job.connection}", style="dim")
        if update.note:
            err.print(update.note, style="yellow")
        self._rich.update(self._task, description=update.step, completed=_share(update), price=price)
        if not err.is_terminal:
            self._say(update)

    def _say(self, update: ProgressUpdate) -> None:
        """A line for logs and pipes: at each new step, and each five seconds of a long one."""
        now = time.monotonic()
        if update.step != self._last_step or now - self._last_said >= 5:
            self._last_step, self._last_said = update.step, now
            percent = f" {update.percent:.0f} %" if update.percent is not None else ""
            err.print(f"{update.elapsed:6.1f} s  {update.step}{percent}")


def _share(update: ProgressUpdate) -> float:
    """Where the bar stands: the steps have their places, generating fills the middle."""
    start, end = {
        "preparing": (0, 0),
        "uploading": (2, 2),
        "submitting": (5, 5),
        "queued": (8, 8),
        "generating": (10, 90),
        "downloading": (90, 100),
        "done": (100, 100),
    }.get(update.step, (0, 0))
    if update.percent is None:
        # No figure from the provider: creep towards the end without ever reaching it.
        return start + (end - start) * (1 - 1 / (1 + update.elapsed / 20))
    return start + (end - start) * update.percent / 100


@contextmanager
def report_errors(as_json: bool) -> Generator[None]:
    """Turn the engine's errors into a message (or JSON) and an exit code."""
    try:
        yield
    except GrokImagineError as error:
        code = next((number for kind, number in EXIT_CODES if isinstance(error, kind)), 1)
        if as_json:
            plain: dict[str, Any] = {"error": type(error).__name__, "message": str(error)}
            plain |= {name: getattr(error, name) for name in ("job_id", "task_id") if getattr(error, name, None)}
            print_json(plain)
        else:
            err.print(str(error), style="red", markup=False)
        sys.exit(code)
    except KeyboardInterrupt as stop:
        kept = "Stopped waiting. The job is kept: see grok-imagine jobs, then grok-imagine resume JOB."
        err.print(str(stop) or kept, markup=False, soft_wrap=True)  # a job's id is copied whole
        sys.exit(130)


def confirm(question: str, yes: bool) -> None:
    """Ask before something that cannot be taken back. Raises SettingsError where nobody is there to answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingsError(f"{question} Say --yes to do it.")
    if not typer.confirm(question):
        sys.exit(1)


def result(result: Result, as_json: bool, shown: str) -> None:
    """Say where the clip is."""
    if as_json:
        print_json({**job_as_json(result.job), "file": shown, "warnings": list(result.warnings)})
        return
    cost = cost_of(result.job)
    reused = " (made before with the same inputs and seed: nothing was paid)" if result.is_reused else ""
    err.print(f"{result.job.id}: {cost or 'price: see the provider'}{reused}")
    out.print(shown, soft_wrap=True, markup=False)


def jobs(rows: list[Job], as_json: bool) -> None:
    """The journal as a table, newest first."""
    if as_json:
        print_json([job_as_json(job) for job in rows])
        return
    table = Table(box=None, header_style="bold")
    for name in ("job", "state", "connection", "cost", "age", "prompt"):
        table.add_column(name, no_wrap=name != "prompt")
    for job in rows:
        state = "outcome unknown" if job.is_uncertain else job.state.value
        prompt = str(job.request.get("prompt", "")).replace("\n", " ")
        table.add_row(job.id, state, job.connection, str(cost_of(job) or "?"), _age(job), prompt[:60])
    out.print(table if rows else "No jobs yet.")


def table(rows: list[dict[str, Any]]) -> None:
    """Rows of one shape as a table."""
    shown = Table(box=None, header_style="bold")
    for name in rows[0]:
        shown.add_column(name)
    for row in rows:
        shown.add_row(*(str(value or "-") for value in row.values()))
    out.print(shown)


def job_as_json(job: Job) -> dict[str, Any]:
    """A job for scripts: without its result URL, and other URLs without their queries, where signatures live."""
    cost = cost_of(job)
    return {
        "job_id": job.id,
        "state": job.state.value,
        "outcome_unknown": job.is_uncertain,
        "connection": job.connection,
        "provider": job.provider,
        "model": job.model,
        "mode": job.mode,
        "task_id": job.task_id,
        "file": str(job.file) if job.file else None,
        "cost_usd": str(cost.usd) if cost else None,
        "cost_is_estimate": cost.is_estimate if cost else None,
        "error": job.error,
        "request": clean(job.request),
        "created_at": job.created_at,
        "finished_at": job.finished_at,
    }


def print_json(value: Any) -> None:
    """JSON on standard output, and nothing else there."""
    is_plain = sys.stdout.encoding.lower().replace("-", "") != "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=is_plain, indent=2) + "\n")


def _age(job: Job) -> str:
    seconds = max(0, int(time.time() - job.created_at))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
