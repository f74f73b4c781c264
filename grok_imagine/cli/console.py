"""Terminal output: the progress bar, tables, JSON, error messages and exit codes."""

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

from ..error_guidance import explain
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
"""2 bad request, 3 bad set-up, 4 refused or failed at the provider, 5 can be resumed, 6 outcome unknown, 1 other."""

# Prompts and answers of providers are shown as they are: "[" begins no style, and ":boat:" is no picture.
err = Console(stderr=True, highlight=False, markup=False, emoji=False)
out = Console(highlight=False, markup=False, emoji=False)


class ProgressBar:
    """A progress bar on standard error, or one line per step if that is not a terminal."""

    def __init__(self) -> None:
        self._rich = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[price]}", style="dim", markup=False),
            TimeElapsedColumn(),
            console=err,
            transient=False,
        )
        self.job_ids: dict[str, None] = {}
        """Ids of the jobs shown so far, in order."""
        self._task: TaskID | None = None
        self._last_step = ""
        self._last_printed_at = 0.0

    def __enter__(self) -> ProgressBar:
        self._rich.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._rich.stop()

    def update(self, update: ProgressUpdate) -> None:
        """Show a job's progress."""
        price = update.price
        self.job_ids[update.job.id] = None
        if self._task is None:
            self._task = self._rich.add_task(update.step, total=100.0, price=price)
            err.print(f"job {update.job.id} on {update.job.connection}", style="dim")
        if update.note:
            err.print(update.note, style="yellow")
        self._rich.update(self._task, description=update.step, completed=_bar_position(update), price=price)
        if not err.is_terminal:
            self._print_step(update)

    def _print_step(self, update: ProgressUpdate) -> None:
        """Print a line for logs and pipes: at each new step, and every 5 s within one."""
        now = time.monotonic()
        if update.step != self._last_step or now - self._last_printed_at >= 5:
            self._last_step, self._last_printed_at = update.step, now
            percent = f" {update.percent:.0f} %" if update.percent is not None else ""
            err.print(f"{update.elapsed:6.1f} s  {update.step}{percent}")


def _bar_position(update: ProgressUpdate) -> float:
    """The bar's position in percent. Each step has its range; generating takes 10 to 90."""
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
        # The provider reports no progress: approach the end of the range without reaching it.
        return start + (end - start) * (1 - 1 / (1 + update.elapsed / 20))
    return start + (end - start) * update.percent / 100


@contextmanager
def report_errors(as_json: bool) -> Generator[None]:
    """Print the engine's errors as a message or JSON, and exit with their code."""
    try:
        yield
    except GrokImagineError as error:
        code = next((number for kind, number in EXIT_CODES if isinstance(error, kind)), 1)
        if as_json:
            record: dict[str, Any] = {"error": type(error).__name__, "message": explain(error)}
            record |= {name: getattr(error, name) for name in ("job_id", "task_id") if getattr(error, name, None)}
            print_json(record)
        else:
            err.print(explain(error), style="red")
        sys.exit(code)
    except KeyboardInterrupt as stop:
        message = "Stopped. The job is kept and can be resumed: grok-imagine jobs, then grok-imagine resume JOB."
        err.print(str(stop) or message, soft_wrap=True)  # job ids must stay in one piece
        sys.exit(130)


def confirm(question: str, yes: bool) -> None:
    """Ask before an irreversible step. Raises SettingsError if there is no terminal to answer on."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingsError(f"{question} To confirm, add --yes.")
    if not typer.confirm(question):
        sys.exit(1)


def print_result(result: Result, as_json: bool, path: str) -> None:
    """Print the job's cost and the clip's path."""
    if as_json:
        print_json({**job_as_json(result.job), "file": path, "warnings": list(result.warnings)})
        return
    cost = cost_of(result.job)
    reused = " (made earlier with the same inputs and seed; you paid nothing now)" if result.is_reused else ""
    err.print(f"{result.job.id}: {cost or 'see the provider for the price'}{reused}")
    out.print(path, soft_wrap=True)


def print_jobs(rows: list[Job], as_json: bool) -> None:
    """Print jobs as a table or as JSON."""
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


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print rows with equal keys as a table."""
    grid = Table(box=None, header_style="bold")
    for name in rows[0]:
        grid.add_column(name)
    for row in rows:
        grid.add_row(*(str(value or "-") for value in row.values()))
    out.print(grid)


def job_as_json(job: Job) -> dict[str, Any]:
    """A job for scripts. Omits the result URL and the query strings of other URLs, as these contain signatures."""
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
    """Write ``value`` as JSON to standard output."""
    is_plain = sys.stdout.encoding.lower().replace("-", "") != "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=is_plain, indent=2) + "\n")


def _age(job: Job) -> str:
    seconds = max(0, int(time.time() - job.created_at))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
