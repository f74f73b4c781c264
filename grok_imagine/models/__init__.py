"""The engine's data types: request, capability, call and reply, blob, task status, job."""

from .blob import Blob
from .capability import Capability, Cost, Duration, Price, SourceLimits
from .http import Call, Reply, RetryPolicy
from .job import TRANSITIONS, Job, JobState
from .request import MediaInput, Mode, VideoRequest
from .status import TaskError, TaskPhase, TaskStatus

__all__ = [
    "TRANSITIONS",
    "Blob",
    "Call",
    "Capability",
    "Cost",
    "Duration",
    "Job",
    "JobState",
    "MediaInput",
    "Mode",
    "Price",
    "Reply",
    "RetryPolicy",
    "SourceLimits",
    "TaskError",
    "TaskPhase",
    "TaskStatus",
    "VideoRequest",
]
