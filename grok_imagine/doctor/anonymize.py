"""What a page for strangers must not show: keys, passwords, URLs' queries, the name in the home folder's path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, SecretStr

from ..jobs.connections import Profile
from ..journal import database
from ..redact import HIDDEN, redact
from ..settings import Settings

SHOWN = 4
"""So many of a key's last characters tell its owner which one it is."""
_SHORTEST_SHOWN_KEY = 16
"""Of a shorter one they would give too much away."""


def homes() -> tuple[str, ...]:
    """The home folder as it may be spelled; one that is the root of the disk names nobody."""
    try:
        found = {str(Path.home()), str(Path.home().resolve())}
    except (RuntimeError, OSError):
        return ()
    return tuple(sorted((one for one in found if len(Path(one).parts) > 1), key=len, reverse=True))


@dataclass(frozen=True)
class Anonymizer:
    """Takes from a text what must not be seen, and its line breaks."""

    secrets: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Of the journal's server: host, user and database, hidden where they stand as words of their own."""
    homes: tuple[str, ...] = field(default_factory=homes)

    @classmethod
    def of(cls, settings: Settings, known: Mapping[str, Profile]) -> Anonymizer:
        """For every secret of the settings and of the providers' own variables."""
        found = set(_secrets_in(settings))
        found |= {one.key.get_secret_value() for one in known.values() if one.key and not one.is_sandbox}
        names: tuple[str, ...] = ()
        if settings.database_url is not None:
            password, *others = database.describe_url(settings.database_url)
            found.add(password)
            names = tuple(filter(None, others))
        return cls(tuple(sorted((one for one in found if len(one) >= SHOWN), key=len, reverse=True)), names)

    def clean(self, text: str) -> str:
        """The text, fit to be shown."""
        text = redact(" ".join(text.split()), *self.secrets, limit=1000)
        for home in self.homes:
            text = re.sub(rf"(?<![\w.-]){_spelled(home)}(?![\w.-])", "~", text)
        return text

    def clean_of_server(self, text: str) -> str:
        """The same for what the journal's server said, which names itself and who asked."""
        for name in self.names:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", HIDDEN, text)
        return self.clean(text)


def _spelled(home: str) -> str:
    """A pattern of that path. Windows takes its own in upper or lower case and with either slash; JSON doubles one."""
    if "\\" not in home:
        return re.escape(home)
    return "(?i:" + r"[\\/]+".join(re.escape(one) for one in home.split("\\")) + ")"


def mask_key(secret: str) -> str:
    """A key as a stranger may see it: its last characters, or none of a short one."""
    return f"…{secret[-SHOWN:]}" if len(secret) >= _SHORTEST_SHOWN_KEY else f"{HIDDEN} ({len(secret)} characters)"


def _secrets_in(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_in(getattr(value, name, None))
    elif isinstance(value, Mapping):
        for one in cast("Mapping[Any, Any]", value).values():
            yield from _secrets_in(one)
