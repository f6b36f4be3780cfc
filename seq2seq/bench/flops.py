"""Operations and bytes that the equations need, counted and not timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from seq2seq.config import EOS, ModelConfig
from seq2seq.decoder import DecoderState
from seq2seq.model import Seq2Seq

PIECES = 16
"""Of a 12-word sentence, `<eos>` included, in either language: what training is measured on."""
COUNTED = (
    "Multiplications and additions of matrix products and of attention's weighted sums, two for each weight and token: "
    "forward once, backward twice. Not counted: element-wise functions, softmax, dropout, the optimizer, validation, and "
    "whatever a search computes of sentences that are finished."
)


@torch.inference_mode()
def operations(work: Callable[[], Any]) -> int:
    """What torch counts of the matrix products in one call."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def flops_per_token(config: ModelConfig, source_length: int = PIECES, target_length: int = PIECES) -> float:
    """Floating-point operations of one training step per target piece, forward and backward; see COUNTED."""
    model = Seq2Seq(config)
    src, prev = (torch.full((1, length), EOS) for length in (source_length, target_length))
    forward = operations(lambda: model(src, torch.tensor([source_length]), prev))
    return 3 * forward / target_length


class Needed:
    """What decoding one sentence alone needs, by its length: operations, and bytes of weights.

    Counted on the CPU, because torch counts nothing of what cuDNN does. Both kinds of operations are a constant and something
    for each source piece, so two lengths tell all.
    """

    def __init__(self, config: ModelConfig) -> None:
        model = Seq2Seq(config).eval()

        def begun(pieces: int) -> DecoderState:
            return model.decoder.init_state(model.encoder(torch.full((1, pieces), EOS), torch.tensor([pieces])))

        def source(pieces: int) -> int:
            return operations(lambda: begun(pieces))

        def step(pieces: int) -> int:
            with torch.inference_mode():
                state = begun(pieces)
            return operations(lambda: model.decoder.step(torch.tensor([EOS]), state))

        self.room = config.max_length if config.classic else None
        self._source = [source(pieces) for pieces in (1, 2)]
        self._step = [step(pieces) for pieces in (1, 2)]
        recurrent = (p for name, p in model.encoder.named_parameters() if "weight_hh" in name)
        self.recurrent_bytes = 4 * sum(p.numel() for p in recurrent)

    def _at(self, counts: list[int], source_pieces: int) -> int:
        if self.room:  # what is longer is cut
            source_pieces = min(source_pieces, self.room)
        return counts[0] + (source_pieces - 1) * (counts[1] - counts[0])

    def source_flops(self, source_pieces: int) -> int:
        """To read a sentence and begin its translation."""
        return self._at(self._source, source_pieces)

    def step_flops(self, source_pieces: int) -> int:
        """To write one piece of one hypothesis."""
        return self._at(self._step, source_pieces)

    # A float32 weight has four bytes and takes part in two operations; so has the memory that attention looks at.

    def source_bytes(self, source_pieces: int) -> int:
        """Every weight of the encoder once, and the recurrent ones again for each further piece, which waits for the last."""
        pieces = min(source_pieces, self.room or source_pieces)
        return 2 * self._source[0] + (pieces - 1) * self.recurrent_bytes

    def step_bytes(self, source_pieces: int) -> int:
        """Every weight of a step once, however many hypotheses share it, and the memory that it looks at."""
        return 2 * self.step_flops(source_pieces)
