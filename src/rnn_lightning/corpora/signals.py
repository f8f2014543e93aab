"""Items to signals: the bytes of a sound file, or the strokes of a pen.

Shapes: N samples, T steps, F features.
"""

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..audio import Spectra, decode
from ..pen import pen_features
from .corpus import Signal

UNKNOWN_SIZE = 0x7FFF0000
"""From here on the size in a header of RIFF means that who wrote it did not know it yet, as in a pipe."""


def samples_of(data: bytes, sampling_rate: int) -> NDArray[np.float32]:
    """The samples (N,) of a sound file, of which no bytes may be missing: `decode` reads what is left of a WAV or Ogg file.

    Raises:
        ValueError: where some are, or as ``decode``.
    """
    stated = int.from_bytes(data[4:8], "little") + 8
    if data[:4] == b"RIFF" and len(data) < stated < UNKNOWN_SIZE:
        raise ValueError(f"it is cut short: it has {len(data)} of the {stated} bytes that it should have")
    if data[:4] == b"OggS" and not ends_whole(data):
        raise ValueError("it is cut short: its last page is not whole, or not marked as the last")
    return decode(data, sampling_rate)


def ends_whole(data: bytes) -> bool:
    """Whether the pages of an Ogg file are whole, up to one that is marked as the last of its stream (RFC 3533, section 6)."""
    place, marks = 0, 0
    while data[place : place + 4] == b"OggS":
        header = data[place : place + 27]
        sizes = data[place + 27 : place + 27 + header[26]] if len(header) == 27 else b""
        place += 27 + len(sizes) + sum(sizes)
        if len(header) < 27 or len(sizes) < header[26] or place > len(data):
            return False
        marks = header[5]
    return bool(marks & 4)


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
