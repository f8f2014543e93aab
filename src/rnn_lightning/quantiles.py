"""Quantiles of forecasts.

Shapes: Q quantiles.
"""

from collections.abc import Sequence
from typing import Any

from .checks import check_number, shown


def check_quantiles(quantiles: Any) -> list[float] | None:
    """The ``quantiles`` as a list, or none at all, once they are known to ascend between 0 and 1.

    Raises:
        ValueError: where they do not.
    """
    if quantiles is None:
        return None
    listed = list(quantiles) if isinstance(quantiles, Sequence) and not isinstance(quantiles, str) else []
    for quantile in listed:
        check_number("quantiles: every quantile", quantile, above=0, below=1)
    if not listed or listed != sorted(set(listed)):
        raise ValueError(f"quantiles must be a list of numbers between 0 and 1 that ascend, not {shown(quantiles)}")
    return listed


def middle(quantiles: Sequence[float] | None) -> int:
    """Which of the ``quantiles`` is nearest to the median; 0 without any."""
    return min(range(len(quantiles)), key=lambda at: abs(quantiles[at] - 0.5)) if quantiles else 0
