"""The dialects are pure: what may not be imported is not imported, and nothing asks which provider it has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import grok_imagine.providers

ROOM = Path(grok_imagine.providers.__file__).parent
HEAVY = ("httpx", "aiohttp", "sqlalchemy", "alembic", "av", "PIL", "numpy", "torch", "comfy", "server", "requests")


def test_importing_the_dialects_imports_no_one_who_does_io() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(ROOM.parents[1])!r}); import grok_imagine.providers;"
        f"print(*sorted(set({HEAVY!r}) & {{name.split('.')[0] for name in sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []


def test_each_room_has_a_caption_and_a_fair_size() -> None:
    for file in ROOM.glob("*.py"):
        lines = file.read_text().splitlines()
        assert lines[0].startswith('"""'), file.name
        assert len(lines) <= 300, file.name


def test_nobody_asks_which_provider_it_has() -> None:
    for file in ROOM.parent.rglob("*.py"):
        if "sandbox" not in file.parts:
            source = file.read_text()
            assert "provider ==" not in source, file.name
            assert "provider.name ==" not in source, file.name
