"""The picture and its caption, from translations written by hand."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from seq2seq.figures import NUMBERS_UP_TO, ONE_WORD, THEMES, caption, grid, heatmap, label
from seq2seq.translation import Translation


def made(source: str, target: str, attention: list[list[float]] | np.ndarray | None) -> Translation:
    """A translation of one-piece words; `<eos>` is written out in `source` and `target`."""
    source_words, target_words = tuple(source.split()), tuple(target.split())
    weights = None if attention is None else np.array(attention, dtype=float)
    return Translation(
        text=source,
        translation=target,
        source_words=source_words,
        target_words=target_words,
        source_pieces=source_words,
        target_pieces=target_words,
        source_word_of=tuple(range(len(source_words))),
        target_word_of=tuple(range(len(target_words))),
        unknown_words=(),
        attention=weights,
        attention_pieces=weights,
        token_log_probs=(-0.1,) * len(target_words),
        candidates=((("x", -0.1),),) * len(target_words),
        checkpoint="test",
        beam_size=1,
        seconds=0.0,
        hidden_size=8,
    )


def permutation(*best: int, size: int) -> np.ndarray:
    """Rows with 0.9 on the given column and the rest spread out."""
    weights = np.full((len(best), size), 0.1 / (size - 1))
    weights[np.arange(len(best)), best] = 0.9
    return weights


BLUE_CAR = made("the blue car <eos>", "la voiture bleue <eos>", permutation(0, 2, 1, 3, size=4))


def test_scale_is_fixed_and_not_of_the_sentence() -> None:
    doubtful = made("a b c <eos>", "x y <eos>", np.full((3, 4), 0.25))
    for translation in (BLUE_CAR, doubtful):
        trace = heatmap(translation).data[0]
        assert (trace.zmin, trace.zmax) == (0, 1)


@pytest.mark.parametrize("scale", ["scale", "need"])
@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_scale_has_one_direction_of_lightness(theme: dict, scale: str) -> None:
    """Strength can be told by lightness alone, whatever colours an eye can see."""

    def luminance(colour: str) -> float:
        linear = [(v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4)
                  for v in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))]  # fmt: skip
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    steps = np.diff([luminance(colour) for _, colour in theme[scale]])
    assert (steps < 0).all() or (steps > 0).all()


def test_repeated_words_keep_their_own_rows_and_columns() -> None:
    figure = heatmap(made("the dog the <eos>", "le chien le <eos>", np.eye(4)))
    assert list(figure.layout.xaxis.ticktext) == ["the", "dog", "the", "&lt;eos&gt;"]
    assert list(figure.layout.xaxis.tickvals) == [0, 1, 2, 3]
    assert np.array(figure.data[0].z).shape == (4, 4)
    assert figure.data[0].x is None, "cells stand at integers, never at words"


def test_source_runs_across_the_top_and_target_down() -> None:
    figure = heatmap(BLUE_CAR)
    assert figure.layout.xaxis.side == "top"
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]


@pytest.mark.parametrize("word", ["</s>", "<b>x</b>", "<img src=x onerror=alert(1)>", "a&lt;b"])
def test_labels_cannot_be_markup(word: str) -> None:
    shown = label(word)
    assert "<" not in shown and shown.count("&") == word.count("<") + word.count(">") + word.count("&") or "…" in shown


def test_long_labels_are_cut_and_data_is_not() -> None:
    word = "anticonstitutionnellement"
    translation = made(f"{word} <eos>", f"{word} <eos>", np.eye(2))
    assert len(heatmap(translation).layout.yaxis.ticktext[0]) < len(word)
    assert grid(translation).rows[0] == word


def test_eos_row_is_on_a_switch_and_its_column_stays() -> None:
    with_row, without = grid(BLUE_CAR, show_eos=True), grid(BLUE_CAR, show_eos=False)
    assert with_row.rows[-1] == "<eos>" and without.rows == with_row.rows[:-1]
    assert without.columns == with_row.columns
    assert without.weights.sum(axis=1) == pytest.approx(1)


def test_cells_carry_numbers_only_in_small_pictures() -> None:
    def numbers(size: int) -> str:
        words = " ".join(f"w{i}" for i in range(size))
        return heatmap(made(words, words, np.eye(size))).data[0].texttemplate

    assert numbers(NUMBERS_UP_TO) == "%{text}" and numbers(NUMBERS_UP_TO + 1) is None
    assert heatmap(BLUE_CAR).data[0].text[0][0] == "90"


def test_no_attention_gets_a_sentence_and_no_map() -> None:
    plain = made("a dog <eos>", "un chien <eos>", None)
    figure = heatmap(plain)
    assert len(figure.data) == 0
    assert "one vector of 8 numbers" in figure.layout.annotations[0].text
    assert "No attention exists here" in caption(plain)


def test_caption_names_order_and_swaps() -> None:
    assert (
        caption(made("a b c <eos>", "x y z <eos>", permutation(0, 1, 2, 3, size=4)))
        == "Read strictly from left to right."
    )
    assert "‘blue’ and ‘car’ swapped places" in caption(BLUE_CAR)
    backwards = caption(made("a b c d e <eos>", "v w x y z <eos>", permutation(4, 3, 2, 1, 0, 5, size=6)))
    assert backwards.startswith("Read back and forth")


def test_caption_names_words_that_were_not_read_and_doubt() -> None:
    weights = [[0.95, 0.0, 0.05], [0.3, 0.05, 0.65], [0.35, 0.05, 0.6]]
    assert "‘do’ got almost no attention" in caption(made("I do know", "je le sais", weights))
    spread = [[0.9, 0.05, 0.05], [0.3, 0.35, 0.35]]
    assert "least sure for ‘sais’, with no more than 35 % on ‘do’" in caption(made("I do know", "je sais", spread))


def test_caption_of_one_word_and_of_nothing() -> None:
    assert caption(made("hello <eos>", "bonjour <eos>", [[0.9, 0.1], [0.1, 0.9]])) == ONE_WORD
    assert "wrote nothing" in caption(made("hello you <eos>", "<eos>", [[0.2, 0.2, 0.6]]))


def test_figures_need_neither_torch_nor_gradio() -> None:
    code = "import sys, seq2seq.figures; assert not {'torch', 'gradio'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)
