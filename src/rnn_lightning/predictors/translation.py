"""Texts from texts, or from signals, found by a beam search.

Shapes: B sources, S steps of the longest.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..checks import check_beam, check_counts, check_flags
from ..inference import prepared
from ..items.base import Answer
from ..items.folders import file_in, read_description, read_tokenizer, settings_of
from ..items.inputs import Encoded, Inputs, TextInputs, make_inputs
from ..items.ranked import RankedAnswers
from ..models import Seq2Seq
from ..search import Hypotheses, make_normalisation
from .base import Predictor, load_system

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NUMBERS = ("beam_size", "coverage", "diversity", "groups", "max_length", "min_length", "n_best", "patience")
OPTIONS = (*NUMBERS, "normalisation", "stop")
"""Options of a search in plain values."""


class SearchPredictor(RankedAnswers, Predictor[Seq2Seq]):
    """The best text of an item with its score, see `RankedAnswers`."""

    def __init__(
        self,
        system: Seq2Seq,
        inputs: Inputs,
        decode: Callable[[list[int]], str],
        *,
        search: Mapping[str, Any] | None = None,
        batch_size: int = 32,
        scores: bool = False,
    ) -> None:
        """Search by ``system``.

        Args:
            inputs: what encodes an item.
            decode: makes a text of the target tokens that are found.
            search: options of the search in plain values, see `search_keywords`; the beam has at least ``n_best`` hypotheses.
            scores: list a translation with its score even where it is the only one.

        Raises:
            ValueError: for an option that there is not, or a value that it cannot have.
        """
        super().__init__(system, inputs, batch_size=batch_size)
        options = {"n_best": 1, **(search or {})}
        beam_size = options.get("beam_size", 5)
        check_beam(beam_size)
        check_counts(n_best=options["n_best"])
        check_flags(scores=scores)
        beam_size = max(beam_size, options["n_best"])
        self.search = search_keywords({**options, "beam_size": beam_size})
        self.decode, self.listed = decode, scores or options["n_best"] > 1
        nothing = torch.zeros(0, 1, dtype=torch.int64) if system.input_size is None else torch.zeros(0, 1, system.input_size)
        system.translate(nothing, **self.search)  # a search for nothing checks all its options

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        batch_size: int = 32,
        weights: str = "float32",
        n_best: int = 1,
        scores: bool = False,
        beam_size: int | None = None,
        normalisation: dict[str, Any] | None = None,
        stop: str | None = None,
        max_length: int | None = None,
        min_length: int | None = None,
        coverage: float | None = None,
        diversity: float | None = None,
        groups: int | None = None,
        patience: float | None = None,
    ) -> "SearchPredictor":
        """The predictor of a run. What is ``None`` of the search is as in the run's test; ``weights`` are those of
        `prepared`: "bfloat16", "float16" and "int8" are faster."""
        settings = read_description(folder)
        lengths = {"max_length": max_length, "min_length": min_length}
        scoring = {"normalisation": normalisation, "coverage": coverage, "diversity": diversity}
        size = {"beam_size": beam_size, "groups": groups, "patience": patience, "stop": stop}
        given = {name: value for name, value in (lengths | scoring | size).items() if value is not None}
        system = prepared(load_system(Seq2Seq, folder), weights)
        search = {**settings_of(folder, "search"), **given, "n_best": n_best}
        return cls(system, *cls.sides(folder, settings, system), search=search, batch_size=batch_size, scores=scores)

    @classmethod
    @abstractmethod
    def sides(cls, folder: str | Path, settings: Mapping[str, Any], system: Seq2Seq) -> tuple[Any, Any]:
        """What the constructor takes after the ``system``, by the description ``settings`` of ``folder``."""

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        found = self.system.translate(*self.pad(batch), **self.search)
        answers: list[Answer] = []
        for row, count in enumerate((found.lengths > 0).sum(1).tolist()):
            scores = found.scores[row].tolist()
            ranked = [{"text": text_of(found, row, rank, self.decode), "score": scores[rank]} for rank in range(count)]
            answers.append(self.of_ranked(ranked))
        return answers


class TranslationPredictor(SearchPredictor):
    """The best translation of a line."""

    def __init__(
        self,
        system: Seq2Seq,
        source: "Tokenizer",
        target: "Tokenizer",
        *,
        search: Mapping[str, Any] | None = None,
        batch_size: int = 32,
        scores: bool = False,
    ) -> None:
        """Translate by ``system`` with the tokenizers of both sides; the options are those of `SearchPredictor`."""
        super().__init__(system, TextInputs(source), target.decode, search=search, batch_size=batch_size, scores=scores)

    @classmethod
    def sides(cls, folder: str | Path, settings: Mapping[str, Any], system: Seq2Seq) -> tuple["Tokenizer", "Tokenizer"]:
        source, target = (read_tokenizer(file_in(folder, settings.get(name))) for name in ("tokenizer", "target_tokenizer"))
        return source, target


class TranscriptionPredictor(SearchPredictor):
    """The text of a signal: speech, handwriting, phonemes."""

    @classmethod
    def sides(
        cls, folder: str | Path, settings: Mapping[str, Any], system: Seq2Seq
    ) -> tuple[Inputs, Callable[[list[int]], str]]:
        return make_inputs(settings_of(folder, "inputs"), folder, system.input_size), system.text


def text_of(found: Hypotheses, row: int, rank: int, decode: Callable[[list[int]], str]) -> str:
    """Hypothesis ``rank`` of source ``row``, without its end token, as ``decode`` writes it."""
    length = int(found.lengths[row, rank])
    return decode(found.tokens[row, rank, : max(length - 1, 0)].tolist())


def search_keywords(options: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of ``Seq2Seq.translate`` from plain values: ``{"normalisation": {"name": "gnmt", "alpha": 0.6}, ...}``.

    Raises:
        ValueError: for an unknown option, no number where one is needed, an unknown normalisation or a keyword that it does
            not have.
    """
    for name, value in options.items():
        if name not in OPTIONS:
            raise ValueError(f"a search has {', '.join(OPTIONS)}, and no {name!r}")
        if name in NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{name} of a search must be a number, not {value!r}")
    return {**options, "normalisation": make_normalisation(options.get("normalisation"))}
