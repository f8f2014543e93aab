"""A sweep whose trials run in its own process makes each once; what it cannot sweep is refused, what it found is taken up."""

import shutil
from pathlib import Path

import optuna
import pytest
from faults import attempt
from inline_sweep import GRID
from omegaconf import OmegaConf
from run_folders import with_corpus

from pipelines.settings import compose as composing

TASK = ["task=adding", "rnn=gru", "task.corpus.steps=6", "task.parameters=300", "task.data.batch_size=20"]
TASK += ["task.corpus.rows={train:40,validation:10,test:10}", "task.training={epochs:1,clip:1.0,validate_every:1}"]


def test_every_trial_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "place/swept/sweep").mkdir(parents=True)
    place = with_corpus(tmp_path / "place", TASK)
    (place / "swept/sweep/grid.yaml").write_text(GRID)
    command = ["inline_sweep", "sweep=grid", "trials=2", "storage=sqlite:///sweeps.db", *TASK]
    trials: list[optuna.trial.FrozenTrial] = []
    for _ in range(2):
        done = attempt(command, place)
        assert done.code == 0, done.output
        trials = optuna.load_study(study_name="adding-gru-grid", storage=f"sqlite:///{place}/sweeps.db").trials
        made = sorted((trial.params["task.training.clip"], trial.state.name) for trial in trials)
        assert made == [(0.5, "COMPLETE"), (1.0, "COMPLETE")]
    best = min(trials, key=lambda trial: trial.value or 9)
    assert OmegaConf.load(place / "swept/tuned/adding-gru.yaml").tuning.best == best.number


def test_a_task_without_a_corpus_is_refused_in_a_line(tmp_path: Path) -> None:
    (place := tmp_path / "place").mkdir()
    done = attempt(["pipelines.sweep", "sweep=basic", "trials=1", "task=nested", "rnn=gru"], place)
    (line,) = [line for line in done.output.splitlines() if line.startswith("error: ")]
    assert done.code == 2 and "data/processed/nested has no corpus" in line


def test_a_later_run_takes_up_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(composing.CONF, tmp_path / "conf")
    monkeypatch.setattr(composing, "CONF", tmp_path / "conf")
    (tmp_path / "conf/tuned/copying-lstm.yaml").write_text(
        "# @package _global_\ntask: {training: {clip: 0.125}}\ntuning: {trials: 4}\n"
    )
    found, untold = (0.125, {"trials": 4}), (1.0, None)
    for more, expected in (("tuned=copying-lstm", found), ("rnn=lstm", found), ("tuned=none", untold), ("rnn=gru", untold)):
        run = composing.compose(["task=copying", more])
        assert (run.task.training.clip, run.plain(1).get("tuning")) == expected
