"""Where a command writes its files: checked before anything is paid, and written after."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ..errors import RequestError, SettingsError


def check_file(option: str, path: Path | None, *, may_be_folder: bool = False) -> None:
    """Raise RequestError unless the file ``path`` can be written. Creates its folder, changes nothing else."""
    if path is None:
        return
    if path.is_dir():
        if not may_be_folder:
            raise RequestError(f"{option}: {path} is a folder; name a file. Nothing was sent or charged.")
        return check_folder(option, path)
    check_folder(option, path.parent)
    try:
        if path.exists():
            path.open("r+b").close()
    except OSError as error:
        raise _unwritable(option, path, error) from None


def check_folder(option: str, folder: Path | None) -> None:
    """Raise RequestError unless files can be written to ``folder``, which is created if it is missing."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _unwritable(option, folder, error) from None


def copy_clip(clip: Path, output: Path) -> Path:
    """Copy a finished clip to the file or folder ``output``. Raises SettingsError that says where the clip is."""
    target = output / clip.name if output.is_dir() else output
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(clip, target))
    except OSError as error:
        text = f"The clip is finished and kept: {clip}. It could not be copied to {target}: {error.strerror or error}"
        raise SettingsError(text) from None


def _unwritable(option: str, path: Path, error: OSError) -> RequestError:
    return RequestError(f"{option}: {path} cannot be written: {error.strerror or error}. Nothing was sent or charged.")
