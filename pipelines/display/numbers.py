"""Numbers as people read them: metrics, counts and durations."""

import math


def number(value: float) -> str:
    """Four digits that count, of five decimals at most."""
    return f"{value:.{min(max(decimals(value) + 2, 0), 5)}f}" if value else "0"


def decimals(value: float) -> int:
    """How many decimals show two digits of ``value``: negative for a hundred and more, five at most."""
    return min(1 - math.floor(math.log10(abs(value))), 5) if value else 0


def short(value: float) -> str:
    """A count to three digits, in thousands or millions: ``1.23 M``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * size:
            scaled = value / size
            return f"{scaled:.{0 if scaled >= 99.95 else 1 if scaled >= 9.995 else 2}f} {letter}"
    return f"{value:.0f}"


def duration(seconds: float) -> str:
    """``42 s``, ``3.5 min`` or ``1 h 20 min``."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 59.95:
        return f"{minutes:.1f} min"
    hours, minutes = divmod(round(minutes), 60)
    return f"{hours} h {minutes} min"
