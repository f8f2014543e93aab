"""Optimisers and learning-rate schedules from plain settings: each takes a step, and follows its formula."""

import math

import pytest
import torch
from torch import nn

from pipelines.settings.compose import compose
from pipelines.training.building import build_system
from rnn_lightning.optimization import OPTIMIZERS, make_optimizer, make_schedule


def rates(schedule: dict[str, object], steps: int, optimizer: dict[str, object] | None = None) -> list[float]:
    """The learning rate of each of the first ``steps``."""
    made = make_optimizer(optimizer or {"name": "sgd", "lr": 2.0}, [nn.Parameter(torch.zeros(1))])
    follows, found = make_schedule(schedule, made), list[float]()
    for _ in range(steps):
        found.append(made.param_groups[0]["lr"])
        made.step()
        follows.step()
    return found


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_optimiser_lowers_a_loss_and_takes_any_shape(name: str) -> None:
    weights = [nn.Parameter(torch.ones(shape)) for shape in ((), (3,), (2, 3))]
    optimizer = make_optimizer({"name": name, "lr": 0.01}, weights)
    before = after = 6.0 + 3.0 + 1.0
    for _ in range(5):
        optimizer.zero_grad()
        loss = torch.stack([(weight**2).sum() for weight in weights]).sum()
        after = loss.item()
        loss.backward()
        optimizer.step()
    assert after < before


@pytest.mark.parametrize("then", ["constant", "inverse_sqrt"])
def test_a_warm_up_is_linear_and_then_constant_or_of_the_square_root(then: str) -> None:
    found = rates({"name": "warmup", "steps": 4, "then": then}, 9)
    expected = [2.0 * (step / 4 if step < 4 else math.sqrt(4 / step) if then == "inverse_sqrt" else 1) for step in range(1, 10)]
    assert found == pytest.approx(expected)


def test_one_cycle_ends_with_the_planned_steps() -> None:
    adam = {"name": "adam", "lr": 0.1}
    settings = {"name": "one_cycle", "max_lr": 1.0, "pct_start": 0.4}
    model = "task.model.schedule={name: one_cycle, max_lr: 1.0, pct_start: 0.4}"
    experiment = compose(["task=adding", f"+{model}", "task.parameters=null", "+task.rnn.hidden_size=4"])
    system = build_system(experiment, {}, planned=10)
    assert system.schedule_settings == settings | {"total_steps": 10}
    found = rates(system.schedule_settings, 10, adam)
    assert max(found) == pytest.approx(1.0) and found.index(max(found)) == 3
    assert found[0] == pytest.approx(1 / 25) and found[-1] == pytest.approx(1 / 25e4)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "warmup", "steps": 0}, "steps must be a whole number of at least 1, not 0"),
        ({"name": "warmup", "steps": 5, "then": "up"}, "then must be one of"),
        ({"name": "warmup"}, "needs 'steps'; its settings are"),
        ({"name": "one_cycle", "max_lr": 1.0, "total_steps": 5, "to": 1}, "there is no setting 'to'; its settings are"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rates(settings, 1)


def test_an_optimiser_that_is_none_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"optimizer name must be one of \['adadelta', .*'sgd'\], not 'lbfgs'"):
        make_optimizer({"name": "lbfgs"}, [nn.Parameter(torch.zeros(1))])
