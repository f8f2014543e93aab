"""Optimisers and learning-rate schedules from plain dictionaries, as they are saved, swept and logged."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler

from ..checks import check_number
from ..registry import build

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
}
SCHEDULES: dict[str, type[lr_scheduler.LRScheduler]] = {
    "plateau": lr_scheduler.ReduceLROnPlateau,
    "cosine": lr_scheduler.CosineAnnealingLR,
    "exponential": lr_scheduler.ExponentialLR,
    "steps": lr_scheduler.MultiStepLR,
}


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


def check_finite(what: str, settings: Any) -> None:
    """Refuse a number among ``settings`` that is not finite, and a learning rate that is none."""
    for name, value in settings.items() if isinstance(settings, Mapping) else ():
        if name == "lr" or isinstance(value, float):
            check_number(f"{what}: {name}", value)
