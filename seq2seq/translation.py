"""What a translation is: a result to look at, to save and to draw. Plain values only; no model is needed to read one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

EOS = "<eos>"
"""The end mark, as it stands among words and pieces."""
PADDING = "padding"
"""What the column is called for weight that fell behind the end of the sentence."""
DIGITS = 6
"""Decimals of weights and log-probabilities in JSON: rows still sum to 1 within 1e-4."""

PLOTLY = "application/vnd.plotly.v1+json"
"""What notebooks call a figure that Plotly draws in the browser."""
OWN_FIELDS = (
    "translation",
    "target_words",
    "target_pieces",
    "copied_words",
    "attention",
    "attention_pieces",
    "padding_weight",
    "log_prob",
    "token_log_probs",
    "candidates",
)
"""What an alternative has of its own in JSON; all else is as in the translation it stands under."""


@dataclass(frozen=True, eq=False)
class Translation:
    """One source text and its target, with what the model attended to and thought of at each step.

    text: the source as the model read it. translation: the target text.
    source_words, target_words: words, the last `<eos>` (a target cut off at the length limit has none).
    source_pieces (S), target_pieces (T): pieces. source_word_of, target_word_of: the index of each piece's word.
    unknown_words: indexes of source words with a piece the model has never seen.
    copied_words: indexes of target words that the model could not name and that were copied from the source.
    attention: (target words, source words), source pieces summed and target pieces averaged, each row sums to 1;
        attention_pieces: (T, S) as the model computed it. Both None for a model without attention.
    padding_weight: (target words,) the weight that fell on no source word but on places behind the sentence, of a model
        that looks there (`classic-attention`): then a row of attention sums to 1 only together with it. Else None.
    token_log_probs: natural log of the probability of each target piece.
    candidates: for each target piece the likeliest pieces and their log-probabilities, best first.
    checkpoint, beam_size, seconds: what made it, and how long that took. hidden_size (H): numbers in one memory vector.
    warnings: sentences for the reader.
    alternatives: further hypotheses of the same search, best first, if they were asked for.
    source_language, target_language: codes, for whoever lays it out or reads it aloud.
    posterior: whether the weights are not the model's attention but what `seq2seq.explain.posterior` makes of it.
    """

    text: str
    translation: str
    source_words: tuple[str, ...]
    target_words: tuple[str, ...]
    source_pieces: tuple[str, ...]
    target_pieces: tuple[str, ...]
    source_word_of: tuple[int, ...]
    target_word_of: tuple[int, ...]
    unknown_words: tuple[int, ...]
    attention: np.ndarray | None
    attention_pieces: np.ndarray | None
    token_log_probs: tuple[float, ...]
    candidates: tuple[tuple[tuple[str, float], ...], ...]
    checkpoint: str
    beam_size: int
    seconds: float
    hidden_size: int
    warnings: tuple[str, ...] = ()
    copied_words: tuple[int, ...] = ()
    padding_weight: np.ndarray | None = None
    alternatives: tuple[Translation, ...] = ()
    source_language: str = "en"
    target_language: str = "fr"
    posterior: bool = False

    @property
    def log_prob(self) -> float:
        """Natural log of the probability of the whole target, `<eos>` included, without length penalty."""
        return sum(self.token_log_probs)

    @property
    def lengths(self) -> tuple[int, int]:
        """Source and target words, `<eos>` left out; a source that was cut and a target that was stopped do not end in it."""
        source, target = (len(words) - (words[-1:] == (EOS,)) for words in (self.source_words, self.target_words))
        return source, target

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of `translate --json` and of the API."""

        def rounded(weights: np.ndarray | None) -> list | None:
            return None if weights is None else np.round(weights.astype(float), DIGITS).tolist()

        made: dict[str, Any] = {
            "text": self.text,
            "translation": self.translation,
            "source_words": list(self.source_words),
            "target_words": list(self.target_words),
            "source_pieces": list(self.source_pieces),
            "target_pieces": list(self.target_pieces),
            "attention": rounded(self.attention),
            "attention_pieces": rounded(self.attention_pieces),
            "log_prob": round(self.log_prob, DIGITS),
            "token_log_probs": [round(value, DIGITS) for value in self.token_log_probs],
            "candidates": [[[piece, round(value, DIGITS)] for piece, value in step] for step in self.candidates],
            "checkpoint": self.checkpoint,
            "beam_size": self.beam_size,
            "seconds": round(self.seconds, 4),
            "warnings": list(self.warnings),
        }
        if self.padding_weight is not None:
            # From the rounded rows, so that they and it make 1 however many words there are.
            made["padding_weight"] = rounded((1 - np.array(made["attention"]).sum(axis=1)).clip(0, 1))
        if self.posterior:
            made["posterior"] = True
        if self.copied_words:
            made["copied_words"] = list(self.copied_words)
        if self.alternatives:
            others = [other.to_dict() for other in self.alternatives]
            made["alternatives"] = [{name: other[name] for name in OWN_FIELDS if name in other} for other in others]
        return made

    def to_frame(self) -> pd.DataFrame:
        """The word weights as a table: a row a target word, a column a source word. Empty columns without attention.

        A last column "padding" for a model that puts weight there, so that every row sums to 1.
        """
        import pandas as pd

        columns, weights = self.columns()
        return pd.DataFrame(weights, index=list(self.target_words), columns=list(columns))

    def columns(self) -> tuple[tuple[str, ...], np.ndarray | None]:
        """What the weights of a target word are spread over, source words and, if any falls there, padding; and those
        weights (target words, columns), each row summing to 1. Nothing and None without attention."""
        if self.attention is None:
            return (), None
        if self.padding_weight is None:
            return self.source_words, self.attention
        return (*self.source_words, PADDING), np.column_stack([self.attention, self.padding_weight])

    def figure(self, **options: Any) -> Figure:
        """The heatmap as a Plotly figure; options as in `seq2seq.figures.heatmap`."""
        from seq2seq.figures import heatmap

        return heatmap(self, **options)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """What a notebook shows, of which each front end takes the best that it can: the heatmap to point at, else its drawing,
        which needs no script and no network, else words. Made here and not by Plotly, which gives nothing where it finds none
        of its own front ends."""
        from seq2seq.figures import THEMES, caption, heatmap_spec, painted
        from seq2seq.picture import MAX_CELLS, to_svg
        from seq2seq.sheet import sheet

        words = f"{self.text}\n{self.translation}\n{caption(self, show_eos=True)}"
        bundle: dict[str, Any] = {"text/plain": words, "image/svg+xml": to_svg(sheet(self))}
        if self.attention is not None and 0 < self.attention.size <= MAX_CELLS:
            spec = painted(heatmap_spec(self), THEMES["light"])
            spec["layout"]["paper_bgcolor"] = "#fff"  # whatever theme the notebook has
            bundle[PLOTLY] = spec | {"config": {"displaylogo": False}}
        return bundle
