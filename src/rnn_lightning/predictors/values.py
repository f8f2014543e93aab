"""Real numbers for each text or signal, or for every step of it.

Shapes: B items.
"""

from collections.abc import Sequence
from pathlib import Path

from ..items.base import Answer
from ..items.folders import settings_of
from ..items.inputs import Encoded, Inputs, make_inputs
from ..items.values import ValueAnswers
from ..models import SequenceRegressor
from .base import Predictor, load_system


class ValuePredictor(ValueAnswers, Predictor[SequenceRegressor]):
    """The value of each target, see `ValueAnswers`."""

    def __init__(self, system: SequenceRegressor, inputs: Inputs, *, batch_size: int = 16) -> None:
        """Answer by ``system``."""
        super().__init__(system, inputs, batch_size=batch_size)
        self.targets: Sequence[str] = system.targets
        self.quantiles: Sequence[float] | None = system.quantiles
        self.every_step = system.every_step

    @classmethod
    def load(cls, folder: str | Path, *, batch_size: int = 16) -> "ValuePredictor":
        system = load_system(SequenceRegressor, folder)
        size = system.input_size if system.vocab_size is None else system.vocab_size
        return cls(system, make_inputs(settings_of(folder, "inputs"), folder, size), batch_size=batch_size)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        return self.answers_of(self.system.regress(*self.pad(batch)).cpu().numpy(), batch)
