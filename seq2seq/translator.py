"""The one door to a trained model: text in, `Translation` out. Page, command line, API and notebooks all go through it."""

from __future__ import annotations

import logging
import threading
import time
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch

from seq2seq.checkpoint import TOKENIZER_FILE, CheckpointError, read_sealed
from seq2seq.config import EOS, UNK
from seq2seq.data import pad_ids
from seq2seq.decoder import DecoderState
from seq2seq.dial import Dial
from seq2seq.language import Said
from seq2seq.model import Seq2Seq, checkpoint_file
from seq2seq.search import (
    LENGTH_PENALTY,
    Beams,
    Deadline,
    Hypothesis,
    Node,
    beam,
    forced,
    greedy,
    greedy_steps,
    grow,
    tree,
)
from seq2seq.sources import Reader, load_tokenizers
from seq2seq.tokenizer import SPACE, Pieces, Tokenizer
from seq2seq.translation import Translation

MAX_CHARACTERS = 1000
"""Longer texts are refused: the model was trained on sentences, and every piece costs time and a row of the picture."""
MAX_PIECES = 400
"""No search makes a translation longer: MAX_CHARACTERS of English prose make about 250 pieces."""
CANDIDATES = 5
"""Likeliest pieces that are reported for each step."""
FORCED_LOGITS = 2**24
"""Numbers of one batch of logits in forced decoding: 64 MB, a sentence of 60 pieces after 70 sources at once."""
SEARCHED_PIECES = 2**14
"""Source pieces of one batch of a search, each hypothesis counted: what attention needs of memory grows with them."""
SMALLER = "The GPU has not enough memory for so many at once, so this took longer."
ON_CPU = "The GPU has not enough memory, so the CPU did this."
"""What the reader is told then."""
MAX_BEAM_SIZE = 20
"""Wider beams are refused: time and memory grow with the beam, and translations are seldom better beyond 10."""


TOO_LONG = "The text has {count:,} characters; the limit is {limit:,}. Please shorten it."
CUT_ONE = "This model reads at most {limit} pieces: the last word was cut off unread."
CUT_MORE = "This model reads at most {limit} pieces: the last {count} words were cut off unread."
CAPITALS = "The text is in capitals, which say little to the model; it was read in lower case."
UNKNOWN = "The model does not know {pieces}; it reads an unknown piece there."
LENGTH_LIMIT = "Stopped at the length limit of {count} pieces."
TIME_LIMIT = "Stopped at the time limit after {count} pieces: the translation is not finished."
COPIED = "Copied from the source, where attention pointed: {words}. The model has no piece for it."


class TextError(ValueError):
    """A text that cannot be translated. The message is one line for the person who typed it."""


class SearchError(ValueError):
    """A search that cannot be made as it was asked for. The message is one line that says how to mend it."""


def clean(text: str) -> str:
    """The text as the model is given it and as its words are shown: one line, NFC, no control characters.

    Raises TextError if nothing is left, or if there are over MAX_CHARACTERS characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise TextError(Said(TOO_LONG, count=len(text), limit=MAX_CHARACTERS))
    # SPACE is how the tokenizer writes a space, so typed by a person it is one. Cc: control characters; Cs: lone
    # surrogates, which no UTF-8 text can hold. Cf (joiners, marks of direction) is left to the tokenizer: emoji and some
    # scripts need it to be drawn.
    normal = unicodedata.normalize("NFC", text).replace(SPACE, " ")
    kept = " ".join("".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in normal).split())
    if not any(unicodedata.category(c)[0] in "LNPSM" for c in kept):
        raise TextError("There is no text to translate. Please type a sentence.")
    if len(kept) > MAX_CHARACTERS:  # some characters become several by NFC
        raise TextError(Said(TOO_LONG, count=len(kept), limit=MAX_CHARACTERS))
    return kept


def check_search(beam_size: int, n_best: int = 1, length_penalty: float = LENGTH_PENALTY) -> None:
    """Raises SearchError for settings with which no search can be made."""
    for name, value in (("beam_size", beam_size), ("n_best", n_best)):
        if not isinstance(value, int) or isinstance(value, bool):
            # Shortened: what anybody sends must not come back at any length.
            raise SearchError(Said("{name} is {value}; it must be a whole number.", name=name, value=repr(value)[:60]))
    if not 1 <= beam_size <= MAX_BEAM_SIZE:
        raise SearchError(
            Said("beam_size is {value}; choose one from 1 to {limit}.", value=beam_size, limit=MAX_BEAM_SIZE)
        )
    if not 1 <= n_best <= beam_size:
        raise SearchError(
            f"n_best is {n_best}; choose one from 1 to beam_size, which is {beam_size}, or a larger beam."
        )
    if not 0 <= length_penalty <= 10:
        raise SearchError(
            f"length_penalty is {length_penalty}; choose one from 0 (none) to 10, such as {LENGTH_PENALTY}."
        )


def choose_device(device: str = "auto") -> torch.device:
    """ "auto" is CUDA if there is one, else MPS, else the CPU. Raises ValueError for a device that is not here."""
    mps = torch.backends.mps.is_available()
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if mps else "cpu"
    if device not in ("cuda", "mps", "cpu"):
        raise ValueError(f"unknown device {device!r}; choose auto, cpu, cuda or mps")
    if device == "cuda" and not torch.cuda.is_available() or device == "mps" and not mps:
        raise ValueError(f"there is no {device} device on this machine; choose cpu or auto")
    return torch.device(device)


class Translator:
    """A model with its tokenizer, on one device, always in float32 and evaluation mode.

    new_deadline: makes the deadline of each call that is given none; there is none, unless a server sets this.
    """

    new_deadline: Callable[[], Deadline | None] = staticmethod(lambda: None)

    def __init__(
        self, model: Seq2Seq, tokenizer: Reader, name: str = "", target_tokenizer: Tokenizer | None = None
    ) -> None:
        """tokenizer: of the source, and of the target too unless that has its own, `target_tokenizer`."""
        self.model, self.name = model.eval(), name
        self.tokenizer: Reader = tokenizer
        self.target_tokenizer: Tokenizer = target_tokenizer or cast(Tokenizer, tokenizer)
        self._twin: Translator | None = None
        self._twinning = threading.Lock()

    @classmethod
    def from_checkpoint(cls, checkpoint: str | Path, device: str = "auto") -> Self:
        """A checkpoint folder or hub id -> Translator. Raises CheckpointError, and ValueError for a missing device."""
        where = choose_device(device)
        try:
            model = Seq2Seq.from_pretrained(str(checkpoint)).to(where)
        except torch.OutOfMemoryError:
            logging.getLogger(__name__).warning(ON_CPU)
            model = Seq2Seq.from_pretrained(str(checkpoint))  # anew: a part of it may be on the GPU
        path = checkpoint_file(checkpoint, TOKENIZER_FILE)
        read_sealed(path)
        try:
            source, target = load_tokenizers(path)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{path} cannot be used: {error}") from error
        for tokenizer, size in ((source, model.config.source_vocabulary), (target, model.config.vocab_size)):
            if len(tokenizer) != size:
                raise CheckpointError(f"{path} has {len(tokenizer)} pieces, but the model beside it {size}")
        name = Path(checkpoint).resolve().name if Path(checkpoint).is_dir() else str(checkpoint)
        return cls(model, source, name, target)

    @property
    def device(self) -> torch.device:
        return self.model.device

    def translate(
        self,
        text: str | Sequence[str],
        *,
        beam_size: int = 1,
        n_best: int = 1,
        length_penalty: float = LENGTH_PENALTY,
        target: str | None = None,
        start: Sequence[str] = (),
        without: Collection[int] = (),
        dial: Dial | None = None,
        deadline: Deadline | None = None,
    ) -> Any:
        """One text -> Translation, several -> list of them, in order.

        beam_size: hypotheses that are followed at once; 1 is greedy search, MAX_BEAM_SIZE the most.
        n_best: how many of them are given; the best is the Translation itself, the others stand in its `alternatives`.
        length_penalty: alpha of `seq2seq.search.penalty`, by which the hypotheses of a beam are ranked; 0 is none.
        target: score this translation instead of searching one; beam_size and length_penalty then mean nothing.
        deadline: when to stop searching, as `Deadline.after(seconds)`; what is not finished then has a warning.

        What if, for one text and greedy search:
        start: target pieces with which the translation has to begin; the model goes on from there.
        without: indexes of source words that are taken away: their embeddings are zero, and nothing moves.
        dial: attention other than the model's own. Raises SearchError for a model that has none.

        Raises TextError for a text that is blank or too long, and SearchError; then nothing is translated.
        """
        check_search(beam_size, n_best, length_penalty)
        texts = [text] if isinstance(text, str) else list(text)
        cleaned = [clean(t) for t in texts]
        if start or without or dial:
            made = self._what_if(texts, cleaned, start, without, dial, beam_size, target, deadline)
            return made if isinstance(text, str) else [made]
        if target is not None:
            beam_size, target = 1, clean(target)
            if n_best > 1:
                raise SearchError("A given target has no alternatives; set n_best to 1, or leave the target out.")
        began = time.perf_counter()
        sources = self.read(cleaned)
        if target is None:
            found = self.search(sources, beam_size, n_best, length_penalty, top_k=CANDIDATES, deadline=deadline)
        else:
            ids = self.target_tokenizer.encode(target).ids
            found = [[hypothesis] for hypothesis in self.force(sources, ids, CANDIDATES)]
        seconds = (time.perf_counter() - began) / max(1, len(texts))
        made = []
        for t, source, best in zip(cleaned, sources, found):
            first, *others = (
                self._translation(t, source, hypothesis, seconds, beam_size, given=target is not None)
                for hypothesis in best
            )
            made.append(replace(first, alternatives=tuple(others)))
        return made[0] if isinstance(text, str) else made

    def _what_if(
        self,
        texts: Sequence[str],
        cleaned: Sequence[str],
        start: Sequence[str],
        without: Collection[int],
        dial: Dial | None,
        beam_size: int,
        target: str | None,
        deadline: Deadline | None,
    ) -> Translation:
        if len(texts) != 1 or beam_size != 1 or target is not None:
            raise SearchError(
                "start, without and dial go with one text, greedy search and no target; leave the rest out."
            )
        if dial and not self.model.decoder.looks_back:
            raise SearchError(
                Said(
                    "{model} has no attention to override; choose another model.", model=self.name or Said("This model")
                )
            )
        began = time.perf_counter()
        [source] = self.read(cleaned)
        try:
            begun = self.target_tokenizer.ids(start)
        except ValueError as error:
            raise SearchError(Said("The translation cannot begin so: {error}.", error=str(error))) from error
        last = len(source.words) - 1
        for word in (*without, *(dial.pointed.values() if dial else ())):
            if not 0 <= word <= last:
                raise SearchError(
                    Said("There is no source word {word}; choose one from 0 to {last}.", word=word, last=last)
                )
        state, lengths = self._encode([source.without(without)])
        usual = self._limit(source)
        limit = usual if len(begun) < usual else len(begun) + usual  # there is always room to go on
        notes = {"notes": dial.notes(self.model.decoder.weights_name, source.word_of)} if dial else {}
        steps = greedy_steps(self.model.decoder, state, limit, CANDIDATES, begun, **notes)
        *_, [hypothesis] = grow(steps, lengths, [limit], deadline or self.new_deadline())
        made = self._translation(cleaned[0], source, hypothesis, time.perf_counter() - began)
        said = [f"Without {', '.join(f'“{source.words[word]}”' for word in sorted(without))}."] if without else []
        if start:
            words = self.target_tokenizer.text(begun).split()
            said.append(f"It was made to begin with “{' '.join(words[:10])}{' …' * (len(words) > 10)}”.")
        if dial:
            said.append("The attention weights were overridden by hand; these are not the model's own.")
        return replace(made, warnings=(*said, *made.warnings))

    def stream(self, text: str, deadline: Deadline | None = None) -> Iterator[Translation]:
        """The greedy translation as it grows, a target word more each time; the last one is what `translate` gives."""
        cleaned = clean(text)
        deadline = deadline or self.new_deadline()
        try:
            yield from self._stream(cleaned, deadline)
            return
        except torch.OutOfMemoryError:
            logging.getLogger(__name__).warning(ON_CPU)
        for made in self.on_cpu().stream(text, deadline):  # from the first word again
            yield replace(made, warnings=(*made.warnings, ON_CPU))

    def _stream(self, cleaned: str, deadline: Deadline | None) -> Iterator[Translation]:
        began = time.perf_counter()
        [source] = self.read([cleaned])
        state, lengths = self._encode([source])
        limit = self._limit(source)
        words = 1
        steps = greedy_steps(self.model.decoder, state, limit, CANDIDATES)
        for [hypothesis] in grow(steps, lengths, [limit], deadline):
            begun = len(self.target_tokenizer.decode(hypothesis.ids).words)
            # A word is complete when the next one has begun.
            if begun > words and not hypothesis.finished and len(hypothesis.ids) < limit:
                complete = hypothesis.first(len(hypothesis.ids) - 1)
                yield self._translation(cleaned, source, complete, time.perf_counter() - began, partial=True)
            words = begun
        yield self._translation(cleaned, source, hypothesis, time.perf_counter() - began)

    def unfold(
        self, text: str, beam_size: int, length_penalty: float = LENGTH_PENALTY
    ) -> tuple[list[Translation], Node]:
        """A beam search over `text`: its `beam_size` translations, best first, as `translate` gives them, and all that it kept
        on its way as a tree of pieces from `<bos>`. Errors as of `translate`."""
        check_search(beam_size, beam_size, length_penalty)
        cleaned = clean(text)
        began = time.perf_counter()
        [source] = self.read([cleaned])
        state, lengths = self._encode([source])
        beams = Beams(beam_size, beam_size, length_penalty, lengths, [self._limit(source)], CANDIDATES)
        best = beams.fill(self.model.decoder, state, self.new_deadline()).best(0)
        seconds = time.perf_counter() - began
        return [self._translation(cleaned, source, hypothesis, seconds, beam_size) for hypothesis in best], tree(beams)

    def texts(self, texts: Sequence[str], *, beam_size: int = 1, length_penalty: float = LENGTH_PENALTY) -> list[str]:
        """Only the translated texts, for scoring many."""
        check_search(beam_size, 1, length_penalty)
        sources = self.read([clean(t) for t in texts])
        found = self.search(sources, beam_size, 1, length_penalty)
        return [self.target_tokenizer.text(h.ids, copied(source, h)) for source, [h] in zip(sources, found)]

    def answer(self, text: str, source: Pieces) -> Translation:
        """The greedy translation of a source that somebody else has read, such as a picture that is in no file of ours.

        text: what the result calls the source."""
        began = time.perf_counter()
        [[hypothesis]] = self.search([source], top_k=CANDIDATES)
        return self._translation(text, source, hypothesis, time.perf_counter() - began)

    def read(self, texts: Sequence[str]) -> list[Pieces]:
        """Cleaned texts as the pieces that the model is given of them: all, or what its memory has room for."""
        pieces = self.tokenizer.encode_batch([self.lowered(text) or text for text in texts])
        return [one.first(self.model.config.max_length) for one in pieces] if self.model.config.classic else pieces

    def lowered(self, text: str) -> str:
        """A text in capitals as the model reads it: in lower case; "" for any other. Cut into pieces, capitals are nothing but
        letters to it. Words of an imported vocabulary are read as they are spelled, and an abbreviation alone stays one."""
        config = self.model.config
        loud = text.isupper() and sum(len(word) > 1 for word in text.split()) > 1
        return text.capitalize() if loud and config.translates and not config.source_vocab_size else ""

    def search(
        self,
        sources: Sequence[Pieces],
        beam_size: int = 1,
        n_best: int = 1,
        length_penalty: float = LENGTH_PENALTY,
        top_k: int = 1,
        batch_size: int = 256,
        deadline: Deadline | None = None,
    ) -> list[list[Hypothesis]]:
        """The `n_best` hypotheses of each of `sources`, in their order; sentences of like length share a batch.

        batch_size: hypotheses that are computed at once, fewer if they are long. When the GPU has no memory for them, half as
            many, and when not even for one sentence, the CPU searches; each hypothesis says so.
        deadline: once it has passed nothing grows any further, but all have their first piece.
        """
        deadline = deadline or self.new_deadline()
        found: list[list[Hypothesis]] = [[] for _ in sources]
        smaller = ""
        order = sorted(range(len(sources)), key=lambda i: len(sources[i].ids))
        count = max(1, batch_size // beam_size)
        while order:
            batch = order[:count]
            while len(batch) > 1 and len(batch) * beam_size * len(sources[batch[-1]].ids) > SEARCHED_PIECES:
                batch.pop()  # the longest stands last
            chosen = [sources[i] for i in batch]
            settings = (beam_size, n_best, length_penalty, top_k, deadline)
            try:
                best = self._search_batch(chosen, *settings)
            except torch.OutOfMemoryError:
                best = None  # outside of this block, the error and what it holds are gone
            if best is None and len(batch) > 1:
                count, smaller = (len(batch) + 1) // 2, SMALLER
                logging.getLogger(__name__).warning("%s From here on: %d sentences at once.", SMALLER, count)
                continue
            warning = smaller
            if best is None:
                best, warning = self.on_cpu()._search_batch(chosen, *settings), ON_CPU
                logging.getLogger(__name__).warning(ON_CPU)
            del order[: len(batch)]
            for i, hypotheses in zip(batch, best):
                found[i] = [replace(hypothesis, warning=warning) for hypothesis in hypotheses]
        return found

    def _search_batch(
        self,
        sources: Sequence[Pieces],
        beam_size: int,
        n_best: int,
        length_penalty: float,
        top_k: int,
        deadline: Deadline | None,
    ) -> list[list[Hypothesis]]:
        state, lengths = self._encode(sources)
        limits = [self._limit(source) for source in sources]
        if len(sources) == beam_size == 1:  # a tenth faster without the bookkeeping of many
            return [greedy(self.model.decoder, state, lengths, limits, top_k, deadline)]
        return beam(self.model.decoder, state, lengths, limits, beam_size, n_best, length_penalty, top_k, deadline)

    def on_cpu(self) -> Translator:
        """The same translator with the model on the CPU, made once, for when the GPU has no memory."""
        with self._twinning:
            if self._twin is None:
                model = Seq2Seq(self.model.config)
                model.load_state_dict({name: tensor.cpu() for name, tensor in self.model.state_dict().items()})
                self._twin = Translator(model, self.tokenizer, self.name, self.target_tokenizer)
            return self._twin

    def force(self, sources: Sequence[Pieces], target: Sequence[int], top_k: int = 1) -> list[Hypothesis]:
        """What the model thinks of one target, as ids, after each of `sources`, in order: scores and attention."""
        # All logits of a batch are kept at once, and a long target has many.
        count = max(1, FORCED_LOGITS // (len(target) * len(self.target_tokenizer)))
        found = []
        for start in range(0, len(sources), count):
            batch = sources[start : start + count]
            try:
                state, lengths = self._encode(batch)
                found += forced(self.model.decoder, state, lengths, [target] * len(batch), top_k)
            except torch.OutOfMemoryError:
                logging.getLogger(__name__).warning(ON_CPU)
                return [replace(made, warning=ON_CPU) for made in self.on_cpu().force(sources, target, top_k)]
        return found

    @torch.inference_mode()
    def _encode(self, sources: Sequence[Pieces]) -> tuple[DecoderState, list[int]]:
        src, lengths = pad_ids([source.ids for source in sources])
        encoded = self.model.encoder(src.to(self.device), lengths)
        return self.model.decoder.init_state(encoded), lengths.tolist()

    def _limit(self, source: Pieces) -> int:
        """How many pieces a translation may have. French needs seldom half again as many as English; a model that falls into
        repeating itself is stopped."""
        return self.model.config.target_pieces or min(2 * len(source.ids) + 10, MAX_PIECES)

    def _translation(
        self,
        text: str,
        source: Pieces,
        hypothesis: Hypothesis,
        seconds: float,
        beam_size: int = 1,
        partial: bool = False,
        given: bool = False,
    ) -> Translation:
        """given: whether the target is somebody's own, in which nothing is replaced."""
        instead = {} if given else copied(source, hypothesis)
        target = self.target_tokenizer.decode(hypothesis.ids, instead)
        warnings: list[str] = [CAPITALS] if self.lowered(text) else []
        if source.cut:
            text_cut = CUT_ONE if source.cut == 1 else CUT_MORE
            warnings.append(Said(text_cut, limit=self.model.config.max_length, count=source.cut))
        at = [i for i, id in enumerate(source.ids) if id == self.tokenizer.unknown_id]
        if at:
            unknown = list(dict.fromkeys(source.pieces[i] for i in at))
            warnings.append(Said(UNKNOWN, pieces=" ".join(unknown[:10])))
        if instead:
            warnings.append(Said(COPIED, words=" ".join(dict.fromkeys(instead.values()))))
        elif self.target_tokenizer.unknown_id in hypothesis.ids:
            warnings.append("The target has pieces that the model does not know; each is written ⁇.")
        if hypothesis.warning:
            warnings.append(hypothesis.warning)
        if not partial and not hypothesis.finished:
            count = len(hypothesis.ids)
            warnings.append(Said(LENGTH_LIMIT if count >= self._limit(source) else TIME_LIMIT, count=count))
        pieces = hypothesis.weights
        words = None if pieces is None else to_words(pieces, source.word_of, target.word_of)
        names = self.target_tokenizer.piece
        return Translation(
            text=text,
            translation=self.target_tokenizer.text(hypothesis.ids, instead),
            source_words=source.words,
            target_words=target.words,
            source_pieces=source.pieces,
            target_pieces=target.pieces,
            source_word_of=source.word_of,
            target_word_of=target.word_of,
            unknown_words=tuple(dict.fromkeys(source.word_of[i] for i in at)),
            copied_words=tuple(dict.fromkeys(target.word_of[t] for t in instead)),
            attention=words,
            attention_pieces=pieces,
            # Only a classic decoder puts weight where no word stands.
            padding_weight=(1 - words.sum(axis=1)).clip(0, 1)
            if words is not None and self.model.config.classic
            else None,
            token_log_probs=tuple(hypothesis.log_probs),
            candidates=tuple(tuple((names(id), lp) for id, lp in step) for step in hypothesis.candidates),
            checkpoint=self.name,
            beam_size=beam_size,
            seconds=seconds,
            hidden_size=self.model.config.hidden_size,
            warnings=tuple(warnings),
            source_language=self.model.config.source_language,
            target_language=self.model.config.target_language,
        )


def copied(source: Pieces, hypothesis: Hypothesis) -> dict[int, str]:
    """What is copied for pieces that the model could not name, by their place in the target (Luong et al. 2015, "Addressing the
    Rare Word Problem"): the unknown source piece that was looked at most, or the word, if there is no unknown one."""
    weights = hypothesis.weights
    if UNK not in hypothesis.ids or weights is None:
        return {}
    unknown = [s for s, id in enumerate(source.ids) if id == UNK]
    at = unknown or [s for s, id in enumerate(source.ids) if id != EOS]
    texts = [source.pieces[s] if unknown else source.words[source.word_of[s]] for s in at]
    places = [t for t, id in enumerate(hypothesis.ids) if id == UNK]
    return {t: texts[int(weights[t, at].argmax())] for t in places} if at else {}


def to_words(weights: np.ndarray, source_word_of: Sequence[int], target_word_of: Sequence[int]) -> np.ndarray:
    """Piece weights (T, S) -> word weights: source pieces of a word summed, target pieces averaged, so rows sum to 1."""
    T, S = max(target_word_of) + 1, max(source_word_of) + 1
    columns = np.zeros((weights.shape[0], S), weights.dtype)
    np.add.at(columns.T, list(source_word_of), weights.T)
    rows = np.zeros((T, S), weights.dtype)
    np.add.at(rows, list(target_word_of), columns)
    return rows / np.bincount(target_word_of, minlength=T)[:, None]
