"""Clips on disk, rendered when one is first asked for and kept by what is in them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ..files.references import Reference
from ..model import Job, Task
from . import draft
from . import render as film
from .media import Media, RenderResult

T = TypeVar("T")


class RenderWorker:
    """Renders in threads, one for each processor; other processes may share its folder of clips."""

    def __init__(self, clips: Path, references: Path, *, drafts: bool) -> None:
        self._clips, self._references, self._drafts = clips, references, drafts
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 2, thread_name_prefix="render")
        self._under_way: dict[str, asyncio.Future[None]] = {}

    def close(self) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def accept(self, job: Job, references: list[Reference]) -> tuple[str, RenderResult]:
        """Keep a job's references; the name of its clip, and what the clip will be.

        Raises UnusableMediaError where a reference cannot be used.
        """
        return await self._in_thread(self._accept, job, references)

    def _accept(self, job: Job, references: list[Reference]) -> tuple[str, RenderResult]:
        result = Media(job, [one.data for one in references]).result
        for one in references:
            with _whole_file(self._references / one.digest) as part:
                part.write_bytes(one.data)
        return self._name(job, [one.digest for one in references]), result

    def _name(self, job: Job, digests: list[str]) -> str:
        """By what is drawn, and from which bytes; never by whose task it is."""
        drawn = [job.mode, job.prompt, job.seconds, job.tier, job.ratio, digests, film.FILM_VERSION, self._drafts]
        return hashlib.sha256(json.dumps(drawn).encode()).hexdigest()[:40] + ".mp4"

    async def clip(self, task: Task) -> Path:
        """The file of an accepted task's clip, rendered now if it is not there; once, however many ask."""
        path = self._clips / task.clip
        if not path.exists():
            under_way = self._under_way.get(task.clip)
            if under_way is None:
                under_way = asyncio.ensure_future(self._in_thread(self._render, task, path))
                self._under_way[task.clip] = under_way
                under_way.add_done_callback(lambda _: self._under_way.pop(task.clip, None))
            await asyncio.shield(under_way)
        return path

    def _render(self, task: Task, path: Path) -> None:
        files = [(self._references / digest).read_bytes() for digest in task.references]
        with _whole_file(path) as part:
            (draft if self._drafts else film).render(task.job, files, part, self._stop.is_set)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)


@contextlib.contextmanager
def _whole_file(path: Path) -> Generator[Path, None, None]:
    """A private file beside `path` that becomes it when the block ends well: nobody sees a part of it."""
    number, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(number)
    try:
        yield Path(name)
        if not path.exists():  # its name stands for its bytes, and Windows replaces no file that somebody reads
            Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
