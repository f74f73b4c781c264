"""The words of the engine, as values: request, capability, call and reply, blob, task status, job."""

from .blob import Blob
from .capability import Capability, Cost, Duration, Price
from .http import Call, Repeat, Reply
from .job import ALLOWED, Job, State
from .request import MediaInput, Mode, VideoRequest
from .status import Fault, Phase, TaskStatus

__all__ = [
    "ALLOWED",
    "Blob",
    "Call",
    "Capability",
    "Cost",
    "Duration",
    "Fault",
    "Job",
    "MediaInput",
    "Mode",
    "Phase",
    "Price",
    "Repeat",
    "Reply",
    "State",
    "TaskStatus",
    "VideoRequest",
]
