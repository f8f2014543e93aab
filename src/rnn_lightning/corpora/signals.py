"""Items to signals: the bytes of a sound file, or the strokes of a pen.

Shapes: N samples, T steps, F features.
"""

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..audio import Spectra, decode
from ..pen import pen_features
from .containers import check_complete
from .corpus import Signal


def samples_of(data: bytes, sampling_rate: int) -> NDArray[np.float32]:
    """The samples (N,) of a sound file, checked to be complete, because `decode` also reads files that are cut short.

    Raises:
        ValueError: as ``check_complete`` and ``decode``.
    """
    check_complete(data)
    return decode(data, sampling_rate)


def sound_of(data: bytes, spectra: Spectra) -> Signal:
    """The ``spectra`` of the sound in the bytes of a file. A frame stands for the time around the middle of its window.

    Raises:
        ValueError: where it cannot be read as sound of that rate, is shorter than a window, or silent.
    """
    samples = samples_of(data, spectra.sampling_rate)
    if (samples == samples[0]).all():
        raise ValueError(f"it is silent: every sample is {samples[0]:g}")
    features = spectra.features(samples)
    return Signal(features, spectra.centres(len(features) + 1) - spectra.hop / 2)


def trajectory_of(strokes: str | Sequence[ArrayLike], *, spacing: float, upright: bool = False) -> Signal:
    """The `pen_features` of strokes, also in JSON: ``[[[x, y], ...], ...]``.

    Raises:
        ValueError: where these are no strokes, or as ``pen_features``.
    """
    try:
        read = [np.asarray(stroke, np.float64) for stroke in (json.loads(strokes) if isinstance(strokes, str) else strokes)]
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise ValueError("it is no JSON of strokes, [[[x, y], ...], ...]") from None
    return Signal(pen_features(read, spacing=spacing, upright=upright))
