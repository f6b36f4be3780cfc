"""A checkpoint whose files are damaged, foreign, newer or not numbers is refused in one line; nothing is silently accepted."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save, save_file

from seq2seq.checkpoint import (
    CONFIG_FILE,
    METRICS_FILE,
    SEAL,
    SEALED,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    CheckpointError,
    read_config,
    read_sealed,
    seal,
    unsealed,
    write_beside,
)
from seq2seq.cli import main
from seq2seq.results import read_metrics, write_metrics
from seq2seq.translator import Translator
from tests.conftest import UNSEEN, tiny_model
from tests.disk import DISKS

ROOT = Path(__file__).parents[1]
FILES = (CONFIG_FILE, *SEALED)


@pytest.fixture
def folder(tmp_path: Path, tokenizer) -> Path:
    """A sealed checkpoint of all files."""
    folder = tmp_path / "tiny"
    tiny_model("additive", len(tokenizer)).save_pretrained(folder)
    (folder / TOKENIZER_FILE).write_text(tokenizer.to_json(), encoding="utf-8")
    write_metrics(folder, {"training": {"command": "train", "steps": 8000, "tokens": 11939332, "seconds": 4076.8,
                           "device": "cpu", "torch": "2", "seed": 1, "best_step": 8000, "best_valid_bleu": 24.5}})  # fmt: skip
    return folder


def unseal(folder: Path) -> None:
    """Makes it a checkpoint as older versions wrote it."""
    settings = json.loads((folder / CONFIG_FILE).read_text())
    del settings[SEAL]
    (folder / CONFIG_FILE).write_text(json.dumps(settings))


def use(folder: Path) -> None:
    """Reads all that a checkpoint has."""
    read_metrics(folder)
    Translator.from_checkpoint(folder, "cpu")


def refusal(folder: Path) -> str:
    with pytest.raises(ValueError) as caught:
        use(folder)
    message = str(caught.value)
    assert str(folder) in message and len(message.replace(str(folder), "").splitlines()) == 1, message
    return message


# -- bit flips -----------------------------------------------------------------------------------------------------

FLIPS = 100


def flipped(raw: bytes, bit: int) -> bytes:
    return raw[: bit // 8] + bytes([raw[bit // 8] ^ 1 << bit % 8]) + raw[bit // 8 + 1 :]


@pytest.mark.parametrize("part", ["length", "header", "tensors", TOKENIZER_FILE, METRICS_FILE, CONFIG_FILE])
def test_no_flipped_bit_is_accepted(folder, part):
    """At random places of every file, with a fixed seed; each bit of the header's length."""
    path = folder / (part if part in FILES else WEIGHTS_FILE)
    raw = path.read_bytes()
    header = 8 + int.from_bytes((folder / WEIGHTS_FILE).read_bytes()[:8], "little")
    first, last = {"length": (0, 8), "header": (8, header), "tensors": (header, len(raw))}.get(part, (0, len(raw)))
    count = min(FLIPS, 8 * (last - first))
    for bit in random.Random(part).sample(range(8 * first, 8 * last), count):
        path.write_bytes(flipped(raw, bit))
        assert "checksum" in refusal(folder) or path.name == CONFIG_FILE
    path.write_bytes(raw)
    use(folder)


def test_no_bit_of_a_config_may_be_flipped(folder):
    """Every single one: it is what the other files are checked against."""
    path = folder / CONFIG_FILE
    raw = path.read_bytes()
    accepted = []
    for bit in range(8 * len(raw)):
        path.write_bytes(flipped(raw, bit))
        try:
            read_config(path)
            accepted.append(bit)
        except CheckpointError as error:
            assert "\n" not in str(error)
    assert accepted == []


# -- foreign files -------------------------------------------------------------------------------------------------


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("model.safetensors", "no")
    return made.getvalue()


def loop(path: Path) -> None:
    path.symlink_to(path.name)


CONTENTS: dict[str, bytes] = {
    "nothing": b"",
    "html": b"<!DOCTYPE html>\n<html><body>404: not found</body></html>\n",
    "safetensors of another project": save({"bert.pooler.dense.weight": torch.ones(3, 4)}),
    "zip": zipped(),
    "pickle": b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00\x8c\x08builtins\x94.",
    "deep json": b"[" * 100_000,
    "a giant number": b'{"kind": "additive", "vocab_size": 1' + b"0" * 5000 + b"}",
    "not utf-8": b"\xff\xfe{\x00}\x00",
    "another json": b'{"model_type": "bert", "hidden_size": 768, "vocab_size": 30522}',
    "lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9281832\n",
}
SPOILERS: dict[str, Callable[[Path, bytes], object]] = {
    **{name: lambda path, raw, content=content: path.write_bytes(content) for name, content in CONTENTS.items()},
    "half of it": lambda path, raw: path.write_bytes(raw[: len(raw) // 2]),
    "all but a byte": lambda path, raw: path.write_bytes(raw[:-2]),
    "more than it": lambda path, raw: path.write_bytes(raw + b"\0"),
    "missing": lambda path, raw: None,
    "a folder": lambda path, raw: path.mkdir(),
    "a symlink loop": lambda path, raw: loop(path),
    "a pipe": lambda path, raw: os.mkfifo(path),
}


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "without a seal"])
@pytest.mark.parametrize("spoiler", SPOILERS)
@pytest.mark.parametrize("name", FILES)
def test_what_is_no_such_file_is_refused_in_one_line(folder, name, spoiler, sealed):
    if not sealed:
        unseal(folder)
    path = folder / name
    raw = path.read_bytes()
    path.unlink()
    SPOILERS[spoiler](path, raw)
    if name == METRICS_FILE and not path.is_file():
        use(folder)  # nothing is known of it, and nothing else is said
        assert read_metrics(folder) == {}
    elif name == METRICS_FILE and spoiler == "another json" and not sealed:
        assert read_metrics(folder)["model_type"] == "bert"  # an old one says what it says
    else:
        assert name in refusal(folder)


def header_twice(raw: bytes) -> bytes:
    """The first tensor named twice, at the same place."""
    size = int.from_bytes(raw[:8], "little")
    header = raw[8 : 8 + size].strip()
    name, entry = next((k, v) for k, v in json.loads(header).items() if k != "__metadata__")
    doubled = header[:-1] + f",{json.dumps(name)}:{json.dumps(entry)}}}".encode()
    doubled += b" " * (-len(doubled) % 8)
    return len(doubled).to_bytes(8, "little") + doubled + raw[8 + size :]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: {**w, "encoder.more": torch.ones(2)}, "does not fit .*encoder.more"),
        (lambda w: {k: v for k, v in w.items() if k != "decoder.bias"}, "does not fit .*decoder.bias"),
        (lambda w: w | {"decoder.bias": w["decoder.bias"][:-1].clone()}, "does not fit .*decoder.bias"),
        (lambda w: w | {"decoder.bias": w["decoder.bias"].to(torch.int8)}, "decoder.bias as torch.int8"),
        (lambda w: w | {"decoder.bias": w["decoder.bias"].to(torch.complex64)}, "decoder.bias as torch.complex64"),
        (lambda w: w | {"decoder.bias": w["decoder.bias"] > 0}, "decoder.bias as torch.bool"),
        (lambda w: w | {"decoder.bias": w["decoder.bias"] * float("nan")}, "NaN or infinity in decoder.bias"),
        (lambda w: w | {"decoder.bias": w["decoder.bias"] / 0}, "NaN or infinity in decoder.bias"),
    ],
)  # fmt: skip
def test_weights_of_the_wrong_sort_are_refused_even_under_a_seal(folder, change, says):
    weights = load_file(folder / WEIGHTS_FILE)
    save_file(change(weights), folder / WEIGHTS_FILE)
    seal(folder)
    with pytest.raises(CheckpointError, match=says):
        use(folder)


def test_a_tensor_that_is_named_twice_changes_nothing_or_is_refused(folder):
    path = folder / WEIGHTS_FILE
    expected = Translator.from_checkpoint(folder, "cpu").translate(UNSEEN[0]).token_log_probs
    path.write_bytes(header_twice(path.read_bytes()))
    assert "checksum" in refusal(folder)
    seal(folder)
    try:
        assert Translator.from_checkpoint(folder, "cpu").translate(UNSEEN[0]).token_log_probs == expected
    except CheckpointError as error:
        assert WEIGHTS_FILE in str(error)


def test_weights_that_a_type_cannot_hold_are_not_written(folder, tokenizer):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    model = tiny_model("additive", len(tokenizer), seed=1)
    with torch.no_grad():
        model.decoder.bias[5] = 1e6
    with pytest.raises(CheckpointError, match="decoder.bias has numbers that torch.float16 cannot hold"):
        model.save_pretrained(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    model.save_pretrained(folder, dtype=torch.float32)
    assert Translator.from_checkpoint(folder, "cpu").model.decoder.bias[5] == 1e6


@DISKS
def test_a_full_disk_leaves_the_checkpoint_as_it_was(folder, tokenizer, tmp_path, disk):
    out = tmp_path / "disk" / "checkpoint"
    with disk.under(out.parent):
        shutil.copytree(folder, out)
        before = {path.name: path.read_bytes() for path in out.iterdir()}
        for room in (10, 1000, len(before[WEIGHTS_FILE]) - 1):
            with disk.full(room), pytest.raises(OSError, match=disk.error) as caught:
                tiny_model("additive", len(tokenizer), seed=1).save_pretrained(out)
            assert WEIGHTS_FILE in caught.value.filename
            assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize("flag", ["--csv", "--html", "--pptx"])
@DISKS
def test_an_export_to_a_full_disk_is_one_line_and_no_half_file(folder, tmp_path, capsys, flag, disk):
    out = tmp_path / "out" / "made"
    out.parent.mkdir()
    with disk.under(out.parent):
        out.write_text("old")
        with disk.full(60):
            code = main(["translate", "--checkpoint", str(folder), flag, str(out), UNSEEN[0]])
        said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
        assert code == 1 and said == [f"error: {out}: {disk.error}"]
        assert list(out.parent.iterdir()) == [out] and out.read_text() == "old"


@DISKS
def test_a_batch_to_a_full_disk_is_one_line_and_no_half_file(folder, tmp_path, capsys, disk):
    (tmp_path / "lines.txt").write_text("\n".join(UNSEEN) + "\n")
    out = tmp_path / "out"
    out.mkdir()
    files = ["--csv", str(out / "a.csv"), "--jsonl", str(out / "b.jsonl")]
    with disk.under(out):
        with disk.full(60):
            code = main(["batch", str(tmp_path / "lines.txt"), "--checkpoint", str(folder), *files])
        said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
        assert code == 1 and len(said) == 1 and "a.csv" in said[0] and disk.error in said[0]
        assert not list(out.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux has")
def test_standard_output_on_a_full_disk_is_one_line(folder):
    command = [sys.executable, "-m", "seq2seq", "translate", "--checkpoint", str(folder), UNSEEN[0]]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=300)
    errors = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert done.returncode == 1 and len(errors) == 1 and "No space left on device" in errors[0]


# -- versions ------------------------------------------------------------------------------------------------------


def change_config(folder: Path, **settings) -> None:
    (folder / CONFIG_FILE).write_text(json.dumps(json.loads((folder / CONFIG_FILE).read_text()) | settings))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"heads": 8}, "unknown setting 'heads'.*newer version.*upgrade"),
        ({"kind": "transformer"}, "unknown kind 'transformer', not one of plain, .*newer version.*upgrade"),
        ({"kind": []}, "kind is no str"),
        ({"vocab_size": True}, "vocab_size is no int"),
        ({"hidden_size": 8.0}, "hidden_size is no int"),
        ({"dropout": None}, "dropout is no float"),
        ({"dropout": float("nan")}, "dropout is nan"),
        ({"vocab_size": 10**12}, "does not fit"),
        ({"vocab_size": 10**30}, "sizes are too large"),
    ],
)
@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "without a seal"])
def test_a_config_that_we_cannot_know_is_refused(folder, settings, says, sealed):
    unseal(folder)
    change_config(folder, **settings)
    if sealed:
        seal(folder)
    with pytest.raises(CheckpointError, match=says) as caught:
        use(folder)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_without_a_seal_is_read_as_before(folder):
    sealed = Translator.from_checkpoint(folder, "cpu").translate(UNSEEN[0])
    unseal(folder)
    assert Translator.from_checkpoint(folder, "cpu").translate(UNSEEN[0]).token_log_probs == sealed.token_log_probs


# -- the seal ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(ROOT.glob("checkpoints/*/config.json")), ids=lambda path: path.parent.name)
def test_what_ships_is_sealed(path):
    """`python -m seq2seq seal DIR` does it for weights that were made by an older version."""
    assert json.loads(path.read_text())[SEAL].keys() == {*FILES}
    read_config(path)
    for name in SEALED:
        assert read_sealed(path.with_name(name))


def test_a_change_that_is_meant_needs_a_new_seal(folder, capsys):
    change_config(folder, dropout=0.5)
    assert "python -m seq2seq seal" in refusal(folder)
    assert main(["seal", str(folder)]) == 0
    assert Translator.from_checkpoint(folder, "cpu").model.config.dropout == 0.5
    before = (folder / CONFIG_FILE).read_bytes()
    assert main(["seal", str(folder)]) == 0 and (folder / CONFIG_FILE).read_bytes() == before


@pytest.mark.parametrize(("settings", "says"), [({"hidden_size": 10}, "does not fit"), ({"heads": 1}, "upgrade")])
def test_what_cannot_be_used_gets_no_seal(folder, capsys, settings, says):
    change_config(folder, **settings)
    before = (folder / CONFIG_FILE).read_bytes()
    assert main(["seal", str(folder)]) == 2
    assert says in capsys.readouterr().err and (folder / CONFIG_FILE).read_bytes() == before
    assert main(["seal", str(folder / "nowhere")]) == 2


def test_a_checkpoint_that_is_being_changed_can_be_used_at_any_moment(folder, tokenizer):
    """Each file is replaced whole; between them there is no seal, after them a new one."""
    other = tiny_model("additive", len(tokenizer), seed=2)
    with unsealed(folder):
        use(folder)
        other.save_pretrained(folder.parent / "other")
        write_beside(folder / WEIGHTS_FILE, (folder.parent / "other" / WEIGHTS_FILE).read_bytes())
        use(folder)
    assert SEAL in json.loads((folder / CONFIG_FILE).read_text())
    use(folder)
