"""The visitor's language: what the server says during an event, and the layout, which the browser puts into that language.

Gradio's own `gr.I18n` translates labels and values in the browser, but not the names of choices, submit buttons or what the
server makes; it cannot be told the language by a link, and takes "<eos>" for markup. So the server decides, for all of it: by
`?lang=`, else by the browser's Accept-Language, which every request brings along.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from gradio.context import LocalContext
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seq2seq.language import ENGLISH, TAGS, Said, catalogue, choose, translate

SCRIPTS = [Path(__file__).parent / name for name in ("visitor.js", "answers.js")]
"""What runs before Gradio does."""
NO_MEMORY = "The memory of the GPU is too small for this now. Try a shorter sentence, or again later."
_LAID: dict[str, Said] = {}
"""Texts of the layout that hold values, by what they are in English."""


def of_request(request: gr.Request | Request) -> str:
    """The language of whoever asks."""
    return choose(request.headers.get("accept-language", ""), request.query_params.get("lang", ""))


def language() -> str:
    """The language of the visitor whose event is being answered; English outside of events."""
    request = LocalContext.request.get(None)
    return of_request(request) if request else ENGLISH


def say(text: str, /, **values: Any) -> str:
    """`translate` to that language."""
    return translate(text, language(), **values)


def message_of(error: Exception) -> str:
    """What is said of an error, in English until it is translated; of a full GPU something of ours."""
    return NO_MEMORY if isinstance(error, torch.OutOfMemoryError) else error.args[0]


def told(error: Exception) -> str:
    """The message of an error, in that language."""
    return say(message_of(error))


def laid(template: str, /, **values: Any) -> Said:
    """A text of the layout that holds values."""
    made = Said(template, **values)
    _LAID[str(made)] = made
    return made


def texts(language: str) -> dict[str, str]:
    """English -> that language, for the layout and the scripts."""
    if language == ENGLISH:
        return {}
    return {**catalogue(language), **{english: translate(made, language) for english, made in _LAID.items()}}


class InVisitorsLanguage:
    """ASGI middleware: an HTML page says which language it is in, and brings the texts and those scripts along."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        start: Message | None = None
        body = b""

        async def rewrite(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                if MutableHeaders(raw=message["headers"]).get("content-type", "").startswith("text/html"):
                    start = message
                    return
            if start is None:
                return await send(message)
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            made = localised(body.decode("utf-8"), of_request(Request(scope))).encode("utf-8")
            headers = MutableHeaders(raw=start["headers"])
            headers["content-length"] = str(len(made))
            headers.add_vary_header("Accept-Language")
            await send(start)
            await send({"type": "http.response.body", "body": made})

        await self.app(scope, receive, rewrite)


def localised(html: str, language: str) -> str:
    """The page that Gradio serves, in a language."""
    # "<" would end the script, if a text held "</script>".
    known = json.dumps(texts(language), ensure_ascii=False).replace("<", "\\u003c")
    code = "\n".join(script.read_text(encoding="utf-8") for script in SCRIPTS)
    script = f"<script>window.lensTexts = {known};\n{code}</script>"
    html = html.replace('lang="en"', f'lang="{TAGS[language]}"', 1)
    # It says nothing, but where there is one Plotly writes the page's address into what it clips and fills. The address bar
    # goes on, and then the browser looks for those in the page of before: it fetches that, and leaves the colour scale blank.
    html = html.replace('<base href="./" />', "", 1)
    return html.replace("</head>", f"{script}</head>", 1)
