"""The text of a sound provider file, which tests change line by line."""

from __future__ import annotations

SOUND = """name = "acme"
label = "Acme"
base_url = "https://api.acme.example"
key = { variable = "ACME_API_KEY" }
poll_schedule = [[0, 5]]
result_lifetime_hours = 24
poll = "/v1/jobs/{task_id}"

[[capabilities]]
model = "text"
mode = "text_to_video"

[[capabilities]]
model = "image"
mode = "image_to_video"

[submit]
path = "/v1/jobs"

[submit.body]
prompt = "{prompt}"

[read]
task_id = ["id"]
video = ["url"]
"""


def with_line(line: int, instead: str) -> str:
    """SOUND with another text in place of one of its lines, counted from 1."""
    lines = SOUND.splitlines()
    lines[line - 1] = instead
    return "\n".join(lines)
