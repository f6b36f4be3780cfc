"""The picture and its caption, from translations written by hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from seq2seq.figures import NUMBERS_UP_TO, ONE_WORD, THEMES, caption, grid, heatmap, heatmap_spec, label, painted
from seq2seq.translation import PADDING, Translation


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
    def numbers(size: int) -> list[str]:
        words = " ".join(f"w{i}" for i in range(size))
        return [text for trace in heatmap(made(words, words, np.eye(size))).data[1:] for text in trace.text]

    assert numbers(NUMBERS_UP_TO) == ["100"] * NUMBERS_UP_TO and numbers(NUMBERS_UP_TO + 1) == []
    shown = heatmap(BLUE_CAR)
    assert (shown.data[1].x[0], shown.data[1].y[0], shown.data[1].text[0]) == (0, 0, "90")


def luminance(colour: str | tuple[float, ...]) -> float:
    """WCAG's relative luminance of "#rgb", "#rrggbb" or (r, g, b)."""
    if isinstance(colour, str):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        colour = tuple(int(digits[i : i + 2], 16) for i in (0, 2, 4))
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("dark", [False, True])
def test_numbers_can_be_read_on_every_tone(dark: bool) -> None:
    """WCAG AA: 4.5 to 1 at least, for each weight that a cell can have."""
    scale = THEMES["dark" if dark else "light"]["scale"]
    tones = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for _, colour in scale])
    for weights in np.arange(0, 1.0001, 0.001).round(3).reshape(-1, 11):  # a row of cells at a time
        words = " ".join(f"w{i}" for i in range(weights.size))
        numbers = heatmap(made(words, "x", weights[None]), dark=dark).data[1]
        assert len(numbers.text) == (weights >= 0.01).sum()
        for place, ink in zip(numbers.x, numbers.textfont.color):
            tone = tuple(np.interp(weights[place], [at for at, _ in scale], tones[:, c]) for c in range(3))
            paler, darker = sorted((luminance(tone), luminance(ink)), reverse=True)
            assert (paler + 0.05) / (darker + 0.05) >= 4.5, weights[place]


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


# -- in three languages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "translation, french, chinese",
    [
        (
            made("a b c <eos>", "x y z <eos>", permutation(0, 1, 2, 3, size=4)),
            "Lecture strictement de gauche à droite.",
            "严格从左到右阅读。",
        ),
        (
            BLUE_CAR,
            "Lecture en va-et-vient~; «~blue~» et «~car~» ont échangé leurs places.",
            "来回跳跃着阅读；“blue”与“car”互换了位置。",
        ),
        (
            made("I do know", "je sais", [[0.9, 0.05, 0.05], [0.3, 0.05, 0.65]]),
            "Lecture strictement de gauche à droite~; presque aucune attention pour «~do~».",
            "严格从左到右阅读；“do”几乎没有得到注意力。",
        ),
        (
            made("a b c d e f <eos>", "x <eos>", [[0.35, 0.01, 0.02, 0.03, 0.04, 0.05, 0.5], [0.0] * 6 + [1.0]]),
            "Un seul mot a été écrit~; presque aucune attention pour «~b~», «~c~», «~d~» et 2 autres mots.",
            "只写出了一个词；“b”“c”“d”和另外 2 个词几乎没有得到注意力。",
        ),
        (
            made("a b c d e <eos>", "x <eos>", [[0.35, 0.01, 0.02, 0.03, 0.04, 0.55], [0.0] * 5 + [1.0]]),
            "Un seul mot a été écrit~; presque aucune attention pour «~b~», «~c~», «~d~» et un autre mot.",
            "只写出了一个词；“b”“c”“d”和另外一个词几乎没有得到注意力。",
        ),
        (
            made("I do know", "je sais", [[0.9, 0.05, 0.05], [0.3, 0.35, 0.35]]),
            "Lecture strictement de gauche à droite~; le moins sûr pour «~sais~», avec au plus 35~% sur «~do~».",
            "严格从左到右阅读；对“sais”最没有把握，最多只有 35% 放在“do”上。",
        ),
        (
            made("hello <eos>", "bonjour <eos>", [[0.9, 0.1], [0.1, 0.9]]),
            "Avec un seul mot source, son poids ne pouvait être que de 100~%.",
            "源句只有一个词，它的权重只能是 100%。",
        ),
        (
            made("hello you <eos>", "<eos>", [[0.2, 0.2, 0.6]]),
            "Le modèle n’a rien écrit~: son premier pas a été de s’arrêter.",
            "模型什么也没写：第一步就停了。",
        ),
        (
            made("a b <eos>", "x y <eos>", None),
            "Ici, il n’y a pas d’attention~: de toute la phrase, quelle que soit sa longueur, le décodeur n’a reçu qu’un seul "
            "vecteur de 8 nombres.",
            "这里没有注意力：不论句子多长，解码器得到的只是一个由 8 个数组成的向量。",
        ),
    ],
)
def test_the_caption_in_french_and_in_chinese(translation: Translation, french: str, chinese: str) -> None:
    assert caption(translation, language="fr") == french.replace("~", "\u00a0")
    assert caption(translation, language="zh") == chinese
    assert caption(translation, language="en") == caption(translation)


def test_the_caption_of_padding_in_french_and_in_chinese() -> None:
    said = "en moyenne 29~% du poids est tombé sur le remplissage, les places vides derrière la phrase."
    assert caption(PADDED, language="fr").endswith(said.replace("~", "\u00a0"))
    assert caption(PADDED, language="zh").endswith("平均有 29% 的权重落在填充上，即句子之后的空位。")
    assert [grid(PADDED, language=language).columns[-1] for language in ("en", "fr", "zh")] == [
        PADDING,
        "remplissage",
        "填充",
    ]


def test_the_picture_in_french_and_in_chinese() -> None:
    english, french, chinese = (
        go.Figure(painted(heatmap_spec(BLUE_CAR, language=name), THEMES["light"])) for name in ("en", "fr", "zh")
    )
    assert french.data[0].hovertemplate == (
        "Pour écrire «~%{y}~», le modèle a porté %{customdata}~% de son attention sur «~%{x}~».<extra></extra>"
    ).replace("~", "\u00a0")
    assert chinese.data[0].hovertemplate == "写“%{y}”时，模型把 %{z:.0%} 的注意力放在“%{x}”上。<extra></extra>"
    np.testing.assert_array_equal(french.data[0].customdata, np.round(100 * BLUE_CAR.attention))
    assert english.data[0].customdata is None and chinese.data[0].customdata is None
    assert french.data[0].colorbar.ticktext == ("0\u00a0%", "50\u00a0%", "100\u00a0%")
    assert [figure.layout.separators for figure in (english, french, chinese)] == [None, ",\u202f", None]
    for figure in (french, chinese):
        assert figure.data[0].z == english.data[0].z and figure.layout.xaxis == english.layout.xaxis


# -- weight on padding ---------------------------------------------------------------------------------------------


def padded(beyond: tuple[float, ...] = (0.25, 0.5, 0.125, 0.75)) -> Translation:
    """BLUE_CAR by a model that also looks behind the sentence, where it puts the share `beyond` for each target word. "blue"
    and "voiture" have two pieces each."""
    words = BLUE_CAR.attention * (1 - np.array(beyond))[:, None]
    pieces = words[:, [0, 1, 1, 2, 3]] * [1, 0.25, 0.75, 1, 1]  # the pieces of a source word share its weight,
    pieces = pieces[[0, 1, 1, 2, 3]] * np.array([[1], [1.25], [0.75], [1], [1]])  # those of a target word average to it
    return replace(
        made("the blue car <eos>", "la voiture bleue <eos>", words),
        source_pieces=("▁the", "▁bl", "ue", "▁car", "<eos>"),
        source_word_of=(0, 1, 1, 2, 3),
        target_pieces=("▁la", "▁voi", "ture", "▁bleue", "<eos>"),
        target_word_of=(0, 1, 1, 2, 3),
        attention_pieces=pieces,
        padding_weight=1 - words.sum(axis=1),
    )


PADDED = padded()


@pytest.mark.parametrize("show_eos", [True, False])
@pytest.mark.parametrize("pieces", [False, True], ids=["words", "pieces"])
def test_the_last_column_is_padding_and_rows_sum_to_one(pieces: bool, show_eos: bool) -> None:
    shown = grid(PADDED, pieces=pieces, show_eos=show_eos)
    source, target = (
        (PADDED.source_pieces, PADDED.target_pieces) if pieces else (PADDED.source_words, PADDED.target_words)
    )
    exact = PADDED.attention_pieces if pieces else PADDED.attention
    assert shown.padding and shown.columns == (*source, PADDING)
    assert shown.rows == (target if show_eos else target[:-1])
    assert shown.weights.shape == (len(shown.rows), len(shown.columns))
    assert shown.weights.sum(axis=1) == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(shown.weights[:, :-1], exact[: len(shown.rows)])
    if not pieces:
        np.testing.assert_allclose(shown.weights[:, -1], PADDED.padding_weight[: len(shown.rows)], atol=1e-6)


@pytest.mark.parametrize("pieces", [False, True], ids=["words", "pieces"])
def test_the_picture_has_a_column_for_padding(pieces: bool) -> None:
    figure = heatmap(PADDED, pieces=pieces)
    drawn = np.array(figure.data[0].z)
    np.testing.assert_allclose(drawn, grid(PADDED, pieces=pieces).weights, atol=1e-4)
    assert drawn.sum(axis=1) == pytest.approx(1, abs=1e-3)
    assert figure.layout.xaxis.ticktext[-1] == PADDING and len(figure.layout.xaxis.ticktext) == drawn.shape[1]
    assert (figure.data[0].zmin, figure.data[0].zmax) == (0, 1)
    assert figure.data[1].text[-1] == "75", "the cell says its share as every other does"


def test_without_weight_on_padding_there_is_no_such_column() -> None:
    for pieces in (False, True):
        shown = grid(BLUE_CAR, pieces=pieces)
        assert not shown.padding and PADDING not in shown.columns
    assert PADDING not in caption(BLUE_CAR)


def test_caption_names_the_share_on_padding() -> None:
    """The mean over the rows that the caption is about."""
    for show_eos, share in ((False, np.mean([0.25, 0.5, 0.125])), (True, np.mean([0.25, 0.5, 0.125, 0.75]))):
        expected = (
            f"on average {100 * share:.0f} % of the weight fell on padding, the empty places behind the sentence."
        )
        assert caption(PADDED, show_eos=show_eos).endswith(expected)


def test_padding_is_no_word_of_the_caption() -> None:
    """Where most weight fell behind the sentence, the words are still compared with each other."""
    mostly = padded(beyond=(0.9, 0.9, 0.9, 0.9))
    said = caption(mostly)
    assert "‘blue’ and ‘car’ swapped places" in said and f"‘{PADDING}’" not in said
    assert "90 % of the weight fell on padding" in said


def test_caption_of_one_word_and_padding_tells_of_both() -> None:
    one = made("hello <eos>", "bonjour <eos>", [[0.3, 0.1], [0.1, 0.2]])
    said = caption(replace(one, padding_weight=np.array([0.6, 0.7])))
    assert said != ONE_WORD and "60 % of the weight fell on padding" in said


def test_a_full_memory_has_no_padding_to_speak_of() -> None:
    """Where every place holds a piece, only rounding is left behind the sentence, on either side of 0."""
    for rest in (6e-8, -6e-8):
        weights = permutation(0, 2, 1, 3, size=4).astype(np.float64)
        weights[:, 0] -= rest
        full = replace(made("the blue car <eos>", "la voiture bleue <eos>", weights), padding_weight=np.zeros(4))
        assert (grid(full).weights >= 0).all() and (grid(full, pieces=True).weights >= 0).all()
        assert "fell on padding" not in caption(full)


def test_figures_need_neither_torch_nor_gradio() -> None:
    code = "import sys, seq2seq.figures; assert not {'torch', 'gradio'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)
