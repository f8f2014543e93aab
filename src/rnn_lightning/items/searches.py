"""Options of a search in plain values: beams, constraints in words, and how samples are drawn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..checks import check_counts, check_filter, check_number, shown
from ..registry import call

NUMBERS = ("beam_size", "coverage", "diversity", "groups", "max_length", "min_length", "n_best", "patience")
OPTIONS = (*NUMBERS, "constraints", "normalisation", "sampling", "stop")
"""Options of a search in plain values."""
OF_BEAMS = ("beam_size", "coverage", "diversity", "groups", "normalisation", "patience", "stop")
"""Options that samples do not have."""


@dataclass(frozen=True)
class Constraints:
    """What every text must begin with (``prefix``) and contain (``required``), and must not contain (``forbidden`` phrases,
    n-grams of ``no_repeated_ngrams`` tokens twice); ``repetition_penalty``: see `search.RepetitionPenalty`.

    A phrase is one as its tokens spell it: of byte pairs, "cat" at the beginning of a word, and not within one.
    """

    prefix: str | None = None
    required: Sequence[str] = ()
    forbidden: Sequence[str] = ()
    no_repeated_ngrams: int | None = None
    repetition_penalty: float | None = None

    def __post_init__(self) -> None:
        if self.prefix is not None and not isinstance(self.prefix, str):
            raise ValueError(f"prefix must be a text, not {shown(self.prefix)}")
        if self.no_repeated_ngrams is not None:
            check_counts(no_repeated_ngrams=self.no_repeated_ngrams)
        if self.repetition_penalty is not None:
            check_number("repetition_penalty", self.repetition_penalty, above=0)
        for name in ("required", "forbidden"):
            value = getattr(self, name)
            if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(one, str) for one in value):
                raise ValueError(f"{name} must be a list of texts, not {shown(value)}")


@dataclass(frozen=True)
class Sampling:
    """How samples are drawn: see `search.sample`. Each source has random numbers of its own, from the same ``seed``."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts(least=0, most=2**63 - 1, seed=self.seed)
        check_filter(**self.filter)

    @property
    def filter(self) -> dict[str, Any]:
        """Which tokens may be drawn, and how likely each is."""
        return {"temperature": self.temperature, "top_k": self.top_k, "top_p": self.top_p, "min_p": self.min_p}


@dataclass(frozen=True)
class Spelled:
    """`Constraints` in tokens."""

    prefix: Sequence[int] = ()
    required: Sequence[Sequence[int]] = ()
    forbidden: Sequence[Sequence[int]] = ()
    no_repeated_ngrams: int | None = None
    repetition_penalty: float | None = None

    @classmethod
    def of(
        cls, constraints: Constraints, encode: Callable[[str], Sequence[int]], end: int, silent: Sequence[int] = ()
    ) -> "Spelled":
        """``constraints`` as ``encode`` spells them for a model whose texts end with the token ``end``. Where phrases are
        forbidden, ``silent`` tokens, which name no part of a text, do not stand in their place.

        Raises:
            ValueError: for a text without tokens, or with ``end`` among them, or that the vocabulary lacks; for constraints of
                which one forbids another.
        """
        prefix = () if constraints.prefix is None else spell("prefix", constraints.prefix, encode, end)
        required, forbidden = (
            [spell(name, text, encode, end) for text in getattr(constraints, name)] for name in ("required", "forbidden")
        )
        asked = [*([("prefix", constraints.prefix, prefix)] if prefix else [])]
        asked += [("required", text, tokens) for text, tokens in zip(constraints.required, required, strict=True)]
        for name, text, tokens in asked:
            for other, phrase in zip(constraints.forbidden, forbidden, strict=True):
                if contains(tokens, phrase):
                    raise ValueError(f"constraints: {name} {shown(text)} contains what is forbidden, {shown(other)}: drop one")
            size = constraints.no_repeated_ngrams
            if size is not None and repeats(tokens, size):
                raise ValueError(f"constraints: {name} {shown(text)} repeats {size} tokens (no_repeated_ngrams): drop one")
        forbidden += [[token] for token in silent if forbidden and token != end]
        return cls(prefix, required, forbidden, constraints.no_repeated_ngrams, constraints.repetition_penalty)

    @property
    def limits(self) -> list[str]:
        """The names of the constraints that a text can break."""
        given = {name: getattr(self, name) for name in ("prefix", "required", "forbidden", "no_repeated_ngrams")}
        return [name for name, value in given.items() if value]

    def check_length(self, longest: int) -> None:
        """Refuse constraints that no text of ``longest`` tokens, its end included, can satisfy.

        Raises:
            ValueError: naming the first that is too long.
        """
        for name, tokens in [("prefix", self.prefix), *(("required", phrase) for phrase in self.required)]:
            if len(tokens) >= longest:
                raise ValueError(
                    f"constraints: {name} has {len(tokens)} tokens, and with its end a text has {longest} at most: raise "
                    "max_length, or give a shorter one"
                )

    def unsatisfied(self, longest: int, beam_size: int | None) -> str:
        """Why nothing is found within ``longest`` tokens by a beam, or by samples (``None``), and what to do."""
        try:
            self.check_length(longest)
        except ValueError as error:
            return str(error)
        searched = "no sample" if beam_size is None else f"no hypothesis of a beam of {beam_size}"
        more = "max_length" if beam_size is None else "max_length or beam_size"
        return (
            f"constraints: {searched} satisfies {', '.join(self.limits)} within {longest} tokens, its end included: raise "
            f"{more}, or ask for less"
        )


class UnsatisfiedError(ValueError):
    """Constraints that nothing was found for: ``reasons`` by the row of the batch, and what was ``found`` for each row."""

    def __init__(self, reasons: Mapping[int, str], found: Sequence[Any]) -> None:
        super().__init__(next(iter(reasons.values())))
        self.reasons, self.found = reasons, found


def check_found(found: Sequence[Any], spelled: Spelled, longest: Sequence[int], beam_size: int | None) -> None:
    """Refuse a search in which nothing is ``found`` for a row, of ``longest`` tokens at most, under constraints.

    Raises:
        UnsatisfiedError: with the reason of each such row.
    """
    rows = [row for row, hypotheses in enumerate(found) if not hypotheses] if spelled.limits else []
    if rows:
        raise UnsatisfiedError({row: spelled.unsatisfied(longest[row], beam_size) for row in rows}, found)


def spell(name: str, text: str, encode: Callable[[str], Sequence[int]], end: int) -> list[int]:
    """The tokens of the ``text`` of the constraint ``name``.

    Raises:
        ValueError: where it has none, or ``end`` among them, or the vocabulary lacks some.
    """
    try:
        tokens = list(encode(text))
    except ValueError as error:
        raise ValueError(f"constraints: {name}: {error}") from None
    if not tokens:
        raise ValueError(f"constraints: {name} must have a token or more, which {shown(text)} has not")
    if end in tokens:
        raise ValueError(f"constraints: {name} must not have the token that ends a text, which {shown(text)} has")
    return tokens


def contains(tokens: Sequence[int], phrase: Sequence[int]) -> bool:
    """Whether ``phrase`` is a part of ``tokens``."""
    starts = range(len(tokens) - len(phrase) + 1)
    return any(list(tokens[start : start + len(phrase)]) == list(phrase) for start in starts)


def repeats(tokens: Sequence[int], size: int) -> bool:
    """Whether ``tokens`` have ``size`` tokens in a row twice."""
    windows = [tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1)]
    return len(set(windows)) < len(windows)


def read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The ``options`` of a search, checked: constraints and sampling as objects.

    Raises:
        ValueError: for an unknown option, no number where one is needed, a keyword that constraints or sampling do not have, or
            an option of beams where samples are drawn.
    """
    for name, value in options.items():
        if name not in OPTIONS:
            raise ValueError(f"a search has {', '.join(OPTIONS)}, and no {name!r}")
        if name in NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{name} of a search must be a number, not {value!r}")
    made = dict(options)
    for name, kind in (("constraints", Constraints), ("sampling", Sampling)):
        if name in made and not isinstance(made[name], Mapping):
            raise ValueError(f"{name} of a search must be {{name: value, ...}}, not {shown(made[name])}")
        made |= {name: call(name, kind, made[name])} if name in made else {}
    return made


def merged(own: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The ``options`` of a search; those that are ``None`` are a run's ``own``, but for what samples do not have where they are
    drawn."""
    given = {name: value for name, value in options.items() if value is not None}
    left_out = OF_BEAMS if "sampling" in given else ()
    return {**{name: value for name, value in own.items() if name not in left_out}, **given}


def check_samples_only(options: Mapping[str, Any], required: Sequence[Any]) -> None:
    """Refuse options of a beam where samples are drawn.

    Raises:
        ValueError: naming the first.
    """
    if given := [name for name in OF_BEAMS if options.get(name) is not None]:
        raise ValueError(f"{given[0]} is an option of a beam, and sampling has none: leave one of the two out")
    if required:
        raise ValueError("required phrases share out a beam, and sampling has none: leave one of the two out")
