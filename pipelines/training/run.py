"""One training: from settings to a folder of ``trained/``, interrupted or not."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import lightning

from pipelines import tracking
from pipelines.display.progress import Progress
from pipelines.kinds import kind_of
from pipelines.runs.cards import card_of
from pipelines.runs.done import said_of_trained, work_folder
from pipelines.runs.processes import lock_folder, remove_leftovers
from pipelines.runs.provenance import note_environment, provenance, run_tags
from pipelines.settings.schema import Experiment
from pipelines.settings.tasks import task_of
from pipelines.training.checks import check_name, check_places
from pipelines.training.computed import ComputedIn
from pipelines.training.heap import ReturnMemory
from pipelines.training.initial import begin_from
from pipelines.training.keywords import check_system
from pipelines.training.layers import Layers
from pipelines.training.longer import StateBeforeEnd, begin_with_shorter
from pipelines.training.preparing import check_again, check_averaging, data_of, interval, prepared_system, steps_of
from pipelines.training.recorder import Recorder, peak_memory_mb
from pipelines.training.signals import Signals
from pipelines.training.trainers import averaging, fitting_trainer, patience, quieten, set_precision
from rnn_lightning import AtomicCheckpointIO, Durable, System, count_parameters
from rnn_lightning.files import SUMS, check_sums, read_json, whole_folder, write_json, write_sums
from rnn_lightning.models.checkpoints import read_checkpoint
from rnn_lightning.recurrent import newton_iterations
from rnn_lightning.systems.averaging import averaged_steps
from rnn_lightning.systems.durable import BEST, LAST, PREVIOUS

KEPT = ("training.json", "curves.csv", "model.ckpt")
REFRESHED = ("config", "command", "commit", "dvc_lock", "label", "name", "unit")
"""What is taken anew for a training that is done: its key says that the weights would be the same."""


def train_one(experiment: Experiment, seed: int) -> None:
    """Train one seed to the end, from where an earlier go of the same configuration, data and code left off.

    Its folder in ``trained/`` appears when, and only when, all planned steps are made.
    """
    quieten()
    check_system(experiment)
    check_places(experiment.trained(seed), experiment.run(seed))
    card = card_of(experiment)
    facts = provenance(experiment, seed, card["sha256"]["all"])
    name = f"{experiment.task_name}-{experiment.trained(seed).parent.name}-{seed}"
    work = work_folder(experiment, seed, facts)
    locked = lock_folder(Path("work/locks") / name, str(experiment.trained(seed))) if is_first(experiment) else nullcontext()
    with locked:
        check_name(experiment, seed, facts)
        remove_leftovers(experiment.trained(seed))
        if not (work / SUMS).exists():
            begin_with_shorter(experiment, seed, facts, work)
            environments = note_environment(work, facts["versions"])
            begin, watching = partial(begin_tracking, experiment, seed, facts, card), [StateBeforeEnd(work)]
            watching += [Layers(spoken_name(experiment, seed))] if seed == experiment.all_seeds()[0] else []
            measured = fit(experiment, seed, card, work, begin, watching=watching)
            write_json(work / "training.json", facts | measured | {"environments": environments})
            write_sums(work, KEPT)
            for name in (LAST, PREVIOUS, BEST):
                (work / name).unlink(missing_ok=True)
        keep_training(work, experiment.trained(seed), facts, partial(check_again, experiment, seed, card))
        if is_first(experiment):
            print(said_of_trained(experiment, seed))
            tracking.flush()


def keep_training(work: Path, trained: Path, facts: dict[str, Any], check: Callable[[], object]) -> None:
    """Copy a training that is done to the folder ``trained``, with what `REFRESHED` names taken from ``facts``.

    Args:
        check: refuses settings, of the test for one, that differ from those of the training when it was made.

    Raises:
        ValueError: where a file is damaged.
    """
    again = f"remove {work} and train again"
    with whole_folder(trained, sums=True) as folder:
        for name in (*KEPT, SUMS):
            shutil.copy(work / name, folder)
        check_sums(folder, KEPT, again=again)
        known = read_json(folder / "training.json")
        if known["config"] != facts["config"]:
            check()
            write_json(folder / "training.json", known | {name: facts[name] for name in REFRESHED})


def is_first(experiment: Experiment) -> bool:
    """Of several processes Lightning begins all but the first by the same command, and numbers them."""
    return experiment.trainer.devices == 1 or os.environ.get("LOCAL_RANK", "0") == "0"


def fit(
    experiment: Experiment,
    seed: int,
    card: dict[str, Any],
    work: Path,
    begin: Callable[[], str],
    *,
    name: str | None = None,
    watching: Sequence[lightning.Callback] = (),
) -> dict[str, Any]:
    """Train in ``work``; returns what was measured.

    Args:
        begin: opens the run in the dashboard once there is a model to train, and returns what it is called.
        name: what its lines on the terminal begin with; the task, the architecture and the seed if there is none.
        watching: callbacks that see each validation after it is written down.
    """
    training, kind = experiment.task.training, kind_of(experiment)
    products = set_precision(experiment)
    data = data_of(experiment, seed)
    planned = steps_of(experiment, data)
    between = interval(training, planned)
    check_averaging(experiment.trainer.averaging, planned)
    system = prepared_system(experiment, seed, card, data)
    initial = {"parameters": count_parameters(system), **begin_from(experiment, card, system)}  # what is frozen counts, too
    progress, durable = Progress(name or spoken_name(experiment, seed), planned, "steps"), durable_of(experiment, seed, work)
    recorder = Recorder(experiment, seed, work, progress=progress, durable=durable)
    run_id = begin() if is_first(experiment) else ""
    with seen(run_id, progress) if is_first(experiment) else following():
        own = [durable, recorder, Signals(partial(recorder.write_signals, run_id)), ReturnMemory(), computed := ComputedIn()]
        averages = averaging(experiment)  # behind what validates, so that its average is validated
        callbacks = [*kind.callbacks(experiment, data, card, work, run_id), *own, *watching, *patience(experiment), *averages]
        trainer = fitting_trainer(experiment, between, callbacks, run_id)
        trainer.fit(system, data, ckpt_path=durable.resumable(), weights_only=True)
        if trainer.global_step != planned and not trainer.should_stop:
            raise RuntimeError(f"{progress.name} ended after {trainer.global_step} of {planned} steps")
        averaged = keep_model(durable.best, work / "model.ckpt") if is_first(experiment) else 0
    shown = {"mlflow_run_id": tracking.shown_as(run_id), "matrix_products": products._asdict(), "layers": computed.layers}
    shown |= {**initial, **({"averaged_steps": averaged} if averages else {})}
    return {"planned_steps": planned, "steps": trainer.global_step} | cost_of(experiment, system, durable, recorder) | shown


def durable_of(experiment: Experiment, seed: int, work: Path) -> Durable:
    """What saves the training in ``work``, and keeps the best by the metric of the task."""
    metric, every = experiment.task.metric, experiment.trainer.checkpoint_seconds
    return Durable(work, seed=seed, monitor=metric.monitor, mode=metric.mode, every_seconds=every)


def spoken_name(experiment: Experiment, seed: int) -> str:
    """What a training is called on the terminal."""
    return f"{experiment.task_name} {experiment.trained(seed).parent.name} seed {seed}"


def cost_of(experiment: Experiment, system: System, durable: Durable, recorder: Recorder) -> dict[str, Any]:
    """What a training cost, how good its best step was, and the weights of its classes, as ``training.json`` keeps it.

    ``newton_iterations`` are those of the sequence that took most of them since the training last began or went on.
    """
    facts = {"newton_iterations": newton_iterations(system), "class_weights": system.hparams.get("class_weights")}
    return {name: value for name, value in facts.items() if value} | {
        "seconds": round(durable.spent_seconds, 1),
        "units_per_second": round(recorder.units / recorder.seconds, 1),
        "peak_memory_mb": round(peak_memory_mb(experiment.trainer.accelerator), 1),
        "best_step": durable.best_step,
        "best_value": durable.best_value,
    }


@contextmanager
def seen(run_id: str, progress: Progress) -> Iterator[None]:
    """A training in the dashboard and on the terminal."""
    with ExitStack() as held:
        held.enter_context(tracking.recording(run_id))
        held.enter_context(progress)
        yield
    print(progress.ended(), file=sys.stderr, flush=True)


@contextmanager
def following() -> Iterator[None]:
    """What a process does that only helps the first: it ends with the training, and leaves what to say of it to the first."""
    with suppress(FloatingPointError):  # the first has it too
        yield
    raise SystemExit(0)


def begin_tracking(experiment: Experiment, seed: int, facts: dict[str, Any], card: dict[str, Any]) -> str:
    """Open the run in the dashboard, in the experiment of its task."""
    return tracking.start_run(
        experiment.run(seed),
        experiment=experiment.task_name,
        name=f"{experiment.run(seed).parent.name} seed {seed}",
        config=facts["config"],
        tags=run_tags(experiment.task_name, facts),
        about=tracking.task_tags(task_of(experiment, card)),
    )


def keep_model(best: Path, file: Path) -> int:
    """The checkpoint without what only a training needs; returns the steps that its weights are an average of.

    Raises:
        ValueError: where it is damaged; the next go begins the training anew.
    """
    checkpoint = read_checkpoint(best)
    kept = ("state_dict", "hyper_parameters", "hparams_name", "pytorch-lightning_version", "epoch", "global_step")
    kept += ("averaging_state",)
    AtomicCheckpointIO().save_checkpoint({name: checkpoint[name] for name in kept if name in checkpoint}, file)
    return averaged_steps(checkpoint)
