"""The one process that decides: which values come next, in which slot, what a trial's end means, and when all is done."""

import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import optuna
import torch
from optuna.trial import FrozenTrial, TrialState

from pipelines import tracking
from pipelines.display.numbers import number
from pipelines.display.progress import Progress
from pipelines.runs.cards import card_of
from pipelines.runs.processes import lock_folder
from pipelines.settings.schema import Experiment
from pipelines.sweeping.arguments import SweepArguments
from pipelines.sweeping.engines import Job, make_engine
from pipelines.sweeping.lease import BEAT, Lease
from pipelines.sweeping.outcome import REPORTS, keep, tuned_file
from pipelines.sweeping.settings import Sweep
from pipelines.sweeping.storage import default_storage, open_storage
from pipelines.sweeping.study import FINAL, FOLDER, REASON, STARTS, counted, open_study, running, waiting
from pipelines.sweeping.trial import OUTCOME, TrialSpec, end_process, has_saved
from pipelines.training.checks import check_places
from rnn_lightning.files import read_json

MAX_STARTS = 3
"""How often a trial is begun before it counts as failed, if something kills it each time before it has saved anything new."""


class SweepRunner:
    """Runs the trials of a study until as many are over as were asked for; use it as a context manager."""

    def __init__(self, arguments: SweepArguments, sweep: Sweep, experiment: Experiment, base: Sequence[str]) -> None:
        """Open the study and the run that its trials are shown under; neither is made twice.

        Raises:
            ValueError: where another process runs this sweep, here or on a machine that shares the storage, or the study has
                trials of another kind.
        """
        if arguments.engine == "local":
            check_devices(experiment, arguments.workers)
        self.arguments, self.sweep, self.experiment = arguments, sweep, experiment
        self.overrides = [*base, f"seed={experiment.all_seeds()[0]}"]
        self.name = f"{experiment.task_name}-{experiment.rnn_name}-{arguments.sweep}"
        self.folder = Path("work/sweeps") / self.name
        self.card = card_of(experiment)
        check_places(REPORTS / self.name / "trials.csv", tuned_file(experiment))
        self.url = arguments.storage or default_storage()
        self.shown_in = f"{experiment.task_name} sweeps"
        self.slots: dict[int, tuple[FrozenTrial, Job]] = {}
        with ExitStack() as held:
            held.enter_context(lock_folder(self.folder, f"sweep {self.name}"))
            storage = open_storage(self.url)
            self.lease = held.enter_context(closing(Lease(storage, self.name)))
            self._open(storage)
            self._held = held.pop_all()

    def _open(self, storage: optuna.storages.RDBStorage) -> None:
        facts, metric = self._facts(), self.experiment.task.metric
        self.study = open_study(self.name, storage, self.sweep, metric, facts)
        note = {"mlflow.note.content": f"Trials of sweeps of `{self.experiment.task_name}`, each under its sweep."}
        self.run_id = tracking.start_run(
            self.folder,
            experiment=self.shown_in,
            name=f"{self.experiment.rnn_name}, {self.arguments.sweep}",
            config=facts,
            tags={"data": facts["data"]},
            about=note | tracking.runs_shown([metric.monitor, "best"], metric.mode, ["label", "state"], [*self.sweep.space]),
        )
        self.engine = make_engine(self.arguments.engine, self.experiment.trainer, self.url)

    def _facts(self) -> dict[str, Any]:
        return {
            "overrides": self.overrides,
            "experiment": self.experiment.plain(self.experiment.all_seeds()[0]),
            "data": self.card["sha256"]["all"],
            **self.sweep.model_dump(mode="json", exclude={"sampler", "pruner"}),
        }

    def __enter__(self) -> "SweepRunner":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Whatever ends the sweep ends its trials, which save; the same command goes on with them."""
        with self._held:
            self.engine.end([job for _, job in self.slots.values()])
        status = "FINISHED" if kind is None else "FAILED" if issubclass(kind, Exception) else "KILLED"
        tracking.finish(self.run_id, status)
        tracking.flush()

    def run(self) -> None:
        """Make trials until ``arguments.trials`` are over, or all of a grid."""
        self._recover()
        wanted = self.arguments.trials
        if self.sweep.sampler.name == "grid":
            points = self.sweep.grid()
            wanted = min(wanted, len(points))
            for number, point in enumerate(points):  # with a folder it is enqueued again when a go ends that has asked for it
                self.study.enqueue_trial(point, {FOLDER: str(self.folder / str(number))}, skip_if_exists=True)
        with Progress(f"sweep {self.name}", wanted, "trials") as progress:
            progress.begin(len(counted(self.study)))
            while (over := len(counted(self.study))) < wanted:
                progress.reach(over)
                for slot in range(self.arguments.workers):
                    if slot not in self.slots and over + len(self.slots) < wanted:
                        self._start(slot)
                self.engine.wait([job for _, job in self.slots.values()], BEAT)
                self.lease.check()
                self._settle_ended(progress)

    def _start(self, slot: int) -> None:
        spaces = {key: parameter.distribution() for key, parameter in self.sweep.space.items()}
        asked = self.study.ask(fixed_distributions=spaces)
        trial = self._trial(asked.number)
        folder = Path(trial.user_attrs.get(FOLDER, self.folder / str(trial.number)))
        if STARTS not in trial.user_attrs:  # what lies there is of a trial that the study does not know
            shutil.rmtree(folder, ignore_errors=True)
        asked.set_user_attr(FOLDER, str(folder))
        asked.set_user_attr(STARTS, trial.user_attrs.get(STARTS, 0) + 1)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / OUTCOME).unlink(missing_ok=True)
        spec = TrialSpec(
            study=self.name,
            storage=self.url,
            trial_id=trial._trial_id,
            number=trial.number,
            values=dict(asked.params),
            overrides=[*self.overrides, *self._share()],
            pruner=self.sweep.pruner,
            objectives=list(self.sweep.objectives),
            folder=folder,
            parent_run=self.run_id,
            experiment=self.shown_in,
            device=slot if self.experiment.trainer.accelerator == "gpu" and self.arguments.engine == "local" else None,
        )
        self.slots[slot] = (self._trial(trial.number), self.engine.start(spec))

    def _trial(self, number: int) -> FrozenTrial:
        """Trial ``number`` as the study has it now; without a copy of all the others, which a thousand trials make costly."""
        return self.study.get_trials(deepcopy=False)[number]

    def _share(self) -> list[str]:
        """Threads for one of several workers on one processor, unless the command line says how many."""
        given = any(override.startswith("trainer.threads=") for override in self.overrides)
        threads = max((os.cpu_count() or 1) // self.arguments.workers, 1)
        return [] if given else [f"trainer.threads={threads}"]

    def _settle_ended(self, progress: Progress) -> None:
        for slot, (trial, job) in list(self.slots.items()):
            if not job.alive():
                del self.slots[slot]
                self._settle(trial, job.reason())
                self._report(trial.number, progress)

    def _settle(self, trial: FrozenTrial, otherwise: str, *, alone: bool = True) -> None:
        """Tell the study what came of a trial; one that left nothing is begun again, unless it was begun too often.

        Args:
            otherwise: why it left nothing, if it did not.
            alone: whether it ended alone, and not with the whole sweep, which is nothing to count against it.
        """
        file = Path(trial.user_attrs[FOLDER]) / OUTCOME
        outcome = read_json(file) if file.exists() else {"state": "killed", "reason": otherwise}
        live = optuna.Trial(self.study, trial._trial_id)
        values: Any = outcome.get("values")
        if outcome["state"] == "complete":
            self._tell(trial.number, TrialState.COMPLETE, values)
        elif outcome["state"] == "pruned":
            self._tell(trial.number, TrialState.PRUNED)
        else:
            live.set_user_attr(REASON, outcome["reason"])
            starts = 0 if has_saved(file.parent) else trial.user_attrs[STARTS] - (not alone)
            if outcome["state"] == "failed" or starts >= MAX_STARTS or FINAL in trial.user_attrs:
                live.set_user_attr(FINAL, True)
            else:
                self._enqueue_again(trial, {STARTS: starts})
            self._tell(trial.number, TrialState.FAIL)
        self._show()

    def _enqueue_again(self, trial: FrozenTrial, attributes: dict[str, Any]) -> None:
        """Have the study give the trial's values once more, unless an earlier go did, and ended before it told that it failed.

        The values are those that were enqueued, where there are any: a go that ends while it asks leaves some of them out.
        """
        folder = trial.user_attrs[FOLDER]
        if folder not in waiting(self.study):
            self.study.enqueue_trial(trial.system_attrs.get("fixed_params", trial.params), {FOLDER: folder, **attributes})

    def _tell(self, number: int, state: TrialState, values: Any = None) -> None:
        """As the study's, but what it knows already, as it may when its first answer was lost, is no error."""
        with suppress(optuna.exceptions.UpdateFinishedTrialError):
            self.study.tell(number, values, state, skip_if_finished=True)

    def _recover(self) -> None:
        """Settle what an earlier go left open, whose processes may still live."""
        for trial in running(self.study):
            if STARTS in trial.user_attrs:
                end_process(Path(trial.user_attrs[FOLDER]))
                self._settle(trial, "was running when the sweep was interrupted", alone=False)
                continue
            if FOLDER in trial.user_attrs:
                self._enqueue_again(trial, {})
            self._tell(trial.number, TrialState.FAIL)  # the earlier go ended before it began this one

    def _show(self) -> None:
        """The sweep's own curves: each trial's quality, and the best so far."""
        best, points = None, []
        minimise = self.study.directions[0] == optuna.study.StudyDirection.MINIMIZE
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            value = trial.values[0]
            best = value if best is None else min(best, value) if minimise else max(best, value)
            points += [("objective", trial.number, value), ("best", trial.number, best)]
        tracking.log_curves(self.run_id, points)

    def _report(self, last: int, progress: Progress) -> None:
        trial = self._trial(last)
        value = ", ".join(map(number, trial.values)) if trial.values else trial.user_attrs.get(REASON, "")
        progress.reach(len(counted(self.study)))
        state = progress.state()
        said = ", ".join(filter(None, [state.counted, state.estimate]))
        print(f"trial {last} {trial.state.name.lower()} {value}; {said}", file=sys.stderr, flush=True)

    def keep(self) -> list[str]:
        """Keep the best of all; returns what there is to say of it."""
        return keep(self.study, self.sweep, self.experiment, self.run_id, self.name, force=self.arguments.force)


def check_devices(experiment: Experiment, workers: int) -> None:
    """Refuse more workers than there are devices for one each.

    Raises:
        ValueError: naming both.
    """
    if experiment.trainer.accelerator == "gpu" and workers > torch.cuda.device_count():
        raise ValueError(f"each worker needs a device of its own: {workers} workers, {torch.cuda.device_count()} devices")
