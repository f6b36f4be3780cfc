"""Texts in the reader's language: they stand in English in the code, and in `texts/` in French and Chinese.

An English text is its own key. One that holds values is a template with names, "{count:,} lines", and is translated as a whole:
every language has its own order of words, its own numbers and its own marks of quotation.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Mapping
from functools import cache
from numbers import Number
from pathlib import Path
from typing import Any

LANGUAGES = ENGLISH, FRENCH, CHINESE = ("en", "fr", "zh")
TAGS = {ENGLISH: "en", FRENCH: "fr", CHINESE: "zh-CN"}
"""As HTML and Gradio call the languages."""
TEXTS = Path(__file__).parent / "texts"
MOST_ACCEPTED = 1000
"""Characters of an Accept-Language header that are read; a browser sends about 50."""
FRENCH_NUMBERS = str.maketrans({",": "\u202f", ".": ","})
"""1,234.5 as the French write it: a narrow space that holds the digits together, and a comma."""


class Said(str):
    """A template filled with values: English for whoever takes it as a string, and `translate` says it in other languages.

    So the results and errors of the package stay plain English, and the page can still show them in the visitor's language. A
    value may be such a text too, and is then translated with it.
    """

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Said:
        made = super().__new__(cls, _filled(template, values, ENGLISH))
        made.template, made.values = template, values
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        """What copies and pickles are made from."""
        return (self.template,), self.values


def translate(text: str, language: str, /, **values: Any) -> str:
    """The text in a language, filled with values; a `Said` brings its own. What has no translation stays English."""
    if isinstance(text, Said):
        text, values = text.template, text.values
    return _filled(catalogue(language).get(text, text), values, language)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """English template -> that of the language; empty for English."""
    if language == ENGLISH:
        return {}
    return tomllib.loads((TEXTS / f"{language}.toml").read_text(encoding="utf-8"))


def choose(accepted: str, wanted: str = "") -> str:
    """One of LANGUAGES: `wanted` if it is one, else the most preferred one of an Accept-Language header, else English.

    Any text will do for both. Regions do not count: "zh-TW" is Chinese, of which there is the simplified one.
    """
    found = []
    for place, part in enumerate(accepted[:MOST_ACCEPTED].split(",")):
        tag, _, weight = (side.strip() for side in part.partition(";"))
        quality = re.fullmatch(r"q=([01](?:\.[0-9]{0,3})?)", weight or "q=1")
        if quality and float(quality[1]) > 0:
            found.append((-float(quality[1]), place, tag))
    for tag in (wanted, *(tag for *_, tag in sorted(found))):
        language = re.split("[-_]", tag.lower())[0]
        if language in LANGUAGES:
            return language
    return ENGLISH


def _filled(template: str, values: Mapping[str, Any], language: str) -> str:
    # Without values nothing is looked for, so that a text may hold braces.
    return _Filler(language).vformat(template, (), values) if values else template


class _Filler(string.Formatter):
    """`str.format` with the language's numbers."""

    def __init__(self, language: str) -> None:
        self.language = language

    def get_value(self, key: int | str, args: Any, values: Mapping[str, Any]) -> Any:
        value = super().get_value(key, args, values)
        return translate(value, self.language) if isinstance(value, Said) else value

    def format_field(self, value: Any, spec: str) -> str:
        text = super().format_field(value, spec)
        return text.translate(FRENCH_NUMBERS) if self.language == FRENCH and isinstance(value, Number) else text
