"""What the user's stop means for the jobs of a node: they go on and wait to be collected, or they are given up."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import Any

from ...grok_imagine.errors import GrokImagineError
from .runtime import Runtime


async def interrupted(runtime: Runtime, walk: Future[Any], job_ids: frozenset[str]) -> None:
    """After a stop: give the jobs up, where the settings say so. Another node's failure never comes here."""
    walk.cancel()
    async with runtime.session() as session:
        if session.settings.on_interrupt != "drop":
            return
        for job_id in job_ids:
            try:
                told = (await session.drop(job_id)).text
            except GrokImagineError as error:
                told = str(error)
            logging.getLogger(__name__).warning("Job %s: %s", job_id, told)
