"""Faults of the sandbox that look wrong to the engine and are not: it must read them or wait them out."""

from __future__ import annotations

LOOKS = [
    ("status=succeeded", "reapi"),
    ("status-running=generating", "aivideoapi"),
    ("no-status", "xai"),
    ("shape-b", "apiinone"),
    ("legacy", "openai_videos"),
    ("fail-reason-url", "openai_videos"),
    ("third", "openai_videos"),
    ("sibling", "openai_videos"),
    ("no-url", "openai_videos"),
    ("wrapped", "reapi"),
    ("result-json", "apiinone"),
    ("nested-url", "reapi"),
    ("empty-error", "openai_videos"),
    ("404@poll*2", "reapi"),
    ("503@poll*3", "reapi"),
    ("429@poll*2", "aivideoapi"),
    ("truncated-json@poll*2", "xai"),
    ("empty-202@poll*2", "xai"),
    ("drop-before@poll*2", "openai_videos"),
    ("cut", "reapi"),
    ("503@cdn", "reapi"),
]
