"""The settings of hardware, precision and what Lightning's Trainer does around the steps: ``conf/trainer``."""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_serializer,
    model_validator,
)

from pipelines.settings.base import Names, Settings


def _available(accelerator: Any) -> Any:
    """For ``auto``, ``gpu`` where PyTorch finds one, else ``cpu``; any other value as it is."""
    if accelerator != "auto":
        return accelerator
    import torch

    return "gpu" if torch.cuda.is_available() else "cpu"


class Averaging(Settings):
    """An average of the weights that is validated and kept in their place: as `rnn_lightning.WeightAverage` has it."""

    kind: Literal["ema", "swa", "nt_asgd"]
    decay: Annotated[float, Field(ge=0, le=1)] | None = None
    start: NonNegativeInt | None = None
    patience: PositiveInt | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "Averaging":
        takes = {"ema": ("decay", "start"), "swa": ("start",), "nt_asgd": ("patience",)}[self.kind]
        for name in ("decay", "start", "patience"):
            if getattr(self, name) is not None and name not in takes:
                raise ValueError(f"averaging by {self.kind} takes {' and '.join(takes)}, and no {name}: leave it out")
        return self

    @model_serializer
    def _given(self) -> dict[str, Any]:
        return {key: value for key, value in self if value is not None}


class Trainer(Settings):
    """``conf/trainer/NAME.yaml``; with the strategy ``ddp`` each of ``devices`` has a process of its own."""

    accelerator: Annotated[Literal["cpu", "gpu"], BeforeValidator(_available)]
    devices: Annotated[int, Field(ge=1, le=1_024)]
    strategy: Literal["auto", "ddp"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "64-true"]
    matmul_precision: Literal["highest", "high", "medium", "auto"]
    threads: Annotated[int, Field(ge=1, le=1_024)]
    checkpoint_seconds: NonNegativeFloat
    gradient_clip_algorithm: Literal["norm", "value"] = "norm"  # of task.training.clip
    accumulate_grad_batches: Annotated[int, Field(ge=1, le=100_000)] = 1
    averaging: Averaging | None = None
    memory_limit_gb: PositiveFloat | None = None  # of a training; none: what the machine has
    loggers: Names = Field(default_factory=list)  # beside the dashboard: csv, tensorboard, or my_package.MyLogger

    @model_validator(mode="after")
    def _fits_together(self) -> "Trainer":
        if self.devices > 1 and self.strategy == "auto":
            raise ValueError(f"{self.devices} devices need strategy=ddp: take trainer=ddp")
        if self.precision == "16-mixed" and self.accelerator == "cpu":
            raise ValueError("16-mixed needs a GPU; on the CPU take bf16-mixed")
        return self
