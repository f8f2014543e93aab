"""How series go on, told from files of their past.

Shapes: B series, H steps of horizon.
"""

from collections.abc import Sequence
from pathlib import Path

from ..items.base import Answer
from ..items.inputs import Encoded
from ..items.series import ForecastAnswers, SeriesInputs, make_series_inputs
from ..models import Forecaster
from .base import Predictor, load_system


class ForecastPredictor(ForecastAnswers, Predictor[Forecaster]):
    """The next values of each target, see `ForecastAnswers`."""

    def __init__(self, system: Forecaster, inputs: SeriesInputs, *, batch_size: int = 16) -> None:
        """Forecast by ``system``."""
        super().__init__(system, inputs, batch_size=batch_size)
        self.targets: Sequence[str] = system.targets
        self.quantiles: Sequence[float] | None = system.quantiles

    @classmethod
    def load(cls, folder: str | Path, *, batch_size: int = 16) -> "ForecastPredictor":
        system = load_system(Forecaster, folder)
        return cls(system, make_series_inputs(folder, system.input_size), batch_size=batch_size)

    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        forecasts = self.system.forecast(*self.pad(batch)).cpu().numpy()
        return [self.answer_of(forecast, item.source) for forecast, item in zip(forecasts, batch, strict=True)]
