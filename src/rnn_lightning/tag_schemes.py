"""Tagging schemes BIO and BIOES: the names of tags, and the transitions that a scheme allows. Shapes: K tags.

``O`` is outside of every span; ``B-PER`` begins one of type PER and ``I-PER`` continues it. In BIOES ``E-PER`` is its last
step, and a span of one step is ``S-PER``. A tag without a type, such as ``B``, has the type "".
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .checks import check_choice, shown

SCHEMES = {"BIO": "BIO", "BIOES": "BIOES"}
"""The prefixes of each scheme's tags."""

OUTSIDE = ("O", "")
"""The prefix and type of the tag O; also of the boundaries, before the first and behind the last step."""


class Constraints(NamedTuple):
    """The allowed transitions, starts and ends of a sequence of tags, all bool.

    ``transitions`` (K, K) is true at [i, j] where tag j may follow tag i; ``starts`` (K,) and ``ends`` (K,) where a sequence
    may start or end with a tag.
    """

    transitions: Tensor
    starts: Tensor
    ends: Tensor


def span_constraints(tags: Sequence[str], scheme: str) -> Constraints:
    """The constraints that allow exactly the sequences of ``tags``, the names of all K, that are valid in the scheme.

    Raises:
        ValueError: for another scheme than those of ``SCHEMES``, or a tag that is not of the scheme.
    """
    parts = split_tags(tags, scheme)

    def allowed(before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]) -> Tensor:
        pairs = [[_may_follow(one, other, closes=scheme == "BIOES") for other in after] for one in before]
        return torch.tensor(pairs, dtype=torch.bool).view(len(before), len(after))

    return Constraints(allowed(parts, parts), allowed([OUTSIDE], parts)[0], allowed(parts, [OUTSIDE])[:, 0])


def split_tags(tags: Sequence[str], scheme: str) -> list[tuple[str, str]]:
    """The prefix and the type of each tag.

    Raises:
        ValueError: for another scheme than those of ``SCHEMES``, or a tag that is not of the scheme.
    """
    check_choice("scheme", scheme, sorted(SCHEMES))
    if not isinstance(tags, Sequence) or isinstance(tags, str) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError(f"tags must be a list of names, not {shown(tags)}")
    parts = []
    for tag in tags:
        prefix, dash, kind = tag.partition("-")
        if len(prefix) != 1 or prefix not in SCHEMES[scheme] or bool(dash) != bool(kind) or (prefix == "O" and dash):
            spans = ", ".join(f"{letter}-TYPE" for letter in SCHEMES[scheme] if letter != "O")
            raise ValueError(f"a tag of {scheme} must be O, {spans}, or such a letter alone, not {tag!r}")
        parts.append((prefix, kind))
    return parts


def _may_follow(one: tuple[str, str], other: tuple[str, str], *, closes: bool) -> bool:
    """Whether the tag ``other`` may follow ``one``; ``closes``: the last tag of a span of several steps is E (BIOES)."""
    is_open, goes_on = one[0] in "BI", other[0] in "IE"
    if goes_on:
        return is_open and one[1] == other[1]
    return not (closes and is_open)
