"""The canonical ``@image1`` in a prompt: found, checked against the images, and spelled as a dialect wants it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ..errors import Violation
from ..models import VideoRequest

# A run of them, as in "@image1@image2"; letters of other scripts may follow directly, as Chinese has no spaces.
_RUN = re.compile(r"(?<![A-Za-z0-9_@])(?:@[Ii]mage[0-9]+)+(?![A-Za-z0-9_])")
_ONE = re.compile(r"@[Ii]mage([0-9]+)")


def find(prompt: str) -> Iterator[tuple[str, int]]:
    """Every token of the prompt: as it is written, and its number."""
    for run in _RUN.finditer(prompt):
        for one in _ONE.finditer(run.group()):
            yield one.group(), _number(one.group(1))


def render(prompt: str, spell: Callable[[int], str]) -> str:
    """The prompt with every token spelled by ``spell``; the rest is untouched."""
    return _RUN.sub(lambda run: _ONE.sub(lambda one: spell(_number(one.group(1))), run.group()), prompt)


def _number(digits: str) -> int:
    return int(digits[-9:]) if not digits[:-9].strip("0") else 10**9


def check(request: VideoRequest, *, documented: bool) -> Iterator[Violation]:
    """C7: every ``@imageN`` must name an image that is there; only a warning where tokens mean nothing."""
    count = len(request.reference_images)
    for token, number in dict(find(request.prompt)).items():
        if 1 <= number <= count:
            continue
        have = {0: "no image is connected", 1: "there is only one image"}.get(count, f"there are only {count} images")
        way_out = "the provider takes it as plain text" if not documented else f"connect it, or remove {token[:40]}"
        message = f"{token[:40]} names no image: {have}; {way_out}"
        values = {"token": token[:40], "number": number}
        is_warning = not documented
        yield Violation("C7", "prompt", message, is_warning=is_warning, reason="token_lost", values=values)
