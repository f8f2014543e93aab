"""Which cases of a law are tried each time, and which by `make test-all` alone."""

from collections.abc import Callable, Sequence
from itertools import cycle, islice, product
from typing import Any

import pytest


def some(cases: Sequence[Any], count: int) -> list[Any]:
    """The first ``count`` cases as they are, the others as slow tests; a case that is a tuple is one of several arguments."""
    later = [pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow) for case in cases[count:]]
    return [*cases[:count], *later]


def in_turn(ones: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """All pairs; each time each of ``ones`` is tried with one of the ``others``, in turn, and the rest as slow tests."""
    return some(_paired(ones, others, len(ones)), len(ones))


def mixed(*axes: Sequence[Any]) -> list[Any]:
    """All combinations of the axes; each time every value of the first axis and every combination of the others is tried once,
    in turn, and the rest as slow tests. An element of an axis that is a tuple is several arguments."""
    ones, others = axes[0], [*product(*axes[1:])]
    count = max(len(ones), len(others))
    return some([_flat(one, *more) for one, more in _paired(ones, others, count)], count)


def _paired(ones: Sequence[Any], others: Sequence[Any], count: int) -> list[tuple[Any, Any]]:
    """All pairs; in the first ``count`` of them both go on in turn."""
    early = [*islice(zip(cycle(ones), cycle(others), strict=False), count)]
    return [*early, *(pair for pair in product(ones, others) if pair not in early)]


def _flat(*values: Any) -> tuple[Any, ...]:
    return tuple(part for value in values for part in (value if isinstance(value, tuple) else (value,)))


def those(cases: Sequence[Any], usual: Callable[[Any], bool]) -> list[Any]:
    """All cases, those that are not ``usual`` as slow tests."""
    return [case if usual(case) else pytest.param(case, marks=pytest.mark.slow) for case in cases]
