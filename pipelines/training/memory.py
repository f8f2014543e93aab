"""Memory that a training or a test would take, estimated before it is taken.

Weights count with their gradient, their average if there is one, and what the optimiser keeps of them. Activations are the
outputs of all weight matrices at every position of the largest batch: an estimate that is right within a factor of about two.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn

from pipelines.settings.schema import Experiment
from rnn_lightning import System, count_parameters
from rnn_lightning.optimization import make_optimizer

GB = 1e9
FLOAT = 4
CGROUP = Path("/sys/fs/cgroup/memory.max")


def check_budget(experiment: Experiment) -> None:
    """Refuse a number of parameters whose weights alone are over the limit.

    Raises:
        ValueError: with the estimate and the limit.
    """
    if (parameters := experiment.task.parameters) is not None:
        weights = parameters * FLOAT * 2
        refuse_above_limit(experiment, weights, f"{parameters:,} parameters (task.parameters) and their gradient")


def check_memory(experiment: Experiment, build: Callable[[], System], data: Any) -> None:
    """Refuse a training of the system that ``build`` makes over the limit; it is made without weights.

    Raises:
        ValueError: with the estimate and the limit.
    """
    system = weightless(build)
    if system is None:
        return
    copies = 2 + state_size(system.optimizer_settings) + (experiment.trainer.averaging is not None)
    weights = count_parameters(system) * copies * FLOAT
    refuse_above_limit(experiment, weights, f"{count_parameters(system):,} parameters, {copies} numbers for each")
    positions = 2 * largest_batch(data, "train"), largest_batch(data, "validation")
    activations = max(positions) * width(system) * FLOAT
    parts = f"{weights / GB:,.1f} GB of {count_parameters(system):,} parameters and a batch of {max(positions):,} steps"
    refuse_above_limit(experiment, weights + activations, parts)
    check_search(experiment, system, data)


def check_search(experiment: Experiment, system: System, data: Any) -> None:
    """Refuse a beam of the test's search that is over the limit.

    Raises:
        ValueError: with the estimate and the limit.
    """
    beam = experiment.task.metric.search.get("beam_size")
    if type(beam) is int:
        taken = beam * data.eval_batch_size * width(system) * FLOAT
        what = f"a search of {beam:,} hypotheses (task.metric.search.beam_size) for each of {data.eval_batch_size:,} rows"
        refuse_above_limit(experiment, taken, what)


def refuse_above_limit(experiment: Experiment, taken: float, what: str) -> None:
    """Refuse ``taken`` bytes over the limit; ``what`` takes them.

    Raises:
        ValueError: naming both numbers and the setting that raises the limit.
    """
    limit = experiment.trainer.memory_limit_gb
    most, origin = (limit, "trainer.memory_limit_gb") if limit else (machine_memory(experiment) / GB, "what the machine has")
    if taken > most * GB:
        advice = "take less, or raise trainer.memory_limit_gb"
        raise ValueError(f"{what} take about {taken / GB:,.1f} GB, over the limit of {most:,.1f} GB ({origin}): {advice}")


def machine_memory(experiment: Experiment) -> int:
    """The bytes of the device that trains: of the graphics processor, else of the machine, or of its part that is given."""
    if experiment.trainer.accelerator == "gpu" and torch.cuda.is_available():
        return torch.cuda.get_device_properties(0).total_memory
    text = CGROUP.read_text().strip() if CGROUP.exists() else ""
    return min(psutil.virtual_memory().total, int(text)) if text.isdigit() else psutil.virtual_memory().total


def weightless(build: Callable[[], System]) -> System | None:
    """The system on PyTorch's meta device; none where it looks at its weights while it draws them."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        try:
            return build()
        except RuntimeError:
            return None


def state_size(settings: dict[str, Any]) -> int:
    """How many numbers the optimiser keeps of each weight."""
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.zeros(2)
    optimizer = make_optimizer(settings, [weight])
    optimizer.step()
    return sum(part.shape == weight.shape for part in optimizer.state[weight].values() if isinstance(part, torch.Tensor))


def width(system: nn.Module) -> int:
    """The outputs of all weight matrices at one position."""
    rows = 0
    for part in system.modules():
        matrices = [weight for weight in part.parameters(recurse=False) if weight.dim() >= 2]
        rows += sum(weight.shape[1 if isinstance(part, nn.Embedding) else 0] for weight in matrices)
    return rows


def largest_batch(data: Any, split: str) -> int:
    """The positions of the largest batch of a split, of those at both ends of their order."""
    batches = data.dataset(split)
    names = batches.in_order()
    return max(batches[name].inputs[..., :1].shape[:2].numel() for name in {names[0], names[-1]})
