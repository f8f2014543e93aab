"""A search of encoder-decoders from plain options: a beam or samples, constraints in words, several models together.

Shapes: B sources, S steps of the longest, F features of a source, T tokens of the longest target.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..items.searches import Constraints, Sampling, Spelled, check_found, check_samples_only, read_options
from ..models import LanguageModel, Seq2Seq
from ..models.searching import Start, start_of, together, with_language_model
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
        silent: Sequence[int] = (),
    ) -> None:
        """Search by ``systems``.

        Args:
            options: `OPTIONS` in plain values: ``{"beam_size": 4, "constraints": {"prefix": "In"}}``.
            encode: makes tokens of the texts of constraints.
            fusion: a language model over the same tokens, and its weight, see `shallow_fusion`.
            silent: tokens that name no part of a text, see `Spelled.of`.

        Raises:
            ValueError: for an option that there is not, or a value that it cannot have.
        """
        self.systems, self.fusion = list(systems), fusion
        self.keywords, system = search_keywords(options), self.systems[0]
        self.coverage = self.keywords.pop("coverage", 0.0)
        constraints: Constraints = self.keywords.pop("constraints", Constraints())
        self.sampling: Sampling | None = self.keywords.pop("sampling", None)
        self.spelled = Spelled.of(constraints, encode, system.end, silent)
        self.rules = rules_of(self.spelled)
        if self.sampling is not None:
            check_samples_only(options, self.spelled.required)
        nothing = torch.zeros(1, 0, dtype=torch.int64) if system.input_size is None else torch.zeros(1, 0, system.input_size)
        self._find(self.start(nothing[:0].to(system.device), None))  # a search for nothing checks all its options
        if "max_length" in self.keywords:
            self.spelled.check_length(self.keywords["max_length"])

    def start(self, sources: Tensor, lengths: Tensor | None) -> Start:
        """Where a search for ``sources``, (B, S) or (B, S, F), begins."""
        start = together([start_of(system, sources, lengths, self.coverage) for system in self.systems])
        return start if self.fusion is None else with_language_model(start, *self.fusion)

    @torch.no_grad()
    def __call__(self, sources: Tensor, lengths: Tensor | None = None) -> list[list[Found]]:
        """For each of the ``sources``, (B, S) or (B, S, F), what is found: the best first, samples as they were drawn.

        Raises:
            UnsatisfiedError: where nothing that is found for a source satisfies the constraints.
        """
        sizes = [sources.shape[1]] * len(sources) if lengths is None else lengths.tolist()
        if self.sampling is None:
            starts = [self.start(sources, lengths)]
        else:  # each alone, with random numbers of its own
            starts = [self.start(sources[row : row + 1, :size], None) for row, size in enumerate(sizes)]
        found = [row for start in starts for row in found_of(self._find(start))]
        most = [self.keywords.get("max_length", length) for start in starts for length in start.longest.tolist()]
        check_found(found, self.spelled, most, None if self.sampling else self.keywords.get("beam_size", 5))
        return found

    def _find(self, start: Start) -> Hypotheses:
        rows, device = len(start.first), start.first.device
        rules: list[Rule] = [*self.rules]
        if self.spelled.prefix:
            rules.append(ForcedPrefix(torch.tensor([self.spelled.prefix], device=device).expand(rows, -1)))
        keywords = {"max_length": start.longest, "end": start.end, "rules": rules, **self.keywords}
        if self.sampling is None:
            required = [self.spelled.required] * rows if self.spelled.required else None
            return beam_search(start.step, start.state, start.first, bonus=start.bonus, required=required, **keywords)
        generator = torch.Generator(device).manual_seed(self.sampling.seed)
        keywords |= {"samples": keywords.pop("n_best", 1), "generator": generator, **self.sampling.filter}
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


def rules_of(spelled: Spelled) -> list[Rule]:
    """The rules that hold for every source alike, but for the prefix."""
    rules: list[Rule] = []
    if spelled.forbidden:
        rules.append(BannedPhrases(spelled.forbidden))
    if spelled.no_repeated_ngrams is not None:
        rules.append(NoRepeatedNgrams(spelled.no_repeated_ngrams))
    if spelled.repetition_penalty is not None:
        rules.append(RepetitionPenalty(spelled.repetition_penalty))
    return rules


def search_keywords(options: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords from plain values: ``{"normalisation": {"name": "gnmt", "alpha": 0.6}, ...}``.

    Raises:
        ValueError: as `read_options`, and for an unknown normalisation or a keyword that it does not have.
    """
    made = read_options(options)
    if "sampling" not in made:
        made["normalisation"] = make_normalisation(options.get("normalisation"))
    return made
