"""Strict checks of arguments: whole numbers, numbers of a range, booleans, one of several; no other type passes for them.

An error is one line: the argument, what is allowed, and what came.
"""

import math
import sys
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

LARGEST = 2**31 - 1
"""The largest whole number that is taken for a size: a larger one is a mistake, and would ask for more memory than there is."""
LARGEST_BEAM = 100_000
"""The largest beam of a search."""
LARGEST_NUMBER = 1e38
"""The largest number of any kind: single precision holds it, and a range from it to its negative."""
COLDEST = 1e-6
"""The smallest temperature above 0: single precision holds scores that are divided by it."""
SHOWN = 80
"""How many characters of a refused value an error shows."""


def shown(value: Any) -> str:
    """``value`` as an error shows it: in one line, and not all of it where it is long."""
    if type(value) is int and abs(value) >= 10**SHOWN:
        return f"a number of more than {SHOWN} digits"
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def is_whole(value: Any, least: int = 0, most: float = LARGEST) -> bool:
    """Whether ``value`` is a whole number of ``least`` to ``most``; a boolean is none, nor is 3.0."""
    whole: Any = value if isinstance(value, Integral) and not isinstance(value, bool) else math.nan
    return least <= whole <= most


def check_all_numbers(values: Any) -> None:
    """Refuse a boolean or a text among nested lists of numbers, which NumPy would take for a number.

    Raises:
        ValueError: naming the first.
    """
    if isinstance(values, list | tuple):
        for value in values:
            if type(value) is not float:  # most are, and cost nothing
                check_all_numbers(value)
    elif isinstance(values, bool | str | bytes) or str(getattr(values, "dtype", "")).endswith("bool"):
        raise ValueError(f"it must have numbers alone, and {shown(values)} is among them")


def check_counts(*, least: int = 1, most: int = LARGEST, **counts: Any) -> None:
    """Refuse what is no whole number of ``least`` to ``most``, see `is_whole`.

    Raises:
        ValueError: naming the first of ``counts`` that is wrong.
    """
    for name, count in counts.items():
        if not is_whole(count, least, most):
            upper = most < LARGEST or is_whole(count, most + 1, math.inf)
            allowed = f"of {least} to {most}" if upper else f"of at least {least}"
            raise ValueError(f"{name} must be a whole number {allowed}, not {shown(count)}")


def check_beam(beam_size: Any) -> None:
    """Refuse a beam below 1 or above `LARGEST_BEAM`."""
    check_counts(beam_size=beam_size)
    check_counts(most=LARGEST_BEAM, beam_size=beam_size)


def check_n_best(n_best: Any, beam_size: int | None) -> None:
    """Refuse more answers than a beam has hypotheses; without a beam there is the best path alone."""
    most = beam_size or 1
    if not is_whole(n_best, 1, most):
        advice = f": give a beam_size of {n_best} or more" if is_whole(n_best, most, LARGEST_BEAM) else ""
        raise ValueError(f"n_best must be a whole number of 1 to {most}, not {shown(n_best)}{advice}")


def check_number(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> None:
    """Refuse what is no finite number, at ``least`` or ``above`` one bound and at ``most`` or ``below`` another.

    Raises:
        ValueError: naming the range.
    """
    number: Any = value if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    low: Any = -math.inf if least is None and above is None else least if above is None else above
    high: Any = math.inf if most is None and below is None else most if below is None else below
    largest: Any = sys.maxsize if type(value) is int else LARGEST_NUMBER
    size: Any = abs(number)
    if size <= largest and low <= number <= high and number not in (above, below):
        return
    if largest < size < math.inf:  # it is finite, and too large for any argument
        low, high = max(low, -largest), min(high, largest)
    elif most is None and below is None:
        where = "" if low == -math.inf else f" above {above}" if least is None else f" of at least {least}"
        raise ValueError(f"{name} must be a finite number{where}, not {shown(value)}")
    where = f"{'[' if above is None else '('}{low}, {high}{']' if below is None else ')'}"
    raise ValueError(f"{name} must be a number in {where}, not {shown(value)}")


def check_probability(name: str, probability: Any) -> None:
    """Refuse a probability of dropping outside [0, 1)."""
    check_number(name, probability, least=0, below=1)


def check_flags(**flags: Any) -> None:
    """Refuse what is neither true nor false; words such as "no" and the numbers 0 and 1 are not.

    Raises:
        ValueError: naming the first of ``flags`` that is wrong.
    """
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise ValueError(f"{name} must be true or false, not {shown(flag)}")


def check_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    """Refuse what is not one of ``choices``.

    Raises:
        ValueError: listing them.
    """
    allowed = list(choices)
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {allowed}, not {shown(value)}")


def check_text(name: str, text: Any) -> None:
    """Refuse what is no text."""
    if not isinstance(text, str):
        raise ValueError(f"{name} must be text, not {shown(text)}")


def check_names(name: str, names: Any, *, least: int = 1, count: int | None = None) -> None:
    """Refuse what is no list of ``least`` names or more (of ``count``, if there must be so many), all different.

    Raises:
        ValueError: saying how many there must be.
    """
    listed = list(names) if isinstance(names, Sequence) and not isinstance(names, str) else None
    many = f"at least {least}" if count is None else f"exactly {count}"
    fits = listed is not None and (len(listed) >= least if count is None else len(listed) == count)
    if listed is None or not fits or any(not isinstance(one, str) for one in listed) or len(set(listed)) < len(listed):
        raise ValueError(f"{name} must be a list of {many} names, all different, not {shown(names)}")


def check_filter(temperature: Any, top_k: Any = None, top_p: Any = None, min_p: Any = None) -> None:
    """Refuse a filter of sampling whose numbers are outside their ranges; ``None`` is none."""
    check_temperature(temperature)
    if top_k is not None:
        check_counts(top_k=top_k)
    if top_p is not None:
        check_number("top_p", top_p, above=0, most=1)
    if min_p is not None:
        check_number("min_p", min_p, least=0, most=1)


def check_temperature(temperature: Any) -> None:
    """Refuse a temperature that is neither 0, which takes the likeliest, nor large enough to divide by in single precision."""
    check_number("temperature", temperature, least=0)
    if 0 < temperature < COLDEST:
        raise ValueError(f"temperature must be 0, which takes the likeliest, or at least {COLDEST}, not {shown(temperature)}")
