"""What is kept of a sweep: the best values for later runs, its model in the registry, tables and figures."""

import csv
import warnings
from pathlib import Path
from typing import Any

import optuna
from matplotlib import pyplot as plt
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial, TrialState

from pipelines import tracking
from pipelines.display.numbers import number
from pipelines.display.plotting import LOOK, drawing, save
from pipelines.kinds import kind_of
from pipelines.runs.cards import card_of
from pipelines.settings.compose import CONF
from pipelines.settings.schema import Experiment
from pipelines.sweeping.settings import Sweep
from pipelines.sweeping.study import FOLDER, counted
from pipelines.tracking.finished import publish_model
from rnn_lightning.files import write_text

REPORTS, ALIAS = Path("reports/sweeps"), "best"


def keep(study: optuna.Study, sweep: Sweep, experiment: Experiment, run_id: str, name: str) -> list[str]:
    """Keep the best trial; returns lines that say what it is and where all lies.

    Raises:
        ValueError: where no trial is complete.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not complete:
        raise ValueError(f"no trial of sweep {name} is complete; the study says why: {_reasons(study)}")
    best = best_trial(study)
    folder = REPORTS / name
    folder.mkdir(parents=True, exist_ok=True)
    files = [
        write_trials(study, sweep, folder / "trials.csv"),
        *draw(study, sweep, folder, experiment.task.metric.monitor),
    ]
    tuned = write_tuned(study, best, experiment, name)
    tracking.log_files(run_id, [*files, tuned])
    registered = register(best, experiment)
    values = ", ".join(f"{key} {value}" for key, value in best.params.items())
    lines = [
        f"best of {len(complete)} complete trials: {best.number}, {number(best.values[0])} on validation, {values}",
        f"{tuned.relative_to(CONF.parent)} has its values, which later runs take up (tuned=none leaves them out)",
        f"{folder} has the trials and the figures",
    ]
    return [*lines, f"the model registry has it as {registered}@{ALIAS}"]


def best_trial(study: optuna.Study) -> FrozenTrial:
    """The complete trial of the best quality; of several objectives, the first is the quality."""
    minimise = study.directions[0] == optuna.study.StudyDirection.MINIMIZE
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return min(complete, key=lambda trial: trial.values[0] if minimise else -trial.values[0])


def _reasons(study: optuna.Study) -> str:
    return (
        "; ".join(sorted({trial.user_attrs.get("reason", trial.state.name.lower()) for trial in study.trials})) or "no trials"
    )


def write_trials(study: optuna.Study, sweep: Sweep, file: Path) -> Path:
    """All trials, a row each: number, state, values, parameters."""
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["trial", "state", *sweep.objectives, *sweep.space])
        for trial in study.get_trials(deepcopy=False):
            values = trial.values or [""] * len(sweep.objectives)
            writer.writerow(
                [trial.number, trial.state.name.lower(), *values, *(trial.params.get(key, "") for key in sweep.space)]
            )
    return file


def write_tuned(study: optuna.Study, best: FrozenTrial, experiment: Experiment, name: str) -> Path:
    """``conf/tuned/TASK-RNN.yaml``, which every run of that task and architecture composes; says what was tried for it."""
    file = CONF / "tuned" / f"{experiment.task_name}-{experiment.rnn_name}.yaml"
    config = OmegaConf.create({})
    for key, value in best.params.items():
        OmegaConf.update(config, key, value, force_add=True)
    over = [trial.state for trial in counted(study)]
    pruned = over.count(TrialState.PRUNED)
    config["tuning"] = {"sweep": name, "trials": len(over), "pruned": pruned, "best": best.number, "varied": list(best.params)}
    metric = experiment.task.metric.monitor
    header = f"# @package _global_\n# Found by sweep {name}: trial {best.number}, {metric} {number(best.values[0])}.\n"
    write_text(file, header + OmegaConf.to_yaml(config))
    return file


def register(best: FrozenTrial, experiment: Experiment) -> str:
    """Make the best trial's model, unless it is, the newest version of ``TASK-RNN`` in the registry, under the alias ``best``;
    returns the name."""
    name = f"{experiment.task_name}-{experiment.rnn_name}"
    run_id, folder = best.user_attrs["run"], Path(best.user_attrs[FOLDER])
    if not tracking.is_newest(name, run_id):
        kind_of(experiment).write_predictor(experiment, card_of(experiment), folder)
        publish_model(run_id, folder, registered_name=name)
    tracking.name_newest(name, ALIAS)
    return name


def draw(study: optuna.Study, sweep: Sweep, folder: Path, metric: str) -> list[Path]:
    """Optuna's figures of the study, as far as it has enough trials for each."""
    plots: Any = optuna.visualization.matplotlib
    alone = len(sweep.objectives) == 1  # a target turns the colours of Optuna's plots round, so only what needs one has it
    quality = {"target": None if alone else lambda trial: trial.values[0], "target_name": metric}
    wanted = {
        "history": lambda: plots.plot_optimization_history(study, **quality),
        "parallel": lambda: plots.plot_parallel_coordinate(study, **quality),
        "slices": lambda: plots.plot_slice(study, **quality),
        "importance": lambda: plots.plot_param_importances(study, **quality),
    }
    if alone:
        wanted["curves"] = lambda: plots.plot_intermediate_values(study)
    elif len(sweep.objectives) <= 3:
        wanted["front"] = lambda: plots.plot_pareto_front(study, target_names=[metric, *sweep.objectives[1:]])
    drawn = []
    for name, plot in wanted.items():
        file = folder / f"{name}.png"
        with drawing(file, look=LOOK | {"text.parse_math": True}):  # for powers of ten; the names are those of settings
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    plot()
            except (ValueError, RuntimeError):  # an importance needs two values of a parameter, and some plots two trials
                continue
            figure = plt.gcf()
            figure.set_size_inches(10, 5.5)
            if name == "curves":
                figure.axes[0].set_ylabel(metric)
            save(figure, file)
        drawn += [file] if file.exists() else []
    return drawn
