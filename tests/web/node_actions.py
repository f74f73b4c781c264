"""What tests do with a node in the page, and what they read of it."""

from __future__ import annotations

from typing import Any

SET = """(node, name, value) => { const one = node.widgets.find(each => each.name === name);
    one.value = value; one.callback?.(value); }"""
STATUS = "node => node.widgets.find(one => one.name === 'grok_status').element"


async def status(page: Any, number: Any) -> str:
    return await page.node(number, f"node => ({STATUS})(node).textContent")


async def until(page: Any, number: Any, script: str, timeout: int = 30_000) -> None:
    """Wait until ``script``, a function of the node and its status's text, holds."""
    whole = f"""id => {{ const node = window.app.graph.getNodeById(id);
        return ({script})(node, ({STATUS})(node).textContent) }}"""
    await page.wait_for_function(whole, arg=number, timeout=timeout)


async def choose(page: Any, number: Any, name: str, value: Any) -> None:
    await page.node(number, SET, name, value)
    await page.quoted()


async def price(page: Any, number: Any) -> str:
    """What the node says of its price: the badge, or in the oldest Nodes 2.0 the status."""
    await page.quoted()
    script = "node => node.badges.map(one => (typeof one === 'function' ? one() : one).text).at(-1)"
    return await (status(page, number) if page.world == "oldest-vue" else page.node(number, script))


async def connect(page: Any, origin: Any, target: Any, slot: Any) -> None:
    script = "([a, b, slot]) => app.graph.getNodeById(a).connect(0, app.graph.getNodeById(b), slot)"
    await page.evaluate(script, [origin, target, slot])
