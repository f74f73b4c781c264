"""What happens on a node, in each front end and renderer."""

from __future__ import annotations

from typing import Any


async def test_a_new_node_is_there(page: Any) -> None:
    await page.open()
    number = await page.add("GIVTextToVideo")
    names = await page.node(number, "node => node.widgets.filter(one => one.serialize !== false).map(one => one.name)")
    assert names[:8] == [
        "connection",
        "model",
        "prompt",
        "resolution",
        "aspect_ratio",
        "duration",
        "motion_mode",
        "seed",
    ]
