"""A sweep makes the trials it was asked for and no more, whoever is killed while it does."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf
from run_folders import with_corpus

ROOT = Path(__file__).resolve().parent.parent
TASK = ["task=adding", "rnn=gru", "task.corpus.steps=10", "task.parameters=600", "trainer.checkpoint_seconds=0"]
TASK += [f"task.corpus.rows.{split}={rows}" for split, rows in {"train": 400, "validation": 40, "test": 40}.items()]
TASK += ["task.training.epochs=5", "task.training.validate_every=20", "task.data.batch_size=20"]
MODEST = "space:\n  task.model.optimizer.lr: {low: 0.001, high: 0.02, log: true}\n  task.training.clip: {choices: [0.5, 1.0]}\n"
FILES = {
    "modest": MODEST + "pruner: {name: none}\n",
    "cluster": MODEST + "pruner: {name: none}\n",
    "harsh": MODEST + "pruner: {name: median, startup_trials: 1}\n",
    "front": MODEST + "objectives: [quality, seconds]\npruner: {name: none}\n",
    "grid": "space:\n  task.training.clip: {choices: [0.5, 1.0]}\nsampler: {name: grid}\n",
    "broken": "space:\n  task.model.optimizer.lr: {choices: [1.0e+30]}\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the stages and their configuration, with a small corpus."""
    place = tmp_path_factory.mktemp("project")
    for part in ("pipelines", "conf", "src"):
        shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in FILES.items():
        (place / f"conf/sweep/{name}.yaml").write_text(text)
    left = with_corpus(place, TASK) / "work/sweeps/adding-gru-modest/0/last.ckpt"  # by a sweep that the study knows nothing of
    left.parent.mkdir(parents=True)
    left.write_bytes(b"of another network")
    return place


def environment(place: Path) -> dict[str, str]:
    told = {"PYTHONPATH": f"{place}:{place}/src", "MLFLOW_TRACKING_URI": f"sqlite:///{place}/mlflow.db"}
    return os.environ | told | {"OMP_NUM_THREADS": "1"}


def begin(place: Path, stage: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"pipelines.{stage}", *arguments]
    return subprocess.Popen(
        command, cwd=place, env=environment(place), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def run(place: Path, stage: str, *arguments: str, code: int = 0) -> str:
    process = begin(place, stage, *arguments)
    out, errors = process.communicate(timeout=400)
    assert process.returncode == code, errors
    return out + errors


def trials_of(place: Path, name: str) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=f"adding-gru-{name}", storage=f"sqlite:///{place}/sweeps.db").trials


def states_of(place: Path, name: str) -> list[str]:
    return [trial.state.name for trial in trials_of(place, name)]


def child_of(place: Path, name: str) -> int:
    """A trial that has written a checkpoint and is at work."""
    folder = place / f"work/sweeps/adding-gru-{name}"
    for _ in range(18_000):  # six minutes: a cluster alone takes one or two to begin on a busy machine
        for file in folder.glob("*/process.json"):
            if (file.parent / "last.ckpt").exists() and not (file.parent / "outcome.json").exists():
                return json.loads(file.read_text())["pid"]
        time.sleep(0.02)
    raise AssertionError("no trial began")


@pytest.mark.slow
def test_a_sweep_survives_the_death_of_a_trial_and_its_own(project: Path) -> None:
    """One trial is killed, then the sweep itself; the same command ends with exactly the trials that were asked for."""
    command = ["sweep=modest", "trials=4", "workers=2", *TASK]
    first = begin(project, "sweep", *command)
    os.kill(child_of(project, "modest"), signal.SIGKILL)
    while "FAIL" not in states_of(project, "modest"):
        time.sleep(0.05)
    first.kill()
    first.wait()
    told = run(project, "sweep", *command)
    trials = trials_of(project, "modest")
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    assert len(complete) == 4 and {trial.state.name for trial in trials} == {"COMPLETE", "FAIL"}
    assert all("killed" in trial.user_attrs["reason"] or "interrupted" in trial.user_attrs["reason"]
               for trial in trials if trial.state.name == "FAIL")  # fmt: skip
    assert len({trial.user_attrs["place"] for trial in complete}) == 4
    killed = next(trial for trial in trials if trial.state.name == "FAIL")
    again = next(trial for trial in complete if trial.user_attrs["place"] == killed.user_attrs["place"])
    assert again.params == killed.params
    best = min(complete, key=lambda trial: trial.value or 9)
    assert f"best of 4 complete trials: {best.number}" in told
    for database in ("sweeps.db", "mlflow.db"):
        with sqlite3.connect(project / database) as opened:
            assert opened.execute("pragma integrity_check").fetchone() == ("ok",)
    before = len(trials)
    run(project, "sweep", *command)
    assert len(trials_of(project, "modest")) == before  # all that was asked for is there: nothing is made again
    check_what_is_kept(project, best)


def check_what_is_kept(project: Path, best: optuna.trial.FrozenTrial) -> None:
    import mlflow

    tuned = (project / "conf/tuned/adding-gru.yaml").read_text()
    assert f"lr: {best.params['task.model.optimizer.lr']}" in tuned
    found = OmegaConf.load(project / "conf/tuned/adding-gru.yaml").tuning
    tried = {"sweep": "adding-gru-modest", "trials": 4, "pruned": 0, "best": best.number, "varied": list(best.params)}
    assert tried.items() <= found.items() and found.budget == {"epochs": 5, "parameters": 600}
    assert (found.metric, found.mode, found.value, found.overrides) == ("val/loss", "min", best.value, TASK)
    reports = project / "reports/sweeps/adding-gru-modest"
    assert {"trials.csv", "history.png", "parallel.png", "slices.png"} <= {file.name for file in reports.iterdir()}
    client = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db", registry_uri=f"sqlite:///{project}/mlflow.db")
    kept = client.get_model_version_by_alias("adding-gru", "best")
    of_best = client.get_run(str(kept.run_id)).data.tags
    assert "-".join(of_best[f"mlflow.pipelines.{name}"] for name in ("place", "fingerprint")) == best.user_attrs["run"]
    assert str(kept.version) == "1"  # though the sweep was ended twice
    experiment = client.get_experiment_by_name("adding sweeps")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [found for found in runs if "mlflow.parentRunId" not in found.data.tags]
    children = [found for found in runs if found is not parent]
    assert {found.data.tags["mlflow.parentRunId"] for found in children} == {parent.info.run_id}
    assert {found.info.status for found in runs} == {"FINISHED"}
    assert len(children) == 4  # a trial that was killed goes on in its run
    assert len(client.get_metric_history(parent.info.run_id, "objective")) == 4


@pytest.mark.slow
def test_of_two_projects_on_one_storage_one_sweeps_and_the_other_takes_up_what_it_left(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(project, other, ignore=shutil.ignore_patterns("work", "sweeps.db", "mlflow.db"))
    for place in (project, other):
        (place / "conf/sweep/shared.yaml").write_text(FILES["modest"])
    command = ["sweep=shared", "trials=3", "workers=2", f"storage=sqlite:///{project}/sweeps.db", *TASK]
    first = begin(project, "sweep", *command)
    child_of(project, "shared")
    first.send_signal(signal.SIGSTOP)  # lest it is done before the other has begun
    refused = [line for line in run(other, "sweep", *command, code=2).splitlines() if line.startswith("error: ")]
    assert len(refused) == 1 and f"sweep adding-gru-shared is run by process {first.pid} on" in refused[0]
    first.kill()
    first.communicate()
    run(other, "sweep", *command)
    assert states_of(project, "shared").count("COMPLETE") == 3 and set(states_of(project, "shared")) <= {"COMPLETE", "FAIL"}


@pytest.mark.slow
def test_a_sweep_that_is_interrupted_ends_in_a_line_and_goes_on(project: Path) -> None:
    (project / "conf/sweep/stopped.yaml").write_text(FILES["modest"])
    command = ["sweep=stopped", "trials=2", "workers=2", *TASK]
    sweep = begin(project, "sweep", *command)
    trial = child_of(project, "stopped")
    for pid in (sweep.pid, trial):  # as a terminal does
        os.kill(pid, signal.SIGINT)
    _, errors = sweep.communicate(timeout=100)
    assert sweep.returncode == 130 and not Path(f"/proc/{trial}").exists()
    assert [line for line in errors.splitlines() if not line.startswith("trial ")] == [
        "interrupted; the same command goes on with what is not done yet"
    ]
    run(project, "sweep", *command)
    assert states_of(project, "stopped").count("COMPLETE") == 2


@pytest.mark.slow
def test_a_cluster_loses_a_process_and_makes_every_trial(project: Path) -> None:
    """Eight trials in two processes of Ray, one of which is killed while it trains."""
    pytest.importorskip("ray", reason="`make test-all` installs the cluster's packages")
    command = ["sweep=cluster", "trials=8", "workers=2", "engine=ray", *TASK]
    sweep = begin(project, "sweep", *command)
    os.kill(child_of(project, "cluster"), signal.SIGKILL)
    _, errors = sweep.communicate(timeout=600)
    assert sweep.returncode == 0, errors
    trials = trials_of(project, "cluster")
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    (lost,) = [trial for trial in trials if trial.state.name == "FAIL"]
    assert len(complete) == 8 and lost.user_attrs["reason"] == "was killed (WorkerCrashedError)"
    assert lost.params in [trial.params for trial in complete]


@pytest.mark.slow
def test_trials_that_lag_are_pruned_and_count(project: Path) -> None:
    run(project, "sweep", "sweep=harsh", "trials=5", *TASK)
    states = states_of(project, "harsh")
    assert len(states) == 5 and set(states) == {"COMPLETE", "PRUNED"}


@pytest.mark.slow
def test_a_grid_ends_when_all_is_tried_and_a_study_of_other_facts_is_refused(project: Path) -> None:
    run(project, "sweep", "sweep=grid", "trials=9", *TASK)
    assert sorted(trial.params["task.training.clip"] for trial in trials_of(project, "grid")) == [0.5, 1.0]
    told = run(project, "sweep", "sweep=grid", "trials=9", *[word.replace("=600", "=700") for word in TASK], code=2)
    assert "error: study adding-gru-grid has trials with another experiment, overrides: give" in told


@pytest.mark.slow
def test_a_trial_that_fails_by_itself_counts_and_its_reason_is_told(project: Path) -> None:
    told = run(project, "sweep", "sweep=broken", "trials=1", *TASK, code=2)
    (trial,) = trials_of(project, "broken")
    assert trial.state.name == "FAIL" and "finite" in trial.user_attrs["reason"]
    assert "error: no trial of sweep adding-gru-broken is complete" in told and "finite" in told


@pytest.mark.slow
def test_several_objectives_have_a_front(project: Path) -> None:
    run(project, "sweep", "sweep=front", "trials=3", "workers=3", *TASK)
    assert all(len(trial.values) == 2 for trial in trials_of(project, "front"))
    assert (project / "reports/sweeps/adding-gru-front/front.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*TASK, "seeds=2"], "a trial trains one seed, not 2: give seed="),
        ([*TASK, "storage=nowhere://x"], "storage nowhere://x: "),
    ],
)
def test_what_cannot_be_swept_is_refused_in_a_line(project: Path, arguments: list[str], said: str) -> None:
    told = run(project, "sweep", "sweep=modest", "trials=1", *arguments, code=2).splitlines()
    assert [said in line for line in told if line.startswith("error: ")] == [True]
