"""How a leak is looked for: a key in every spelling it could take, in texts, errors with their causes, and files."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus

FIRST = 12
"""So many characters from a key's beginning are looked for by themselves: half a key is a leak, too."""


def spellings(secret: str) -> set[bytes]:
    """The key raw, escaped for JSON, a URL and base64 (wherever it stands in the encoded text), and its beginning."""
    found = {secret, json.dumps(secret)[1:-1], secret.replace("/", "\\/"), quote(secret, safe=""), quote_plus(secret)}
    found |= {repr(secret.encode())[2:-1], secret[:FIRST]}
    for before in range(3):  # base64 has three looks, by what stands before
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"\0" * before + secret.encode()).decode()
            found.add(whole[4 * bool(before) : len(whole) // 4 * 4 - 4])
    return {one.encode() for one in found}


def told_of(error: BaseException) -> list[str]:
    """All that an error tells whoever prints it: itself, what is attached to it, its causes, its traceback."""
    texts = ["".join(traceback.format_exception(error))]
    seen: BaseException | None = error
    while seen is not None:
        texts += [str(seen), repr(seen), repr(seen.args), repr(vars(seen))]
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return texts


def logged(records: Iterable[logging.LogRecord]) -> list[str]:
    """The records as a handler writes them, tracebacks and all."""
    plain = logging.Formatter("%(name)s %(message)s")
    return [plain.format(record) for record in records]


def listen_to_all() -> None:
    """Every logger that there is, at DEBUG; those made later inherit it from the root."""
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).setLevel(logging.DEBUG)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below, but the one where keys belong."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "settings.json"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def leaks(secrets: Iterable[str], texts: Iterable[str] = (), files: dict[str, bytes] | None = None) -> list[str]:
    """Where a secret shows, in upper or lower case, with what stands around it."""
    sought = [one.lower() for secret in secrets for one in spellings(secret)]
    places = {f"text {number}": text.encode("utf-8", "replace") for number, text in enumerate(texts)}
    found: list[str] = []
    for place, data in {**places, **(files or {})}.items():
        for one in sought:
            if (at := data.lower().find(one)) >= 0:
                found.append(f"{place}: {data[max(0, at - 80) : at + 60]!r}")
                break
    return found
