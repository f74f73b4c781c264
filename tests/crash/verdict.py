"""The result of a case: kills, and clips that were lost, paid twice or not reported."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av


@dataclass
class Verdict:
    """``faults`` is empty where all is well; the counts say of which kind they are."""

    name: str
    scene: str
    kills: int = 0
    is_paid: bool = False
    """Whether the provider had charged for a clip before the last process came back."""
    is_unknown: bool = False
    """Whether the user was told of an unknown outcome."""
    lost: int = 0
    """Paid clips that are not here at the end."""
    twice: int = 0
    """Wanted clips that were paid more than once."""
    silent: int = 0
    """Unknown outcomes that nobody was told of, or after which a POST was sent by itself."""
    passed: int = 0
    """Spending limits that the provider's charges passed."""
    parts: int = 0
    """Half-downloaded files that are left; ``grok-imagine prune`` takes them."""
    faults: list[str] = field(default_factory=list)

    def count(self, kind: str, number: int, text: str) -> None:
        """Count a fault of that kind (lost, twice, silent or passed), if there are any."""
        if number:
            setattr(self, kind, getattr(self, kind) + number)
            self.faults.append(text)


@dataclass(frozen=True)
class Journaled:
    """The newest job of a journal."""

    id: str = ""
    state: str = "none"
    task_id: str | None = None


def read_journal(home: Path) -> Journaled:
    """The newest job, read from a copy: the journal itself is left as the dead process left it."""
    with tempfile.TemporaryDirectory(dir=home) as place:
        for file in home.glob("journal.db*"):
            shutil.copy(file, place)
        with closing(sqlite3.connect(Path(place) / "journal.db")) as database:
            try:
                query = "SELECT id, state, task_id FROM jobs ORDER BY created_at DESC, id DESC"
                row: tuple[Any, ...] | None = database.execute(query).fetchone()
            except sqlite3.OperationalError:  # it died before there were tables
                row = None
    return Journaled(*row) if row else Journaled()


def pictures(path: Path) -> str:
    """The hash of every packet of picture and sound: the saved file holds the provider's, and a note of its making."""
    if not path.is_file():
        return ""
    digest = hashlib.sha256()
    with av.open(str(path)) as film:
        for packet in film.demux():
            digest.update(b"%d:%d:" % (packet.stream.index, packet.size) + bytes(packet))
    return digest.hexdigest()
