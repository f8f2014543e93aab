"""More epochs for a training that is done: a longer one goes on from it, and ends as if it had had them from the start."""

import copy
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from pipelines.runs.provenance import key_of
from pipelines.settings.schema import Experiment
from rnn_lightning import AtomicCheckpointIO
from rnn_lightning.files import check_sums, read_json
from rnn_lightning.models.checkpoints import read_checkpoint
from rnn_lightning.optimization import PERIODS
from rnn_lightning.systems.durable import BEST, LAST

STATE = "before_end.ckpt"
COPIED = ("curves.csv", "environments.json")


class StateBeforeEnd(Callback):
    """Saves the state before the last planned step, or where that one follows a validation, before the one before it.

    After the last step nothing can go on, and neither can it right after a validation. Where a step takes several batches,
    nothing is saved: the last step of a shorter training may have fewer of them.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / STATE

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        last, interval = trainer.num_training_batches - 1, trainer.val_check_batch or math.inf
        if (
            trainer.accumulate_grad_batches == 1
            and 0 < batch_idx == (last if last % interval else last - 1)
            and batch_idx % interval
        ):
            trainer.save_checkpoint(self.file)


def begin_with_shorter(experiment: Experiment, seed: int, facts: dict[str, Any], work: Path) -> None:
    """Have a training that has not begun go on from the longest one that is the same but for fewer epochs, if there is one.

    Where the learning rate depends on the number of epochs, or files are damaged, it begins anew, as a line on stderr says.
    """
    found = shorter_training(experiment, seed, facts)
    if found is None or (work / LAST).exists():
        return
    done, epochs = found
    wanted = experiment.task.training.epochs
    schedule = (experiment.task.model.model_extra or {}).get("schedule") or {}
    period = PERIODS.get(str(schedule.get("name")))
    if period is not None and period not in schedule:
        reason = f"its learning rate was to end with {epochs} epochs (set schedule.{period} for both to go on from it)"
        print(f"{work} begins anew, and not from {done}: {reason}", file=sys.stderr)
        return
    try:
        check_sums(done, again=f"remove {done}")
        state = read_checkpoint(done / STATE)
    except ValueError as error:
        print(f"{work} begins anew: {error}", file=sys.stderr)
        return
    work.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        shutil.copy(done / name, work)
    shutil.copy(done / "model.ckpt", work / BEST)
    state["batches_per_epoch"] = state["batches_per_epoch"] // epochs * wanted  # all epochs are one of Lightning's
    AtomicCheckpointIO().save_checkpoint(state, work / LAST)
    print(f"{work} goes on from {done}, which has had {epochs} of {wanted} epochs", file=sys.stderr)


def shorter_training(experiment: Experiment, seed: int, facts: dict[str, Any]) -> tuple[Path, int] | None:
    """The folder in ``work/`` of the longest finished training that differs in its fewer epochs alone, and these."""
    found: dict[int, Path] = {}
    for file in Path("work").glob(f"{experiment.task_name}-{experiment.rnn_name}*-{seed}-*/{STATE}"):
        try:
            epochs = int(read_json(file.parent / "training.json")["config"]["task"]["training"]["epochs"])
        except (ValueError, KeyError, FileNotFoundError):
            continue  # not finished, or damaged
        config = copy.deepcopy(facts["config"])
        config["task"]["training"]["epochs"] = epochs
        if epochs < experiment.task.training.epochs and file.parent.name.endswith(f"-{key_of(facts | {'config': config})}"):
            found[epochs] = file.parent
    return (found[max(found)], max(found)) if found else None
