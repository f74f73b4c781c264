"""Redacts secrets from a shareable report: keys, passwords, URL queries, the user's name in paths."""

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

SHOWN_CHARACTERS = 4
"""How many of a key's last characters are shown, so that its owner recognizes it."""
_SHORTEST_SHOWN_KEY = 16
"""Shorter keys are hidden completely: four characters would reveal too much of them."""


def home_spellings() -> tuple[str, ...]:
    """The home folder's path and its resolved form, longest first. Empty if it is the root of the disk."""
    try:
        spellings = {str(Path.home()), str(Path.home().resolve())}
    except (RuntimeError, OSError):
        return ()
    return tuple(sorted((path for path in spellings if len(Path(path).parts) > 1), key=len, reverse=True))


@dataclass(frozen=True)
class Anonymizer:
    """Removes secrets, home folders and line breaks from texts."""

    secrets: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Host, user and database of the journal's server; hidden where they are whole words."""
    homes: tuple[str, ...] = field(default_factory=home_spellings)

    @classmethod
    def from_settings(cls, settings: Settings, profiles: Mapping[str, Profile]) -> Anonymizer:
        """An anonymizer that knows every secret in the settings and in the providers' own variables."""
        secrets = set(_secrets_in(settings))
        secrets |= {each.key.get_secret_value() for each in profiles.values() if each.key and not each.is_sandbox}
        names: tuple[str, ...] = ()
        if settings.database_url is not None:
            password, *others = database.describe_url(settings.database_url)
            secrets.add(password)
            names = tuple(filter(None, others))
        return cls(
            tuple(sorted((secret for secret in secrets if len(secret) >= SHOWN_CHARACTERS), key=len, reverse=True)),
            names,
        )

    def clean(self, text: str) -> str:
        """The text without secrets, on one line, at most 1000 characters."""
        text = redact(" ".join(text.split()), *self.secrets, limit=1000)
        for home in self.homes:
            text = re.sub(rf"(?<![\w.-]){_path_pattern(home)}(?![\w.-])", "~", text)
        return text

    def clean_server_text(self, text: str) -> str:
        """Like :meth:`clean`, for messages of the journal's server, which contain its host, user and database."""
        for name in self.names:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", HIDDEN, text)
        return self.clean(text)


def _path_pattern(home: str) -> str:
    """A pattern for the path. Windows paths match in any case and with either slash, also doubled as in JSON."""
    if "\\" not in home:
        return re.escape(home)
    return "(?i:" + r"[\\/]+".join(re.escape(part) for part in home.split("\\")) + ")"


def mask_key(secret: str) -> str:
    """The key's last characters, or only its length if it is short."""
    return (
        f"…{secret[-SHOWN_CHARACTERS:]}"
        if len(secret) >= _SHORTEST_SHOWN_KEY
        else f"{HIDDEN} ({len(secret)} characters)"
    )


def _secrets_in(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_in(getattr(value, name, None))
    elif isinstance(value, Mapping):
        for item in cast("Mapping[Any, Any]", value).values():
            yield from _secrets_in(item)
