"""How much is answered at most, by a server or a command: items at once, steps, hypotheses of a beam."""

from collections.abc import Mapping
from typing import Any

LIMITS = {"max_items": 10_000, "max_steps": 10_000, "max_beam": 100}
"""Items of a request; steps of one, and of a text that is found; hypotheses of a beam."""
LIMITED = {
    **dict.fromkeys(("length", "max_length", "min_length"), "max_steps"),
    **dict.fromkeys(("beam_size", "groups", "n_best"), "max_beam"),
}
"""The options of predictors that are limited, and by what."""


def check_options(options: Mapping[str, Any], limits: Mapping[str, int]) -> None:
    """Refuse an option above its limit.

    Raises:
        ValueError: naming the first.
    """
    for name in sorted(LIMITED.keys() & options.keys()):
        if options[name] is not None:
            check_limit(name, options[name], LIMITED[name], limits)


def check_limit(what: str, count: int, limit: str, limits: Mapping[str, int]) -> None:
    """Refuse a ``count`` above the ``limit`` of that name, if it is one of ``limits``.

    Raises:
        ValueError: saying how the limit is raised.
    """
    most = limits.get(limit)
    if most is not None and count > most:
        raise ValueError(f"{what}: {count}, and at most {most} are answered here; {limit}={count} at the start allows it")
