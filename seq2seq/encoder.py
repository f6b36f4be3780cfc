"""The encoder: reads the source once and leaves one memory vector a piece."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq.config import PAD, ModelConfig


class Encoded(NamedTuple):
    """What is known of B source sentences.

    memory (B, S, H): one vector a source piece. mask (B, S): True where a piece stands, False on padding.
    summary (B, H): the whole sentence in one vector.
    """

    memory: Tensor
    mask: Tensor
    summary: Tensor


class Embedding(nn.Embedding):
    """Ids to vectors, for source, target and output alike (Press & Wolf 2017), with both kinds of dropout.

    Vectors are scaled by sqrt(E) (Vaswani et al. 2017): the same numbers must be small as output weights and of size
    one as input.
    """

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__(vocab_size, config.embedding_size, padding_idx=PAD)
        nn.init.normal_(self.weight, std=config.embedding_size**-0.5)
        with torch.no_grad():
            self.weight[PAD].zero_()
        self.word_dropout = config.word_dropout
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, ids: Tensor) -> Tensor:
        """ids (...) -> (..., E); `<pad>` is the zero vector, also in a sentence, where it hides a word.

        The row of `<pad>` itself does not stay zero: as an output weight it is trained with the others.
        """
        embedded = super().forward(ids) * self.embedding_dim**0.5
        embedded = embedded.masked_fill((ids == PAD).unsqueeze(-1), 0)
        if self.training and self.word_dropout:
            keep = torch.rand(ids.shape, device=ids.device) >= self.word_dropout
            embedded = embedded * (keep.to(embedded.dtype) / (1 - self.word_dropout)).unsqueeze(-1)
        return self.dropout(embedded)


class Encoder(nn.Module):
    """A bidirectional GRU (Bahdanau et al. 2015, section 3.2). One memory vector is [forward ; backward], H / 2 each."""

    def __init__(self, config: ModelConfig, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = embedding
        self.rnn = nn.GRU(config.embedding_size, config.hidden_size // 2, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, src: Tensor, src_lengths: Tensor) -> Encoded:
        """src (B, S) ids, src_lengths (B,) -> Encoded.

        The sequences are packed, so that neither direction reads padding: a sentence gets the same vectors in any batch.
        The summary is where each direction ended, [forward at the last piece ; backward at the first].
        """
        packed = pack_padded_sequence(self.embedding(src), src_lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, last = self.rnn(packed)
        memory, _ = pad_packed_sequence(outputs, batch_first=True, total_length=src.size(1))
        mask = torch.arange(src.size(1), device=src.device) < src_lengths.to(src.device).unsqueeze(1)
        summary = torch.cat([last[0], last[1]], dim=-1)
        return Encoded(self.dropout(memory), mask, self.dropout(summary))
