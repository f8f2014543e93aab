"""The decoder: a whole target at once equals its steps, and hypotheses share their source without a copy."""

from itertools import product
from typing import Any

import pytest
import torch
from often import mixed
from torch import Tensor

from rnn_lightning.attention import ATTENTIONS, Memory, remember
from rnn_lightning.decoder import AttentionDecoder, coverage_penalty
from rnn_lightning.recurrent import CELLS
from rnn_lightning.sequences import map_state

SOURCES, STEPS, TOKENS, WIDTH, VOCABULARY = 3, 5, 4, 6, 11
KINDS = [*product([*ATTENTIONS, None], [False, True], [False, True])]
LEGAL = [(kind, feeding, tied) for kind, feeding, tied in KINDS if kind or not feeding]


def decoder(attention: str | None = "general", *, cell: str = "lstm", **more) -> AttentionDecoder:
    torch.manual_seed(0)
    rnn = {"cell": cell, "hidden_size": WIDTH, "num_layers": 2}
    return AttentionDecoder(VOCABULARY, 5, WIDTH, rnn, attention=attention, **more).double().eval()


def memory_for(model: AttentionDecoder) -> Memory:
    torch.manual_seed(1)
    values = torch.randn(SOURCES, STEPS, WIDTH, dtype=torch.float64)
    return remember(values, torch.tensor([5, 2, 3]), values[:, 1], model.attention)


def tokens_of(rows: int) -> Tensor:
    return torch.randint(0, VOCABULARY, (rows, TOKENS), generator=torch.Generator().manual_seed(2))


def repeated(memory: Memory, times: int) -> Memory:
    return Memory(*(part.repeat_interleave(times, 0) if isinstance(part, Tensor) else part for part in memory))


@pytest.mark.parametrize("cell, context, kind, feeding, tied", mixed([*CELLS], [False, True], LEGAL))
def test_a_target_at_once_equals_its_steps(cell: str, context: bool, kind: str | None, feeding: bool, tied: bool) -> None:
    model = decoder(kind, cell=cell, input_feeding=feeding, tied=tied, context=context)
    memory, tokens = memory_for(model), tokens_of(SOURCES)
    state = model.start(memory)
    whole = model(memory, tokens, state)
    logits = model.output(whole.features)
    for time in range(TOKENS):
        log_probs, state = model.step(memory, tokens[:, time], state)
        torch.testing.assert_close(log_probs, logits[:, time].log_softmax(-1))
    torch.testing.assert_close(state, whole.state)


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("kind, feeding, tied", LEGAL)
def test_hypotheses_of_a_source_are_as_if_each_had_its_own(kind: str | None, feeding: bool, tied: bool, context: bool) -> None:
    model = decoder(kind, input_feeding=feeding, tied=tied, context=context)
    memory, tokens = memory_for(model), tokens_of(SOURCES * 4)
    state = map_state(lambda leaf: leaf.repeat_interleave(4, 0), model.start(memory))
    shared = model(memory, tokens, state)
    own = model(repeated(memory, 4), tokens, model.start(repeated(memory, 4)))
    torch.testing.assert_close(shared.features, own.features)
    if kind:
        torch.testing.assert_close(shared.weights, own.weights)


@pytest.mark.parametrize("context", [False, True])
@pytest.mark.parametrize("kind, feeding", [("additive", True), ("general", False), (None, False)])
def test_a_step_passes_over_sources_of_which_no_row_is_left(kind: str | None, feeding: bool, context: bool) -> None:
    model = decoder(kind, input_feeding=feeding, context=context)
    memory, tokens = memory_for(model), tokens_of(SOURCES)[:, 0]
    state = model.start(memory)
    expected, after = model.step(memory, tokens, state)
    left = torch.tensor([0, 0, 0, 2, 2, 2])
    log_probs, shrunk = model.step(memory, tokens[left], map_state(lambda leaf: leaf[left], state))
    torch.testing.assert_close(log_probs, expected[left])
    torch.testing.assert_close(shrunk, map_state(lambda leaf: leaf[left], after))


def test_one_row_of_each_of_fewer_sources_is_not_taken_for_all_rows_of_all() -> None:
    model = decoder("general")
    memory, tokens = memory_for(model), tokens_of(SOURCES)[:, 0]
    state, left = model.start(memory), torch.tensor([2, 2, 2])  # as many rows as there were sources
    expected, _ = model.step(memory, tokens, state)
    log_probs, _ = model.step(memory, tokens[left], map_state(lambda leaf: leaf[left], state))
    torch.testing.assert_close(log_probs, expected[left])


@pytest.mark.parametrize("feeding", [False, True])
def test_what_is_said_later_changes_nothing_before(feeding: bool) -> None:
    model = decoder("additive", input_feeding=feeding)
    memory, tokens = memory_for(model), tokens_of(SOURCES)
    other = tokens.clone()
    other[:, 2:] = (other[:, 2:] + 1) % VOCABULARY
    state = model.start(memory)
    one, two = model(memory, tokens, state).features, model(memory, other, state).features
    assert torch.equal(one[:, :2], two[:, :2]) and not torch.allclose(one[:, 2], two[:, 2])


def test_a_context_is_there_at_every_step() -> None:
    """The last word hears of the source from the state alone, unless a context tells it again: blank the state and look."""
    for context in (False, True):
        model = decoder(None, context=context)
        memory, tokens = memory_for(model), tokens_of(SOURCES)
        blank = map_state(torch.zeros_like, model.start(memory)[0]), *model.start(memory)[1:]
        features = model(memory, tokens[:1].expand(SOURCES, -1), blank).features[:, -1]
        assert torch.allclose(features[0], features[1]) != context


@pytest.mark.parametrize("settings", [{"attention": "additive", "input_feeding": True}, {"attention": None, "context": True}])
def test_every_part_learns(settings: dict[str, Any]) -> None:
    model = decoder(**settings)
    model.train()
    memory = memory_for(model)
    model.output(model(memory, tokens_of(SOURCES), model.start(memory)).features).logsumexp(2).sum().backward()
    still = [name for name, part in model.named_parameters() if part.grad is None or not part.grad.any()]
    assert not still


REFUSED = {
    "ahead": ({"rnn": {"cell": "gru", "hidden_size": 4, "bidirectional": True}}, "a decoder must not read ahead"),
    "feeding": ({"attention": None, "input_feeding": True}, "it needs an attention, not None"),
    "attention": (
        {"attention": "luong"},
        r"one of \['additive', 'coverage', 'dot', 'general', 'location'\] or None, not 'luong'",
    ),
    "dropout": ({"dropout": 1.0}, r"dropout must be a number in \[0, 1\), not 1.0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_settings_are_refused_by_name(name: str) -> None:
    settings, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        AttentionDecoder(9, 4, 6, **{"rnn": {"cell": "gru", "hidden_size": 4}, **settings})


def test_rows_that_do_not_divide_among_the_sources_are_refused() -> None:
    model = decoder()
    memory = memory_for(model)
    with pytest.raises(ValueError, match="4 rows do not divide among 3 sources"):
        model(memory, tokens_of(4), model.start(memory))


def test_what_attention_is_too_small_for_a_number_to_show_costs_much_and_not_everything() -> None:
    memory = memory_for(decoder())
    covered = torch.tensor([[1.5, 0.5, 0.0, 1e-200, 1.0], [0.25, 1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    state = ((torch.zeros(2), torch.zeros(2), torch.tensor([0, 1])), covered)
    least = torch.log(torch.tensor(torch.finfo(torch.float64).tiny, dtype=torch.float64))
    found = coverage_penalty(memory, 0.5, state)
    expected = [0.5 * (covered[0, [1, 3]].log().sum() + least), 0.5 * covered[1, 0].log()]  # the second source has two steps
    torch.testing.assert_close(found, torch.stack(expected))
