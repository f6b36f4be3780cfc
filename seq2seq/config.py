"""What a model and a training run are made of: frozen dataclasses that are written to disk and read back."""

from __future__ import annotations

import re
from dataclasses import dataclass

PAD, UNK, BOS, EOS = 0, 1, 2, 3
"""Ids of the special pieces, the same in every checkpoint."""
MAX_LENGTH = 1000
"""Most places in the memory of a classic kind; every sentence has them all, and a text has no more characters."""
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to rebuild a model before its weights are loaded; stands in `config.json`.

    kind: which decoder, one of `seq2seq.model.kinds()`.
    vocab_size (V), embedding_size (E), hidden_size (H): H is the decoder's state and one memory vector; each direction
        of the encoder has H / 2.
    attention_size (A): width of the layer in which query and key are compared.
    dropout: share of single numbers set to zero in training, on embeddings, memory and readout; in `classic-attention` on
        the decoder's embedding, in `classic-plain` nowhere.
    word_dropout: share of whole words whose embedding is set to zero in training (Gal & Ghahramani 2016); not classic.
    query_prev: whether attention is asked with the piece written last too, and not with the decoder's state alone.
    max_length: places in the memory of the classic kinds; what is longer is cut. Other kinds have no such limit.
    source_vocab_size: pieces of the source language, if it has its own; 0 for one joint vocabulary of V. Where the source is a
        picture, the numbers in one place of it.
    encoder: who reads the source, one of `seq2seq.encoder.ENCODERS`.
    target_pieces: most pieces of a target, such as the cells of a painting; 0 for as many as a translation of its source
    may need.
    source_language, target_language: of the texts it reads and writes, as codes such as "en" (BCP 47). The decoder asks for
        neither; they are for people, screen readers and tokenizers that score.
    """

    kind: str = "additive"
    vocab_size: int = 4000
    embedding_size: int = 256
    hidden_size: int = 512
    attention_size: int = 256
    dropout: float = 0.2
    word_dropout: float = 0.05
    query_prev: bool = False
    max_length: int = 40
    source_vocab_size: int = 0
    encoder: str = "words"
    target_pieces: int = 0
    source_language: str = "en"
    target_language: str = "fr"

    def __post_init__(self) -> None:
        for name in ("vocab_size", "embedding_size", "hidden_size", "attention_size", "max_length"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.max_length > MAX_LENGTH:
            raise ValueError(f"max_length is {self.max_length}; it must be at most {MAX_LENGTH}: no text is that long")
        if self.source_vocab_size < 0:
            raise ValueError(f"source_vocab_size is {self.source_vocab_size}; it must be over 0, or 0 for a joint one")
        if self.target_pieces < 0:
            raise ValueError(f"target_pieces is {self.target_pieces}; it must be over 0, or 0 to go by the source")
        if self.classic and self.encoder != "words":
            raise ValueError(f"encoder is {self.encoder!r}; the classic kinds have their own, so leave it out")
        if self.query_prev and (self.classic or self.kind == "plain"):
            raise ValueError(
                f"query_prev is set, but a {self.kind} decoder compares no query with the source; leave it out"
            )
        if self.classic and self.embedding_size != self.hidden_size:
            raise ValueError(
                f"embedding_size is {self.embedding_size} and hidden_size {self.hidden_size}; "
                "the classic kinds have one size for both"
            )
        if self.hidden_size % 2 and not self.classic:
            raise ValueError(
                f"hidden_size is {self.hidden_size}; it must be even: each direction of the encoder has half"
            )
        for name in ("source_language", "target_language"):
            if not LANGUAGE.fullmatch(getattr(self, name)):
                raise ValueError(f"{name} is {getattr(self, name)[:40]!r}; it must be a language's code, such as en")
        for name in ("dropout", "word_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0 and under 1")

    @property
    def classic(self) -> bool:
        """Whether this is one of the tutorial's systems (`seq2seq.classic`)."""
        return self.kind.startswith("classic-")

    @property
    def translates(self) -> bool:
        """Whether it reads words and writes as many as they need: what the page's translators do."""
        return self.encoder == "words" and not self.target_pieces

    @property
    def source_vocabulary(self) -> int:
        """Pieces of the source language, joint or its own."""
        return self.source_vocab_size or self.vocab_size


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained. Two runs with equal configs, data and machine end with the same weights.

    repeat: how many times each data file is seen in one epoch, in the order of the files.
    batch_tokens: target pieces in one batch, over all devices.
    max_steps: updates; the run ends there, or earlier by `patience`.
    learning_rate: at its peak, after `warmup_steps`; then it falls with 1 / sqrt(step) (Vaswani et al. 2017).
    average_decay: the weights that are validated and saved are an exponential moving average of those trained.
    patience: validations without a better BLEU before the run stops.
    validation_sentences: of each validation file, at most so many from its start.
    schedule: what the learning rate does after the warm-up: "inverse-root" as above, or "cosine", down to 0 at `max_steps`.
    links: for each data file a file of word links (`python -m seq2seq align`), towards which attention is trained, with
        `guide_weight` times its cross-entropy beside that of the pieces (guided alignment: Chen et al. 2016).
    join: share of training texts that are several pairs one after the other, so that long texts are seen too.
    reverse: whether the second column of all files is the source, and the first the target.
    rename, casual: of the pairs with a name or number on both sides, and of all pairs, the share of which a copy is added, with
        other names or typed in a hurry (`seq2seq.augment`), so that the model learns to copy and to forgive.
    excerpt: of all pairs, the share of which a copy is tried of a few words only, with what they are linked to, so that it
        knows texts of one word. It needs `links`.
    mixed_precision: "no", or "bf16": products in bfloat16, weights and sums in float32. Only training uses it.
    """

    data: tuple[str, ...]
    valid: tuple[str, ...]
    repeat: tuple[int, ...] = ()
    seed: int = 1
    batch_tokens: int = 1500
    max_steps: int = 8000
    max_pieces: int = 100
    learning_rate: float = 2e-3
    warmup_steps: int = 800
    label_smoothing: float = 0.1
    clip_norm: float = 1.0
    average_decay: float = 0.999
    validate_every: int = 500
    validation_sentences: int = 500
    patience: int = 8
    mixed_precision: str = "no"
    schedule: str = "inverse-root"
    links: tuple[str, ...] = ()
    guide_weight: float = 0.3
    join: float = 0.0
    reverse: bool = False
    rename: float = 0.0
    casual: float = 0.0
    excerpt: float = 0.0

    def __post_init__(self) -> None:
        at_least = {
            "batch_tokens": 1,
            "max_steps": 1,
            "max_pieces": 2,
            "warmup_steps": 0,
            "validate_every": 1,
            "validation_sentences": 1,
            "patience": 1,
        }
        for name, least in at_least.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        for name in ("learning_rate", "clip_norm"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be a number over 0")
        for name in ("label_smoothing", "average_decay", "join"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0 and under 1")
        if any(times < 0 for times in self.repeat):
            raise ValueError(f"repeat is {self.repeat}; a file cannot be seen less than 0 times")
        if self.excerpt and not self.links:
            raise ValueError(
                f"excerpt is {self.excerpt}, but links say what belongs together; give a file of them for each"
            )
        for name in ("rename", "casual", "excerpt"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from 0 to 1")
        if not 0 <= self.guide_weight < float("inf"):
            raise ValueError(f"guide_weight is {self.guide_weight}; it must be a number that is at least 0")
        if self.schedule not in ("inverse-root", "cosine"):
            raise ValueError(f"schedule is {self.schedule!r}; choose inverse-root or cosine")
        if self.mixed_precision not in ("no", "bf16"):
            raise ValueError(f"mixed_precision is {self.mixed_precision!r}; choose no or bf16")
