"""Sources that are no text: a picture as pieces, and the file that says who reads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seq2seq.data import pad_ids
from seq2seq.scene_data import caption_tokenizer
from seq2seq.scenes import PIXELS, SIDE, SceneError, parse_code
from seq2seq.sources import PLACES, STEP, DescriptionReader, SceneReader, cut, load_tokenizers, save_tokenizers
from seq2seq.tokenizer import Tokenizer

CODES = ("large red circle 11 11, small blue star 50 50", "small green square 32 32")
WORDS = Tokenizer.of_words(["a", "b"])


def test_a_place_holds_its_own_pixels() -> None:
    pixels = np.arange(PIXELS * PIXELS * 3).reshape(PIXELS, PIXELS, 3) % 251
    pieces = cut(pixels)
    assert len(pieces.ids) == len(PLACES) == SIDE * SIDE and pieces.words == PLACES and PLACES[:2] == ("a1", "b1")
    for index in (0, 1, SIDE, SIDE * SIDE - 1):
        row, column = divmod(index, SIDE)
        block = pixels[row * STEP : (row + 1) * STEP, column * STEP : (column + 1) * STEP]
        assert pieces.ids[index] == block.astype(np.uint8).tobytes()


def test_a_reader_draws_the_scene_of_a_code() -> None:
    reader = SceneReader()
    for code, pieces in zip(CODES, reader.encode_batch(CODES)):
        assert pieces == cut(np.asarray(parse_code(code).draw()))
        assert all(len(id) == len(reader) for id in pieces.ids)


def test_pictures_make_a_batch_of_numbers() -> None:
    made = SceneReader().encode_batch(CODES)
    ids, lengths = pad_ids([pieces.ids for pieces in made])
    assert ids.shape == (2, SIDE * SIDE, 3 * STEP * STEP) and ids.dtype == torch.uint8 and lengths.tolist() == [64, 64]
    for row, pieces in zip(ids, made):
        assert row.numpy().tobytes() == b"".join(pieces.ids)


def test_who_reads_is_written_and_read_back(tmp_path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(save_tokenizers(SceneReader(), WORDS), encoding="utf-8")
    reader, target = load_tokenizers(path)
    assert isinstance(reader, SceneReader) and target.to_json() == WORDS.to_json()
    path.write_text(save_tokenizers(WORDS, WORDS), encoding="utf-8")
    source, target = load_tokenizers(path)
    assert source is target and source.to_json() == WORDS.to_json()


def test_a_reader_of_descriptions_refuses_what_it_would_guess_at(tmp_path) -> None:
    words = caption_tokenizer()
    path = tmp_path / "tokenizer.json"
    path.write_text(save_tokenizers(DescriptionReader(words), WORDS), encoding="utf-8")
    reader, _ = load_tokenizers(path)
    assert isinstance(reader, DescriptionReader) and len(reader) == len(words)
    text = "a small red circle at the top"
    assert reader.encode_batch([text.upper() + "."]) == words.encode_batch([text])
    with pytest.raises(SceneError, match="pink, elephant"):
        reader.encode_batch([text, "a pink elephant"])


@pytest.mark.parametrize(
    "source", ['{"reader": "film"}', '{"reader": "description"}', '{"reader": ["scene"]}', "[]", '"scene"']
)
def test_an_unknown_reader_is_refused(tmp_path, source: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(f'{{"source": {source}, "target": {WORDS.to_json()}}}', encoding="utf-8")
    with pytest.raises(ValueError, match="not a tokenizer file"):
        load_tokenizers(path)
