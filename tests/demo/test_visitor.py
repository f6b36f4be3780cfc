"""The visitor's language: chosen by each request, said by the server, and brought to the browser with the page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from gradio.context import LocalContext
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from seq2seq.demo import api, ask_panel, batch_tab, build, compare_tab, inside_tab, models, pictures_tab, translate_tab
from seq2seq.demo.links import WORDS
from seq2seq.demo.visitor import InVisitorsLanguage, laid, language, localised, say, texts, told
from seq2seq.grammar import caption_of
from seq2seq.language import LANGUAGES, catalogue
from seq2seq.scenes import parse_code
from seq2seq.translator import TextError

TEXT = "A man in a blue shirt is riding a bicycle."
STAYS = {
    *translate_tab.EXAMPLES,
    *compare_tab.EXAMPLES,
    *pictures_tab.DESCRIPTIONS,
    *(caption_of(parse_code(scene)) for scene in pictures_tab.SCENES),
    "A dog sleeps = Un chien dort\nand a cat drinks milk = et un chat boit du lait",
    "A dog sleeps.\nTwo girls are reading a book.",
    "multi30k.test_2016_flickr",
    "multi30k.test_2016_flickr.beam5",
    "tatoeba.test",
    "tatoeba.test.beam5",
}
"""What the layout says in English to everybody: sentences for the models, names of files."""


@pytest.fixture
def visit() -> Iterator[Callable[..., None]]:
    """From then on the code runs as in an event of a visitor with these headers and query."""
    tokens = []

    def come(accepted: str = "", **query: str) -> None:
        request = SimpleNamespace(headers={"accept-language": accepted} if accepted else {}, query_params=query)
        tokens.append(LocalContext.request.set(request))

    yield come
    for token in reversed(tokens):
        LocalContext.request.reset(token)


def layout() -> set[str]:
    """Every text of the layout, where `visitor.js` looks for it."""
    found = set()
    for component in build().config["components"]:
        props, kind = component["props"], component["type"]
        if props.get("visible") is False or kind == "api":
            continue
        wanted = ["label", "info", "placeholder", "submit_btn"]
        wanted += (
            ["value"] if kind in ("html", "markdown", "button") and not isinstance(props.get("value"), dict) else []
        )
        found.update(props[name] for name in wanted if isinstance(props.get(name), str))
        found.update(name for name, _ in props.get("choices") or ())
    return {text for text in found if re.search("[A-Za-z]", text)}


@pytest.mark.parametrize("name", LANGUAGES[1:])
def test_the_whole_layout_has_a_translation(name: str) -> None:
    shown = layout()
    assert len(shown) > 60 and STAYS < shown
    same = {"chrF", "BLEU"}
    assert shown - STAYS - same == {text for text in shown if texts(name).get(text, text) != text} | (
        {"Question", "Score"} if name == "fr" else set()
    )


def test_outside_of_events_it_is_english() -> None:
    assert (language(), say("Compare"), texts("en")) == ("en", "Compare", {})


def test_an_event_speaks_as_its_request_asks(visit: Callable[..., None]) -> None:
    visit("fr-FR,fr;q=0.9,en;q=0.8")
    assert (language(), say("Compare")) == ("fr", "Comparer")
    assert told(TextError("There is no text to translate. Please type a sentence.")).startswith("Il n’y a pas de texte")
    visit("fr-FR", lang="zh")
    assert (language(), say("Compare")) == ("zh", "对比")
    visit("de", lang="nonsense")
    assert language() == "en"


def test_the_tabs_answer_in_the_language_of_the_event(visit: Callable[..., None]) -> None:
    english = [*translate_tab.translate(TEXT, models.DEFAULT, 1, WORDS, False)][-1]
    visit("fr")
    french = [*translate_tab.translate(TEXT, models.DEFAULT, 1, WORDS, False)][-1]
    assert english[1] == french[1], "the model says the same"
    assert english[0]["caption"].startswith("Read") and french[0]["caption"].startswith("Lecture")
    assert list(english[3])[0] == "to write" and list(french[3])[0] == "pour écrire"
    assert french[4]["probabilité"][0].endswith("\u00a0%") and "," in french[4]["probabilité"][0]
    [refused] = translate_tab.translate(" ", models.DEFAULT, 1, WORDS, False)
    assert refused[0]["message"] == "Il n’y a pas de texte à traduire. Veuillez saisir une phrase."
    [refused] = translate_tab.translate(TEXT, "none", 1, WORDS, False)
    assert refused[0]["message"].startswith("Il n’y a pas de modèle «\u00a0none\u00a0» ici.")
    verdict, costs, _ = ask_panel.matter(french[2])
    assert "en moyenne" in verdict and "mot" in costs["value"]
    columns, comparison, _ = compare_tab.run(TEXT, "", *models.default_pair(), 1)
    assert [side["label"] for side in columns["sides"]] == ["Sans attention (plain)", "Avec attention (additive)"]
    assert columns["sides"][0]["facts"][2][0] == "paramètres" and "," in columns["sides"][0]["facts"][2][1]
    strip, _, _ = compare_tab.saw(comparison, compare_tab.SAW)
    assert strip["note"].startswith("Ici, il n’y a pas d’attention")
    assert inside_tab.look("", models.DEFAULT)[0]["message"].startswith("Il n’y a pas de texte")
    visit("zh-CN")
    rows = batch_tab.read_text("A dog sleeps.\n\nA cat.", "x")
    [step] = batch_tab.run_batch(models.translator(models.DEFAULT), rows)
    table = batch_tab.table(step.rows, 3, 3)
    assert "没有可翻译的文本" in table and ">译文<" in table and "There" not in table
    assert say(batch_tab.summary(rows, 1.25)) == "已翻译 2 行，用时 1.2 秒。 1 行未能翻译：原因见“错误”一列。"


def test_the_examples_are_made_once_a_language(visit: Callable[..., None]) -> None:
    visit("fr")
    assert translate_tab.example()[0]["caption"].startswith("Lecture")
    assert translate_tab.example()[2] is translate_tab.example()[2]
    visit("en")
    assert translate_tab.example()[0]["caption"].startswith("Read")


def test_the_api_stays_english(visit: Callable[..., None]) -> None:
    visit("fr")
    assert api.highlight(TEXT)["verdict"].startswith("The highlight matters")
    with pytest.raises(Exception, match="There is no text to translate"):
        api.translate(" ")


# -- the page ------------------------------------------------------------------------------------------------------

PAGE = '<!doctype html><html\n\tlang="en"><head><title>x</title></head><body>é</body></html>'


def test_a_page_says_its_language_and_brings_the_texts() -> None:
    laid("A text with </script> and {value}", value="<b>")
    for name, tag in (("en", "en"), ("fr", "fr"), ("zh", "zh-CN")):
        made = localised(PAGE, name)
        assert f'<html\n\tlang="{tag}">' in made and made.count("</script>") == 1 and "é" in made
        known = json.JSONDecoder().raw_decode(made.split("window.lensTexts = ")[1])[0]
        assert known == texts(name) and catalogue(name).items() <= known.items()


async def _page(_: Any) -> StreamingResponse:
    async def parts() -> Any:
        for part in (PAGE[:40], PAGE[40:]):
            yield part.encode()

    return StreamingResponse(parts(), media_type="text/html")


def test_only_pages_are_rewritten_and_they_fit_their_length() -> None:
    async def short(_: Any) -> HTMLResponse:
        return HTMLResponse(PAGE)

    async def data(_: Any) -> JSONResponse:
        return JSONResponse({"html": PAGE})

    routes = [Route("/", short, methods=["GET", "HEAD"]), Route("/parts", _page), Route("/data", data)]
    client = TestClient(Starlette(routes=routes, middleware=[Middleware(InVisitorsLanguage)]))
    for path in ("/", "/parts"):
        answer = client.get(path, headers={"accept-language": "fr"})
        assert answer.text == localised(PAGE, "fr") and int(answer.headers["content-length"]) == len(answer.content)
        assert answer.headers["vary"] == "Accept-Language"
        assert client.get(f"{path}?lang=zh", headers={"accept-language": "fr"}).text == localised(PAGE, "zh")
    assert client.get("/data", headers={"accept-language": "fr"}).json() == {"html": PAGE}
    assert client.head("/").status_code == 200
    hostile = client.get("/", params={"lang": "<script>" * 1000}, headers={"accept-language": "fr;q=" * 10_000})
    assert hostile.text == localised(PAGE, "en")
