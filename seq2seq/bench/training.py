"""Training: target pieces a second of `Run.update`, beside the tutorial's loop and the machine's matrix rate."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate.state import AcceleratorState

from seq2seq.bench.clock import Effort, Work, in_turn, launch_bound_share, median, significant
from seq2seq.bench.floors import PRECISIONS, Yardstick, precisions
from seq2seq.bench.flops import PIECES, flops_per_token
from seq2seq.bench.tutorial_way import TutorialWay
from seq2seq.classic import CLASSIC, CLASSIC_SIZES
from seq2seq.config import EOS, ModelConfig, TrainConfig
from seq2seq.data import Corpus, Item
from seq2seq.model import Seq2Seq, kinds
from seq2seq.training import Run

USE_CPU = "ACCELERATE_USE_CPU"


def of_kind(config: ModelConfig, kind: str) -> ModelConfig:
    """The same sizes for another decoder; of the classic kinds no larger than the tutorial's."""
    sizes = {}
    if kind in CLASSIC:  # they have one size for both
        side = min(config.hidden_size, CLASSIC_SIZES["hidden_size"])
        sizes = CLASSIC_SIZES | {"embedding_size": side, "hidden_size": side}
    return replace(config, kind=kind, source_vocab_size=0, **sizes)


def measure_training(
    device: torch.device, config: ModelConfig, matrix: list[dict[str, Any]], effort: Effort
) -> list[dict[str, Any]]:
    """A row for each kind and precision. The tutorial's loop is in float32, and both precisions are compared with it."""
    rows = []
    for kind in kinds():
        shape = of_kind(config, kind)
        flops = flops_per_token(shape)
        loop = tutorial_update(shape, device)
        for precision in precisions(device):
            yardstick = Yardstick(matrix, precision, device)
            times, tokens, launches = timed(
                device, shape, precision, {"tutorial": loop, "product": yardstick.work}, effort
            )
            rate, tutorial = tokens / median(times["ours"]), PIECES / median(times["tutorial"])
            product = yardstick.flops / median(times["product"]) / 1e9
            rows.append(
                {
                    "kind": kind,
                    "precision": precision,
                    "tokens_per_second": significant(rate),
                    "flops_per_token": round(flops),
                    "gflops": significant(rate * flops / 1e9),
                    "matrix_gflops": significant(product),
                    "matrix_share": round(rate * flops / 1e9 / product, 4),
                    "tutorial_tokens_per_second": significant(tutorial),
                    "times_tutorial": significant(rate / tutorial),
                    "runs": len(times["ours"]),
                    "launch_bound_share": launches,
                }
            )
    return rows


def timed(
    device: torch.device, config: ModelConfig, precision: str, beside: dict[str, Work], effort: Effort
) -> tuple[dict[str, list[float]], int, float | None]:
    """`Run.update`, the very step that `train` makes, on one batch of sentences of PIECES, in turn with `beside` -> seconds of
    the calls, target pieces of one update, and its launch-bound share."""
    settings = TrainConfig(data=(), valid=(), mixed_precision=PRECISIONS[precision])
    sentences = max(1, settings.batch_tokens // PIECES)
    rows = random_rows(2 * sentences, config.vocab_size)
    corpus = Corpus(tuple(zip(rows[:sentences], rows[sentences:])), (1,) * sentences)
    items: list[Item] = [(i,) for i in range(sentences)]
    with tempfile.TemporaryDirectory() as folder, accelerated_on(device):
        # Without tokenizers, which only validating and saving ask for.
        none: Any = None
        run = Run(Seq2Seq(config).to(device), none, none, corpus, settings, Path(folder))
        run.model.train()

        def ours() -> None:
            run.update(items)

        times = in_turn({"ours": ours, **beside}, device, effort.seconds, effort.rounds)
        share = launch_bound_share(ours, device, median(times["ours"]))
    return times, sentences * PIECES, share


@contextlib.contextmanager
def accelerated_on(device: torch.device) -> Iterator[None]:
    """accelerate as if it were used for the first time: it keeps its precision for the whole process, and here every run has
    another. Left to itself it takes the GPU where there is one."""
    before = os.environ.get(USE_CPU)
    os.environ[USE_CPU] = str(device.type == "cpu").lower()
    AcceleratorState._reset_state(reset_partial_state=True)
    try:
        yield
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
        os.environ.pop(USE_CPU)
        if before is not None:
            os.environ[USE_CPU] = before


def random_rows(count: int, vocab_size: int) -> list[tuple[int, ...]]:
    """`count` sentences of PIECES ids, `<eos>` last, the same every time."""
    draw = torch.Generator().manual_seed(1)
    ids = torch.randint(EOS + 1, vocab_size, (count, PIECES - 1), generator=draw).tolist()
    return [(*row, EOS) for row in ids]


def tutorial_update(config: ModelConfig, device: torch.device) -> Work:
    """The tutorial's loop: one pair, a piece at a time with teacher forcing, then one step of Adam."""
    way = TutorialWay(Seq2Seq(config).to(device)).train()
    optimizer = torch.optim.Adam(way.parameters(), lr=1e-3)
    source, target = random_rows(2, config.vocab_size)

    def update() -> None:
        optimizer.zero_grad()
        loss = way.loss(source, target)
        loss.backward()
        optimizer.step()
        loss.item()

    return update
