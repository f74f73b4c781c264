"""Jobs, from a request to a file. Open a :class:`Session` and call its ``generate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .progress import Progress, ProgressUpdate, SilentProgress
    from .session import Result, Session

__all__ = ["Progress", "ProgressUpdate", "Result", "Session", "SilentProgress"]


def __getattr__(name: str) -> Any:
    """Each name on its first use: a session loads an HTTP client and a database, not needed to list connections."""
    if name in ("Result", "Session"):
        from . import session as home
    elif name in __all__:
        from . import progress as home
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(home, name)
