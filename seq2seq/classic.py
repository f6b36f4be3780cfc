"""The PyTorch tutorial's systems, exact: EncoderRNN, DecoderRNN and AttnDecoderRNN of "NLP From Scratch: Translation with a
Sequence to Sequence Network and Attention".

Parameters have the tutorial's names, so that its weights load (`seq2seq.tutorial`), and given the same weights the numbers
are the tutorial's. What differs is only how often: a whole batch at once instead of one word.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq.attention import Note, unnoted
from seq2seq.config import PAD, ModelConfig
from seq2seq.decoder import Decoder, DecoderState, Step
from seq2seq.encoder import Encoded


class ClassicEncoder(nn.Module):
    """EncoderRNN: embedding → GRU, from left to right only. E = H."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.max_length = config.max_length
        self.embedding = nn.Embedding(config.source_vocabulary, config.hidden_size, padding_idx=PAD)
        self.gru = nn.GRU(config.hidden_size, config.hidden_size, batch_first=True)

    def forward(self, src: Tensor, src_lengths: Tensor) -> Encoded:
        """src (B, S) ids, src_lengths (B,) -> Encoded, with `max_length` places in the memory of every sentence: zero vectors
        behind its end, and what is longer is cut. The summary is the last state."""
        src, lengths = src[:, : self.max_length], src_lengths.cpu().clamp(max=self.max_length)
        # A hidden word is the zero vector (`Pieces.without`), whatever a checkpoint has in the row of `<pad>`.
        embedded = self.embedding(src).masked_fill((src == PAD).unsqueeze(-1), 0)
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        outputs, last = self.gru(packed)
        memory, _ = pad_packed_sequence(outputs, batch_first=True, total_length=self.max_length)
        mask = torch.arange(self.max_length) < lengths.unsqueeze(1)
        return Encoded(memory, mask.to(src.device), last[0])


class ClassicDecoder(Decoder):
    """DecoderRNN: relu(embedding) → GRU → linear → log-softmax. The source is its first state and nothing more."""

    about = "the DecoderRNN of the PyTorch tutorial: a GRU whose first state is all it is given of the sentence"
    may_end_at_once = True  # as its `evaluate` lets it

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        H = config.hidden_size
        self.embedding = nn.Embedding(config.vocab_size, H, padding_idx=PAD)
        self.gru = nn.GRU(H, H)
        self.out = nn.Linear(H, config.vocab_size)

    def init_state(self, encoded: Encoded, note: Note = unnoted) -> DecoderState:
        """The encoder's last state is the first one here. The memory is kept for those who look at it."""
        note("hidden", "where the encoder ended", "(1, B, H)", encoded.summary.unsqueeze(0))
        return DecoderState(encoded.summary, encoded.memory, encoded.memory, encoded.mask)

    def step(self, prev: Tensor, state: DecoderState, note: Note = unnoted) -> Step:
        note("prev", "the piece written last", "(B)", prev)
        embedded = note("embedded", "embedding[prev]", "(1, B, H)", self.embedding(prev).unsqueeze(0))
        hidden = note("old hidden", "hidden, one step ago", "(1, B, H)", state.hidden.unsqueeze(0))
        combined = note("combined", "relu(embedded)", "(1, B, H)", torch.relu(embedded))
        return self.write(combined, hidden, state, None, note)

    def write(self, combined: Tensor, hidden: Tensor, state: DecoderState, weights: Tensor | None, note: Note) -> Step:
        """combined, hidden (1, B, H) -> Step: the GRU and what comes out of it, which both classic decoders share."""
        _, hidden = self.gru(combined, hidden.contiguous())
        note("hidden", "GRU(combined, old hidden)", "(1, B, H)", hidden)
        # Log-probabilities are logits too: a softmax over them changes nothing.
        log_probs = torch.log_softmax(self.out(hidden[0]).float(), dim=-1)
        note("log_probs", "log_softmax(out hidden)", "(B, V)", log_probs)
        return Step(log_probs, state._replace(hidden=hidden[0]), weights)


class ClassicAttentionDecoder(ClassicDecoder):
    """AttnDecoderRNN: looks at positions, not at words; the score of a place is computed without seeing what stands there.

    weights = softmax(attn [embedded ; hidden]) over `max_length` places; applied = weights · memory, in which places behind
    the end of the sentence hold zeros and take part in the softmax; GRU(relu(attn_combine [embedded ; applied])).
    """

    looks_back = True
    weights_name = "attn_weights"
    about = "the AttnDecoderRNN of the PyTorch tutorial: a GRU decoder whose attention looks at positions, not at words"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        H = config.hidden_size
        self.attn = nn.Linear(2 * H, config.max_length)
        self.attn_combine = nn.Linear(2 * H, H)
        self.dropout = nn.Dropout(config.dropout)

    def step(self, prev: Tensor, state: DecoderState, note: Note = unnoted) -> Step:
        note("prev", "the piece written last", "(B)", prev)
        embedded = self.dropout(self.embedding(prev)).unsqueeze(0)
        note("embedded", "dropout(embedding[prev])", "(1, B, H)", embedded)
        hidden = note("old hidden", "hidden, one step ago", "(1, B, H)", state.hidden.unsqueeze(0))
        note("memory", "encoder(source), zeros behind its end", "(B, max_length, H)", state.memory)
        scores = self.attn(torch.cat([embedded[0], hidden[0]], dim=1))
        note("attn_scores", "attn [embedded ; old hidden]", "(B, max_length)", scores)
        weights = torch.softmax(scores, dim=1, dtype=torch.float32)
        weights = note("attn_weights", "softmax(attn_scores)", "(B, max_length)", weights)
        applied = torch.bmm(weights.unsqueeze(1).to(state.memory.dtype), state.memory)
        note("attn_applied", "attn_weights · memory", "(B, 1, H)", applied)
        joined = torch.cat([embedded[0], applied.squeeze(1)], dim=1)
        note("concatenated", "[embedded ; attn_applied]", "(B, 2H)", joined)
        combined = torch.relu(self.attn_combine(joined).unsqueeze(0))
        note("combined", "relu(attn_combine concatenated)", "(1, B, H)", combined)
        return self.write(combined, hidden, state, weights, note)


CLASSIC: dict[str, type[Decoder]] = {"classic-plain": ClassicDecoder, "classic-attention": ClassicAttentionDecoder}
CLASSIC_SIZES = {"embedding_size": 256, "hidden_size": 256, "dropout": 0.1, "word_dropout": 0.0}
"""The tutorial's settings, which `train` takes for the classic kinds unless it is told otherwise."""
