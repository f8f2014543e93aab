"""A search of encoder-decoders from plain options: a beam or samples, constraints in words, several models together.

Shapes: B sources, S steps of the longest, F features of a source, T tokens of the longest target.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..checks import check_counts, check_number, shown
from ..models import LanguageModel, Seq2Seq
from ..models.searching import Start, start_of, together, with_language_model
from ..registry import call
from ..search import (
    BannedPhrases,
    ForcedPrefix,
    Hypotheses,
    NoRepeatedNgrams,
    RepetitionPenalty,
    Rule,
    beam_search,
    make_normalisation,
    sample,
    score,
)
from ..search.filters import Filter

NUMBERS = ("beam_size", "coverage", "diversity", "groups", "max_length", "min_length", "n_best", "patience")
OPTIONS = (*NUMBERS, "constraints", "normalisation", "sampling", "stop")
"""Options of a search in plain values."""
OF_BEAMS = ("beam_size", "coverage", "diversity", "groups", "normalisation", "patience", "stop")
"""Options that samples do not have."""


@dataclass(frozen=True)
class Constraints:
    """What every text must begin with (``prefix``) and contain (``required``), and must not contain (``forbidden`` phrases,
    n-grams of ``no_repeated_ngrams`` tokens twice); ``repetition_penalty``: see `RepetitionPenalty`.

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
        for name in ("required", "forbidden"):
            value = getattr(self, name)
            if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(one, str) for one in value):
                raise ValueError(f"{name} must be a list of texts, not {shown(value)}")
        if self.no_repeated_ngrams is not None:
            check_counts(no_repeated_ngrams=self.no_repeated_ngrams)
        if self.repetition_penalty is not None:
            check_number("repetition_penalty", self.repetition_penalty, above=0)


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
        self.keep()

    def keep(self) -> dict[str, Any]:
        """The filter's settings, checked."""
        return asdict(Filter(self.temperature, self.top_k, self.top_p, self.min_p))


class Found(NamedTuple):
    """A text's ``tokens`` without the one that ends it, and its ``score``; of a sample the log-probability of the model."""

    tokens: list[int]
    score: float


class Searcher:
    """Searches by one encoder-decoder, or by several together: the mean of their probabilities."""

    def __init__(
        self,
        systems: Sequence[Seq2Seq],
        options: Mapping[str, Any],
        encode: Callable[[str], Sequence[int]],
        *,
        fusion: tuple[LanguageModel, float] | None = None,
    ) -> None:
        """Search by ``systems``.

        Args:
            options: `OPTIONS` in plain values: ``{"beam_size": 4, "constraints": {"prefix": "In"}}``.
            encode: makes tokens of the texts of constraints.
            fusion: a language model over the same tokens, and its weight, see `shallow_fusion`.

        Raises:
            ValueError: for an option that there is not, or a value that it cannot have.
        """
        self.systems, self.fusion = list(systems), fusion
        self.keywords = search_keywords(options)
        self.coverage = self.keywords.pop("coverage", 0.0)
        constraints: Constraints = self.keywords.pop("constraints", Constraints())
        self.sampling: Sampling | None = self.keywords.pop("sampling", None)
        self.prefix = [] if constraints.prefix is None else tokens_of("prefix", constraints.prefix, encode)
        self.required = [tokens_of("required", text, encode) for text in constraints.required]
        self.rules = rules_of(constraints, encode)
        if self.sampling is not None:
            samples_only(options, self.required)
        system = self.systems[0]
        nothing = torch.zeros(1, 0, dtype=torch.int64) if system.input_size is None else torch.zeros(1, 0, system.input_size)
        self._find(self.start(nothing[:0].to(system.device), None))  # a search for nothing checks all its options

    def start(self, sources: Tensor, lengths: Tensor | None) -> Start:
        """Where a search for ``sources``, (B, S) or (B, S, F), begins."""
        start = together([start_of(system, sources, lengths, self.coverage) for system in self.systems])
        return start if self.fusion is None else with_language_model(start, *self.fusion)

    @torch.no_grad()
    def __call__(self, sources: Tensor, lengths: Tensor | None = None) -> list[list[Found]]:
        """For each of the ``sources``, (B, S) or (B, S, F), what is found: the best first, samples as they were drawn."""
        if self.sampling is None:
            return found_of(self._find(self.start(sources, lengths)))
        sizes = [sources.shape[1]] * len(sources) if lengths is None else lengths.tolist()
        alone = (self._find(self.start(sources[row : row + 1, :size], None)) for row, size in enumerate(sizes))
        return [found for hypotheses in alone for found in found_of(hypotheses)]

    def _find(self, start: Start) -> Hypotheses:
        rows, device = len(start.first), start.first.device
        rules: list[Rule] = [*self.rules]
        if self.prefix:
            rules.append(ForcedPrefix(torch.tensor([self.prefix], device=device).expand(rows, -1)))
        keywords = {"max_length": start.longest, "end": start.end, "rules": rules, **self.keywords}
        if self.sampling is None:
            required = [self.required] * rows if self.required else None
            return beam_search(start.step, start.state, start.first, bonus=start.bonus, required=required, **keywords)
        generator = torch.Generator(device).manual_seed(self.sampling.seed)
        keywords |= {"samples": keywords.pop("n_best", 1), "generator": generator, **self.sampling.keep()}
        drawn = sample(start.step, start.state, start.first, **keywords)
        return drawn._replace(scores=drawn.log_probs)

    @torch.no_grad()
    def scores(self, sources: Tensor, lengths: Tensor | None, targets: Sequence[Sequence[int]]) -> list[float]:
        """The log-probability of each source's target, its end included (forced decoding); constraints do not count."""
        start = self.start(sources, lengths)
        rows = [torch.tensor([*target, start.end]) for target in targets]
        tokens = pad_sequence(rows, batch_first=True).to(sources.device)
        sizes = torch.tensor([len(row) for row in rows], device=sources.device)
        return score(start.step, start.state, start.first, tokens, sizes).tolist()


def found_of(hypotheses: Hypotheses) -> list[list[Found]]:
    """What there is of each row's ``hypotheses``."""
    rows = zip(hypotheses.tokens.tolist(), hypotheses.lengths.tolist(), hypotheses.scores.tolist(), strict=True)
    return [[Found(one[: size - 1], score) for one, size, score in zip(*row, strict=True) if size] for row in rows]


def tokens_of(name: str, text: str, encode: Callable[[str], Sequence[int]]) -> list[int]:
    """The tokens of a constraint's text.

    Raises:
        ValueError: where it has none, or the vocabulary lacks some.
    """
    try:
        tokens = list(encode(text))
    except ValueError as error:
        raise ValueError(f"constraints: {name}: {error}") from None
    if not tokens:
        raise ValueError(f"constraints: {name} must have a token or more, which {shown(text)} has not")
    return tokens


def rules_of(constraints: Constraints, encode: Callable[[str], Sequence[int]]) -> list[Rule]:
    """The rules that hold for every source alike."""
    rules: list[Rule] = []
    if constraints.forbidden:
        rules.append(BannedPhrases([tokens_of("forbidden", text, encode) for text in constraints.forbidden]))
    if constraints.no_repeated_ngrams is not None:
        rules.append(NoRepeatedNgrams(constraints.no_repeated_ngrams))
    if constraints.repetition_penalty is not None:
        rules.append(RepetitionPenalty(constraints.repetition_penalty))
    return rules


def samples_only(options: Mapping[str, Any], required: Sequence[Any]) -> None:
    """Refuse options of a beam where samples are drawn.

    Raises:
        ValueError: naming the first.
    """
    if given := [name for name in OF_BEAMS if options.get(name) is not None]:
        raise ValueError(f"{given[0]} is an option of a beam, and sampling has none: leave one of the two out")
    if required:
        raise ValueError("required phrases share out a beam, and sampling has none: leave one of the two out")


def search_keywords(options: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords from plain values: ``{"normalisation": {"name": "gnmt", "alpha": 0.6}, ...}``.

    Raises:
        ValueError: for an unknown option, no number where one is needed, an unknown normalisation or a keyword that it,
            constraints or sampling do not have.
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
    if "sampling" not in made:
        made["normalisation"] = make_normalisation(options.get("normalisation"))
    return made
