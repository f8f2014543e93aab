"""Spans and their scores against seqeval, and against conlleval's rules written out. Shapes: B rows, T steps, K tags."""

import itertools
import random
import warnings
from collections import Counter
from functools import cache

import pytest
import torch
from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support
from torch import Tensor

from rnn_lightning import Span, SpanF1, spans_of

PREFIXES = {"BIO": "BI", "BIOES": "BIES"}
INVENTORIES = {
    scheme: ["O", *(f"{prefix}-{kind}" for kind in ("LOC", "PER", "odd-one") for prefix in prefixes)]
    for scheme, prefixes in PREFIXES.items()
}
schemes = pytest.mark.parametrize("scheme", INVENTORIES)
Rows = list[list[str]]

STARTS = {
    *{("B", "B"), ("I", "B"), ("O", "B"), ("E", "B"), ("O", "I"), ("E", "E"), ("E", "I"), ("O", "E")},
    *{("S", tag) for tag in "BIES"},
    *{(tag, "S") for tag in "BIOE"},
}
STOPS = {
    *{("B", "B"), ("B", "O"), ("I", "B"), ("I", "O"), ("E", "B"), ("E", "E"), ("E", "I"), ("E", "O")},
    *{("S", tag) for tag in "BIOES"},
    *{(tag, "S") for tag in "BIE"},
}
"""Tags between which conlleval starts and stops a chunk, whatever their types, with S as its later ports have it."""


def conlleval(gold: Rows, predicted: Rows) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Chunks that are correct, predicted and gold, by type, counted in one pass as the script does."""
    correct, found, meant = Counter[str](), Counter[str](), Counter[str]()
    for row in zip(gold, predicted, strict=True):
        before, agreeing = [("O", ""), ("O", "")], ""
        for step in [*zip(*row, strict=True), ("O", "O")]:
            after = [(tag.partition("-")[0], tag.partition("-")[2]) for tag in step]
            changed = [one[1] != other[1] for one, other in zip(before, after, strict=True)]
            pairs = [(one[0], other[0]) for one, other in zip(before, after, strict=True)]
            stop = [pair in STOPS or (pair[0] != "O" and new) for pair, new in zip(pairs, changed, strict=True)]
            start = [pair in STARTS or (pair[1] != "O" and new) for pair, new in zip(pairs, changed, strict=True)]
            if agreeing and all(stop):
                correct[agreeing] += 1
                agreeing = ""
            elif agreeing and (any(stop) or after[0][1] != after[1][1]):
                agreeing = ""
            if all(start) and after[0][1] == after[1][1]:
                agreeing = after[0][1]
            for counts, begins, (_, kind) in zip((meant, found), start, after, strict=True):
                counts[kind] += begins
            before = after
    return correct, found, meant


@cache
def random_rows(scheme: str, seed: int) -> tuple[Rows, Rows]:
    """Gold and predicted tags: rows of any tags at all, alike enough for some spans to be correct."""
    draw, names = random.Random(seed), INVENTORIES[scheme]
    gold = [[draw.choice(names) for _ in range(draw.randrange(9))] for _ in range(60)]
    return gold, [[tag if draw.random() < 0.7 else draw.choice(names) for tag in row] for row in gold]


def padded(rows: Rows, scheme: str, filling: int = -100) -> tuple[Tensor, Tensor]:
    lengths = [len(row) for row in rows]
    numbers = [[INVENTORIES[scheme].index(tag) for tag in row] for row in rows]
    return torch.tensor([[*row, *[filling] * (max(lengths) + 1 - len(row))] for row in numbers]), torch.tensor(lengths)


@schemes
def test_the_spans_of_every_short_row_are_those_of_seqeval(scheme: str) -> None:
    names = [name for name in INVENTORIES[scheme] if "odd" not in name]
    for length in range(5 if scheme == "BIO" else 4):
        for tags in itertools.product(names, repeat=length):
            expected = [Span(kind, start, last + 1) for kind, start, last in get_entities(list(tags))]
            assert spans_of(tags, scheme) == expected, tags


@schemes
@pytest.mark.parametrize("seed", range(10))
def test_scores_are_those_of_seqeval_and_of_conlleval(scheme: str, seed: int) -> None:
    gold, predicted = random_rows(scheme, seed)
    metric = SpanF1(INVENTORIES[scheme], scheme)
    metric.update(padded(predicted, scheme, 7)[0], *padded(gold, scheme))
    overall, by_type = metric.compute()
    assert list(by_type) == ["LOC", "PER", "odd-one"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        *shares, _ = precision_recall_fscore_support(gold, predicted, average="micro")
        table = precision_recall_fscore_support(gold, predicted, average=None)
    assert [share.item() for share in overall[:3]] == pytest.approx(shares, abs=1e-6)
    counts = conlleval(gold, predicted)
    assert [count.item() for count in overall[3:]] == [sum(by.values()) for by in counts]
    for kind, *expected, support in zip(by_type, *table, strict=True):
        assert [share.item() for share in by_type[kind][:3]] == pytest.approx(expected, abs=1e-6)
        assert [count.item() for count in by_type[kind][3:]] == [by[kind] for by in counts]
        assert by_type[kind].gold == support
    assert overall.correct > 5


@schemes
@pytest.mark.filterwarnings("ignore:.*compute.* method of metric")
def test_counts_add_up_over_batches_and_processes(scheme: str) -> None:
    gold, predicted = random_rows(scheme, 99)
    whole, parts = SpanF1(INVENTORIES[scheme], scheme), [SpanF1(INVENTORIES[scheme], scheme) for _ in range(2)]
    whole(padded(predicted, scheme, 0)[0], *padded(gold, scheme))
    for start in range(0, 60, 20):
        rows = slice(start, start + 20)
        parts[start % 40 // 20].update(padded(predicted[rows], scheme, 0)[0], *padded(gold[rows], scheme))
    parts[0].merge_state(parts[1])
    assert parts[0].compute() == whole.compute()
    whole.reset()
    assert whole.compute().overall.gold == 0


@pytest.mark.filterwarnings("ignore:.*compute.* method of metric")
def test_a_share_of_nothing_is_zero_and_types_may_be_absent() -> None:
    assert SpanF1(["O", "B-LOC"], "BIO").compute().overall.f1 == 0
    outside = SpanF1(["O"], "BIO")
    outside.update(torch.zeros(2, 3, dtype=torch.int64), torch.zeros(2, 3, dtype=torch.int64))
    assert outside.compute().by_type == {}
    untyped = SpanF1(["B", "I", "E", "S"], "BIOES")
    untyped.update(torch.tensor([[0, 2, 3]]), torch.tensor([[0, 1, 2]]))
    assert [count.item() for count in untyped.compute().overall[3:]] == [0, 2, 1]
    untyped.update(torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, 3, dtype=torch.int64))
    assert [count.item() for count in untyped.compute().by_type[""][3:]] == [0, 2, 1]


SHAPES = "predicted and gold tags must be int64 of one shape (B, T), not "


@pytest.mark.parametrize(
    ("predicted", "gold", "lengths", "message"),
    [
        ([[0, 3]], [[0, 1]], None, "predicted tag 3 in row 0, step 1: tags are 0..2"),
        ([[0, 1]], [[0, -100]], None, "gold tag -100 in row 0, step 1: tags are 0..2"),
        ([[0, 1]], [[0, 1]], [3], "lengths[0] is 3; it must lie in 0..2, the steps of the batch"),
        ([[0, 1, 2]], [[0, 1]], None, SHAPES + "torch.int64 of (1, 3) and torch.int64 of (1, 2)"),
        ([0], [0], None, SHAPES + "torch.int64 of (1,) and torch.int64 of (1,)"),
    ],
)
def test_what_does_not_fit_is_refused(predicted: list, gold: list, lengths: list[int] | None, message: str) -> None:
    metric = SpanF1(["O", "B-LOC", "I-LOC"], "BIO")
    with pytest.raises(ValueError) as raised:
        metric.update(torch.tensor(predicted), torch.tensor(gold), None if lengths is None else torch.tensor(lengths))
    assert str(raised.value) == message
