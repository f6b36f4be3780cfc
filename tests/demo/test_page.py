"""The page as a whole, without a browser: what building it costs, and what its server keeps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import gradio as gr
import pytest
from gradio.state_holder import SessionState, StateHolder

from seq2seq.demo import api, build, models, translate_tab, warm_up
from seq2seq.demo.sessions import Session
from seq2seq.model import CheckpointError, Seq2Seq
from seq2seq.translator import Translator

CHECKPOINTS = models.CHECKPOINTS
TEXT = "A small dog runs behind the photographers."


@pytest.fixture
def nothing_loaded():
    models.load.cache_clear()
    yield
    models.load.cache_clear()


def test_building_the_page_reads_no_weights(nothing_loaded: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Seq2Seq, "from_pretrained", lambda *_: pytest.fail("weights were read"))
    page = build()
    assert models.load.cache_info().currsize == 0
    offered = next(block.choices for block in page.blocks.values() if getattr(block, "elem_id", "") == "checkpoint")
    assert [name for _, name in offered] == list(models.names())


def test_a_model_is_loaded_once_when_it_is_first_asked_for(nothing_loaded: None) -> None:
    for name in (models.DEFAULT, "en-fr-plain", models.DEFAULT):
        assert models.translator(name).name == name
        assert models.batcher(name).translator is models.translator(name)
    assert models.load.cache_info().misses == 2


def test_kinds_are_those_of_the_loaded_models() -> None:
    assert [models.kind(name) for name in models.names()] == [
        models.translator(name).model.config.kind for name in models.names()
    ]


@pytest.mark.parametrize("config", ["", "[]", "{}", "{"])
def test_a_config_without_a_kind_is_named(config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "CHECKPOINTS", tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text(config)
    with pytest.raises(CheckpointError, match="broken.config.json does not describe a model"):
        models.kind("broken")


@pytest.fixture
def three(nothing_loaded: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A page of copies: one checkpoint as it ships, one with a config, one with weights of which a bit is wrong."""
    monkeypatch.setattr(models, "CHECKPOINTS", tmp_path)
    for name in ("good", "broken-config", "broken-weights"):
        shutil.copytree(CHECKPOINTS / "en-fr-plain", tmp_path / name)
    (tmp_path / "broken-config" / "config.json").write_text("<html>")
    weights, metrics = (tmp_path / "broken-weights" / name for name in ("model.safetensors", "metrics.json"))
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    metrics.write_text("{}")
    caches = [models.names, models.kind, models.metrics]
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def test_a_broken_checkpoint_stops_no_page_and_says_what_it_is(three: None, capsys: pytest.CaptureFixture) -> None:
    page = build()
    offered = next(block.choices for block in page.blocks.values() if getattr(block, "elem_id", "") == "checkpoint")
    assert sorted(offered) == [
        ("Cannot be read (broken-config)", "broken-config"),
        ("Without attention (plain): broken-weights", "broken-weights"),
        ("Without attention (plain): good", "good"),
    ]
    log = capsys.readouterr().err.splitlines()
    assert len([line for line in log if "broken-config" in line and "does not describe a model" in line]) == 1
    assert list(models.metrics()) == ["good"] and "broken-weights/metrics.json is damaged" in "\n".join(log)
    for name, says in (("broken-config", "does not describe a model"), ("broken-weights", "checksum differs")):
        *_, shown = translate_tab.translate(TEXT, name, 1, "words", False)
        assert says in shown[0]["message"] and "\n" not in shown[0]["message"]
        with pytest.raises(gr.Error, match=says):
            api.translate(TEXT, name)
    *_, shown = translate_tab.translate(TEXT, "good", 1, "words", False)
    assert shown[1]


def test_warmed_up_the_page_opens_without_translating(monkeypatch: pytest.MonkeyPatch) -> None:
    warm_up()
    monkeypatch.setattr(Translator, "translate", lambda *_, **__: pytest.fail("translated again"))
    warm_up()


def test_the_api_translates_in_batches_as_the_translator_does_alone() -> None:
    made = api.translate(TEXT, beam_size=3, n_best=2)
    single = models.translator(models.DEFAULT).translate(TEXT, beam_size=3, n_best=2).to_dict()
    assert made | {"seconds": 0} == single | {"seconds": 0}
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_a_session_keeps_nothing_of_what_it_showed() -> None:
    page = build()
    holder = StateHolder()
    holder.set_blocks(page)
    light, full = holder["a visitor"], SessionState(page)
    assert isinstance(light, Session) and light.config_values == {}
    box = next(id for id, block in page.blocks.items() if getattr(block, "elem_id", "") == "source-text")
    light._update_value_in_config(box, "typed")
    assert light.config_values == {}
    assert light.blocks_config.blocks.keys() == full.blocks_config.blocks.keys()
