"""The CHUNK value that passes from Split Video into Chunks to Join Video Chunks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from comfy_api.latest import io

if TYPE_CHECKING:
    from ...grok_imagine.media.mux.chunks import Chunk

CHUNK = io.Custom("GIV_CHUNK")


@dataclass(frozen=True)
class ChunkRef:
    """Which chunk of which video this is, and which node loads the next one."""

    chunk: Chunk
    source: Path
    rate: Fraction
    size: int
    split_id: str

    @property
    def key(self) -> str:
        """The same for every chunk of one file that is split in the same way."""
        stat = self.source.stat()
        return json.dumps([str(self.source), stat.st_mtime_ns, stat.st_size, self.size, self.chunk.count])
