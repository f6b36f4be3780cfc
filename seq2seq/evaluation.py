"""Scores of translations: BLEU and chrF by sacrebleu, over all and by source length."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sacrebleu.metrics import BLEU, CHRF
from sacremoses import MosesTokenizer

from seq2seq.data import Pair
from seq2seq.translator import Translator

LENGTH_BINS = ((1, 7), (8, 14), (15, 21), (22, None))
"""Source lengths in words, split on spaces, over which quality is reported; None is no upper bound."""


def columns(pairs: Sequence[Pair]) -> list[list[str | None]]:
    """References as sacrebleu wants them: one list for each reference number, None where a sentence has fewer."""
    most = max(len(pair.references) for pair in pairs)
    return [[pair.references[i] if i < len(pair.references) else None for pair in pairs] for i in range(most)]


def moses_lower(text: str, tokenizer: MosesTokenizer = MosesTokenizer(lang="fr")) -> str:
    """Lower-cased and Moses-tokenised, as papers on Multi30k score."""
    return tokenizer.tokenize(text.lower(), return_str=True, escape=False)


def bleu_lower_tok(outputs: Sequence[str], pairs: Sequence[Pair]) -> float:
    """BLEU of lower-cased text tokenised by sacremoses."""
    references = [[None if r is None else moses_lower(r) for r in column] for column in columns(pairs)]
    return BLEU(tokenize="none", force=True).corpus_score([moses_lower(o) for o in outputs], references).score


def validation_bleu(translator: Translator, pairs: Sequence[Pair]) -> float:
    """Cased, detokenised BLEU of greedy translations: what training is stopped by."""
    return BLEU().corpus_score(translator.texts([pair.source for pair in pairs]), columns(pairs)).score


def evaluate(translator: Translator, pairs: Sequence[Pair], beam_size: int = 1) -> dict[str, Any]:
    """Translates all sources and scores them against all references: the object of `evaluate --json`."""
    began = time.perf_counter()
    outputs = translator.texts([pair.source for pair in pairs], beam_size=beam_size)
    seconds = time.perf_counter() - began
    pieces = sum(len(p.ids) for p in translator.tokenizer.encode_batch(outputs))
    bleu = BLEU()
    score = bleu.corpus_score(outputs, columns(pairs)).score
    return {
        "bleu": round(score, 2),
        "bleu_lower_tok": round(bleu_lower_tok(outputs, pairs), 2),
        "chrf": round(CHRF().corpus_score(outputs, columns(pairs)).score, 2),
        "sentences": len(pairs),
        "by_length": by_length(outputs, pairs),
        "seconds": round(seconds, 2),
        "tokens_per_second": round(pieces / seconds, 1),
        "signature": str(bleu.get_signature()),
    }


def by_length(outputs: Sequence[str], pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """Scores for each of LENGTH_BINS that holds a sentence; `to` is the longest in it where the bin has no bound."""
    rows = []
    lengths = [len(pair.source.split()) for pair in pairs]
    for low, high in LENGTH_BINS:
        chosen = [i for i, n in enumerate(lengths) if n >= low and (high is None or n <= high)]
        if not chosen:
            continue
        some, refs = [outputs[i] for i in chosen], columns([pairs[i] for i in chosen])
        rows.append(
            {
                "from": low,
                "to": high or max(lengths),
                "sentences": len(chosen),
                "bleu": round(BLEU().corpus_score(some, refs).score, 2),
                "chrf": round(CHRF().corpus_score(some, refs).score, 2),
            }
        )
    return rows
