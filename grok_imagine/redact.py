"""Keeps secrets out of texts: what looks like a key goes, and every URL loses its query, where signatures live."""

from __future__ import annotations

import re

HIDDEN = "[hidden]"

# The prefixes are those of the providers' own key formats; 8 more characters keep words like "sk-" readable.
_KEY = re.compile(r"\b(?:rk_live_|sk-|aio_|xai-)[A-Za-z0-9_\-]{8,}")
_BEARER = re.compile(r"(?i)\bbearer\s+[^\s\"',;]+")
_QUERY = re.compile(r"(https?://[^\s\"'<>?#]+)[?#][^\s\"'<>]*")
_TOKEN_PATH = re.compile(r"(/public/)[A-Za-z0-9_-]{20,}")
_USERINFO = re.compile(r"(https?://)[^\s/@\"'<>]+@")


def redact(text: str, *secrets: str, limit: int = 500) -> str:
    """``text`` without keys, bearer tokens, URL queries and ``secrets``, cut to ``limit`` characters."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    text = _BEARER.sub(f"Bearer {HIDDEN}", text)
    text = _KEY.sub(HIDDEN, text)
    text = _TOKEN_PATH.sub(rf"\1{HIDDEN}", text)
    text = _USERINFO.sub(r"\1", text)
    text = _QUERY.sub(r"\1?" + HIDDEN, text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
