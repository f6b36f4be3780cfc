"""Texts in three languages: the catalogues are whole, filled as each language writes, and chosen safely."""

from __future__ import annotations

import ast
import copy
import importlib
import json
import pickle
import re
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seq2seq
from seq2seq.language import CHINESE, ENGLISH, FRENCH, LANGUAGES, Said, catalogue, choose, translate
from seq2seq.translator import MAX_CHARACTERS, TextError, clean

PACKAGE = Path(seq2seq.__file__).parent
PYTHON = [path for path in sorted(PACKAGE.rglob("*.py")) if "bench" not in path.parts]
SCRIPTS = sorted((PACKAGE / "demo").glob("*.js"))
OTHERS = (FRENCH, CHINESE)
COUNT = "{path} has {count:,} characters; the limit is {limit:,}. Send a part of it."


def names(template: str) -> set[str]:
    """The placeholders of a template; each is checked to be a plain name."""
    found = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    assert all(name.isidentifier() for name in found), template
    return set(found)


def said_in_python() -> set[str]:
    """The texts that are given to `say`, `Said`, `laid` and `translate`, written there or in a constant of the module."""
    found: set[str] = set()
    for path in PYTHON:
        module = ".".join(("seq2seq", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")

        def texts(node: ast.expr, module: str = module) -> list[str]:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                return [node.value]
            if isinstance(node, ast.IfExp):
                return texts(node.body) + texts(node.orelse)
            if isinstance(node, ast.Name) and node.id.isupper():
                return [getattr(importlib.import_module(module), node.id)]
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id.isupper():
                held = getattr(importlib.import_module(module), node.value.id)
                return list(held.values() if isinstance(held, dict) else held)
            return []

        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                if node.func.id in ("say", "Said", "laid", "translate"):
                    found.update(texts(node.args[0]))
    return found


def said_in_scripts() -> set[str]:
    """The texts that are given to `translated`, and the constants of which it is given one."""
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    called = re.findall(
        r'translated\(\s*(?:side === "target" \? )?("(?:[^"\\]|\\.)*")(?: : ("(?:[^"\\]|\\.)*"))?', scripts
    )
    constants = re.findall(r'^const SAID_\w+ = (".*");$', scripts, re.MULTILINE)
    return {json.loads(text) for text in (*sum(called, ()), *constants) if text}


def test_the_readers_of_the_code_find_what_is_said_in_it() -> None:
    assert {"No word changes.", "Choose a word, then what to write in its place.", "yes", "Line"} <= said_in_python()
    assert {"▶ Play", "{share} on {word}", "{share} of {word}"} <= said_in_scripts()
    assert any(text.startswith("{model}, step") for text in said_in_scripts())


@pytest.mark.parametrize("language", OTHERS)
def test_all_that_is_said_has_a_translation(language: str) -> None:
    said = {
        text for text in said_in_python() | said_in_scripts() if re.search("[A-Za-z]", re.sub(r"\{.*?\}", "", text))
    }
    assert len(said) > 150
    assert said - catalogue(language).keys() == set()


@pytest.mark.parametrize("language", OTHERS)
def test_all_that_has_a_translation_is_said(language: str) -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PYTHON]
    written = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert catalogue(language).keys() - written - said_in_scripts() == set()


def test_the_catalogues_have_the_same_keys_and_placeholders() -> None:
    french, chinese = catalogue(FRENCH), catalogue(CHINESE)
    assert list(french) == list(chinese)
    for english in french:
        assert names(english) == names(french[english]) == names(chinese[english]), english


def test_french_has_its_spaces_and_quotation_marks() -> None:
    for text in catalogue(FRENCH).values():
        bare = re.sub(r"\{.*?\}|<[^>]*>|`[^`]*`", "x", text)
        assert not re.search("[^\u00a0][;!?%»]|[^\u00a0\\d]:|«[^\u00a0]|[“”]|'", bare), text


def test_chinese_is_written_in_chinese() -> None:
    same = {text for text in catalogue(CHINESE).values() if not re.search("[\u3000-\u9fff\uff00-\uffef]", text)}
    assert {text for text in same if re.search("[a-z]{3}", re.sub(r"\{.*?\}", "", text))} == {"PowerPoint", "chrF"}


def test_a_said_text_is_english_and_more() -> None:
    said = Said(COUNT, path="a.txt", count=5_000_001, limit=5_000_000)
    assert said == "a.txt has 5,000,001 characters; the limit is 5,000,000. Send a part of it."
    assert json.loads(json.dumps([said])) == [str(said)]
    assert translate(said, FRENCH) == (
        "a.txt a 5\u202f000\u202f001 caractères\u00a0; la limite est de 5\u202f000\u202f000. Envoyez-en une partie."
    )
    assert translate(said, CHINESE) == "a.txt 有 5,000,001 个字符，上限为 5,000,000。请只发送其中一部分。"
    for again in (copy.deepcopy(said), pickle.loads(pickle.dumps(said))):
        assert again == said and translate(again, FRENCH) == translate(said, FRENCH)


def test_a_value_may_be_such_a_text() -> None:
    inner = Said("Line {number}: this is one clause too many; the limit is {limit}.", number=3, limit=12)
    said = Said("{path}, line {number}: {error}", path="a.tsv", number=1, error=inner)
    assert translate(said, FRENCH).startswith("a.tsv, ligne 1\u00a0: Ligne 3\u00a0: c’est une proposition de trop")


def test_numbers_are_written_as_the_language_does() -> None:
    for language, written in zip(LANGUAGES, ("-1,234.5", "-1\u202f234,5", "-1,234.5")):
        assert translate("{value:,.1f}", language, value=-1234.5) == written
        assert translate("{value}", language, value="1,234.5") == "1,234.5", "text is no number"


@given(st.text(), st.sampled_from(LANGUAGES))
def test_a_text_that_nobody_translated_stays_as_it_is(text: str, language: str) -> None:
    assert translate(text, language) == catalogue(language).get(text, text)
    assert translate("{value}", language, value=text) == text, "what a visitor writes is no template"


def test_errors_bring_their_values_along() -> None:
    with pytest.raises(TextError) as caught:
        clean("x" * (MAX_CHARACTERS + 1))
    assert (
        str(caught.value)
        == f"The text has {MAX_CHARACTERS + 1:,} characters; the limit is {MAX_CHARACTERS:,}. Please shorten it."
    )
    assert "1\u202f001 caractères" in translate(caught.value.args[0], FRENCH)


@pytest.mark.parametrize(
    "accepted, wanted, language",
    [
        ("", "", ENGLISH),
        ("fr", "", FRENCH),
        ("fr-CA,en;q=0.8", "", FRENCH),
        ("zh-Hans-CN", "", CHINESE),
        ("ZH_tw", "", CHINESE),
        ("de,es;q=0.9", "", ENGLISH),
        ("de, fr;q=0.3", "", FRENCH),
        ("en;q=0.5, zh;q=0.9, fr;q=0.7", "", CHINESE),
        ("fr;q=0, en", "", ENGLISH),
        ("fr;q=0", "", ENGLISH),
        ("fr;q=1.000 , en", "", FRENCH),
        ("fr;q=9, fr;q=high, fr;level=1, *;q=1", "", ENGLISH),
        ("*", "", ENGLISH),
        ("frr, enm", "", ENGLISH),
        ("fr", "zh", CHINESE),
        ("fr", "zh-CN", CHINESE),
        ("fr", "EN", ENGLISH),
        ("fr", "klingon", FRENCH),
        ("fr", "../../etc", FRENCH),
    ],
)
def test_the_language_is_what_was_asked_for(accepted: str, wanted: str, language: str) -> None:
    assert choose(accepted, wanted) == language


@given(st.text(max_size=200), st.text(max_size=20))
def test_anything_may_stand_in_a_header(accepted: str, wanted: str) -> None:
    assert choose(accepted, wanted) in LANGUAGES


def test_a_header_is_not_read_to_its_end() -> None:
    assert choose("de," * 1_000_000 + "fr") == ENGLISH
    assert choose("fr;q=" + "1" * 10_000_000) == ENGLISH
