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
"""A size in a RIFF header from here on means that it is unknown, as in a stream."""


def samples_of(data: bytes, sampling_rate: int) -> NDArray[np.float32]:
    """The samples (N,) of a sound file, checked to be complete, because `decode` also reads truncated WAV and Ogg files.

    Raises:
        ValueError: where it is truncated, or as ``decode``.
    """
    size = int.from_bytes(data[4:8], "little") + 8
    if data[:4] == b"RIFF" and len(data) < size < UNKNOWN_SIZE:
        raise ValueError(f"it is cut short: it has {len(data)} of the {size} bytes that it should have")
    if data[:4] == b"OggS" and not is_complete_ogg(data):
        raise ValueError("it is cut short: its last page is not whole, or not marked as the last")
    return decode(data, sampling_rate)


def is_complete_ogg(data: bytes) -> bool:
    """Whether all pages of an Ogg file are complete, up to the one marked as the last of its stream (RFC 3533, section 6)."""
    offset, flags = 0, 0
    while data[offset : offset + 4] == b"OggS":
        header = data[offset : offset + 27]
        sizes = data[offset + 27 : offset + 27 + header[26]] if len(header) == 27 else b""
        offset += 27 + len(sizes) + sum(sizes)
        if len(header) < 27 or len(sizes) < header[26] or offset > len(data):
            return False
        flags = header[5]
    return bool(flags & 4)


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
