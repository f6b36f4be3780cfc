"""Text to pieces to ids and back, and which pieces make which word.

A piece is a unit of one joint byte-pair encoding (Sennrich et al. 2016) for both languages; a word is what a reader would
point at: letters with their hyphens and apostrophes, a number, one punctuation mark. French elisions are words of
their own (l' | herbe); English contractions stay whole (don't).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from seq2seq.config import BOS, EOS, PAD, UNK

SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>")
UNKNOWN_TEXT = "⁇"
"""How an unknown piece is written in a translation."""
SPACE = "▁"
"""Stands for the space before a word, inside pieces."""

# One alternative a kind of word; the first that fits wins. Oniguruma syntax.
WORD = Regex(
    SPACE + r"?(?:"
    r"[Aa]ujourd'hui"
    r"|[\p{L}\p{M}]+(?:n't|'(?:s|m|re|ve|ll|d|t))(?![\p{L}\p{M}'])"  # don't, it's, we're
    r"|[\p{L}\p{M}]+'(?=[\p{L}\p{M}])"  # l', qu', jusqu'
    r"|[\p{L}\p{M}]+(?:-[\p{L}\p{M}]+)*"  # house, T-shirt, est-ce
    r"|\p{N}+(?:[.,]\p{N}+)*"  # 7, 1,000, 3.14
    r"|[^\s" + SPACE + r"]"  # every other character stands alone
    r")"
)


@dataclass(frozen=True)
class Pieces:
    """A text cut into pieces, and the words those pieces make.

    ids, pieces: one entry a piece. words: as they stand in the text. word_of: for each piece the index of its word.
    cut: how many words of the text are not among them, or not whole. blank: the id of a piece that is taken away; that of
        `<pad>` has the zero vector for its embedding.
    """

    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    words: tuple[str, ...]
    word_of: tuple[int, ...]
    cut: int = 0
    blank: Any = PAD

    def first(self, count: int) -> Pieces:
        """At most its first `count` pieces, `<eos>` being the first to go; a word that does not fit goes whole."""
        if len(self.ids) <= count:
            return self
        whole = count
        while whole and self.word_of[whole] == self.word_of[whole - 1]:
            whole -= 1
        if whole == 0:  # one word alone is too long: what fits of it
            return Pieces(
                self.ids[:count], self.pieces[:count], self.words[:1], self.word_of[:count], len(self.words) - 1
            )
        kept = self.word_of[whole - 1] + 1
        cut = len(self.words) - 1 - kept  # `<eos>` is no word that anybody would miss
        return Pieces(self.ids[:whole], self.pieces[:whole], self.words[:kept], self.word_of[:whole], cut)

    def without(self, words: Collection[int]) -> Pieces:
        """The pieces of these words, by their index, are blank; nothing moves."""
        return replace(self, ids=tuple(self.blank if of in words else id for id, of in zip(self.ids, self.word_of)))


class Tokenizer:
    """Text to pieces and back. `Tokenizer.train(texts, 4000)` learns a joint byte-pair encoding, `Tokenizer.of_words(words)`
    takes whole words as they are, `Tokenizer.load(path)` reads either."""

    def __init__(self, backend: Backend) -> None:
        for index, name in enumerate(SPECIALS):
            if backend.token_to_id(name) != index:
                raise ValueError(
                    f"not a tokenizer of this project: {name} has id {backend.token_to_id(name)}, not {index}"
                )
        self.backend = backend
        # Where every piece is a whole word, so is the unknown one.
        self.unknown_text = (SPACE if isinstance(backend.model, models.WordLevel) else "") + UNKNOWN_TEXT

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int, min_frequency: int = 2, alphabet: int = 200) -> Tokenizer:
        """Learns `vocab_size` pieces (fewer if the text has not so many); the `alphabet` commonest characters are kept."""
        backend = Backend(models.BPE(unk_token=SPECIALS[UNK]))
        backend.normalizer = normalizers.Sequence(
            [
                normalizers.NFC(),
                normalizers.Replace(Regex(r"[’‘ʼ]"), "'"),
                normalizers.Replace(Regex(r"\p{Cf}"), ""),
                normalizers.Replace(Regex(r"[\s\p{Cc}\p{Zs}" + SPACE + r"]+"), " "),
                normalizers.Strip(),
            ]
        )
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Metaspace(SPACE, prepend_scheme="always"), pre_tokenizers.Split(WORD, "isolated")]
        )
        backend.decoder = decoders.Metaspace(SPACE)
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            limit_alphabet=alphabet,
            special_tokens=list(SPECIALS),
            show_progress=False,
        )
        backend.train_from_iterator(texts, trainer)
        # Text is only ever text: "</s>" or "<eos>" typed by a person must not become a special piece.
        backend.encode_special_tokens = True
        return cls(backend)

    @classmethod
    def of_words(cls, words: Sequence[str]) -> Tokenizer:
        """Text is split on spaces, and each word is a piece, or unknown. The words take the ids after the special pieces.

        Raises ValueError for a word that is blank, holds a space, or stands there twice.
        """
        vocabulary = {name: i for i, name in enumerate(SPECIALS)}
        for word in words:
            if not word or SPACE in word or word.split() != [word]:
                raise ValueError(f"{word!r} is not one word")
            if SPACE + word in vocabulary:
                raise ValueError(f"the word {word!r} stands there twice")
            vocabulary[SPACE + word] = len(vocabulary)
        backend = Backend(models.WordLevel(vocabulary, unk_token=SPECIALS[UNK]))
        backend.normalizer = normalizers.Sequence(
            [normalizers.Replace(Regex(r"[\s\p{Cc}\p{Zs}" + SPACE + r"]+"), " "), normalizers.Strip()]
        )
        backend.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, prepend_scheme="always")
        backend.decoder = decoders.Metaspace(SPACE)
        backend.encode_special_tokens = True
        return cls(backend)

    @classmethod
    def load(cls, path: str | Path) -> Tokenizer:
        """Reads a joint `tokenizer.json`. Raises OSError if it is not there, ValueError if it is not such a file."""
        return cls.from_json(Path(path).read_text(encoding="utf-8"), str(path))

    @classmethod
    def from_json(cls, text: str, name: str = "this") -> Tokenizer:
        """The counterpart of `to_json`. name: what the ValueError calls the text if it is no tokenizer."""
        try:
            backend = Backend.from_str(text)
        except Exception as error:  # the library raises bare Exception
            raise ValueError(f"{name} is not a tokenizer file: {error}") from error
        backend.encode_special_tokens = True
        return cls(backend)

    def to_json(self) -> str:
        """The whole tokenizer as it stands in `tokenizer.json`."""
        return self.backend.to_str(pretty=False)

    def __len__(self) -> int:
        return self.backend.get_vocab_size()

    def encode(self, text: str) -> Pieces:
        """Cuts `text`; `<eos>` is appended as a piece and a word of its own."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[Pieces]:
        """As `encode`, for many texts at once."""
        return [self._pieces(text, e) for text, e in zip(texts, self.backend.encode_batch(list(texts)))]

    def _pieces(self, text: str, encoding) -> Pieces:
        spans: list[list[int]] = []
        word_of: list[int] = []
        last, blank = None, False
        for word, token, (start, end) in zip(encoding.word_ids, encoding.tokens, encoding.offsets):
            if word != last and not blank:
                spans.append([start, end])
            blank = token == SPACE and (word != last or blank)  # a space alone is no word: the next one takes it in
            last = word
            spans[-1][1] = end
            word_of.append(len(spans) - 1)
        words = tuple(text[start:end].strip() for start, end in spans)
        # An unknown piece shows the character it stands for, not "<unk>": the reader typed it.
        pieces = tuple(
            text[start:end].strip() if id == UNK else token
            for id, token, (start, end) in zip(encoding.ids, encoding.tokens, encoding.offsets)
        )
        eos = SPECIALS[EOS]
        return Pieces((*encoding.ids, EOS), (*pieces, eos), (*words, eos), (*word_of, len(words)))

    def decode(self, ids: Sequence[int], instead: Mapping[int, str] = MappingProxyType({})) -> Pieces:
        """The words that generated `ids` make. `<bos>` and `<pad>` must not be among them; `<eos>` may stand last.

        instead: what stands in the words for unknown pieces, by their place.
        """
        tokens = [self.piece(id) for id in ids if id != EOS]
        starts, text = [], ""
        for place, token in enumerate(tokens):
            starts.append(len(text))
            text += token.replace(UNKNOWN_TEXT, instead.get(place, UNKNOWN_TEXT)).replace(SPACE, " ")
        # Spaces that are followed by no word, as a model may write them, are no word: they join the one before them.
        spans = [span for span in self._word_spans(text) if text[slice(*span)].strip()] or [(0, len(text))] * bool(text)
        word_of, words = [], []
        position = -1
        for start in starts:
            # The word in which the piece begins; a lone space belongs to the word after it.
            while position + 1 < len(spans) and spans[position + 1][0] <= start:
                position += 1
            word_of.append(max(position, 0))
        words = [text[start:end].strip() for start, end in spans]
        used = sorted(set(word_of))  # a word whose start lies inside a piece joins the word before it
        if len(used) < len(spans):
            bounds = [spans[i][0] for i in used[1:]] + [len(text)]
            words = [text[spans[i][0] : bound].strip() for i, bound in zip(used, bounds)]
            word_of = [used.index(i) for i in word_of]
        words = [word or SPACE for word in words]  # nothing but spaces was written
        if ids and ids[-1] == EOS:
            tokens.append(SPECIALS[EOS])
            word_of.append(len(words))
            words.append(SPECIALS[EOS])
        return Pieces(tuple(ids), tuple(tokens), tuple(words), tuple(word_of))

    def ids(self, pieces: Sequence[str]) -> tuple[int, ...]:
        """The ids of which `decode` made these pieces. Raises ValueError for a piece that is not of this tokenizer."""
        found = []
        for piece in pieces:
            id = UNK if piece == self.unknown_text else self.backend.token_to_id(piece)
            if id is None or id in (PAD, BOS):
                raise ValueError(f"this tokenizer has no piece {piece!r}")
            found.append(id)
        return tuple(found)

    unknown_id = UNK

    def piece(self, id: int) -> str:
        """One piece as it is shown in tables."""
        return self.unknown_text if id == UNK else self.backend.id_to_token(id) or ""

    def text(self, ids: Sequence[int], instead: Mapping[int, str] = MappingProxyType({})) -> str:
        """`ids` as one line of text, special pieces left out; `instead` as in `decode`."""
        tokens = [
            self.piece(id).replace(UNKNOWN_TEXT, instead.get(place, UNKNOWN_TEXT))
            for place, id in enumerate(ids)
            if id not in (PAD, BOS, EOS)
        ]
        return " ".join("".join(tokens).replace(SPACE, " ").split())

    def _word_spans(self, text: str) -> list[tuple[int, int]]:
        """Where the words of generated `text` lie; each begins with the space before it, if there is one."""
        cut = pre_tokenizers.Split(WORD, "isolated").pre_tokenize_str(text.replace(" ", SPACE))
        return [span for _, span in cut]
