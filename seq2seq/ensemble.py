"""Several models that translate as one, and their knowledge written down as training pairs for a single model.

Sequence-level knowledge distillation (Kim & Rush 2016): a small model learns more from what better models write than from what
people wrote, because the same things are always said in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from sacrebleu.metrics import BLEU
from torch import Tensor, nn

from seq2seq.attention import Note, unnoted
from seq2seq.checkpoint import TOKENIZER_FILE
from seq2seq.data import Pair
from seq2seq.decoder import Decoder, Step
from seq2seq.encoder import Encoded
from seq2seq.model import CheckpointError, Seq2Seq
from seq2seq.translator import Translator

AT_ONCE = 2_000
"""Sentences that are searched between two reports: enough that each batch holds sentences of one length."""


class States(NamedTuple):
    """The state of every member, used as one `DecoderState`."""

    members: tuple[Any, ...]

    @property
    def hidden(self) -> Tensor:
        """The first member's (B, H), which tells how many hypotheses there are and on which device."""
        return self.members[0].hidden

    def select(self, index: Tensor) -> States:
        return States(tuple(state.select(index) for state in self.members))

    def follow(self, index: Tensor) -> States:
        return States(tuple(state.follow(index) for state in self.members))


class EnsembleEncoder(nn.Module):
    """Every member reads the source for itself."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, src: Tensor, src_lengths: Tensor) -> tuple[Encoded, ...]:
        return tuple(encoder(src, src_lengths) for encoder in self.members)


class EnsembleDecoder(Decoder):
    """The mean of the members' probabilities, step by step; searches cannot tell it from one decoder. It shows no weights:
    where the members look is not one thing."""

    def __init__(self, members: Sequence[Decoder]) -> None:
        super().__init__()
        self.members: Any = nn.ModuleList(members)
        self.may_end_at_once = all(decoder.may_end_at_once for decoder in members)

    def init_state(self, encoded: Any, note: Note = unnoted) -> Any:
        return States(tuple(decoder.init_state(one) for decoder, one in zip(self.members, encoded)))

    def step(self, prev: Tensor, state: Any, note: Note = unnoted) -> Step:
        steps = [decoder.step(prev, one) for decoder, one in zip(self.members, state.members)]
        log_probs = torch.stack([torch.log_softmax(step.logits.float(), dim=-1) for step in steps])
        mean = log_probs.logsumexp(dim=0) - math.log(len(steps))
        states: Any = States(tuple(step.state for step in steps))
        return Step(mean, states, None)


class Ensemble(nn.Module):
    """Models that share their tokenizer, with the parts of one model."""

    def __init__(self, models: Sequence[Seq2Seq]) -> None:
        super().__init__()
        self.config = models[0].config
        self.encoder = EnsembleEncoder([model.encoder for model in models])
        self.decoder = EnsembleDecoder([model.decoder for model in models])

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


def ensemble(checkpoints: Sequence[Path], device: str = "auto") -> Translator:
    """The checkpoints as one translator. Raises CheckpointError, also for two that do not share their pieces."""
    members = [Translator.from_checkpoint(checkpoint, device) for checkpoint in checkpoints]
    first = members[0]
    pieces = (checkpoints[0] / TOKENIZER_FILE).read_bytes()
    for checkpoint, member in zip(checkpoints, members):
        if (checkpoint / TOKENIZER_FILE).read_bytes() != pieces:
            raise CheckpointError(
                f"{checkpoint} has other pieces than {checkpoints[0]}; an ensemble shares its tokenizer"
            )
        if member.model.config.classic:
            raise CheckpointError(f"{checkpoint} is a classic model, which reads 40 pieces at most; leave it out")
    model: Any = Ensemble([member.model for member in members])
    return Translator(model, first.tokenizer, "+".join(member.name for member in members), first.target_tokenizer)


def averaged(first: Seq2Seq, second: Seq2Seq, share: float) -> Seq2Seq:
    """One model whose weights are those of `second` by `share`, and of `first` for the rest: of a run and of what it began
    with, this may be better than either (Wortsman et al. 2022). Raises CheckpointError for models of other sizes."""
    if first.config != second.config:
        raise CheckpointError(f"the second model has other settings than the first: {second.config}")
    theirs = second.state_dict()
    made = Seq2Seq(first.config)
    made.load_state_dict({name: torch.lerp(one, theirs[name], share) for name, one in first.state_dict().items()})
    return made.eval()


def distilled(translator: Translator, pairs: Sequence[Pair], beam_size: int) -> Iterator[list[Pair]]:
    """The pairs with what the translator writes in the place of the first reference, in their order, some at a time.

    Of the `beam_size` translations that it finds for a sentence, the one most like the reference is taken (BLEU of the
    sentence; section 3.3 of the paper): people's sentences keep it from drifting.
    """
    bleu = BLEU(effective_order=True)
    for first in range(0, len(pairs), AT_ONCE):
        some = pairs[first : first + AT_ONCE]
        found = translator.search(translator.read([pair.source for pair in some]), beam_size, n_best=beam_size)
        made = []
        for pair, hypotheses in zip(some, found):
            texts = [translator.target_tokenizer.text(hypothesis.ids) for hypothesis in hypotheses]
            best = max(texts, key=lambda text: bleu.sentence_score(text, [pair.references[0]]).score)
            made.append(Pair(pair.source, (best,)))
        yield made
