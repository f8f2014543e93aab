"""A study is of one sweep: another one takes its name only where nothing came of the first."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from pipelines.settings.base import validate
from pipelines.settings.schema import Metric
from pipelines.sweeping.settings import Sweep
from pipelines.sweeping.storage import open_storage
from pipelines.sweeping.study import FOLDER, STARTS, open_study

SWEEP = validate(Sweep, {"space": {"task.model.optimizer.lr": {"choices": [0.1, 0.2]}}})
METRIC = Metric(name="test/loss", mode="min")


@pytest.fixture
def storage(tmp_path: Path) -> optuna.storages.RDBStorage:
    return open_storage(f"sqlite:///{tmp_path}/sweeps.db")


def opened(storage: optuna.storages.RDBStorage, **facts: Any) -> optuna.Study:
    return open_study("mine", storage, SWEEP, METRIC, facts)


@pytest.mark.parametrize("state", [None, TrialState.FAIL])
def test_a_sweep_of_which_nothing_came_is_replaced_by_another(
    storage: optuna.storages.RDBStorage, state: TrialState | None
) -> None:
    first = opened(storage, data="a", space="lr 1e30")
    if state is not None:
        first.tell(first.ask(), state=state)
    second = opened(storage, data="a", space="lr 0.1")
    assert second.trials == []
    assert opened(storage, data="a", space="lr 0.1")._study_id == second._study_id


@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING])
def test_a_sweep_with_trials_keeps_its_name(storage: optuna.storages.RDBStorage, state: TrialState) -> None:
    first = opened(storage, data="a", space="lr 0.1")
    trial = first.ask()
    if state == TrialState.COMPLETE:
        first.tell(trial, 1.0)
    elif state == TrialState.PRUNED:
        trial.report(1.0, 1)
        first.tell(trial, state=state)
    with pytest.raises(ValueError, match="study mine has trials with another data, space: give the new sweep a file"):
        opened(storage, data="b", space="lr 0.2")
    assert len(opened(storage, data="a", space="lr 0.1").trials) == 1


@pytest.mark.parametrize("saved", [True, False])
def test_a_trial_that_waits_to_go_on_is_kept_and_one_that_never_began_is_not(
    storage: optuna.storages.RDBStorage, saved: bool
) -> None:
    first = opened(storage, data="a")
    first.enqueue_trial({"task.model.optimizer.lr": 0.1}, {FOLDER: "work/0"} | ({STARTS: 1} if saved else {}))
    if saved:
        with pytest.raises(ValueError, match="study mine has trials with another data"):
            opened(storage, data="b")
    else:
        assert opened(storage, data="b").trials == []
