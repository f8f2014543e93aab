"""Whatever of the study's writes a sweep ends at, the next go makes each trial that was asked for, and none twice."""

import json
import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest

from pipelines import tracking
from pipelines.settings.base import validate
from pipelines.settings.schema import Metric
from pipelines.sweeping.arguments import SweepArguments
from pipelines.sweeping.engines import Engine, Job
from pipelines.sweeping.runner import SweepRunner
from pipelines.sweeping.settings import Sweep
from pipelines.sweeping.study import FINAL, FOLDER, counted, open_study
from pipelines.sweeping.trial import OUTCOME, PROCESS, TrialSpec
from rnn_lightning.systems.durable import LAST

CLIP, RATE = "task.training.clip", "task.model.optimizer.lr"
SPACE = {CLIP: {"choices": [0.5, 1.0, 2.0]}, RATE: {"choices": [0.1]}}
WRITES = ("create_new_trial", "set_trial_param", "set_trial_state_values", "set_trial_user_attr")


class Ended(BaseException):
    """The process is killed."""


class EndingStorage(optuna.storages.InMemoryStorage):
    """A storage before whose write number ``ending`` the process is killed."""

    def __init__(self, ending: int) -> None:
        super().__init__()
        self.left = ending


def _ending(name: str) -> Any:
    write = getattr(optuna.storages.InMemoryStorage, name)

    def written(self: EndingStorage, *args: Any, **kwargs: Any) -> Any:
        self.left -= 1
        if self.left == -1:
            raise Ended
        return write(self, *args, **kwargs)

    return written


for _name in WRITES:
    setattr(EndingStorage, _name, _ending(_name))


class Scripted(Engine):
    """Trials of clip 0.5 are complete at once; those of 1.0 are killed, as are those of 2.0, but these first save."""

    def start(self, spec: TrialSpec) -> Job:
        went_on = (spec.folder / LAST).exists()
        (spec.folder / PROCESS).write_text('{"host": "elsewhere"}')
        os.utime(spec.folder / PROCESS, (time.time() - 1,) * 2)
        if spec.values[CLIP] == 2.0:
            (spec.folder / LAST).touch()
        if spec.values[CLIP] == 0.5 or went_on:
            (spec.folder / OUTCOME).write_text(json.dumps({"state": "complete", "values": [spec.values[CLIP]]}))
        return Job(lambda: False, lambda: "was killed", None)

    def wait(self, jobs: Collection[Job], seconds: float) -> None:
        """All are over."""

    def end(self, jobs: Collection[Job]) -> None:
        """None is left."""


def go(storage: optuna.storages.BaseStorage, sampler: str, folder: Path) -> optuna.Study:
    """Run the sweep of three trials until it is done."""
    runner: Any = object.__new__(SweepRunner)
    sweep = validate(Sweep, {"space": SPACE, "sampler": {"name": sampler}, "pruner": {"name": "none"}})
    study: Any = open_study("mine", storage, sweep, Metric(name="test/loss", mode="min"), {})  # pyright: ignore[reportArgumentType]
    vars(runner).update(
        arguments=SweepArguments(sweep="mine", trials=3, workers=2), sweep=sweep, study=study, engine=Scripted(), folder=folder
    )
    trainer = SimpleNamespace(trainer=SimpleNamespace(accelerator="cpu"))
    vars(runner).update(experiment=trainer, overrides=["trainer.threads=1"], name="mine", url="", run_id="", shown_in="")
    vars(runner).update(slots={}, lease=SimpleNamespace(check=lambda: None), _began=0.0)
    runner.run()
    return study


@pytest.fixture(autouse=True)
def _untracked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tracking, "log_curves", lambda *_: None)
    yield


@pytest.mark.parametrize("sampler", ["grid", "random"])
def test_a_sweep_that_ends_at_any_write_is_made_whole_by_the_next_go(sampler: str, tmp_path: Path) -> None:
    ending = 0
    while True:
        storage, folder = EndingStorage(ending), tmp_path / str(ending)
        try:
            go(storage, sampler, folder)
            break
        except Ended:
            study = go(storage, sampler, folder)
        over = counted(study)
        assert len({trial.user_attrs[FOLDER] for trial in over}) == len(over) == 3, ending
        for trial in over:
            same = [each.params for each in study.trials if each.user_attrs.get(FOLDER) == trial.user_attrs[FOLDER]]
            assert {each.get(CLIP, trial.params[CLIP]) for each in same} == {trial.params[CLIP]}, ending
            assert (FINAL in trial.user_attrs) == (trial.params[CLIP] == 1.0), ending
        if sampler == "grid":
            assert {trial.params[CLIP] for trial in over} == {0.5, 1.0, 2.0}, ending
        assert not study.get_trials(states=(optuna.trial.TrialState.WAITING, optuna.trial.TrialState.RUNNING)), ending
        ending += 1
    assert ending > 20
