"""The tuned file and the alias ``best`` move only to a better value, found with the same means; runs say what they take up."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from omegaconf import OmegaConf

from pipelines import tracking
from pipelines.settings.compose import compose
from pipelines.settings.tuned import Budget, Finding, said_of_tuned
from pipelines.sweeping import outcome
from pipelines.sweeping.outcome import ALIAS, finding_of, keep_values, register
from pipelines.sweeping.study import FOLDER
from pipelines.tracking import record

KNOWN = Finding(metric="val/loss", mode="min", value=0.5, data="a" * 64, budget=Budget(epochs=2, parameters=5000))
OTHER: dict[str, dict[str, Any]] = {
    "worse": {"value": 0.6},
    "equal": {},
    "other metric": {"value": 0.4, "metric": "val/accuracy"},
    "other mode": {"value": 0.6, "mode": "max"},
    "other data": {"value": 0.4, "data": "b" * 64},
    "more epochs": {"value": 0.4, "budget": Budget(epochs=20, parameters=5000)},
    "more parameters": {"value": 0.4, "budget": Budget(epochs=2, parameters=50000)},
}
EXPERIMENT = compose(["tuned=none", "task=adding", "rnn=gru", "seed=1"])


def changed(**values: Any) -> Finding:
    return KNOWN.model_copy(update=values)


def one_trial(value: float) -> tuple[optuna.Study, optuna.trial.FrozenTrial]:
    study = optuna.create_study(direction="minimize")
    trial = study.ask({"task.training.clip": optuna.distributions.CategoricalDistribution([0.5])})
    trial.set_user_attr("run", f"run of {value}")
    trial.set_user_attr(FOLDER, ".")
    study.tell(trial, value)
    return study, study.trials[0]


@pytest.mark.parametrize("name", OTHER)
def test_what_is_not_better_or_not_alike_takes_no_place(name: str) -> None:
    assert changed(**OTHER[name]).why_not(KNOWN.model_dump(mode="json"))


def test_what_is_better_takes_the_place_and_of_an_unknown_budget_nobody_knows() -> None:
    assert not changed(value=0.4).why_not(KNOWN.model_dump(mode="json"))
    assert not changed(value=0.6, mode="max").why_not(KNOWN.model_dump(mode="json") | {"mode": "max"})
    assert not KNOWN.why_not(None)
    assert "does not say its metric, mode, data, budget, value" in changed(value=0.4).why_not({"trials": 8})


def test_the_tuned_file_moves_to_a_better_value_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "CONF", tmp_path / "conf")

    def kept(value: float, name: str, *, force: bool = False) -> tuple[str, str]:
        file, line = keep_values(*one_trial(value), EXPERIMENT, name, changed(value=value), force=force)
        return OmegaConf.load(file).tuning.sweep, line

    assert kept(0.5, "first") == ("first", "conf/tuned/adding-gru.yaml has its values, which later runs take up "
                                  "(tuned=none leaves them out)")  # fmt: skip
    holder, line = kept(0.6, "second")
    assert holder == "first"
    assert (
        line == "conf/tuned/adding-gru.yaml stays as it is: its val/loss is 0.5, and 0.6 is not better (force=true replaces it)"
    )
    assert kept(0.4, "third")[0] == "third"
    assert kept(0.6, "fourth", force=True)[0] == "fourth"
    file = tmp_path / "conf/tuned/adding-gru.yaml"
    file.write_text(file.read_text().replace("fourth", "hand"))
    assert "is damaged, its SHA-256 is" in kept(0.3, "fifth")[1]
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if "sha256" not in line))
    holder, line = kept(0.3, "fifth")
    assert holder == "hand" and "its values may have been changed by hand, it states no SHA-256" in line


def test_a_finding_has_the_budget_that_the_trial_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "card_of", lambda _: {"sha256": {"all": "c"}})
    study = optuna.create_study()
    study.tell(study.ask({"task.parameters": optuna.distributions.IntDistribution(700, 700)}), 0.25)
    experiment = compose(["tuned=none", "task=adding", "rnn=gru", "task.training.epochs=3"])
    found = finding_of(study.trials[0], experiment)
    assert found.budget == Budget(epochs=3, parameters=700) and found.value == 0.25
    assert found.overrides == ["task=adding", "rnn=gru", "task.training.epochs=3"]


def test_the_alias_moves_to_a_better_model_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    client = tracking.store.client()
    client.create_registered_model("adding-gru")

    def store(run_id: str, *rest: Any) -> None:
        client.create_model_version(rest[-1], str(tmp_path), run_id)

    names: dict[str, str] = {}

    def publish(run: str, folder: Path, registration: record.Registration, *, processed: Path) -> None:
        run_id = next((key for key, name in names.items() if name == run), "") or client.create_run("0").info.run_id
        names[run_id] = run
        record.log_model(run_id, served=tmp_path, files={}, registration=registration._asdict())

    monkeypatch.setattr(record, "_store_model", store)
    monkeypatch.setattr(outcome, "publish_model", publish)
    monkeypatch.setattr(outcome, "card_of", lambda _: {})
    monkeypatch.setattr(outcome, "kind_of", lambda _: SimpleNamespace(write_predictor=lambda *_: None))

    def named(value: float, *, force: bool = False) -> str:
        register(one_trial(value)[1], EXPERIMENT, changed(value=value), force=force)
        holder = names[str(client.get_model_version_by_alias("adding-gru", ALIAS).run_id)]
        assert ("stays as it is: its val/loss is" in capsys.readouterr().err) == (holder != f"run of {value}")
        return holder

    assert named(0.5) == "run of 0.5" and named(0.6) == "run of 0.5" and named(0.4) == "run of 0.4"
    assert named(0.4) == "run of 0.4" and named(0.7, force=True) == "run of 0.7"


def test_a_run_says_what_it_takes_up_and_warns_of_another_budget() -> None:
    budget = {"epochs": 2, "parameters": 5000}
    tuning = {"sha256": "0" * 64, "sweep": "basic", "varied": ["task.training.clip"], "budget": budget}
    experiment = EXPERIMENT.model_copy(update={"tuning": tuning, "command_line": []})
    (line,) = said_of_tuned(experiment)
    assert line == (
        "takes up conf/tuned/adding-gru.yaml: task.training.clip=1.0; found by sweep basic with epochs=2 parameters=5000 "
        "(tuned=none leaves them out)"
    )
    tuning["budget"] = {"epochs": 20, "parameters": 5000}
    assert said_of_tuned(experiment)[1] == (
        "warning: this run has epochs=2 parameters=5000, and its tuned values were found with epochs=20 parameters=5000"
    )
    assert not said_of_tuned(EXPERIMENT)
    del tuning["sha256"]
    assert said_of_tuned(experiment)[1] == (
        "warning: conf/tuned/adding-gru.yaml states no SHA-256: its values may have been changed by hand since the sweep found "
        "them"
    )
