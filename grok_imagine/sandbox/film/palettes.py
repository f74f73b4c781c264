"""Twelve lights to film in, and what a prompt's own words say about which to choose."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """One light: its colours, its weather, and the words that ask for it."""

    name: str
    sky: tuple[str, ...]
    """From the zenith to the horizon."""
    light: str
    """The disc of the sun or moon."""
    glow: str
    near: str
    """The nearest silhouettes."""
    night: bool = False
    particles: str = "dust"
    words: tuple[str, ...] = ()


PALETTES: tuple[Palette, ...] = (
    Palette(
        "ember",
        ("#191a44", "#4b2c74", "#a8477f", "#f0815f", "#ffcb8a"),
        "#fff1cf",
        "#ff9a55",
        "#140d26",
        words=("sunset", "dusk", "evening", "warm"),
    ),
    Palette(
        "rose dawn",
        ("#3f63a0", "#7f9bd0", "#d9aecb", "#ffcbb5", "#fff0d8"),
        "#fffaf0",
        "#ffc9a0",
        "#2a2c52",
        words=("dawn", "morning", "sunrise", "pink", "girl", "flower"),
    ),
    Palette(
        "deep night",
        ("#040818", "#0a1636", "#173058", "#32588a", "#6f93bd"),
        "#f3f6ff",
        "#9dbdf0",
        "#030611",
        night=True,
        particles="firefly",
        words=("night", "moon", "star", "space", "dream"),
    ),
    Palette(
        "aurora",
        ("#030b18", "#06203a", "#0b4552", "#1c7c74", "#79cfae"),
        "#eafff6",
        "#7ff0c4",
        "#02090f",
        night=True,
        particles="snow",
        words=("aurora", "north", "magic", "alien"),
    ),
    Palette(
        "high summer",
        ("#2f78bd", "#66a6da", "#a4d0ea", "#dcecea", "#fff5da"),
        "#fffdf2",
        "#fff0c0",
        "#17364a",
        words=("summer", "beach", "day", "sunny", "sunlit", "ocean", "sea", "dog", "kite"),
    ),
    Palette(
        "amber desert",
        ("#2f5f92", "#7ba3c0", "#e3c49a", "#f4a866", "#ffd79a"),
        "#fff6dd",
        "#ffc27a",
        "#54220f",
        words=("desert", "sand", "dune", "canyon", "gold", "golden"),
    ),
    Palette(
        "violet mist",
        ("#231642", "#46367a", "#7d62a8", "#bf97c6", "#f1d2dc"),
        "#fff3fb",
        "#e7b4e0",
        "#150c2c",
        particles="firefly",
        words=("mist", "violet", "purple", "fantasy", "cat", "piano"),
    ),
    Palette(
        "jade morning",
        ("#1b555f", "#468f8c", "#93c9b0", "#dcebc8", "#fff8dc"),
        "#fffef0",
        "#f2f0b8",
        "#0b282c",
        words=("forest", "jungle", "green", "garden", "tree", "spring"),
    ),
    Palette(
        "storm",
        ("#17222e", "#314656", "#5f7887", "#9bb0b6", "#dce3dc"),
        "#f6faf6",
        "#cfdcd8",
        "#0b1219",
        particles="rain",
        words=("storm", "rain", "grey", "gray", "city", "street"),
    ),
    Palette(
        "crimson",
        ("#220c1e", "#571428", "#a3273b", "#ec5a3e", "#ffb868"),
        "#ffeccb",
        "#ff7a45",
        "#150510",
        words=("fire", "red", "lava", "dragon", "battle", "robot"),
    ),
    Palette(
        "snow moon",
        ("#0b1630", "#203c68", "#5079a8", "#9dbcd9", "#e6eef6"),
        "#ffffff",
        "#d5e6fa",
        "#14233c",
        night=True,
        particles="snow",
        words=("snow", "winter", "ice", "mountain", "cold"),
    ),
    Palette(
        "tidal teal",
        ("#0d2038", "#13506a", "#2d8f97", "#8fcdbd", "#f6e7c1"),
        "#fff8e4",
        "#ffdf9e",
        "#07161f",
        words=("lake", "river", "island", "boat", "underwater", "fish"),
    ),
)


def choose(prompt: str, pick: int) -> Palette:
    """By a word of the prompt if one names a light, else by the seed."""
    words = set(re.findall(r"[a-z]+", prompt.lower()))
    words |= {word[:-1] for word in words if word.endswith("s")}
    fitting = [palette for palette in PALETTES if words.intersection(palette.words)]
    return (fitting or PALETTES)[pick % len(fitting or PALETTES)]
