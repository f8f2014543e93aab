"""Words from characters: against plain loops over one word at a time, whatever stands behind it."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rnn_lightning.characters import ConvolvedCharacters, RecurrentCharacters, character_encoder
from rnn_lightning.recurrent import CELLS

SETTINGS: dict[str, dict[str, Any]] = {
    "cnn": {"name": "cnn", "filters": 4, "widths": [1, 3, 5], "embedding_size": 6},
    **{
        f"{cell} {ways}": {
            "name": "rnn",
            "embedding_size": 6,
            "rnn": {"cell": cell, "hidden_size": 4, "bidirectional": ways == 2},
        }
        for cell in CELLS
        for ways in (1, 2)
    },
}
WORDS = [[3, 4, 5], [], [7], [3, 4, 5], [2, 9, 1, 1, 6, 4, 8], [1, 1]]

every_encoder = pytest.mark.parametrize("name", SETTINGS)


def spelled(words: list[list[int]], width: int) -> Tensor:
    return torch.tensor([word + [0] * (width - len(word)) for word in words])


def build(name: str) -> Any:
    torch.manual_seed(0)
    return character_encoder(10, SETTINGS[name]).double()


@every_encoder
@pytest.mark.parametrize("width", [7, 8, 20])
def test_a_word_is_the_same_alone_and_beside_any_other(name: str, width: int) -> None:
    encoder = build(name)
    together = encoder(spelled(WORDS, width))
    assert together.shape == (len(WORDS), encoder.output_size)
    for word, vectors in zip(WORDS, together, strict=True):
        alone = encoder(spelled([word], len(word)))[0]
        torch.testing.assert_close(vectors, alone, rtol=0, atol=1e-12)
        silent = name.startswith("indrnn")  # rectified units, which may all be zero
        assert bool(vectors.any()) == bool(word) or silent


def test_a_filter_s_answer_is_its_strongest_by_hand() -> None:
    encoder = ConvolvedCharacters(10, filters=4, widths=(3,), embedding_size=6).double()
    weight, bias = (value.detach() for value in encoder.layers[0].parameters())  # (4, 6, 3), (4,)
    for word in WORDS[2:]:
        letters = F.pad(encoder.embedding.weight.detach()[word], (0, 0, 1, 1))  # zeros beyond both ends
        answers = [(letters[at : at + 3].T * weight).sum((1, 2)) + bias for at in range(len(word))]
        torch.testing.assert_close(encoder(torch.tensor([word]))[0], torch.stack(answers).amax(0).clamp(min=0))


def test_a_recurrent_encoder_is_what_the_network_read_at_both_ends() -> None:
    encoder = RecurrentCharacters(10, rnn={"cell": "lstm", "hidden_size": 4, "bidirectional": True}, embedding_size=6)
    for word in (WORDS[0], WORDS[4]):
        outputs, _ = encoder.network(encoder.embedding(torch.tensor([word])))
        torch.testing.assert_close(encoder(torch.tensor([word]))[0], torch.cat([outputs[0, -1, :4], outputs[0, 0, 4:]]))


@every_encoder
def test_reading_each_word_once_changes_neither_values_nor_gradients(name: str) -> None:
    encoder = build(name)
    batch = spelled([WORDS[index] for index in (0, 2, 0, 4, 1, 0, 2, 5)], 9).view(2, 4, 9)
    outcomes = []
    for vectors in (encoder.read_each_once(batch), encoder(batch.flatten(0, 1)).view(2, 4, -1)):
        weights = torch.linspace(-1, 1, vectors.numel(), dtype=torch.float64).view_as(vectors)
        outcomes.append((vectors.detach(), torch.autograd.grad((vectors * weights).sum(), list(encoder.parameters()))))
    torch.testing.assert_close(outcomes[0], outcomes[1])


@every_encoder
def test_words_are_read_no_more_often_than_there_are_different_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, counts = build(name), []
    read = encoder.read
    monkeypatch.setattr(encoder, "read", lambda embedded, real: counts.append(len(real)) or read(embedded, real))
    encoder.read_each_once(spelled(WORDS * 50, 7).view(6, 50, 7))
    assert counts == [5]


@every_encoder
@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4), (2, 3, 0)])
def test_batches_without_words_or_characters_are_zeros(name: str, shape: tuple[int, ...]) -> None:
    encoder = build(name)
    vectors = encoder.read_each_once(torch.zeros(shape, dtype=torch.int64))
    assert vectors.shape == (*shape[:2], encoder.output_size) and not vectors.any()


@every_encoder
def test_settings_from_before_have_a_kind_in_place_of_a_name(name: str) -> None:
    former = {"kind" if key == "name" else key: value for key, value in SETTINGS[name].items()}
    torch.manual_seed(0)
    again = character_encoder(10, former).double()
    torch.testing.assert_close(again.state_dict(), build(name).state_dict(), rtol=0, atol=0)
    assert "kind" in former


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, r"characters name must be one of \['cnn', 'rnn'\], not None"),
        ({"name": "lstm"}, "not 'lstm'"),
        ({"name": "cnn", "filter": 3}, "characters 'cnn': .*'filter'"),
        (
            {"name": "cnn", "filters": 0},
            r"filters must be a whole number of at least 1, not 0",
        ),
        ({"name": "cnn", "embedding_size": 0}, "characters 'cnn': embedding_size must be a whole number of at least 1, not 0"),
        ({"name": "cnn", "kind": "cnn"}, "characters 'cnn': .*'kind'"),
        ({"name": "rnn"}, "characters 'rnn': .*'rnn'"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        character_encoder(10, settings)


@pytest.mark.parametrize(
    "settings", [{"name": "cnn", "filters": 3}, {"name": "rnn", "rnn": {"cell": "lstm", "hidden_size": 3}}]
)
def test_words_that_are_read_beforehand_have_the_same_vectors(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    encoder = character_encoder(300, settings).eval()
    words = torch.tensor([[5, 0, 0], [256, 2, 0], [2, 256, 0], [5, 7, 9]])
    batch = torch.stack([words[[0, 1, 0]], words[[3, 2, 1]]])
    batch[1, 2] = 0  # the padding of a batch
    expected = encoder.read_each_once(batch)
    with encoder.reading(words):
        torch.testing.assert_close(encoder.read_each_once(batch), expected)
        torch.testing.assert_close(encoder.read_each_once(F.pad(batch, (0, 2))), expected)
        with pytest.raises(KeyError):
            encoder.read_each_once(batch + 1)
    torch.testing.assert_close(encoder.read_each_once(batch + 1), encoder(batch.flatten(0, 1) + 1).view(2, 3, -1))
