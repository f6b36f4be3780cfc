"""The tutorial's way is slow, and it is right: the same translations and the same gradients from the same weights."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from seq2seq.bench.tutorial_way import TutorialWay, one_way, translate
from seq2seq.config import BOS
from tests.conftest import ENGLISH, UNSEEN


@pytest.mark.parametrize("beam_size", [1, 2, 5])
def test_it_translates_as_the_translator_does(translator, beam_size):
    way = TutorialWay(translator.model)
    for text in ENGLISH + UNSEEN:
        expected = translator.translate(text, beam_size=beam_size).translation
        assert translate(way, translator, text, beam_size) == expected


def test_it_stops_where_the_limit_is(translator):
    way = TutorialWay(translator.model)
    [source] = translator.read([ENGLISH[3]])
    for beam_size in (1, 3):
        assert len(way.search(source.ids, 2, beam_size)) <= 2


def test_it_counts_its_steps(translator):
    way = TutorialWay(translator.model)
    [source] = translator.read([ENGLISH[0]])
    written = way.greedy(source.ids, 9)
    assert way.steps == len(written)


def test_its_loss_and_gradients_are_those_of_the_model(kind, model, tokenizer):
    source, target = tokenizer.encode(ENGLISH[0]).ids, tokenizer.encode(ENGLISH[1]).ids
    way = TutorialWay(model)
    loss = way.loss(source, target)
    loss.backward()
    prev = torch.tensor([(BOS, *target[:-1])])
    logits, _ = model(torch.tensor([source]), torch.tensor([len(source)]), prev)
    expected = F.cross_entropy(logits[0], torch.tensor(target), reduction="sum")
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-4)
    copies = dict(way.decoder.named_parameters())
    for name, parameter in model.decoder.named_parameters():
        torch.testing.assert_close(copies[name].grad, parameter.grad, rtol=1e-3, atol=1e-4)


def test_it_is_a_copy(model):
    way = TutorialWay(model)
    assert not {id(p) for p in way.parameters()} & {id(p) for p in model.parameters()}


def test_one_way_has_the_weights_of_either_direction():
    both = torch.nn.GRU(3, 4, batch_first=True, bidirectional=True)
    source = torch.randn(1, 5, 3)
    forward, backward = one_way(both)
    outputs, _ = both(source)
    torch.testing.assert_close(forward(source.transpose(0, 1))[0][:, 0], outputs[0, :, :4])
    torch.testing.assert_close(backward(source.transpose(0, 1).flip(0))[0][:, 0].flip(0), outputs[0, :, 4:])
