"""Provider files of users: they become providers, and a hostile or broken one is refused with its line and reason."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from grok_imagine.errors import SettingsError
from grok_imagine.providers.definition_file import LONGEST_FILE
from grok_imagine.providers.registry import NAMES, Providers
from grok_imagine.providers.user_files import FOLDER, provider_of

from .provider_text import SOUND, with_line


def put(home: Path, text: str, name: str = "acme.toml") -> Path:
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, "utf-8")
    return path


HOSTILE = [
    # where the key would go
    (3, 'base_url = "https://user:pass@api.acme.example"', "line 3, base_url"),
    (3, 'base_url = "https://localhost"', "line 3, base_url"),
    (3, 'base_url = "https://169.254.169.254"', "line 3, base_url"),
    (3, 'base_url = "https://[::1]"', "line 3, base_url"),
    (3, 'base_url = "https://0x7f000001"', "line 3, base_url"),
    (3, 'base_url = "javascript:alert(1)"', "line 3, base_url"),
    (3, 'base_url = "https://api.acme.example\\n.evil.example"', "line 3, base_url"),
    (3, 'pricing_url = "javascript:alert(1)"', "line 3, pricing_url"),
    (4, 'key = { variable = "ACME_API_KEY", header = "Host" }', "line 4, key.header: Host is not a header for a key"),
    (4, 'key = { variable = "ACME_API_KEY", header = "cookie" }', "line 4, key.header: cookie is not a header"),
    (4, 'key = { variable = "ACME_API_KEY", header = "Content-Length" }', "line 4, key.header"),
    (4, 'key = { variable = "ACME_API_KEY", header = "Transfer-Encoding" }', "line 4, key.header"),
    (4, 'key = { variable = "ACME_API_KEY", scheme = "Bearer\\r\\nHost: evil" }', "line 4, key.scheme"),
    (4, 'key = { variable = "ACME_API_KEY", prefix = "a b" }', "line 4, key.prefix"),
    (4, 'key = { variable = "ACME_API_KEY", value = "sk-1234" }', "line 4, key.value: Extra inputs"),
    (7, 'poll = "/v1/../../admin/{task_id}"', "line 7, poll"),
    (7, 'poll = "/v1/%2e%2e/{task_id}"', "line 7, poll"),
    (7, 'poll = "/v1/{task_id}/../x"', "line 7, poll"),
    (7, 'poll = "@evil.example/{task_id}"', "line 7, poll"),
    (7, 'poll = "/v1/{task_id}#x"', "line 7, poll"),
    (7, 'content = "https://evil.example/{task_id}"', "content"),
    (18, 'path = "/v1/jobs/../../billing"', "line 18, submit.path"),
    (18, 'path = "/v1/jobs?admin=1"', "line 18, submit.path"),
    # what is shown, counted and sent
    (2, 'label = "Acme\\u001b[31m"', "line 2, label: must be printable text"),
    (2, 'label = "Acme\\nxAI"', "line 2, label: must be printable text"),
    (2, f'label = "{"A" * 300}"', "line 2, label"),
    (5, "poll_schedule = [[0, nan]]", "line 5, poll_schedule"),
    (5, "poll_schedule = [[0, 5], [inf, 9]]", "line 5, poll_schedule"),
    (5, f"poll_schedule = [{', '.join(f'[{n}, 5]' for n in range(50))}]", "line 5, poll_schedule"),
    (6, "result_lifetime_hours = 999999999999", "line 6, result_lifetime_hours"),
    (8, "longest_job_hours = 99999999", "line 8, longest_job_hours"),
    (10, 'model = "text\\nX-Evil: 1"', "line 10, capabilities.0.model"),
    (11, 'mode = "text_to_video"\nprice = { usd_per_credit = -1, per_clip = 5 }', "line 12, capabilities.0.price"),
    (11, 'mode = "text_to_video"\nprice = { usd_per_credit = 1, per_clip = nan }', "line 12, capabilities.0.price"),
    (11, 'mode = "text_to_video"\nprice = { usd_per_credit = 1e9, per_clip = 5 }', "line 12, capabilities.0.price"),
    (11, 'mode = "text_to_video"\nduration = { shortest = 9, longest = 3 }', "line 12, capabilities.0.duration"),
    (11, 'mode = "text_to_video"\nduration = { shortest = 0, longest = 99999 }', "line 12, capabilities.0.duration"),
    (11, 'mode = "text_to_video"\nresolutions = ["480p; rm -rf"]', "line 12, capabilities.0.resolutions"),
    (11, 'mode = "text_to_video"\ndefault_resolution = "4k"', "line 12, capabilities.0.default_resolution"),
    (15, 'mode = "image_to_video"\nmax_images = 1000000', "line 16, capabilities.1.max_images"),
    (15, 'mode = "image_to_video"\nmin_images = 3\nmax_images = 1', "line 17, capabilities.1.max_images"),
    (21, 'prompt = "{prompt}"\nwhen = 2026-01-01', "line 22, submit.body.when: 2026-01-01 cannot be sent as JSON"),
    (21, 'prompt = "{prompt}"\nhuge = inf', "line 22, submit.body.huge"),
    (21, 'prompt = "{prompt}"\nkey = "{api_key}"', "line 22, submit.body.key: {api_key} is no placeholder"),
    (21, 'prompt = "{prompt}"\nx = "${HOME} {env}"', "line 22, submit.body.x"),
    (21, f'prompt = "{{prompt}}"\ndeep = {"[" * 12}1{"]" * 12}', "line 22, submit.body.deep: is nested more than"),
    (21, f'prompt = "{{prompt}}"\n{".".join("a" * 12)} = 1', "submit.body.a: is nested more than"),
    (24, 'task_id = ["a.b.c.d.e.f.g.h.i.j"]', "line 24, read.task_id"),
    (24, 'task_id = ["__class__.x["]', "line 24, read.task_id"),
    # names
    (1, 'name = "xai"', "line 1, name"),
    (1, 'name = "../../etc/passwd"', "line 1, name"),
    (1, 'name = "sandbox"', "line 1, name"),
    (1, 'name = "other"', "line 1, name: must be 'acme', as the file"),
]


@pytest.mark.parametrize(("line", "instead", "said"), HOSTILE, ids=lambda one: str(one)[:60])
def test_a_hostile_file_is_refused_with_line_and_reason(line: int, instead: str, said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)) as caught:
        provider_of(with_line(line, instead), "acme.toml", NAMES)
    assert str(caught.value).startswith("acme.toml")


@pytest.mark.parametrize("name", [*NAMES, "sandbox"])
def test_a_name_of_the_pack_cannot_be_taken(name: str) -> None:
    with pytest.raises(SettingsError, match=r"line 1, name: .* is taken"):
        provider_of(SOUND.replace('"acme"', f'"{name}"'), f"{name}.toml", NAMES)


def test_a_user_s_file_is_a_provider_beside_those_of_the_pack(tmp_path: Path) -> None:
    put(tmp_path, SOUND)
    providers = Providers(tmp_path)
    assert list(providers) == [*NAMES, "acme"]
    assert (len(providers), providers["acme"].label, providers.faulty) == (len(NAMES) + 1, "Acme", {})


def test_its_key_comes_from_no_variable_that_the_file_names(tmp_path: Path) -> None:
    put(tmp_path, SOUND.replace("ACME_API_KEY", "AWS_SECRET_ACCESS_KEY"))
    assert Providers(tmp_path)["acme"].key_variable == "GROK_IMAGINE_CONNECTIONS__ACME__API_KEY"


def test_a_faulty_file_disturbs_no_other_one(tmp_path: Path) -> None:
    put(tmp_path, SOUND)
    put(tmp_path, "name = ", "broken.toml")
    put(tmp_path, SOUND, "other.toml")
    put(tmp_path, "not read", "notes.txt")
    providers = Providers(tmp_path)
    assert list(providers) == [*NAMES, "acme"]
    assert set(providers.faulty) == {"broken", "other"}
    assert "broken.toml is not TOML" in providers.faulty["broken"]
    assert "line 1, name: must be 'other'" in providers.faulty["other"]


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    path = put(tmp_path, SOUND)
    before = Providers(tmp_path)["acme"]
    assert Providers(tmp_path)["acme"] is before
    path.write_text(SOUND.replace('"Acme"', '"Acme Video"'), "utf-8")
    assert Providers(tmp_path)["acme"].label == "Acme Video"
    path.unlink()
    assert "acme" not in Providers(tmp_path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"#" * (LONGEST_FILE + 1), "larger than 64 KB"),
        (b"name = '\xff\xfe'", "not UTF-8"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "nested too deeply"),
        (b"\0", "not TOML"),
        (b"", "line 1, name: Field required"),
    ],
)
def test_a_file_that_is_no_text_or_too_much_of_it_is_refused(data: bytes, said: str, tmp_path: Path) -> None:
    put(tmp_path, "").write_bytes(data)
    assert said in Providers(tmp_path).faulty["acme"]


@pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")
def test_only_plain_files_are_read(tmp_path: Path) -> None:
    (outside := tmp_path / "outside.toml").write_text(SOUND, "utf-8")
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / "acme.toml").symlink_to(outside)
    os.mkfifo(folder / "pipe.toml")
    (folder / "folder.toml").mkdir()
    (folder / "gone.toml").symlink_to(tmp_path / "nowhere")
    faulty = Providers(tmp_path).faulty
    assert set(faulty) == {"acme", "pipe", "folder", "gone"}
    assert all("is not a plain file" in fault for fault in faulty.values())


def test_no_more_than_a_hundred_files_are_read(tmp_path: Path) -> None:
    for number in range(102):
        put(tmp_path, SOUND.replace('"acme"', f'"p{number:03}"'), f"p{number:03}.toml")
    providers = Providers(tmp_path)
    assert (len(providers), sorted(providers.faulty)) == (len(NAMES) + 100, ["p100", "p101"])
