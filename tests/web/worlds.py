"""Front ends and renderers that the page is tried in. Those of the oldest front end are slow, unless they differ."""

from __future__ import annotations

import pytest

FRONTENDS = {"oldest": "1.39.14", "newest": "1.58.1"}
"""The front end of ComfyUI 0.14.1, the oldest supported, and the newest one that is published."""
OLDEST_CANVAS = pytest.param("oldest-canvas", marks=pytest.mark.slow)
OLDEST_VUE = pytest.param("oldest-vue", marks=pytest.mark.slow)
NEWEST_CANVAS, NEWEST_VUE = "newest-canvas", "newest-vue"
WORLDS = (OLDEST_CANVAS, NEWEST_VUE)
"""Front end and renderer: what is oldest and what is newest, for tests that do not name their own."""
EVERYWHERE = (OLDEST_CANVAS, OLDEST_VUE, pytest.param(NEWEST_CANVAS, marks=pytest.mark.slow), NEWEST_VUE)
"""Where each pair can differ."""
