"""Attention that looks at its earlier weights, and copying: NumPy forms, explicit sums, searches and padding."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rnn_lightning import IGNORED, Batch, Seq2Seq, prepared
from rnn_lightning.attention import make_attention, remember
from rnn_lightning.export.kinds import KINDS
from rnn_lightning.models.searching import start_of
from rnn_lightning.search import exhaustive_search, score
from rnn_lightning.systems.seq2seq import repeated_looks

TOKENS, END, UNKNOWN = 5, 0, 1
LENGTHS = torch.tensor([4, 2, 3])
SOURCES = torch.tensor([[2, 5, 3, 6], [7, 7, 99, 99], [4, 2, 4, 99]])
"""Tokens of 0..4 and words 5, 6 and 7 that the vocabulary lacks; 99 is padding."""
SETTINGS: list[dict[str, Any]] = [
    {"attention": {"name": "location", "filters": 3, "width": 3}},
    {"attention": "coverage", "input_feeding": True},
    {"attention": "general", "copying": {"unknown": UNKNOWN}},
    {"attention": "coverage", "copying": {"unknown": UNKNOWN}, "context": True},
]
COPYING = SETTINGS[2:]


def model(**settings: Any) -> Seq2Seq:
    torch.manual_seed(0)
    made = Seq2Seq(TOKENS, TOKENS, {"cell": "gru", "hidden_size": 4}, end=END, embedding_size=3, **settings).double().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    return made


def sources_of(settings: dict[str, Any]) -> Tensor:
    return SOURCES if "copying" in settings else SOURCES % TOKENS


def weights_of(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: part.detach().numpy() for name, part in module.named_parameters()}


@pytest.mark.parametrize("kind", [{"name": "location", "filters": 3, "width": 5}, "coverage"])
def test_three_looks_are_those_of_the_equations(kind: Any) -> None:
    torch.manual_seed(0)
    attention = make_attention(kind, 6, 4).double()
    values, queries = torch.randn(2, 5, 6).double(), torch.randn(2, 3, 4).double()
    memory, part, lengths = remember(values, torch.tensor([5, 3]), values[:, 0], attention), weights_of(attention), (5, 3)
    before, past = torch.zeros(2, 1, 5).double(), np.zeros((2, 5))
    for look in range(3):
        contexts, weights = attention(queries[:, look : look + 1], memory, before)
        assert attention.past is not None
        before = attention.past.after(before, weights)
        for row, length in enumerate(lengths):
            entered = past[row][:, None]
            if kind != "coverage":
                padded = np.pad(past[row], 2)
                filtered = [[padded[step : step + 5] @ one[0] for one in part["past.filter.weight"]] for step in range(5)]
                entered = np.array(filtered)
            keys = values[row].numpy() @ part["key.weight"].T + part["key.bias"] + entered @ part["past.enter.weight"].T
            scores = np.tanh(queries[row, look].numpy() @ part["query.weight"].T + keys) @ part["weigh.weight"][0]
            powers = np.exp(scores) * (np.arange(5) < length)
            expected = powers / powers.sum()
            np.testing.assert_allclose(weights[row, 0].detach(), expected, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(contexts[row, 0].detach(), expected @ values[row].numpy(), rtol=1e-9)
            past[row] = past[row] + expected if kind == "coverage" else expected


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_padding_and_other_rows_change_nothing(settings: dict[str, Any]) -> None:
    system, sources = model(**settings), sources_of(settings)
    targets = torch.tensor([[2, 4, END], [3, END, IGNORED], [4, 4, END]])
    whole = system.log_probabilities(Batch(sources, LENGTHS, targets))
    more = torch.nn.functional.pad(sources, (0, 3), value=3)
    torch.testing.assert_close(system.log_probabilities(Batch(more, LENGTHS, targets)), whole)
    for row, (length, size) in enumerate(zip(LENGTHS.tolist(), (3, 2, 3), strict=True)):
        alone = system.log_probabilities(Batch(sources[row : row + 1, :length], None, targets[row : row + 1, :size]))
        torch.testing.assert_close(alone[0], whole[row])


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_wide_beam_finds_what_enumeration_finds_and_each_hypothesis_has_its_own_past(settings: dict[str, Any]) -> None:
    system, sources = model(**settings), sources_of(settings)
    start = start_of(system, sources, LENGTHS)
    with torch.no_grad():
        exact = exhaustive_search(start.step, start.state, start.first, end=END, max_length=3, n_best=4)
    found = system.translate(sources, LENGTHS, beam_size=200, n_best=4, max_length=3)
    torch.testing.assert_close(found.scores, exact.scores)
    assert torch.equal(found.tokens, exact.tokens)
    covered = system.translate(sources, LENGTHS, beam_size=4, max_length=3, coverage=0.2)
    assert covered.scores.isfinite().all()


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_steps_sum_to_one_and_score_what_forcing_scores(settings: dict[str, Any]) -> None:
    system, sources = model(**settings), sources_of(settings)
    start = start_of(system, sources, LENGTHS)
    targets = torch.tensor([[2, 4, END], [3, END, IGNORED], [4, 4, END]])
    with torch.no_grad():
        log_probs, _ = start.step(start.first, start.state)
        by_steps = score(start.step, start.state, start.first, targets.clamp(min=0), torch.tensor([3, 2, 3]))
    torch.testing.assert_close(log_probs.exp().sum(1), torch.ones(3).double())
    torch.testing.assert_close(by_steps, system.log_probabilities(Batch(sources, LENGTHS, targets)))


@pytest.mark.parametrize("settings", COPYING, ids=str)
def test_a_loss_of_copies_is_the_explicit_sum(settings: dict[str, Any]) -> None:
    """-log(g P(w) + (1 - g) sum of the weights of the steps that are w), with words that the vocabulary lacks."""
    system = model(**settings)
    targets = torch.tensor([[6, 2, END], [7, END, IGNORED], [3, 4, END]])
    with torch.no_grad():
        memory = system.encode(SOURCES, LENGTHS)
        decoded = system.teacher_forced(memory, targets)
        plain = system.decoder.output(decoded.features).softmax(2)
        assert decoded.gate is not None and decoded.weights is not None
        losses = []
        for row, step in itertools.product(range(3), range(3)):
            if (token := int(targets[row, step])) == IGNORED:
                continue
            gate = 1 / (1 + math.exp(-float(decoded.gate[row, step])))
            places = [place for place in range(int(LENGTHS[row])) if int(SOURCES[row, place]) == token]
            copied = sum(float(decoded.weights[row, step, place]) for place in places)
            generated = float(plain[row, step, token]) if token < TOKENS else 0.0
            losses.append(-math.log(gate * generated + (1 - gate) * copied))
    found, count = system.loss_on(Batch(SOURCES, LENGTHS, targets), "train")
    assert count == len(losses) == 8 and float(found.detach()) == pytest.approx(np.mean(losses), rel=1e-9)
    found.backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in system.parameters())


def test_unknown_words_are_produced() -> None:
    system = model(**COPYING[0])
    with torch.no_grad():
        assert system.decoder.pointer is not None
        system.decoder.pointer.generate.weight.zero_()
        system.decoder.pointer.generate.bias.fill_(-20.0)  # it copies
        system.decoder.output.bias[END] = 50.0  # and generates nothing but the end
    found = system.translate(SOURCES, LENGTHS, beam_size=50, max_length=2, min_length=2)
    for row, length in enumerate(LENGTHS.tolist()):
        assert int(found.tokens[row, 0, 0]) in SOURCES[row, :length].tolist()
    assert int(found.tokens[1, 0, 0]) == 7  # the second source has nothing else
    assert torch.equal(
        system.run(SOURCES[:1], None, None)[0], system.run(torch.tensor([[2, UNKNOWN, 3, UNKNOWN]]), None, None)[0]
    )


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_prepared_network_finds_the_same(settings: dict[str, Any]) -> None:
    system, sources = model(**settings).float(), sources_of(settings)
    expected = system.translate(sources, LENGTHS, beam_size=4, max_length=5)
    found = prepared(system).translate(sources, LENGTHS, beam_size=4, max_length=5)
    assert torch.equal(found.tokens, expected.tokens)
    torch.testing.assert_close(found.scores, expected.scores, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_gradients_of_a_loop_of_single_precision_are_those_of_double(settings: dict[str, Any]) -> None:
    targets = torch.tensor([[2, 4, END], [3, END, IGNORED], [4, 4, END]])
    gradients = []
    for system in (model(**settings).float(), model(**settings)):
        system.loss_on(Batch(sources_of(settings), LENGTHS, targets), "train")[0].backward()
        gradients.append([torch.zeros(1) if part.grad is None else part.grad for part in system.parameters()])
    for single, double in zip(*gradients, strict=True):
        torch.testing.assert_close(single.double(), double.double(), rtol=1e-3, atol=1e-4)


def test_a_source_without_steps_copies_nothing() -> None:
    system = model(**COPYING[0])
    start = start_of(system, SOURCES, torch.tensor([4, 0, 3]))
    with torch.no_grad():
        log_probs, _ = start.step(start.first, start.state)
    torch.testing.assert_close(log_probs.exp().sum(1), torch.ones(3).double())
    assert log_probs[1, TOKENS:].eq(-torch.inf).all() and not log_probs.isnan().any()


def test_the_coverage_loss_is_a_sum_of_minima_in_training_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    weights, counted = (
        torch.rand(2, 3, 4, generator=generator).softmax(2),
        torch.tensor([[True, True, True], [True, False, False]]),
    )
    sums = []
    for row, step in counted.nonzero().tolist():
        seen = weights[row, :step].sum(0)
        sums.append(sum(min(float(a), float(c)) for a, c in zip(weights[row, step], seen, strict=True)))
    assert float(repeated_looks(weights, counted)) == pytest.approx(np.mean(sums), rel=1e-5)
    batch = Batch(SOURCES % TOKENS, LENGTHS, torch.tensor([[2, 4, END], [3, END, IGNORED], [4, 4, END]]))
    plain, covering = model(attention="coverage"), model(attention="coverage", coverage_loss=2.0)
    expected, _ = plain.loss_on(batch, "train")
    assert torch.equal(covering.loss_on(batch, "val")[0], plain.loss_on(batch, "val")[0])
    looks = plain.teacher_forced(plain.encode(batch.inputs, LENGTHS), batch.targets).weights
    found, _ = covering.loss_on(batch, "train")
    torch.testing.assert_close(found, expected + 2 * repeated_looks(looks, batch.targets != IGNORED))


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_graphs_have_no_form_for_them(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"a graph of a decoder has no form for .*: export with format=safetensors"):
        KINDS["translation"].graphs(model(**settings))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"copying": {"unknown": 5}}, "copying.unknown must be a whole number of 0 to 4, not 5"),
    ({"copying": True}, r"copying must be \{'unknown': TOKEN\}, or None, not True"),
    ({"copying": {"unknown": END}}, f"copying.unknown must be the token of unknown words, not {END}, which ends a target"),
    ({"copying": {"unknown": 1}, "attention": None}, "copying points with the weights of an attention: it needs one"),
    ({"copying": {"unknown": 1}, "label_smoothing": 0.1}, "label_smoothing gives each token a share"),
    ({"coverage_loss": -1.0}, "coverage_loss must be a finite number of at least 0, not -1.0"),
    ({"coverage_loss": 1.0, "attention": None}, "coverage_loss counts what attention looks at: it needs an attention"),
    ({"attention": {"name": "location", "width": 4}}, "width must be an odd number of steps"),
    ({"attention": {"name": "coverage", "width": 4}}, "there is no setting 'width'"),
]


@pytest.mark.parametrize(("settings", "said"), REFUSED, ids=str)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        model(**settings)


def test_copies_need_the_same_tokens_and_a_place_in_the_source() -> None:
    with pytest.raises(ValueError, match="copying needs the same tokens on both sides, not 6 and 5"):
        Seq2Seq(6, TOKENS, {"cell": "gru", "hidden_size": 4}, end=END, copying={"unknown": 1})
    system = model(**COPYING[0])
    batch = Batch(SOURCES[:1], None, torch.tensor([[7, END]]))
    with pytest.raises(ValueError, match="target 7 in row 0, step 0 is outside the vocabulary of 5 and not in its source"):
        system.loss_on(batch, "train")
    with pytest.raises(ValueError, match=r"token 20000 in row 0, step 0: tokens are 0\.\.10004"):
        system.translate(torch.tensor([[20_000]]), None, max_length=3)
