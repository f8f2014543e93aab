"""Fewest edits against every way there is; what becomes of labels, counted again from the edits."""

from functools import cache

import numpy as np
import pytest

from pipelines.kinds.edits import LabelErrors, edits, errors_by_label, label_error_table


@cache
def distance(right: tuple[int, ...], found: tuple[int, ...]) -> int:
    """The fewest edits, by trying each that may come first."""
    if not right or not found:
        return len(right) + len(found)
    ways = distance(right[1:], found[1:]) + (right[0] != found[0]), distance(right[1:], found), distance(right, found[1:])
    return min(ways[0], ways[1] + 1, ways[2] + 1)


def rows(seed: int, most: int = 8) -> tuple[tuple[int, ...], tuple[int, ...]]:
    draws = np.random.default_rng(seed)
    one, other = (tuple(draws.integers(1, 4, draws.integers(0, most)).tolist()) for _ in range(2))
    return one, other


@pytest.mark.parametrize("seed", range(30))
def test_edits_lead_from_one_to_the_other_and_are_the_fewest(seed: int) -> None:
    right, found = rows(seed)
    made = edits(right, found)
    assert tuple(label for label, _ in made if label is not None) == right
    assert tuple(label for _, label in made if label is not None) == found
    assert sum(one != other for one, other in made) == distance(right, found)


@pytest.mark.parametrize("labels", [(), (1,), (2, 1, 1, 3)])
def test_what_is_alike_stays_and_what_is_alone_goes(labels: tuple[int, ...]) -> None:
    assert edits(labels, labels) == [(label, label) for label in labels]
    assert edits(labels, ()) == [(label, None) for label in labels]
    assert edits((), labels) == [(None, label) for label in labels]


def test_a_label_is_rather_taken_for_another_than_left_out() -> None:
    assert edits((1, 2, 3), (1, 3, 3)) == [(1, 1), (2, 3), (3, 3)]


NAMES = ["<blank>", "a", "|", " ", "d"]


def test_fates_are_the_edits_of_each_label_the_worst_first() -> None:
    pairs = [rows(seed) for seed in range(40)]
    made = errors_by_label(pairs, NAMES)
    every = [edit for pair in pairs for edit in edits(*pair)]
    assert {fate.label for fate in made} == {"a", "|", " "}
    for fate in made:
        own = [edit for edit in every if edit[0] is not None and NAMES[edit[0]] == fate.label]
        assert fate.times == len(own) == fate.right + fate.taken.total() + fate.deleted
        assert fate.right == sum(one == other for one, other in own)
        assert fate.taken == {n: c for n in NAMES if (c := sum(o is not None and o != r and NAMES[o] == n for r, o in own))}
        assert fate.inserted == sum(one is None and other is not None and NAMES[other] == fate.label for one, other in every)
    rates = [fate.errors / fate.times for fate in made]
    assert rates == sorted(rates, reverse=True)
    assert sum(fate.errors for fate in made) == sum(distance(*pair) for pair in pairs)


def test_a_label_that_is_only_inserted_has_no_rate() -> None:
    (fate,) = errors_by_label([((), (4, 4))], NAMES)
    assert fate == LabelErrors("d", 0, 0, fate.taken, 0, 2) and not fate.taken
    assert label_error_table([fate]).splitlines()[2:] == [
        "| `d` | 0 | 0 | 0 | 0 | 2 | - |  |",
        "| all | 0 | 0 | 0 | 0 | 2 | - |  |",
    ]


def test_a_table_names_what_labels_are_taken_for_the_most_frequent_first() -> None:
    found = [((1,), (2,))] * 2 + [((1,), (3,)), ((1,), (1,)), ((1,), ())]
    lines = label_error_table(errors_by_label(found, NAMES), most_taken=1).splitlines()
    assert lines[2] == "| `a` | 5 | 1 | 3 | 1 | 0 | 0.8000 | '\\|' 2 |"
    assert label_error_table(errors_by_label(found, NAMES)).splitlines()[2].endswith("| '\\|' 2, ' ' 1 |")
    assert label_error_table([]).splitlines()[2:] == ["| all | 0 | 0 | 0 | 0 | 0 | - |  |"]
