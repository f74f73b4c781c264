"""Grok Imagine: Upload Media: images to public URLs, each content once, in their order."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest
import torch


async def test_a_batch_becomes_one_url_for_each_image(run: Any, sandbox: Any) -> None:
    before = sandbox.uploads
    batch = torch.stack([torch.full((32, 48, 3), value) for value in (0.1, 0.9, 0.1)])
    urls, first = await run("GIVUploadMedia", connection="sandbox", image=batch)
    listed = urls.split("\n")
    assert len(listed) == 3
    assert listed[0] == listed[2] == first != listed[1]
    assert sandbox.uploads - before == 2
    with urllib.request.urlopen(first) as answer:
        assert answer.read(8) == b"\x89PNG\r\n\x1a\n"
    assert sandbox.submits == 0


async def test_nothing_connected_is_said(run: Any) -> None:
    with pytest.raises(Exception, match="Connect an image or a video"):
        await run("GIVUploadMedia", connection="sandbox")
