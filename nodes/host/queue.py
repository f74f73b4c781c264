"""ComfyUI's queue: runs the graph again with other values, and blocks the nodes after this one."""

from __future__ import annotations

import copy
import uuid
from contextlib import suppress
from typing import Any

from . import prompt_server


def run_again(prompt_id: str | None, values: dict[str, dict[str, Any]]) -> bool:
    """Queue the prompt that is running once more, next in line, with ``values`` as ``{node id: {input: value}}``.

    False where there is no such prompt or queue. The entry is the running one with another id: so it keeps its page,
    and whatever else this version of ComfyUI puts into it.
    """
    with suppress(Exception):
        queue = prompt_server.instance().prompt_queue
        for number, running_id, prompt, *rest in list(queue.currently_running.values()):
            if running_id == prompt_id:
                changed = copy.deepcopy(prompt)
                for node_id, inputs in values.items():
                    changed[node_id]["inputs"].update(inputs)
                queue.put((number, str(uuid.uuid4()), changed, *rest))
                return True
    return False


def execution_blocker() -> Any:
    """A value that keeps the nodes after this one from running, without an error."""
    from comfy_execution.graph_utils import ExecutionBlocker

    return ExecutionBlocker(None)
