"""Reading labels off: against enumeration where the beam is wide, against a plain form with dictionaries where it is narrow."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from ctc_oracles import Labels, best_path, paths, posteriors, reference_search, sequences, spelled
from torch import Tensor

from rnn_lightning.ctc import ShallowFusion, Transcripts, ctc_beam_search, ctc_greedy
from rnn_lightning.sequences import IGNORED, State

SHAPES = [(1, 3, 0), (3, 2, 1), (4, 3, 0), (4, 3, 2), (5, 4, 1)]


def answers(found: Transcripts, row: int) -> list[tuple[Labels, float]]:
    """The labels and scores of a row, the best first."""
    counts = found.lengths[row].tolist()
    for place, count in enumerate(counts):
        assert bool((found.labels[row, place, count:] == IGNORED).all())
    labels = [tuple(found.labels[row, place, :count].tolist()) for place, count in enumerate(counts)]
    scores = found.scores[row].tolist()
    return [pair for pair in zip(labels, scores, strict=True) if pair[1] > -math.inf]


def language(labels: int, seed: int = 0) -> tuple[ShallowFusion, dict[int, np.ndarray]]:
    """A model whose next label hangs on the last two, as its state and step, and as a table."""
    draws = torch.Generator().manual_seed(seed)
    table = torch.randn(labels, labels, labels, generator=draws, dtype=torch.float64).log_softmax(2)

    def step(tokens: Tensor, state: State) -> tuple[Tensor, State]:
        assert isinstance(state, Tensor)
        return table[state.squeeze(1), tokens], tokens.unsqueeze(1)

    fusion = ShallowFusion(step, lambda rows: torch.zeros(rows, 1, dtype=torch.int64), weight=0.7, bonus=0.4)
    return fusion, {0: table.numpy()}


def said_by(table: np.ndarray, blank: int):
    def ahead(prefix: Labels) -> np.ndarray:
        read = (0, blank, *prefix)
        return table[read[-2], read[-1]]

    return ahead


@pytest.mark.parametrize(("steps", "labels", "blank"), SHAPES)
def test_greedy_is_the_best_path(steps: int, labels: int, blank: int) -> None:
    log_probs = posteriors(4, steps, labels, seed=steps)
    lengths = torch.tensor([steps, max(steps - 1, 0), 0, steps])
    found = ctc_greedy(log_probs, lengths, blank=blank)
    for row, length in enumerate(lengths.tolist()):
        path, weight = max(paths(log_probs[row, :length].numpy()), key=lambda pair: pair[1])
        assert answers(found, row) == [(spelled(path, blank), pytest.approx(weight))]


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize(("steps", "labels", "blank"), SHAPES)
def test_a_wide_beam_finds_what_enumeration_finds(steps: int, labels: int, blank: int, fused: bool) -> None:
    log_probs = posteriors(3, steps, labels, seed=20 + steps)
    fusion, table = language(labels)
    ahead = said_by(table[0], blank)
    lengths = torch.tensor([steps, steps, steps - 1])
    beam = sum((labels - 1) ** length for length in range(steps + 1))
    found = ctc_beam_search(log_probs, lengths, beam_size=beam, n_best=beam, blank=blank, fusion=fusion if fused else None)
    for row, length in enumerate(lengths.tolist()):
        known = sequences(log_probs[row, :length].numpy(), blank)
        if fused:
            for said in known:
                known[said] += sum(0.7 * ahead(said[:at])[label] + 0.4 for at, label in enumerate(said))
                known[said] += 0.7 * ahead(said)[blank]
        expected = sorted(known.items(), key=lambda pair: -pair[1])
        assert [labels for labels, _ in answers(found, row)] == [labels for labels, _ in expected]
        assert [score for _, score in answers(found, row)] == pytest.approx([score for _, score in expected])


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("beam", [1, 2, 3, 7])
@pytest.mark.parametrize("seed", range(6))
def test_a_narrow_beam_is_the_plain_form(beam: int, seed: int, fused: bool) -> None:
    blank = seed % 3
    log_probs = posteriors(3, 12, 5, seed=100 + seed, sharpness=1 + seed / 2)
    fusion, table = language(5, seed)
    lengths = torch.tensor([12, 7, 10])
    found = ctc_beam_search(log_probs, lengths, beam_size=beam, n_best=beam, blank=blank, fusion=fusion if fused else None)
    for row, length in enumerate(lengths.tolist()):
        told = {"language": said_by(table[0], blank), "weight": 0.7, "bonus": 0.4} if fused else {}
        expected = reference_search(log_probs[row, :length].numpy(), beam, blank, **told)
        assert [labels for labels, _ in answers(found, row)] == [labels for labels, _ in expected]
        assert [score for _, score in answers(found, row)] == pytest.approx([score for _, score in expected])


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("cut", [1e-300, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_labels_below_the_cut_extend_no_prefix(seed: int, cut: float, fused: bool) -> None:
    """Whatever the other rows of the batch hold; a cut of nothing is exact."""
    log_probs = posteriors(3, 7, 6, seed=seed)
    fusion = language(6)[0] if fused else None
    found = ctc_beam_search(log_probs, beam_size=4, n_best=4, fusion=fusion, cut=cut)
    for row in range(3):
        alone = ctc_beam_search(log_probs[row : row + 1], beam_size=4, n_best=4, fusion=fusion, cut=cut)
        assert answers(found, row) == [(labels, pytest.approx(score)) for labels, score in answers(alone, 0)]
        said = {label for labels, _ in answers(found, row) for label in labels}
        assert all(log_probs[row, :, label].max() >= math.log(cut) for label in said)
        if cut < 1e-100:
            exact = ctc_beam_search(log_probs[row : row + 1], beam_size=4, n_best=4, fusion=fusion)
            assert answers(found, row) == [(labels, pytest.approx(score)) for labels, score in answers(exact, 0)]
    if cut == 1.0:
        assert found.lengths[:, 0].tolist() == [0, 0, 0], "nothing is certain, so that only the empty sequence is left"


def test_prefixes_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    log_probs = posteriors(4, 9, 4, seed=1)
    expected = ctc_beam_search(log_probs, beam_size=30, n_best=30)
    monkeypatch.setattr("rnn_lightning.ctc.decoding.HASH", 0)  # the hash is then that of the last label alone
    found = ctc_beam_search(log_probs, beam_size=30, n_best=30)
    assert found.labels.equal(expected.labels) and found.scores.equal(expected.scores)


def test_a_beam_of_one_is_greedy_where_one_path_has_almost_all() -> None:
    """It sums the paths of a prefix, so it may leave the best path; not where that has nearly all the probability."""
    log_probs = posteriors(20, 15, 6, seed=5, sharpness=40.0)
    one, best = ctc_beam_search(log_probs, beam_size=1), ctc_greedy(log_probs)
    assert torch.equal(one.labels, best.labels) and torch.equal(one.lengths, best.lengths)


def test_the_best_sequence_is_not_that_of_the_best_path() -> None:
    """Graves (2012, figure 7.4): two blanks are the likeliest path, but a label said at either step is likelier."""
    log_probs = torch.tensor([[[0.6, 0.4], [0.6, 0.4]]], dtype=torch.float64).log()
    assert ctc_greedy(log_probs).lengths.item() == 0
    found = ctc_beam_search(log_probs, beam_size=2)
    assert (found.labels.tolist(), found.scores.exp().item()) == ([[[1]]], pytest.approx(0.64))
    assert best_path(log_probs[0].numpy(), (1,), 0) is not None


@pytest.mark.parametrize("fused", [False, True])
def test_batch_order_and_padding_change_nothing(fused: bool) -> None:
    log_probs, lengths = posteriors(5, 9, 4, seed=6), torch.tensor([9, 0, 4, 7, 1])
    fusion = language(4)[0] if fused else None
    whole = ctc_beam_search(log_probs, lengths, beam_size=4, n_best=3, fusion=fusion)
    grown = torch.cat([log_probs, torch.full((5, 3, 4), math.nan, dtype=torch.float64)], 1)
    order = [3, 1, 4, 0, 2]
    moved = ctc_beam_search(grown[order], lengths[order], beam_size=4, n_best=3, fusion=fusion)
    for place, row in enumerate(order):
        alone = ctc_beam_search(log_probs[row : row + 1, : lengths[row]], beam_size=4, n_best=3, fusion=fusion)
        expected = [(labels, pytest.approx(score)) for labels, score in answers(whole, row)]
        assert answers(moved, place) == expected and answers(alone, 0) == expected


def test_answers_are_sorted_and_distinct() -> None:
    found = ctc_beam_search(posteriors(6, 20, 5, seed=7), beam_size=12, n_best=12)
    for row in range(6):
        labels, scores = zip(*answers(found, row), strict=True)
        assert len(set(labels)) == len(labels) == 12 and sorted(scores, reverse=True) == list(scores)


def test_the_language_model_reads_each_new_prefix_once() -> None:
    fusion, _ = language(4)
    asked: list[int] = []

    def step(tokens: Tensor, state: State) -> tuple[Tensor, State]:
        asked.append(len(tokens))
        return fusion.step(tokens, state)

    ctc_beam_search(posteriors(2, 10, 4, seed=8), beam_size=3, fusion=fusion._replace(step=step))
    assert asked[0] == 6 and all(count <= 6 for count in asked)
    assert sum(asked[1:]) < 60  # prefixes that stay as they are are not read again


def test_an_impossible_label_is_never_said() -> None:
    log_probs = posteriors(2, 6, 4, seed=9)
    log_probs[:, :, 2] = -math.inf
    found = ctc_beam_search(log_probs, beam_size=8, n_best=8)
    assert not bool((found.labels == 2).any()) and not bool(found.scores.isnan().any())


def test_a_language_model_of_no_weight_changes_nothing_though_it_holds_labels_impossible() -> None:
    fusion, _ = language(4)

    def step(tokens: Tensor, state: State) -> tuple[Tensor, State]:
        ahead, state = fusion.step(tokens, state)
        return ahead.index_fill(1, torch.tensor([0, 2]), -math.inf), state

    log_probs = posteriors(3, 8, 4, seed=10)
    without = ctc_beam_search(log_probs, beam_size=5, n_best=5)
    beside = ctc_beam_search(log_probs, beam_size=5, n_best=5, fusion=ShallowFusion(step, fusion.start, weight=0.0))
    assert torch.equal(beside.labels, without.labels) and torch.equal(beside.scores, without.scores)


@pytest.mark.parametrize(
    ("beam", "best", "message"),
    [
        (0, 1, "beam_size must be a whole number of at least 1, not 0"),
        (2, 3, "n_best must be a whole number of 1 to 2, not 3"),
        (2, 0, "n_best must be a whole number of 1 to 2, not 0"),
    ],
)
def test_a_bad_beam_is_refused(beam: int, best: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ctc_beam_search(posteriors(1, 2, 3, seed=0), beam_size=beam, n_best=best)


@pytest.mark.parametrize(("rows", "steps"), list(product([0, 2], [0, 3])))
def test_nothing_is_legal(rows: int, steps: int) -> None:
    log_probs = posteriors(rows, steps, 3, seed=1)
    for found in (ctc_greedy(log_probs), ctc_beam_search(log_probs, beam_size=2)):
        assert found.labels.shape[:2] == (rows, 1) and found.lengths.shape == (rows, 1)
        if steps == 0:
            assert not found.scores.any() and not found.lengths.any()
