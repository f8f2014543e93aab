"""Texts that are found by a search: what translations and transcriptions share.

Shapes: B sources, S steps of the longest, U target steps.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch.nn.utils.rnn import pad_sequence

from ..checks import check_beam, check_counts, check_flags, check_names
from ..inference import prepared
from ..items.base import Answer
from ..items.folders import PARTNERS, settings_of
from ..items.inputs import Encoded, Inputs
from ..items.pieces import token_texts
from ..items.ranked import RankedAnswers
from ..items.scores import NO_SCORE, UNKNOWN, PairedInputs, Target, score_line, score_of
from ..items.searches import UnsatisfiedError, merged
from ..items.sides import Side
from ..models import LanguageModel, Seq2Seq
from ..sequences import IGNORED
from .base import Predictor, load_system
from .searching import Found, Searcher
from .sides import Shared, language_model_of


class Asked(NamedTuple):
    """What is asked for: texts, with their ``scores`` also where there is one alone, and with ``attention``; or, with
    ``score``, log-probabilities of given texts."""

    scores: bool = False
    score: bool = False
    attention: bool = False


NOTHING_MORE = Asked()


class SearchPredictor(RankedAnswers, Predictor[Seq2Seq]):
    """The best text of an item with its score, see `RankedAnswers`; or the score of a given text, see `items.scores`.

    With attention an answer also has ``target``, the tokens of the best text and its end, ``source``, those of the item where
    it is text, and ``attention``: for each of the target how much it looked at each step of the source.
    """

    def __init__(
        self,
        systems: Sequence[Seq2Seq],
        inputs: Inputs,
        target: Side,
        *,
        search: Mapping[str, Any] | None = None,
        batch_size: int = 32,
        asked: Asked = NOTHING_MORE,
        fusion: tuple[LanguageModel, float] | None = None,
    ) -> None:
        """Search by ``systems`` together.

        Args:
            inputs: what encodes an item.
            target: makes texts of the tokens that are found, and tokens of texts.
            search: options of the search in plain values, see `Searcher`; the beam has at least ``n_best`` hypotheses.
            asked: what to answer.
            fusion: see `Searcher`.

        Raises:
            ValueError: for an option that there is not, or a value that it cannot have.
        """
        check_flags(**asked._asdict())
        super().__init__(systems[0], PairedInputs(inputs, target.target) if asked.score else inputs, batch_size=batch_size)
        options = {"n_best": 1, **(search or {})}
        check_counts(n_best=options["n_best"])
        if options.get("sampling") is None:
            check_beam(options.get("beam_size", 5))
            options["beam_size"] = max(options.get("beam_size", 5), options["n_best"])
        if asked.attention and (len(systems) > 1 or systems[0].decoder.attention is None or asked.score):
            raise ValueError("attention is shown of the translations of one run that has an attention: leave attention out")
        self.search = Searcher(systems, options, target.encode_known, fusion=fusion, silent=target.silent)
        self.source = token_texts(inputs.tokenizer) if asked.attention and inputs.tokenizer is not None else None
        self.target, self.asked = target, asked
        self.listed = asked.scores or options["n_best"] > 1

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        ensemble: list[str] | None = None,
        batch_size: int = 32,
        weights: str = "float32",
        n_best: int = 1,
        scores: bool = False,
        score: bool = False,
        attention: bool = False,
        beam_size: int | None = None,
        normalisation: dict[str, Any] | None = None,
        stop: str | None = None,
        max_length: int | None = None,
        min_length: int | None = None,
        coverage: float | None = None,
        diversity: float | None = None,
        groups: int | None = None,
        patience: float | None = None,
        constraints: dict[str, Any] | None = None,
        sampling: dict[str, Any] | None = None,
        fusion: dict[str, Any] | None = None,
    ) -> "SearchPredictor":
        """The predictor of a run, with others an ``ensemble``. What is ``None`` of the search is as in the run's test, other
        runs too; ``weights``: see `prepared`; ``fusion`` is ``{"run": FOLDER, "weight": 0.3}`` of a language model."""
        given: dict[str, Any] = {"max_length": max_length, "min_length": min_length, "constraints": constraints}
        given |= {"sampling": sampling, "normalisation": normalisation, "coverage": coverage, "diversity": diversity}
        given |= {"beam_size": beam_size, "groups": groups, "patience": patience, "stop": stop}
        given |= {"ensemble": ensemble, "fusion": fusion}
        asked = Asked(scores, score, attention)
        search = search_of(folder, given, n_best, asked)
        folders, added = [folder, *search.pop("ensemble", [])], search.pop("fusion", None)
        return cls.of_folders(folders, weights=weights, search=search, batch_size=batch_size, asked=asked, fusion=added)

    @classmethod
    def of_folders(
        cls,
        folders: Sequence[str | Path],
        *,
        weights: str,
        search: Mapping[str, Any],
        batch_size: int,
        asked: Asked,
        fusion: Mapping[str, Any] | None,
    ) -> "SearchPredictor":
        """The predictor of one folder, or of several together.

        Raises:
            ValueError: for folders of the same name, or of other tokens than the first.
        """
        check_names("run", [str(folder) for folder in folders])
        first, *others = folders
        system = prepared(load_system(Seq2Seq, first), weights)
        (inputs, target), shared = cls.sides(first, system), cls.shared(first, system)
        systems = [system, *cls.partners(others, shared, weights)]
        added = None if fusion is None else language_model_of(fusion, target)
        return cls(systems, inputs, target, search=search, batch_size=batch_size, asked=asked, fusion=added)

    @classmethod
    def partners(cls, folders: Sequence[str | Path], shared: Shared, weights: str = "float32") -> list[Seq2Seq]:
        """The networks of ``folders``, for an ensemble with one that reads and writes what is ``shared``.

        Raises:
            FileNotFoundError: where there is none.
            ValueError: where one reads or writes something else.
        """
        systems = []
        for folder in folders:
            systems.append(prepared(load_system(Seq2Seq, folder), weights))
            shared.check(str(folder), cls.shared(folder, systems[-1]))
        return systems

    @classmethod
    @abstractmethod
    def sides(cls, folder: str | Path, system: Seq2Seq) -> tuple[Inputs, Side]:
        """What encodes an item for the ``system``, and the target's side, by the description of ``folder``."""

    @classmethod
    @abstractmethod
    def shared(cls, folder: str | Path, system: Seq2Seq) -> Shared:
        """What the networks of an ensemble with that of ``folder`` must have in common with it."""

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        sources = self.pad(batch)
        if self.asked.score:
            targets: list[Target] = [item.source for item in batch]
            scored = self.search.scores(*sources, [target.tokens for target in targets])
            pairs = zip(scored, targets, strict=True)
            return [score_of(total, len(tokens) + 1) | {UNKNOWN: unknown} for total, (tokens, unknown) in pairs]
        try:
            found, reasons = self.search(*sources), {}
        except UnsatisfiedError as error:
            found, reasons = error.found, error.reasons
        listed = [[{"text": self.target.decode(one.tokens), "score": one.score} for one in row] for row in found]
        more = self.attended(batch, found) if self.asked.attention else [{} for _ in batch]
        answers = [self.of_ranked(ranked) | also for ranked, also in zip(listed, more, strict=True)]
        return [self.refusal(reasons[row]) if row in reasons else answer for row, answer in enumerate(answers)]

    def attended(self, batch: Sequence[Encoded], found: Sequence[Sequence[Found]]) -> list[Answer]:
        """What the best text of each row, and its end, attended to."""
        sources, lengths = self.pad(batch)
        rows = [[*(row[0].tokens if row else []), self.system.end] for row in found]
        targets = pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=IGNORED)
        weights = cast(torch.Tensor, self.system.attend(sources, lengths, targets.to(sources.device)))
        answers: list[Answer] = []
        for item, row, of_row in zip(batch, rows, weights, strict=True):
            names = None if self.source is None else [self.source[int(token)] for token in item.steps]
            thinning = self.system.subsampling
            steps = len(item.steps) if thinning is None else int(thinning.steps(torch.tensor([len(item.steps)])))
            more = {} if names is None else {"source": names}
            shown = of_row[: len(row), :steps].tolist()
            answers.append({**more, "target": [self.target.texts[token] for token in row], "attention": shown})
        return answers

    def no_answer(self) -> Answer:
        return dict(NO_SCORE) if self.asked.score else super().no_answer()

    def text(self, answer: Answer, form: str = "text") -> str:
        return score_line(answer) if self.asked.score else super().text(answer, form)


def search_of(folder: str | Path, options: Mapping[str, Any], n_best: int, asked: Asked = NOTHING_MORE) -> dict[str, Any]:
    """The search that the ``options`` ask for; those that are ``None`` are as in the test of the run in ``folder``.

    Raises:
        ValueError: for options of a search where given texts are to be scored, as is ``asked``.
    """
    searching = [name for name, value in options.items() if value is not None and name not in PARTNERS]
    searching += [name for name, wanted in {"n_best": n_best > 1, "scores": asked.scores}.items() if wanted]
    if asked.score and searching:
        raise ValueError(
            f"score=true scores the targets that are given and searches for nothing: leave {', '.join(searching)} out"
        )
    return {**merged(settings_of(folder, "search"), options), "n_best": n_best}
