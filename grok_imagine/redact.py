"""Removes secrets from texts: known secrets, anything that looks like a key, and URL queries (signatures)."""

from __future__ import annotations

import base64
import re

HIDDEN = "[hidden]"

# The prefixes are those of the providers' own key formats; 8 more characters keep words like "sk-" readable.
_KEY = re.compile(r"\b(?:rk_live_|sk-|aio_|xai-)[A-Za-z0-9_\-]{8,}")
_BEARER = re.compile(r"(?i)\bbearer\s+[^\s\"',;]+")
_QUERY = re.compile(r"(https?://[^\s\"'<>?#]+)[?#][^\s\"'<>]*")
_TOKEN_PATH = re.compile(r"(/(?:public|callback)/)[A-Za-z0-9_-]{20,}")
_USERINFO = re.compile(r"(https?://)[^\s/@\"'<>]+@")
_PREFIX_LENGTH = 12
_LONG_SECRET = 20
"""For secrets of at least this length the first 12 characters are hidden too, as servers often quote those."""


def conceal(text: str, secret: str) -> str:
    """``text`` without ``secret`` in any form: plain, escaped for JSON or a URL, in base64, or truncated."""
    if not secret:
        return text
    patterns = [_escaped_pattern(secret), *_base64_patterns(secret)]
    if len(secret) >= _LONG_SECRET:
        patterns.append(_escaped_pattern(secret[:_PREFIX_LENGTH]) + r"[\w*.\-]*")
    return re.sub("|".join(patterns), HIDDEN, text, flags=re.IGNORECASE)


def _escaped_pattern(secret: str) -> str:
    """A pattern in which each character may be escaped, since encoders escape different ones."""
    return "".join(
        rf"(?:\\{{0,3}}{re.escape(char)}|%{ord(char):02x}|\\{{1,3}}u{ord(char):04x}|&#{ord(char)};)" for char in secret
    )


def _base64_patterns(secret: str) -> list[str]:
    """Patterns for the secret within base64, one for each possible alignment to groups of three bytes."""
    if len(secret) < _PREFIX_LENGTH:
        return []
    patterns: list[str] = []
    for before in range(3):
        text = base64.b64encode(bytes(before) + secret.encode()).decode()
        # The first and the last group of four may also encode neighbouring bytes.
        inner = text[4 if before else 0 : -4]
        patterns.append(re.escape(inner).replace(r"\+", "[+-]").replace("/", "[/_]"))
    return patterns


def redact(text: str, *secrets: str, limit: int = 500) -> str:
    """``text`` without keys, bearer tokens, URL queries and ``secrets``, cut to ``limit`` characters."""
    for secret in secrets:
        text = conceal(text, secret)
    text = _BEARER.sub(f"Bearer {HIDDEN}", text)
    text = _KEY.sub(HIDDEN, text)
    text = _TOKEN_PATH.sub(rf"\1{HIDDEN}", text)
    text = _USERINFO.sub(r"\1", text)
    text = _QUERY.sub(r"\1?" + HIDDEN, text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
