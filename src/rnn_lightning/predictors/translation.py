"""Texts from texts, or from signals, found by a search."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..items.folders import settings_of
from ..items.inputs import Inputs, TextInputs, make_inputs
from ..models import Seq2Seq
from .sides import Shared, Side, labels_side, text_sides
from .texts import SearchPredictor

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class TranslationPredictor(SearchPredictor):
    """The best translation of a line."""

    @classmethod
    def sides(cls, folder: str | Path, system: Seq2Seq) -> tuple[Inputs, Side]:
        source, target = text_sides(folder)
        return TextInputs(source), target

    @classmethod
    def shared(cls, folder: str | Path, system: Seq2Seq) -> Shared:
        source, target = text_sides(folder)
        return cls.shared_by(source, target)

    @staticmethod
    def shared_by(source: "Tokenizer", target: Side) -> Shared:
        """What is shared by all networks of these tokens."""
        return Shared(source.get_vocab(), list(target.names))


class TranscriptionPredictor(SearchPredictor):
    """The text of a signal: speech, handwriting, phonemes."""

    @classmethod
    def sides(cls, folder: str | Path, system: Seq2Seq) -> tuple[Inputs, Side]:
        return make_inputs(settings_of(folder, "inputs"), folder, system.input_size), labels_side(system)

    @classmethod
    def shared(cls, folder: str | Path, system: Seq2Seq) -> Shared:
        return cls.shared_by(settings_of(folder, "inputs"), system)

    @staticmethod
    def shared_by(inputs: Mapping[str, Any], system: Seq2Seq) -> Shared:
        """What is shared by all networks that read items as ``inputs`` says, and write the labels of ``system``."""
        return Shared({**inputs, "input_size": system.input_size}, list(labels_side(system).names))
