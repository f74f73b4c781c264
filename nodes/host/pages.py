"""The pages that events are sent to, and whose they are.

ComfyUI's websocket is open to every Host, and to every user. So nothing is broadcast: a page gets events once it has
registered itself through a route, which refuses foreign pages.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from . import prompt_server

_MOST_PAGES = 1000


@dataclass(frozen=True)
class Page:
    """An open page. ``user`` is ComfyUI's user id with --multi-user, else empty; ``is_here``: on this machine."""

    user: str
    is_here: bool


_pages: OrderedDict[str, Page] = OrderedDict()
"""By ComfyUI's client id."""


def add(client_id: str, page: Page) -> None:
    """Remember a page. Once there are too many, forget the one seen longest ago."""
    _pages[client_id] = page
    _pages.move_to_end(client_id)
    while len(_pages) > _MOST_PAGES:
        _pages.popitem(last=False)


def is_known(client_id: str | None) -> bool:
    """Whether that page shows node statuses. Other clients get a plain progress text."""
    return client_id in _pages


def user_of_page(client_id: str | None) -> str:
    """The user of that page; empty if unknown, or without --multi-user."""
    page = _pages.get(client_id or "")
    return page.user if page else ""


def user_of(headers: Mapping[str, str]) -> str:
    """ComfyUI's user id of a request with --multi-user, else empty. Raises KeyError for an unknown user."""
    from comfy.cli_args import args

    if not args.multi_user:
        return ""
    return prompt_server.instance().user_manager.get_request_user_id(SimpleNamespace(headers=headers))


def announce(event: str) -> None:
    """Send an event without content to every page. From any thread; returns at once."""
    for client_id in tuple(_pages):
        prompt_server.send(event, {}, client_id)


def publish(event: str, message: dict[str, Any]) -> None:
    """Send a message to the pages of the user for whom this task works. From any thread; returns at once."""
    from ...grok_imagine.jobs.progress import USER_ID

    user = USER_ID.get()
    for client_id, page in tuple(_pages.items()):
        if page.user == user or (not user and page.is_here):
            prompt_server.send(event, message, client_id)
