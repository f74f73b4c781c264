"""Provider files: what is wrong is named with its line and field, and the guide's example is a whole file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grok_imagine.errors import SettingsError
from grok_imagine.models import VideoRequest
from grok_imagine.providers import PROVIDERS, Provider, PublicUrls
from grok_imagine.providers.definition_file import LONGEST_FILE, parse

from .provider_text import SOUND, with_line

GUIDE = Path(__file__).parents[2] / "docs" / "provider-files.md"
FAULTS = [
    # (line of SOUND that is replaced, what stands there instead, what the error says)
    (1, 'name = "Acme"', "line 1, name: String should match pattern"),
    (1, "", "line 1, name: Field required"),
    (2, 'label = ""', "line 2, label: String should have at least 1 character"),
    (3, 'base_url = "http://api.acme.example"', "line 3, base_url: must be a public https URL; it is not https"),
    (3, 'base_url = "https://10.0.0.1"', "line 3, base_url: must be a public https URL; it"),
    (3, 'base_url = "file:///etc/passwd"', "line 3, base_url: must be a public https URL; it is a file: URI"),
    (4, 'key = { variable = "acme-key" }', "line 4, key.variable: String should match pattern"),
    (4, 'key = { variable = "ACME_API_KEY", secret = "x" }', "line 4, key.secret: Extra inputs are not permitted"),
    (4, 'key = { variable = "ACME_API_KEY", header = "X: y" }', "line 4, key.header: String should match pattern"),
    (5, "poll_schedule = []", "line 5, poll_schedule: Tuple should have at least 1 item"),
    (5, "poll_schedule = [[5, 5]]", "line 5, poll_schedule: must begin at age 0 and rise"),
    (5, "poll_schedule = [[0, 0.01]]", "line 5, poll_schedule: must begin at age 0 and rise"),
    (6, "result_lifetime_hours = 0", "line 6, result_lifetime_hours: Input should be greater than 0"),
    (6, 'result_lifetime_hours = "long"', "line 6, result_lifetime_hours: Input should be a valid integer"),
    (7, 'poll = "/v1/jobs"', "line 7, poll: must hold {task_id} once"),
    (7, 'poll = "//evil.example/{task_id}"', "line 7, poll: String should match pattern"),
    (7, 'poll = "/../{task_id}"', "line 7, poll: String should match pattern"),
    (7, 'poll = "https://evil.example/{task_id}"', "line 7, poll: String should match pattern"),
    (8, "colour = 1", "line 8, colour: Extra inputs are not permitted"),
    (11, 'mode = "text_to_audio"', "line 11, capabilities.0.mode: Input should be"),
    (15, 'mode = "dance"', "line 15, capabilities.1.mode: Input should be"),
    (14, "", "line 13, capabilities.1.model: Field required"),
    (15, 'mode = "image_to_video"\nmax_image = 3', "line 16, capabilities.1.max_image: Unexpected keyword argument"),
    (
        15,
        'mode = "text_to_video"\n[[capabilities]]\nmodel = "text"\nmode = "text_to_video"',
        "line 17, capabilities.2.model: the same model has the same mode twice",
    ),
    (18, 'path = "v1/jobs"', "line 18, submit.path: String should match pattern"),
    (21, 'prompt = "{promt}"', "line 21, submit.body.prompt: {promt} is no placeholder; choose from aspect_ratio"),
    (
        21,
        'prompt = "say {prompt}"',
        "line 21, submit.body.prompt: 'say {prompt}': a placeholder must be",
    ),
    (24, "task_id = []", "line 24, read.task_id: Tuple should have at least 1 item"),
    (25, 'video = ["a..b"]', "line 25, read.video.0: String should match pattern"),
    (25, 'video = "url"', "line 25, read.video: Input should be a valid tuple"),
    (25, 'video = ["url"]\n[errors.codes]\nbroke = ["1"]', "line 27, errors.codes.broke"),
    (25, 'video = ["url"', "is not TOML"),
    (25, 'name = "twice"\nname = "twice"', "is not TOML"),
]


@pytest.mark.parametrize(("line", "instead", "said"), FAULTS)
def test_a_fault_is_named_with_its_line_and_field(line: int, instead: str, said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)) as caught:
        parse(with_line(line, instead), source="acme.toml")
    assert str(caught.value).startswith("acme.toml")


def test_the_file_without_faults_is_a_provider() -> None:
    provider = Provider(parse(SOUND, source="acme.toml"))
    call = provider.submit(VideoRequest(prompt="a boat"), PublicUrls())
    assert (call.target, call.body) == ("/v1/jobs", {"prompt": "a boat"})
    assert provider.poll("a/b").target == "/v1/jobs/a%2Fb"


def test_every_fault_is_named_at_once() -> None:
    text = SOUND.replace('"acme"', '"Acme"').replace("[[0, 5]]", "[]").replace('["id"]', "[]")
    with pytest.raises(SettingsError) as caught:
        parse(text, source="acme.toml")
    assert all(
        found in str(caught.value) for found in ("line 1, name", "line 5, poll_schedule", "line 24, read.task_id")
    )
    assert str(caught.value).count("\n  - ") == 3


@pytest.mark.parametrize("text", ["#" * (LONGEST_FILE + 1), "a = " + "[" * 5000 + "]" * 5000, "", "\0"])
def test_what_is_too_large_too_deep_or_empty_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"acme\.toml"):
        parse(text, source="acme.toml")


def test_the_guide_s_example_is_a_whole_file() -> None:
    (example, *_rest) = re.findall(r"```toml\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    provider = Provider(parse(example, source="guide"))
    request = VideoRequest(prompt="a boat", resolution="720p", duration_seconds=4)
    assert provider.submit(request, PublicUrls()).body == {
        "model": "grok-imagine-text",
        "input": {"prompt": "a boat", "seconds": 4, "quality": "720p"},
    }
    cost = provider.estimate(request, provider.check(request).capability)
    assert cost is not None
    assert str(cost.usd) == "0.16"


def test_the_guide_names_every_placeholder() -> None:
    from grok_imagine.providers.body import NAMES

    assert {name for name in NAMES if f"`{{{name}}}`" not in GUIDE.read_text("utf-8")} == set()


def test_every_file_here_is_named_and_listed() -> None:
    folder = Path(__file__).parents[2] / "grok_imagine" / "providers" / "definitions"
    assert {path.stem for path in folder.glob("*.toml")} == set(PROVIDERS)
    assert all(provider.name == name for name, provider in PROVIDERS.items())
