"""Keeps secrets out of texts: what looks like a key goes, and every URL loses its query, where signatures live."""

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
_FIRST = 12
_LONG = 20
"""Of a secret of at least so many characters the first twelve are hidden too: servers like to name a key by them."""


def conceal(text: str, secret: str) -> str:
    """``text`` without ``secret``, however it is spelt: plain, escaped for JSON or a URL, in base64, cut short."""
    if not secret:
        return text
    patterns = [_spelt(secret), *_packed(secret)]
    if len(secret) >= _LONG:
        patterns.append(_spelt(secret[:_FIRST]) + r"[\w*.\-]*")
    return re.sub("|".join(patterns), HIDDEN, text, flags=re.IGNORECASE)


def _spelt(secret: str) -> str:
    """A pattern in which each character may be escaped by itself, as encoders differ in which ones they escape."""
    return "".join(
        rf"(?:\\{{0,3}}{re.escape(one)}|%{ord(one):02x}|\\{{1,3}}u{ord(one):04x}|&#{ord(one)};)" for one in secret
    )


def _packed(secret: str) -> list[str]:
    """Patterns of the secret inside of base64, which looks different by how many bytes stand before it."""
    if len(secret) < _FIRST:
        return []
    found: list[str] = []
    for before in range(3):
        text = base64.b64encode(bytes(before) + secret.encode()).decode()
        # Neighbours share the first and the last group of four.
        inner = text[4 if before else 0 : -4]
        found.append(re.escape(inner).replace(r"\+", "[+-]").replace("/", "[/_]"))
    return found


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
