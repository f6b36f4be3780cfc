"""The API as MCP tools: a real client, in another process than the page, lists them and calls them."""

from __future__ import annotations

import asyncio
import json
import tomllib
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from seq2seq.bench.app import finished, started, wait_for_page
from seq2seq.demo import api, launch_options, models, tools
from tests.hosting import NGINX, NO_NGINX, ROOT, behind_nginx

TEXT = "A man in a blue shirt is riding a bicycle."
TOOLS = ("translate", "compare", "inside", "ask", "highlight", "caption", "paint")
needs_mcp = pytest.mark.skipif(find_spec("mcp") is None, reason="the package mcp is not installed; see the extra `mcp`")


@pytest.mark.parametrize(
    ("package", "said", "offered"),
    [(True, None, True), (True, "False", False), (False, None, False), (False, "True", False)],
)
def test_the_server_is_asked_for_only_with_the_package(package, said, offered, monkeypatch) -> None:
    monkeypatch.setattr(tools, "find_spec", lambda name: object() if package and name == "mcp" else None)
    monkeypatch.delenv("GRADIO_MCP_SERVER", raising=False)
    if said:
        monkeypatch.setenv("GRADIO_MCP_SERVER", said)
    options = launch_options()
    assert options.get("mcp_server") is True if offered else "mcp_server" not in options


@needs_mcp
def test_the_extra_is_the_version_that_is_tested() -> None:
    from importlib.metadata import version

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["optional-dependencies"]["mcp"] == [f"mcp=={version('mcp')}"]
    assert f"mcp=={version('mcp')} " in (ROOT / "tests" / "requirements.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with started(ROOT) as (process, address, began):
        wait_for_page(process, address, began)
        yield address


def talk(address: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    """What `work` returns, given a session with the tools of the page at an address."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def session() -> Any:
        url = f"{address}/gradio_api/mcp/"
        async with streamable_http_client(url) as (reading, writing, _), ClientSession(reading, writing) as session:
            await session.initialize()
            return await work(session)

    return finished(session())


def call(address: str, tool: str, **arguments: Any) -> tuple[bool, str]:
    """-> whether it was refused, and the one text that it answers with."""
    answer = talk(address, lambda session: session.call_tool(tool, arguments))
    [content] = answer.content
    return answer.isError, content.text


@needs_mcp
def test_the_tools_are_the_public_api_and_say_what_they_do(address) -> None:
    listed = {tool.name: tool for tool in talk(address, lambda session: session.list_tools()).tools}
    assert tuple(listed) == TOOLS
    for name, tool in listed.items():
        assert tool.description == " ".join(getattr(api, name).__doc__.split("Parameters:")[0].split())
        assert tool.inputSchema["required"] == ["scene" if name == "caption" else "text"]
        assert all(one["description"] for one in tool.inputSchema["properties"].values())


@needs_mcp
def test_a_tool_answers_as_the_translator_does(address) -> None:
    refused, text = call(address, "translate", text=TEXT, beam_size=3, n_best=2)
    made = models.translator(models.DEFAULT).translate(TEXT, beam_size=3, n_best=2).to_dict()
    assert not refused and json.loads(text) | {"seconds": 0} == made | {"seconds": 0}


@needs_mcp
@pytest.mark.parametrize("tool", TOOLS[1:])
def test_every_tool_answers_with_an_object(address, tool) -> None:
    asked = {"caption": {"scene": "small red star 10 10"}, "paint": {"text": "a small red star in the middle"}}
    refused, text = call(address, tool, **asked.get(tool, {"text": "A dog sleeps."}))
    assert not refused and isinstance(json.loads(text), dict)


@needs_mcp
@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("translate", {"text": " "}, "There is no text to translate"),
        ("translate", {"text": "A dog.", "checkpoint": "../secret"}, "There is no model"),
        ("translate", {"text": "A dog.", "beam_size": 99}, "beam_size is 99"),
        ("batch", {"file": "http://127.0.0.1:9/lines.txt"}, "Unknown tool"),
    ],
)
def test_what_the_api_refuses_the_tools_refuse(address, tool, arguments, said) -> None:
    refused, text = call(address, tool, **arguments)
    assert refused and said in text


@needs_mcp
def test_many_calls_at_once_are_all_answered(address) -> None:
    """Each waits for an answer of this same server, which computes it in a thread: threads that waited would leave it none."""

    async def crowd(session: Any) -> list[Any]:
        calls = (session.call_tool("translate", {"text": f"A dog sees {count} cats."}) for count in range(60))
        return await asyncio.wait_for(asyncio.gather(*calls), 300)

    answers = talk(address, crowd)
    assert [answer.content[0].text for answer in answers if answer.isError] == []
    for count, answer in enumerate(answers):
        assert json.loads(answer.content[0].text)["text"] == f"A dog sees {count} cats."


@needs_mcp
@pytest.mark.skipif(NGINX is None, reason=NO_NGINX)
def test_below_a_path_of_a_server_the_tools_and_the_page_are_there(tmp_path) -> None:
    with behind_nginx(tmp_path) as address:
        refused, text = call(address, "translate", text=TEXT)
        assert not refused and json.loads(text)["translation"].startswith("Un homme")
        with urllib.request.urlopen(f"{address}/config", timeout=60) as answer:
            assert json.load(answer)["root"] == address
