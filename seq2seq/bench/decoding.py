"""Latency of one sentence and throughput of many, beside the tutorial's way and what the machine allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from seq2seq.bench.captions import SINGLE, captions
from seq2seq.bench.clock import Effort, Work, in_turn, launch_bound_share, median, seconds, significant, spread
from seq2seq.bench.floors import Yardstick, reading
from seq2seq.bench.flops import Needed
from seq2seq.bench.tutorial_way import TutorialWay, translate
from seq2seq.tokenizer import Pieces
from seq2seq.translator import Translator

BEAMS = (1, 5)
WHOLE_FROM = 64
"""From this batch size on, all sentences are translated; with smaller ones a share of them that takes no longer."""


def measure_latency(translator: Translator, way: TutorialWay, needed: Needed, effort: Effort) -> list[dict[str, Any]]:
    """One sentence, text to `Translation`; the tutorial's way from text to text; and as long as its weights take to be read."""
    device, rows = translator.device, []
    for words, text in SINGLE.items():
        for beam_size in BEAMS:
            made = translator.translate(text, beam_size=beam_size)
            source, target = len(made.source_pieces), len(made.target_pieces)

            def ours(text: str = text, beam_size: int = beam_size) -> Any:
                return translator.translate(text, beam_size=beam_size)

            def tutorial(text: str = text, beam_size: int = beam_size) -> str:
                return translate(way, translator, text, beam_size)

            works = {"ours": ours, "tutorial": tutorial, "floor": floor(needed, source, target, device)}
            times = in_turn(works, device, 2 * effort.seconds, effort.rounds)
            p50, floor_seconds = median(times["ours"]), median(times["floor"])
            rows.append(
                {"words": words, "beam_size": beam_size, "source_pieces": source, "target_pieces": target}
                | spread(times["ours"])
                | {f"tutorial_{name}": value for name, value in spread(times["tutorial"]).items() if name != "runs"}
                | {
                    "times_tutorial": significant(median(times["tutorial"]) / p50),
                    "floor_seconds": seconds(floor_seconds),
                    "times_floor": significant(p50 / floor_seconds),
                    "times_tutorial_at_floor": significant(median(times["tutorial"]) / floor_seconds),
                    "same_translation": tutorial() == made.translation,
                    "launch_bound_share": launch_bound_share(ours, device, p50),
                }
            )
    return rows


def floor(needed: Needed, source_pieces: int, target_pieces: int, device: torch.device) -> Work:
    """Reads what one sentence has to read, in the portions in which it must: the encoder, then the decoder for each piece."""
    encoder = reading(needed.source_bytes(source_pieces), device)
    step = reading(needed.step_bytes(source_pieces), device)

    def work() -> None:
        encoder()
        for _ in range(target_pieces):
            step()

    return work


def measure_throughput(
    translator: Translator, way: TutorialWay, needed: Needed, matrix: list[dict[str, Any]], effort: Effort
) -> dict[str, Any]:
    """Many sentences, pieces to pieces, for each beam and batch size; the tutorial's way on some of them; and a matrix product,
    all in turn. The share of the matrix rate is that of the product beside it, in the same rounds."""
    device = translator.device
    sources = translator.read(captions(effort.sentences))
    yardstick = Yardstick(matrix, "float32", device)
    works: dict[Any, Work] = {"product": yardstick.work}
    given: dict[Any, Sequence[Pieces]] = {}
    for beam_size, few in zip(BEAMS, effort.tutorial_sentences):
        for size in effort.batch_sizes:
            some = given[beam_size, size] = sources[: max(few, len(sources) * min(size, WHOLE_FROM) // WHOLE_FROM)]
            works[beam_size, size] = lambda s=some, b=beam_size, n=size: translator.search(s, b, batch_size=n)
        some = given[beam_size, None] = sources[:few]
        works[beam_size, None] = lambda s=some, b=beam_size: [way.search(x.ids, translator._limit(x), b) for x in s]
    times = in_turn(works, device, effort.seconds, effort.rounds)
    product_rate = yardstick.flops / median(times["product"]) / 1e9
    rows, tutorial = [], []
    for beam_size in BEAMS:
        some = given[beam_size, None]
        way.steps = 0
        theirs = works[beam_size, None]()
        steps_a_piece = way.steps / sum(map(len, theirs))
        their_time = median(times[beam_size, None])
        their_rate = sum(map(len, theirs)) / their_time
        same = sum(best[0].ids == ids for best, ids in zip(translator.search(some, beam_size), theirs))
        tutorial.append(
            {
                "beam_size": beam_size,
                "sentences": len(some),
                "seconds": seconds(their_time),
                "sentences_per_second": significant(len(some) / their_time),
                "target_tokens_per_second": significant(their_rate),
                "steps_per_target_token": round(steps_a_piece, 3),
                "same_translations": same,
            }
        )
        for size in effort.batch_sizes:
            some, taken = given[beam_size, size], median(times[beam_size, size])
            written = [len(best[0].ids) for best in works[beam_size, size]()]
            flops = sum(
                needed.source_flops(len(source.ids)) + steps_a_piece * pieces * needed.step_flops(len(source.ids))
                for source, pieces in zip(some, written)
            )
            rows.append(
                {
                    "beam_size": beam_size,
                    "batch_size": size,
                    "sentences": len(some),
                    "seconds": seconds(taken),
                    "runs": len(times[beam_size, size]),
                    "sentences_per_second": significant(len(some) / taken),
                    "target_tokens_per_second": significant(sum(written) / taken),
                    "gflops": significant(flops / taken / 1e9),
                    "matrix_share": round(flops / taken / 1e9 / product_rate, 4),
                    "times_tutorial": significant(sum(written) / taken / their_rate),
                    "launch_bound_share": launch_bound_share(works[beam_size, size], device, taken),
                }
            )
    return {
        "matrix_gflops": significant(product_rate),
        "rows": rows,
        "tutorial": tutorial,
        "beam_over_greedy": [
            {"batch_size": size, "times": significant(each(rows, BEAMS[1], size) / each(rows, BEAMS[0], size))}
            for size in effort.batch_sizes
        ],
    }


def each(rows: list[dict[str, Any]], beam_size: int, batch_size: int) -> float:
    """Seconds a sentence."""
    [row] = [row for row in rows if (row["beam_size"], row["batch_size"]) == (beam_size, batch_size)]
    return 1 / row["sentences_per_second"]
