"""Error texts: each class says whether anything was charged and what to do next, and names who answered."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from grok_imagine import errors
from grok_imagine.error_guidance import GUIDANCE, explain
from grok_imagine.errors import AuthRejected, ConnectFailed, GrokImagineError, JobFailed, RequestError, Violation
from grok_imagine.models import VideoRequest
from grok_imagine.sandbox import Sandbox

from .support.sessions import Open, paid


def _below(kind: type[GrokImagineError]) -> Iterator[type[GrokImagineError]]:
    for one in kind.__subclasses__():
        if vars(errors).get(one.__name__) is one:
            yield one
            yield from _below(one)


KINDS = sorted(_below(GrokImagineError), key=lambda kind: kind.__name__)


def test_the_tree_is_whole() -> None:
    assert len(KINDS) > 28
    drawn = set(re.findall(r"^[| ]*(?:\|--|\+--) (\w+)", errors.__doc__ or "", re.MULTILINE))
    assert drawn == {kind.__name__ for kind in KINDS}, "the tree at the top of errors.py"


@pytest.mark.parametrize("kind", KINDS)
def test_every_class_says_what_it_means(kind: type[GrokImagineError]) -> None:
    charge, advice = GUIDANCE[kind]
    assert re.search("charged|paid", charge)
    for sentence in (charge, advice):
        assert re.fullmatch(r"[A-Z].*\.", sentence)
        assert not re.search(r"\[[A-Z]\d+\]", sentence)


def test_a_server_s_words_get_charge_and_advice() -> None:
    error = AuthRejected("Invalid API key", status=401)
    error.source = "reAPI (connection 'paid')"
    assert explain(error) == (
        "reAPI (connection 'paid'): Invalid API key (HTTP 401). Nothing was charged. "
        "Check the API key: grok-imagine key CONNECTION."
    )
    assert explain(ConnectFailed("no connection to a.example")).count("Nothing was charged.") == 1


def test_what_a_text_says_is_not_said_twice() -> None:
    text = "reAPI could not make the clip: no. It is not charged"
    assert explain(JobFailed(text, job_id="1")) == f"{text} (job 1)."
    refused = RequestError("One problem; nothing was sent or charged.", [Violation("R5", "prompt", "too long")])
    assert "R5" not in explain(refused)
    assert explain(refused).count("charged") == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("401", "Nothing was charged."),
        ("402", "Nothing was charged."),
        ("drop-after", "may have accepted and charged this job"),
        ("failed", "It is not charged"),
        ("moderated", "It is not charged"),
        ("401@poll*ever", "may still finish there and be charged"),
    ],
)
async def test_an_error_of_a_job_names_provider_and_connection(
    fault: str, words: str, open_session: Open, sandbox: Sandbox
) -> None:
    async with open_session(connections=paid(sandbox)) as session:
        with pytest.raises(GrokImagineError) as caught:
            await session.generate(VideoRequest(prompt=f"a lake [sandbox:{fault}]"), "paid")
    text = explain(caught.value)
    assert text.startswith(("reAPI (connection 'paid')", "Outcome unknown: reAPI (connection 'paid')"))
    assert words in text
