"""Real numbers for each text or signal, or for every step of it.

Shapes: B items, T steps, K targets, Q quantiles.
"""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from ..models import SequenceRegressor
from ..models.quantiles import middle
from .base import Answer, Encoded, Predictor
from .folders import load_system, settings_of
from .inputs import make_inputs


class ValuePredictor(Predictor[SequenceRegressor]):
    """The value of each target, and of each step where there is one: ``{"text": "0.934217", "values": {"value": 0.9342...}}``.

    With quantiles there is ``quantiles``, ``{"value": {"0.1": ..., ...}}``, and the value is the middle one.
    """

    @classmethod
    def load(cls, folder: str | Path, *, batch_size: int = 16) -> "ValuePredictor":
        system = load_system(SequenceRegressor, folder)
        size = system.input_size if system.vocab_size is None else system.vocab_size
        return cls(system, make_inputs(settings_of(folder, "inputs"), folder, size), batch_size=batch_size)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        values = self.system.regress(*self.pad(batch))
        values = values.unsqueeze(-1) if self.system.quantiles is None else values  # (B, ..., K, Q)
        steps = [slice(len(item.steps)) if self.system.every_step else ... for item in batch]
        return [self.answer_of(row[real]) for row, real in zip(values, steps, strict=True)]

    def answer_of(self, values: Tensor) -> Answer:
        """The answer for ``values`` (K, Q) or (T, K, Q)."""
        names, quantiles = self.system.targets, self.system.quantiles
        chosen = dict(zip(names, values[..., middle(quantiles)].movedim(-1, 0).tolist(), strict=True))
        text = "; ".join(
            " ".join(f"{value:.6g}" for value in (each if self.system.every_step else [each])) for each in chosen.values()
        )
        answer: Answer = {"text": text, "values": chosen}
        if quantiles is not None:
            each = zip(names, values.movedim((-2, -1), (0, 1)).tolist(), strict=True)
            answer["quantiles"] = {name: dict(zip(map(str, quantiles), some, strict=True)) for name, some in each}
        return answer
