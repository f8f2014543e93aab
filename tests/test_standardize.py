"""Standardised features have mean 0 and deviation 1, and other numbers than there are features are refused."""

import pytest
import torch

from rnn_lightning.standardize import Standardize


def test_what_the_numbers_were_taken_from_has_mean_0_and_deviation_1() -> None:
    features = 3 + 2 * torch.randn(4, 50, 3, generator=torch.Generator().manual_seed(1))
    mean, std = features.mean((0, 1)), features.std((0, 1))
    found = Standardize(3, {"mean": mean.tolist(), "std": std.tolist()})(features)
    torch.testing.assert_close(found.mean((0, 1)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std((0, 1)), torch.ones(3))


def test_without_numbers_features_pass() -> None:
    features = torch.randn(2, 5, 3)
    assert torch.equal(Standardize(3, None)(features), features)


def test_the_numbers_are_no_weights() -> None:
    assert not Standardize(2, {"mean": [1.0, 2.0], "std": [1.0, 3.0]}).state_dict()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"mean": [0.0], "std": [1.0, 1.0]}, r"2 numbers for each of 'mean' and 'std', not \{'mean': \[0.0\], "),
        ({"mean": [0.0, 0.0]}, "2 numbers for each"),
        ({"mean": [0.0, 0.0], "std": [1.0, 0.0]}, "std must be a finite number above 0, not 0.0"),
        ({"mean": [0.0, 0.0], "std": [1.0, float("nan")]}, "std must be a finite number above 0, not nan"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(told: dict[str, list[float]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Standardize(2, told)
