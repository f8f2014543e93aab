"""Acoustic features: log-mel spectra and cepstra of the samples of a sound file.

Shapes: N samples, T frames, F features.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = ("log_mel", "mfcc")
CONTAINERS = ("WAV", "WAVEX", "RF64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3")
"""The forms of sound files that are read, by their names in libsndfile: those that say how much there should be."""
LONGEST = 2**40
"""More samples than any file has; libsndfile gives a number beyond it where a file states none."""
REACH = 2
"""Frames on either side that a delta (the slope of a feature) is computed from."""


def decode(data: bytes, sampling_rate: int) -> NDArray[np.float32]:
    """Decode a sound file of one of the `CONTAINERS` to samples (N,) in -1..1.

    Raises:
        ValueError: for a damaged file, another container or sampling rate, several channels, fewer samples than the file
            states or none, or one that is not finite.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate, container, stated = file.samplerate, file.format, file.frames
            if container not in CONTAINERS:
                raise ValueError(f"whether {container} is complete cannot be checked: convert it to WAV or FLAC")
            if stated > LONGEST:
                raise ValueError("it does not say how many samples it has: convert it to WAV")
            samples = file.read(dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).rpartition(">: ")[2].split())  # without the address of the bytes
        raise ValueError(f"it is no sound that can be read: {reason}") from None
    if len(samples) < stated:
        raise ValueError(f"it is cut short: it has {len(samples)} of the {stated} samples that it should have")
    if rate != sampling_rate:
        raise ValueError(f"its sampling rate is {rate} Hz, not {sampling_rate}; resample it, or set sampling_rate")
    if samples.shape[1] != 1:
        raise ValueError(f"it has {samples.shape[1]} channels; features are those of one")
    if not len(samples):
        raise ValueError("it has no samples")
    wrong = np.flatnonzero(~np.isfinite(samples[:, 0]))
    if len(wrong):
        raise ValueError(f"sample {wrong[0]} is {samples[wrong[0], 0]}")
    return samples[:, 0].astype(np.float32, copy=False)


@dataclass(frozen=True)
class Spectra:
    """Settings of spectral features: a frame every ``hop`` seconds, of a ``window`` of seconds, whole windows only.

    ``log_mel``: log energies of ``mels`` triangular filters from 20 Hz to half the sampling rate; ``mfcc``: the first
    ``coefficients`` of their cosine transform, of which the first is the log energy of the frame. Both as Kaldi makes them
    (pre-emphasis 0.97, Povey's window, no dither), by kaldi-native-fbank. ``deltas`` times their slopes over five frames are
    added. Silence gives the logarithm of a small constant.
    """

    sampling_rate: int
    kind: str = "mfcc"
    window: float = 0.025
    hop: float = 0.010
    mels: int = 26
    coefficients: int = 13
    deltas: int = 2

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"spectra.kind must be one of {KINDS}, not {self.kind!r}")
        if min(self.sampling_rate, self.window, self.hop, self.mels, self.coefficients) <= 0 or self.deltas < 0:
            raise ValueError(f"spectra must have numbers above 0, and deltas of 0 or more, not {self}")
        if self.kind == "mfcc" and self.coefficients > self.mels:
            raise ValueError(f"spectra have {self.mels} mels, from which no {self.coefficients} coefficients can be made")

    @property
    def size(self) -> int:
        """The number of features of a frame, F."""
        return (self.mels if self.kind == "log_mel" else self.coefficients) * (1 + self.deltas)

    def centres(self, frames: int) -> NDArray[np.float64]:
        """The seconds (T,) at the middle of each frame."""
        return np.arange(frames, dtype=np.float64) * self.hop + self.window / 2

    def features(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The features (T, F) of ``samples`` (N,).

        Raises:
            ValueError: where they are shorter than a window.
        """
        if len(samples) < round(self.window * self.sampling_rate):
            seconds = len(samples) / self.sampling_rate
            raise ValueError(f"it lasts {seconds:.3f} s, less than a window of {self.window} s")
        parts = [self._base(samples)]
        for _ in range(self.deltas):
            parts.append(slopes(parts[-1]))
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _base(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        import kaldi_native_fbank as kaldi

        options: Any = kaldi.FbankOptions() if self.kind == "log_mel" else kaldi.MfccOptions()
        options.frame_opts.samp_freq = self.sampling_rate
        options.frame_opts.frame_length_ms = 1000 * self.window
        options.frame_opts.frame_shift_ms = 1000 * self.hop
        options.frame_opts.dither = 0.0
        options.mel_opts.num_bins = self.mels
        if self.kind == "mfcc":
            options.num_ceps = self.coefficients
        stream = (kaldi.OnlineFbank if self.kind == "log_mel" else kaldi.OnlineMfcc)(options)
        stream.accept_waveform(self.sampling_rate, samples.tolist())
        stream.input_finished()
        return np.stack([stream.get_frame(frame) for frame in range(stream.num_frames_ready)])


def slopes(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The slope of each of ``features`` (T, F) over the `REACH` frames on either side, ends repeated: the regression

    d_t = sum_n n (c_{t+n} - c_{t-n}) / (2 sum_n n^2) (Young et al., The HTK Book, equation 5.16).
    """
    frames = len(features)
    padded = np.concatenate([features[:1]] * REACH + [features] + [features[-1:]] * REACH)
    steps = range(1, REACH + 1)
    ahead = [
        step * (padded[REACH + step : REACH + step + frames] - padded[REACH - step : REACH - step + frames]) for step in steps
    ]
    return np.sum(ahead, axis=0) / (2 * sum(step * step for step in steps))
