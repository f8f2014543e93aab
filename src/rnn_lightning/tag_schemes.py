"""Tagging schemes BIO and BIOES: the names of tags, the transitions that a scheme allows, and spans. Shapes: K tags.

``O`` is outside of every span; ``B-PER`` begins one of type PER and ``I-PER`` continues it. In BIOES ``E-PER`` is its last
step, and a span of one step is ``S-PER``. A tag without a type, such as ``B``, has the type "".

Sequences that a scheme forbids, such as ``O I-PER``, are irregular. They are read as conlleval does, the script of the CoNLL
shared tasks: whatever is not outside is in a span, and a new one begins where the type changes, after a tag that ends a span
or is outside, and at one that begins a span.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
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

    transitions: "Tensor"
    starts: "Tensor"
    ends: "Tensor"


class Span(NamedTuple):
    """A span of type ``kind``: steps ``start`` up to, not including, ``stop``."""

    kind: str
    start: int
    stop: int


def span_constraints(tags: Sequence[str], scheme: str) -> Constraints:
    """The constraints that allow exactly the sequences of ``tags``, the names of all K, that are valid in the scheme.

    Raises:
        ValueError: for another scheme than those of ``SCHEMES``, or a tag that is not of the scheme.
    """
    import torch

    parts = split_tags(tags, scheme)

    def allowed(before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]) -> "Tensor":
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
        part = _parts_of(tag, scheme)
        if part is None:
            spans = ", ".join(f"{letter}-TYPE" for letter in SCHEMES[scheme] if letter != "O")
            raise ValueError(f"a tag of {scheme} must be O, {spans}, or such a letter alone, not {tag!r}")
        parts.append(part)
    return parts


def _parts_of(tag: str, scheme: str) -> tuple[str, str] | None:
    """The prefix and the type of a tag; ``None`` where it is not of the scheme."""
    prefix, dash, kind = tag.partition("-")
    if len(prefix) != 1 or prefix not in SCHEMES[scheme] or bool(dash) != bool(kind) or (prefix == "O" and dash):
        return None
    return prefix, kind


def _may_follow(one: tuple[str, str], other: tuple[str, str], *, closes: bool) -> bool:
    """Whether the tag ``other`` may follow ``one``; ``closes``: the last tag of a span of several steps is E (BIOES)."""
    is_open, goes_on = one[0] in "BI", other[0] in "IE"
    if goes_on:
        return is_open and one[1] == other[1]
    return not (closes and is_open)


def scheme_of(counts: Mapping[str, int]) -> str | None:
    """The scheme of the tags that occur so often (``counts``), also where a few are misspelled: the one that most are of, BIO
    before BIOES; ``None`` where a tenth is of neither, or no span has a named type, as with parts of speech."""
    fitting = {scheme: sum(n for tag, n in counts.items() if _parts_of(tag, scheme)) for scheme in SCHEMES}
    best = max(fitting, key=fitting.__getitem__)
    has_types = any(tag.startswith(("B-", "I-")) for tag in counts)
    return best if has_types and fitting[best] > 0.9 * sum(counts.values()) else None


def irregular_steps(tags: Sequence[str], scheme: str) -> list[int]:
    """The steps of a row of tags that the scheme forbids: no tag of it, or one that may not follow the one before or end the
    row."""
    parts = [_parts_of(tag, scheme) for tag in tags]
    path = [OUTSIDE, *(part or OUTSIDE for part in parts), OUTSIDE]
    closes = scheme == "BIOES"
    steps = [step for step, (one, other) in enumerate(pairwise(path)) if not _may_follow(one, other, closes=closes)]
    misspelled = (step for step, part in enumerate(parts) if part is None)
    return sorted({*misspelled, *(min(step, len(tags) - 1) for step in steps)})


def spans_of(tags: Sequence[str], scheme: str) -> list[Span]:
    """The spans of a row of tags, decoded as conlleval does also where the scheme forbids the sequence.

    Raises:
        ValueError: for another scheme than BIO or BIOES, or a tag that is not of the scheme.
    """
    parts = [OUTSIDE, *split_tags(tags, scheme), OUTSIDE]
    spans, start = [], 0
    for step, (before, after) in enumerate(pairwise(parts)):
        if is_border(before, after):
            if before != OUTSIDE:
                spans.append(Span(before[1], start, step))
            start = step
    return spans


def is_border(before: tuple[str, str], after: tuple[str, str]) -> bool:
    """Whether a span boundary lies between two tags, each its prefix and type."""
    return before[0] in "OES" or after[0] in "OBS" or before[1] != after[1]


def regular(tags: Sequence[str], scheme: str) -> list[str]:
    """A row of tags as the scheme writes the same spans (`spans_of`), and what is no tag of it as O; regular rows stay as they
    are."""
    written = ["O"] * len(tags)
    for kind, start, stop in spans_of([tag if _parts_of(tag, scheme) else "O" for tag in tags], scheme):
        prefixes = ["B", *"I" * (stop - start - 1)]
        if scheme == "BIOES":
            prefixes[-1] = "S" if stop - start == 1 else "E"
        written[start:stop] = [f"{prefix}-{kind}" if kind else prefix for prefix in prefixes]
    return written
