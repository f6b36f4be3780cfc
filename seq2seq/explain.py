"""Questions put to a model: what does an output word lose when a source word is hidden, and does attention know it?

Attention says where a decoder looked, which is not yet what its output rests on: Jain & Wallace (2019, "Attention is
not Explanation") compare it with leave-one-out effects. Occlusion asks that second question, of every kind of decoder
alike. And attention looks before a word is chosen: `posterior` says where the word was read from once it is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from seq2seq.config import BOS
from seq2seq.data import pad_ids
from seq2seq.dial import LEARNED, Dial, overriding
from seq2seq.language import Said
from seq2seq.tokenizer import Pieces
from seq2seq.translation import Translation
from seq2seq.translator import SearchError, TextError, Translator, clean, to_words

MATTERS = float(np.log(2))
"""Log-probability that masking the highlight must at least cost for it to matter: the word becomes half as likely."""
VERDICT = (
    "{judged}: for {count} of {words} words. Masking the most attended word costs {masked:.1f} nats on average, masking "
    "another word {others:.1f}; most of all for “{target}”, which loses {most:.1f} without “{source}” and {least:.1f} without "
    "another word."
)
POSTERIOR = "The weights say where each word was read from, now that it is known; they are not the model's attention."
ELSEWHERE_ONE = (
    "One of {words} words was read from elsewhere than where it had most attention: “{target}” from “{source}”, not from "
    "“{attended}”."
)
ELSEWHERE = (
    "{count} of {words} words were read from elsewhere than where they had most attention: “{target}”, for one, from “{source}”"
    ", not from “{attended}”."
)
MAX_START = 200
"""Pieces that a translation may be made to begin with, `<eos>` counted, so that there is room to go on."""
READ_AT_ONCE = 64
"""Places that are read alone in one batch: each takes a copy of the whole memory."""
MAX_COST = 10_000
"""Pieces that may be read and written for one occlusion map of a visitor's: about what a sentence of 60 words takes."""
HIDING = "Hiding each word of so long a sentence in turn takes too long. Please shorten it."
READING = "Reading each word of so long a sentence alone takes too long. Please shorten it."


def occlusion(translator: Translator, translation: Translation) -> np.ndarray:
    """(target words, source words): the log-probability that a target word loses when a source word is masked.

    Natural log, the pieces of a target word summed; base - masked, so above 0 the word was needed, below 0 it was in
    the way. The target stays as it is and is force-decoded; the `<eos>` of the source is masked like any word.
    A masked word has the zero vector in place of its embeddings, as word dropout makes it in training, so that the model
    has met such gaps; `<unk>` it has hardly met. Deleting the word would move every word behind it and shorten the
    sentence, and would so measure position and length too.
    Raises ValueError if the translation is of a translator that reads other words in its text.
    """
    source = read_again(translator, translation)
    target = translator.target_tokenizer.ids(translation.target_pieces)
    masked = [source.without([word]) for word in range(len(source.words))]
    base, *others = (
        per_word(np.array(hypothesis.log_probs), translation)
        for hypothesis in translator.force([source, *masked], target)
    )
    return np.stack([base - other for other in others], axis=1)


def read_again(translator: Translator, translation: Translation) -> Pieces:
    """The pieces of the translation's source. Raises ValueError if they are not those it was made from."""
    [source] = translator.read([translation.text])
    if source.words != translation.source_words:
        raise ValueError(f"the translation was made by {translation.checkpoint}, which reads other words in its text")
    return source


def check_occlusion(translation: Translation, otherwise: str = HIDING) -> None:
    """Raises TextError, which says `otherwise`, if an occlusion map would take too long: it reads and writes the sentence pair
    once for each word. So does a `posterior`, nearly."""
    pair = len(translation.source_pieces) + len(translation.target_pieces)
    if len(translation.source_words) * pair > MAX_COST:
        raise TextError(otherwise)


def per_word(log_probs: np.ndarray, translation: Translation) -> np.ndarray:
    """Log-probabilities of target pieces (T,) -> (target words,), the pieces of a word summed."""
    return np.bincount(translation.target_word_of, log_probs, minlength=len(translation.target_words))


def agreement(attention: np.ndarray | None, occlusion: np.ndarray, finished: bool = True) -> float | None:
    """The share of target words whose most attended source word is also the one whose masking costs most.

    attention, occlusion: (target words, source words), over the same words. finished: the last row is `<eos>`, which is
    no word and is left out; a target that was cut off at the length limit has no such row.
    A word that no masking makes less likely rests on no source word, so attention cannot have found it: it counts as
    disagreement. None when no row is left, or for a model without attention.

    The question is Jain & Wallace's (2019): leave-one-out against attention. They correlate whole distributions
    (Kendall's tau); the first place alone is what a reader of a heatmap looks at, and can be said in one sentence.
    """
    if attention is None:
        return None
    if attention.shape != occlusion.shape:
        raise ValueError(f"attention is {attention.shape} and occlusion {occlusion.shape}; they need the same words")
    rows = len(attention) - finished
    if rows < 1:
        return None
    attention, occlusion = attention[:rows], occlusion[:rows]
    same = attention.argmax(1) == occlusion.argmax(1)
    return float((same & (occlusion.max(1) > 0)).mean())


@torch.inference_mode()
def summary(translator: Translator, text: str) -> np.ndarray:
    """(H,): the one vector that a plain decoder reads of the text. Raises TextError for a text that is not translated.

    Other kinds have it too: it is what their encoder ended with, and what their first state is made of.
    """
    src, lengths = pad_ids([translator.read([clean(text)])[0].ids])
    return translator.model.encoder(src.to(translator.device), lengths).summary[0].cpu().numpy()


def evidence(translator: Translator, translation: Translation) -> tuple[np.ndarray | None, np.ndarray | None]:
    """What a finished translation can be shown with: for a model without attention the `summary` (H,) that it was given, and
    for any its `occlusion`. None for what it does not have, or what would take too long."""
    vector = summary(translator, translation.text) if translation.attention is None else None
    try:
        check_occlusion(translation)
    except TextError:
        return vector, None
    return vector, occlusion(translator, translation)


@torch.inference_mode()
def posterior(translator: Translator, translation: Translation) -> Translation:
    """The translation with other weights: where each piece was read from, now that it is known which piece it is.

    p(s | y_t) = w_ts p(y_t | context = memory_s), made to sum to 1 (posterior attention: Shankar & Sarawagi 2019). Attention
    has to choose before the word is chosen: it says which places are worth reading. The piece that was written then is evidence
    of which of them was the source: that from which, were it read alone, this piece was to be expected.
    The decoder goes on with its own weights, as in the translation; so it must be one that nothing was overridden or hidden
    for. Raises SearchError for a model without attention, ValueError as `occlusion` does.
    """
    if translation.attention is None:
        raise SearchError(
            Said("{model} has no attention; choose another model.", model=translation.checkpoint or Said("This model"))
        )
    source, decoder = read_again(translator, translation), translator.model.decoder
    state, _ = translator._encode([source])
    ids = translator.target_tokenizer.ids(translation.target_pieces)
    alone = torch.eye(state.memory.size(1), device=translator.device).split(READ_AT_ONCE)
    rows = []
    for prev, id in zip((BOS, *ids), ids):
        written = torch.tensor([prev], device=translator.device)
        step = decoder.step(written, state)
        assert step.weights is not None, "it has attention"
        likely = []
        for places in alone:
            states = state.select(torch.zeros(len(places), dtype=torch.long, device=translator.device))
            note = overriding(decoder.weights_name, places.to)  # in the type of the weights whose place they take
            read = decoder.step(written.expand(len(places)), states, note)
            likely.append(torch.log_softmax(read.logits.float(), dim=-1)[:, id])
        joint = step.weights[0].clamp_min(1e-30).log() + torch.cat(likely)
        rows.append(torch.softmax(joint, dim=0)[: len(source.ids)].cpu().numpy())
        state = step.state
    pieces = np.stack(rows)
    words = to_words(pieces, translation.source_word_of, translation.target_word_of)
    padding = None if translation.padding_weight is None else (1 - words.sum(axis=1)).clip(0, 1)
    return replace(
        translation,
        attention=words,
        attention_pieces=pieces,
        padding_weight=padding,
        warnings=(*translation.warnings, POSTERIOR),
        posterior=True,
    )


def moved(before: Translation, after: Translation) -> list[tuple[int, int, int]]:
    """Target words, `<eos>` left out, that the `posterior` puts somewhere else than attention did, the surest first: the place
    of each, of the source word it was put on before, and of that it is put on after."""
    assert before.attention is not None and after.attention is not None, "only a model with attention has a posterior"
    known = after.attention[: before.lengths[1]]
    places = enumerate(zip(before.attention[: len(known)].argmax(1).tolist(), known.argmax(1).tolist()))
    found = [(t, first, then) for t, (first, then) in places if first != then]
    return sorted(found, key=lambda one: known[one[0], one[1]] - known[one[0], one[2]])


def read_from(translator: Translator, translation: Translation) -> tuple[Translation, str]:
    """The `posterior`, and what it says in a sentence. Raises TextError for a sentence that would take too long."""
    check_occlusion(translation, READING)
    after = posterior(translator, translation)
    found = moved(translation, after)
    if not found:
        return after, "Every word was read from where it had most attention."
    t, first, then = found[0]
    return after, Said(
        ELSEWHERE if len(found) > 1 else ELSEWHERE_ONE,
        count=len(found),
        words=translation.lengths[1],
        target=translation.target_words[t],
        attended=translation.source_words[first],
        source=translation.source_words[then],
    )


def word_probabilities(translation: Translation) -> list[float]:
    """The probability of each target word, given those before it: the product over its pieces."""
    return np.exp(per_word(np.array(translation.token_log_probs), translation)).tolist()


@dataclass(frozen=True, eq=False)
class Highlights:
    """Does the highlight matter? For each target word, `<eos>` left out (T of them).

    words (T): the index of the source word with most attention. masked (T): the log-probability lost when that word is
    masked; others (T): the mean of what is lost when each of the other words is. Natural log.
    """

    words: np.ndarray
    masked: np.ndarray
    others: np.ndarray

    @property
    def matters(self) -> np.ndarray:
        """(T): whether masking the highlight costs at least MATTERS, and more than masking another word."""
        return (self.masked >= MATTERS) & (self.masked > self.others)


def highlights(translation: Translation, lost: np.ndarray) -> Highlights | None:
    """The most attended word of each step against all others, `lost` being the translation's `occlusion`.

    None without attention, and where there is nothing to compare: no target word, or one source word. The `<eos>` of the
    source is masked like any word; no word is its highlight's own rival.
    """
    attention = translation.attention
    _, rows = translation.lengths
    if attention is None or rows < 1 or attention.shape[1] < 2:
        return None
    words = attention[:rows].argmax(axis=1)
    masked = lost[np.arange(rows), words]
    others = (lost[:rows].sum(axis=1) - masked) / (attention.shape[1] - 1)
    return Highlights(words, masked, others)


def weigh(translator: Translator, translation: Translation) -> Highlights | None:
    """`highlights` of a translation, its occlusion computed. Raises TextError for a sentence that would take too long."""
    if translation.attention is None:
        return None
    check_occlusion(translation)
    return highlights(translation, occlusion(translator, translation))


def nats(value: float) -> float:
    """One decimal, and no zero with a sign."""
    return round(float(value), 1) + 0.0


def verdict(translation: Translation, found: Highlights | None) -> str:
    """What follows, in one sentence for the reader."""
    if found is None:
        return "There is nothing to compare here: it takes attention, and at least two source words."
    share = found.matters.mean()
    best = int((found.masked - found.others).argmax())
    return Said(
        VERDICT,
        judged=Said("The highlight matters here" if share >= 0.5 else "The highlight matters little here"),
        count=int(found.matters.sum()),
        words=len(found.matters),
        masked=nats(found.masked.mean()),
        others=nats(found.others.mean()),
        target=translation.target_words[best],
        source=translation.source_words[found.words[best]],
        most=nats(found.masked[best]),
        least=nats(found.others[best]),
    )


def shortened(text: str, characters: int = 60) -> str:
    """The beginning, as a message can hold it."""
    text = " ".join(text.split())
    return text if len(text) <= characters else f"{text[:characters]} …"


def what_if(
    translator: Translator,
    text: str,
    *,
    start: str = "",
    without: Sequence[str] = (),
    turn: float = LEARNED,
    point: tuple[int, int] | None = None,
) -> Translation:
    """The questions of `Translator.translate` as people ask them: with words instead of pieces and places.

    start: how the translation has to begin. without: source words that are taken away, wherever they stand. turn: of the
    `Dial`. point: a word of the model's own translation, and the source word that gets all attention while its first piece is
    written; both counted from 0. Raises TextError, SearchError.
    """
    [source] = translator.read([clean(text)])
    asked: dict[str, Any] = {}
    if start.strip():
        begun = translator.target_tokenizer.encode(clean(start))
        if translator.target_tokenizer.unknown_id in begun.ids:
            raise SearchError(f"The model has no pieces for “{shortened(start)}”; begin with other words.")
        if len(begun.ids) > MAX_START:
            raise SearchError(f"The beginning has {len(begun.ids) - 1} pieces; the limit is {MAX_START - 1}.")
        asked["start"] = begun.pieces[:-1]
    if missing := [word for word in without if word not in source.words]:
        words = shortened(" ".join(source.words), 200)
        raise SearchError(f"There is no word “{shortened(missing[0])}” to take away; choose from {words}.")
    if without:
        asked["without"] = [i for i, word in enumerate(source.words) if word in without]
    if point and not 0 <= point[1] < len(source.words):
        raise SearchError(f"There is no source word {point[1] + 1} to point at; there are {len(source.words)}.")
    if turn != LEARNED or point:
        steps = translator.translate(text).target_word_of if point else ()
        if point and point[0] not in steps:
            raise SearchError(f"The translation has no word {point[0] + 1} to point at; it has {max(steps) + 1}.")
        try:
            asked["dial"] = Dial(turn, {steps.index(point[0]): point[1]} if point else {})
        except ValueError as error:
            raise SearchError(f"{error}.") from error
    return translator.translate(text, **asked)
