"""Scores of translations (BLEU and chrF by sacrebleu, over all and by source length) and of attention as alignment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from seq2seq import explain
from seq2seq.data import DataError, Links, Pair, parse_links, read_rows, turned
from seq2seq.translation import Translation
from seq2seq.translator import Translator

METRICS = {"bleu": BLEU, "chrf": CHRF}
RESAMPLES, SEED = 1000, 1
"""Of each bootstrap. With 1,000 the bounds of a 95 % interval are the 25th value from either end."""
LENGTH_BINS = ((1, 7), (8, 14), (15, 21), (22, None))
"""Source lengths in words, split on spaces, over which quality is reported; None is no upper bound."""
LIKELY = 0.5
"""A link whose probability is known is made when it is over this."""
JOINED = 25, 40
"""Source words of a text that is `joined`, at least and at most."""
SHORT = 15
"""Source tokens of a short sentence, of which the alignment error rate is reported too."""


def columns(pairs: Sequence[Pair]) -> list[list[Any]]:
    """References as sacrebleu wants them: one list for each reference number, None where a sentence has fewer."""
    most = max(len(pair.references) for pair in pairs)
    return [[pair.references[i] if i < len(pair.references) else None for pair in pairs] for i in range(most)]


@cache
def moses(language: str) -> Any:
    """The tokenizer of sacremoses, whose import takes half a second: the page starts without it and never asks for it."""
    from sacremoses import MosesTokenizer

    return MosesTokenizer(lang=language)


def moses_lower(text: str, language: str = "fr") -> str:
    """Lower-cased and Moses-tokenised, as papers on Multi30k score."""
    return moses(language).tokenize(text.lower(), return_str=True, escape=False)


def bleu_lower_tok(outputs: Sequence[str], pairs: Sequence[Pair], language: str = "fr") -> float:
    """BLEU of lower-cased text tokenised by sacremoses."""
    references: list[list[Any]] = [[r and moses_lower(r, language) for r in column] for column in columns(pairs)]
    return BLEU(tokenize="none", force=True).corpus_score([moses_lower(o, language) for o in outputs], references).score


def validation_bleu(translator: Translator, pairs: Sequence[Pair]) -> float:
    """Cased, detokenised BLEU of greedy translations: what training is stopped by."""
    return BLEU().corpus_score(translator.texts([pair.source for pair in pairs]), columns(pairs)).score


def evaluate(translator: Translator, pairs: Sequence[Pair], beam_size: int = 1) -> dict[str, Any]:
    """Translates all sources and scores them against all references: the object of `evaluate --json`."""
    began = time.perf_counter()
    outputs = translator.texts([pair.source for pair in pairs], beam_size=beam_size)
    seconds = time.perf_counter() - began
    pieces = sum(len(p.ids) for p in translator.target_tokenizer.encode_batch(outputs))
    counts = {name: sentence_statistics(name, outputs, pairs) for name in METRICS}
    bleu = BLEU()
    bleu.corpus_score(outputs, columns(pairs))  # the signature tells how many references there were
    whole = scores_of(counts)
    return {
        "bleu": whole["bleu"],
        "bleu_lower_tok": round(bleu_lower_tok(outputs, pairs, translator.model.config.target_language), 2),
        "chrf": whole["chrf"],
        "bleu_interval": whole["bleu_interval"],
        "chrf_interval": whole["chrf_interval"],
        "sentences": len(pairs),
        "by_length": by_length(outputs, pairs, counts),
        "seconds": round(seconds, 2),
        "tokens_per_second": round(pieces / seconds, 1),
        "signature": str(bleu.get_signature()),
    }


def joined(pairs: Sequence[Pair]) -> list[Pair]:
    """Long texts, of which there are few: neighbours one after the other until the source has JOINED[0] words; those that then
    have over JOINED[1] are left out. The reference is the first ones of each, joined too."""
    low, high = JOINED
    made: list[Pair] = []
    sources: list[str] = []
    references: list[str] = []
    for pair in pairs:
        sources.append(pair.source)
        references.append(pair.references[0])
        count = sum(len(source.split()) for source in sources)
        if count >= low:
            if count <= high:
                made.append(Pair(" ".join(sources), (" ".join(references),)))
            sources, references = [], []
    return made


def by_length(
    outputs: Sequence[str], pairs: Sequence[Pair], counts: dict[str, np.ndarray] | None = None
) -> list[dict[str, Any]]:
    """Scores for each of LENGTH_BINS that holds a sentence; `to` is the longest in it where the bin has no bound.

    counts: the `sentence_statistics` of each of METRICS, where they are known already.
    """
    counts = counts or {name: sentence_statistics(name, outputs, pairs) for name in METRICS}
    rows = []
    lengths = [len(pair.source.split()) for pair in pairs]
    for low, high in LENGTH_BINS:
        chosen = [i for i, n in enumerate(lengths) if n >= low and (high is None or n <= high)]
        if not chosen:
            continue
        scores = scores_of({name: rows_of[chosen] for name, rows_of in counts.items()})
        rows.append({"from": low, "to": high or max(lengths), "sentences": len(chosen), **scores})
    return rows


# -- how sure a score is -------------------------------------------------------------------------------------------


def sentence_statistics(metric: str, outputs: Sequence[str], pairs: Sequence[Pair]) -> np.ndarray:
    """(sentences, K): what sacrebleu counts in each sentence; a corpus score is a function of their sum alone.

    metric: a key of METRICS. Reading the text is the slow part, and so is done once for all bins and resamples.
    """
    # sacrebleu offers the bootstrap of one system, but keeps to itself this and _compute_score_from_stats, which a
    # paired one needs as well. Its version is pinned, and a test holds the two to its public scores.
    return np.array(METRICS[metric]()._extract_corpus_statistics(outputs, columns(pairs)), dtype=float)


def corpus_score(metric: str, counts: np.ndarray) -> float:
    """Summed statistics (K,) -> the score, 0 to 100."""
    return METRICS[metric]()._compute_score_from_stats(counts.tolist()).score


def scores_of(counts: dict[str, np.ndarray]) -> dict[str, Any]:
    """For the statistics of each metric its score and its 95 % interval, rounded: bleu, chrf, bleu_interval, …"""
    scores = {name: round(corpus_score(name, rows.sum(0)), 2) for name, rows in counts.items()}
    bounds = {name: interval(resampled(name, rows)) for name, rows in counts.items()}
    return scores | {f"{name}_interval": [round(low, 2), round(high, 2)] for name, (low, high) in bounds.items()}


def resampled(metric: str, counts: np.ndarray) -> np.ndarray:
    """(RESAMPLES,): scores of as many sentences, drawn with replacement (Koehn 2004, "Statistical Significance Tests
    for Machine Translation Evaluation"). The same sentences are drawn whenever there are equally many."""
    n = len(counts)
    random = np.random.default_rng(SEED)
    # How often each sentence was drawn is all that a sum needs; one draw at a time, as a corpus may be large.
    sums = (random.multinomial(n, np.full(n, 1 / n)) @ counts for _ in range(RESAMPLES))
    return np.array([corpus_score(metric, row) for row in sums])


def interval(scores: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of resampled values."""
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)


def bootstrap_difference(
    metric: str, outputs_left: Sequence[str], outputs_right: Sequence[str], pairs: Sequence[Pair]
) -> tuple[float, float, float]:
    """(difference, low, high): the corpus score of the right outputs minus that of the left, and its 95 % interval.

    metric: a key of METRICS. Paired (Koehn 2004): each resample draws the same sentences for both sides, so that what
    is hard for both takes no part. Above 0 the right ones are better; an interval that holds 0 leaves it open.
    """
    return paired_difference(metric, *(sentence_statistics(metric, o, pairs) for o in (outputs_left, outputs_right)))


def paired_difference(metric: str, left: np.ndarray, right: np.ndarray) -> tuple[float, float, float]:
    """As `bootstrap_difference`, of `sentence_statistics` that are there already."""
    difference = corpus_score(metric, right.sum(0)) - corpus_score(metric, left.sum(0))
    return difference, *interval(resampled(metric, right) - resampled(metric, left))


# -- attention as an alignment -------------------------------------------------------------------------------------


class NoAttentionError(ValueError):
    """A model without attention was asked for an alignment."""


@dataclass(frozen=True)
class Alignment:
    """A sentence pair aligned by people: tokens, the links that are sure, and those that are possible but not sure."""

    source: str
    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    sure: Links
    possible: Links

    def turned(self) -> Alignment:
        """The same for the other direction."""
        target, source = self.source_tokens, self.target_tokens
        return Alignment(" ".join(source), source, target, turned(self.sure), turned(self.possible))


def read_alignments(path: str | Path) -> list[Alignment]:
    """Lines of source tokens, target tokens, sure links, possible links, tab separated. Raises DataError."""
    found = []
    for number, row in read_rows(Path(path)):
        cells = [cell.split() for cell in row]
        if len(cells) not in (3, 4) or not cells[0] or not cells[1]:
            raise DataError(
                f"{path}, line {number}: expected source tokens, target tokens, sure links and possible links"
            )
        source, target, *links = cells
        read = []
        for cell in links:
            try:
                read.append(parse_links(" ".join(cell)))
            except ValueError:
                raise DataError(f"{path}, line {number}: a link is not two numbers such as 0-0") from None
        if any(not (0 <= i < len(source) and 0 <= j < len(target)) for part in read for i, j in part):
            raise DataError(f"{path}, line {number}: a link goes to a token that is not there; they count from 0")
        possible = read[1] if len(read) > 1 else frozenset()
        found.append(Alignment(" ".join(source), tuple(source), tuple(target), read[0], possible))
    if not found:
        raise DataError(f"{path} has no lines; expected one aligned sentence pair a line")
    if not any(example.sure for example in found):
        raise DataError(f"{path} has no sure link; they stand in the third column")
    return found


def alignment_scores(found: Sequence[Links], sure: Sequence[Links], possible: Sequence[Links]) -> dict[str, float]:
    """Alignment error rate, precision and recall of Och & Ney (2003); a sure link counts as possible too.

    precision = |A and P| / |A|, recall = |A and S| / |S|, aer = 1 - (|A and S| + |A and P|) / (|A| + |S|)
    """
    links = sum(map(len, found))
    surely = sum(map(len, sure))
    hit_sure = sum(len(a & s) for a, s in zip(found, sure))
    hit_possible = sum(len(a & (s | p)) for a, s, p in zip(found, sure, possible))
    return {
        "aer": 1 - (hit_sure + hit_possible) / (links + surely) if links + surely else 0.0,
        "precision": hit_possible / links if links else 0.0,
        "recall": hit_sure / surely if surely else 0.0,
    }


def shared_characters(words: Sequence[str], tokens: Sequence[str]) -> np.ndarray:
    """(words, tokens): how many characters of each word lie in each token, two ways of cutting the same text.

    Spaces do not count, so it does not matter where either way puts them.
    """

    def owners(parts: Sequence[str]) -> list[int]:
        return [i for i, part in enumerate(parts) for character in part if not character.isspace()]

    shared = np.zeros((len(words), len(tokens)))
    for word, token in zip(owners(words), owners(tokens)):
        shared[word, token] += 1
    return shared


def strongest_links(
    attention: np.ndarray,
    source_words: Sequence[str],
    target_words: Sequence[str],
    source_tokens: Sequence[str],
    target_tokens: Sequence[str],
    over: float = 0.0,
) -> Links:
    """Word weights (target words, source words), `<eos>` left out -> each target token's strongest source token, if its weight
    is over `over`.

    A word that covers several tokens shares its weight out by characters; a token of several words has their mean.
    """
    to_source = shared_characters(source_words, source_tokens)
    to_source /= np.maximum(to_source.sum(1, keepdims=True), 1)
    to_target = shared_characters(target_words, target_tokens)
    to_target /= np.maximum(to_target.sum(0), 1)
    weights = to_target.T @ attention @ to_source
    return frozenset((int(row.argmax()), j) for j, row in enumerate(weights) if row.max() > over)


def links_of(example: Alignment, translation: Translation, over: float = 0.0) -> Links:
    """The `strongest_links` of the example's own target, forced, between the tokens of who aligned it."""
    assert translation.attention is not None, "it was asked of a model with attention"
    S, T = translation.lengths
    cut = translation.attention[:T, :S], translation.source_words[:S], translation.target_words[:T]
    return strongest_links(*cut, example.source_tokens, example.target_tokens, over)


def evaluate_alignment(translator: Translator, examples: Sequence[Alignment]) -> dict[str, Any]:
    """Reads the attention while the given targets are forced: the object of `evaluate --alignment --json`.

    Each target token is linked with the source token of its highest weight. posterior: the same of `explain.posterior`, which
    knows the token that it links, but only where a source token has more than half: a link that is likelier than not.
    short: the same of sources of up to SHORT tokens, if there is one.
    """
    if not translator.model.decoder.looks_back:
        raise NoAttentionError("the model has no attention to align by")
    looked, known = [], []
    for example in examples:
        made = translator.translate(example.source, target=" ".join(example.target_tokens))
        looked.append(links_of(example, made))
        known.append(links_of(example, explain.posterior(translator, made), LIKELY))

    def scores(found: Sequence[Links]) -> dict[str, Any]:
        every = range(len(examples))
        short = [i for i in every if len(examples[i].source_tokens) <= SHORT]
        return of(found, every) | ({"short": {"to": SHORT, **of(found, short)}} if short else {})

    def of(found: Sequence[Links], kept: Sequence[int]) -> dict[str, Any]:
        made = alignment_scores(*zip(*((found[i], examples[i].sure, examples[i].possible) for i in kept)))
        return {name: round(value, 4) for name, value in made.items()} | {"sentences": len(kept)}

    return scores(looked) | {"posterior": scores(known)}


# -- attention as an explanation -----------------------------------------------------------------------------------


def evaluate_faithfulness(translator: Translator, pairs: Sequence[Pair]) -> dict[str, Any]:
    """How often the highlight matters, over the greedy translations of all sources: the object of
    `evaluate --faithfulness --json`.

    matters: the share of target words, `<eos>` left out, for which masking the most attended source word costs at least
    log 2 of log-probability and more than masking another one. masked, others: what either costs on average, in nats. words:
    how many target words that is. Raises NoAttentionError.
    """
    if not translator.model.decoder.looks_back:
        raise NoAttentionError("the model has no attention that could be faithful")
    began = time.perf_counter()
    found = []
    for pair in pairs:
        made = translator.translate(pair.source)
        if one := explain.highlights(made, explain.occlusion(translator, made)):
            found.append(one)
    matters, masked, others = (
        np.concatenate([getattr(one, name) for one in found]) if found else np.zeros(0)
        for name in ("matters", "masked", "others")
    )
    return {
        "matters": round(float(matters.mean()), 4) if found else None,
        "masked": round(float(masked.mean()), 4) if found else None,
        "others": round(float(others.mean()), 4) if found else None,
        "words": len(matters),
        "sentences": len(found),
        "seconds": round(time.perf_counter() - began, 2),
    }
