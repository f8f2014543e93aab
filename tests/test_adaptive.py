"""The adaptive softmax: a distribution over all words, equal to its definition, in training and where texts are scored."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rnn_lightning import Batch, LanguageModel, check_invariance, prepared
from rnn_lightning.laws import LAWS
from rnn_lightning.models import LanguageModel as Model
from rnn_lightning.models import load_model
from rnn_lightning.models.language_model import usual_cutoffs
from rnn_lightning.output_layer import AdaptiveSoftmax
from rnn_lightning.predictors import LanguagePredictor
from rnn_lightning.systems import AtomicCheckpointIO

V, H, CUTOFFS = 11, 4, [3, 5, 10]
LSTM = {"cell": "lstm", "hidden_size": 6}
TOKENS = torch.tensor([[1, 2, 10, 4], [5, 0, 7, 0], [9, 3, 0, 0]])
LENGTHS = torch.tensor([4, 3, 2])


def layer() -> AdaptiveSoftmax:
    torch.manual_seed(1)
    made = AdaptiveSoftmax(H, V, CUTOFFS).double()
    for weight in made.parameters():
        torch.nn.init.normal_(weight)
    return made


def model(**more: object) -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(V, LSTM, 5, output="adaptive", cutoffs=CUTOFFS, **more).eval()  # pyright: ignore[reportArgumentType]


def one_by_one(made: AdaptiveSoftmax, hidden: Tensor) -> Tensor:
    """The probabilities (V,) by the definition, word by word."""
    scores = (made.weight @ hidden + made.bias).exp().tolist()
    clusters = made.clusters(hidden).exp().tolist()
    total = sum(scores[: CUTOFFS[0]]) + sum(clusters)
    chances = [score / total for score in scores[: CUTOFFS[0]]]
    for chance, first, last in zip(clusters, CUTOFFS, [*CUTOFFS[1:], V], strict=True):
        chances += [chance / total * score / sum(scores[first:last]) for score in scores[first:last]]
    return torch.tensor(chances, dtype=torch.float64)


def test_all_words_together_are_certain_and_each_is_as_likely_as_defined() -> None:
    made = layer()
    for hidden in torch.randn(5, H, dtype=torch.float64):
        chances = made(hidden).exp()
        torch.testing.assert_close(chances, one_by_one(made, hidden))
        assert chances.sum().item() == pytest.approx(1, abs=1e-12)


def test_the_loss_is_that_of_all_log_probabilities_with_its_gradients() -> None:
    made, targets = layer(), torch.tensor([0, 2, 3, 4, 5, 9, 10, 10])
    hidden = torch.randn(len(targets), H, dtype=torch.float64, requires_grad=True)
    places = [hidden, *made.parameters()]
    found = torch.autograd.grad(-made.of_targets(hidden, targets).mean(), places)
    expected = torch.autograd.grad(F.nll_loss(made(hidden), targets), places)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("targets", [[0, 1, 2], [10], [4, 4]])
def test_clusters_without_a_target_are_left_out(targets: list[int]) -> None:
    made, hidden = layer(), torch.randn(len(targets), H, dtype=torch.float64)
    expected = made(hidden).gather(1, torch.tensor(targets).unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(made.of_targets(hidden, torch.tensor(targets)), expected)


@pytest.mark.parametrize("tied", [False, True])
def test_a_language_model_keeps_the_laws_and_says_the_same_in_every_way(tied: bool) -> None:
    system = model(tied=tied)
    assert len(check_invariance(system, inputs=TOKENS)) == len(LAWS)
    logits, _ = system(TOKENS, LENGTHS)
    everything = logits.log_softmax(2)
    torch.testing.assert_close(everything, logits)
    expected = everything[:, :-1].gather(2, TOKENS[:, 1:].unsqueeze(2)).squeeze(2)
    real = torch.arange(3) < (LENGTHS - 1).unsqueeze(1)
    torch.testing.assert_close(system.log_probabilities(TOKENS, LENGTHS), expected * real)
    loss, count = system.loss_on(Batch(TOKENS[:, :-1], LENGTHS - 1, TOKENS[:, 1:]), "val")
    assert count == 6 and loss.item() == pytest.approx(-(expected * real).sum().item() / 6, rel=1e-6)
    torch.testing.assert_close(system.step(TOKENS[:, 0], None)[0], everything[:, 0])
    torch.testing.assert_close(prepared(system).log_probabilities(TOKENS, LENGTHS), expected * real)
    assert (system.output.weight is system.embedding.weight) == tied


def test_a_softmax_scores_by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnn_lightning.models.language_model.AT_ONCE", 2)
    system = LanguageModel(V, LSTM, 5).eval()
    everything = system(TOKENS)[0].log_softmax(2)[:, :-1]
    torch.testing.assert_close(system.log_probabilities(TOKENS), everything.gather(2, TOKENS[:, 1:].unsqueeze(2)).squeeze(2))
    assert system.log_probabilities(TOKENS[:, :1]).shape == (3, 0)


def test_a_checkpoint_brings_it_back_and_a_predictor_scores_by_it(tmp_path: Path) -> None:
    system = model(tied=True)
    checkpoint = {"state_dict": system.state_dict(), "hyper_parameters": dict(system.hparams)}
    AtomicCheckpointIO().save_checkpoint(checkpoint, tmp_path / "model.ckpt")
    answer = LanguagePredictor(load_model(Model, tmp_path / "model.ckpt").eval(), None, score=True)([[1, 2, 10, 4]])[0]
    expected = system.log_probabilities(TOKENS[:1]).sum().item()
    assert answer["log_probability"] == pytest.approx(expected, rel=1e-6)
    assert answer["perplexity"] == pytest.approx(math.exp(-expected / 3), rel=1e-6)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"output": "tree"}, "output must be one of .*adaptive.*, not 'tree'"),
        ({"cutoffs": [3]}, "cutoffs are for output adaptive, and output is softmax"),
        ({"output": "adaptive", "cutoffs": [5, 3]}, r"rising order between 1 and 10, not \[5, 3\]"),
        ({"output": "adaptive", "cutoffs": []}, "rising order between 1 and 10"),
        ({"output": "adaptive", "cutoffs": [V]}, "cutoffs must be .* 10.*, not 11"),
    ],
)
def test_what_does_not_fit_is_refused(more: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        LanguageModel(V, LSTM, 5, **more)  # pyright: ignore[reportArgumentType]


def test_usual_cutoffs_fit_every_vocabulary() -> None:
    assert usual_cutoffs(33_278) == [1039, 3327, 8319, 16639, 24958]
    for size in range(2, 70):
        assert LanguageModel(size, LSTM, 5, output="adaptive").output.sizes
