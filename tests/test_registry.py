"""From names and settings to objects: what is built, and what a wrong setting is told."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from rnn_lightning.registry import build, call, choose


@dataclass(frozen=True)
class Line:
    """y = slope * x + offset, of a name."""

    label: str
    slope: float
    offset: float = 0.0

    def __post_init__(self) -> None:
        if self.slope < 0:
            raise ValueError(f"slope must be 0 or more, not {self.slope}")


class Point:
    """An entry without settings."""


TABLE: dict[str, Any] = {"point": Point, "line": Line}


def test_an_entry_is_called_with_the_first_arguments_and_the_other_settings() -> None:
    settings = {"name": "line", "slope": 2.0}
    assert build("figure", TABLE, settings, "a") == Line("a", 2.0)
    assert settings == {"name": "line", "slope": 2.0}
    assert choose("figure", TABLE, "line") is Line
    assert call("figure", Line, {"slope": 1.0, "offset": 3.0}, "b") == Line("b", 1.0, 3.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "cirle"}, "figure name must be one of ['line', 'point'], not 'cirle'"),
        ({"slope": 1.0}, "figure name must be one of ['line', 'point'], not None"),
        (
            {"name": "line", "slope": 1.0, "ofset": 1, "slant": 2},
            "figure 'line': there is no setting 'ofset', 'slant'; its settings are ['slope', 'offset']",
        ),
        ({"name": "line"}, "figure 'line': needs 'slope'; its settings are ['slope', 'offset']"),
        ({"name": "line", "slope": -1.0}, "figure 'line': slope must be 0 or more, not -1.0"),
        ({"name": "line", "slope": "1"}, "figure 'line': '<' not supported between instances of 'str' and 'int'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:
        build("figure", TABLE, settings, "a")
    assert str(raised.value) == message


def test_an_entry_without_settings_takes_none() -> None:
    assert type(build("figure", TABLE, {"name": "point"})) is Point
    with pytest.raises(ValueError, match=r"figure 'point': there is no setting 'x'; its settings are \[\]"):
        build("figure", TABLE, {"name": "point", "x": 1})


def test_classes_of_torch_are_entries() -> None:
    weights = [torch.nn.Parameter(torch.zeros(1))]
    optimizer = build("optimizer", {"adam": torch.optim.Adam}, {"name": "adam", "lr": 0.5}, weights)
    assert optimizer.param_groups[0]["lr"] == 0.5
    with pytest.raises(ValueError, match=r"there is no setting 'params'; its settings are \['lr', 'betas', .*"):
        build("optimizer", {"adam": torch.optim.Adam}, {"name": "adam", "params": []}, weights)
