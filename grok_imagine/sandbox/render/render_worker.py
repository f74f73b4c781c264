"""Clips on disk, each rendered on its first download and named by its content."""

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
from . import render as full
from .media import Media, RenderResult

T = TypeVar("T")


class RenderWorker:
    """Renders in threads, one for each processor; other processes may share its folder of clips."""

    def __init__(self, clips: Path, references: Path, *, drafts: bool) -> None:
        self._clips, self._references, self._drafts = clips, references, drafts
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 2, thread_name_prefix="render")
        self._rendering: dict[str, asyncio.Future[None]] = {}

    def close(self) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def accept(self, job: Job, references: list[Reference]) -> tuple[str, RenderResult]:
        """Store a job's references. Returns the name of its clip, and the clip's size and length.

        Raises UnusableMediaError where a reference cannot be used.
        """
        return await self._in_thread(self._accept, job, references)

    def _accept(self, job: Job, references: list[Reference]) -> tuple[str, RenderResult]:
        result = Media(job, [one.data for one in references]).result
        for one in references:
            with _atomic_file(self._references / one.digest) as part:
                part.write_bytes(one.data)
        return self._clip_name(job, [one.digest for one in references]), result

    def _clip_name(self, job: Job, digests: list[str]) -> str:
        """A name made from all that decides the clip's bytes, so that equal tasks share a file."""
        drawn = [job.mode, job.prompt, job.seconds, job.tier, job.ratio, digests, full.RENDER_VERSION, self._drafts]
        return hashlib.sha256(json.dumps(drawn).encode()).hexdigest()[:40] + ".mp4"

    async def clip(self, task: Task) -> Path:
        """The file of an accepted task's clip; concurrent calls share one rendering."""
        path = self._clips / task.clip
        if not path.exists():
            rendering = self._rendering.get(task.clip)
            if rendering is None:
                rendering = asyncio.ensure_future(self._in_thread(self._render, task, path))
                self._rendering[task.clip] = rendering
                rendering.add_done_callback(lambda _: self._rendering.pop(task.clip, None))
            await asyncio.shield(rendering)
        return path

    def _render(self, task: Task, path: Path) -> None:
        files = [(self._references / digest).read_bytes() for digest in task.references]
        with _atomic_file(path) as part:
            (draft if self._drafts else full).render(task.job, files, part, self._stop.is_set)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)


@contextlib.contextmanager
def _atomic_file(path: Path) -> Generator[Path, None, None]:
    """A private file that is renamed to `path` if the block succeeds: no reader sees a partial file."""
    number, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(number)
    try:
        yield Path(name)
        if not path.exists():  # same name, same bytes; and Windows cannot replace a file that is being read
            Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
