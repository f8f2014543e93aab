"""What pictures of signals show: strokes as they were drawn, the spectrum that cepstra keep, files that can be read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import image

from pipelines.kinds import signal_figures
from rnn_lightning.audio import Spectra
from rnn_lightning.pen import FEATURES, pen_features


def scribble(seed: int, strokes: int = 3) -> list[np.ndarray]:
    draws = np.random.default_rng(seed)
    return [np.cumsum(draws.normal(0, 1, (draws.integers(1, 9), 2)), 0) for _ in range(strokes)]


@pytest.mark.parametrize("seed", range(4))
def test_strokes_are_those_that_features_were_made_of(seed: int) -> None:
    """Up to place and size; of lines and dots, which resampling leaves what they are."""
    drawn = np.random.default_rng(seed).normal(0, 1, (5, 2, 2))
    features = pen_features([*drawn[:4], drawn[4, :1]])
    strokes = signal_figures.strokes_of(features)
    assert len(strokes) == 5 and len(strokes[4]) == 1
    size = np.ptp(strokes[0][:, 1]) / np.ptp(drawn[0][:, 1])
    place = strokes[0][0] - size * drawn[0, 0]
    for points, meant in zip(strokes, drawn, strict=True):
        np.testing.assert_allclose(points[0], size * meant[0] + place, atol=1e-4)
        np.testing.assert_allclose(points[-1], size * meant[min(len(points), 2) - 1] + place, atol=1e-4)


def sound(rate: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, rate // 4).astype(np.float32)


@pytest.mark.parametrize("deltas", [0, 2])
def test_the_picture_of_sound_is_its_log_mel_spectrum(deltas: int) -> None:
    """Of log-mel features it is them; as many cepstra as bands lose nothing but the level, of which the energy tells."""
    log_mel = Spectra(16000, kind="log_mel", mels=20, deltas=deltas)
    mfcc = Spectra(16000, kind="mfcc", mels=20, coefficients=20, deltas=deltas)
    expected = log_mel.features(sound(16000))
    shown = signal_figures.picture_of(expected, {"spectra": vars(log_mel)}).values
    np.testing.assert_array_equal(shown, expected[:, :20])
    cepstra = mfcc.features(sound(16000))
    smooth = signal_figures.picture_of(cepstra, {"spectra": vars(mfcc)}).values
    level = smooth.mean(1, keepdims=True)
    np.testing.assert_allclose(level, cepstra[:, :1], atol=1e-3)
    np.testing.assert_allclose(smooth - level, shown - shown.mean(1, keepdims=True), atol=1e-3)


@pytest.mark.parametrize("card", [{}, {"features": list(FEATURES)}])
def test_other_features_are_shown_as_they_are(card: dict[str, Any]) -> None:
    features = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    assert signal_figures.picture_of(features, card).values is features
    assert signal_figures.is_pen(card) == bool(card)


def test_pictures_can_be_read_whatever_labels_are_called(tmp_path: Path) -> None:
    strange = ["$x_1$", "", "_ ^ \\"]
    words = [(pen_features(scribble(seed)), strange[seed], strange[-1 - seed]) for seed in range(3)]
    signal_figures.pen_words([*words, words[0]], tmp_path / "words.png")
    picture = signal_figures.Picture(np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32), "feature")
    values = np.full((3, 3), 1 / 3, np.float32)
    file = tmp_path / "alignment.png"
    signal_figures.alignment(picture, values, ["<blank>", " ", "$"], blank=0, aligned=[(1, 0.0), (2, 2.0)], file=file)
    signal_figures.utterance(picture, ["$a$"] * 4 + ["b"] * 2, ["b"] * 6, tmp_path / "utterance.png")
    for name in ("words", "alignment", "utterance"):
        points = image.imread(tmp_path / f"{name}.png")[:, :, :3]
        assert points.shape[0] > 100 and points.std() > 0.01
