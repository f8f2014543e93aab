"""What became of each label: right, taken for another, left out, or said where there was none.

Shapes: L labels.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

Edit = tuple[int | None, int | None]
"""The right label and the one found: the first is none where a label was inserted, the second where one was left out."""


class LabelErrors(NamedTuple):
    """What became of a ``label``: how often it was there, right, taken for another, left out, and inserted; and the ``taken``
    with how often it was taken for each."""

    label: str
    times: int
    right: int
    taken: Counter[str]
    deleted: int
    inserted: int

    @property
    def errors(self) -> int:
        return self.taken.total() + self.deleted + self.inserted


def edits(right: Sequence[int], found: Sequence[int]) -> list[Edit]:
    """The fewest edits from ``right`` to ``found``, with the labels that stay (Levenshtein 1966).

    Where several are as few, a label is rather taken for another than left out and another inserted.
    """
    costs = [list(range(len(found) + 1))]
    for row, label in enumerate(right, start=1):
        costs.append([row])
        for column, other in enumerate(found, start=1):
            cheapest = min(costs[-2][column - 1] + (label != other), costs[-2][column] + 1, costs[-1][column - 1] + 1)
            costs[-1].append(cheapest)
    return list(_back(costs, right, found))[::-1]


def _back(costs: Sequence[Sequence[int]], right: Sequence[int], found: Sequence[int]) -> Iterator[Edit]:
    """The way that ``costs`` came, from its end."""
    row, column = len(right), len(found)
    while row or column:
        cost = costs[row][column]
        if row and column and cost == costs[row - 1][column - 1] + (right[row - 1] != found[column - 1]):
            row, column = row - 1, column - 1
            yield right[row], found[column]
        elif row and cost == costs[row - 1][column] + 1:
            row -= 1
            yield right[row], None
        else:
            column -= 1
            yield None, found[column]


def errors_by_label(pairs: Iterable[tuple[Sequence[int], Sequence[int]]], labels: Sequence[str]) -> list[LabelErrors]:
    """What became of each of the ``labels`` that occur in ``pairs`` of right and found rows: most errors a time first."""
    counts = Counter(edit for right, found in pairs for edit in edits(right, found))
    known = sorted({label for edit in counts for label in edit if label is not None})
    made = []
    for label in known:
        times = sum(n for (right, _), n in counts.items() if right == label)
        others = {other: n for (right, other), n in counts.items() if right == label and other not in (None, label)}
        taken = Counter({labels[other]: n for other, n in sorted(others.items())})
        made.append(LabelErrors(labels[label], times, counts[label, label], taken, counts[label, None], counts[None, label]))
    return sorted(made, key=lambda entry: -entry.errors / max(entry.times, 1))


def label_error_table(made: Sequence[LabelErrors], most_taken: int = 3) -> str:
    """``made`` as Markdown, in its order, and their sum; of what a label is taken for, the ``most_taken`` are named."""
    lines = ["| label | times | right | taken | deleted | inserted | errors | taken for |", "|:--|--:|--:|--:|--:|--:|--:|:--|"]
    for entry in made:
        others = ", ".join(f"{name_of(name)} {count}" for name, count in entry.taken.most_common(most_taken))
        lines.append(_line(name_of(entry.label), [entry], others))
    return "\n".join([*lines, _line("all", made, ""), ""])


def name_of(label: str) -> str:
    """A label as a table can show it."""
    return f"`{label}`" if label.strip() and not set(label) & {"|", "`"} else repr(label).replace("|", "\\|")


def _line(name: str, some: Sequence[LabelErrors], others: str) -> str:
    counted = [(f.times, f.right, f.taken.total(), f.deleted, f.inserted) for f in some]
    sums = [sum(column) for column in zip(*counted, strict=True)] or [0] * 5
    rate = f"{sum(sums[2:]) / sums[0]:.4f}" if sums[0] else "-"
    return f"| {name} | {' | '.join(map(str, sums))} | {rate} | {others} |"
