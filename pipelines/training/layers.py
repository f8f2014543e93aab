"""The layers of a system and their parameters, said as its training begins."""

import sys
from collections.abc import Iterator

import lightning
from lightning.pytorch.callbacks import Callback
from torch import nn

from rnn_lightning import count_parameters

DEPTH = 2
"""Layers within layers that have lines of their own."""


class Layers(Callback):
    """Says on standard error, before the first step, which layers the system ``name`` has."""

    def __init__(self, name: str) -> None:
        self.name = name

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.is_global_zero and trainer.global_step == 0:
            print(described(self.name, pl_module), file=sys.stderr, flush=True)


def described(name: str, system: nn.Module) -> str:
    """The layers of ``system`` in lines: what they are called, their classes, and their parameters."""
    frozen = sum(weight.numel() for weight in system.parameters() if not weight.requires_grad)
    count = f"{count_parameters(system):,} parameters{f', and {frozen:,} that do not learn' if frozen else ''}"
    lines = [f"  {called:20}{type(layer).__name__:24}{count_parameters(layer):>12,}" for called, layer in layers(system)]
    return "\n".join([f"{name}: {type(system).__name__}, {count}", *lines])


def layers(module: nn.Module, depth: int = 0) -> Iterator[tuple[str, nn.Module]]:
    """The layers that have parameters, by name, each before those within it, which are indented, if it has several."""
    inner = [(name, layer) for name, layer in module.named_children() if count_parameters(layer)]
    for name, layer in inner if len(inner) > 1 or not depth else ():
        yield f"{'  ' * depth}{name}", layer
        if depth + 1 < DEPTH:
            yield from layers(layer, depth + 1)
