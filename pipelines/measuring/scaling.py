"""A forecaster brought to the scale of another series, so that its errors are those of values standardised as that is."""

from collections.abc import Mapping
from typing import Any

from rnn_lightning import Forecaster
from rnn_lightning.standardize import Standardize


def scale(system: Forecaster, card: Mapping[str, Any]) -> None:
    """Give ``system`` the means, the deviations and the seasonal errors that the ``card`` of a series states."""
    system.standardize = Standardize(system.input_size, card["standardize"])
    system.hparams["seasonal_errors"] = card["seasonal_errors"]
    system.complete()  # its scaled error reads them
