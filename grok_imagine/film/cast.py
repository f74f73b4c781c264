"""The cast of a film: names such as ``@anna`` for sets of images, found in prompts and rendered to image tokens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import MediaError, RequestError, Violation
from ..models import MediaInput
from .shots import Image, Member, Shot

# Letters of other scripts may follow a name directly, as Chinese has no spaces; see providers/image_tokens.py.
_TOKEN = re.compile(r"(?<![A-Za-z0-9_@])@(\w+)")
_IMAGE_TOKEN = re.compile(r"image[0-9]+", re.I)
_NAME = re.compile(r"[^\W\d]\w*")

Cast = Mapping[str, tuple[MediaInput, ...]]
"""The images of each name, in lower case."""


@dataclass(frozen=True)
class Mention:
    """A name in a prompt: where it stands, and the member it names; None if there is no such member."""

    start: int
    end: int
    member: str | None
    text: str


def find_mentions(prompt: str, cast: Iterable[str]) -> Iterator[Mention]:
    """Every ``@name`` of the prompt. Tokens such as ``@image1`` are not names."""
    names = sorted(cast, key=len, reverse=True)
    for match in _TOKEN.finditer(prompt):
        word = match[1]
        found = next((name for name in names if _starts_with_name(word, name)), None)
        if found is None and _IMAGE_TOKEN.match(word):
            continue
        end = match.start() + 1 + len(found or word)
        yield Mention(match.start(), end, found, prompt[match.start() : end])


def _starts_with_name(word: str, name: str) -> bool:
    rest = word[len(name) :]
    return word.casefold().startswith(name) and (not rest or not re.match(r"[A-Za-z0-9_]", rest))


def members_of(shot: Shot, cast: Iterable[str]) -> tuple[tuple[str, ...], list[Violation]]:
    """The members that a shot shows, in the order of its prompt, then its references; and its unknown names."""
    known = list(cast)
    mentions = list(find_mentions(shot.prompt, known))
    unknown = [one.text for one in mentions if one.member is None]
    names = [one.member for one in mentions if one.member is not None]
    for reference in shot.references:
        if reference.casefold() in known:
            names.append(reference.casefold())
        else:
            unknown.append(f"@{reference}")
    known_text = ", ".join(f"@{name}" for name in known) or "none yet"
    faults = [
        Violation("F4", f"line {shot.line}", f"{name[:40]} is not in the cast ({known_text})")
        for name in dict.fromkeys(unknown)
    ]
    return tuple(dict.fromkeys(names)), faults


def render(prompt: str, cast: Iterable[str], spell: Callable[[Mention], str]) -> str:
    """The prompt with every mention of a member spelled by ``spell``."""
    made, at = "", 0
    for mention in find_mentions(prompt, cast):
        if mention.member is not None:
            made += prompt[at : mention.start] + spell(mention)
            at = mention.end
    return made + prompt[at:]


async def load_cast(members: Iterable[Member], folder: Path, *, reads_files: bool) -> Cast:
    """Read the cast's images. Raises one RequestError with every wrong or repeated name and unreadable image."""
    cast: dict[str, tuple[MediaInput, ...]] = {}
    faults: list[Violation] = []
    for name, images in members:
        field, key = f"@{name[:40]}", name.casefold()
        if not _NAME.fullmatch(name) or _IMAGE_TOKEN.fullmatch(name):
            faults.append(Violation("F4", field, "is no name: use letters, digits and _, and not image1, image2 ..."))
        elif key in cast:
            faults.append(Violation("F4", field, "is in the cast twice; rename one"))
        elif not images:
            faults.append(Violation("F4", field, "has no image"))
        cast[key] = ()
        for image in images:
            try:
                cast[key] += (await _load(image, folder, reads_files=reads_files),)
            except MediaError as error:
                faults.append(Violation("F4", field, str(error)))
    if faults:
        raise RequestError("The cast cannot be used. Nothing was sent or charged.", faults)
    return cast


async def _load(image: Image, folder: Path, *, reads_files: bool) -> MediaInput:
    if not isinstance(image, str) or "://" in image or image.startswith("data:"):
        return image
    if not reads_files:
        raise MediaError(f"{image[:80]!r} is not a URL, and local files are not allowed here")
    from ..media.images.encode import read_image

    return await asyncio.to_thread(read_image, folder / image)
