"""Texts from texts, or from signals, found by a search.

Shapes: B sources, S steps of the longest, U target steps.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from torch.nn.utils.rnn import pad_sequence

from ..checks import check_beam, check_counts, check_flags, check_names
from ..inference import prepared
from ..items.base import Answer
from ..items.folders import settings_of
from ..items.inputs import Encoded, Inputs, TextInputs, make_inputs
from ..items.ranked import RankedAnswers
from ..items.scores import NO_SCORE, PairedInputs, score_line, score_of
from ..models import LanguageModel, Seq2Seq
from ..sequences import IGNORED
from .base import Predictor, load_system
from .searching import OF_BEAMS, Found, Searcher
from .sides import Side, check_same, labels_side, language_model_of, text_sides

if TYPE_CHECKING:
    pass


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
        super().__init__(systems[0], PairedInputs(inputs, target.encode) if asked.score else inputs, batch_size=batch_size)
        options = {"n_best": 1, **(search or {})}
        check_counts(n_best=options["n_best"])
        if options.get("sampling") is None:
            check_beam(options.get("beam_size", 5))
            options["beam_size"] = max(options.get("beam_size", 5), options["n_best"])
        if asked.attention and (len(systems) > 1 or systems[0].decoder.attention is None or asked.score):
            raise ValueError("attention is shown of the translations of one run that has an attention: leave attention out")
        self.search = Searcher(systems, options, target.encode_known, fusion=fusion)
        self.source, self.target, self.asked = inputs.tokenizer, target, asked
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
        """The predictor of a run, with others an ``ensemble``. What is ``None`` of the search is as in the run's test;
        ``weights`` are those of `prepared`; ``fusion`` is ``{"run": FOLDER, "weight": 0.3}`` of a language model."""
        lengths = {"max_length": max_length, "min_length": min_length, "constraints": constraints, "sampling": sampling}
        scoring = {"normalisation": normalisation, "coverage": coverage, "diversity": diversity}
        size = {"beam_size": beam_size, "groups": groups, "patience": patience, "stop": stop}
        given = {name: value for name, value in (lengths | scoring | size).items() if value is not None}
        if score and (unused := [*given, *(["n_best"] if n_best > 1 else [])]):
            raise ValueError(
                f"score=true scores the targets that are given and searches for nothing: leave {', '.join(unused)} out"
            )
        search = {**own_search(folder, sampled=sampling is not None), **given, "n_best": n_best}
        folders, asked = [folder, *(ensemble or [])], Asked(scores, score, attention)
        return cls.of_folders(folders, weights=weights, search=search, batch_size=batch_size, asked=asked, fusion=fusion)

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
        systems = [prepared(load_system(Seq2Seq, folder), weights) for folder in folders]
        sides = [cls.sides(folder, system) for folder, system in zip(folders, systems, strict=True)]
        for folder, (source, target), system in zip(folders, sides, systems, strict=True):
            check_same(str(folder), "source", cls.read_by(source, system), cls.read_by(sides[0][0], systems[0]))
            check_same(str(folder), "target", target.names, sides[0][1].names)
        inputs, target = sides[0]
        added = None if fusion is None else language_model_of(fusion, target)
        return cls(systems, inputs, target, search=search, batch_size=batch_size, asked=asked, fusion=added)

    @classmethod
    @abstractmethod
    def sides(cls, folder: str | Path, system: Seq2Seq) -> tuple[Inputs, Side]:
        """What encodes an item for the ``system``, and the target's side, by the description of ``folder``."""

    @staticmethod
    def read_by(inputs: Inputs, system: Seq2Seq) -> Any:
        """What must be equal of the sources of all runs of an ensemble."""
        return system.input_size if inputs.tokenizer is None else inputs.tokenizer.get_vocab()

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        sources = self.pad(batch)
        if self.asked.score:
            scored = self.search.scores(*sources, [item.source for item in batch])
            return [score_of(total, len(item.source) + 1) for total, item in zip(scored, batch, strict=True)]
        found = self.search(*sources)
        listed = [[{"text": self.target.decode(one.tokens), "score": one.score} for one in row] for row in found]
        more = self.attended(batch, found) if self.asked.attention else [{} for _ in batch]
        return [self.of_ranked(ranked) | also for ranked, also in zip(listed, more, strict=True)]

    def attended(self, batch: Sequence[Encoded], found: Sequence[Sequence[Found]]) -> list[Answer]:
        """What the best text of each row, and its end, attended to."""
        sources, lengths = self.pad(batch)
        rows = [[*(row[0].tokens if row else []), self.system.end] for row in found]
        targets = pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=IGNORED)
        weights = cast(torch.Tensor, self.system.attend(sources, lengths, targets.to(sources.device)))
        answers: list[Answer] = []
        for item, row, of_row in zip(batch, rows, weights, strict=True):
            names = None if self.source is None else [self.source.id_to_token(int(token)) for token in item.steps]
            thinning = self.system.subsampling
            steps = len(item.steps) if thinning is None else int(thinning.steps(torch.tensor([len(item.steps)])))
            more = {} if names is None else {"source": names}
            shown = of_row[: len(row), :steps].tolist()
            answers.append({**more, "target": [self.target.names[token] for token in row], "attention": shown})
        return answers

    def no_answer(self) -> Answer:
        return dict(NO_SCORE) if self.asked.score else super().no_answer()

    def text(self, answer: Answer, form: str = "text") -> str:
        return score_line(answer) if self.asked.score else super().text(answer, form)


class TranslationPredictor(SearchPredictor):
    """The best translation of a line."""

    @classmethod
    def sides(cls, folder: str | Path, system: Seq2Seq) -> tuple[Inputs, Side]:
        source, target = text_sides(folder)
        return TextInputs(source), target


class TranscriptionPredictor(SearchPredictor):
    """The text of a signal: speech, handwriting, phonemes."""

    @classmethod
    def sides(cls, folder: str | Path, system: Seq2Seq) -> tuple[Inputs, Side]:
        return make_inputs(settings_of(folder, "inputs"), folder, system.input_size), labels_side(system)


def own_search(folder: str | Path, *, sampled: bool) -> dict[str, Any]:
    """The search of the run's test; without what samples do not have where they are drawn."""
    own = settings_of(folder, "search")
    return {name: value for name, value in own.items() if not (sampled and name in OF_BEAMS)}
