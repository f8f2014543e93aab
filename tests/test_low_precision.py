"""Sums over steps, paths and vocabularies: numbers of low precision are added up in single precision."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from ctc_oracles import posteriors
from torch import Tensor

from rnn_lightning import (
    LanguageModel,
    LinearChainCRF,
    Seq2Seq,
    ShallowFusion,
    ctc_align,
    ctc_beam_search,
    ctc_greedy,
    ctc_loss,
)
from rnn_lightning.search import RepetitionPenalty, beam_search, ensemble, exhaustive_search, sample, score

TARGETS = torch.tensor([[1, 2, 1, 3]] * 2)
GRU = {"cell": "gru", "hidden_size": 4}


def step_of(table: Tensor) -> Callable[[Tensor, Any], tuple[Tensor, Any]]:
    """A step whose log-probabilities (V, V) depend on the last token alone."""
    return lambda tokens, state: (table[tokens], state)


def searched(search: Any, **more: Any) -> Callable[[Tensor], Any]:
    def found(log_probs: Tensor) -> Any:
        table, first = log_probs[0, :4], torch.tensor([1, 2])
        return search(step_of(table), torch.zeros(2, 1), first, end=0, max_length=6, **more)

    return found


def fused(log_probs: Tensor) -> Any:
    fusion = ShallowFusion(step_of(log_probs[1, :4]), lambda rows: torch.zeros(rows, 1), 0.7, 0.1)
    return ctc_beam_search(log_probs, beam_size=4, fusion=fusion)


def scored(log_probs: Tensor) -> Tensor:
    return score(step_of(log_probs[0, :4]), torch.zeros(2, 1), torch.tensor([1, 2]), TARGETS, torch.tensor([4, 3]))


def together(log_probs: Tensor) -> Any:
    step = ensemble([step_of(log_probs[0, :4]), step_of(log_probs[1, :4])])
    state = torch.zeros(2, 1), torch.zeros(2, 1)
    return beam_search(step, state, torch.tensor([1, 2]), end=0, max_length=6)


def field() -> LinearChainCRF:
    torch.manual_seed(0)
    made = LinearChainCRF(4)
    for weight in made.parameters():
        torch.nn.init.normal_(weight)
    return made


def drawn(log_probs: Tensor) -> Any:
    filters = {"samples": 3, "temperature": 0.7, "top_k": 3, "top_p": 0.9, "min_p": 0.05}
    return searched(sample, generator=torch.Generator().manual_seed(0), **filters)(log_probs)


SUMS: dict[str, Callable[[Tensor], Any]] = {
    "loss": lambda given: ctc_loss(given, TARGETS),
    "best path": ctc_greedy,
    "prefixes": lambda given: ctc_beam_search(given, beam_size=8, n_best=4),
    "fusion": fused,
    "alignment": lambda given: ctc_align(given, TARGETS),
    "partition": lambda given: field().log_partition(given),
    "likelihood": lambda given: field().log_likelihood(given, TARGETS.repeat(1, given.shape[1] // 4)),
    "marginals": lambda given: field().marginals(given),
    "viterbi": lambda given: field().decode(given, n_best=3),
    "beam": searched(beam_search, beam_size=3, n_best=2),
    "diverse beam": searched(beam_search, beam_size=4, groups=2, diversity=0.3),
    "penalty": searched(beam_search, rules=[RepetitionPenalty(1.3)]),
    "all": searched(exhaustive_search, n_best=4),
    "samples": drawn,
    "score": scored,
    "ensemble": together,
}


def parts(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else list(result)


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("low", [torch.bfloat16, torch.float16])
def test_numbers_of_low_precision_are_added_up_in_single(name: str, low: torch.dtype) -> None:
    for seed in range(5):
        given = posteriors(2, 120, 4, seed, sharpness=0.5).to(low)
        results = zip(parts(SUMS[name](given)), parts(SUMS[name](given.float())), strict=True)
        assert all(one.dtype == other.dtype and torch.equal(one, other) for one, other in results)


@pytest.mark.parametrize("name", SUMS)
def test_double_precision_stays_double(name: str) -> None:
    floats = [part for part in parts(SUMS[name](posteriors(2, 12, 4, seed=1))) if part.is_floating_point()]
    assert floats and {part.dtype for part in floats} == {torch.float64}


def test_systems_normalise_in_single_precision() -> None:
    torch.manual_seed(0)
    model, tokens = LanguageModel(9, GRU, 4).bfloat16(), torch.tensor([1, 2])
    log_probs, _ = model.step(tokens, None)
    assert log_probs.dtype == torch.float32 and log_probs.exp().sum(1).allclose(torch.ones(2))
    pairs = Seq2Seq(9, 9, GRU, end=0, embedding_size=4).bfloat16().eval()
    memory = pairs.encode(torch.tensor([[1, 2]]))
    for step, state in ((pairs.decoder.step, ()), (pairs.decoder.covering_step, (torch.zeros(1, 2),))):
        before = (pairs.decoder.start(memory), *state) if state else pairs.decoder.start(memory)
        assert step(memory, torch.tensor([0]), before)[0].dtype == torch.float32
    assert pairs.translate(torch.tensor([[1, 2]]), coverage=0.1).scores.dtype == torch.float32
