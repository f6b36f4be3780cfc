"""Every endpoint asked with arguments made from the page's own description of it, right ones and wrong ones: each gets a result
or one line that says what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq.demo import models
from seq2seq.demo.picture_pairs import CAPTIONERS, PAINTERS
from tests.demo.test_guard import CALL, Served, send, serving

ENDPOINTS = ("ask", "batch", "caption", "compare", "highlight", "inside", "paint", "translate")
WORDS = st.sampled_from(
    (
        "A dog sleeps.",
        "dog",
        "a small star",
        "small red star 10 10",
        "",
        " ",
        "\x00\ud800",
        "<b>x</b> ${1}",
        "../../etc/passwd",
        "é" * 1001,
    )
)
NUMBERS = st.one_of(st.integers(-2, 6), st.sampled_from((1.0, 2.5, -1e308, 10**30)))
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("path", "url", "meta", "a")), inner),
    max_leaves=5,
)
FILES = st.fixed_dictionaries(
    {"path": st.sampled_from(("/etc/passwd", "x.txt", "", "http://127.0.0.1:1/x.txt")) | ANYTHING},
    optional={"url": ANYTHING, "meta": st.just({"_type": "gradio.FileData"}) | ANYTHING, "orig_name": ANYTHING},
)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.fixture(scope="module")
def described(served) -> dict[str, Any]:
    """What the page says of its endpoints."""
    return json.loads(send(served, "GET", "/gradio_api/info").body)["named_endpoints"]


def right(parameter: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of the type that the description names."""
    if parameter["parameter_name"] in ("checkpoint", "left", "right"):
        return st.sampled_from((*models.names(), *CAPTIONERS, *PAINTERS))
    kinds = {"string": WORDS, "number": NUMBERS, "integer": NUMBERS}
    return kinds.get(parameter["type"].get("type"), FILES)


def arguments(parameters: list[dict[str, Any]]) -> st.SearchStrategy[list[Any]]:
    """Mostly right ones, with one or all of them wrong, too few or too many."""
    good = st.tuples(*(right(parameter) for parameter in parameters)).map(list)
    one_wrong = st.tuples(good, st.integers(0, len(parameters) - 1), ANYTHING).map(
        lambda made: [made[2] if i == made[1] else value for i, value in enumerate(made[0])]
    )
    return st.one_of(good, one_wrong, st.lists(ANYTHING, max_size=len(parameters) + 2))


def check(served: Served, name: str, data: list[Any]) -> None:
    asked = send(served, "POST", f"{CALL}/{name}", {"data": data})
    assert asked.status == 200, asked
    said = send(served, "GET", f"{CALL}/{name}/{json.loads(asked.body)['event_id']}").body.decode()
    event, answer = re.findall(r"^event: (\w+)\ndata: (.*)$", said, re.MULTILINE)[-1]
    if event == "complete":
        assert json.loads(answer)[0] is not None
        return
    line = json.loads(answer)["error"]
    assert event == "error" and isinstance(line, str) and line.strip(), (data, said)
    assert "\n" not in line and len(line) < 400, (data, line)
    assert not re.search(r"Traceback|/tmp/|/seq2seq/|site-packages|object at 0x", line), (data, line)


def test_the_description_has_these_endpoints(described):
    assert sorted(described) == [f"/{name}" for name in ENDPOINTS]


def fuzz(served: Served, described: dict[str, Any], name: str, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(arguments(described[f"/{name}"]["parameters"]))
    def ask(data: list[Any]) -> None:
        check(served, name, data)

    ask()


@pytest.mark.parametrize("name", ENDPOINTS)
def test_whatever_an_endpoint_is_asked_it_answers_or_says_in_one_line_why_not(served, described, name):
    fuzz(served, described, name, 25)


@pytest.mark.long
@pytest.mark.parametrize("name", ENDPOINTS)
def test_the_same_with_many_more_questions(served, described, name):
    fuzz(served, described, name, 1000)
