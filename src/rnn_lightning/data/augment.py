"""Features changed anew in each epoch: masks, noise, speed, the slant of a pen, the place of a picture.

Every draw is a function of (seed, epoch, row) and of the place in the list of augmentations, so that no batch, no order and no
interruption changes what becomes of a row.

Shapes: T steps of a row, F features, S steps after a change of speed.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import check_counts, check_number, shown
from ..pen import FEATURES, transformed
from ..registry import build

Features = NDArray[np.float32]


class Augmentation(ABC):
    """One change of the features of a row."""

    def places(self, steps: int, draws: np.random.Generator) -> NDArray[np.float64] | None:
        """Where among ``steps`` each new step is read, (S,) in 0..T - 1; ``None``: each where it was."""
        return None

    @abstractmethod
    def changed(self, features: Features, draws: np.random.Generator) -> Features:
        """The ``features`` (T, F) after the change, as many steps."""


class TimeMasks(Augmentation):
    """SpecAugment's masks over time (Park et al. 2019, arXiv:1904.08779): ``count`` spans of 0 to ``longest`` steps.

    No span is longer than ``share`` of the row. What it covers becomes the row's mean of each feature.
    """

    def __init__(self, *, count: int = 2, longest: int = 10, share: float = 0.2) -> None:
        check_counts(count=count, longest=longest)
        check_number("share", share, above=0, most=1)
        self.count, self.longest, self.share = count, longest, share

    def changed(self, features: Features, draws: np.random.Generator) -> Features:
        masked, mean, steps = features.copy(), features.mean(0), len(features)
        for _ in range(self.count):
            width = int(draws.integers(min(self.longest, int(self.share * steps)), endpoint=True))
            start = int(draws.integers(steps - width, endpoint=True))
            masked[start : start + width] = mean
        return masked


class FeatureMasks(Augmentation):
    """SpecAugment's masks over features, the bands of a spectrum: ``count`` spans of 0 to ``widest`` features.

    What it covers becomes the row's mean of each feature.
    """

    def __init__(self, *, count: int = 2, widest: int = 8) -> None:
        check_counts(count=count, widest=widest)
        self.count, self.widest = count, widest

    def changed(self, features: Features, draws: np.random.Generator) -> Features:
        masked, mean, size = features.copy(), features.mean(0), features.shape[1]
        for _ in range(self.count):
            width = int(draws.integers(min(self.widest, size), endpoint=True))
            start = int(draws.integers(size - width, endpoint=True))
            masked[:, start : start + width] = mean[start : start + width]
        return masked


class Noise(Augmentation):
    """Independent Gaussian noise, its ``deviation`` in deviations of each feature over the row."""

    def __init__(self, *, deviation: float) -> None:
        check_number("deviation", deviation, least=0)
        self.deviation = deviation

    def changed(self, features: Features, draws: np.random.Generator) -> Features:
        noise = draws.standard_normal(features.shape, dtype=np.float32)
        return features + self.deviation * features.std(0) * noise


class Speed(Augmentation):
    """The row read faster or slower, by a factor between two ``factors``: T / factor steps, between which features are mixed.

    Targets that are one a step are those of the nearest step; other targets stay. It suits spectra and measurements, whose
    features do not depend on the rate, not differences such as those of a pen.
    """

    def __init__(self, *, factors: Sequence[float] = (0.9, 1.1)) -> None:
        if not isinstance(factors, Sequence) or len(factors) != 2:
            raise ValueError(f"factors must be the least and the most, above 0, not {shown(factors)}")
        check_number("factors: the least", factors[0], above=0)
        check_number("factors: the most", factors[1], least=factors[0])
        self.slowest, self.fastest = factors

    def places(self, steps: int, draws: np.random.Generator) -> NDArray[np.float64]:
        factor = draws.uniform(self.slowest, self.fastest)
        return np.linspace(0, steps - 1, max(1, round(steps / factor)))

    def changed(self, features: Features, draws: np.random.Generator) -> Features:
        return features


class Pen(Augmentation):
    """Writing slanted, stretched and turned; features as `FEATURES` of ``pen`` names them.

    It leans by dx / dy drawn from -``slant``..``slant``, is wider and higher by two factors between 1 / (1 + ``scale``) and
    1 + ``scale``, and turned by -``rotation``..``rotation`` radians.
    """

    def __init__(self, *, slant: float = 0.0, scale: float = 0.0, rotation: float = 0.0) -> None:
        for name, number in {"slant": slant, "scale": scale, "rotation": rotation}.items():
            check_number(name, number, least=0)
        self.slant, self.scale, self.rotation = slant, np.log1p(scale), rotation

    def changed(self, features: Features, draws: np.random.Generator) -> Features:
        if features.shape[1] != len(FEATURES):
            raise ValueError(f"pen changes the features {list(FEATURES)} of a pen, not {features.shape[1]} others")
        lean, turn = draws.uniform(-self.slant, self.slant), draws.uniform(-self.rotation, self.rotation)
        width, height = np.exp(draws.uniform(-self.scale, self.scale, 2))
        turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        return transformed(features, turned @ [[width, lean * height], [0, height]])


class Shift(Augmentation):
    """A picture moved by up to ``steps`` steps and ``features`` features either way; what comes into view is ``filling``."""

    def __init__(self, *, steps: int = 0, features: int = 0, filling: float = 0.0) -> None:
        check_counts(least=0, steps=steps, features=features)
        check_number("filling", filling)
        self.reach, self.filling = (steps, features), filling

    def changed(self, features: Features, draws: np.random.Generator) -> Features:
        moved = np.full_like(features, self.filling)
        ways = [int(draws.integers(-reach, reach, endpoint=True)) for reach in self.reach]
        to, of = zip(*(_overlap(way, size) for way, size in zip(ways, features.shape, strict=True)), strict=True)
        moved[to] = features[of]
        return moved


AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "time_masks": TimeMasks,
    "feature_masks": FeatureMasks,
    "noise": Noise,
    "speed": Speed,
    "pen": Pen,
    "shift": Shift,
}


class Augmentations:
    """What a training does with each row: a list of ``{"name": ..., ...}``, the keywords of one of `AUGMENTATIONS` each."""

    def __init__(self, settings: Sequence[Mapping[str, Any]]) -> None:
        """``settings`` of each augmentation, in the order in which they change a row.

        Raises:
            ValueError: for a name that is not there, or keywords or values that it does not take.
        """
        if not isinstance(settings, Sequence):
            raise ValueError(f"augment must be a list of {{name: ..., ...}}, not {shown(settings)}")
        self.each = [build("augment", AUGMENTATIONS, one) for one in settings]

    def __call__(self, features: Features, seed: int, epoch: int, row: int) -> tuple[Features, NDArray[np.int64]]:
        """The features (S, F) of a row, from ``features`` (T, F), and of which of its steps each is now: (S,)."""
        steps = np.arange(len(features))
        for number, augmentation in enumerate(self.each if len(features) else []):
            draws = np.random.default_rng([seed, epoch, row, number])
            places = augmentation.places(len(features), draws)
            if places is not None:
                features, steps = mixed(features, places), steps[np.rint(places).astype(np.int64)]
            features = augmentation.changed(features, draws).astype(np.float32, copy=False)
        return features, steps


def mixed(features: Features, places: NDArray[np.float64]) -> Features:
    """The ``features`` (T, F) at ``places`` (S,), between steps in proportion: (S, F)."""
    below = np.floor(places).astype(np.int64)
    above = np.minimum(below + 1, len(features) - 1)
    part = (places - below).astype(np.float32)[:, None]
    return (features[below] * (1 - part) + features[above] * part).astype(np.float32, copy=False)


def _overlap(way: int, size: int) -> tuple[slice, slice]:
    """Where on an axis of ``size`` what is moved by ``way`` comes to lie, and where it lay."""
    way = max(-size, min(size, way))
    return slice(max(way, 0), size + min(way, 0)), slice(max(-way, 0), size + min(-way, 0))
