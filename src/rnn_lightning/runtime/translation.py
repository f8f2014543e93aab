"""Exported encoder-decoders that search for the text of a text, or of a signal.

Shapes: B sources.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..checks import check_counts, check_flags
from ..items.base import Answer
from ..items.folders import file_in, read_description, read_tokenizer
from ..items.inputs import Encoded, Inputs, TextInputs
from ..items.ranked import RankedAnswers
from ..label_names import text_of_labels
from .base import Deployed
from .kinds import inputs_of
from .search import Decoder, Rules
from .session import Exported

ONLY_IN_THE_LIBRARY: dict[str, Any] = {"groups": 1, "diversity": 0.0, "constraints": {}, "sampling": {}}
"""Options of the library's search that there are not here, and their values that change nothing."""


class DeployedSearch(RankedAnswers, Deployed):
    """The best text of an item with its score, see `RankedAnswers`."""

    def __init__(
        self,
        exported: Exported,
        inputs: Inputs,
        decode: Callable[[list[int]], str],
        *,
        search: Mapping[str, Any],
        batch_size: int = 32,
        scores: bool = False,
    ) -> None:
        """Search by ``exported``; the options are those of `SearchPredictor`.

        Raises:
            ValueError: for an option that there is not, or a value that it cannot have.
        """
        super().__init__(exported, inputs, batch_size=batch_size)
        options = {name: value for name, value in search.items() if ONLY_IN_THE_LIBRARY.get(name) != value}
        if lacking := sorted(ONLY_IN_THE_LIBRARY.keys() & options):
            raise ValueError(f"{lacking[0]} is an option of the library's search, and of no exported one: leave it out")
        check_counts(n_best=options.get("n_best", 1))
        check_flags(scores=scores)
        options["beam_size"] = max(options.get("beam_size", 5), options.get("n_best", 1))
        self.rules = Rules(exported.settings["end"], **options)
        self.decode, self.listed = decode, scores or self.rules.n_best > 1
        names = exported.graphs["step"].inputs
        looks = sum(not name.startswith("state_") for name in names[1:])
        if self.rules.coverage and "keys" not in names:
            raise ValueError("coverage counts what attention looked at: it needs an attention, not None")
        self.decoder = Decoder(exported.graphs["step"], looks, "keys" in names)

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        batch_size: int = 32,
        n_best: int = 1,
        scores: bool = False,
        beam_size: int | None = None,
        normalisation: dict[str, Any] | None = None,
        stop: str | None = None,
        max_length: int | None = None,
        min_length: int | None = None,
        coverage: float | None = None,
        patience: float | None = None,
        threads: int = 1,
    ) -> "DeployedSearch":
        """What answers by an exported folder. What is ``None`` of the search is as in the run's test."""
        exported, own = Exported(folder, threads), read_description(folder)["search"]
        lengths = {"max_length": max_length, "min_length": min_length, "beam_size": beam_size, "patience": patience}
        more = {"normalisation": normalisation, "coverage": coverage, "stop": stop}
        search = own | {name: value for name, value in (lengths | more).items() if value is not None} | {"n_best": n_best}
        inputs, decode = cls.sides(exported)
        return cls(exported, inputs, decode, search=search, batch_size=batch_size, scores=scores)

    @classmethod
    def sides(cls, exported: Exported) -> tuple[Inputs, Callable[[list[int]], str]]:
        """What encodes an item, and what makes a text of target tokens."""
        raise NotImplementedError

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        inputs, lengths = self.pad(batch)
        parts = self.exported.graphs["encoder"](inputs, lengths)
        most = self.rules.max_length
        longest = [
            2 * -(-length // self.exported.settings["stride"]) + 10 if most is None else most for length in lengths.tolist()
        ]
        answers = []
        for found in self.decoder.search(self.rules, longest, parts):
            answers.append(self.of_ranked([{"text": self.decode(tokens), "score": score} for score, tokens in found]))
        return answers


class DeployedTranslator(DeployedSearch):
    """The best translation of a line."""

    @classmethod
    def sides(cls, exported: Exported) -> tuple[Inputs, Callable[[list[int]], str]]:
        described = read_description(exported.folder)
        names = ("tokenizer", "target_tokenizer")
        source, target = (read_tokenizer(file_in(exported.folder, described.get(name))) for name in names)
        return TextInputs(source), target.decode


class DeployedTranscriber(DeployedSearch):
    """The text of a signal: speech, handwriting, phonemes."""

    @classmethod
    def sides(cls, exported: Exported) -> tuple[Inputs, Callable[[list[int]], str]]:
        names, unit = exported.settings["labels"], exported.settings["unit"]
        return inputs_of(exported), lambda labels: text_of_labels(names, unit, labels)
