"""Several models as one, and their translations as training pairs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from seq2seq.cli import main
from seq2seq.data import Pair, read_pairs
from seq2seq.ensemble import AT_ONCE, distilled, ensemble
from seq2seq.model import CheckpointError, Seq2Seq
from seq2seq.results import read_metrics, write_metrics
from seq2seq.translator import Translator

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
TEXTS = ["A man is riding a bike.", "Two dogs run.", "The old woman reads a book in the garden."]
ADDITIVE, MULTIPLICATIVE = (CHECKPOINTS / f"en-fr-{kind}" for kind in ("additive", "multiplicative"))


@pytest.fixture(scope="module")
def both() -> Translator:
    return ensemble([ADDITIVE, MULTIPLICATIVE], "cpu")


@pytest.mark.parametrize("beam_size", [1, 3])
def test_of_one_is_that_one(beam_size: int) -> None:
    alone = Translator.from_checkpoint(ADDITIVE, "cpu")
    assert ensemble([ADDITIVE], "cpu").texts(TEXTS, beam_size=beam_size) == alone.texts(TEXTS, beam_size=beam_size)


@torch.inference_mode()
def test_a_step_is_the_mean_of_the_probabilities(both: Translator) -> None:
    source = both.read(TEXTS[:1])
    state, _ = both._encode(source)
    prev = torch.tensor([2])
    mean = both.model.decoder.step(prev, state).logits.exp()
    alone = []
    for folder in (ADDITIVE, MULTIPLICATIVE):
        translator = Translator.from_checkpoint(folder, "cpu")
        own, _ = translator._encode(source)
        alone.append(torch.softmax(translator.model.decoder.step(prev, own).logits, dim=-1))
    assert torch.allclose(mean, (alone[0] + alone[1]) / 2, atol=1e-6)
    assert float(mean.sum()) == pytest.approx(1, abs=1e-5)


def test_what_does_not_share_its_pieces_is_refused(tmp_path) -> None:
    other = tmp_path / "other"
    shutil.copytree(ADDITIVE, other)
    text = (other / "tokenizer.json").read_text(encoding="utf-8")
    (other / "tokenizer.json").write_text(text + "\n", encoding="utf-8")
    assert main(["seal", str(other)]) == 0
    with pytest.raises(CheckpointError, match="other pieces"):
        ensemble([ADDITIVE, other], "cpu")


def test_a_classic_model_is_refused() -> None:
    with pytest.raises(CheckpointError, match="classic"):
        ensemble([CHECKPOINTS / "en-fr-classic-plain"], "cpu")


def test_distilled_pairs_keep_order_and_choose_what_is_most_like_the_reference(both: Translator, monkeypatch) -> None:
    monkeypatch.setattr("seq2seq.ensemble.AT_ONCE", 2)
    found = both.search(both.read(TEXTS), 5, n_best=5)
    texts = [[both.target_tokenizer.text(h.ids) for h in hypotheses] for hypotheses in found]
    # The last of the beam as reference: then it is what must be chosen, though the model likes it least.
    pairs = [Pair(text, (others[-1],)) for text, others in zip(TEXTS, texts)]
    parts = list(distilled(both, pairs, 5))
    assert [len(part) for part in parts] == [2, 1] and AT_ONCE > 2
    assert [pair for part in parts for pair in part] == pairs


def test_the_command_writes_pairs_that_train_reads(tmp_path, capsys) -> None:
    data, out = tmp_path / "pairs.tsv", tmp_path / "distilled.tsv"
    data.write_text("".join(f"{text}\tRien de tout cela.\n" for text in TEXTS), encoding="utf-8")
    typed = ["distill", "--checkpoint", str(ADDITIVE), "--checkpoint", str(MULTIPLICATIVE), "--data", str(data)]
    assert main([*typed, "--out", str(out), "--beam", "2", "--device", "cpu"]) == 0
    assert [pair.source for pair in read_pairs(out)] == TEXTS
    assert f"wrote {out}" in capsys.readouterr().err


def test_translated_back_the_columns_stay_where_they_are(tmp_path) -> None:
    data, out = tmp_path / "pairs.tsv", tmp_path / "back.tsv"
    french = ["Un chien dort.", "Deux femmes lisent un livre."]
    data.write_text("".join(f"Nothing of that.\t{text}\n" for text in french), encoding="utf-8")
    teacher = CHECKPOINTS / "fr-en-additive"
    typed = ["distill", "--reverse", "--checkpoint", str(teacher), "--data", str(data), "--out", str(out)]
    assert main([*typed, "--beam", "1", "--device", "cpu"]) == 0
    english = Translator.from_checkpoint(teacher, "cpu").texts(french)
    assert read_pairs(out) == [Pair(made, (text,)) for made, text in zip(english, french)]


@pytest.mark.parametrize(
    ("out", "says"), [("pairs.tsv", "would replace"), ("new.txt", "ends in .tsv"), ("no/new.tsv", "there is no folder")]
)
def test_a_wrong_call_is_one_line(tmp_path, capsys, out: str, says: str) -> None:
    data = tmp_path / "pairs.tsv"
    data.write_text("A dog.\tUn chien.\n", encoding="utf-8")
    assert main(["distill", "--checkpoint", str(ADDITIVE), "--data", str(data), "--out", str(tmp_path / out)]) == 2
    said = capsys.readouterr().err
    assert says in said and said.count("\n") == 1
    assert data.read_text(encoding="utf-8") == "A dog.\tUn chien.\n"


def test_the_mean_of_two_lies_between_them_and_says_so(tmp_path, capsys) -> None:
    plain = CHECKPOINTS / "en-fr-plain"
    moved = Seq2Seq.from_pretrained(plain)
    with torch.no_grad():
        for parameter in moved.parameters():
            parameter.add_(0.5)
    after, out = tmp_path / "after", tmp_path / "mean"
    moved.save_pretrained(after, dtype=torch.float32)
    (after / "tokenizer.json").write_bytes((plain / "tokenizer.json").read_bytes())
    write_metrics(after, read_metrics(plain))
    assert main(["average", str(plain), str(after), "--share", "0.25", "--out", str(out)]) == 0
    before, made = Seq2Seq.from_pretrained(plain).state_dict(), Seq2Seq.from_pretrained(out).state_dict()
    for name, tensor in made.items():
        torch.testing.assert_close(tensor, before[name] + 0.125, atol=2e-3, rtol=1e-3)  # stored in float16
    known = read_metrics(out)
    assert list(known) == ["training"] and "--share 0.25" in known["training"]["averaged"], (
        "its scores are its own to make"
    )
    assert known["training"]["averaged"] in (out / "README.md").read_text(encoding="utf-8")
    assert Translator.from_checkpoint(out, "cpu").translate(TEXTS[0]).translation
    assert main(["average", str(plain), str(after), "--out", str(out)]) == 2
    assert main(["average", str(plain), str(ADDITIVE), "--out", str(tmp_path / "none")]) == 2
    said = capsys.readouterr().err
    assert "is there already" in said and "other settings" in said and not (tmp_path / "none").exists()
