"""Whether others on the machine can open a file or folder, and letting them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from grok_imagine import privacy


def is_private(path: Path) -> bool:
    """Whether it is for its owner alone. On Windows a file is what its folder says."""
    if os.name == "nt":
        return not privacy.is_open_to_others(path if path.is_dir() else path.parent)
    return stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def open_to_others(path: Path) -> None:
    if os.name == "nt":
        privacy._set(path, "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;OW)(A;OICI;FR;;;WD)")
    else:
        path.chmod(0o755 if path.is_dir() else 0o644)
