"""Features against their equations, written out with NumPy; sound that cannot be read is refused by reason."""

import io
from typing import Any

import numpy as np
import pytest
import soundfile

from rnn_lightning.audio import Spectra, decode, slopes

RATE = 16000


def sound(seconds: float = 0.4, rate: int = RATE, seed: int = 0) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(0, 0.01, len(time))
    return (0.3 * np.sin(2 * np.pi * (200 + 900 * time) * time) + noise + 0.05).astype(np.float32)


def encoded(samples: np.ndarray, rate: int = RATE, form: str = "WAV", subtype: str = "PCM_16") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form, subtype=subtype)
    return buffer.getvalue()


def mel(hertz: Any) -> Any:
    return 1127 * np.log(1 + np.asarray(hertz) / 700)


def equations(samples: np.ndarray, rate: int, mels: int) -> tuple[np.ndarray, np.ndarray]:
    """Log energies (T, M) of mel filters as Kaldi defines them, and the log energy (T,) of each frame."""
    window, hop = round(0.025 * rate), round(0.010 * rate)
    size = 1 << (window - 1).bit_length()
    corners = np.linspace(mel(20), mel(rate / 2), mels + 2)
    points = mel(np.arange(size // 2) * rate / size)
    rising = (points - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - points) / (corners[2:] - corners[1:-1])[:, None]
    filters = np.maximum(np.minimum(rising, falling), 0)  # (M, size / 2)
    shape = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / (window - 1))) ** 0.85
    energies, totals = [], []
    for start in range(0, len(samples) - window + 1, hop):
        frame = samples[start : start + window].astype(np.float64)
        frame = frame - frame.mean()
        totals.append(np.log(max((frame**2).sum(), np.finfo(np.float32).eps)))
        frame = frame - 0.97 * np.concatenate([frame[:1], frame[:-1]])
        power = np.abs(np.fft.rfft(frame * shape, size)[: size // 2]) ** 2
        energies.append(np.log(np.maximum(filters @ power, np.finfo(np.float32).eps)))
    return np.array(energies), np.array(totals)


def assert_frames_close(found: np.ndarray, expected: np.ndarray, share: float) -> None:
    """Each frame lies within the ``share`` of its own length of the one expected."""
    assert found.dtype == np.float32 and found.shape == expected.shape
    away = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert away.max() <= share, f"frame {away.argmax()} is {away.max():.1e} of its length away"


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("mels", [23, 40])
def test_log_mel_energies_are_those_of_the_equations(rate: int, mels: int, seed: int) -> None:
    """Written out in double precision: the single precision of the library's filters and of its transform shows where a filter
    is but a few points wide, or a band is 14 nats fainter than the loudest."""
    samples = sound(rate=rate, seed=seed)
    found = Spectra(rate, kind="log_mel", mels=mels, deltas=0).features(samples)
    expected, _ = equations(samples, rate, mels)
    assert_frames_close(found, expected, 1e-5)
    off = np.abs(np.expm1(found - expected))  # relative to each band's energy
    assert np.quantile(off, 0.99) <= 1e-4 and off.max() <= 2e-4


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("coefficients", [5, 13])
def test_cepstra_are_the_cosine_transform_and_the_energy(coefficients: int, rate: int) -> None:
    samples = sound(rate=rate)
    energies, totals = equations(samples, rate, 26)
    rows = np.arange(coefficients)[:, None]
    transform = np.sqrt(2 / 26) * np.cos(np.pi / 26 * (np.arange(26) + 0.5) * rows)
    lifter = 1 + 11 * np.sin(np.pi * np.arange(coefficients) / 22)
    expected = energies @ transform.T * lifter
    expected[:, 0] = totals
    found = Spectra(rate, mels=26, coefficients=coefficients, deltas=0).features(samples)
    assert_frames_close(found, expected, 1e-5)


def test_slopes_are_the_regression() -> None:
    features = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    for frame in range(7):
        at = [features[min(max(frame + step, 0), 6)] for step in range(-2, 3)]
        expected = (1 * (at[3] - at[1]) + 2 * (at[4] - at[0])) / 10
        np.testing.assert_allclose(slopes(features)[frame], expected, atol=1e-6)


def test_slopes_of_slopes_stand_beside_their_features() -> None:
    samples = sound()
    plain, all_ = (Spectra(RATE, deltas=deltas).features(samples) for deltas in (0, 2))
    assert all_.shape == (len(plain), Spectra(RATE, deltas=2).size) == (len(plain), 39)
    np.testing.assert_allclose(all_, np.concatenate([plain, slopes(plain), slopes(slopes(plain))], 1), atol=1e-6)


def test_the_centre_of_a_frame_is_where_its_window_is() -> None:
    spectra = Spectra(RATE, kind="log_mel", deltas=0)
    click = np.zeros(RATE, np.float32)
    click[8000] = 1.0
    loudest = spectra.features(click).sum(1).argmax()
    assert abs(spectra.centres(98)[loudest] - 0.5) <= 0.005


def test_silence_is_a_number() -> None:
    found = Spectra(RATE).features(np.zeros(RATE, np.float32))
    assert np.isfinite(found).all() and (found == found[:1]).all()


@pytest.mark.parametrize(("form", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("WAV", "FLOAT")])
def test_samples_survive_their_file(form: str, subtype: str) -> None:
    np.testing.assert_allclose(decode(encoded(sound(), form=form, subtype=subtype), RATE), sound(), atol=1e-4)


def not_finite() -> np.ndarray:
    samples = sound()
    samples[5] = np.nan
    return samples


REFUSED = {
    "damaged": (b"RIFF" + b"\0" * 40, "it is no sound that can be read"),
    "text": (b"hello", "it is no sound that can be read"),
    "nothing": (b"", "it is no sound that can be read"),
    "rate": (encoded(sound(rate=8000), 8000), "its sampling rate is 8000 Hz, not 16000; resample it"),
    "stereo": (encoded(np.stack([sound(), sound()], 1)), "it has 2 channels"),
    "empty": (encoded(np.zeros(0, np.float32)), "it has no samples"),
    "NaN": (encoded(not_finite(), subtype="FLOAT"), "sample 5 is nan"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_sound_that_cannot_be_read_is_refused_by_reason(name: str) -> None:
    data, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        decode(data, RATE)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"kind": "wavelets"}, r"spectra.kind must be one of \('log_mel', 'mfcc'\), not 'wavelets'"),
        ({"hop": 0.0}, "numbers above 0"),
        ({"deltas": -1}, "deltas of 0 or more"),
        ({"mels": 10, "coefficients": 13}, "10 mels, from which no 13 coefficients"),
    ],
)
def test_bad_settings_are_refused(told: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Spectra(RATE, **told)


def test_less_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match=r"it lasts 0.020 s, less than a window of 0.025 s"):
        Spectra(RATE).features(sound(0.02))
