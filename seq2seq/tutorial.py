"""A checkpoint out of weights that were trained with the PyTorch tutorial's own modules: the `state_dict`s of EncoderRNN and
of DecoderRNN or AttnDecoderRNN, and their word lists.

Everything is checked before anything is written. In the shapes below V is a language's words, N is max_length.
"""

from __future__ import annotations

import tempfile
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seq2seq.checkpoint import TOKENIZER_FILE, write_beside
from seq2seq.classic import CLASSIC_SIZES
from seq2seq.config import BOS, ModelConfig
from seq2seq.model import Seq2Seq
from seq2seq.sources import save_tokenizers
from seq2seq.tokenizer import SPACE, Tokenizer

Shapes = Mapping[str, tuple[str, ...]]
"""For each key of a `state_dict` its axes: a letter, after the number it is multiplied by."""
GRU: Shapes = {
    "gru.weight_ih_l0": ("3H", "H"),
    "gru.weight_hh_l0": ("3H", "H"),
    "gru.bias_ih_l0": ("3H",),
    "gru.bias_hh_l0": ("3H",),
}
ENCODER: Shapes = {"embedding.weight": ("V", "H"), **GRU}
PLAIN_DECODER: Shapes = {**ENCODER, "out.weight": ("V", "H"), "out.bias": ("V",)}
ATTENTION: Shapes = {
    "attn.weight": ("N", "2H"),
    "attn.bias": ("N",),
    "attn_combine.weight": ("H", "2H"),
    "attn_combine.bias": ("H",),
}
ATTENTION_DECODER: Shapes = {**PLAIN_DECODER, **ATTENTION}
NEVER = -1e4
"""The bias of pieces that the tutorial's decoder does not have. Beside it their probability is 0 in float32, so that all
others keep theirs; and float16 can hold it."""
ORDER = "give the state_dict of the unchanged EncoderRNN first, that of the decoder second"


class TutorialError(ValueError):
    """Something that cannot be imported. The message is one line that says what is wrong and how to mend it."""


def import_tutorial(
    encoder: str | Path,
    decoder: str | Path,
    source_words: str | Path,
    target_words: str | Path,
    max_length: int,
    out: str | Path,
    complete: Callable[[Path, Seq2Seq], None] = lambda folder, model: None,
    languages: tuple[str, str] = ("en", "fr"),
) -> Seq2Seq:
    """Writes a checkpoint to folder `out`, whole or not at all, and returns its model in evaluation mode.

    encoder, decoder: files of `torch.save(model.state_dict(), file)`. source_words, target_words: UTF-8, one word a line in
    the order of the ids, of which 0 is the start and 1 the end. max_length: places in the memory; longer sources are cut.
    complete: is called with the folder, before it gets its name, and the model, to put more into it.
    languages: codes of the source's and the target's.

    Raises TutorialError, also for an `out` that is there already.
    """
    out = Path(out)
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise TutorialError(f"{out} is there already; choose another folder for the checkpoint, or move that one away")
    model, source, target = read_tutorial(encoder, decoder, source_words, target_words, max_length, languages)
    whole = out.resolve()
    try:
        whole.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".import-", dir=whole.parent) as beside:
            folder = Path(beside) / whole.name
            folder.mkdir()
            write_beside(folder / TOKENIZER_FILE, save_tokenizers(source, target))
            model.save_pretrained(folder, dtype=torch.float32)
            complete(folder, model)
            if whole.exists():
                whole.rmdir()  # only an empty folder lets itself be removed
            folder.rename(whole)
    except OSError as error:
        raise TutorialError(f"cannot write {out}: {error.strerror or error}; choose another folder") from error
    return model


def read_tutorial(
    encoder: str | Path,
    decoder: str | Path,
    source_words: str | Path,
    target_words: str | Path,
    max_length: int,
    languages: tuple[str, str] = ("en", "fr"),
) -> tuple[Seq2Seq, Tokenizer, Tokenizer]:
    """The model in evaluation mode, and the tokenizers of source and target; arguments and errors as of `import_tutorial`.

    Our special pieces come first, so ids change: start 0 -> `<bos>`, end 1 -> `<eos>`, word i -> i + 2. `<pad>` and `<unk>`,
    which the tutorial has not, are zero vectors and are never written.
    """
    encoder, decoder = Path(encoder), Path(decoder)
    if max_length < 1:
        raise TutorialError(f"max_length is {max_length}; it must be at least 1, and is the tutorial's MAX_LENGTH")
    read, written = load_state(encoder), load_state(decoder)
    newer = [key for key in map(str, written) if key.startswith("attention.")]
    if newer:
        raise TutorialError(
            f"{decoder} has {some(newer)}, as Bahdanau's attention in the newer tutorial; "
            "only DecoderRNN and the AttnDecoderRNN with attn and attn_combine can be imported"
        )
    looks_back = not ATTENTION.keys().isdisjoint(written)
    read_shapes, written_shapes = ENCODER, ATTENTION_DECODER if looks_back else PLAIN_DECODER
    of_encoder = checked(read, read_shapes, max_length, encoder, "EncoderRNN")
    of_decoder = checked(written, written_shapes, max_length, decoder, "AttnDecoderRNN" if looks_back else "DecoderRNN")
    if of_encoder["H"] != of_decoder["H"]:
        raise TutorialError(
            f"{encoder}: gru.weight_hh_l0 has the shape {shape(read['gru.weight_hh_l0'])}, in {decoder} it has "
            f"{shape(written['gru.weight_hh_l0'])}; give an encoder and a decoder that were trained together"
        )
    if looks_back and of_decoder["N"] != max_length:
        raise TutorialError(
            f"max_length is {max_length}, but {decoder} was trained with {of_decoder['N']}: attn.weight has the shape "
            f"{shape(written['attn.weight'])}, not {(max_length, 2 * of_decoder['H'])}; give {of_decoder['N']}"
        )
    source, target = (
        Tokenizer.of_words(read_words(Path(words), state["embedding.weight"], file)[2:])
        for words, state, file in ((source_words, read, encoder), (target_words, written, decoder))
    )
    sizes: dict[str, Any] = CLASSIC_SIZES | {
        "vocab_size": len(target),
        "source_vocab_size": len(source),
        "max_length": max_length,
    }
    sizes |= {"embedding_size": of_encoder["H"], "hidden_size": of_encoder["H"]}
    sizes["kind"] = "classic-attention" if looks_back else "classic-plain"
    sizes |= {"source_language": languages[0], "target_language": languages[1]}
    model = Seq2Seq(ModelConfig(**sizes))
    weights = {f"encoder.{key}": tensor for key, tensor in with_specials(read, read_shapes).items()}
    weights |= {f"decoder.{key}": tensor for key, tensor in with_specials(written, written_shapes).items()}
    model.load_state_dict(weights)
    return model.eval(), source, target


def load_state(path: Path) -> dict[str, Tensor]:
    """The float32 tensors of a `state_dict` file. No code in it is run. Raises TutorialError for anything else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library's advice comes in pages, and is to trust the file
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = error.strerror or error
        raise TutorialError(
            f"{path} cannot be read: {reason}; give what torch.save(model.state_dict(), file) wrote"
        ) from error
    except Exception as error:  # many kinds: a pickled module, TorchScript, half a file, another kind of file
        raise TutorialError(
            f"{path} is not a state_dict, or is damaged; save model.state_dict() instead of the model, "
            "with torch.save(model.state_dict(), file)"
        ) from error
    if not isinstance(state, dict) or not state:
        what = "nothing" if isinstance(state, dict) else type(state).__name__
        raise TutorialError(f"{path} holds {what}, not a state_dict; save model.state_dict()")
    for key, tensor in state.items():
        if not isinstance(tensor, Tensor):
            raise TutorialError(f"{path}: {key} is {type(tensor).__name__}, no tensor; save model.state_dict() alone")
        if not tensor.is_floating_point() or tensor.layout != torch.strided or tensor.is_meta:
            raise TutorialError(
                f"{path}: {key} is no plain tensor of floating-point numbers ({tensor.dtype}, {tensor.layout}, "
                f"{tensor.device}); save model.state_dict() as it was trained"
            )
        state[key] = tensor.detach().float()
        if not state[key].isfinite().all():
            raise TutorialError(
                f"{path}: {key} holds numbers that are not finite in float32; use weights from before training failed"
            )
    return state


def checked(state: Mapping[str, Tensor], shapes: Shapes, max_length: int, path: Path, name: str) -> dict[str, int]:
    """The size of each letter in `shapes`, by which all tensors must be shaped. name: of the tutorial's class.

    What most tensors, and `max_length`, agree on is taken for right, so that it is the odd one out that is named.
    Raises TutorialError.
    """
    unknown = [str(key) for key in state if key not in shapes]
    if unknown:
        raise TutorialError(f"{path} has keys that the tutorial's {name} has not: {some(unknown)}; {ORDER}")
    votes: dict[str, Counter[int]] = {"N": Counter([max_length])}
    for key, axes in shapes.items():
        for axis, size in zip(axes, state[key].shape if key in state else ()):
            votes.setdefault(axis[-1], Counter())[size // int(axis[:-1] or 1)] += 1
    sizes = {letter: count.most_common(1)[0][0] for letter, count in votes.items()}
    expected = {
        key: tuple(int(axis[:-1] or 1) * sizes.get(axis[-1], 0) for axis in axes) for key, axes in shapes.items()
    }
    missing = [f"{key} {expected[key]}" for key in shapes if key not in state]
    if missing:
        raise TutorialError(f"{path} lacks keys that the tutorial's {name} has: {some(missing)}; {ORDER}")
    for key, wanted in expected.items():
        if shape(state[key]) != wanted:
            raise TutorialError(
                f"{path}: {key} has the shape {shape(state[key])}, but {wanted} fits the tutorial's {name} and "
                "the other tensors; save model.state_dict() of the unchanged class"
            )
    return sizes


def shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)


def some(names: Sequence[str]) -> str:
    """The first three, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def read_words(path: Path, embedding: Tensor, file: Path) -> list[str]:
    """The words of a list, start and end first; as many as `embedding` (V, H), which is from `file`, has rows.

    They are composed (NFC), as the texts are that a translator is given. Raises TutorialError.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TutorialError(f"{path} cannot be read: {error.strerror}; give a list with one word a line") from error
    lines = raw.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()
    words: list[str] = []
    first: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        try:
            word = unicodedata.normalize("NFC", line.removesuffix(b"\r").decode("utf-8"))
        except UnicodeDecodeError as error:
            raise TutorialError(f"{path}, line {number}: not UTF-8 ({error.reason}); save the file as UTF-8") from None
        if not word.strip():
            raise TutorialError(f"{path}, line {number}: blank; each line holds the word of one id")
        if word.split() != [word] or SPACE in word or any(unicodedata.category(c) == "Cc" for c in word):
            raise TutorialError(
                f"{path}, line {number}: {word!r} is not one word; it must be without spaces, {SPACE} and control characters"
            )
        # Start and end are no words: a word may be spelled like them.
        if number > 2 and first.setdefault(word, number) != number:
            raise TutorialError(
                f"{path}, line {number}: {word!r} stands in line {first[word]} already; each word has one id"
            )
        words.append(word)
    if len(words) != len(embedding) or len(words) < 2:
        raise TutorialError(
            f"{path} has {len(words)} lines, but embedding.weight in {file} has the shape {shape(embedding)}; "
            f"give one word a line, the start first and the end second, {max(2, len(embedding))} in all"
        )
    return words


def with_specials(state: Mapping[str, Tensor], shapes: Shapes) -> dict[str, Tensor]:
    """The tensors with two rows more, for `<pad>` and `<unk>`, before those (V, …) that have one a word.

    `<bos>` and `<eos>` come next in our order, as start and end are the first in the tutorial's.
    """
    made = dict(state)
    for key, axes in shapes.items():
        if axes[0] == "V":
            rows = torch.full((BOS, *state[key].shape[1:]), NEVER if axes == ("V",) else 0.0)  # ids below `<bos>`
            made[key] = torch.cat([rows, state[key]])
    return made
