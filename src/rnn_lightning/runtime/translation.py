"""Exported encoder-decoders that search for the text of a text, or of a signal.

Shapes: B sources.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..checks import check_beam, check_counts, check_flags
from ..items.base import Answer
from ..items.folders import file_in, read_description, read_tokenizer, settings_of
from ..items.inputs import Encoded, Inputs, TextInputs
from ..items.ranked import RankedAnswers
from ..items.searches import Constraints, Spelled, UnsatisfiedError, check_samples_only, merged, read_options
from ..items.sides import Side, labels_side, tokenizer_side
from .base import Deployed
from .kinds import inputs_of
from .rules import Rules
from .search import Decoder
from .session import Exported


class DeployedSearch(RankedAnswers, Deployed):
    """The best text of an item with its score, see `RankedAnswers`."""

    def __init__(
        self,
        exported: Exported,
        inputs: Inputs,
        target: Side,
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
        check_flags(scores=scores)
        end, options = exported.settings["end"], read_options(search)
        constraints = options.get("constraints", Constraints())
        options["constraints"] = Spelled.of(constraints, target.encode_known, end, target.silent)
        check_counts(n_best=options.get("n_best", 1))
        if "sampling" in options:
            check_samples_only(options, options["constraints"].required)
        else:
            check_beam(options.get("beam_size", 5))
            options["beam_size"] = max(options.get("beam_size", 5), options.get("n_best", 1))
        self.rules = Rules(end, **options)
        self.target, self.listed = target, scores or self.rules.n_best > 1
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
        diversity: float | None = None,
        groups: int | None = None,
        patience: float | None = None,
        constraints: dict[str, Any] | None = None,
        sampling: dict[str, Any] | None = None,
        threads: int = 1,
    ) -> "DeployedSearch":
        """What answers by an exported folder. What is ``None`` of the search is as in the run's test."""
        given: dict[str, Any] = {"max_length": max_length, "min_length": min_length, "constraints": constraints}
        given |= {"sampling": sampling, "normalisation": normalisation, "coverage": coverage, "diversity": diversity}
        given |= {"beam_size": beam_size, "groups": groups, "patience": patience, "stop": stop}
        exported, search = Exported(folder, threads), {**merged(settings_of(folder, "search"), given), "n_best": n_best}
        return cls(exported, *cls.sides(exported), search=search, batch_size=batch_size, scores=scores)

    @classmethod
    def sides(cls, exported: Exported) -> tuple[Inputs, Side]:
        """What encodes an item, and the target's side."""
        raise NotImplementedError

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        inputs, lengths = self.pad(batch)
        parts = self.exported.graphs["encoder"](inputs, lengths)
        most, stride = self.rules.max_length, self.exported.settings["stride"]
        longest = [2 * -(-length // stride) + 10 if most is None else most for length in lengths.tolist()]
        try:
            found, reasons = self.decoder.search(self.rules, longest, parts), {}
        except UnsatisfiedError as error:
            found, reasons = error.found, error.reasons
        listed = [[{"text": self.target.decode(tokens), "score": score} for score, tokens in row] for row in found]
        return [self.refusal(reasons[row]) if row in reasons else self.of_ranked(one) for row, one in enumerate(listed)]


class DeployedTranslator(DeployedSearch):
    """The best translation of a line."""

    @classmethod
    def sides(cls, exported: Exported) -> tuple[Inputs, Side]:
        described = read_description(exported.folder)
        names = ("tokenizer", "target_tokenizer")
        source, target = (read_tokenizer(file_in(exported.folder, described.get(name))) for name in names)
        return TextInputs(source), tokenizer_side(target)


class DeployedTranscriber(DeployedSearch):
    """The text of a signal: speech, handwriting, phonemes."""

    @classmethod
    def sides(cls, exported: Exported) -> tuple[Inputs, Side]:
        return inputs_of(exported), labels_side(exported.settings["labels"], exported.settings["unit"])
