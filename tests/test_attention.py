"""Attention against its equations written as loops, and what no source may change for another."""

import math

import pytest
import torch
from torch import Tensor

from rnn_lightning.attention import ATTENTIONS, Attention, Memory, make_attention, remember

SOURCES, STEPS, QUERIES, WIDTH = 4, 5, 3, 6
LENGTHS = torch.tensor([5, 2, 0, 3])


def attention(kind: str) -> Attention:
    torch.manual_seed(0)
    return make_attention(kind, WIDTH, WIDTH).double()


def draw(kind: str, lengths: Tensor | None = LENGTHS) -> tuple[Attention, Tensor, Memory]:
    model = attention(kind)
    values = torch.randn(SOURCES, STEPS, WIDTH, dtype=torch.float64)
    queries = torch.randn(SOURCES, QUERIES, WIDTH, dtype=torch.float64)
    return model, queries, remember(values, lengths, values[:, 0], model)


def score(model: Attention, query: Tensor, value: Tensor) -> float:
    """The published formulas, for one query (D,) and one source step (E,)."""
    weights = {name: part.detach() for name, part in model.named_parameters()}
    if "weigh.weight" in weights:
        together = weights["query.weight"] @ query + weights["key.weight"] @ value + weights["key.bias"]
        return float(weights["weigh.weight"][0] @ together.tanh())
    return float(query @ (weights["key.weight"] @ value if weights else value))


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_weights_and_contexts_are_those_of_the_formulas(kind: str) -> None:
    model, queries, memory = draw(kind)
    contexts, weights = model(queries, memory)
    for source, length in enumerate(LENGTHS.tolist()):
        for query in range(QUERIES):
            scores = [score(model, queries[source, query], memory.values[source, step]) for step in range(length)]
            total = sum(map(math.exp, scores))
            expected = [math.exp(each) / total for each in scores] + [0.0] * (STEPS - length)
            torch.testing.assert_close(weights[source, query].tolist(), expected)
            context = sum((w * memory.values[source, s] for s, w in enumerate(expected)), torch.zeros(WIDTH).double())
            torch.testing.assert_close(contexts[source, query], context)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_a_source_without_steps_gives_zeros_and_a_finite_gradient(kind: str) -> None:
    model, queries, memory = draw(kind)
    queries.requires_grad_()
    contexts, weights = model(queries, memory, torch.rand(SOURCES, QUERIES, STEPS, dtype=torch.float64))
    assert not contexts[2].any() and not weights[2].any()
    contexts.sum().backward()
    assert all(torch.isfinite(part.grad).all() for part in [queries, *model.parameters()])


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_more_padding_changes_nothing(kind: str) -> None:
    model, queries, memory = draw(kind)
    longer = torch.cat([memory.values, torch.randn(SOURCES, 3, WIDTH, dtype=torch.float64)], 1)
    contexts, weights = model(queries, remember(longer, LENGTHS, longer[:, 0], model))
    expected = model(queries, memory)
    torch.testing.assert_close(contexts, expected[0])
    torch.testing.assert_close(weights[:, :, :STEPS], expected[1])
    assert not weights[:, :, STEPS:].any()


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_lengths_that_are_all_full_are_as_none(kind: str) -> None:
    model, queries, _ = draw(kind)
    values = torch.randn(SOURCES, STEPS, WIDTH, dtype=torch.float64)
    full = remember(values, torch.full((SOURCES,), STEPS), values[:, 0], model)
    torch.testing.assert_close(model(queries, full), model(queries, remember(values, None, values[:, 0], model)))


@pytest.mark.parametrize("kept", [[0], [1, 3], [0, 1, 2, 3]])
def test_a_memory_of_some_sources_is_looked_at_as_in_the_whole(kept: list[int]) -> None:
    model, queries, memory = draw("additive")
    rows = torch.tensor(kept).repeat_interleave(3)
    part = memory.of(rows)
    assert len(part.values) == len(kept)
    torch.testing.assert_close(model(queries[kept], part)[0], model(queries, memory)[0][kept])


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a memory as wide as its queries, not 4 and 6; use 'general'"):
        make_attention("dot", 4, 6)
    with pytest.raises(ValueError, match=r"one of \['additive', 'coverage', 'dot', 'general', 'location'\] or None, not 'lo'"):
        make_attention("lo", 4, 6)
