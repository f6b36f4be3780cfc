"""The one door to a trained model: text in, `Translation` out. Page, command line, API and notebooks all go through it."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seq2seq.config import EOS
from seq2seq.data import pad_ids
from seq2seq.model import TOKENIZER_FILE, Seq2Seq, checkpoint_file
from seq2seq.search import Hypothesis, forced, greedy, greedy_steps, collect
from seq2seq.tokenizer import UNKNOWN_TEXT, Pieces, Tokenizer
from seq2seq.translation import Translation

MAX_CHARACTERS = 1000
"""Longer texts are refused: the model was trained on sentences, and every piece costs time and a row of the picture."""
CANDIDATES = 5
"""Likeliest pieces that are reported for each step."""


class TextError(ValueError):
    """A text that cannot be translated. The message is one line for the person who typed it."""


def clean(text: str) -> str:
    """The text as the model is given it and as its words are shown: one line, NFC, no control characters.

    Raises TextError if nothing is left, or if there are over MAX_CHARACTERS characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise TextError(f"The text has {len(text):,} characters; the limit is {MAX_CHARACTERS:,}. Please shorten it.")
    # Cc: control characters; Cs: lone surrogates, which no UTF-8 text can hold. Cf (joiners, marks of direction) is
    # left to the tokenizer: emoji and some scripts need it to be drawn.
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in unicodedata.normalize("NFC", text))
    kept = " ".join(kept.split())
    if not any(unicodedata.category(c)[0] in "LNPSM" for c in kept):
        raise TextError("There is no text to translate. Please type a sentence.")
    return kept


def choose_device(device: str = "auto") -> torch.device:
    """"auto" is CUDA if there is one, else MPS, else the CPU. Raises ValueError for a device that is not here."""
    mps = torch.backends.mps.is_available()
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if mps else "cpu"
    if device not in ("cuda", "mps", "cpu"):
        raise ValueError(f"unknown device {device!r}; choose auto, cpu, cuda or mps")
    if device == "cuda" and not torch.cuda.is_available() or device == "mps" and not mps:
        raise ValueError(f"there is no {device} device on this machine; choose cpu or auto")
    return torch.device(device)


class Translator:
    """A model with its tokenizer, on one device, always in float32 and evaluation mode."""

    def __init__(self, model: Seq2Seq, tokenizer: Tokenizer, name: str = "") -> None:
        self.model, self.tokenizer, self.name = model.eval(), tokenizer, name

    @classmethod
    def from_checkpoint(cls, checkpoint: str | Path, device: str = "auto") -> Translator:
        """A checkpoint folder or hub id -> Translator. Raises CheckpointError, and ValueError for a missing device."""
        where = choose_device(device)
        model = Seq2Seq.from_pretrained(str(checkpoint)).to(where)
        tokenizer = Tokenizer.load(checkpoint_file(checkpoint, TOKENIZER_FILE))
        return cls(model, tokenizer, Path(checkpoint).resolve().name if Path(checkpoint).is_dir() else str(checkpoint))

    @property
    def device(self) -> torch.device:
        return self.model.device

    def translate(self, text: str | Sequence[str], *, target: str | None = None) -> Any:
        """One text -> Translation, several -> list of them, in order. `target`: score this one instead of searching.

        Raises TextError for a text that is blank or too long; then nothing is translated.
        """
        texts = [text] if isinstance(text, str) else list(text)
        cleaned = [clean(t) for t in texts]
        began = time.perf_counter()
        sources = self.tokenizer.encode_batch(cleaned)
        if target is None:
            found = self.search(sources, top_k=CANDIDATES)
        else:
            ids = self.tokenizer.encode(clean(target)).ids
            state, lengths = self._encode(sources)
            found = forced(self.model.decoder, state, lengths, [ids] * len(sources), CANDIDATES)
        seconds = (time.perf_counter() - began) / max(1, len(texts))
        made = [self._translation(t, s, h, seconds) for t, s, h in zip(cleaned, sources, found)]
        return made[0] if isinstance(text, str) else made

    def stream(self, text: str) -> Iterator[Translation]:
        """The translation as it grows, one more target word each time; the last one is what `translate` gives."""
        cleaned = clean(text)
        began = time.perf_counter()
        source = self.tokenizer.encode(cleaned)
        state, lengths = self._encode([source])
        limits = [self._limit(source)]
        steps, words = [], 1
        for step in greedy_steps(self.model.decoder, state, limits[0], CANDIDATES):
            steps.append(step)
            hypothesis = collect(iter(steps), lengths, limits)[0]
            over = hypothesis.finished or len(hypothesis.ids) >= limits[0]
            begun = len(self.tokenizer.decode(hypothesis.ids).words)
            if over or begun > words:
                # A word is complete when the next one has begun.
                shown = hypothesis if over else hypothesis.first(len(hypothesis.ids) - 1)
                yield self._translation(cleaned, source, shown, time.perf_counter() - began, partial=not over)
                words = begun
            if over:
                return

    def texts(self, texts: Sequence[str]) -> list[str]:
        """Only the translated texts, for scoring many."""
        return [self.tokenizer.text(h.ids) for h in self.search(self.tokenizer.encode_batch([clean(t) for t in texts]))]

    def search(self, sources: Sequence[Pieces], top_k: int = 1, batch_size: int = 64) -> list[Hypothesis]:
        """Greedy hypotheses, in the order of `sources`; sentences of like length share a batch."""
        found: list[Hypothesis | None] = [None] * len(sources)
        order = sorted(range(len(sources)), key=lambda i: len(sources[i].ids))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            state, lengths = self._encode([sources[i] for i in batch])
            limits = [self._limit(sources[i]) for i in batch]
            for i, hypothesis in zip(batch, greedy(self.model.decoder, state, lengths, limits, top_k)):
                found[i] = hypothesis
        return found

    @torch.inference_mode()
    def _encode(self, sources: Sequence[Pieces]):
        src, lengths = pad_ids([source.ids for source in sources])
        encoded = self.model.encoder(src.to(self.device), lengths)
        return self.model.decoder.init_state(encoded), lengths.tolist()

    @staticmethod
    def _limit(source: Pieces) -> int:
        """How many pieces a translation may have. French needs seldom half again as many as English."""
        return 2 * len(source.ids) + 10

    def _translation(
        self, text: str, source: Pieces, hypothesis: Hypothesis, seconds: float, partial: bool = False
    ) -> Translation:
        target = self.tokenizer.decode(hypothesis.ids)
        warnings = []
        unknown = sorted({w for w, id in zip(source.pieces, source.ids) if id == self.tokenizer.unknown_id})
        if unknown:
            warnings.append(f"The model does not know {', '.join(unknown[:10])}; it reads an unknown piece there.")
        if not partial and not hypothesis.finished:
            warnings.append(f"Stopped at the length limit of {len(hypothesis.ids)} pieces.")
        pieces = hypothesis.weights
        names = self.tokenizer.piece
        return Translation(
            text=text,
            translation=self.tokenizer.text(hypothesis.ids),
            source_words=source.words,
            target_words=target.words,
            source_pieces=source.pieces,
            target_pieces=target.pieces,
            source_word_of=source.word_of,
            target_word_of=target.word_of,
            attention=None if pieces is None else to_words(pieces, source.word_of, target.word_of),
            attention_pieces=pieces,
            token_log_probs=tuple(hypothesis.log_probs),
            candidates=tuple(tuple((names(id), lp) for id, lp in step) for step in hypothesis.candidates),
            checkpoint=self.name,
            beam_size=1,
            seconds=seconds,
            warnings=tuple(warnings),
        )


def to_words(weights: np.ndarray, source_word_of: Sequence[int], target_word_of: Sequence[int]) -> np.ndarray:
    """Piece weights (T, S) -> word weights: source pieces of a word summed, target pieces averaged, so rows sum to 1."""
    T, S = max(target_word_of) + 1, max(source_word_of) + 1
    columns = np.zeros((weights.shape[0], S), weights.dtype)
    np.add.at(columns.T, list(source_word_of), weights.T)
    rows = np.zeros((T, S), weights.dtype)
    np.add.at(rows, list(target_word_of), columns)
    return rows / np.bincount(target_word_of, minlength=T)[:, None]
