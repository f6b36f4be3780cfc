"""The functions behind the tab Compare, without a browser."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from seq2seq.bottleneck import CLAUSES
from seq2seq.comparison import compare
from seq2seq.demo import api, bottleneck_panel, compare_tab, long_view_panel, models, own_test_panel, runs
from seq2seq.demo.compare_tab import NEEDED, SAW, everything, run, saw
from seq2seq.demo.duet import duet
from seq2seq.explain import occlusion
from seq2seq.translator import Translator

TEXT = "Two small dogs are running on a beach."
PAIR = ("en-fr-plain", "en-fr-additive")
PAGE, OTHER_PAGE = SimpleNamespace(session_hash="one"), SimpleNamespace(session_hash="two")


def test_both_sides_get_equal_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    translate = Translator.translate

    def watched(self: Translator, text: str, **settings):
        seen.append((self.name, text, settings))
        return translate(self, text, **settings)

    monkeypatch.setattr(Translator, "translate", watched)
    everything(TEXT, "", *PAIR, 3, SAW)
    assert [name for name, *_ in seen] == list(PAIR)
    assert seen[0][1:] == seen[1][1:] == (TEXT, {"beam_size": 3})


def test_columns_and_maps_are_plain_json_and_of_the_same_translations() -> None:
    for question in (SAW, NEEDED):
        columns, comparison, _, left, right, said = everything(
            TEXT, "Deux petits chiens courent sur une plage.", *PAIR, 1, question
        )
        for value in (columns, left, right):
            assert json.loads(json.dumps(value, allow_nan=False)) == value
        assert columns["sides"][0]["words"] == list(comparison.left.target_words)
        assert ["chrF", f"{comparison.chrf['right']:.1f}"] in columns["sides"][1]["facts"]
        assert left["rows"] == list(comparison.left.target_words[:-1])
        assert ("agreement" in said) == (question == NEEDED)


def test_a_model_without_attention_gets_a_strip_and_never_a_map() -> None:
    _, comparison, _, left, right, _ = everything(TEXT, "", *PAIR, 1, SAW)
    assert not left["grid"] and np.array(left["figure"]["data"][0]["z"]).shape == (1, comparison.left.hidden_size)
    assert "No attention exists here" in left["note"]
    assert right["grid"] and not right["note"]


def test_the_same_question_gives_maps_on_the_same_axes_and_scale() -> None:
    _, comparison, _, left, right, _ = everything(TEXT, "", *PAIR, 1, NEEDED)
    for side, translation in ((left, comparison.left), (right, comparison.right)):
        trace, layout = side["figure"]["data"][0], side["figure"]["layout"]
        assert (trace["zmin"], trace["zmax"]) == (0, left["figure"]["data"][0]["zmax"])
        assert layout["xaxis"] == left["figure"]["layout"]["xaxis"]
        expected = occlusion(models.translator(translation.checkpoint), translation)
        assert np.allclose(trace["z"], expected[: len(side["rows"])], atol=1e-3)


@pytest.mark.parametrize("text", ["dog " * 150, " ".join(["qzxjvkwbrtp"] * 80)], ids=["words", "pieces"])
def test_an_occlusion_map_that_would_take_too_long_says_so(text: str) -> None:
    *_, left, right, _ = everything(text, "", *PAIR, 1, NEEDED)
    assert "too long" in left["message"] and left == right


@pytest.mark.parametrize("text", ["", " \n", "x" * 100_000])
def test_bad_text_gives_a_message(text: str) -> None:
    columns, comparison, *_ = everything(text, "", *PAIR, 1, SAW)
    assert columns["message"] and comparison is None
    assert saw(None, NEEDED) == (None, None, "")


def test_a_long_reference_is_refused_by_name() -> None:
    columns, *_ = everything(TEXT, "x" * 100_000, *PAIR, 1, SAW)
    assert "reference" in columns["message"]


def test_the_same_model_twice_is_told_apart_and_never_parts() -> None:
    columns, comparison, *_ = everything(TEXT, "", PAIR[1], PAIR[1], 1, SAW)
    assert comparison.parted_at is None and columns["parted_at"] is None
    assert columns["sides"][0]["label"] != columns["sides"][1]["label"]


def test_growth_has_one_more_point_each_time_and_real_sentences() -> None:
    shown = list(bottleneck_panel.grow_live(*PAIR, 1, 3, ""))
    assert [len(chart["figure"]["data"][0]["x"]) for chart, _ in shown] == [1, 2, 3]
    _, table = shown[-1]
    assert list(table["words"]) == sorted(table["words"])
    assert table["right"][0] == models.translator(PAIR[1]).translate(table["Sentence"][0]).translation
    assert CLAUSES[2].source in table["Sentence"][2]


def test_a_warning_says_which_side_it_is_about() -> None:
    names = ("en-fr-additive", "en-fr-classic-attention")
    labels = models.labels(*names)
    made = compare(*map(models.translator, names), "dog " * 50)
    own = {side: getattr(made, side).warnings for side in labels}
    assert any("at most 40 pieces" in warning for warning in own["right"])
    assert duet(made, labels)["warnings"] == [f"{labels[side]}: {text}" for side in labels for text in own[side]]
    both = compare(*map(models.translator, names), "A 😀 sleeps.")
    shared, said = set(both.left.warnings) & set(both.right.warnings), duet(both, labels)["warnings"]
    assert shared and all(said.count(warning) == 1 for warning in shared), "of both sides, and said once"


def test_own_clauses_and_their_mistakes() -> None:
    ((chart, table),) = bottleneck_panel.grow_live(*PAIR, 1, 8, "A dog sleeps = Un chien dort")
    assert table["reference"][0] == "Un chien dort."
    ((chart, table),) = bottleneck_panel.grow_live(*PAIR, 1, 8, "A dog sleeps")
    assert "1" in chart["note"] and chart["figure"] is None and table.empty


def test_the_long_view_draws_what_metrics_say() -> None:
    names = long_view_panel.data_names()
    assert names, "every shipped checkpoint is scored"
    for name in names:
        for trace, metrics in zip(long_view_panel.chart(name, "bleu")["figure"]["data"], models.metrics().values()):
            assert trace["y"] == [row["bleu"] for row in metrics[name]["by_length"]]


def test_own_file_end_to_end(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text('"A dog, I think.",Un chien.\nA cat sleeps.,Un chat dort.\n', encoding="utf-8")
    for shown in own_test_panel.run(1, str(path), *PAIR, 1, PAGE):
        status, chart, rows, download, table = shown
        if "<table>" in status:
            # While the item is being sent, the file is there.
            saved = Path(download["value"]).read_text(encoding="utf-8")
            assert saved.count("\n") == 3 and saved.startswith("\ufeff"), "or Excel would not know that it is UTF-8"
    assert status.count("<td>") == 8 and len(rows) == len(table) == 2
    assert chart["figure"]["data"][0]["y"] == [round(v, 2) for v in table["chrf_right"]]
    assert not Path(download["value"]).exists(), "nothing is left behind"


def test_a_cancel_stops_the_run_of_its_own_page(tmp_path: Path) -> None:
    path = tmp_path / "own.tsv"
    path.write_text("A dog.\tUn chien.\n" * 100, encoding="utf-8")
    mine, other = (own_test_panel.run(1, str(path), *PAIR, 1, page) for page in (PAGE, OTHER_PAGE))
    for one in (mine, other):
        next(one), next(one)
    runs.cancel(1, PAGE)
    said = [shown[0] for shown in mine]
    assert said == ['<p role="status">Cancelled: 64 of 100 sentences were done.</p>'], (
        "the last word, and nothing after it"
    )
    assert [shown[0] for shown in other][-1].startswith('<div role="status"><table>')
    runs.cancel(1, PAGE)  # nothing runs any more
    assert [shown[0] for shown in own_test_panel.run(2, str(path), *PAIR, 1, PAGE)][-1].startswith(
        '<div role="status"><table>'
    )


def test_own_file_mistakes(tmp_path: Path) -> None:
    def note(path: Path | None) -> str:
        ((_, chart, *_),) = own_test_panel.run(1, path and str(path), *PAIR, 1, PAGE)
        assert chart["figure"] is None
        return chart["note"]

    assert "Choose a file" in note(None)
    path = tmp_path / "one.tsv"
    path.write_text("only one column\n", encoding="utf-8")
    assert "line 1" in note(path)


class Request:
    def __init__(self, **query_params: str) -> None:
        self.query_params = query_params


def test_links() -> None:
    text, _, _, _, beam, question, columns, *_ = compare_tab.opened(Request(tab="compare", text=TEXT, beam="2"))
    assert (text, beam, question) == (TEXT, 2, SAW) and columns["sides"][1]["words"]
    _, _, _, right, _, _, _, comparison, *_ = compare_tab.opened(
        Request(tab="compare", text=TEXT, checkpoint="en-fr-plain")
    )
    assert right == comparison.right.checkpoint == "en-fr-plain"
    *controls, columns, comparison, _, _, _, said = compare_tab.opened(Request(text=TEXT))
    assert controls == [gr.skip()] * 6 and said == ""
    assert columns["text"] == comparison.right.text == compare_tab.EXAMPLES[1], "no link: the example"


def test_another_question_is_asked_of_the_same_comparison() -> None:
    asked = TEXT, "Deux chiens.", *PAIR, 2
    columns, made, looked = run(*asked, SAW)
    other, same, now = run(f"{TEXT} ", *asked[1:], NEEDED, made, looked)
    assert same is made and now == NEEDED and "show=needed" in other["link"]
    assert other | {"link": ""} == columns | {"link": ""}, "so that it is not played again"
    assert run(*asked, SAW, made, looked)[1] is not made, "asked for again, it is made again"
    for at, value in enumerate(("A dog.", "", PAIR[1], PAIR[0], 1)):
        changed = [*asked[:at], value, *asked[at + 1 :]]
        assert run(*changed, NEEDED, made, looked)[1] is not made
    refused, none, _ = run("", *asked[1:], NEEDED, made, looked)
    assert refused["message"] and none is None


def test_the_api_compares_and_refuses() -> None:
    answer = api.compare(TEXT)
    assert (answer["left"]["checkpoint"], answer["right"]["checkpoint"]) == PAIR and answer["chrf"] is None
    assert set(api.compare(TEXT, reference="Deux chiens.")["chrf"]) == {"left", "right"}
    for arguments in (
        ("",),
        (TEXT, "../x"),
        (TEXT, *PAIR, "x" * 100_000),
        ([TEXT] * 500,),
        (TEXT, None),
        (TEXT, *PAIR, 5),
    ):
        with pytest.raises(gr.Error):
            api.compare(*arguments)
