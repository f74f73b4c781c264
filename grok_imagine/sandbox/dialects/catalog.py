"""All dialects of a sandbox: those written by hand, and one for each provider file, read when it is asked for."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from . import DIALECTS
from .base import Dialect
from .provider_file import ProviderFile

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BUILT_IN = Path(__file__).parents[2] / "providers" / "definitions"
"""The files that come with the pack. The five dialects that are written by hand are not read from theirs."""
_LARGEST = 64 * 1024


class Catalog:
    """The dialects by name. A file that is added or changed while the sandbox runs counts at the next request."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folders = [BUILT_IN, *([folder] if folder else [])]
        self._read: dict[Path, tuple[tuple[int, int], ProviderFile | None]] = {}

    def __iter__(self) -> Iterator[Dialect]:
        yield from DIALECTS
        by_hand = {dialect.name for dialect in DIALECTS}
        for folder in self._folders:
            for path in sorted(folder.glob("*.toml")):
                found = None if path.stem in by_hand else self._file(path)
                if found is not None:
                    yield found

    def get(self, name: str) -> Dialect | None:
        """The dialect of that name; None if there is none, or its file cannot be read."""
        by_hand = next((dialect for dialect in DIALECTS if dialect.name == name), None)
        if by_hand is not None or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            return by_hand
        found = (self._file(folder / f"{name}.toml") for folder in self._folders)
        return next((one for one in found if one is not None), None)

    def _file(self, path: Path) -> ProviderFile | None:
        try:
            facts = path.stat()
            stamp = (facts.st_mtime_ns, facts.st_size)
            if path not in self._read or self._read[path][0] != stamp:
                self._read[path] = (stamp, _load(path) if facts.st_size <= _LARGEST else None)
        except OSError:
            return None
        return self._read[path][1]


def _load(path: Path) -> ProviderFile | None:
    """The file's dialect; None for one that is not whole. What is wrong with it is the engine's to say."""
    try:
        return ProviderFile(tomllib.loads(path.read_text("utf-8"), parse_float=Decimal))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RecursionError):
        return None
