"""Encoders: they read the source once and leave one memory vector a piece, be it a word or a place in a picture."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq.config import PAD, ModelConfig
from seq2seq.scenes import SIDE


class Encoded(NamedTuple):
    """What is known of B sources.

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

    about = "a bidirectional GRU encoder"

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


class PictureEncoder(nn.Module):
    """A small convolutional network; one memory vector a place of a square picture, as in "Show, Attend and Tell" (Xu et
    al. 2015).

    A convolution sees the same wherever it looks, and captions are about where things are: so row and column are told to it, as
    two more channels (Liu et al. 2018, "CoordConv").
    """

    about = "a convolutional encoder of pictures"

    def __init__(self, config: ModelConfig, embedding: Embedding) -> None:
        """embedding: not needed; a picture has no words."""
        super().__init__()
        H = config.hidden_size
        self.step = round((config.source_vocabulary / 3) ** 0.5)
        if self.step != 8 or 3 * self.step**2 != config.source_vocabulary:
            raise ValueError(
                f"source_vocab_size is {config.source_vocab_size}; a place of 8 × 8 pixels has 192 numbers"
            )
        self.strokes = nn.Conv2d(5, 32, 6, stride=4, padding=1)
        self.parts = nn.Conv2d(32, 96, 4, stride=2, padding=1)
        self.widen = nn.Conv2d(96 + 2, H, 1)
        self.rounds = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(H, 64, 1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, H, 1)
            )
            for _ in range(2)
        )
        self.narrow = nn.Conv2d(H, 32, 1)
        self.whole = nn.Linear(32 * SIDE**2, H)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, src: Tensor, src_lengths: Tensor) -> Encoded:
        """src (B, S, N) bytes of S = SIDE² places, row by row, src_lengths (B,) -> Encoded.

        The summary is a linear layer over all places at once, as in "Show and Tell" (Vinyals et al. 2015): of their mean a
        decoder without attention hardly learned colours.
        """
        B, S, _ = src.shape
        side = round(S**0.5)
        pixels = src.view(B, side, side, self.step, self.step, 3).permute(0, 5, 1, 3, 2, 4)
        found = with_place(1 - pixels.reshape(B, 3, side * self.step, side * self.step).float() / 255)
        found = torch.relu(self.parts(torch.relu(self.strokes(found))))
        found = torch.relu(self.widen(with_place(found)))
        for neighbours in self.rounds:
            found = found + neighbours(found)
        memory = found.flatten(2).transpose(1, 2)
        summary = torch.relu(self.whole(torch.relu(self.narrow(found)).flatten(1)))
        mask = torch.ones(B, S, dtype=torch.bool, device=src.device)
        return Encoded(self.dropout(memory), mask, self.dropout(summary))


def with_place(picture: Tensor) -> Tensor:
    """(B, C, rows, columns) -> (B, C + 2, rows, columns): each place is told its row and column, from -1 to 1."""
    rows, columns = (torch.linspace(-1, 1, n, dtype=picture.dtype, device=picture.device) for n in picture.shape[2:])
    where = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).expand(picture.size(0), -1, -1, -1)
    return torch.cat([picture, where], 1)


ENCODERS: dict[str, type[Encoder] | type[PictureEncoder]] = {"words": Encoder, "picture": PictureEncoder}
