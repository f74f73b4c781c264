"""Wait for Task: the clip of a job that was started before, here or anywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io

from ..grok_imagine.errors import RequestError
from .common import generate, inputs
from .host import execution

if TYPE_CHECKING:
    from ..grok_imagine.jobs.session import Result, Session
    from .host.progress import NodeProgress


class GIVWaitForTask(inputs.ConnectionCheck, io.ComfyNode):
    """The clip of a job that was started before."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """What ComfyUI shows."""
        return inputs.schema(
            node_id="GIVWaitForTask",
            display_name="Grok Imagine: Wait for Task",
            description="Waits for a job or a provider's task by its ID and returns the clip. Free: it submits "
            "nothing. With both IDs, attaches the task to a job of unknown outcome.",
            search_aliases=["grok", "resume", "poll", "task id", "job id", "collect video", "recover"],
            inputs=[
                io.String.Input(
                    "job_id",
                    default="",
                    optional=True,
                    tooltip="The job ID, from the Jobs panel, a job_id output or an error message. The connection is "
                    "not used then. Waiting is free.",
                ),
                inputs.connection(" Used only with a task_id alone."),
                io.String.Input(
                    "task_id",
                    default="",
                    optional=True,
                    tooltip="The provider's task ID, also of a task submitted elsewhere. With a job_id, it is "
                    "attached to that job. Waiting is free.",
                ),
            ],
            outputs=inputs.job_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    async def execute(cls, connection: str, job_id: str = "", task_id: str = "") -> io.NodeOutput:
        """Wait for the clip and return it."""
        job_id, task_id = (job_id or "").strip(), (task_id or "").strip()
        if not job_id and not task_id:
            raise RequestError("Enter a job_id, or a connection and a task_id.")

        async def work(progress: NodeProgress) -> Result:
            async with execution.runtime().session() as session:
                if not job_id:
                    return await session.collect(connection, task_id, progress=progress)
                if task_id:
                    await _attach(session, job_id, task_id)
                return await session.resume(job_id, progress=progress)

        return generate.job_outputs(await execution.run(cls.hidden.unique_id, work))


async def _attach(session: Session, job_id: str, task_id: str) -> None:
    """Attach the task to the job, unless it is attached already."""
    job = await session.get_job(job_id)
    if job.task_id is None:
        await session.attach(job_id, task_id)  # which says so, where it needs no task
    elif job.task_id != task_id:
        raise RequestError(f"Job {job_id} has the task {job.task_id}, not {task_id}. Clear one of the two inputs.")
