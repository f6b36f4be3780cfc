"""`import-tutorial`: weights of the tutorial's modules become a checkpoint like ours, or one line says why not."""

from __future__ import annotations

import io
import json
import sys
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import nn

from seq2seq import cli
from seq2seq.model import Seq2Seq
from seq2seq.results import data_name
from seq2seq.translator import Translator
from seq2seq.tutorial import NEVER, TutorialError, import_tutorial
from tests.test_classic import KINDS, random_states

SOURCE = ("SOS", "EOS", "the", "cat", "l'homme", "sees", ".", "naïve", "東京")
TARGET = ("SOS", "EOS", "le", "chat", "l'homme", "voit", ".", "été", "œuvre", "aujourd'hui", "«")
H, N = 4, 6
FILES = {"config.json", "model.safetensors", "tokenizer.json", "metrics.json", "README.md"}


@dataclass
class Export:
    """What a person who trained the tutorial brings. A test changes one thing of it.

    Objects are written by torch.save, bytes as they are; what is None is not written.
    """

    encoder: Any
    decoder: Any
    source: Any = "".join(f"{word}\n" for word in SOURCE).encode()
    target: Any = "".join(f"{word}\n" for word in TARGET).encode()
    max_length: int = N
    names: tuple[str, ...] = field(default=("encoder.pt", "decoder.pt", "source.txt", "target.txt"))

    def written(self, folder: Path) -> list[Path]:
        paths = [folder / name for name in self.names]
        for path, what in zip(paths, (self.encoder, self.decoder, self.source, self.target)):
            if isinstance(what, bytes):
                path.write_bytes(what)
            elif what is not None:
                torch.save(what, path)
        return paths

    def arguments(self, folder: Path, out: str | Path) -> list[str]:
        encoder, decoder, source, target = self.written(folder)
        lists = ["--source-words", source, "--target-words", target, "--max-length", self.max_length]
        return [str(one) for one in ("import-tutorial", encoder, decoder, *lists, "--out", out)]


def export(kind: str = "classic-attention", seed: int = 2) -> Export:
    return Export(*random_states(kind, seed, len(SOURCE), len(TARGET), H, N))


@pytest.fixture
def call(capsys, monkeypatch):
    """Runs a command in this process -> exit code, standard output, standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
        capsys.readouterr()
        code = cli.main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


def files(folder: Path) -> dict[str, bytes | None]:
    """All that is in a folder, with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


# -- what is made --------------------------------------------------------------------------------------------------


@KINDS
def test_the_command_makes_a_whole_checkpoint(call, tmp_path: Path, kind: str):
    out = tmp_path / "deep" / "down" / "mine"
    arguments = export(kind).arguments(tmp_path, out)
    code, printed, err = call(*arguments)
    assert (code, err) == (0, "")
    words = f"{len(SOURCE) - 2} source words, {len(TARGET) - 2} target words"
    assert printed == f"{out}: {kind}, {words}, hidden size {H}, max length {N}\n"
    assert {path.name for path in out.iterdir()} == FILES and list(out.parent.iterdir()) == [out]
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    assert config.pop("sha256").keys() == FILES - {"README.md"}
    assert config == {
        "kind": kind,
        "vocab_size": len(TARGET) + 2,
        "source_vocab_size": len(SOURCE) + 2,
        "embedding_size": H,
        "hidden_size": H,
        "attention_size": config["attention_size"],
        "dropout": 0.1,
        "word_dropout": 0.0,
        "query_prev": False,
        "max_length": N,
        "encoder": "words",
        "target_pieces": 0,
        "source_language": "en",
        "target_language": "fr",
    }
    record = json.loads((out / "metrics.json").read_text(encoding="utf-8"))["import"]
    assert record["command"].startswith("python -m seq2seq import-tutorial ")
    assert (record["encoder"], record["decoder"]) == ("encoder.pt", "decoder.pt")
    assert record["parameters"] == Seq2Seq.from_pretrained(out).parameter_count()


def test_the_languages_are_those_that_the_caller_names(call, tmp_path: Path):
    arguments = export().arguments(tmp_path, tmp_path / "mine")
    code, _, err = call(*arguments, "--source-language", "fr", "--target-language", "two words")
    assert code == 2 and "target_language is 'two words'" in err and not (tmp_path / "mine").exists()
    assert call(*arguments, "--source-language", "fr", "--target-language", "en")[0] == 0
    config = Seq2Seq.from_pretrained(tmp_path / "mine").config
    assert (config.source_language, config.target_language) == ("fr", "en")


@KINDS
def test_no_bit_is_lost_and_ids_move_by_two(tmp_path: Path, kind: str):
    given = export(kind)
    model = import_tutorial(*given.written(tmp_path), N, tmp_path / "made")
    assert not model.training
    stored = load_file(tmp_path / "made" / "model.safetensors")
    assert len(stored) == len(given.encoder) + len(given.decoder)
    for part, state in (("encoder", given.encoder), ("decoder", given.decoder)):
        for key, tensor in state.items():
            found = stored[f"{part}.{key}"]
            assert found.dtype == torch.float32
            if key in ("embedding.weight", "out.weight", "out.bias"):
                assert (found[:2] == (NEVER if key == "out.bias" else 0)).all()
                found = found[2:]
            assert torch.equal(found, tensor), key
    translator = Translator.from_checkpoint(tmp_path / "made", "cpu")
    for tokenizer, words in ((translator.tokenizer, SOURCE), (translator.target_tokenizer, TARGET)):
        assert tokenizer.encode(" ".join(words[2:])).ids == (*range(4, len(words) + 2), 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(tmp_path: Path, dtype: torch.dtype):
    given = export()
    given.encoder, given.decoder = (
        {key: tensor.to(dtype) for key, tensor in state.items()} for state in (given.encoder, given.decoder)
    )
    model = import_tutorial(*given.written(tmp_path), N, tmp_path / "made")
    assert torch.equal(model.decoder.attn.weight, given.decoder["attn.weight"].float())


def test_what_torch_saves_of_real_modules_is_understood(tmp_path: Path):
    """An OrderedDict with metadata, parameters that still want gradients, and the old file format."""

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.gru = nn.Embedding(len(SOURCE), H), nn.GRU(H, H)

    given, module = export("classic-plain"), Encoder()
    given.encoder = module.state_dict(keep_vars=True)
    assert isinstance(given.encoder, OrderedDict) and given.encoder["gru.weight_hh_l0"].requires_grad
    paths = given.written(tmp_path)
    torch.save(given.decoder, paths[1], _use_new_zipfile_serialization=False)
    model = import_tutorial(*paths, N, tmp_path / "made")
    assert torch.equal(model.encoder.gru.weight_hh_l0, module.gru.weight_hh_l0)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.removesuffix("\n"),
        lambda text: unicodedata.normalize("NFD", text),
        lambda text: text.replace("SOS", "<s>").replace("EOS", "le"),  # names of start and end are only names
    ],
    ids=["CRLF", "BOM", "no newline at the end", "decomposed", "an end like a word"],
)
def test_word_lists_may_be_written_in_many_ways(tmp_path: Path, change: Callable[[str], str]):
    given = export()
    given.source, given.target = (change(text.decode()).encode() for text in (given.source, given.target))
    import_tutorial(*given.written(tmp_path), N, tmp_path / "made")
    made = Translator.from_checkpoint(tmp_path / "made", "cpu").translate("naïve 東京 l'homme .", target="été le «")
    assert not made.unknown_words and made.target_words == ("été", "le", "«", "<eos>")


def test_an_empty_folder_may_stand_at_out(tmp_path: Path):
    out = tmp_path / "made"
    out.mkdir()
    import_tutorial(*export().written(tmp_path), N, out)
    assert "config.json" in {path.name for path in out.iterdir()}


# -- what can be done with it --------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["classic-plain", "classic-attention"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    assert cli.main(export(request.param).arguments(folder, folder / request.param)) == 0
    return folder / request.param


def test_an_imported_checkpoint_translates(call, made: Path, tmp_path: Path):
    csv, html = tmp_path / "a.csv", tmp_path / "a.html"
    arguments = ("translate", "--checkpoint", made, "--json", "--csv", csv, "--html", html)
    code, out, err = call(*arguments, "l'homme sees the naïve dog")
    [one] = map(json.loads, out.splitlines())
    assert code == 0 and one["checkpoint"] == made.name
    assert one["source_words"] == ["l'homme", "sees", "the", "naïve", "dog", "<eos>"]
    assert set(one["target_words"]) <= {*TARGET[2:], "<eos>"}
    assert one["translation"] == " ".join(word for word in one["target_words"] if word != "<eos>")
    assert "warning: text 1: The model does not know dog; it reads an unknown piece there.\n" in err
    if made.name == "classic-attention":
        assert np.shape(one["attention"]) == (len(one["target_words"]), 6)
        np.testing.assert_allclose(np.sum(one["attention"], 1) + one["padding_weight"], 1, atol=1e-4)
        assert csv.read_text(encoding="utf-8").count("l'homme") > 1
    assert html.stat().st_size > 1000


def test_the_source_is_split_on_spaces_only_and_cut_at_max_length(made: Path):
    translator = Translator.from_checkpoint(made, "cpu")
    whole = translator.translate("  the cat   sees l'homme . ")
    assert whole.source_words == ("the", "cat", "sees", "l'homme", ".", "<eos>") and not whole.unknown_words
    assert translator.translate("the cat sees l'homme.").unknown_words == (3,)
    full = translator.translate("the cat sees the cat .")
    assert len(full.source_words) == N and full.source_words[-1] == "."
    assert not any("cut off" in warning for warning in full.warnings)
    longer = translator.translate("the cat sees the cat . l'homme sees")
    assert longer.source_words == full.source_words and longer.translation == full.translation
    assert any("2 words were cut off" in warning for warning in longer.warnings)


def test_words_that_mean_something_to_us_are_only_words(made: Path):
    text = "<pad> <unk> <bos> <eos> SOS EOS"
    assert Translator.from_checkpoint(made, "cpu").translate(text).unknown_words == tuple(range(N))


def test_an_imported_checkpoint_searches_scores_and_evaluates(call, made: Path, tmp_path: Path):
    text, target = "the cat sees l'homme .", "le chat voit l'homme ."
    code, out, _ = call("translate", "--checkpoint", made, "--beam", "3", "--n-best", "3", text)
    assert code == 0 and len(out.splitlines()) == 3 and "⁇" not in out
    code, out, _ = call("translate", "--checkpoint", made, "--target", target, text)
    assert code == 0 and out.endswith(f"\t{target}\n")
    path = tmp_path / "multi30k.test.tsv"
    path.write_text(f"{text}\t{target}\nthe cat .\tle chat .\n", encoding="utf-8")
    code, out, _ = call("evaluate", "--checkpoint", made, "--data", path, "--json")
    assert code == 0 and json.loads(out)["sentences"] == 2


def test_the_card_claims_nothing_that_nobody_knows(call, made: Path, tmp_path: Path):
    path = tmp_path / "multi30k.test.tsv"
    path.write_text("the cat .\tle chat .\n", encoding="utf-8")
    for _ in range(2):  # before and after it was scored on data that have terms
        card = (made / "README.md").read_text(encoding="utf-8")
        front = yaml.safe_load(card.split("---")[1])
        assert not {"language", "license", "datasets"} & front.keys()
        for claim in ("English", "French", "BPE", "float16", "pictures", "Data and its terms", "commercial"):
            assert claim not in card
        assert f"# {made.name}\n" in card and "import-tutorial" in card and "float32" in card
        assert call("evaluate", "--checkpoint", made, "--data", path, "--save")[0] == 0
    assert "| multi30k.test | 1 |" in (made / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["training", "import"])
def test_a_score_never_takes_the_place_of_a_record(name: str):
    assert data_name(f"{name}.tsv") == f"{name}.data" and data_name(f"{name}.tsv", 5) == f"{name}.data.beam5"


# -- what is refused -----------------------------------------------------------------------------------------------


class Pickled(nn.Module):
    """The tutorial's module itself, as `torch.save(encoder, file)` writes it."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(3, H)


class Bomb:
    """What a file can do that is opened without care."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('code in the file was run')",))


def bytes_of(what: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(what, buffer)
    return buffer.getvalue()


def set_to(name: str, value: Any) -> Callable[[Export], None]:
    return lambda given: setattr(given, name, value)


def put(part: str, key: Any, value: Any) -> Callable[[Export], None]:
    return lambda given: getattr(given, part).__setitem__(key, value)


def drop(part: str, *keys: str) -> Callable[[Export], None]:
    return lambda given: [getattr(given, part).pop(key) for key in keys]


def line(part: str, number: int, word: bytes) -> Callable[[Export], None]:
    """Another word in a line; lines count from 1."""

    def change(given: Export) -> None:
        lines = getattr(given, part).split(b"\n")
        lines[number - 1] = word
        setattr(given, part, b"\n".join(lines))

    return change


def swap(given: Export) -> None:
    given.encoder, given.decoder = given.decoder, given.encoder


def bahdanau(given: Export) -> None:
    for key in list(given.decoder):
        if key.startswith("attn"):
            given.decoder.pop(key)
    for layer in ("Wa", "Ua", "Va"):
        given.decoder[f"attention.{layer}.weight"] = torch.zeros(1 if layer == "Va" else H, H)
        given.decoder[f"attention.{layer}.bias"] = torch.zeros(1 if layer == "Va" else H)
    given.decoder["gru.weight_ih_l0"] = torch.zeros(3 * H, 2 * H)


def other_hidden_size(given: Export) -> None:
    given.decoder = random_states("classic-attention", 1, 9, len(TARGET), 7, N)[1]


def whole_trainer(given: Export) -> None:
    given.encoder = {"epoch": 3, "model": given.encoder}


def a_folder(given: Export) -> None:
    given.encoder, given.names = None, (".", *given.names[1:])


Vs, Vt = len(SOURCE), len(TARGET)
REFUSED: dict[str, tuple[Callable[[Export], Any], tuple[str, ...]]] = {
    # files
    "a missing encoder": (set_to("encoder", None), ("encoder.pt cannot be read: No such file", "model.state_dict()")),
    "a missing word list": (set_to("target", None), ("target.txt cannot be read: No such file", "one word a line")),
    "a folder": (a_folder, ("error: . cannot be read",)),
    "a pickled module": (set_to("encoder", Pickled()), ("encoder.pt", "save model.state_dict()")),
    "a file that runs code": (set_to("decoder", Bomb()), ("decoder.pt", "save model.state_dict()")),
    "a text file": (set_to("encoder", b"hello\n"), ("encoder.pt", "not a state_dict")),
    "an empty file": (set_to("encoder", b""), ("encoder.pt", "not a state_dict")),
    "half a file": (set_to("encoder", bytes_of({"a": torch.ones(99)})[:300]), ("encoder.pt", "damaged")),
    "a tensor": (set_to("decoder", torch.ones(3)), ("decoder.pt", "Tensor", "state_dict")),
    "a list": (set_to("decoder", [torch.ones(3)]), ("decoder.pt", "list", "state_dict")),
    "more than a state_dict": (whole_trainer, ("encoder.pt: epoch is int", "state_dict() alone")),
    "whole numbers": (put("encoder", "gru.bias_ih_l0", torch.ones(3 * H).long()), ("gru.bias_ih_l0", "int64")),
    "a sparse tensor": (put("encoder", "gru.bias_ih_l0", torch.ones(3 * H).to_sparse()), ("gru.bias_ih_l0", "sparse")),
    "a tensor without data": (put("encoder", "gru.bias_ih_l0", torch.ones(12, device="meta")), ("bias_ih_l0", "meta")),
    # keys
    "the newer decoder": (
        bahdanau,
        ("decoder.pt has attention.Wa.weight", "only DecoderRNN and the AttnDecoderRNN", "Bahdanau"),
    ),
    "files in the wrong order": (swap, ("encoder.pt", "out.weight", "EncoderRNN first")),
    "an encoder twice": (
        lambda given: setattr(given, "decoder", given.encoder),
        ("decoder.pt", f"out.weight ({Vs}, {H})", f"out.bias ({Vs},)", "EncoderRNN first"),
    ),
    "a second layer": (put("encoder", "gru.weight_ih_l1", torch.ones(12, 4)), ("encoder.pt", "gru.weight_ih_l1")),
    "many unknown keys": (
        lambda given: given.decoder.update({f"x{i}": torch.ones(1) for i in range(9)}),
        ("decoder.pt", "AttnDecoderRNN", "x0, x1, x2 and 6 more"),
    ),
    "a key that is no text": (put("encoder", 7, torch.ones(1)), ("encoder.pt", "has not: 7;")),
    "an empty state_dict": (set_to("encoder", {}), ("encoder.pt holds nothing",)),
    "a missing key": (drop("encoder", "gru.bias_hh_l0"), ("encoder.pt", f"gru.bias_hh_l0 ({3 * H},)")),
    "half an attention": (
        drop("decoder", "attn.weight"),
        ("decoder.pt", "AttnDecoderRNN", f"attn.weight ({N}, {2 * H})"),
    ),
    # shapes
    "a short gate": (
        put("encoder", "gru.weight_ih_l0", torch.ones(2 * H, H)),
        ("encoder.pt: gru.weight_ih_l0", f"({2 * H}, {H})", f"({3 * H}, {H})"),
    ),
    "a wide embedding": (
        put("decoder", "embedding.weight", torch.ones(Vt, H + 1)),
        ("decoder.pt: embedding.weight", f"({Vt}, {H + 1})", f"({Vt}, {H})"),
    ),
    "an output of another size": (
        put("decoder", "out.weight", torch.ones(Vt + 3, H)),
        ("decoder.pt: out.weight", f"({Vt + 3}, {H})", f"({Vt}, {H})"),
    ),
    "a matrix for a bias": (
        put("decoder", "out.bias", torch.ones(Vt, 1)),
        ("decoder.pt: out.bias", f"({Vt}, 1)", f"({Vt},)"),
    ),
    "a number for a matrix": (
        put("decoder", "attn.weight", torch.tensor(1.0)),
        ("attn.weight", "()", f"({N}, {2 * H})"),
    ),
    "places that do not agree": (
        put("decoder", "attn.bias", torch.ones(N + 1)),
        ("decoder.pt: attn.bias", f"({N + 1},)", f"({N},)"),
    ),
    "rows that do not agree": (
        put("decoder", "attn.weight", torch.ones(N + 1, 2 * H)),
        ("decoder.pt: attn.weight", f"({N + 1}, {2 * H})", f"({N}, {2 * H})"),
    ),
    "two hidden sizes": (other_hidden_size, ("gru.weight_hh_l0", f"({3 * H}, {H})", "(21, 7)", "trained together")),
    "another max_length": (set_to("max_length", N + 1), (f"attn.weight has the shape ({N}, {2 * H})", f"give {N}")),
    "no max_length": (set_to("max_length", 0), ("max_length is 0", "at least 1")),
    # numbers
    "not a number": (
        lambda given: given.decoder["out.bias"].__setitem__(3, float("nan")),
        ("decoder.pt: out.bias", "not finite"),
    ),
    "too large for float32": (
        put("encoder", "gru.bias_ih_l0", torch.full((3 * H,), 1e300, dtype=torch.float64)),
        ("encoder.pt: gru.bias_ih_l0", "not finite"),
    ),
    # words
    "a word too few": (
        set_to("source", "\n".join(SOURCE[:-1]).encode()),
        ("source.txt has 8 lines", f"({Vs}, {H})", "encoder.pt"),
    ),
    "a list without start and end": (
        set_to("source", "\n".join(SOURCE[2:]).encode()),
        ("source.txt has 7 lines", f"({Vs}, {H})", "encoder.pt", "the start first"),
    ),
    "a word too many": (
        lambda given: setattr(given, "target", given.target + b"encore\n"),
        ("target.txt has 12 lines", f"({Vt}, {H})", "decoder.pt"),
    ),
    "an empty list": (set_to("source", b""), ("source.txt has 0 lines",)),
    "the lists in the wrong order": (
        lambda given: (set_to("source", given.target)(given), set_to("target", given.source)(given)),
        ("source.txt has 11 lines", f"({Vs}, {H})"),
    ),
    "a word twice": (line("source", 6, b"the"), ("source.txt, line 6", "'the'", "line 3")),
    "a blank word": (line("target", 5, b""), ("target.txt, line 5", "blank")),
    "a word of spaces": (line("target", 5, b" \t"), ("target.txt, line 5", "blank")),
    "two words": (line("target", 5, b"le chat"), ("target.txt, line 5", "'le chat'", "spaces")),
    "a space behind a word": (line("target", 5, b"chien "), ("target.txt, line 5", "'chien '")),
    "a hard space": (line("target", 5, "a\u00a0b".encode()), ("target.txt, line 5", "spaces")),
    "our sign for a space": (line("target", 5, "▁chien".encode()), ("target.txt, line 5", "▁")),
    "a control character": (line("source", 4, b"c\x00t"), ("source.txt, line 4", "control")),
    "another encoding": (line("source", 8, "naïve".encode("latin-1")), ("source.txt, line 8", "UTF-8")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_imported_is_named_in_one_line_and_nothing_is_written(call, tmp_path: Path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    change, parts = REFUSED[case]
    given = export()
    change(given)
    arguments = given.arguments(Path(), "made")
    before = files(tmp_path)
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and "weights_only" not in err and not err.endswith("…\n")
    for part in parts:
        assert part in err
    assert files(tmp_path) == before


@pytest.mark.parametrize("flag", ["--source-words", "--target-words", "--max-length", "--out"])
def test_every_flag_is_needed(call, tmp_path: Path, flag: str):
    arguments = export().arguments(tmp_path, tmp_path / "made")
    at = arguments.index(flag)
    code, out, err = call(*arguments[:at], *arguments[at + 2 :])
    assert (code, out) == (2, "") and flag in err and err.count("\n") == 1


def test_what_stands_at_out_is_left_as_it_is(call, tmp_path: Path):
    given, out = export(), tmp_path / "made"
    assert call(*given.arguments(tmp_path, out))[0] == 0
    before = files(tmp_path)
    code, printed, err = call(*export(seed=3).arguments(tmp_path, out))
    assert (code, printed) == (2, "") and f"{out} is there already" in err
    assert files(out) == {name.removeprefix("made/"): content for name, content in before.items() if "made/" in name}
    (tmp_path / "file").write_bytes(b"mine")
    assert call(*given.arguments(tmp_path, tmp_path / "file"))[0] == 2
    assert (tmp_path / "file").read_bytes() == b"mine"
    code, _, err = call(*given.arguments(tmp_path, tmp_path / "file" / "made"))
    assert code == 2 and "cannot write" in err and err.count("\n") == 1


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path):
    def fail(folder: Path, model: Seq2Seq) -> None:
        assert {path.name for path in folder.iterdir()} == FILES - {"metrics.json", "README.md"}
        assert not out.exists(), "it has its name only when it is whole"
        raise OSError(28, "No space left on device")

    out, paths = tmp_path / "made", export().written(tmp_path)
    before = files(tmp_path)
    with pytest.raises(TutorialError, match="No space left"):
        import_tutorial(*paths, N, out, fail)
    assert files(tmp_path) == before
