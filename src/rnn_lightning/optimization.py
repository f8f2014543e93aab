"""Optimisers and learning-rate schedules from plain dictionaries, as they are saved, swept and logged."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler

from .checks import check_choice, check_counts, check_number
from .registry import build, check_settings

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "adadelta": torch.optim.Adadelta,
    "adafactor": torch.optim.Adafactor,
    "adagrad": torch.optim.Adagrad,
    "adamax": torch.optim.Adamax,
    "asgd": torch.optim.ASGD,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rprop": torch.optim.Rprop,
}
"""Those of PyTorch that need the gradient alone: no closure, and neither sparse gradients nor matrices."""


class WarmUp(lr_scheduler.LambdaLR):
    """The learning rate grows linearly over the first ``steps``; from then on it is ``constant``, or falls with the square root
    of the number of steps (``inverse_sqrt``, Vaswani et al. 2017, arXiv:1706.03762, section 5.3).

    Step s, from 1 on, has the factor min(s / steps, 1), or min(s / steps, sqrt(steps / s)).
    """

    def __init__(self, optimizer: torch.optim.Optimizer, steps: int, then: str = "constant") -> None:
        check_counts(steps=steps)
        check_choice("then", then, ("constant", "inverse_sqrt"))
        falls = then == "inverse_sqrt"

        def factor(done: int) -> float:
            step = done + 1
            return min(step / steps, (steps / step) ** 0.5 if falls else 1.0)

        super().__init__(optimizer, factor)


SCHEDULES: dict[str, type[lr_scheduler.LRScheduler]] = {
    "plateau": lr_scheduler.ReduceLROnPlateau,
    "cosine": lr_scheduler.CosineAnnealingLR,
    "exponential": lr_scheduler.ExponentialLR,
    "one_cycle": lr_scheduler.OneCycleLR,
    "steps": lr_scheduler.MultiStepLR,
    "warmup": WarmUp,
}
NO_PARAMETERS = "empty parameter list"
"""What PyTorch says of an optimiser of nothing."""
PERIODS = {"cosine": "T_max", "one_cycle": "total_steps"}
"""Schedules whose course depends on how many steps there are, with the setting that says so."""


def check_training(optimizer: dict[str, Any] | None, schedule: dict[str, Any] | None) -> None:
    """Refuse settings of which neither an optimiser nor a schedule can be made, as far as that is known without a network.

    A whole optimiser would import PyTorch's compiler, which takes seconds.

    Raises:
        ValueError: as `make_optimizer`; for an unknown name or key of the schedule, or a number in it that is not finite.
    """
    if optimizer is not None:
        try:
            make_optimizer(optimizer, [])
        except ValueError as error:
            if NO_PARAMETERS not in str(error):  # PyTorch looks at the values first
                raise
    if schedule is not None:
        check_finite("schedule", schedule)
        check_settings("schedule", SCHEDULES, schedule, first=1)


def make_optimizer(settings: dict[str, Any], parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser ``settings["name"]`` of ``OPTIMIZERS``; the other keys are its keyword arguments.

    Raises:
        ValueError: for an unknown name or key, or a value that is refused.
    """
    check_finite("optimizer", settings)
    return build("optimizer", OPTIMIZERS, settings, parameters)


def make_schedule(settings: dict[str, Any], optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
    """The schedule ``settings["name"]`` of ``SCHEDULES``; the other keys are its keyword arguments.

    ``plateau`` counts the validations within an epoch (``val_check_interval``; without accumulated gradients, and with
    ``check_val_every_n_epoch`` 1 or an epoch that holds all), every other schedule counts optimiser steps.

    Raises:
        ValueError: for an unknown name or key, or a value that is refused.
    """
    check_finite("schedule", settings)
    return build("schedule", SCHEDULES, settings, optimizer)


CLIPPED_BY = ("norm", "value")
"""What Lightning's ``gradient_clip_algorithm`` bounds: the norm of the whole gradient, or each of its numbers."""


def clipped_size(gradients: Iterable[Tensor], algorithm: str | None = "norm") -> Tensor:
    """What clipping by ``algorithm`` (``None``: ``norm``) compares with its bound: the norm of all ``gradients`` together, as
    of one vector, or the largest of their absolute values. A step whose size is over the bound is clipped."""
    order = math.inf if algorithm == "value" else 2
    return torch.linalg.vector_norm(torch.stack([gradient.norm(order) for gradient in gradients]), order)


def check_finite(what: str, settings: Any) -> None:
    """Refuse a number among ``settings`` that is not finite, and a learning rate that is none or below 0."""
    for name, value in settings.items() if isinstance(settings, Mapping) else ():
        if name == "lr" or isinstance(value, float):
            check_number(f"{what}: {name}", value, least=0 if name == "lr" else None)
